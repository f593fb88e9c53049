use std::error::Error as _;
use std::sync::Arc;

use axum::Extension;
use axum::routing::post;
use http_body_util::BodyExt;
use rialto_types::id::Role;
use tokio::io::AsyncReadExt;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use tonic::service::Routes;
use tonic::transport::Channel;
use tower::ServiceExt;

use super::*;
use crate::identity::tests::World;
use crate::identity::{Clients, Expected, Fingerprint, Identity, TrustBundle, peer};

const MEMBER: &str = "spiffe://east.rialto/rialto/member/m1";
const AGENT: &str = "spiffe://west.rialto/rialto/agent/a1";

#[tokio::test]
async fn the_service_sees_who_calls() {
    let world = World::new();
    let server = Server::start(&world, Clients::Required(Expected::Role(Role::Agent))).await;
    let channel = connect(server.addresses(), &world.identity(AGENT), expected_member());
    assert_eq!(who(&channel).await.as_deref(), Ok(AGENT));
    server.stop().await;
}

#[tokio::test]
async fn a_client_without_certificate_is_nobody() {
    let world = World::new();
    let server = Server::start(&world, Clients::Optional(Expected::Anyone)).await;
    let pin = Fingerprint::of(world.east.certificate());
    let channel = connect_pinned(server.addresses(), pin, expected_member());
    assert_eq!(who(&channel).await.as_deref(), Ok("nobody"));
    server.stop().await;
}

#[tokio::test]
async fn a_wrong_server_is_refused_with_its_reason() {
    let world = World::new();
    let server = Server::start(&world, Clients::Optional(Expected::Anyone)).await;
    let pin = Fingerprint::of(world.west.certificate());
    let channel = connect_pinned(server.addresses(), pin, expected_member());
    assert_eq!(who(&channel).await, Err("fingerprint".into()));
    let gateways = Expected::Role(Role::Gateway);
    let channel = connect(server.addresses(), &world.identity(AGENT), gateways);
    assert_eq!(who(&channel).await, Err("unexpected".into()));
    server.stop().await;
}

#[tokio::test]
async fn a_wrong_client_is_refused_and_counted_and_others_go_on() {
    let world = World::new();
    let server = Server::start(&world, Clients::Required(Expected::Role(Role::Agent))).await;

    let pin = Fingerprint::of(world.east.certificate());
    let channel = connect_pinned(server.addresses(), pin, expected_member());
    assert!(who(&channel).await.is_err());
    let gateway = world.identity("spiffe://west.rialto/rialto/gateway/g1");
    let channel = connect(server.addresses(), &gateway, expected_member());
    assert!(who(&channel).await.is_err());
    let mut garbage = TcpStream::connect(&server.addresses()[0]).await.expect("connected");
    let sent = tokio::io::AsyncWriteExt::write_all(&mut garbage, b"GET / HTTP/1.1\r\n\r\n").await;
    sent.expect("sent");
    let mut answer = Vec::new();
    let _ = garbage.read_to_end(&mut answer).await;
    let _silent = TcpStream::connect(&server.addresses()[0]).await.expect("connected");

    let channel = connect(server.addresses(), &world.identity(AGENT), expected_member());
    assert_eq!(who(&channel).await.as_deref(), Ok(AGENT));
    let refusals = server.identity.refusals();
    assert_eq!(refusals.get("no_certificate"), Some(&1), "{refusals:?}");
    assert_eq!(refusals.get("unexpected"), Some(&1), "{refusals:?}");
    assert_eq!(refusals.get("handshake"), Some(&1), "{refusals:?}");
    server.stop().await;
}

#[tokio::test]
async fn rotation_keeps_an_open_connection_and_withdrawn_trust_cuts_it() {
    let world = World::new();
    let server = Server::start(&world, Clients::Required(Expected::Anyone)).await;
    let identity = world.identity(AGENT);
    let open = connect(server.addresses(), &identity, expected_member());
    assert_eq!(who(&open).await.as_deref(), Ok(AGENT));

    let next = "spiffe://west.rialto/rialto/agent/a2";
    identity.rotate(world.svid(next));
    server.identity.rotate(world.svid(MEMBER));
    assert_eq!(who(&open).await.as_deref(), Ok(AGENT), "the open connection goes on");
    let new = connect(server.addresses(), &identity, expected_member());
    assert_eq!(who(&new).await.as_deref(), Ok(next), "a new one presents the new certificate");

    let mut only_east = TrustBundle::default();
    only_east.insert(world.east.domain(), world.east.certificate()).expect("an anchor");
    server.identity.set_bundle(only_east);
    let held = post_to(&open, "/wait").await;
    assert!(held.is_err(), "{held:?}");
    server.stop().await;
}

#[tokio::test]
async fn a_dead_address_is_passed_over() {
    let world = World::new();
    let server = Server::start(&world, Clients::Required(Expected::Anyone)).await;
    let unused = TcpListener::bind("127.0.0.1:0").await.expect("bound");
    let dead = unused.local_addr().expect("bound").to_string();
    drop(unused);
    let addresses = vec![dead.clone(), server.addresses().remove(0)];
    let channel = connect(addresses, &world.identity(AGENT), expected_member());
    assert_eq!(who(&channel).await.as_deref(), Ok(AGENT));
    server.stop().await;

    let channel = connect(vec![dead.clone()], &world.identity(AGENT), expected_member());
    let error = who(&channel).await.expect_err("nobody answers");
    assert!(error.contains(&dead), "{error}");
}

#[tokio::test]
async fn shutdown_waits_for_a_call_in_flight() {
    let world = World::new();
    let server = Server::start(&world, Clients::Required(Expected::Anyone)).await;
    let channel = connect(server.addresses(), &world.identity(AGENT), expected_member());
    let call = tokio::spawn(async move { post_to(&channel, "/wait").await });
    server.entered.notified().await;
    server.shutdown.cancel();
    server.release.notify_one();
    assert_eq!(call.await.expect("no panic").as_deref(), Ok("done"));
    server.task.await.expect("no panic");
}

#[tokio::test]
async fn a_local_service_sees_the_user() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("agent.sock");
    drop(bind_local(&path).expect("bound"));
    let listener = bind_local(&path).expect("the socket of a dead process is replaced");
    let again = bind_local(&path).expect_err("that of a living one is not");
    assert_eq!(again.kind(), std::io::ErrorKind::AddrInUse);

    let uid = std::os::unix::fs::MetadataExt::uid(&std::fs::metadata(&path).expect("there"));
    let mut routes = Routes::default();
    let user = async |Extension(user): Extension<PeerUser>| user.uid.to_string();
    let router = std::mem::take(routes.axum_router_mut()).route("/who", post(user));
    *routes.axum_router_mut() = router;
    let shutdown = CancellationToken::new();
    let task = tokio::spawn(serve_local(listener, routes, shutdown.clone()));
    assert_eq!(who(&connect_local(path)).await, Ok(uid.to_string()));
    shutdown.cancel();
    task.await.expect("no panic");
}

fn expected_member() -> Expected {
    Expected::Exactly(MEMBER.parse().expect("an id"))
}

struct Server {
    identity: Identity,
    address: String,
    shutdown: CancellationToken,
    entered: Arc<Notify>,
    release: Arc<Notify>,
    task: tokio::task::JoinHandle<()>,
}

impl Server {
    async fn start(world: &World, clients: Clients) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("bound");
        let address = listener.local_addr().expect("bound").to_string();
        let identity = world.identity(MEMBER);
        let (entered, release) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
        let signals = (entered.clone(), release.clone());
        let who = async |Extension(peer): Extension<PeerIdentity>| {
            peer.0.map_or("nobody".to_owned(), |id| id.to_string())
        };
        let wait = move || async move {
            signals.0.notify_one();
            signals.1.notified().await;
            "done"
        };
        let mut routes = Routes::default();
        let router = std::mem::take(routes.axum_router_mut());
        *routes.axum_router_mut() = router.route("/who", post(who)).route("/wait", post(wait));
        let shutdown = CancellationToken::new();
        let served = serve(listener, identity.clone(), clients, routes, shutdown.clone());
        let task = tokio::spawn(served);
        Self { identity, address, shutdown, entered, release, task }
    }

    fn addresses(&self) -> Vec<String> {
        vec![self.address.clone()]
    }

    async fn stop(self) {
        self.shutdown.cancel();
        self.task.await.expect("no panic");
    }
}

async fn who(channel: &Channel) -> Result<String, String> {
    post_to(channel, "/who").await
}

/// The body of the answer, or the reason of the refusal, or the error with its causes.
async fn post_to(channel: &Channel, path: &str) -> Result<String, String> {
    let request = http::Request::post(path).body(tonic::body::Body::empty()).expect("a request");
    let response = channel.clone().oneshot(request).await.map_err(|error| {
        if let Some(refused) = peer::Error::find(&error) {
            return refused.reason().to_owned();
        }
        let (mut text, mut next) = (error.to_string(), error.source());
        while let Some(cause) = next {
            text = format!("{text}: {cause}");
            next = cause.source();
        }
        text
    })?;
    let bytes = response.into_body().collect().await.map_err(|error| error.to_string())?;
    String::from_utf8(bytes.to_bytes().to_vec()).map_err(|error| error.to_string())
}
