use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::*;

fn target(address: SocketAddr) -> Target {
    Target { service: "books/details".parse().expect("a service name"), address }
}

fn spec(probe: Probe, interval: Duration) -> CheckSpec {
    CheckSpec {
        probe,
        interval,
        timeout: interval,
        unhealthy_after: 2,
        healthy_after: 1,
        ..CheckSpec::tcp(80)
    }
}

/// A server that answers each connection with `answer` after it read something.
async fn server(answer: &'static str) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a listener");
    let address = listener.local_addr().expect("an address");
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut request = [0; 1024];
            if stream.read(&mut request).await.is_ok() {
                let _ = stream.write_all(answer.as_bytes()).await;
            }
        }
    });
    address
}

#[tokio::test]
async fn status_decides() {
    for (answer, passed) in [
        ("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n", true),
        ("HTTP/1.1 204 No Content\r\n\r\n", true),
        ("HTTP/1.1 302 Found\r\nlocation: /\r\n\r\n", true),
        ("HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n", false),
        ("HTTP/1.1 503 Busy\r\ncontent-length: 0\r\n\r\n", false),
        ("SSH-2.0-OpenSSH\r\n", false),
        ("", false),
    ] {
        let address = server(answer).await;
        let probe = Probe::Http { path: "/healthz".into() };
        assert_eq!(passes(&probe, address).await, passed, "{answer:?}");
    }
}

#[tokio::test]
async fn an_endless_head_fails() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a listener");
    let address = listener.local_addr().expect("an address");
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.expect("a connection");
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\n").await;
        while stream.write_all(b"x: yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy\r\n").await.is_ok() {}
    });
    assert!(!passes(&Probe::Http { path: "/".into() }, address).await);
}

#[tokio::test]
async fn an_endpoint_comes_and_goes() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a listener");
    let address = listener.local_addr().expect("an address");
    let wanted =
        Arc::new(BTreeMap::from([(target(address), spec(Probe::Tcp, Duration::from_secs(1)))]));
    let (want, wanted) = watch::channel(wanted);
    let (send, mut results) = mpsc::channel(8);
    let checks = tokio::spawn(run(wanted, send));

    assert_eq!(results.recv().await, Some((target(address), EndpointHealth::Healthy)));
    drop(listener);
    assert_eq!(results.recv().await, Some((target(address), EndpointHealth::Unhealthy)));

    want.send_replace(Arc::default());
    drop(want);
    checks.await.expect("the checks end with their owner");
}

#[tokio::test]
async fn one_that_never_answers_fails_in_time() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a listener");
    let address = listener.local_addr().expect("an address");
    let (probe, short) = (Probe::Http { path: "/".into() }, Duration::from_millis(20));
    let (_want, wanted) =
        watch::channel(Arc::new(BTreeMap::from([(target(address), spec(probe, short))])));
    let (send, mut results) = mpsc::channel(8);
    let checks = tokio::spawn(run(wanted, send));
    assert_eq!(results.recv().await, Some((target(address), EndpointHealth::Unhealthy)));
    checks.abort();
}

#[tokio::test]
async fn more_targets_than_places_are_all_checked() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a listener");
    let port = listener.local_addr().expect("an address").port();
    let count = limits::CHECKS_CONCURRENT_MAX * 2;
    // Each service checks the same listener; whole loopback addresses would need more of them.
    let targets: BTreeMap<Target, CheckSpec> = (0..count)
        .map(|number| {
            let service = format!("books/s{number}").parse().expect("a service name");
            let address = SocketAddr::from(([127, 0, 0, 1], port));
            (Target { service, address }, spec(Probe::Tcp, Duration::from_secs(5)))
        })
        .collect();
    let (_want, wanted) = watch::channel(Arc::new(targets));
    let (send, mut results) = mpsc::channel(8);
    let checks = tokio::spawn(run(wanted, send));
    let accepted = tokio::spawn(async move {
        let mut streams = Vec::new();
        while let Ok((stream, _)) = listener.accept().await {
            streams.push(stream);
        }
    });
    let mut healthy = BTreeSet::new();
    while healthy.len() < count {
        let (target, health) = results.recv().await.expect("the checks run");
        assert_eq!(health, EndpointHealth::Healthy);
        healthy.insert(target);
    }
    checks.abort();
    accepted.abort();
}
