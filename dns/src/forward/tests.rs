use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UdpSocket;

use super::*;
use crate::convert;
use crate::listen::Listener;
use crate::testing::{packet as packet_of, query, record};

const CLIENT: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);

fn forwarder(upstreams: &[SocketAddr]) -> Forwarder {
    Forwarder::new(upstreams, &[], Arc::default())
}

fn asked(name: &str) -> Query {
    convert::read(&query(name, 1)).expect("a good query")
}

/// The answer to a packet: the same id and question, one address.
fn answer_to(bytes: &[u8], flags: u16) -> Vec<u8> {
    let question = packet::question(bytes).expect("a question");
    let record = record(&[0xc0, 12], 1, 60, &[192, 0, 2, 1]);
    let mut answer = packet_of(flags, [1, 1, 0, 0], &[&bytes[12..question.end], &record]);
    answer[..2].copy_from_slice(&bytes[..2]);
    answer
}

/// An upstream that answers by `react`: what to send for each packet.
async fn upstream(
    react: impl FnMut(&[u8]) -> Vec<Vec<u8>> + Send + 'static,
) -> (SocketAddr, tokio::task::JoinHandle<()>) {
    let socket = UdpSocket::bind("127.0.0.1:0").await.expect("a socket");
    let address = socket.local_addr().expect("an address");
    (address, tokio::spawn(answer_all(socket, react)))
}

async fn answer_all(socket: UdpSocket, mut react: impl FnMut(&[u8]) -> Vec<Vec<u8>>) {
    let mut buffer = [0; 2_048];
    while let Ok((length, client)) = socket.recv_from(&mut buffer).await {
        for answer in react(&buffer[..length]) {
            let _ = socket.send_to(&answer, client).await;
        }
    }
}

/// An address where nothing listens: no other test uses its host.
async fn nobody() -> SocketAddr {
    let socket = UdpSocket::bind("127.0.0.53:0").await.expect("a socket");
    socket.local_addr().expect("an address")
}

#[tokio::test]
async fn an_answer_comes_back_and_is_kept() {
    let (address, task) = upstream(|bytes| vec![answer_to(bytes, 0x8180)]).await;
    let forwarder = forwarder(&[address]);
    let query = asked("example.com");
    assert_eq!(forwarder.cached(&query), None);
    let answer = forwarder.resolve(&query, CLIENT).await.expect("an answer");
    assert_eq!(packet::header(&answer).expect("a header").counts[1], 1);
    task.abort();
    assert!(forwarder.cached(&asked("EXAMPLE.com")).is_some());
    assert_eq!(forwarder.cached(&asked("example.org")), None);
}

#[tokio::test]
async fn forgeries_are_not_taken() {
    type Forge = fn(&[u8]) -> Vec<u8>;
    let forgeries: [(&str, Forge); 6] = [
        ("another id", |bytes| {
            let mut answer = answer_to(bytes, 0x8180);
            answer[0] ^= 1;
            answer
        }),
        ("another question", |bytes| {
            let mut answer = answer_to(bytes, 0x8180);
            answer[13] ^= 1;
            answer
        }),
        ("another type", |bytes| {
            let mut answer = answer_to(bytes, 0x8180);
            let end = packet::question(bytes).expect("a question").end;
            answer[end - 3] = 28;
            answer
        }),
        ("a query", |bytes| answer_to(bytes, 0x0100)),
        ("no question", |bytes| [&bytes[..2], &[0x81, 0x80], &[0; 8]].concat()),
        ("noise", |_| vec![0x55; 40]),
    ];
    for (what, forge) in forgeries {
        // Two of them, then the truth: it is heard.
        let (address, task) =
            upstream(move |bytes| vec![forge(bytes), forge(bytes), answer_to(bytes, 0x8180)]).await;
        let forwarder = forwarder(&[address]);
        let answer = forwarder.resolve(&asked("example.com"), CLIENT).await;
        let answer = answer.unwrap_or_else(|failure| panic!("{what}: {failure}"));
        assert_eq!(packet::header(&answer).expect("a header").counts[1], 1, "{what}");
        assert_eq!(forwarder.metrics.forgeries.get(), 2, "{what}");
        task.abort();

        // A flood: UDP is given up, and nothing of it is believed.
        let flood = move |bytes: &[u8]| vec![forge(bytes); limits::DNS_FORGERIES_MAX];
        let (address, task) = upstream(flood).await;
        let failed = self::forwarder(&[address]).resolve(&asked("example.com"), CLIENT).await;
        assert_eq!(failed, Err(Failure::Upstream), "{what}");
        task.abort();
    }
}

#[tokio::test]
async fn a_truncated_answer_is_asked_for_by_tcp() {
    let any = "127.0.0.1:0".parse().expect("an address");
    let Listener { address, udp, tcp } = Listener::bind(any).await.expect("both sockets");
    let task = tokio::spawn(answer_all(udp, |bytes| vec![answer_to(bytes, 0x8380)]));
    let tcp = tokio::spawn(async move {
        let (mut stream, _) = tcp.accept().await.expect("a connection");
        let length = stream.read_u16().await.expect("a length");
        let mut bytes = vec![0; length.into()];
        stream.read_exact(&mut bytes).await.expect("a query");
        let answer = answer_to(&bytes, 0x8180);
        let length = u16::try_from(answer.len()).expect("short");
        stream.write_all(&length.to_be_bytes()).await.expect("sent");
        stream.write_all(&answer).await.expect("sent");
    });
    let answer = forwarder(&[address]).resolve(&asked("example.com"), CLIENT).await;
    let answer = answer.expect("an answer");
    assert!(!packet::header(&answer).expect("a header").is_truncated);
    tcp.await.expect("asked by TCP");
    task.abort();
}

#[tokio::test]
async fn the_next_upstream_is_asked_and_remembered() {
    let (failing, one) = upstream(|bytes| {
        let mut answer = answer_to(bytes, 0x8182);
        answer.truncate(packet::question(bytes).expect("a question").end);
        answer[6..8].copy_from_slice(&[0, 0]);
        vec![answer]
    })
    .await;
    let (good, two) = upstream(|bytes| vec![answer_to(bytes, 0x8180)]).await;
    let forwarder = forwarder(&[nobody().await, failing, good]);
    assert!(forwarder.resolve(&asked("example.com"), CLIENT).await.is_ok());
    assert_eq!(forwarder.preferred.load(Ordering::Relaxed), 2);
    two.abort();
    // Only one that cannot answer is left: its word is passed on, and not kept.
    let answer = forwarder.resolve(&asked("example.org"), CLIENT).await.expect("its failure");
    assert_eq!(packet::header(&answer).expect("a header").code, code::SERVER_FAILURE);
    assert_eq!(forwarder.cached(&asked("example.org")), None);
    one.abort();
}

#[tokio::test(start_paused = true)]
async fn silence_ends_in_time() {
    let socket = UdpSocket::bind("127.0.0.1:0").await.expect("a socket");
    let silent = socket.local_addr().expect("an address");
    let forwarder = forwarder(&[silent, silent, silent, silent]);
    assert_eq!(forwarder.upstreams().len(), limits::DNS_UPSTREAMS_MAX);
    let start = tokio::time::Instant::now();
    let failed = forwarder.resolve(&asked("example.com"), CLIENT).await;
    assert_eq!(failed, Err(Failure::Upstream));
    assert!(start.elapsed() <= Duration::from_secs(5), "clients wait 5 s");
}

#[tokio::test]
async fn equal_queries_are_asked_once_and_loops_end() {
    // An upstream that asks us again, as a resolver does that forwards to us, and then answers.
    let count = Arc::new(AtomicUsize::new(0));
    let counting = count.clone();
    let (address, task) = upstream(move |bytes| {
        counting.fetch_add(1, Ordering::Relaxed);
        vec![answer_to(bytes, 0x8180)]
    })
    .await;
    let forwarder = Arc::new(forwarder(&[address]));
    let query = asked("example.com");
    let all = (0..50).map(|_| forwarder.resolve(&query, CLIENT));
    let answers = futures::future::join_all(all).await;
    assert!(answers.iter().all(Result::is_ok));
    task.abort();
    assert_eq!(count.load(Ordering::Relaxed), 1);
    assert!(lock(&forwarder.under_way).is_empty());
}

#[tokio::test]
async fn a_leader_that_leaves_has_an_heir() {
    let (address, task) = upstream(|_| Vec::new()).await;
    let forwarder = Arc::new(forwarder(&[address]));
    let query = asked("example.com");
    let mut leader = Box::pin(forwarder.resolve(&query, CLIENT));
    assert!(futures::poll!(&mut leader).is_pending());
    let mut follower = Box::pin(forwarder.resolve(&query, CLIENT));
    assert!(futures::poll!(&mut follower).is_pending());
    drop(leader);
    assert!(futures::poll!(&mut follower).is_pending());
    assert_eq!(lock(&forwarder.under_way).len(), 1, "the follower leads");
    drop(follower);
    assert!(lock(&forwarder.under_way).is_empty());
    task.abort();
}

#[tokio::test]
async fn one_client_cannot_take_all_places() {
    let (address, task) = upstream(|_| Vec::new()).await;
    let forwarder = forwarder(&[address]);
    let query = asked("example.com");
    let mut waiting: Vec<_> = (0..limits::DNS_FORWARDS_PER_SOURCE_MAX)
        .map(|_| Box::pin(forwarder.resolve(&query, CLIENT)))
        .collect();
    for one in &mut waiting {
        assert!(futures::poll!(one).is_pending());
    }
    assert_eq!(forwarder.resolve(&query, CLIENT).await, Err(Failure::CrowdedSource));
    let other = [10, 0, 0, 1].into();
    assert!(futures::poll!(Box::pin(forwarder.resolve(&query, other))).is_pending());
    task.abort();
}

#[tokio::test]
async fn our_own_addresses_are_no_upstreams() {
    let address = |text: &str| text.parse::<SocketAddr>().expect("an address");
    let upstreams = ["127.0.0.1:53", "127.0.0.2:53", "127.0.0.1:5353", "192.0.2.1:53"].map(address);
    let listens = |own: &str| {
        Forwarder::new(&upstreams, &[address(own)], Arc::default()).upstreams().to_vec()
    };
    assert_eq!(listens("127.0.0.1:53"), upstreams[1..]);
    assert_eq!(listens("[::ffff:127.0.0.1]:53"), upstreams[1..]);
    assert_eq!(listens("0.0.0.0:53"), upstreams[2..], "every local address is ours");
    assert_eq!(forwarder(&[]).resolve(&asked("a.b"), CLIENT).await, Err(Failure::NoUpstream));
}
