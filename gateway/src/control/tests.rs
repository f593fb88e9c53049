//! A whole gateway beside a bridge and an agent that are only as real as the wire.

use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;
use std::pin::Pin;

use futures::Stream;
use rialto_types::cluster::GatewayAddress;
use rialto_types::id::{Revision, ServiceName, SpiffeId};
use rialto_types::limits;
use rialto_types::local::{Endpoint, EndpointHealth};
use rialto_types::service::{AppProtocol, ServicePort};
use rialto_types::snapshot::{ClusterEntry, Entry, FailoverEntry, ServiceEntry};
use rialto_wire::grpc::control_server::{Control as ControlService, ControlServer};
use rialto_wire::grpc::local_join_server::{LocalJoin, LocalJoinServer};
use rialto_wire::grpc::local_server::{Local, LocalServer};
use rialto_wire::grpc::{
    self, AgentMessage, AgentReply, Anchor, BridgeMessage, Credentials, Delta, FirstRequest,
    IssueRequest, LocalCredentials, LocalMessage, LocalReply, SubscriberMessage,
};
use rialto_wire::identity::{self, Clients, Issuer, KeyRequest};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tonic::service::Routes;
use tonic::{Request, Response, Status, Streaming};

use super::*;
use crate::config::{Capture, Tunnel};

const PORT: u16 = 9080;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_gateway_joins_serves_and_comes_back_from_disk_with_nobody_there() {
    let folder = tempfile::tempdir().expect("a folder");
    let origin = origin().await;
    let vip = virtual_ip();
    let world = World::start(folder.path(), vip, origin).await;

    let (gateway, stop) = start(folder.path()).await;
    ready(gateway.0).await;
    assert_eq!(ask(vip).await, b"here");
    let metrics = get(gateway.0, "/metrics").await;
    assert!(metrics.contains("rialto_gateway_snapshot_index 7"), "{metrics}");
    let debug = get(gateway.0, "/debug/snapshot").await;
    assert!(debug.contains("\"books/reviews\""), "{debug}");
    assert!(debug.contains("\"connected\":true"), "{debug}");

    // The table is in service before it is kept.
    let kept = folder.path().join("gateway/local.good");
    until("the table is kept", || std::future::ready(kept.exists())).await;

    // Everybody else is gone, then the gateway too; it comes back alone.
    world.stop().await;
    stop.cancel();
    gateway.1.await.expect("no panic").expect("stops in order");
    let (gateway, stop) = start(folder.path()).await;
    let pending = get(gateway.0, "/readyz").await;
    assert!(!pending.contains("a first local table"), "before any listener: {pending}");
    ready(gateway.0).await;
    assert_eq!(ask(vip).await, b"here");
    let debug = get(gateway.0, "/debug/snapshot").await;
    assert!(debug.contains("\"fromDisk\":true"), "{debug}");
    stop.cancel();
    gateway.1.await.expect("no panic").expect("stops in order");
}

#[test]
fn an_anchor_that_is_not_base64_refuses_the_snapshot() {
    let mut snapshot = Snapshot::default();
    let name: ClusterName = "west".parse().expect("valid");
    let anchors = vec!["not base64!".to_owned()];
    snapshot.clusters.insert(name.clone(), cluster_entry(&name, anchors));
    let error = read_anchors(&snapshot, &trust_domain(&"east".parse().expect("valid")));
    assert!(error.expect_err("it is no anchor").contains("west"));
}

type Running = (SocketAddr, tokio::task::JoinHandle<anyhow::Result<()>>);

async fn start(folder: &Path) -> (Running, CancellationToken) {
    let config = Config {
        id: Some("g1".parse().expect("valid")),
        data_folder: folder.join("gateway"),
        agent_socket: Some(folder.join("agent.sock")),
        agent: None,
        tunnel: Tunnel {
            listen: (Ipv4Addr::LOCALHOST, 0).into(),
            advertise: None,
            mtu_max: limits::TUNNEL_MTU_MAX,
            send_window_bytes: limits::TUNNEL_SEND_WINDOW_BYTES,
        },
        capture: Capture::Bind,
        admin: (Ipv4Addr::LOCALHOST, 0).into(),
        access_log: AccessLogTarget::File(folder.join("access.log")),
        drain_time_max: Duration::from_secs(5),
    };
    let starting = timeout(Duration::from_secs(30), Gateway::start(config));
    let gateway = starting.await.expect("in time").expect("starts");
    let admin = gateway.admin_address();
    let stop = CancellationToken::new();
    let running = tokio::spawn(gateway.run_until(stop.clone()));
    ((admin, running), stop)
}

async fn ready(admin: SocketAddr) {
    let is_ready = async || get(admin, "/readyz").await.starts_with("HTTP/1.1 200");
    until("ready", is_ready).await;
}

async fn until<F: Future<Output = bool>>(what: &str, holds: impl Fn() -> F) {
    let wait = async {
        while !holds().await {
            tokio::task::yield_now().await;
        }
    };
    timeout(Duration::from_secs(30), wait).await.unwrap_or_else(|_| panic!("not {what} in time"));
}

async fn get(address: SocketAddr, path: &str) -> String {
    let mut stream = TcpStream::connect(address).await.expect("somebody listens");
    let request = format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.expect("writes");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.expect("reads");
    answer
}

async fn ask(vip: Ipv4Addr) -> Vec<u8> {
    let mut stream = TcpStream::connect((vip, PORT)).await.expect("somebody listens");
    let mut all = Vec::new();
    stream.read_to_end(&mut all).await.expect("reads");
    all
}

async fn origin() -> SocketAddr {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("binds");
    let address = listener.local_addr().expect("bound");
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            stream.write_all(b"here").await.expect("writes");
        }
    });
    address
}

/// An address of this process alone.
fn virtual_ip() -> Ipv4Addr {
    let [.., high, low] = std::process::id().to_be_bytes();
    Ipv4Addr::new(127, high.max(1), low.max(1), 78)
}

fn service() -> ServiceName {
    "books/reviews".parse().expect("valid")
}

fn cluster_entry(name: &ClusterName, anchors: Vec<String>) -> ClusterEntry {
    ClusterEntry {
        name: name.clone(),
        trust_domain: trust_domain(name),
        anchors,
        gateways: Vec::<GatewayAddress>::new(),
        drained: false,
        region: None,
    }
}

/// One bridge member and the agent of `east`.
struct World {
    stop: CancellationToken,
    tasks: JoinSet<()>,
}

impl World {
    async fn start(folder: &Path, vip: Ipv4Addr, origin: SocketAddr) -> Self {
        let issuer = |domain: &TrustDomain, serial| {
            Arc::new(Issuer::create(domain, [serial; 16], identity::now()).expect("an issuer"))
        };
        let bridge_issuer = issuer(&bridge_trust_domain(), 1);
        let east: ClusterName = "east".parse().expect("valid");
        let east_issuer = issuer(&trust_domain(&east), 2);
        let mut bundle = TrustBundle::default();
        for issuer in [&bridge_issuer, &east_issuer] {
            bundle.insert(issuer.domain(), issuer.certificate()).expect("an anchor");
        }
        let identity = |issuer: &Issuer, role| {
            let id = SpiffeId::part(issuer.domain(), role, &"one".parse().expect("valid"));
            let request = KeyRequest::new().expect("a key");
            let chain = sign(issuer, request.csr(), &id);
            Identity::new(request.into_svid(chain).expect("fits"), bundle.clone())
        };
        let gateways = || Clients::Required(Expected::Role(Role::Gateway));
        let stop = CancellationToken::new();
        let mut tasks = JoinSet::new();

        let bridge = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("binds");
        let bridge_address = bridge.local_addr().expect("bound");
        let subscription = Bridge { delta: delta(&east, vip) };
        let routes = Routes::new(ControlServer::new(subscription));
        let member = identity(&bridge_issuer, Role::Member);
        tasks.spawn(transport::serve(bridge, member, gateways(), routes, stop.clone()));

        let agent = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("binds");
        let agent_address = agent.local_addr().expect("bound");
        let service = Agent {
            issuer: Arc::clone(&east_issuer),
            anchors: [bridge_issuer, east_issuer.clone()].map(|issuer| Anchor {
                trust_domain: issuer.domain().to_string(),
                certificate: issuer.certificate().to_vec().into(),
            }),
            bridge: bridge_address,
            address: agent_address,
            table: grpc::Table::of(&table(east, origin)),
        };
        let routes = Routes::new(LocalServer::new(service.clone()));
        let part = identity(&east_issuer, Role::Agent);
        tasks.spawn(transport::serve(agent, part, gateways(), routes, stop.clone()));
        let socket = transport::bind_local(&folder.join("agent.sock")).expect("binds");
        let routes = Routes::new(LocalJoinServer::new(service));
        tasks.spawn(transport::serve_local(socket, routes, stop.clone()));
        Self { stop, tasks }
    }

    async fn stop(mut self) {
        self.stop.cancel();
        self.tasks.shutdown().await;
    }
}

fn sign(issuer: &Issuer, csr: &[u8], id: &SpiffeId) -> Vec<Vec<u8>> {
    let day = Duration::from_secs(86_400);
    issuer.sign(csr, id, [7; 16], day, identity::now()).expect("signs")
}

fn delta(east: &ClusterName, vip: Ipv4Addr) -> Delta {
    let port = ServicePort {
        name: None,
        port: PORT.try_into().expect("not 0"),
        app_protocol: AppProtocol::Tcp,
    };
    let entries = [
        Entry::Cluster(cluster_entry(east, Vec::new())),
        Entry::Service(ServiceEntry {
            name: service(),
            ports: vec![port],
            clusters: [(east.clone(), vec![PORT])].into(),
            virtual_ips: vec![IpAddr::V4(vip)],
            gateway_ports: Default::default(),
            headless: None,
            udp_ports: Vec::new(),
            client_affinity: false,
            failover: FailoverEntry {
                policy: None,
                order: Vec::new(),
                overprovisioning_percent: limits::OVERPROVISIONING_PERCENT_DEFAULT,
            },
        }),
    ];
    Delta {
        revision: Some(Revision { epoch: 1, index: 7 }.into()),
        entries: entries.iter().map(grpc::delta_entry).collect(),
        removed: Vec::new(),
        last: true,
    }
}

fn table(cluster: ClusterName, origin: SocketAddr) -> LocalTable {
    let endpoint = Endpoint {
        address: origin.ip(),
        ports: [(PORT, origin.port())].into(),
        udp_ports: Default::default(),
        health: EndpointHealth::Healthy,
        hostname: None,
    };
    LocalTable {
        cluster,
        epoch: 1,
        revision: 1,
        services: [(service(), [endpoint].into())].into(),
        callers: Default::default(),
    }
}

type Replies<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;

/// One reply, then a stream that stays open.
fn once<T: Send + 'static>(reply: T) -> Response<Replies<T>> {
    use futures::StreamExt;
    Response::new(Box::pin(
        futures::stream::once(async { Ok(reply) }).chain(futures::stream::pending()),
    ))
}

struct Bridge {
    delta: Delta,
}

#[tonic::async_trait]
impl ControlService for Bridge {
    type AgentStream = Replies<AgentReply>;
    type SubscribeStream = Replies<BridgeMessage>;

    async fn agent(
        &self,
        _: Request<Streaming<AgentMessage>>,
    ) -> Result<Response<Self::AgentStream>, Status> {
        Err(Status::unimplemented("no agent here"))
    }

    async fn subscribe(
        &self,
        _: Request<Streaming<SubscriberMessage>>,
    ) -> Result<Response<Self::SubscribeStream>, Status> {
        let message = grpc::bridge_message::Message::Delta(self.delta.clone());
        Ok(once(BridgeMessage { message: Some(message) }))
    }

    async fn issue(&self, _: Request<IssueRequest>) -> Result<Response<Credentials>, Status> {
        Err(Status::unimplemented("the agent issues"))
    }
}

#[derive(Clone)]
struct Agent {
    issuer: Arc<Issuer>,
    anchors: [Anchor; 2],
    bridge: SocketAddr,
    address: SocketAddr,
    table: grpc::Table,
}

#[tonic::async_trait]
impl LocalJoin for Agent {
    async fn first(
        &self,
        request: Request<FirstRequest>,
    ) -> Result<Response<LocalCredentials>, Status> {
        let request = request.into_inner();
        let id = request.id.parse().map_err(|_| Status::invalid_argument("id"))?;
        let id = SpiffeId::part(self.issuer.domain(), Role::Gateway, &id);
        let chain = sign(&self.issuer, &request.certificate_request, &id);
        let credentials = Credentials {
            spiffe_id: id.to_string(),
            chain: chain.into_iter().map(Into::into).collect(),
            anchors: self.anchors.to_vec(),
            bridges: vec![self.bridge.to_string()],
            member: None,
        };
        Ok(Response::new(LocalCredentials {
            credentials: Some(credentials),
            agent: self.address.to_string(),
            cluster: "east".into(),
        }))
    }
}

#[tonic::async_trait]
impl Local for Agent {
    type TableStream = Replies<LocalReply>;

    async fn table(
        &self,
        _: Request<Streaming<LocalMessage>>,
    ) -> Result<Response<Self::TableStream>, Status> {
        let message = grpc::local_reply::Message::Table(self.table.clone());
        Ok(once(LocalReply { message: Some(message) }))
    }

    async fn renew(&self, _: Request<IssueRequest>) -> Result<Response<Credentials>, Status> {
        Err(Status::unimplemented("nothing expires in this test"))
    }
}
