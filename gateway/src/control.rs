//! The gateway's control side: identity, subscriptions, admin endpoints, and its end.
//!
//! ```text
//!   agent socket ─> identity ──────────────┐
//!   bridge ─> snapshot ─> anchors, worker  ├─> worker thread (data path)
//!   agent  ─> local table ───> worker      │
//!   admin  <─ metrics, readiness <─────────┘
//! ```
//!
//! Runs on the process's multi-thread runtime; the data path does not.

use std::collections::BTreeSet;
use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use base64::Engine;
use futures::FutureExt;
use prometheus_client::registry::Registry;
use rialto_types::api::{ExplainRequest, Explanation};
use rialto_types::cluster::{bridge_trust_domain, trust_domain};
use rialto_types::error::{Chain, Code, Problem};
use rialto_types::id::{ClusterName, Role, TrustDomain};
use rialto_types::limits;
use rialto_types::local::LocalTable;
use rialto_types::snapshot::Snapshot;
use rialto_types::traffic::Report;
use rialto_wire::admin::{self, Admin};
use rialto_wire::bridges::Bridges;
use rialto_wire::enroll::{self, Contacts, Folder};
use rialto_wire::identity::{Expected, Identity, TrustBundle};
use rialto_wire::subscribe::{self, Dial, Receiver, TableConfig};
use rialto_wire::transport;
use tokio::net::TcpListener;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior, interval_at};
use tokio_util::sync::CancellationToken;

use crate::access_log::AccessLog;
use crate::config::{AccessLogTarget, Config};
use crate::metrics::Metrics;
use crate::traffic::Outbox;
use crate::worker::{self, Command, Start, Tables};

/// Runs a gateway until `stop`, then drains it.
pub async fn run(config: Config, stop: CancellationToken) -> anyhow::Result<()> {
    let starting = Gateway::start(config);
    let gateway = tokio::select! {
        gateway = starting => gateway?,
        () = stop.cancelled() => return Ok(()),
    };
    gateway.run_until(stop).await
}

/// A gateway that has its identity and serves.
pub struct Gateway {
    drain_time_max: Duration,
    admin: SocketAddr,
    worker: worker::Handle,
    log_thread: LogThread,
    tasks: JoinSet<&'static str>,
}

impl fmt::Debug for Gateway {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Gateway").field("admin", &self.admin).finish_non_exhaustive()
    }
}

impl Gateway {
    /// Waits for the agent only if there is no identity yet.
    pub async fn start(config: Config) -> anyhow::Result<Self> {
        config.check()?;
        let folder = Folder::new(config.data_folder.join("identity"));
        let (id, introducer) = (config.id()?.clone(), config.introducer()?);
        let enrolled = enroll::through_agent(&folder, introducer, Role::Gateway, &id)
            .await
            .context("no identity for this gateway")?;
        let contacts = enrolled.contacts;
        let cluster = contacts.cluster.clone().context("the identity is of no cluster")?;
        let identity = Identity::new(enrolled.svid, enrolled.bundle);
        let admin = TcpListener::bind(config.admin)
            .await
            .with_context(|| format!("cannot listen on the admin address {}", config.admin))?;
        let admin_address = admin.local_addr().context("the admin listener has no address")?;

        let metrics = Arc::new(Metrics::default());
        let (access_log, log_thread) = open_access_log(&config.access_log)?;
        let (worker, address) = worker::start(Start {
            gateway: id.clone(),
            identity: identity.clone(),
            carrier: config.carrier(&metrics.strays),
            capture: config.capture,
            tables: Tables::empty(cluster.clone()),
            metrics: Arc::clone(&metrics),
            access_log,
        })
        .await?;
        tracing::info!(%address, admin = %admin_address, gateway = %id, %cluster, "gateway is up");

        let control = Arc::new(Control::new(&cluster, identity, worker.commands.clone(), metrics));
        let mut tasks = JoinSet::new();
        let table = subscribe::restore_table(&config.data_folder, &*control).await;
        start_tasks(&mut tasks, &control, &config, contacts, folder, table);
        tasks.spawn(async move {
            if let Err(error) = admin::serve(admin, control).await {
                tracing::error!(%error, "the admin endpoints ended");
            }
            "the admin listener"
        });
        let drain_time_max = config.drain_time_max;
        Ok(Self { drain_time_max, admin: admin_address, worker, log_thread, tasks })
    }

    pub fn admin_address(&self) -> SocketAddr {
        self.admin
    }

    /// Serves until `stop`, then takes nothing new and waits for what is open.
    pub async fn run_until(mut self, stop: CancellationToken) -> anyhow::Result<()> {
        let failed = tokio::select! {
            () = stop.cancelled() => None,
            Some(ended) = self.tasks.join_next() => Some(ended),
        };
        tracing::info!("gateway is draining");
        let within = self.drain_time_max;
        // The channel is closed only if the worker's thread has ended.
        let _ = self.worker.commands.send(Command::Stop { within }).await;
        self.worker.ended().await;
        self.tasks.shutdown().await;
        if let Some(thread) = self.log_thread {
            // It ends with the last record; a panic in it was printed.
            let _ = tokio::task::spawn_blocking(move || thread.join()).await;
        }
        tracing::info!("gateway has stopped");
        match failed {
            None => Ok(()),
            Some(Ok(part)) => anyhow::bail!("{part} ended"),
            Some(Err(error)) => Err(error).context("a part of the gateway panicked"),
        }
    }
}

type LogThread = Option<std::thread::JoinHandle<()>>;

fn open_access_log(target: &AccessLogTarget) -> anyhow::Result<(AccessLog, LogThread)> {
    let output: Box<dyn std::io::Write + Send> = match target {
        AccessLogTarget::Off => return Ok((AccessLog::off(), None)),
        AccessLogTarget::Stdout => Box::new(std::io::stdout()),
        AccessLogTarget::File(path) => Box::new(
            std::fs::OpenOptions::new()
                .create(true)
                .append(true)
                .open(path)
                .with_context(|| format!("cannot open the access log `{}`", path.display()))?,
        ),
    };
    let (log, thread) = AccessLog::start(output).context("cannot start the access log")?;
    Ok((log, Some(thread)))
}

/// Each task runs for ever; one that ends ends the gateway, and its name says which.
fn start_tasks(
    tasks: &mut JoinSet<&'static str>,
    control: &Arc<Control>,
    config: &Config,
    contacts: Contacts,
    folder: Folder,
    held: Option<Arc<LocalTable>>,
) {
    let identity = control.identity.clone();
    let agent = Expected::Part { domain: control.own.clone(), role: Role::Agent };
    let start = rand::random_range(0..limits::MEMBERS_MAX);
    let bridges = Bridges::new(identity.clone(), folder.clone(), contacts.clone(), start);
    let local = contacts.agent.iter().cloned().collect();
    let local = transport::connect(local, &identity, agent);

    let snapshot = subscribe::Config { bridges, folder: config.data_folder.clone() };
    let receiver = Arc::clone(control);
    tasks.spawn(async move {
        let state = receiver.snapshot_state.clone();
        subscribe::follow_snapshot(snapshot, receiver, state).await;
        "the snapshot subscription"
    });
    let table = TableConfig {
        dial: dial(local.clone()),
        folder: config.data_folder.clone(),
        advertise: config.advertised(),
    };
    let receiver = Arc::clone(control);
    tasks.spawn(async move {
        let connected = receiver.agent_connected.clone();
        subscribe::follow_table(table, held, receiver, connected).await;
        "the local table's subscription"
    });
    let watching = Arc::clone(control);
    tasks.spawn(async move {
        watching.follow_identity().await;
        "the watch on the identity"
    });
    let counting = Arc::clone(control);
    tasks.spawn(async move {
        counting.report_traffic().await;
        "the report of traffic"
    });
    tasks.spawn(async move {
        let issue = |csr| enroll::renew_at_agent(local.clone(), csr);
        enroll::keep_renewed(identity, folder, contacts, issue).await;
        "the renewal of certificates"
    });
}

fn dial(channel: tonic::transport::Channel) -> Dial {
    // The channel connects by itself, to the next address after each loss.
    Arc::new(move || std::future::ready(Ok(channel.clone())).boxed())
}

/// What the subscriptions feed and the admin endpoints show.
struct Control {
    /// The own cluster's trust domain.
    own: TrustDomain,
    identity: Identity,
    commands: mpsc::Sender<Command>,
    metrics: Arc<Metrics>,
    registry: Registry,
    snapshot_state: watch::Sender<subscribe::State>,
    agent_connected: watch::Sender<bool>,
    has_table: watch::Sender<bool>,
    /// The anchors of other clusters, as the snapshot in service has them.
    anchors: watch::Sender<Vec<(TrustDomain, Vec<u8>)>>,
    /// What the bridge is to be told of traffic.
    traffic: Outbox,
}

impl Receiver for Control {
    async fn apply(&self, snapshot: Arc<Snapshot>) -> Result<(), String> {
        let anchors = read_anchors(&snapshot, &self.own)?;
        let index = i64::try_from(snapshot.revision.index).unwrap_or(i64::MAX);
        self.anchors.send_replace(anchors);
        self.merge_anchors();
        self.command(|done| Command::Snapshot { snapshot, done }).await?;
        self.metrics.snapshot_index.set(index);
        Ok(())
    }

    async fn apply_table(&self, table: Arc<LocalTable>) {
        if self.command(|done| Command::Table { table, done }).await.is_ok() {
            self.has_table.send_replace(true);
        }
    }

    async fn explain(&self, request: ExplainRequest) -> Result<Explanation, Problem> {
        self.command(|answer| Command::Explain { request, answer })
            .await
            .map_err(|error| Problem::new(Code::Internal, error))
    }

    async fn next_traffic(&self) -> Report {
        self.traffic.take().await
    }
}

impl Control {
    fn new(
        cluster: &ClusterName,
        identity: Identity,
        commands: mpsc::Sender<Command>,
        metrics: Arc<Metrics>,
    ) -> Self {
        let mut registry = Registry::default();
        metrics.register(&identity, &mut registry);
        Self {
            own: trust_domain(cluster),
            identity,
            commands,
            metrics,
            registry,
            snapshot_state: watch::Sender::default(),
            agent_connected: watch::Sender::default(),
            has_table: watch::Sender::default(),
            anchors: watch::Sender::default(),
            traffic: Outbox::default(),
        }
    }

    async fn command<T>(
        &self,
        make: impl FnOnce(oneshot::Sender<T>) -> Command,
    ) -> Result<T, String> {
        let (done, answer) = oneshot::channel();
        let gone = || "the gateway is stopping".to_owned();
        self.commands.send(make(done)).await.map_err(|_| gone())?;
        answer.await.map_err(|_| gone())
    }

    /// Believes the bridge and the own cluster by the identity's own word, every other cluster by
    /// the snapshot's. Returns whether anything changed.
    fn merge_anchors(&self) -> bool {
        let present = self.identity.bundle();
        let mut merged = TrustBundle::default();
        for domain in [&bridge_trust_domain(), &self.own] {
            for anchor in present.anchors(domain) {
                insert(&mut merged, domain, anchor.der());
            }
        }
        for (domain, der) in self.anchors.borrow().iter() {
            insert(&mut merged, domain, der);
        }
        let changed = fingerprints(&present) != fingerprints(&merged);
        if changed {
            self.identity.set_bundle(merged);
        }
        changed
    }

    /// Takes from the worker what it counted, every two seconds.
    async fn report_traffic(&self) {
        let mut ticks = interval_at(Instant::now() + limits::TRAFFIC_STEP, limits::TRAFFIC_STEP);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            match self.command(|answer| Command::Traffic { answer }).await {
                Ok(report) => self.traffic.put(report),
                // The gateway is stopping.
                Err(_) => std::future::pending().await,
            }
        }
    }

    /// Passes changes of certificate and anchors on to the worker.
    async fn follow_identity(&self) {
        let mut changes = self.identity.watch();
        let mut certificate = self.identity.svid().not_after();
        while changes.changed().await.is_ok() {
            // A renewal brings a bundle of its own, without the snapshot's anchors.
            self.merge_anchors();
            let renewed = self.identity.svid().not_after();
            let command = if renewed == certificate { Command::Recheck } else { Command::Renew };
            certificate = renewed;
            if self.commands.send(command).await.is_err() {
                std::future::pending::<()>().await;
            }
        }
    }
}

fn insert(bundle: &mut TrustBundle, domain: &TrustDomain, der: &[u8]) {
    if let Err(error) = bundle.insert(domain, der) {
        tracing::warn!(%domain, error = %Chain(&error), "an anchor of the snapshot cannot be used");
    }
}

fn fingerprints(bundle: &TrustBundle) -> BTreeSet<(TrustDomain, String)> {
    let of = |domain: &TrustDomain| {
        let anchors = bundle.anchors(domain).iter();
        anchors.map(|anchor| (domain.clone(), anchor.fingerprint().to_string())).collect::<Vec<_>>()
    };
    bundle.domains().flat_map(of).collect()
}

fn read_anchors(
    snapshot: &Snapshot,
    own: &TrustDomain,
) -> Result<Vec<(TrustDomain, Vec<u8>)>, String> {
    let mut anchors = Vec::new();
    for entry in snapshot.clusters.values().filter(|entry| entry.trust_domain != *own) {
        for anchor in &entry.anchors {
            let der = base64::engine::general_purpose::STANDARD
                .decode(anchor)
                .map_err(|error| format!("an anchor of cluster `{}`: {error}", entry.name))?;
            anchors.push((entry.trust_domain.clone(), der));
        }
    }
    Ok(anchors)
}

impl Admin for Control {
    fn pending(&self) -> Vec<String> {
        let mut pending = Vec::new();
        if self.snapshot_state.borrow().revision.is_none() {
            pending.push("a first snapshot from the bridge".into());
        }
        if !*self.has_table.borrow() {
            pending.push("a first local table from the agent".into());
        }
        if self.commands.is_closed() {
            pending.push("the worker, whose thread has ended".into());
        }
        pending
    }

    fn metrics(&self) -> String {
        admin::encode_metrics(&self.registry)
    }

    fn debug(&self) -> serde_json::Value {
        let (answer, inspected) = std::sync::mpsc::sync_channel(1);
        let asked = self.commands.try_send(Command::Inspect { answer });
        let worker = asked
            .ok()
            .and_then(|()| {
                let wait = || inspected.recv_timeout(limits::INSPECT_TIME_MAX).ok();
                tokio::task::block_in_place(wait)
            })
            .unwrap_or_default();
        let state = self.snapshot_state.borrow();
        serde_json::json!({
            "identity": self.identity.id(),
            "certificateUntil": self.identity.svid().not_after(),
            "bridge": {
                "connected": state.connected,
                "fromDisk": state.from_disk,
                "revision": state.revision,
                "problem": state.problem,
            },
            "agent": { "connected": *self.agent_connected.borrow() },
            "worker": worker,
        })
    }
}

#[cfg(test)]
mod tests;
