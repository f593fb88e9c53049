use super::*;

fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in pairs {
        headers.append(*name, HeaderValue::from_str(value).expect("plain text"));
    }
    headers
}

#[test]
fn the_cookie_is_found_among_others() {
    let cases = [
        ("rialto_session=abc", Some("abc")),
        ("a=1; rialto_session=abc; b=2", Some("abc")),
        ("a=1;rialto_session=abc", Some("abc")),
        ("xrialto_session=abc", None),
        ("rialto_session", None),
        ("a=rialto_session=abc", None),
        ("", None),
    ];
    for (text, expected) in cases {
        assert_eq!(cookie(&headers(&[("cookie", text)])), expected, "{text}");
    }
    let split = headers(&[("cookie", "a=1"), ("cookie", "rialto_session=abc")]);
    assert_eq!(cookie(&split), Some("abc"), "HTTP/2 sends cookies one by one");
    let long = format!("rialto_session={}", "x".repeat(limits::SESSION_COOKIE_BYTES_MAX + 1));
    assert_eq!(cookie(&headers(&[("cookie", &long)])), None);
}

#[test]
fn a_write_shows_what_only_the_page_knows() {
    let session = Session {
        actor: "token:admin".into(),
        expires_at: Default::default(),
        csrf: "s3cret".into(),
        federation: String::new(),
        version: String::new(),
    };
    let uri: Uri = "/api/v1/clusters/east:drain".parse().expect("a path");
    let cases: [(&[(&str, &str)], bool); 8] = [
        (&[("x-rialto-csrf", "s3cret")], true),
        (&[("x-rialto-csrf", "s3cret"), ("origin", "http://a:1"), ("host", "a:1")], true),
        (&[("x-rialto-csrf", "s3cret"), ("origin", "https://A:1"), ("host", "a:1")], true),
        (&[("x-rialto-csrf", "s3cret"), ("origin", "http://b:1"), ("host", "a:1")], false),
        (&[("x-rialto-csrf", "s3cret"), ("origin", "http://a:2"), ("host", "a:1")], false),
        (&[("x-rialto-csrf", "s3cret"), ("origin", "null"), ("host", "a:1")], false),
        (&[("x-rialto-csrf", "other")], false),
        (&[], false),
    ];
    for (pairs, expected) in cases {
        let pairs: Vec<(&'static str, &str)> =
            pairs.iter().map(|(name, value)| (*name, *value)).collect();
        let checked = check_origin(&session, &headers(&pairs), &uri);
        assert_eq!(checked.is_ok(), expected, "{pairs:?}");
        if let Err(problem) = checked {
            assert_eq!(problem.code, Code::CrossSite);
        }
    }
}

#[test]
fn a_cookie_over_a_plain_connection_can_be_kept() {
    let plain = cookie_text("abc", 60, Peer::default());
    assert_eq!(plain, "rialto_session=abc; HttpOnly; SameSite=Strict; Path=/; Max-Age=60");
    let encrypted = Peer { is_encrypted: true, ..Peer::default() };
    assert!(cookie_text("abc", 60, encrypted).ends_with("; Secure"));
}
