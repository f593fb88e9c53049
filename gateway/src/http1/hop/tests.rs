use bytes::Bytes;

use super::*;
use crate::http1::collect::Collector;

#[test]
fn requests_lose_what_ends_at_this_connection_and_nothing_else() {
    check_request(
        "GET http://A.b:80/x?y HTTP/1.1\r\nHost: a.b:80\r\nConnection: keep-alive, X-Hop\r\n\
         Keep-Alive: timeout=5\r\nX-Hop: 1\r\nTE: trailers\r\nTrailer: X\r\n\
         Proxy-Connection: keep-alive\r\nPROXY-AUTHORIZATION: x\r\nVia: 1.1 ingress\r\n\
         X-Forwarded-For: 1.2.3.4\r\ntraceparent: 00-1-2-01\r\nAccept:\t*/*  \r\n\r\n",
        "GET /x?y HTTP/1.1\r\nHost: a.b:80\r\nVia: 1.1 ingress\r\n\
         X-Forwarded-For: 1.2.3.4\r\ntraceparent: 00-1-2-01\r\nAccept: */*\r\n\r\n",
    );
}

#[test]
fn framing_and_expectation_of_requests_are_kept() {
    check_request(
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n",
    );
    check_request(
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n",
    );
    check_request(
        "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\nExpect: 100-continue\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n",
    );
}

#[test]
fn requests_of_http10_become_http11_with_a_host() {
    check_request(
        "GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
        "GET / HTTP/1.1\r\nhost: reviews.books\r\n\r\n",
    );
}

#[test]
fn what_was_written_is_read_again_as_the_same_request() {
    let first = request("PUT /a?b HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nX: y\r\n\r\n");
    let mut once = BytesMut::new();
    write_request(&first, b"unused", &mut once);
    let second = request(std::str::from_utf8(&once).expect("ASCII"));
    let mut twice = BytesMut::new();
    write_request(&second, b"unused", &mut twice);
    assert_eq!(once, twice);
}

#[test]
fn responses_say_what_their_connection_does() {
    let origin = "HTTP/1.0 200 Fine\r\nConnection: close, X-Hop\r\nX-Hop: 1\r\nUpgrade: h2\r\n\
                  Proxy-Authenticate: x\r\nContent-Length: 5\r\nSet-Cookie: a=b\r\n\r\n";
    check_response(
        origin,
        Framing::Length(5),
        ClientConnection::Stays,
        "HTTP/1.1 200 Fine\r\nContent-Length: 5\r\nSet-Cookie: a=b\r\n\r\n",
    );
    check_response(
        origin,
        Framing::Length(5),
        ClientConnection::Closes,
        "HTTP/1.1 200 Fine\r\nconnection: close\r\nContent-Length: 5\r\nSet-Cookie: a=b\r\n\r\n",
    );
}

#[test]
fn interim_and_empty_responses_state_no_length() {
    check_response(
        "HTTP/1.1 204\r\nContent-Length: 0\r\n\r\n",
        Framing::None,
        ClientConnection::Stays,
        "HTTP/1.1 204 \r\n\r\n",
    );
    check_response(
        "HTTP/1.1 100 Continue\r\n\r\n",
        Framing::None,
        ClientConnection::Closes,
        "HTTP/1.1 100 Continue\r\n\r\n",
    );
    check_response(
        "HTTP/1.1 304 Not Modified\r\nContent-Length: 7\r\n\r\n",
        Framing::None,
        ClientConnection::Stays,
        "HTTP/1.1 304 Not Modified\r\nContent-Length: 7\r\n\r\n",
    );
}

#[test]
fn chunked_responses_for_http10_lose_their_coding() {
    check_response(
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nX: y\r\n\r\n",
        Framing::UntilClose,
        ClientConnection::Closes,
        "HTTP/1.1 200 OK\r\nconnection: close\r\nX: y\r\n\r\n",
    );
}

fn check_request(input: &str, expect: &str) {
    let mut out = BytesMut::new();
    write_request(&request(input), b"reviews.books", &mut out);
    assert_eq!(String::from_utf8_lossy(&out), expect);
}

fn check_response(input: &str, framing: Framing, connection: ClientConnection, expect: &str) {
    let mut chunk = Bytes::copy_from_slice(input.as_bytes());
    let head = Collector::for_response().push(&mut chunk).expect(input).expect("a whole head");
    let response = ResponseHead::parse(head).expect(input);
    let mut out = BytesMut::new();
    write_response(&response, framing, connection, &mut out);
    assert_eq!(String::from_utf8_lossy(&out), expect);
}

fn request(input: &str) -> RequestHead {
    let mut chunk = Bytes::copy_from_slice(input.as_bytes());
    let head = Collector::for_request().push(&mut chunk).expect(input).expect("a whole head");
    RequestHead::parse(head).expect(input)
}
