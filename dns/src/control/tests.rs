use std::time::Duration;

use tokio::net::UdpSocket;

use super::*;
use crate::packet;
use crate::testing::query;

/// Without agent and bridge: names of ours fail, others are forwarded, and the end is good.
#[tokio::test(flavor = "multi_thread")]
async fn others_names_do_not_wait_for_an_identity() {
    let folder = tempfile::tempdir().expect("a folder");
    let upstream = UdpSocket::bind("127.0.0.1:0").await.expect("a socket");
    let listeners = bind(&[SocketAddr::from(([127, 0, 0, 1], 0))]).await.expect("a listener");
    let listen = listeners[0].address;
    let config = Config {
        id: Some("one".parse().expect("an id")),
        data_folder: folder.path().to_owned(),
        agent_socket: Some(folder.path().join("agent.sock")),
        agent: None,
        listen: vec![listen],
        upstreams: Some(vec![upstream.local_addr().expect("an address")]),
        clients: vec!["127.0.0.0/8".parse().expect("a range")],
        admin: SocketAddr::from(([127, 0, 0, 1], 0)),
    };
    let stop = CancellationToken::new();
    let running = tokio::spawn(serve(config, listeners, stop.clone()));
    let answering = tokio::spawn(async move {
        let mut buffer = [0; 512];
        while let Ok((length, client)) = upstream.recv_from(&mut buffer).await {
            let mut answer = buffer[..length].to_vec();
            answer[2..4].copy_from_slice(&[0x81, 0x83]);
            let _ = upstream.send_to(&answer, client).await;
        }
    });
    assert_eq!(ask(listen, "details.books.svc.clusterset.local").await, 2, "SERVFAIL");
    assert_eq!(ask(listen, "example.com").await, 3, "the upstream's NXDOMAIN");
    stop.cancel();
    running.await.expect("no panic").expect("a good end");
    answering.abort();
}

/// The code of the answer. What is asked before the proxy reads waits at its socket.
async fn ask(server: SocketAddr, name: &str) -> u8 {
    let socket = UdpSocket::bind("127.0.0.1:0").await.expect("a socket");
    socket.connect(server).await.expect("connected");
    socket.send(&query(name, 1)).await.expect("sent");
    let mut buffer = [0; 512];
    let answered = tokio::time::timeout(Duration::from_secs(30), socket.recv(&mut buffer)).await;
    let length = answered.expect("an answer").expect("received");
    packet::header(&buffer[..length]).expect("a header").code
}
