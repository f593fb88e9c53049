//! One worker: a thread with its own runtime, listeners, tunnel endpoint and flows.
//!
//! ```text
//!   Command ──┐
//!   tick ─────┼──> run ──> tables, health, listeners, peers
//!   pool ─────┘                    │ read by
//!                     flows: relay (TCP), http1 (requests)
//! ```
//!
//! Shares nothing on the hot path. `Worker` is the handle by which flows ask for decisions, streams
//! and counters; every decision is `rialto-core`'s.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::rc::{Rc, Weak};
use std::sync::Arc;
use std::time::Duration;

use rialto_core::authorize;
use rialto_core::choose::{self, EndpointRequest, Excluded, Refusal};
use rialto_core::health::{self, Health, Notice, Outcome, Path, PeerRef};
use rialto_types::error::Chain;
use rialto_types::id::{ClusterName, InstanceId};
use rialto_types::limits;
use rialto_types::local::LocalTable;
use rialto_types::snapshot::Snapshot;
use rialto_wire::identity::{self, Expected, Identity};
use rustls::pki_types::CertificateDer;
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout, timeout_at};

use crate::access_log::AccessLog;
use crate::http1;
use crate::ingress::Listeners;
use crate::metrics::{Metrics, PeerEvent, PeerLabel, ReasonLabel, Side, SideLabel};
use crate::scratch::Scratch;
use crate::traffic::Traffic;
use crate::tunnel::ConnectionLost;
use crate::tunnel::header::Open;
use crate::tunnel::pool::{Event, OpenError, Opened, PeerId, Pool};
use crate::tunnel::quic::{BindError, Endpoint, Settings, Tls};

mod choice;
mod command;
mod run;
mod strangers;
mod streams;

use strangers::Strangers;
use streams::Stream;

pub use choice::{Ask, Chosen, Target, Tried};
pub use command::{Command, Handle, Start, StartError, start};

/// What flows decide by: both documents as they were at one moment.
#[derive(Debug, Clone)]
pub struct Tables {
    pub snapshot: Arc<Snapshot>,
    pub local: Arc<LocalTable>,
}

impl Tables {
    /// Nothing is exported and nobody is known.
    pub fn empty(cluster: ClusterName) -> Self {
        let local = LocalTable {
            cluster,
            epoch: 0,
            revision: 0,
            services: BTreeMap::new(),
            callers: Arc::default(),
        };
        Self { snapshot: Arc::default(), local: Arc::new(local) }
    }
}

/// Handle on the worker of this thread; clones are handles on the same one.
#[derive(Clone)]
pub struct Worker {
    inner: Rc<Inner>,
}

struct Inner {
    gateway: InstanceId,
    identity: Identity,
    tables: RefCell<Tables>,
    health: RefCell<Health>,
    pool: Pool,
    listeners: RefCell<Listeners>,
    metrics: Arc<Metrics>,
    access_log: AccessLog,
    http: http1::State,
    traffic: Traffic,
    scratch: Scratch,
    streams: streams::Waiting,
    strangers: RefCell<Strangers>,
    draining: Cell<bool>,
    near: FlowCount,
    far: FlowCount,
    tasks: RefCell<JoinSet<()>>,
    /// Asks `run` to tell the peers at once of a change in health.
    summary_due: Notify,
    changed: Notify,
    tables_changed: Notify,
    /// When time passed for health last.
    ticked: Cell<std::time::Instant>,
}

/// Flows of one side that are open.
#[derive(Debug, Default)]
struct FlowCount {
    open: Cell<usize>,
}

/// Counts a flow as open for as long as it lives.
pub struct FlowGuard {
    worker: Worker,
    side: Side,
}

impl fmt::Debug for FlowGuard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FlowGuard").field("side", &self.side).finish_non_exhaustive()
    }
}

impl Drop for FlowGuard {
    fn drop(&mut self) {
        let count = self.worker.count(self.side);
        count.open.set(count.open.get() - 1);
        self.worker.metrics().open_flows.get_or_create(&SideLabel { side: self.side }).dec();
        self.worker.inner.changed.notify_waiters();
    }
}

impl fmt::Debug for Worker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Worker").field("gateway", &self.inner.gateway).finish_non_exhaustive()
    }
}

impl Worker {
    /// Must be called inside the `LocalSet` of the worker's runtime.
    fn new(parts: Parts) -> Result<Self, BindError> {
        let Parts { gateway, identity, carrier, tables, metrics, access_log, listeners } = parts;
        let tls = Tls {
            client: Arc::new(identity.client_config(Expected::Role(GATEWAY), &[])),
            server: Arc::new(
                identity.server_config(identity::Clients::Required(Expected::Role(GATEWAY)), &[]),
            ),
        };
        let endpoint = Endpoint::bind(&carrier, &tls)?;
        let inner = Rc::new_cyclic(|inner: &Weak<Inner>| {
            let (asked, told) = (inner.clone(), inner.clone());
            let pool = Pool::start(
                endpoint,
                gateway.clone(),
                Box::new(move |certificates| match asked.upgrade() {
                    Some(inner) => inner.identify(certificates),
                    None => Err("the gateway is starting or stopping".into()),
                }),
                Box::new(move |event| {
                    if let Some(inner) = told.upgrade() {
                        Worker { inner }.handle_pool(event);
                    }
                }),
            );
            Inner {
                gateway,
                identity,
                tables: RefCell::new(tables),
                health: RefCell::default(),
                pool,
                listeners: RefCell::new(listeners),
                metrics,
                access_log,
                http: http1::State::default(),
                traffic: Traffic::new(),
                scratch: Scratch::default(),
                streams: streams::Waiting::default(),
                strangers: RefCell::default(),
                draining: Cell::new(false),
                near: FlowCount::default(),
                far: FlowCount::default(),
                tasks: RefCell::default(),
                summary_due: Notify::new(),
                changed: Notify::new(),
                tables_changed: Notify::new(),
                ticked: Cell::new(std::time::Instant::now()),
            }
        });
        Ok(Self { inner })
    }

    pub fn tables(&self) -> Tables {
        self.inner.tables.borrow().clone()
    }

    /// Waits until the table says who this local source address is. A pod may call before the
    /// agent's watch has told of it; one that stays unknown goes on without an identity.
    pub(crate) async fn caller_known(&self, source: IpAddr) {
        let is_known = || {
            let tables = self.inner.tables.borrow();
            authorize::local_caller(&tables.snapshot, &tables.local, source).identity.is_some()
        };
        let now = std::time::Instant::now();
        if is_known() || self.inner.strangers.borrow().contains(source, now) {
            return;
        }
        let told = async {
            loop {
                let changed = self.inner.tables_changed.notified();
                if is_known() {
                    return;
                }
                changed.await;
            }
        };
        if timeout(limits::CALLER_WAIT_MAX, told).await.is_err() {
            let now = std::time::Instant::now();
            self.inner.strangers.borrow_mut().handle_in_vain(source, now);
        }
    }

    pub fn metrics(&self) -> &Metrics {
        &self.inner.metrics
    }

    pub fn access_log(&self) -> &AccessLog {
        &self.inner.access_log
    }

    pub(crate) fn scratch(&self) -> &Scratch {
        &self.inner.scratch
    }

    pub(crate) fn http(&self) -> &http1::State {
        &self.inner.http
    }

    pub(crate) fn traffic(&self) -> &Traffic {
        &self.inner.traffic
    }

    /// Where a flow or request of a local workload goes. Peers that met silence are left out while
    /// there is another.
    pub fn choose(&self, tables: &Tables, ask: &Ask<'_>) -> Result<Chosen, Refusal> {
        let suspects: Vec<Tried> =
            self.inner.pool.suspects().into_iter().map(Tried::Gateway).collect();
        let mut excluded: Vec<Excluded<'_>> =
            ask.tried.iter().chain(&suspects).map(Tried::as_excluded).collect();
        let now = self.lived();
        let health = self.inner.health.borrow();
        let choose = |excluded: &[Excluded<'_>]| {
            let Ask { service, port, http, caller, draw, .. } = *ask;
            let caller = Some(caller);
            let request = choose::Request { service, port, http, caller, excluded };
            choose::choose(&tables.snapshot, &tables.local, &health, &request, now, draw)
                .map(Chosen::from)
        };
        match choose(&excluded) {
            Err(_) if !suspects.is_empty() => {
                excluded.truncate(ask.tried.len());
                choose(&excluded)
            }
            decided => decided,
        }
    }

    /// The time, as far as this worker ran: the first flow after a standstill must not take for
    /// silence what nobody listened to.
    fn lived(&self) -> std::time::Instant {
        let latest = self.inner.ticked.get() + 2 * limits::WORKER_TICK;
        latest.min(std::time::Instant::now())
    }

    /// As [`Self::choose`]. While the gateway that it names is dialled for the first time, waits
    /// for it, or for another that comes up sooner: just after the start nobody is connected yet.
    pub async fn choose_when_dialled(
        &self,
        tables: &Tables,
        ask: &Ask<'_>,
    ) -> Result<Chosen, Refusal> {
        loop {
            let news = self.inner.pool.news();
            let chosen = self.choose(tables, ask)?;
            let Target::Remote(peer) = &chosen.target else { return Ok(chosen) };
            let Some(until) = self.inner.pool.first_dial(peer) else { return Ok(chosen) };
            // Past that moment the choice stands as it is.
            let _ = timeout_at(until, news).await;
        }
    }

    /// The endpoint for what a peer sent here.
    pub fn choose_endpoint(
        &self,
        tables: &Tables,
        open: &Open,
        tried: &[Tried],
        draw: u64,
    ) -> Result<SocketAddr, Refusal> {
        let excluded: Vec<Excluded<'_>> = tried.iter().map(Tried::as_excluded).collect();
        let (service, port) = open.target();
        let request = EndpointRequest {
            dialled: &open.service,
            service,
            port,
            affinity: open.affinity.map(choose::affinity::Key::from_number),
            excluded: &excluded,
        };
        let health = self.inner.health.borrow();
        let now = std::time::Instant::now();
        choose::choose_endpoint(&tables.snapshot, &tables.local, &health, &request, now, draw)
    }

    /// How a request or connection to a local endpoint ended.
    pub fn observe_endpoint(&self, address: SocketAddr, outcome: Outcome) {
        let event = health::Event::Endpoint { address, outcome };
        self.observe(event);
        self.take_notices();
    }

    /// Opens a stream and writes the header. The answer is for the caller to read, within
    /// `opened.connection.answer_time_max()`; report silence with `suspect`.
    pub async fn open(&self, peer: &PeerId, header: &Open) -> Result<Opened, OpenError> {
        let lost = |source| OpenError::Lost { peer: peer.clone(), source };
        let mut opened = timeout(limits::SILENCE_MIN, self.inner.pool.open(peer))
            .await
            .unwrap_or_else(|_| Err(OpenError::NotConnected(peer.clone())))?;
        match opened.send.write_chunk(header.encode()).await {
            Ok(()) => Ok(opened),
            Err(error) => Err(lost(match error {
                crate::tunnel::StreamError::ConnectionLost(source) => source,
                crate::tunnel::StreamError::Reset(_)
                | crate::tunnel::StreamError::Stopped(_)
                | crate::tunnel::StreamError::Closed => {
                    ConnectionLost::Carrier("the stream was stopped before its header".into())
                }
            })),
        }
    }

    /// A peer did not answer in its time.
    pub fn suspect(&self, peer: &PeerId) {
        self.inner.pool.suspect(peer);
    }

    pub fn count_retry(&self, reason: &'static str) {
        self.inner.metrics.retries.get_or_create(&ReasonLabel { reason }).inc();
    }

    /// Whether the gateway is stopping: connections of clients should end with what they carry.
    pub fn is_draining(&self) -> bool {
        self.inner.draining.get()
    }

    /// Resolves when the gateway begins to stop.
    pub async fn draining(&self) {
        loop {
            let changed = self.inner.changed.notified();
            if self.is_draining() {
                return;
            }
            changed.await;
        }
    }

    /// Runs a flow in a task of its own; its panic ends it alone.
    pub fn spawn(&self, flow: impl Future<Output = ()> + 'static) {
        let mut tasks = self.inner.tasks.borrow_mut();
        while let Some(ended) = tasks.try_join_next() {
            if ended.is_err_and(|error| error.is_panic()) {
                self.inner.metrics.panics.inc();
            }
        }
        tasks.spawn_local(flow);
    }

    /// Counts a flow in, or `None` if there are too many.
    pub fn enter(&self, side: Side) -> Option<FlowGuard> {
        if self.inner.near.open.get() + self.inner.far.open.get() >= limits::FLOWS_MAX {
            return None;
        }
        let count = self.count(side);
        count.open.set(count.open.get() + 1);
        self.metrics().open_flows.get_or_create(&SideLabel { side }).inc();
        Some(FlowGuard { worker: self.clone(), side })
    }

    fn count(&self, side: Side) -> &FlowCount {
        match side {
            Side::Near => &self.inner.near,
            Side::Far => &self.inner.far,
        }
    }

    async fn no_flows(&self, side: Side) {
        loop {
            let changed = self.inner.changed.notified();
            if self.count(side).open.get() == 0 {
                return;
            }
            changed.await;
        }
    }

    fn observe(&self, event: health::Event<'_>) {
        self.inner.health.borrow_mut().observe(event, std::time::Instant::now());
    }

    fn take_notices(&self) {
        loop {
            let Some(notice) = self.inner.health.borrow_mut().poll_notice() else { return };
            match notice {
                Notice::EndpointEjected { address, duration } => {
                    self.inner.metrics.ejections.inc();
                    self.inner.summary_due.notify_one();
                    tracing::debug!(%address, ?duration, "endpoint ejected");
                }
                Notice::EndpointReturned { address } => {
                    self.inner.summary_due.notify_one();
                    tracing::debug!(%address, "endpoint may serve again");
                }
                Notice::PeerUp { cluster, gateway } => {
                    tracing::info!(%cluster, %gateway, "peer gateway is up");
                }
                Notice::PeerDown { cluster, gateway } => {
                    tracing::warn!(%cluster, %gateway, "peer gateway is down");
                }
                Notice::PeerDraining { cluster, gateway } => {
                    tracing::info!(%cluster, %gateway, "peer gateway is draining");
                }
            }
        }
    }

    fn handle_pool(&self, event: Event) {
        let count = |event, reason| {
            self.inner.metrics.peer_events.get_or_create(&PeerEvent { event, reason }).inc();
        };
        match event {
            Event::Up { peer, connection, dialled } => {
                count("up", if dialled { "dialled" } else { "accepted" });
                tracing::debug!(%peer, %connection, dialled, "connection to peer gateway is up");
                let path = self.path(&peer);
                self.observe(health::Event::PeerConnected { peer: as_ref(&peer), path });
            }
            Event::Down { peer, connection, reason } => {
                count("down", reason.label());
                tracing::debug!(%peer, %connection, %reason, "connection to peer gateway ended");
                if !self.inner.pool.is_connected(&peer) {
                    self.observe(health::Event::PeerLost { peer: as_ref(&peer) });
                }
            }
            Event::DialFailed { peer, reason } => {
                count("dial_failed", reason.label());
                tracing::debug!(%peer, error = %Chain(&reason), "peer gateway cannot be dialled");
            }
            Event::Refused { address, reason } => {
                count("refused", reason.label());
                let error = Chain(&reason);
                tracing::warn!(%address, %error, "connection to the tunnel refused");
            }
            Event::Stream { peer, send, recv } => self.serve(Stream { peer, send, recv }),
            Event::Summary { peer, services } => {
                let (cluster, summaries) = (&peer.cluster, &services[..]);
                self.observe(health::Event::Summaries { cluster, summaries });
            }
            Event::Draining { peer } => {
                self.observe(health::Event::PeerDraining { peer: as_ref(&peer) });
            }
        }
        self.take_notices();
    }

    fn path(&self, peer: &PeerId) -> Path {
        let members = self.inner.pool.members();
        let of_peer = members.iter().filter(|member| member.peer == *peer);
        of_peer.min_by_key(|member| member.silence).map_or(
            Path { rtt: Duration::ZERO, pto: Duration::ZERO },
            |member| Path { rtt: member.stats.round_trip, pto: member.stats.probe_timeout },
        )
    }
}

fn as_ref(peer: &PeerId) -> PeerRef<'_> {
    PeerRef { cluster: &peer.cluster, gateway: &peer.gateway }
}

const GATEWAY: rialto_types::id::Role = rialto_types::id::Role::Gateway;

/// What a worker is made of.
struct Parts {
    gateway: InstanceId,
    identity: Identity,
    carrier: Settings,
    tables: Tables,
    metrics: Arc<Metrics>,
    access_log: AccessLog,
    listeners: Listeners,
}

impl Inner {
    /// The gateway of another cluster that these certificates prove.
    fn identify(&self, certificates: &[CertificateDer<'static>]) -> Result<PeerId, String> {
        let bundle = self.identity.bundle();
        let id = identity::peer::verify(
            certificates,
            &bundle,
            &Expected::Role(GATEWAY),
            identity::now(),
        )
        .map_err(|error| {
            self.identity.count_refusal(error.reason());
            error.to_string()
        })?;
        let Some((_, gateway)) = id.as_part() else {
            return Err(format!("`{id}` is not a gateway"));
        };
        let tables = self.tables.borrow();
        let domain = id.trust_domain();
        let known = tables.snapshot.clusters.values().find(|entry| entry.trust_domain == domain);
        match known {
            Some(entry) if entry.name == tables.local.cluster => {
                Err(format!("`{id}` is a gateway of this very cluster"))
            }
            Some(entry) => Ok(PeerId { cluster: entry.name.clone(), gateway }),
            None => Err(format!("`{id}` is of a cluster that the snapshot does not name")),
        }
    }
}

#[cfg(test)]
pub(crate) mod tests;
