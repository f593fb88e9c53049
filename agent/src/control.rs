//! The agent as a whole: identity, registry, checks, documents, listeners, and its end.
//!
//! ```text
//!   provider ─┐                    ┌─▶ checks (wanted)
//!   checks ───┼─▶ loop: Fold ──────┼─▶ table ──▶ feed ──▶ gateways, DNS proxies
//!   gateways ─┘                    └─▶ report, summaries ──▶ link ──▶ bridge
//! ```

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context;
use futures::FutureExt;
use prometheus_client::registry::Registry;
use rialto_types::cluster::trust_domain;
use rialto_types::id::{InstanceId, Role, Timestamp};
use rialto_types::limits;
use rialto_types::local::{EndpointHealth, LocalTable};
use rialto_types::report::HealthSummary;
use rialto_wire::admin::{self, Admin};
use rialto_wire::bridges::Bridges;
use rialto_wire::enroll::{self, Contacts, Enrolled, Folder};
use rialto_wire::grpc::control_client::ControlClient;
use rialto_wire::grpc::{IssueRequest, Table, status_problem};
use rialto_wire::identity::{self, Clients, Expected, Identity, file, token};
use rialto_wire::transport;
use tokio::net::{TcpListener, UnixListener};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tonic::transport::Channel;

use crate::check::{self, Wanted};
use crate::config::{Config, RegistrySource};
use crate::feed::{self, Encoded, Feed};
use crate::fold::{Fold, Numbered, Target};
use crate::gateways::Gateways;
use crate::link;
use crate::metrics::Metrics;
use crate::provider::kubernetes::Kubernetes;
use crate::provider::static_file::StaticFile;
use crate::provider::{self, Provider};

mod in_cluster;

use in_cluster::{InCluster, enter};

/// Runs an agent until `stop`.
pub async fn run(config: Config, stop: CancellationToken) -> anyhow::Result<()> {
    config.check()?;
    let listeners = Listeners::bind(&config).await?;
    let folder = Folder::new(config.data_folder.join("identity"));
    let cluster_parts = match &config.registry {
        RegistrySource::Static(_) => None,
        RegistrySource::Kubernetes(settings) => Some(InCluster::new(settings)?),
    };
    let entering = enter(&config, &folder, cluster_parts.as_ref());
    let (enrolled, election) = tokio::select! {
        entered = entering => entered?,
        () = stop.cancelled() => return Ok(()),
    };
    let cluster = enrolled.contacts.cluster.clone().context("the identity is of no cluster")?;
    let identity = Identity::new(enrolled.svid, enrolled.bundle);
    let (id, listen, admin) = (identity.id(), listeners.address, listeners.admin.local_addr()?);
    tracing::info!(%cluster, %id, %listen, %admin, "agent is up");

    let metrics = Arc::new(Metrics::default());
    let mut registry = Registry::default();
    metrics.register(&mut registry);
    let epoch = unix_ms(identity::now());
    let (outputs, published) = Outputs::new();
    let control = Arc::new(Control {
        identity: identity.clone(),
        metrics: metrics.clone(),
        registry,
        published: published.clone(),
        link: watch::Sender::default(),
    });
    let (check_sender, check_results) = mpsc::channel(limits::AGENT_EVENTS_MAX);
    let (gateway_sender, gateway_events) = mpsc::channel(limits::AGENT_EVENTS_MAX);
    // Agents spread over the members.
    let first = rand::random_range(0..limits::MEMBERS_MAX);
    let contacts = enrolled.contacts.clone();
    let bridge = Bridges::new(identity.clone(), folder.clone(), contacts, first);
    let streams = TaskTracker::new();
    let to_bridge = bridge.clone();
    let feed = Feed {
        domain: trust_domain(&cluster),
        cluster: cluster.clone(),
        user: listeners.user,
        reviewer: cluster_parts.as_ref().map(|parts| parts.reviewer.clone()),
        address: config.advertise.clone().unwrap_or_else(|| listeners.address.to_string()),
        bridge: Arc::new(move || to_bridge.channel()),
        table: published.table.clone(),
        events: gateway_sender,
        streams: streams.clone(),
        metrics: metrics.clone(),
    };

    let mut tasks = JoinSet::new();
    let inputs = Inputs { check_results, gateway_events };
    let fold = Fold::new(cluster, epoch);
    let core = Core::new(&config, fold, inputs, metrics, outputs);
    start_loop(&mut tasks, &config.registry, cluster_parts.as_ref(), core);
    if let (Some(parts), Some(election)) = (&cluster_parts, election) {
        parts.start(&mut tasks, election, &folder, &identity);
    }
    let wanted = published.wanted.clone();
    tasks.spawn(async move {
        check::run(wanted, check_sender).await;
        "the health checks"
    });
    let sources = link::Sources {
        id: config.id.clone(),
        epoch,
        report: published.report.clone(),
        summaries: published.summaries.clone(),
    };
    start_tasks(&mut tasks, &control, sources, bridge, enrolled.contacts, folder, listeners.admin);
    let mut serving = JoinSet::new();
    let clients = match &cluster_parts {
        Some(_) => Clients::Optional(Expected::Anyone),
        None => Clients::Required(Expected::Anyone),
    };
    let (local_routes, routes) = (feed.local_routes(), feed.routes());
    drop(feed);
    serving.spawn(transport::serve_local(listeners.local, local_routes, stop.clone()));
    serving.spawn(transport::serve(listeners.tls, identity, clients, routes, stop.clone()));

    let failed = tokio::select! {
        () = stop.cancelled() => None,
        Some(ended) = tasks.join_next() => Some(ended),
    };
    // Ends the streams of gateways and DNS proxies, which would otherwise use up the grace.
    tasks.shutdown().await;
    if failed.is_none() {
        while serving.join_next().await.is_some() {}
        streams.close();
        streams.wait().await;
    }
    tracing::info!("agent has stopped");
    match failed {
        None => Ok(()),
        Some(Ok(part)) => anyhow::bail!("{part} ended"),
        Some(Err(error)) => Err(error).context("a part of the agent panicked"),
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
            let looping = Loop { provider: StaticFile::new(path), core };
            tasks.spawn(looping.run().map(|()| NAME));
        }
        (RegistrySource::Kubernetes(_), Some(parts)) => {
            let provider = Kubernetes::new(&parts.api, parts.namespace.clone());
            tasks.spawn(Loop { provider, core }.run().map(|()| NAME));
        }
        (RegistrySource::Kubernetes(_), None) => unreachable!("made from the same setting"),
    }
}

/// Each task runs for ever; one that ends ends the agent, and its name says which.
fn start_tasks(
    tasks: &mut JoinSet<&'static str>,
    control: &Arc<Control>,
    sources: link::Sources,
    bridge: Bridges,
    contacts: Contacts,
    folder: Folder,
    admin: TcpListener,
) {
    let showing = control.clone();
    tasks.spawn(async move {
        if let Err(error) = admin::serve(admin, showing).await {
            tracing::error!(%error, "the admin endpoints ended");
        }
        "the admin listener"
    });
    let (state, channel) = (control.link.clone(), bridge.clone());
    tasks.spawn(async move {
        link::run(channel, sources, state).await;
        "the link to the bridge"
    });
    let identity = control.identity.clone();
    tasks.spawn(async move {
        let issue = |csr| issue_own(bridge.channel(), csr);
        enroll::keep_renewed(identity, folder, contacts, issue).await;
        "the renewal of certificates"
    });
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
    let text = match (&config.token, &config.token_file) {
        (Some(token), _) => token.0.clone(),
        (None, Some(path)) => std::fs::read_to_string(path)
            .with_context(|| format!("cannot read the join token in `{}`", path.display()))?,
        (None, None) => anyhow::bail!(
            "this agent has no identity{expired} and no join token; make one with \
             `rialto join token CLUSTER` and give it as `tokenFile`"
        ),
    };
    let token = token::decode(&text).context("the join token cannot be used")?;
    anyhow::ensure!(
        token.role == Role::Agent,
        "the join token is for a {}, not for an agent; make one with `rialto join token CLUSTER`",
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

/// What the loop gives away.
struct Outputs {
    table: watch::Sender<Encoded>,
    plain: watch::Sender<Option<Arc<LocalTable>>>,
    report: watch::Sender<Option<Numbered>>,
    summaries: watch::Sender<Arc<Vec<HealthSummary>>>,
    wanted: watch::Sender<Wanted>,
    faults: watch::Sender<Vec<String>>,
}

/// Where it is read.
#[derive(Clone)]
struct Published {
    table: watch::Receiver<Encoded>,
    plain: watch::Receiver<Option<Arc<LocalTable>>>,
    report: watch::Receiver<Option<Numbered>>,
    summaries: watch::Receiver<Arc<Vec<HealthSummary>>>,
    wanted: watch::Receiver<Wanted>,
    /// What is wrong with the registry as it stands.
    faults: watch::Receiver<Vec<String>>,
}

impl Outputs {
    fn new() -> (Self, Published) {
        let (table, table_read) = watch::channel(None);
        let (plain, plain_read) = watch::channel(None);
        let (report, report_read) = watch::channel(None);
        let (summaries, summaries_read) = watch::channel(Arc::default());
        let (wanted, wanted_read) = watch::channel(Arc::default());
        let (faults, faults_read) = watch::channel(Vec::new());
        let published = Published {
            table: table_read,
            plain: plain_read,
            report: report_read,
            summaries: summaries_read,
            wanted: wanted_read,
            faults: faults_read,
        };
        (Self { table, plain, report, summaries, wanted, faults }, published)
    }
}

/// What the loop hears, besides its registry.
struct Inputs {
    check_results: mpsc::Receiver<(Target, EndpointHealth)>,
    gateway_events: mpsc::Receiver<feed::Event>,
}

/// The task that owns the documents.
struct Loop<P> {
    provider: P,
    core: Core,
}

/// What it is made of, whatever its registry is.
struct Core {
    inputs: Inputs,
    fold: Fold,
    gateways: Gateways,
    gateways_file: PathBuf,
    metrics: Arc<Metrics>,
    outputs: Outputs,
}

enum Event {
    Registry(provider::Event),
    Checked(Target, EndpointHealth),
    Gateway(feed::Event),
    Due,
    Stop,
}

impl Core {
    fn new(
        config: &Config,
        fold: Fold,
        inputs: Inputs,
        metrics: Arc<Metrics>,
        outputs: Outputs,
    ) -> Self {
        let gateways_file = config.data_folder.join("gateways.json");
        let kept = kept_gateways(&gateways_file);
        let gateways = Gateways::restore(kept, std::time::Instant::now());
        Self { inputs, fold, gateways, gateways_file, metrics, outputs }
    }
}

impl<P: Provider> Loop<P> {
    async fn run(self) {
        let Self { mut provider, mut core } = self;
        core.fold.handle_gateways(core.gateways.addresses());
        loop {
            let due = core.gateways.poll_timeout();
            let event = tokio::select! {
                event = provider.next() => Event::Registry(event),
                checked = core.inputs.check_results.recv() => match checked {
                    Some((target, health)) => Event::Checked(target, health),
                    None => Event::Stop,
                },
                event = core.inputs.gateway_events.recv() => match event {
                    Some(event) => Event::Gateway(event),
                    None => Event::Stop,
                },
                () = sleep_until(due) => Event::Due,
            };
            match event {
                Event::Registry(event) => core.handle_registry(event),
                Event::Checked(target, health) => core.handle_check(target, health),
                Event::Gateway(event) => core.handle_gateway(event).await,
                Event::Due => {
                    core.gateways.handle_timeout(std::time::Instant::now());
                    core.take_gateways().await;
                }
                Event::Stop => return,
            }
            // Whatever else is ready goes into the same documents.
            while let Ok((target, health)) = core.inputs.check_results.try_recv() {
                core.handle_check(target, health);
            }
            core.publish();
        }
    }
}

impl Core {
    fn handle_registry(&mut self, event: provider::Event) {
        match event {
            provider::Event::Replaced(registry) => {
                let services = registry.services.len();
                tracing::info!(services, callers = registry.callers.len(), "registry read");
                self.metrics.count_registry_read("good");
                self.fold.handle_registry(registry);
                self.outputs.wanted.send_replace(Arc::new(self.fold.checks()));
                self.outputs.faults.send_replace(Vec::new());
            }
            provider::Event::Failed(faults) => {
                for fault in &faults {
                    tracing::error!(%fault, "the registry is not good; the last good one stays");
                }
                self.metrics.count_registry_read("bad");
                self.outputs.faults.send_replace(faults.iter().map(ToString::to_string).collect());
            }
        }
    }

    fn handle_check(&mut self, target: Target, health: EndpointHealth) {
        tracing::debug!(service = %target.service, address = %target.address, ?health, "checked");
        self.fold.handle_check(target, health);
    }

    async fn handle_gateway(&mut self, event: feed::Event) {
        match event {
            feed::Event::GatewayConnected { id, address } => {
                if !self.gateways.handle_connected(id.clone(), address) {
                    let limit = limits::GATEWAYS_PER_CLUSTER_MAX;
                    tracing::error!(%id, limit, "the cluster has too many gateways");
                    self.metrics.count_refused("gateways");
                }
            }
            feed::Event::GatewayGone { id } => {
                self.gateways.handle_gone(&id, std::time::Instant::now());
            }
        }
        self.take_gateways().await;
    }

    async fn take_gateways(&mut self) {
        let gateways = self.gateways.addresses();
        if gateways == *self.fold.gateways() {
            return;
        }
        self.metrics.gateways.set(i64::try_from(gateways.len()).unwrap_or(i64::MAX));
        let bytes = serde_json::to_vec(&gateways).expect("addresses are JSON");
        self.fold.handle_gateways(gateways);
        let path = self.gateways_file.clone();
        let write = move || file::write_private(&path, &bytes);
        if let Ok(Err(error)) = tokio::task::spawn_blocking(write).await {
            tracing::warn!(%error, "the gateways could not be kept for the next start");
        }
    }

    fn publish(&mut self) {
        let changed = self.fold.refresh();
        if changed.table
            && let Some(table) = self.fold.table()
        {
            self.metrics.set_endpoints(table);
            self.outputs.table.send_replace(Some(Arc::new(Table::of(table))));
            self.outputs.plain.send_replace(Some(table.clone()));
        }
        if changed.report
            && let Some(report) = self.fold.report()
        {
            self.metrics.report_revision.set(report.revision);
            self.outputs.report.send_replace(Some(report.clone()));
        }
        if changed.summaries {
            self.outputs.summaries.send_replace(Arc::new(self.fold.summaries().to_vec()));
        }
    }
}

async fn sleep_until(at: Option<std::time::Instant>) {
    match at {
        Some(at) => tokio::time::sleep_until(at.into()).await,
        None => std::future::pending().await,
    }
}

/// The gateways that an earlier agent saw. Without the file they come back by themselves, only the
/// other clusters would have to learn them again.
fn kept_gateways(path: &Path) -> BTreeMap<InstanceId, Option<SocketAddr>> {
    let bytes = file::read_private(path, limits::REST_BODY_BYTES_MAX as u64);
    bytes.ok().and_then(|bytes| serde_json::from_slice(&bytes).ok()).unwrap_or_default()
}

fn unix_ms(time: Timestamp) -> u64 {
    let ms = Timestamp::default().age(time).as_millis();
    u64::try_from(ms).unwrap_or(u64::MAX)
}

/// What the admin endpoints show.
struct Control {
    identity: Identity,
    metrics: Arc<Metrics>,
    registry: Registry,
    published: Published,
    link: watch::Sender<link::State>,
}

impl Admin for Control {
    fn pending(&self) -> Vec<String> {
        let mut pending = self.published.faults.borrow().clone();
        if self.published.plain.borrow().is_none() {
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
            "table": self.published.plain.borrow().as_deref(),
        })
    }
}

#[cfg(test)]
mod tests;
