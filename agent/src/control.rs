//! The agent as a whole: identity, listeners, the parts and their end.
//!
//! ```text
//!   provider, checks ─▶ documents ─┬─▶ table ──▶ feed ──▶ gateways, DNS proxies
//!                          ▲       └─▶ report, summaries ──▶ link ──▶ bridge
//!                          └── gateways that come and go ── feed
//! ```

use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::Context;
use prometheus_client::registry::Registry;
use rialto_types::cluster::{Joiner, trust_domain};
use rialto_types::id::Role;
use rialto_types::limits;
use rialto_wire::admin::{self, Admin};
use rialto_wire::bridges::Bridges;
use rialto_wire::enroll::{self, Contacts, Enrolled, Folder};
use rialto_wire::grpc::control_client::ControlClient;
use rialto_wire::grpc::{IssueRequest, status_problem};
use rialto_wire::identity::{self, Clients, Expected, Identity, token};
use rialto_wire::transport;
use tokio::net::{TcpListener, UnixListener};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tonic::transport::Channel;

use crate::check;
use crate::config::{Config, RegistrySource};
use crate::documents::{Core, Inputs, Loop, Outputs, Published};
use crate::feed::Feed;
use crate::fold::Fold;
use crate::link;
use crate::metrics::Metrics;
use crate::provider::kubernetes::Kubernetes;
use crate::provider::static_file::StaticFile;

mod in_cluster;

use in_cluster::{InCluster, enter};

/// Runs an agent until `stop`.
pub async fn run(config: Config, stop: CancellationToken) -> anyhow::Result<()> {
    config.check()?;
    let listeners = Listeners::bind(&config).await?;
    let folder = Folder::new(config.data_folder.join("identity"));
    let in_cluster = match &config.registry {
        RegistrySource::Static(_) => None,
        RegistrySource::Kubernetes(settings) => Some(InCluster::new(settings)?),
    };
    let entering = enter(&config, &folder, in_cluster.as_ref());
    let (enrolled, election) = tokio::select! {
        entered = entering => entered?,
        () = stop.cancelled() => return Ok(()),
    };
    let identity = Identity::new(enrolled.svid, enrolled.bundle);
    let mut tasks = JoinSet::new();
    if let (Some(parts), Some(election)) = (&in_cluster, election) {
        parts.start(&mut tasks, election, &folder, &identity);
    }
    let joined = Joined { identity, contacts: enrolled.contacts, folder, in_cluster };
    Agent::start(&config, listeners, joined, tasks, &stop)?.run_until(stop).await
}

/// What an agent has when it has joined.
struct Joined {
    identity: Identity,
    contacts: Contacts,
    folder: Folder,
    in_cluster: Option<InCluster>,
}

/// An agent that has its identity and serves.
struct Agent {
    /// Each runs for ever; one that ends ends the agent, and its name says which.
    tasks: JoinSet<&'static str>,
    serving: JoinSet<()>,
    /// The open streams of gateways and DNS proxies.
    streams: TaskTracker,
}

impl Agent {
    fn start(
        config: &Config,
        listeners: Listeners,
        joined: Joined,
        tasks: JoinSet<&'static str>,
        stop: &CancellationToken,
    ) -> anyhow::Result<Self> {
        let Joined { identity, contacts, folder, in_cluster } = joined;
        let cluster = contacts.cluster.clone().context("the identity is of no cluster")?;
        let (id, listen, admin) = (identity.id(), listeners.address, listeners.admin.local_addr()?);
        tracing::info!(%cluster, %id, %listen, %admin, "agent is up");
        // Agents spread over the members.
        let first = rand::random_range(0..limits::MEMBERS_MAX);
        let bridges = Bridges::new(identity.clone(), folder.clone(), contacts.clone(), first);
        let epoch = identity::now().unix_ms;
        let metrics = Arc::new(Metrics::default());
        let (outputs, published) = Outputs::new();
        let (check_sender, check_results) = mpsc::channel(limits::AGENT_EVENTS_MAX);
        let (gateway_sender, gateway_events) = mpsc::channel(limits::AGENT_EVENTS_MAX);
        let inputs = Inputs { check_results, gateway_events };
        let fold = Fold::new(cluster.clone(), epoch);
        let core = Core::new(config, fold, inputs, metrics.clone(), outputs);
        let control = Arc::new(Control::new(identity.clone(), metrics.clone(), published.clone()));

        let mut agent = Self { tasks, serving: JoinSet::new(), streams: TaskTracker::new() };
        let tasks = &mut agent.tasks;
        start_loop(tasks, &config.registry, in_cluster.as_ref(), core);
        let (found, findings) = watch::channel(Vec::new());
        if let Some(parts) = &in_cluster {
            parts.start_examiner(tasks, published.unaddressed.clone(), found);
            parts.start_imports(tasks, &bridges, config, published.virtual_ips.clone());
        }
        spawn(tasks, "the health checks", check::run(published.wanted.clone(), check_sender));
        let state = control.link.clone();
        let sources = published.sources(config.id.clone(), epoch, findings);
        spawn(tasks, "the link to the bridge", link::run(bridges.clone(), sources, state));
        spawn(tasks, "the admin listener", serve_admin(listeners.admin, control));
        let issuing = bridges.clone();
        let issue = move |csr| issue_own(issuing.channel(), csr);
        let renewal = enroll::keep_renewed(identity.clone(), folder, contacts, issue);
        spawn(tasks, "the renewal of certificates", renewal);

        let feed = Feed {
            domain: trust_domain(&cluster),
            cluster,
            user: listeners.user,
            reviewer: in_cluster.as_ref().map(|parts| parts.reviewer.clone()),
            address: config.advertise.clone().unwrap_or_else(|| listeners.address.to_string()),
            bridge: Arc::new(move || bridges.channel()),
            table: published.table,
            events: gateway_sender,
            streams: agent.streams.clone(),
            metrics,
        };
        let clients = match &in_cluster {
            Some(_) => Clients::Optional(Expected::Anyone),
            None => Clients::Required(Expected::Anyone),
        };
        let (local_routes, routes) = (feed.local_routes(), feed.routes());
        let local = transport::serve_local(listeners.local, local_routes, stop.clone());
        agent.serving.spawn(local);
        let tls = transport::serve(listeners.tls, identity, clients, routes, stop.clone());
        agent.serving.spawn(tls);
        Ok(agent)
    }

    async fn run_until(mut self, stop: CancellationToken) -> anyhow::Result<()> {
        let failed = tokio::select! {
            // First: the servers end by the same word, and with them the loop that they feed.
            biased;
            () = stop.cancelled() => None,
            Some(ended) = self.tasks.join_next() => Some(ended),
        };
        // Ends the streams of gateways and DNS proxies, which would otherwise use up the grace.
        self.tasks.shutdown().await;
        if failed.is_none() {
            while self.serving.join_next().await.is_some() {}
            self.streams.close();
            self.streams.wait().await;
        }
        tracing::info!("agent has stopped");
        match failed {
            None => Ok(()),
            Some(Ok(part)) => anyhow::bail!("{part} ended"),
            Some(Err(error)) => Err(error).context("a part of the agent panicked"),
        }
    }
}

fn start_loop(
    tasks: &mut JoinSet<&'static str>,
    source: &RegistrySource,
    parts: Option<&InCluster>,
    core: Core,
) {
    const NAME: &str = "the agent's loop";
    match (source, parts) {
        (RegistrySource::Static(path), _) => {
            spawn(tasks, NAME, Loop { provider: StaticFile::new(path), core }.run());
        }
        (RegistrySource::Kubernetes(_), Some(parts)) => {
            let provider = Kubernetes::new(&parts.api, parts.home(), parts.exports.clone());
            spawn(tasks, NAME, Loop { provider, core }.run());
        }
        (RegistrySource::Kubernetes(_), None) => unreachable!("made from the same setting"),
    }
}

fn spawn(
    tasks: &mut JoinSet<&'static str>,
    name: &'static str,
    part: impl Future<Output = ()> + Send + 'static,
) {
    tasks.spawn(async move {
        part.await;
        name
    });
}

async fn serve_admin(listener: TcpListener, control: Arc<Control>) {
    if let Err(error) = admin::serve(listener, control).await {
        tracing::error!(%error, "the admin endpoints ended");
    }
}

struct Listeners {
    local: UnixListener,
    tls: TcpListener,
    address: SocketAddr,
    admin: TcpListener,
    /// The user whom the socket's file belongs to: our own.
    user: u32,
}

impl Listeners {
    async fn bind(config: &Config) -> anyhow::Result<Self> {
        use std::os::unix::fs::{MetadataExt, PermissionsExt};
        let socket = &config.socket;
        let on_socket = || format!("cannot listen on the socket `{}`", socket.display());
        if let Some(folder) = socket.parent() {
            std::fs::create_dir_all(folder).with_context(on_socket)?;
        }
        let local = transport::bind_local(socket)
            .with_context(on_socket)
            .context("is another agent running on this machine?")?;
        let private = std::fs::Permissions::from_mode(0o600);
        std::fs::set_permissions(socket, private).with_context(on_socket)?;
        let user = std::fs::metadata(socket).with_context(on_socket)?.uid();
        let tls = TcpListener::bind(config.listen)
            .await
            .with_context(|| format!("cannot listen on `{}`", config.listen))?;
        let admin = TcpListener::bind(config.admin)
            .await
            .with_context(|| format!("cannot listen on the admin address `{}`", config.admin))?;
        let address = tls.local_addr()?;
        Ok(Self { local, tls, address, admin, user })
    }
}

/// The identity kept from before, or the one that the join token brings.
async fn join(config: &Config, folder: &Folder) -> anyhow::Result<Enrolled> {
    let kept = folder.load().context("the identity cannot be loaded")?;
    let is_ours = |kept: &Enrolled| {
        kept.svid.id().as_part().is_some_and(|(role, id)| role == Role::Agent && id == config.id)
    };
    let expired = match kept {
        Some(kept) if is_ours(&kept) && !kept.svid.is_expired(identity::now()) => return Ok(kept),
        Some(kept) => format!(" (the one of `{}` cannot be used any more)", kept.svid.id()),
        None => String::new(),
    };
    let Some(path) = &config.token_file else {
        anyhow::bail!(
            "this agent has no identity{expired} and no join token; make one with \
             `rialto join token --cluster NAME` and give its file as `--token-file`"
        );
    };
    let text = std::fs::read_to_string(path)
        .with_context(|| format!("cannot read the join token in `{}`", path.display()))?;
    let token = token::decode(&text).context("the join token cannot be used")?;
    anyhow::ensure!(
        token.role == Joiner::Agent,
        "the join token is for a {}, not for an agent; make one with \
         `rialto join token --cluster NAME`",
        token.role
    );
    let redeemed = enroll::redeem(&token, &config.id, "").await;
    let (enrolled, _) = redeemed.context("the join token was not redeemed")?;
    folder.store(&enrolled).context("the new identity cannot be kept")?;
    tracing::info!(id = %enrolled.svid.id(), "joined the federation");
    Ok(enrolled)
}

async fn issue_own(
    bridge: Channel,
    csr: Vec<u8>,
) -> Result<rialto_wire::grpc::Credentials, rialto_types::error::Problem> {
    let request = IssueRequest { certificate_request: csr.into(), ..IssueRequest::default() };
    let issued = ControlClient::new(bridge).issue(request).await;
    issued.map(tonic::Response::into_inner).map_err(|status| status_problem(&status))
}

/// What the admin endpoints show.
struct Control {
    identity: Identity,
    metrics: Arc<Metrics>,
    registry: Registry,
    published: Published,
    link: watch::Sender<link::State>,
}

impl Control {
    fn new(identity: Identity, metrics: Arc<Metrics>, published: Published) -> Self {
        let mut registry = Registry::default();
        metrics.register(&identity, &mut registry);
        Self { identity, metrics, registry, published, link: watch::Sender::default() }
    }
}

impl Admin for Control {
    fn pending(&self) -> Vec<String> {
        let mut pending = self.published.faults.borrow().clone();
        if self.published.table.borrow().is_none() {
            pending.push("a first good look at the registry".into());
        }
        let link = self.link.borrow();
        if link.committed.is_none() {
            let problem = link.problem.as_deref().unwrap_or("no session yet");
            pending.push(format!("the bridge to take the first report: {problem}"));
        }
        pending
    }

    fn metrics(&self) -> String {
        let link = self.link.borrow();
        self.metrics.connected.set(i64::from(link.connected));
        self.metrics.committed_revision.set(link.committed.unwrap_or(0));
        admin::encode_metrics(&self.registry)
    }

    fn debug(&self) -> serde_json::Value {
        let link = self.link.borrow().clone();
        serde_json::json!({
            "identity": self.identity.id(),
            "certificateUntil": self.identity.svid().not_after(),
            "bridge": {
                "connected": link.connected,
                "committed": link.committed,
                "problem": link.problem,
            },
            "faults": *self.published.faults.borrow(),
            "table": self.published.table.borrow().as_deref(),
        })
    }
}

#[cfg(test)]
mod tests;
