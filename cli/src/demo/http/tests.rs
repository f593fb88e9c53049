use super::*;

#[test]
fn urls_are_read() {
    let url = Url { host: "a.b".to_owned(), port: 9080, path: "/c?d".to_owned() };
    assert_eq!("http://a.b:9080/c?d".parse(), Ok(url));
    assert_eq!(
        "http://a.b".parse::<Url>().map(|url| (url.port, url.path)),
        Ok((80, "/".to_owned()))
    );
    for text in ["a.b", "https://a.b/", "http:///x", "/x"] {
        assert!(text.parse::<Url>().is_err(), "{text}");
    }
}
