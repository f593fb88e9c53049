use bytes::Bytes;
use proptest::prelude::*;
use rialto_types::limits;

use super::*;
use crate::http1::collect::Collector;
use crate::http1::defect::Defect;

#[test]
fn attacks_on_requests_get_their_status_and_reason() {
    let cases: &[(&str, u16, Defect)] = &[
        (
            "POST / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n",
            400,
            Defect::TransferEncodingInHttp10,
        ),
        ("GET / HTTP/1.1\nHost: a\n\n", 400, Defect::BareLineFeed),
        ("GET / HTTP/1.1\r\nHost: a\n\r\n", 400, Defect::BareLineFeed),
        ("GET / HTTP/1.1\r\nHost: a\r\n\n", 400, Defect::BareLineFeed),
        ("GET / HTTP/1.1\r\nHost: a\r\n\rX", 400, Defect::BareCarriageReturn),
        ("GET / HTTP/1.1\r\n Host: a\r\n\r\n", 400, Defect::FoldedField),
        ("\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", 400, Defect::EmptyStartLine),
        ("\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", 400, Defect::BareLineFeed),
        ("GET / HTTP/1.1\r\nHost : a\r\n\r\n", 400, Defect::SpaceBeforeColon),
        ("GET / HTTP/1.1\r\n\r\n", 400, Defect::HostMissing),
        ("GET http://a/ HTTP/1.1\r\n\r\n", 400, Defect::HostMissing),
        ("GET / HTTP/1.0\r\nHost: a\r\nhost: b\r\n\r\n", 400, Defect::HostRepeated),
        ("GET / HTTP/1.1\r\nHost:\r\n\r\n", 400, Defect::HostInvalid),
        ("GET / HTTP/1.1\r\nHost: a b\r\n\r\n", 400, Defect::HostInvalid),
        ("GET / HTTP/1.1\r\nHost: a,b\r\n\r\n", 400, Defect::HostInvalid),
        ("GET / HTTP/1.1\r\nHost: user@a\r\n\r\n", 400, Defect::HostInvalid),
        ("GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", 400, Defect::HostInvalid),
        ("GET / HTTP/1.1\r\nHost: a:80:80\r\n\r\n", 400, Defect::HostInvalid),
        ("GET / HTTP/1.1\r\nHost: a:x\r\n\r\n", 400, Defect::HostInvalid),
        ("GET / HTTP/1.1\r\nHost: [::1\r\n\r\n", 400, Defect::HostInvalid),
        ("GET / HTTP/1.1\r\nHost: [::1]x\r\n\r\n", 400, Defect::HostInvalid),
        ("GET http://b/ HTTP/1.1\r\nHost: a\r\n\r\n", 400, Defect::HostMismatch),
        ("GET http://a:81/ HTTP/1.1\r\nHost: a\r\n\r\n", 400, Defect::HostMismatch),
        ("GET http://user@a/ HTTP/1.1\r\nHost: a\r\n\r\n", 400, Defect::HostInvalid),
        ("GET /\r\nHost: a\r\n\r\n", 400, Defect::RequestLine),
        ("GET  / HTTP/1.1\r\nHost: a\r\n\r\n", 400, Defect::RequestLine),
        ("GET / HTTP/1.1 \r\nHost: a\r\n\r\n", 400, Defect::RequestLine),
        (" GET / HTTP/1.1\r\nHost: a\r\n\r\n", 400, Defect::RequestLine),
        ("GET\t/\tHTTP/1.1\r\nHost: a\r\n\r\n", 400, Defect::RequestLine),
        ("G@T / HTTP/1.1\r\nHost: a\r\n\r\n", 400, Defect::RequestLine),
        ("GET / http/1.1\r\nHost: a\r\n\r\n", 400, Defect::RequestLine),
        ("GET / HTTP/11\r\nHost: a\r\n\r\n", 400, Defect::RequestLine),
        ("GET /a b HTTP/1.1\r\nHost: a\r\n\r\n", 400, Defect::RequestLine),
        ("GET a HTTP/1.1\r\nHost: a\r\n\r\n", 400, Defect::Target),
        ("GET * HTTP/1.1\r\nHost: a\r\n\r\n", 400, Defect::Target),
        ("GET /a#b HTTP/1.1\r\nHost: a\r\n\r\n", 400, Defect::Target),
        ("GET /a\\b HTTP/1.1\r\nHost: a\r\n\r\n", 400, Defect::Target),
        ("GET /\u{e9} HTTP/1.1\r\nHost: a\r\n\r\n", 400, Defect::Target),
        ("GET https://a/ HTTP/1.1\r\nHost: a\r\n\r\n", 400, Defect::Target),
        ("GET ftp://a/ HTTP/1.1\r\nHost: a\r\n\r\n", 400, Defect::Target),
        ("GET / HTTP/2.0\r\nHost: a\r\n\r\n", 505, Defect::Version),
        ("GET / HTTP/1.2\r\nHost: a\r\n\r\n", 505, Defect::Version),
        ("GET / HTTP/0.9\r\nHost: a\r\n\r\n", 505, Defect::Version),
        ("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505, Defect::Http2Preface),
        ("\x16\x03\x01\x02\0\x01\0\x01\u{fc}\x03\x03", 400, Defect::ControlCharacter),
        ("CONNECT a:443 HTTP/1.1\r\nHost: a:443\r\n\r\n", 501, Defect::Connect),
    ];
    for &(bytes, status, defect) in cases {
        check_refused(bytes, status, defect);
    }
}

#[test]
fn attacks_by_fields_get_their_status_and_reason() {
    let cases: &[(&str, u16, Defect)] = &[
        ("Content-Length: 5\r\nContent-Length: 6", 400, Defect::ContentLengthRepeated),
        ("Content-Length: 5\r\nContent-Length: 5", 400, Defect::ContentLengthRepeated),
        ("Content-Length: 5, 5", 400, Defect::ContentLength),
        ("Content-Length: +5", 400, Defect::ContentLength),
        ("Content-Length: -5", 400, Defect::ContentLength),
        ("Content-Length: 0x5", 400, Defect::ContentLength),
        ("Content-Length: 5 5", 400, Defect::ContentLength),
        ("Content-Length:", 400, Defect::ContentLength),
        ("Content-Length: 18446744073709551616", 400, Defect::ContentLength),
        ("Content-Length: 9223372036854775808", 400, Defect::ContentLength),
        ("Content-Length: 5\r\nTransfer-Encoding: chunked", 400, Defect::LengthWithChunked),
        ("Transfer-Encoding: chunked\r\nContent-Length: 0", 400, Defect::LengthWithChunked),
        ("Transfer-Encoding: xchunked", 400, Defect::TransferEncoding),
        ("Transfer-Encoding: chunked, identity", 400, Defect::TransferEncoding),
        ("Transfer-Encoding: gzip, chunked", 400, Defect::TransferEncoding),
        ("Transfer-Encoding: identity", 400, Defect::TransferEncoding),
        ("Transfer-Encoding: \"chunked\"", 400, Defect::TransferEncoding),
        ("Transfer-Encoding:", 400, Defect::TransferEncoding),
        ("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked", 400, Defect::TransferEncoding),
        (
            "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity",
            400,
            Defect::TransferEncoding,
        ),
        ("Transfer-Encoding : chunked", 400, Defect::SpaceBeforeColon),
        ("Transfer-Encoding\t: chunked", 400, Defect::SpaceBeforeColon),
        ("Transfer-Encoding:\x0bchunked", 400, Defect::ControlCharacter),
        ("X: b\rContent-Length: 5", 400, Defect::BareCarriageReturn),
        ("X: b\r", 400, Defect::BareCarriageReturn),
        ("X: b\0c", 400, Defect::Nul),
        ("X\0: b", 400, Defect::Nul),
        ("X: b\r\n c", 400, Defect::FoldedField),
        ("X: b\r\n\tc", 400, Defect::FoldedField),
        ("X: \x7f", 400, Defect::ControlCharacter),
        ("no colon", 400, Defect::FieldName),
        (": empty", 400, Defect::FieldName),
        ("X(y): b", 400, Defect::FieldName),
        ("X Y: b", 400, Defect::FieldName),
        ("Connection: content-length\r\nContent-Length: 5", 400, Defect::Connection),
        ("Connection: close, HOST", 400, Defect::Connection),
        ("Connection: authorization", 400, Defect::Connection),
        ("Connection: a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a", 400, Defect::Connection),
        ("Content-Length: 5\r\nExpect: 200-ok", 417, Defect::Expectation),
        ("Host: a", 400, Defect::HostRepeated),
        ("Connection: Upgrade\r\nUpgrade: websocket", 501, Defect::Upgrade),
        (
            "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AA",
            501,
            Defect::Upgrade,
        ),
        ("Upgrade: websocket", 501, Defect::Upgrade),
    ];
    for &(fields, status, defect) in cases {
        check_refused(&format!("POST / HTTP/1.1\r\nHost: a\r\n{fields}\r\n\r\n"), status, defect);
    }
}

#[test]
fn heads_beyond_a_bound_are_refused() {
    let mut many = String::from("GET / HTTP/1.1\r\nHost: a\r\n");
    for index in 0..limits::HTTP_FIELDS_MAX {
        many.push_str(&format!("x-{index}: 1\r\n"));
    }
    many.push_str("\r\n");
    assert_eq!(parse_request(many.as_bytes()).err(), Some(Defect::TooManyFields));

    let start = "GET / HTTP/1.1\r\nHost: a\r\nX: ";
    let fill = limits::HTTP_HEAD_BYTES_MAX - start.len() - "\r\n\r\n".len();
    let largest = format!("{start}{}\r\n\r\n", "x".repeat(fill));
    assert!(parse_request(largest.as_bytes()).is_ok());
    let larger = format!("{start}{}\r\n\r\n", "x".repeat(fill + 1));
    assert_eq!(parse_request(larger.as_bytes()).err(), Some(Defect::HeadTooLarge));
    let endless = vec![b'A'; limits::HTTP_HEAD_BYTES_MAX + 1];
    assert_eq!(parse_request(&endless).err(), Some(Defect::HeadTooLarge));
}

#[test]
fn good_requests_are_read_as_they_were_meant() {
    check_request(
        "GET /reviews/1?a=b HTTP/1.1\r\nHost: reviews.books:9080\r\nX-Y:  z \r\n\r\n",
        "GET /reviews/1 ?a=b host reviews.books:9080 None persistent idempotent",
    );
    check_request(
        "\r\nPOST / HTTP/1.1\r\nhost: a\r\nTRANSFER-ENCODING: Chunked\r\n\
         Expect: 100-Continue\r\n\r\n",
        "POST / host a Chunked persistent expects-continue",
    );
    check_request(
        "PUT /a HTTP/1.1\r\nHost: [::1]:80\r\nContent-Length: 007\r\n\
         Connection: keep-alive, Close\r\n\r\n",
        "PUT /a host [::1]:80 Length(7) idempotent",
    );
    check_request("GET / HTTP/1.0\r\n\r\n", "GET / None idempotent");
    check_request(
        "POST / HTTP/1.0\r\nConnection: keep-alive\r\nExpect: 100-continue\r\n\
         Content-Length: 1\r\n\r\n",
        "POST / Length(1)",
    );
    check_request(
        "GET HTTP://A?x HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET / ?x host a None persistent idempotent",
    );
    check_request(
        "OPTIONS http://a HTTP/1.1\r\nHost: a\r\n\r\n",
        "OPTIONS * host a None persistent idempotent",
    );
    check_request(
        "OPTIONS * HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n",
        "OPTIONS * host a None persistent idempotent",
    );
}

#[test]
fn fields_named_in_connection_disappear() {
    let request = parse_request(
        b"GET / HTTP/1.1\r\nHost: a\r\nX-Hop: 1\r\nX-End: 2\r\nConnection: x-hop, ,close\r\n\r\n",
    )
    .expect("a valid head");
    let fields: Vec<_> = request.fields().end_to_end().collect();
    assert_eq!(fields, [("Host", &b"a"[..]), ("X-End", b"2")]);
}

#[test]
fn the_trace_context_is_read_if_there_is_one() {
    let once = parse_request(b"GET / HTTP/1.1\r\nHost: a\r\nTraceParent: 00-ab-cd-01\r\n\r\n");
    assert_eq!(once.expect("a valid head").trace_parent(), Some("00-ab-cd-01"));
    let twice =
        parse_request(b"GET / HTTP/1.1\r\nHost: a\r\ntraceparent: 1\r\ntraceparent: 2\r\n\r\n");
    assert_eq!(twice.expect("a valid head").trace_parent(), None);
}

#[test]
fn ambiguous_answers_of_origins_are_refused() {
    let cases: &[(&str, Defect)] = &[
        ("HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", Defect::TransferEncodingInHttp10),
        ("HTTP/1.1 200 OK\nX: a\n\n", Defect::BareLineFeed),
        (
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n",
            Defect::UnaskedSwitch,
        ),
        ("HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\n", Defect::ContentNotAllowed),
        (
            "HTTP/1.1 204 No Content\r\nTransfer-Encoding: chunked\r\n\r\n",
            Defect::ContentNotAllowed,
        ),
        ("HTTP/1.1 100 Continue\r\nContent-Length: 5\r\n\r\n", Defect::ContentNotAllowed),
        ("HTTP/1.1 99 Low\r\n\r\n", Defect::StatusLine),
        ("HTTP/1.1 600 High\r\n\r\n", Defect::StatusLine),
        ("HTTP/1.1 20 OK\r\n\r\n", Defect::StatusLine),
        ("HTTP/2 200\r\n\r\n", Defect::StatusLine),
        ("\r\nHTTP/1.1 200 OK\r\n\r\n", Defect::EmptyStartLine),
        ("ICY 200 OK\r\n\r\n", Defect::StatusLine),
    ];
    for &(bytes, defect) in cases {
        assert_eq!(parse_response(bytes.as_bytes()).err(), Some(defect), "{bytes:?}");
    }
}

#[test]
fn ambiguous_fields_of_answers_are_refused() {
    let cases: &[(&str, Defect)] = &[
        ("Content-Length: 5\r\nContent-Length: 6", Defect::ContentLengthRepeated),
        ("Content-Length: 5, 5", Defect::ContentLength),
        ("Content-Length: 5\r\nTransfer-Encoding: chunked", Defect::LengthWithChunked),
        ("Transfer-Encoding: gzip, chunked", Defect::TransferEncoding),
        ("X: a\r\n b", Defect::FoldedField),
        ("X : a", Defect::SpaceBeforeColon),
        ("Connection: transfer-encoding", Defect::Connection),
    ];
    for &(fields, defect) in cases {
        let bytes = format!("HTTP/1.1 200 OK\r\n{fields}\r\n\r\n");
        assert_eq!(parse_response(bytes.as_bytes()).err(), Some(defect), "{bytes:?}");
    }
}

#[test]
fn the_framing_of_answers_follows_status_and_method() {
    let cases: &[(&str, bool, Framing)] = &[
        ("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", false, Framing::Length(5)),
        ("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", true, Framing::None),
        ("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", false, Framing::None),
        ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", false, Framing::Chunked),
        ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", true, Framing::None),
        ("HTTP/1.1 200\r\n\r\n", false, Framing::UntilClose),
        ("HTTP/1.0 200 \u{e9}\r\n\r\n", false, Framing::UntilClose),
        ("HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n", false, Framing::None),
        ("HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n", false, Framing::None),
        ("HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n", false, Framing::None),
    ];
    for &(bytes, answers_head_request, framing) in cases {
        let response = parse_response(bytes.as_bytes()).expect(bytes);
        assert_eq!(response.framing(answers_head_request), framing, "{bytes:?}");
    }
}

#[test]
fn only_http11_answers_without_close_keep_their_connection() {
    let keeps = |bytes: &str| parse_response(bytes.as_bytes()).expect(bytes).keeps_connection();
    assert!(keeps("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"));
    assert!(keeps("HTTP/1.1 200 OK\r\nUpgrade: h2\r\nConnection: Upgrade\r\n\r\n"));
    assert!(!keeps("HTTP/1.1 200 OK\r\nConnection: Close\r\n\r\n"));
    assert!(!keeps("HTTP/1.1 200 OK\r\nConnection: x, close\r\n\r\n"));
    assert!(!keeps("HTTP/1.0 200 OK\r\nConnection: keep-alive\r\n\r\n"));
}

proptest! {
    #[test]
    fn random_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..512)) {
        let _ = parse_request(&bytes);
        let _ = parse_response(&bytes);
    }

    #[test]
    fn damaged_heads_never_panic(
        position in 0..GOOD_REQUEST.len(),
        byte in any::<u8>(),
    ) {
        let mut bytes = GOOD_REQUEST.as_bytes().to_vec();
        bytes[position] = byte;
        let _ = parse_request(&bytes);
    }

    #[test]
    fn heads_made_of_hostile_parts_parse_alike_however_they_are_cut(
        parts in proptest::collection::vec(proptest::sample::select(HOSTILE_PARTS), 0..12),
        cut in 0usize..200,
    ) {
        let bytes = parts.concat().into_bytes();
        let whole = parse_request(&bytes).map(|request| describe(&request));
        let split = parse_split(&bytes, cut.min(bytes.len())).map(|request| describe(&request));
        prop_assert_eq!(whole, split);
    }
}

#[test]
fn every_cut_gives_the_same_head() {
    let whole = describe(&parse_request(GOOD_REQUEST.as_bytes()).expect("a valid head"));
    for cut in 0..=GOOD_REQUEST.len() {
        let split = parse_split(GOOD_REQUEST.as_bytes(), cut).expect("a valid head");
        assert_eq!(describe(&split), whole, "cut at {cut}");
    }
}

#[test]
fn a_head_leaves_what_follows_in_its_chunk() {
    let mut collector = Collector::for_request();
    let mut chunk = Bytes::from_static(b"GET / HTTP/1.1\r\nHost: a\r\n\r\nGET /next");
    let head = collector.push(&mut chunk).expect("a valid head").expect("a whole head");
    assert_eq!(&head[..], b"GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_eq!(&chunk[..], b"GET /next");
}

const GOOD_REQUEST: &str = "\r\nPOST /a/b?c=d HTTP/1.1\r\nHost: reviews.books:9080\r\n\
    Content-Length: 12\r\nConnection: x-a\r\nX-A: 1\r\nTraceparent: 00-1-2-01\r\n\r\n";

const HOSTILE_PARTS: &[&str] = &[
    "GET / HTTP/1.1\r\n",
    "POST /a HTTP/1.0\r\n",
    "Host: a\r\n",
    "Content-Length: 5\r\n",
    "Transfer-Encoding: chunked\r\n",
    "Connection: close\r\n",
    "X: y\r\n",
    "X : y\r\n",
    " folded\r\n",
    "\r\n",
    "\n",
    "\r",
    "\0",
    "x",
];

fn check_refused(bytes: &str, status: u16, defect: Defect) {
    let found = parse_request(bytes.as_bytes()).expect_err(bytes);
    assert_eq!((found.status(), found), (status, defect), "{bytes:?}");
}

fn parse_request(bytes: &[u8]) -> Result<RequestHead, Defect> {
    parse_split(bytes, bytes.len())
}

/// An end of the bytes inside a head counts as truncation.
fn parse_split(bytes: &[u8], cut: usize) -> Result<RequestHead, Defect> {
    let mut collector = Collector::for_request();
    for part in [&bytes[..cut], &bytes[cut..]] {
        let mut chunk = Bytes::copy_from_slice(part);
        if let Some(head) = collector.push(&mut chunk)? {
            return RequestHead::parse(head);
        }
    }
    Err(Defect::Truncated)
}

fn parse_response(bytes: &[u8]) -> Result<ResponseHead, Defect> {
    let mut chunk = Bytes::copy_from_slice(bytes);
    let head = Collector::for_response().push(&mut chunk)?.ok_or(Defect::Truncated)?;
    ResponseHead::parse(head)
}

fn check_request(bytes: &str, expect: &str) {
    assert_eq!(describe(&parse_request(bytes.as_bytes()).expect(bytes)), expect, "{bytes:?}");
}

fn describe(request: &RequestHead) -> String {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let mut words = vec![request.method().to_owned(), request.path().to_owned()];
    words.extend(request.query().map(|query| format!("?{query}")));
    words.extend(request.host().map(|host| format!("host {}", text(host))));
    words.push(format!("{:?}", request.framing()));
    words.extend(request.is_persistent().then(|| "persistent".into()));
    words.extend(request.is_idempotent().then(|| "idempotent".into()));
    words.extend(request.expects_continue().then(|| "expects-continue".into()));
    words.join(" ")
}
