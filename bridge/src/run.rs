//! Starts a member and runs it until it is told to stop.

use std::io::Write as _;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use anyhow::Context as _;
use rialto_core::state::command::{Action, Command};
use rialto_core::state::trust::{Issuer, Member};
use rialto_types::cluster::{bridge_trust_domain, trust_domain};
use rialto_types::error::Chain;
use rialto_types::id::{Role, SpiffeId, TrustDomain};
use rialto_types::limits;
use rialto_wire::admin::{self, Admin};
use rialto_wire::enroll::{Contacts, keep_renewed};
use rialto_wire::grpc::Credentials;
use rialto_wire::grpc::control_server::ControlServer;
use rialto_wire::grpc::join_server::JoinServer;
use rialto_wire::grpc::members_server::MembersServer;
use rialto_wire::identity::{Clients, Expected, Identity, TrustBundle, file, now};
use rialto_wire::rest;
use rialto_wire::transport::{self, PeerIdentity};
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tonic::service::Routes;

use crate::authority;
use crate::config::Config;
use crate::members::Members;
use crate::metrics::{Metrics, RaftFigures};
use crate::observed::Observed;
use crate::publish::Publisher;
use crate::raft::disk::Folder;
use crate::raft::transport::client::GrpcPeers;
use crate::raft::transport::forward::Forward;
use crate::raft::transport::server;
use crate::raft::{Failure, MemberId, Options, Raft, Role as RaftRole, Start};
use crate::service::{
    ControlService, JoinService, MembersService, RestService, Service, Subscribers,
};
use crate::session::Sessions;
use crate::start::{self, Prepared};
use crate::store::Store;
use crate::traffic::Traffic;
use crate::ui;
use crate::views::Views;

/// Runs a member until `stop`. Says on stdout where it listens, and at the first start the
/// administrator's token.
pub async fn run(config: Config, stop: CancellationToken) -> anyhow::Result<()> {
    config.check()?;
    let listener = bind(config.listen, "listen").await?;
    let rest_listener = bind(config.rest, "rest").await?;
    let admin_listener = bind(config.admin, "admin").await?;
    let mut config = config;
    config.listen = listener.local_addr()?;
    say(&format!("grpc {}", config.listen))?;
    say(&format!("rest {}", rest_listener.local_addr()?))?;
    say(&format!("admin {}", admin_listener.local_addr()?))?;

    let prepared = start::prepare(&config).await?;
    let failure = Failed::default();
    let service = begin(&config, &prepared, &stop, failure.clone())?;
    let admin = Arc::new(BridgeAdmin { service: service.clone() });
    let background = background(&config, &prepared, service.clone());
    let routes = routes(&service);
    let clients = Clients::Optional(Expected::Anyone);
    let grpc = transport::serve(listener, prepared.identity.clone(), clients, routes, stop.clone());
    let tls = rest_tls(&config, &prepared.identity);
    let router = rest::router(Arc::new(RestService(service.clone())), ui::page()?);
    let people = rest::serve(rest_listener, router, tls, stop.clone());
    // Tasks of their own, so that nothing else is in the way of accepting. They listen from the
    // start: joining members and agents wait for a leader, not for a port.
    let mut listeners = JoinSet::new();
    listeners.spawn(grpc);
    listeners.spawn(people);
    tokio::select! {
        _ = listeners.join_next() => {}
        ended = admin::serve(admin_listener, admin) => ended?,
        ended = background => ended?,
        () = stop.cancelled() => {}
    }
    listeners.shutdown().await;
    service.raft.stop().await;
    let failure = failure.lock().unwrap_or_else(PoisonError::into_inner).take();
    match failure {
        None => Ok(()),
        Some(failure) => Err(failure).context("this member cannot go on"),
    }
}

/// Why the raft thread gave up, if it did: then the process ends with an error.
type Failed = Arc<Mutex<Option<Failure>>>;

async fn bind(address: SocketAddr, setting: &str) -> anyhow::Result<TcpListener> {
    let bound = TcpListener::bind(address).await;
    bound.with_context(|| format!("cannot listen on {address}, the `{setting}` of this member"))
}

/// Lines for whoever started the process; logs go to stderr.
fn say(line: &str) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{line}").and_then(|()| out.flush()).context("cannot write to stdout")
}

/// Starts Raft and puts the service together.
fn begin(
    config: &Config,
    prepared: &Prepared,
    stop: &CancellationToken,
    failed: Failed,
) -> anyhow::Result<Arc<Service>> {
    let own = MemberId::new(prepared.membership.raft_id).context("a member id of zero")?;
    let observed = match prepared.start {
        Start::Bootstrap | Start::Join => Observed::default(),
        Start::Resume => Observed::again(Instant::now()),
    };
    let (store, machine) = Store::new();
    let told = prepared.membership.told.clone();
    let members = Arc::new(Members::new(own, prepared.identity.clone(), store.clone(), told));
    let dialler = members.clone();
    let dial: crate::raft::transport::client::Dial = Arc::new(move |member| dialler.dial(member));
    let disk = Folder::open(&config.data.join("raft"))?;
    let options = Options::new(own, prepared.start);
    let (peers_dial, stop) = (dial.clone(), stop.clone());
    let raft = Raft::start(
        Box::new(disk),
        options,
        machine,
        |raft| GrpcPeers::new(raft.clone(), peers_dial),
        move |failure| {
            tracing::error!(failure = %Chain(&failure), "this member cannot go on");
            *failed.lock().unwrap_or_else(PoisonError::into_inner) = Some(failure);
            stop.cancel();
        },
    )?;
    Ok(Arc::new(Service {
        id: config.id.clone(),
        publisher: Publisher::new(store.clone()),
        forward: Forward::new(raft.clone(), dial),
        store,
        raft,
        members,
        observed,
        traffic: Traffic::new(),
        authority: prepared.authority.clone(),
        subscribers: Subscribers::default(),
        sessions: Sessions::default(),
        views: Views::default(),
        metrics: Metrics::new(&prepared.identity),
    }))
}

fn routes(service: &Arc<Service>) -> Routes {
    let max = limits::GRPC_MESSAGE_BYTES_MAX;
    let members = service.members.clone();
    let identify: server::Identify =
        Arc::new(move |extensions| match extensions.get::<PeerIdentity>() {
            Some(PeerIdentity(Some(id))) => members.identify(id),
            Some(PeerIdentity(None)) | None => None,
        });
    Routes::new(server::Service::server(service.raft.clone(), identify))
        .add_service(
            JoinServer::new(JoinService(service.clone()))
                .max_decoding_message_size(limits::REST_BODY_BYTES_MAX),
        )
        .add_service(
            ControlServer::new(ControlService(service.clone()))
                .max_decoding_message_size(max)
                .max_encoding_message_size(max),
        )
        .add_service(
            MembersServer::new(MembersService(service.clone())).max_encoding_message_size(max),
        )
}

/// Plain HTTP on loopback; elsewhere TLS with the member's own certificate.
fn rest_tls(config: &Config, identity: &Identity) -> Option<Arc<rustls::ServerConfig>> {
    if config.rest.ip().is_loopback() {
        return None;
    }
    let clients = Clients::Optional(Expected::Anyone);
    Some(Arc::new(identity.server_config(clients, &[b"http/1.1"])))
}

/// What runs beside the listeners: becoming a member, trust, renewal, publishing.
async fn background(
    config: &Config,
    prepared: &Prepared,
    service: Arc<Service>,
) -> anyhow::Result<()> {
    let settled = async {
        settle(config, prepared, &service).await?;
        let contacts = Contacts { cluster: None, bridges: Vec::new(), agent: None };
        let (identity, folder) = (prepared.identity.clone(), prepared.folder.clone());
        let issuing = service.clone();
        keep_renewed(identity, folder, contacts, move |csr| {
            let service = issuing.clone();
            async move { service.renew_own(&csr) }
        })
        .await;
        anyhow::Ok(())
    };
    tokio::select! {
        ended = settled => ended,
        () = service.publisher.run() => Ok(()),
        () = service.members.clone().watch() => Ok(()),
        () = service.traffic.gather(&service.members) => Ok(()),
        () = service.watch_levels() => Ok(()),
        () = follow_trust(&service, &prepared.identity) => Ok(()),
    }
}

/// Makes this a full member: bootstraps, or asks to be promoted until it is.
async fn settle(config: &Config, prepared: &Prepared, service: &Service) -> anyhow::Result<()> {
    let own = prepared.membership.raft_id;
    if let Some(issuer) = prepared.issuer.clone() {
        // Nobody else can lead before the federation exists.
        let mut status = service.raft.status();
        status.wait_for(|status| status.role == RaftRole::Leader).await?;
        service.raft.read_index().await?;
        if service.store.read().federation().is_none() {
            bootstrap(config, service, issuer).await?;
        }
        let held = service.store.read().federation().map(|held| held.issuer.clone());
        start::keep_first(config, prepared, &held.context("the federation was just made")?)?;
    }
    let member = MemberId::new(own).context("a member id of zero")?;
    let mut status = service.raft.status();
    while status.borrow_and_update().role == RaftRole::Learner {
        if let Err(error) = service.forward.promote(vec![member]).await {
            tracing::debug!(%error, "not promoted yet");
        }
        tokio::time::sleep(limits::RAFT_LEADER_RETRY_DELAY).await;
    }
    say("ready")?;
    Ok(())
}

async fn bootstrap(
    config: &Config,
    service: &Service,
    issuer: rialto_core::state::trust::Issuer,
) -> anyhow::Result<()> {
    let (command, admin) = start::bootstrap(config, issuer, now())?;
    if let Some(path) = &config.admin_token_file {
        file::write_private(path, admin.reveal().as_bytes())?;
    }
    service.raft.propose(command.encode().into()).await?;
    let name = config.id.clone();
    let member = Member { raft_id: 1, name: name.clone(), address: config.advertised() };
    let command = Command {
        now: now(),
        actor: format!("member:{name}"),
        reason: None,
        action: Action::PutMember(member),
    };
    service.raft.propose(command.encode().into()).await?;
    say(&format!("admin-token {}", admin.reveal()))
}

/// Believes the issuers of all clusters, as the state has them.
async fn follow_trust(service: &Service, identity: &Identity) {
    let mut revision = service.store.watch();
    let mut believed = Vec::new();
    loop {
        let issuers: Vec<(TrustDomain, Issuer)> = {
            let state = service.store.read();
            let own = state.federation().map(|f| (bridge_trust_domain(), f.issuer.clone()));
            let clusters = state.clusters();
            let clusters = clusters.map(|view| (trust_domain(view.name), view.issuer.clone()));
            own.into_iter().chain(clusters).collect()
        };
        if issuers != believed {
            let bundle = bundle_of(&issuers);
            if !bundle.is_empty() && bundle != *identity.bundle() {
                identity.set_bundle(bundle);
            }
            believed = issuers;
        }
        if revision.changed().await.is_err() {
            return;
        }
        revision.borrow_and_update();
    }
}

fn bundle_of(issuers: &[(TrustDomain, Issuer)]) -> TrustBundle {
    let mut bundle = TrustBundle::default();
    for (domain, issuer) in issuers {
        let added = authority::anchor(domain, issuer).map(|anchor| bundle.insert(domain, &anchor));
        if !matches!(added, Ok(Ok(()))) {
            tracing::error!(%domain, "the issuer in the state cannot be used");
        }
    }
    bundle
}

impl Service {
    /// A member certifies itself: it holds the key that opens the issuer.
    fn renew_own(&self, csr: &[u8]) -> Result<Credentials, rialto_types::error::Problem> {
        let id = SpiffeId::part(&bridge_trust_domain(), Role::Member, &self.id);
        self.certify(&id, csr)
    }
}

struct BridgeAdmin {
    service: Arc<Service>,
}

impl Admin for BridgeAdmin {
    fn pending(&self) -> Vec<String> {
        let status = self.service.raft.status().borrow().clone();
        let mut pending = Vec::new();
        if status.leader.is_none() {
            pending.push("a leader".to_string());
        }
        if status.role == RaftRole::Learner {
            pending.push("promotion from learner to member".to_string());
        }
        if self.service.store.read().federation().is_none() {
            pending.push("the federation's state".to_string());
        }
        // Whoever joins is told where the members are.
        if self.service.members.all().is_empty() {
            pending.push("the list of members".to_string());
        }
        pending
    }

    fn metrics(&self) -> String {
        let status = self.service.raft.status().borrow().clone();
        let figures = RaftFigures {
            term: status.term,
            applied: status.applied,
            commit: status.commit,
            is_leader: status.role == RaftRole::Leader,
        };
        self.service.metrics.text(figures)
    }

    fn debug(&self) -> serde_json::Value {
        let state = self.service.store.read();
        let members: Vec<String> =
            state.members().map(|member| format!("{} {}", member.name, member.address)).collect();
        serde_json::json!({
            "revision": state.revision(),
            "members": members,
            "observed": self.service.own_report(),
        })
    }
}
