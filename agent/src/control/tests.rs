//! A whole agent against a bridge that is not one.

use std::path::Path;
use std::sync::Mutex;
use std::time::Duration;

use rialto_types::api::{ExplainRequest, Explanation};
use rialto_types::error::{Code, Problem};
use rialto_types::id::{InstanceId, SpiffeId};
use rialto_types::local::LocalTable;
use rialto_types::report::ReportChange;
use rialto_types::snapshot::Snapshot;
use rialto_types::token::JoinToken;
use rialto_wire::digest::{hex, sha256};
use rialto_wire::grpc::agent_message::Message as FromAgent;
use rialto_wire::grpc::agent_reply::Message as ToAgent;
use rialto_wire::grpc::control_server::{self, ControlServer};
use rialto_wire::grpc::join_server::{self, JoinServer};
use rialto_wire::grpc::{
    AgentMessage, AgentReply, Anchor, BridgeMessage, Credentials, Heartbeat, RedeemRequest,
    ReportPosition, SubscriberMessage, problem_status,
};
use rialto_wire::identity::{Issuer, KeyRequest, TrustBundle};
use rialto_wire::subscribe::{self, Receiver, TableConfig};
use rialto_wire::transport::PeerIdentity;
use tokio_stream::wrappers::ReceiverStream;
use tonic::service::Routes;
use tonic::{Request, Response, Status, Streaming};

use super::*;
use crate::config::RegistrySource;

const FLEET: &str = "allowLoopback: true
services:
- {namespace: books, name: details, export: true, ports: [{port: 9080}], check: {type: none},
   endpoints: [{address: 127.0.0.1, ports: {9080: 1}}]}
callers:
- {address: 127.0.0.9, namespace: books, account: productpage}
";

#[derive(Clone)]
struct Bridge {
    shared: Arc<Shared>,
}

struct Shared {
    root: Issuer,
    east: Issuer,
    /// Reports as they came, and how many tokens were redeemed.
    reports: watch::Sender<Vec<ReportChange>>,
    redeemed: Mutex<u32>,
}

impl Bridge {
    fn issue(&self, csr: &[u8], id: &SpiffeId) -> Credentials {
        let Shared { root, east, .. } = &*self.shared;
        let ttl = limits::CERTIFICATE_TTL;
        let chain = east.sign(csr, id, [9; 16], ttl, identity::now()).expect("signed");
        let anchor = |issuer: &Issuer| Anchor {
            trust_domain: issuer.domain().to_string(),
            certificate: issuer.certificate().to_vec().into(),
        };
        Credentials {
            spiffe_id: id.to_string(),
            chain: chain.into_iter().map(Into::into).collect(),
            anchors: vec![anchor(root), anchor(east)],
            bridges: Vec::new(),
            member: None,
        }
    }

    fn id(role: Role, id: &str) -> SpiffeId {
        let domain = "east.rialto".parse().expect("a domain");
        SpiffeId::part(&domain, role, &id.parse().expect("an id"))
    }
}

#[tonic::async_trait]
impl join_server::Join for Bridge {
    async fn redeem(
        &self,
        request: Request<RedeemRequest>,
    ) -> Result<Response<Credentials>, Status> {
        let mut redeemed = self.shared.redeemed.lock().expect("no panic");
        *redeemed += 1;
        if *redeemed > 1 {
            return Err(problem_status(&Problem::new(Code::TokenUsed, "it was used")));
        }
        let request = request.into_inner();
        let id = Self::id(Role::Agent, &request.id);
        Ok(Response::new(self.issue(&request.certificate_request, &id)))
    }
}

#[tonic::async_trait]
impl control_server::Control for Bridge {
    type AgentStream = ReceiverStream<Result<AgentReply, Status>>;
    type SubscribeStream = ReceiverStream<Result<BridgeMessage, Status>>;

    async fn agent(
        &self,
        request: Request<Streaming<AgentMessage>>,
    ) -> Result<Response<Self::AgentStream>, Status> {
        let peer = request.extensions().get::<PeerIdentity>().cloned();
        assert_eq!(peer, Some(PeerIdentity(Some(Self::id(Role::Agent, "agent")))));
        let (sender, replies) = mpsc::channel(8);
        let reports = self.shared.reports.clone();
        let mut incoming = request.into_inner();
        tokio::spawn(async move {
            while let Ok(Some(message)) = incoming.message().await {
                let reply = match message.message {
                    Some(FromAgent::Hello(_)) => {
                        ToAgent::Position(ReportPosition { epoch: 0, revision: 0 })
                    }
                    Some(FromAgent::Report(bytes)) => {
                        let change: ReportChange =
                            serde_json::from_slice(&bytes).expect("a report");
                        let revision = change.revision;
                        reports.send_modify(|reports| reports.push(change));
                        ToAgent::Committed(revision)
                    }
                    Some(
                        FromAgent::Health(_) | FromAgent::Heartbeat(_) | FromAgent::Examination(_),
                    )
                    | None => ToAgent::Heartbeat(Heartbeat::default()),
                };
                // First what a newer bridge says: the agent passes it over.
                for message in [None, Some(reply)] {
                    if sender.send(Ok(AgentReply { message })).await.is_err() {
                        return;
                    }
                }
            }
        });
        Ok(Response::new(ReceiverStream::new(replies)))
    }

    async fn subscribe(
        &self,
        _: Request<Streaming<SubscriberMessage>>,
    ) -> Result<Response<Self::SubscribeStream>, Status> {
        Err(Status::unimplemented("not in this test"))
    }

    async fn issue(&self, request: Request<IssueRequest>) -> Result<Response<Credentials>, Status> {
        let request = request.into_inner();
        let id = Self::id(request.role.parse().expect("a role"), &request.id);
        Ok(Response::new(self.issue(&request.certificate_request, &id)))
    }
}

/// What a gateway receives.
#[derive(Default)]
struct Sink {
    table: watch::Sender<Option<Arc<LocalTable>>>,
}

impl Receiver for Sink {
    async fn apply(&self, _: Arc<Snapshot>) -> Result<(), String> {
        Ok(())
    }

    async fn apply_table(&self, table: Arc<LocalTable>) {
        self.table.send_replace(Some(table));
    }

    async fn explain(&self, _: ExplainRequest) -> Result<Explanation, Problem> {
        Err(Problem::new(Code::NotSupported, "a sink"))
    }
}

/// A bridge on a port of its own, and a token that it redeems once.
async fn start_bridge(stop: &CancellationToken) -> (Bridge, String) {
    let issuer = |domain: &str, serial| {
        let domain = domain.parse().expect("a domain");
        Issuer::create(&domain, serial, identity::now()).expect("an issuer")
    };
    let shared = Shared {
        root: issuer("rialto", [1; 16]),
        east: issuer("east.rialto", [2; 16]),
        reports: watch::Sender::default(),
        redeemed: Mutex::default(),
    };
    let bridge = Bridge { shared: Arc::new(shared) };
    let root = &bridge.shared.root;
    let request = KeyRequest::new().expect("a key");
    let id: SpiffeId = "spiffe://rialto/rialto/member/one".parse().expect("an id");
    let chain = root.sign(request.csr(), &id, [3; 16], limits::CERTIFICATE_TTL, identity::now());
    let svid = request.into_svid(chain.expect("signed")).expect("an SVID");
    let mut bundle = TrustBundle::default();
    for issuer in [root, &bridge.shared.east] {
        bundle.insert(issuer.domain(), issuer.certificate()).expect("an anchor");
    }
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a listener");
    let token = JoinToken {
        name: "token".parse().expect("a name"),
        secret: hex(&[7; 32]),
        role: Joiner::Agent,
        cluster: Some("east".parse().expect("a cluster")),
        bridges: vec![listener.local_addr().expect("an address").to_string()],
        fingerprint: hex(&sha256(root.certificate())),
    };
    let routes = Routes::new(JoinServer::new(bridge.clone()))
        .add_service(ControlServer::new(bridge.clone()));
    let clients = Clients::Optional(Expected::Anyone);
    let identity = Identity::new(svid, bundle);
    tokio::spawn(transport::serve(listener, identity, clients, routes, stop.clone()));
    (bridge, token::encode(&token))
}

fn config(folder: &Path, token: Option<String>) -> Config {
    let any = SocketAddr::from(([127, 0, 0, 1], 0));
    Config {
        id: "agent".parse().expect("an id"),
        data_folder: folder.join("agent"),
        registry: RegistrySource::Static(folder.join("fleet.yaml")),
        socket: folder.join("agent.sock"),
        listen: any,
        advertise: None,
        token_file: token.map(|token| {
            let path = folder.join("join.token");
            std::fs::write(&path, token).expect("the folder takes a file");
            path
        }),
        admin: any,
    }
}

/// The newest report that `is_it`.
async fn report(bridge: &Bridge, is_it: impl Fn(&ReportChange) -> bool) -> ReportChange {
    let mut reports = bridge.shared.reports.subscribe();
    let found = reports.wait_for(|reports| reports.last().is_some_and(&is_it));
    let found = tokio::time::timeout(Duration::from_secs(20), found).await.expect("in time");
    found.expect("the bridge lives").last().expect("found").clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fleet_joins_reports_and_feeds_its_gateways() {
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    std::fs::write(folder.join("fleet.yaml"), FLEET).expect("a file");
    let stop = CancellationToken::new();
    let (bridge, token) = start_bridge(&stop).await;
    let agent_stop = CancellationToken::new();
    let agent = tokio::spawn(run(config(folder, Some(token.clone())), agent_stop.clone()));

    let first = report(&bridge, |report| !report.services.is_empty()).await;
    assert_eq!(first.base, None);
    assert!(first.services.values().all(|service| service.exported));

    // A gateway of this machine: certificate, table, and its address goes up.
    let id: InstanceId = "one".parse().expect("an id");
    let identity_folder = Folder::new(folder.join("gateway"));
    let socket = folder.join("agent.sock");
    let introducer = enroll::Introducer::Socket(&socket);
    let enrolled = enroll::through_agent(&identity_folder, introducer, Role::Gateway, &id);
    let enrolled = enrolled.await.expect("a certificate");
    let agent_address = enrolled.contacts.agent.clone().expect("an address");
    let domain = "east.rialto".parse().expect("a domain");
    let expected = Expected::Part { domain, role: Role::Agent };
    let identity = Identity::new(enrolled.svid, enrolled.bundle);
    let channel = transport::connect(vec![agent_address], &identity, expected);
    let renewed =
        enroll::renew_at_agent(channel.clone(), KeyRequest::new().expect("a key").csr().to_vec());
    assert_eq!(renewed.await.expect("renewed").spiffe_id, identity.id().to_string());
    let sink = Arc::new(Sink::default());
    let table = TableConfig {
        dial: Arc::new(move || {
            let channel = channel.clone();
            Box::pin(async move { Ok(channel) })
        }),
        folder: folder.join("gateway"),
        advertise: Some("192.0.2.1:7000".parse().expect("an address")),
    };
    let connected = watch::Sender::default();
    let gateway = tokio::spawn(subscribe::follow_table(table, None, sink.clone(), connected));
    let mut tables = sink.table.subscribe();
    let table = tables.wait_for(Option::is_some).await.expect("a table").clone();
    let table = table.expect("some");
    assert_eq!(table.services.len(), 1);
    assert_eq!(table.callers.len(), 1);
    let with_gateway = report(&bridge, |report| !report.gateways.is_empty()).await;
    assert_eq!(with_gateway.gateways[0].address.port(), 7_000);

    // A bad file changes nothing; a good one is live everywhere.
    std::fs::write(folder.join("fleet.yaml"), "services: [{nme: x}]").expect("a file");
    std::fs::write(folder.join("fleet.new"), "services: []\n").expect("a file");
    std::fs::rename(folder.join("fleet.new"), folder.join("fleet.yaml")).expect("renamed");
    let emptied = report(&bridge, |report| !report.removed.is_empty()).await;
    assert_eq!(emptied.removed.len(), 1);
    tables
        .wait_for(|table| table.as_ref().is_some_and(|table| table.services.is_empty()))
        .await
        .expect("a newer table");

    // The next agent needs no token, and has not forgotten the gateway.
    agent_stop.cancel();
    agent.await.expect("no panic").expect("a good end");
    gateway.abort();
    std::fs::write(folder.join("fleet.yaml"), FLEET).expect("a file");
    let agent_stop = CancellationToken::new();
    let agent = tokio::spawn(run(config(folder, None), agent_stop.clone()));
    let again = report(&bridge, |report| report.base.is_none() && report.epoch > first.epoch).await;
    assert_eq!(again.gateways.len(), 1);
    agent_stop.cancel();
    agent.await.expect("no panic").expect("a good end");

    // A used token is refused with its code.
    std::fs::remove_dir_all(folder.join("agent")).expect("removed");
    let error = run(config(folder, Some(token)), CancellationToken::new()).await;
    let error = format!("{:#}", error.expect_err("refused"));
    assert!(error.contains("RIA1002"), "{error}");
    stop.cancel();
}

#[tokio::test]
async fn without_a_token_an_agent_says_what_to_do() {
    let folder = tempfile::tempdir().expect("a folder");
    let error = run(config(folder.path(), None), CancellationToken::new()).await;
    let error = format!("{:#}", error.expect_err("no identity"));
    assert!(error.contains("rialto join token"), "{error}");
    let bad = run(config(folder.path(), Some("nonsense".into())), CancellationToken::new()).await;
    assert!(format!("{:#}", bad.expect_err("no token")).contains("rialto1."));
}
