use super::*;

#[test]
fn an_answer_is_an_address_or_nothing() {
    let ok = |body: &str| format!("HTTP/1.0 200 OK\r\ncontent-length: 9\r\n\r\n{body}");
    let cases = [
        (ok("10.0.0.7\n"), "10.0.0.7".parse().ok()),
        (ok("::ffff:10.0.0.7\n"), "10.0.0.7".parse().ok()),
        (ok("ok\n"), None),
        ("HTTP/1.0 404 Not Found\r\n\r\n10.0.0.7\n".into(), None),
        ("10.0.0.7".into(), None),
    ];
    for (answer, expected) in cases {
        assert_eq!(read(answer.as_bytes()), expected, "{answer}");
    }
}
