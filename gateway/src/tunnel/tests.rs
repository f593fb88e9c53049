use std::hash::{DefaultHasher, Hasher};
use std::net::{Ipv4Addr, UdpSocket};

use bytes::Bytes;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::RootCertStore;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::server::WebPkiClientVerifier;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::header::{Answer, Mode, Open, Refusal, RefusalCode};
use super::quic::{DialError, Endpoint, Settings, Tls};
use super::*;

#[tokio::test]
async fn an_end_in_one_direction_leaves_the_other_open() {
    let (near, far) = connected().await;
    let (mut send, mut recv) = near.open().await.expect("opens");
    send.write_chunk("question".into()).await.expect("writes");
    send.finish().expect("finishes");
    let (mut far_send, mut far_recv) = far.accept().await.expect("accepts");
    assert_eq!(read_all(&mut far_recv).await.expect("an end"), b"question");
    far_send.write_chunk("answer".into()).await.expect("writes after the end of the other half");
    far_send.finish().expect("finishes");
    assert_eq!(read_all(&mut recv).await.expect("an end"), b"answer");

    let (mut send, mut recv) = near.open().await.expect("opens");
    send.write_chunk("early".into()).await.expect("writes");
    let (mut far_send, mut far_recv) = far.accept().await.expect("accepts");
    far_send.finish().expect("the far side may end first");
    assert_eq!(read_all(&mut recv).await.expect("an end"), b"");
    send.write_chunk(" and late".into()).await.expect("writes");
    send.finish().expect("finishes");
    assert_eq!(read_all(&mut far_recv).await.expect("an end"), b"early and late");
}

#[tokio::test]
async fn a_reset_arrives_as_a_reset_with_its_code() {
    let (near, far) = connected().await;
    let (mut send, mut recv) = near.open().await.expect("opens");
    send.write_chunk("x".into()).await.expect("writes");
    let (mut far_send, mut far_recv) = far.accept().await.expect("accepts");
    send.reset(ResetCode::Reset);
    assert!(is_reset(read_all(&mut far_recv).await, ResetCode::Reset));
    // The other direction is untouched.
    far_send.write_chunk("still here".into()).await.expect("writes");
    far_send.finish().expect("finishes");
    assert_eq!(read_all(&mut recv).await.expect("an end"), b"still here");
}

#[tokio::test]
async fn a_stream_dropped_unfinished_is_a_reset_and_never_an_end() {
    let (near, far) = connected().await;
    let (mut send, recv) = near.open().await.expect("opens");
    send.write_chunk("half of it".into()).await.expect("writes");
    let (mut far_send, mut far_recv) = far.accept().await.expect("accepts");
    drop((send, recv));
    assert!(is_reset(read_all(&mut far_recv).await, ResetCode::Cancelled));
    let stopped = loop {
        if let Err(error) = far_send.write_chunk("more".into()).await {
            break error;
        }
        tokio::task::yield_now().await;
    };
    assert!(matches!(stopped, StreamError::Stopped(ResetCode::Cancelled)), "{stopped:?}");
}

#[tokio::test]
async fn a_thousand_streams_side_by_side() {
    let (near, far) = connected().await;
    let echo = tokio::spawn(async move {
        while let Ok((mut send, mut recv)) = far.accept().await {
            tokio::spawn(async move {
                let mut chunks = vec![Bytes::new(); CHUNKS_PER_READ];
                while let Some(count) = recv.read_chunks(&mut chunks).await.expect("reads") {
                    send.write_all_chunks(&mut chunks[..count]).await.expect("writes");
                }
                send.finish().expect("finishes");
            });
        }
    });
    let clients = (0..1_000u32).map(|number| {
        let near = near.clone();
        async move {
            let (mut send, mut recv) = near.open().await.expect("opens");
            let sent = number.to_be_bytes().repeat(500);
            send.write_all(&sent).await.expect("writes");
            send.shutdown().await.expect("finishes");
            let mut received = Vec::new();
            recv.read_to_end(&mut received).await.expect("reads");
            assert_eq!(received, sent);
        }
    });
    futures::future::join_all(clients).await;
    assert_eq!(near.load().halves(), 0);
    assert_eq!(near.load().blocked(), 0);
    echo.abort();
}

#[tokio::test]
async fn bulk_arrives_whole_and_in_order() {
    const CHUNK: usize = 61_441;
    const COUNT: usize = 300;
    let (near, far) = connected().await;
    let (mut send, recv) = near.open().await.expect("opens");
    let sender = tokio::spawn(async move {
        let mut hasher = DefaultHasher::new();
        for number in 0..COUNT {
            let byte = u8::try_from(number % 251).expect("below 256");
            let chunk = Bytes::from(vec![byte; CHUNK]);
            hasher.write(&chunk);
            send.write_chunk(chunk).await.expect("writes");
        }
        send.finish().expect("finishes");
        (hasher.finish(), recv)
    });
    let (_far_send, mut far_recv) = far.accept().await.expect("accepts");
    let (mut hasher, mut total) = (DefaultHasher::new(), 0);
    let mut chunks = vec![Bytes::new(); CHUNKS_PER_READ];
    while let Some(count) = far_recv.read_chunks(&mut chunks).await.expect("reads") {
        for chunk in &chunks[..count] {
            hasher.write(chunk);
            total += chunk.len();
        }
    }
    assert_eq!(total, CHUNK * COUNT);
    assert_eq!(hasher.finish(), sender.await.expect("sends").0);
}

#[tokio::test]
async fn refused_before_any_payload_and_read_too_far_is_put_back() {
    let (near, far) = connected().await;
    let open = Open {
        mode: Mode::Tcp,
        service: "books/ratings".parse().expect("valid"),
        port: 9080,
        backend: None,
        caller: None,
        hops: 0,
        flow: 1,
        offset: 0,
        trace: None,
        deadline_ms: None,
        affinity: None,
    };
    let (mut send, mut recv) = near.open().await.expect("opens");
    // Header and payload in one packet.
    let mut chunks = [open.encode(), Bytes::from_static(b"payload")];
    send.write_all_chunks(&mut chunks).await.expect("writes");
    let (mut far_send, mut far_recv) = far.accept().await.expect("accepts");
    assert_eq!(header::read_open(&mut far_recv).await.expect("a header"), open);
    assert_eq!(far_recv.read_chunk().await.expect("reads"), Some("payload".into()));
    let refused = Answer::Refused(Refusal::new(RefusalCode::Denied, "rule 3"));
    far_send.write_chunk(refused.encode()).await.expect("writes");
    far_send.finish().expect("finishes");
    assert_eq!(header::read_answer(&mut recv).await.expect("an answer"), refused);
    assert_eq!(recv.read_chunk().await.expect("an end"), None);
}

#[tokio::test]
async fn a_header_in_pieces_survives_a_reader_that_gives_up_and_comes_back() {
    let (near, far) = connected().await;
    let (mut send, _recv) = near.open().await.expect("opens");
    let answer = Answer::Refused(Refusal::new(RefusalCode::Denied, "rule 3")).encode();
    send.write_chunk(answer.slice(..5)).await.expect("writes");
    let (_far_send, mut far_recv) = far.accept().await.expect("accepts");
    let given_up = tokio::select! {
        answer = header::read_answer(&mut far_recv) => Some(answer),
        () = far_recv_has(&far) => None,
    };
    assert!(given_up.is_none());
    send.write_all_chunks(&mut [answer.slice(5..), "rest".into()]).await.expect("writes");
    let read = header::read_answer(&mut far_recv).await.expect("whole");
    assert!(matches!(read, Answer::Refused(refusal) if refusal.reason == "rule 3"));
    assert_eq!(far_recv.read_chunk().await.expect("reads"), Some("rest".into()));
}

#[tokio::test]
async fn a_stream_that_does_not_start_with_a_header_is_an_error() {
    let (near, far) = connected().await;
    for (bytes, expect) in [
        (&b"GET / HTTP/1.1\r\n\r\n"[..], header::Error::TooLong(0x4554)),
        (&[1, 0][..], header::Error::Truncated),
        (&[1, 0, 0][..], header::Error::Missing("mode")),
        (&[2, 0, 0][..], header::Error::Kind(2)),
    ] {
        let (mut send, _recv) = near.open().await.expect("opens");
        send.write_chunk(bytes.into()).await.expect("writes");
        send.finish().expect("finishes");
        let (_far_send, mut far_recv) = far.accept().await.expect("accepts");
        let Err(header::ReadError::Header(error)) = header::read_open(&mut far_recv).await else {
            panic!("no header was sent");
        };
        assert_eq!(error, expect);
    }
}

#[tokio::test]
async fn garbage_datagrams_hurt_nobody() {
    let authority = Authority::new();
    let far = endpoint(&authority.tls("west.rialto"));
    let address = far.local_address().expect("bound");
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).expect("binds");
    let mut seed = 1u32;
    for length in (1..1_400).step_by(7) {
        let garbage: Vec<u8> = std::iter::repeat_with(|| {
            seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            seed.to_be_bytes()[0]
        })
        .take(length)
        .collect();
        socket.send_to(&garbage, address).expect("sends");
    }
    let near = endpoint(&authority.tls("east.rialto"));
    let (near, far) = connect(&near, &far).await;
    let (mut send, _recv) = near.open().await.expect("opens");
    send.write_chunk("well".into()).await.expect("writes");
    send.finish().expect("finishes");
    let (_send, mut recv) = far.accept().await.expect("accepts");
    assert_eq!(read_all(&mut recv).await.expect("an end"), b"well");
}

#[tokio::test]
async fn a_peer_without_a_certificate_of_ours_is_refused() {
    let authority = Authority::new();
    let stranger = Authority::new();
    let far = endpoint(&authority.tls("west.rialto"));
    let without = Tls {
        client: Arc::new(authority.client_builder().with_no_client_auth()),
        server: authority.tls("east.rialto").server,
    };
    let foreign = Tls {
        client: Arc::new(stranger.client_of(&authority, "east.rialto")),
        server: authority.tls("east.rialto").server,
    };
    for tls in [without, foreign] {
        let near = endpoint(&tls);
        let address = far.local_address().expect("bound");
        let (dialled, incoming) = tokio::join!(near.dial(address, "west.rialto"), async {
            far.accept().await.expect("somebody knocks").handshake().await
        });
        assert!(matches!(incoming, Err(ConnectionLost::Carrier(_))), "{incoming:?}");
        // The client is done before the server has looked; it learns of it at once after.
        if let Ok(connection) = dialled {
            assert!(matches!(connection.closed().await, ConnectionLost::Carrier(_)));
        }
    }
    // And the other way round: a server that is not of ours.
    let impostor = endpoint(&stranger.tls("west.rialto"));
    let near = endpoint(&authority.tls("east.rialto"));
    let address = impostor.local_address().expect("bound");
    let (dialled, _) = tokio::join!(near.dial(address, "west.rialto"), async {
        impostor.accept().await.expect("somebody knocks").handshake().await
    });
    assert!(matches!(dialled, Err(DialError::Handshake { .. })), "{dialled:?}");
}

#[tokio::test]
async fn both_sides_see_the_others_certificate() {
    let (near, far) = connected().await;
    assert_eq!(near.peer_certificates().len(), 2);
    assert_eq!(far.peer_certificates().len(), 2);
    assert_ne!(near.peer_certificates()[0], far.peer_certificates()[0]);
}

#[tokio::test]
async fn a_silent_peer_is_dead_after_its_bound() {
    let authority = Authority::new();
    let far = endpoint(&authority.tls("west.rialto"));
    let near = endpoint(&authority.tls("east.rialto"));
    let relay = Relay::start(far.local_address().expect("bound")).await;
    let (dialled, accepted) = tokio::join!(near.dial(relay.address, "west.rialto"), async {
        far.accept().await.expect("somebody knocks").handshake().await
    });
    let (dialled, _accepted) = (dialled.expect("dials"), accepted.expect("accepts"));
    let (send, recv) = dialled.open().await.expect("opens");
    relay.task.abort();
    let before = std::time::Instant::now();
    // Not QUIC's own timer, which is later.
    let lost = dialled.closed().await;
    assert!(matches!(lost, ConnectionLost::Silent(_)), "{lost:?}");
    let passed = before.elapsed();
    assert!(passed >= Duration::from_millis(700), "{passed:?}");
    assert_eq!(dialled.open().await.expect_err("it is closed"), lost);
    drop((send, recv));
}

/// Resolves some turns after the connection was idle, so that all that came was read.
async fn far_recv_has(connection: &Connection) {
    while connection.stats().bytes_received == 0 {
        tokio::task::yield_now().await;
    }
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
}

/// Passes datagrams on between one client and one server, until it is stopped.
struct Relay {
    address: SocketAddr,
    task: tokio::task::JoinHandle<()>,
}

impl Relay {
    async fn start(server: SocketAddr) -> Self {
        let socket = tokio::net::UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("binds");
        let address = socket.local_addr().expect("bound");
        let task = tokio::spawn(async move {
            let mut buffer = vec![0; 65_536];
            let mut client = None;
            loop {
                let (length, from) = socket.recv_from(&mut buffer).await.expect("receives");
                let to = if from == server {
                    client
                } else {
                    client = Some(from);
                    Some(server)
                };
                if let Some(to) = to {
                    socket.send_to(&buffer[..length], to).await.expect("sends");
                }
            }
        });
        Self { address, task }
    }
}

/// A certificate authority for one test.
pub(super) struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
}

impl Authority {
    pub(super) fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).expect("valid");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().expect("a key");
        Self { issuer: CertifiedIssuer::self_signed(params, key).expect("signs") }
    }

    /// A certificate for `GATEWAY.TRUST-DOMAIN`, good for the trust domain too.
    pub(super) fn issue(
        &self,
        name: &str,
    ) -> (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>) {
        let key = KeyPair::generate().expect("a key");
        let parent = name.split_once('.').map(|(_, parent)| parent.to_owned());
        let names: Vec<String> = [name.to_owned()].into_iter().chain(parent).collect();
        let params = CertificateParams::new(names).expect("valid");
        let certificate = params.signed_by(&key, &self.issuer).expect("signs");
        let key = PrivatePkcs8KeyDer::from(key.serialize_der());
        (vec![certificate.der().clone(), self.issuer.der().clone()], key.into())
    }

    /// Both sides' settings for a gateway that goes by this name.
    pub(super) fn tls(&self, name: &str) -> Tls {
        let verifier =
            WebPkiClientVerifier::builder_with_provider(Arc::new(self.roots()), provider())
                .build()
                .expect("a verifier");
        let (chain, key) = self.issue(name);
        let server = rustls::ServerConfig::builder_with_provider(provider())
            .with_protocol_versions(&[&rustls::version::TLS13])
            .expect("TLS 1.3")
            .with_client_cert_verifier(verifier)
            .with_single_cert(chain.clone(), key.clone_key())
            .expect("a certificate");
        let client = self.client_builder().with_client_auth_cert(chain, key).expect("matches");
        Tls { client: Arc::new(client), server: Arc::new(server) }
    }

    /// A client that believes `other` and shows a certificate of ours.
    fn client_of(&self, other: &Self, name: &str) -> rustls::ClientConfig {
        let (chain, key) = self.issue(name);
        other.client_builder().with_client_auth_cert(chain, key).expect("matches")
    }

    fn client_builder(
        &self,
    ) -> rustls::ConfigBuilder<rustls::ClientConfig, rustls::client::WantsClientCert> {
        rustls::ClientConfig::builder_with_provider(provider())
            .with_protocol_versions(&[&rustls::version::TLS13])
            .expect("TLS 1.3")
            .with_root_certificates(self.roots())
    }

    fn roots(&self) -> RootCertStore {
        let mut roots = RootCertStore::empty();
        roots.add(self.issuer.der().clone()).expect("a certificate");
        roots
    }
}

fn provider() -> Arc<rustls::crypto::CryptoProvider> {
    Arc::new(rustls::crypto::aws_lc_rs::default_provider())
}

pub(super) fn endpoint(tls: &Tls) -> Endpoint {
    Endpoint::bind(&Settings::new((Ipv4Addr::LOCALHOST, 0).into()), tls).expect("binds")
}

async fn connect(near: &Endpoint, far: &Endpoint) -> (Connection, Connection) {
    let address = far.local_address().expect("bound");
    let (dialled, accepted) = tokio::join!(near.dial(address, "west.rialto"), async {
        far.accept().await.expect("somebody knocks").handshake().await
    });
    (dialled.expect("dials"), accepted.expect("accepts"))
}

/// Two ends of one connection. Their endpoints live as long as they do.
async fn connected() -> (Connection, Connection) {
    let authority = Authority::new();
    let far = endpoint(&authority.tls("west.rialto"));
    let near = endpoint(&authority.tls("east.rialto"));
    connect(&near, &far).await
}

async fn read_all(recv: &mut RecvStream) -> Result<Vec<u8>, StreamError> {
    let mut all = Vec::new();
    while let Some(chunk) = recv.read_chunk().await? {
        all.extend_from_slice(&chunk);
    }
    Ok(all)
}

fn is_reset(result: Result<Vec<u8>, StreamError>, expect: ResetCode) -> bool {
    matches!(result, Err(StreamError::Reset(code)) if code == expect)
}
