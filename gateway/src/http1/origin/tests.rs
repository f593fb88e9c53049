use bytes::Bytes;
use rialto_types::limits;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::sync::Notify;

use super::*;
use crate::http1::chunks::Chunks;
use crate::http1::exchange::Timeouts;
use crate::http1::head::RequestHead;

const GET: &str = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
const POST: &str = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n";
const OK: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi";

#[tokio::test]
async fn a_connection_is_used_again() {
    let (origins, listener) = start().await;
    let server = async {
        let (mut stream, _) = listener.accept().await.expect("a connection");
        for _ in 0..3 {
            read_head(&mut stream).await;
            stream.write_all(OK).await.expect("written");
        }
    };
    let client = async {
        for _ in 0..3 {
            let response = ask(&origins, address(&listener), GET).await.expect("a response");
            assert!(response.upstream_is_clean);
            assert_eq!(origins.idle_count(), 1);
        }
    };
    tokio::join!(server, client);
}

#[tokio::test]
async fn a_connection_on_which_something_arrived_is_not_used_again() {
    let (origins, listener) = start().await;
    let answered = Notify::new();
    let server = async {
        let (mut first, _) = listener.accept().await.expect("a connection");
        read_head(&mut first).await;
        first.write_all(OK).await.expect("written");
        answered.notified().await;
        first
            .write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil")
            .await
            .expect("written");
        let (mut second, _) = listener.accept().await.expect("a new connection");
        read_head(&mut second).await;
        second.write_all(OK).await.expect("written");
        first
    };
    let client = async {
        ask(&origins, address(&listener), GET).await.expect("a response");
        let idle = origins.take(address(&listener)).expect("kept");
        answered.notify_one();
        idle.readable().await.expect("the bytes arrive");
        origins.put(Connection { stream: idle, endpoint: address(&listener), is_reused: true });
        let response = ask(&origins, address(&listener), GET).await.expect("a response");
        assert_eq!(response.content_bytes, 2);
    };
    tokio::join!(server, client);
}

#[tokio::test]
async fn a_request_that_met_a_closing_connection_is_repeated_if_that_is_safe() {
    for (request, is_repeated) in [(GET, true), (POST, false)] {
        let (origins, listener) = start().await;
        let server = async {
            let (mut first, _) = listener.accept().await.expect("a connection");
            read_head(&mut first).await;
            first.write_all(OK).await.expect("written");
            // The server takes the next request and closes without an answer.
            read_head(&mut first).await;
            drop(first);
            if is_repeated {
                let (mut second, _) = listener.accept().await.expect("a new connection");
                read_head(&mut second).await;
                second.write_all(OK).await.expect("written");
            }
        };
        let client = async {
            ask(&origins, address(&listener), GET).await.expect("a response");
            let result = ask(&origins, address(&listener), request).await;
            if is_repeated {
                assert_eq!(result.expect("a response").status, 200);
            } else {
                assert_eq!(result, Err(Failure::Unanswered));
            }
        };
        tokio::join!(server, client);
    }
}

#[tokio::test]
async fn a_connection_that_closes_or_breaks_the_rules_is_not_kept() {
    for response in [
        &b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nhi"[..],
        b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nhi",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi behind",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\nhi",
    ] {
        let (origins, listener) = start().await;
        let server = async {
            let (mut stream, _) = listener.accept().await.expect("a connection");
            read_head(&mut stream).await;
            stream.write_all(response).await.expect("written");
        };
        let (_, _) = tokio::join!(server, ask(&origins, address(&listener), GET));
        assert_eq!(origins.idle_count(), 0, "{}", String::from_utf8_lossy(response));
    }
}

#[tokio::test]
async fn idle_connections_are_bounded_per_endpoint() {
    let (origins, listener) = start().await;
    let endpoint = address(&listener);
    for _ in 0..limits::HTTP_ORIGIN_IDLE_PER_ENDPOINT_MAX + 1 {
        let connection = origins.connect_anew(endpoint, Timeouts::default().connect).await;
        let (accepted, _) = listener.accept().await.expect("a connection");
        origins.put(connection.expect("connected"));
        drop(accepted);
    }
    assert_eq!(origins.idle_count(), limits::HTTP_ORIGIN_IDLE_PER_ENDPOINT_MAX);
}

async fn start() -> (Origins, TcpListener) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    (Origins::default(), listener)
}

fn address(listener: &TcpListener) -> SocketAddr {
    listener.local_addr().expect("bound")
}

async fn read_head(stream: &mut TcpStream) {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.expect("a request"));
    }
}

async fn ask(origins: &Origins, endpoint: SocketAddr, request: &str) -> Result<Response, Failure> {
    let head = RequestHead::parse(Bytes::copy_from_slice(request.as_bytes())).expect("valid");
    let terms = Terms::of(&head, Timeouts::default());
    let mut nothing = Nothing;
    let bytes = Bytes::copy_from_slice(request.as_bytes());
    let mut request = Request::new(&mut nothing, bytes, head.framing());
    let connection =
        origins.connect(endpoint, terms.timeouts.connect).await.expect("somebody listens");
    let (client, scratch) = (&mut Nowhere, &Scratch::default());
    serve(origins, connection, &mut request, head.is_idempotent(), client, &terms, scratch).await
}

/// A client that has sent its head and sends no more.
struct Nothing;

impl Source for Nothing {
    async fn read(&mut self, _chunks: &mut Chunks) -> io::Result<bool> {
        std::future::pending().await
    }

    fn unread(&mut self, _chunk: Bytes) {}

    fn has_unread(&self) -> bool {
        false
    }
}

struct Nowhere;

impl Sink for Nowhere {
    async fn write(&mut self, chunks: &mut Chunks) -> io::Result<()> {
        *chunks = Chunks::default();
        Ok(())
    }

    fn finish(&mut self) {}
}
