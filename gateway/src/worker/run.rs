//! The worker's loop: commands and time.

use rialto_core::explain;
use rialto_types::api::{ExplainRequest, Explanation};
use tokio::sync::mpsc;
use tokio::time::{MissedTickBehavior, interval};

use super::{
    BTreeMap, Command, Duration, Expected, GATEWAY, Instant, PeerId, PeerLabel, SocketAddr, Tables,
    Worker, health, identity, limits, timeout,
};
use crate::metrics::Side;

enum Event {
    Command(Command),
    Tick,
    SummaryDue,
    /// The control side is gone.
    Abandoned,
}

impl Worker {
    pub(super) async fn run(self, mut commands: mpsc::Receiver<Command>) {
        self.serve_tables(self.tables());
        let mut ticks = interval(limits::WORKER_TICK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let log = self.clone();
        self.spawn(async move { log.access_log().keep_flushed().await });
        let origins = self.clone();
        self.spawn(async move { origins.http().origins.keep_fresh().await });
        let mut clock = Clock::new();
        let within = loop {
            let event = tokio::select! {
                biased;
                command = commands.recv() => command.map_or(Event::Abandoned, Event::Command),
                () = self.inner.summary_due.notified() => Event::SummaryDue,
                _ = ticks.tick() => Event::Tick,
            };
            match event {
                Event::Command(Command::Snapshot { snapshot, done }) => {
                    self.serve_tables(Tables { snapshot, ..self.tables() });
                    // Who asked may have gone meanwhile, here and below.
                    let _ = done.send(());
                }
                Event::Command(Command::Table { table, done }) => {
                    self.serve_tables(Tables { local: table, ..self.tables() });
                    let _ = done.send(());
                }
                Event::Command(Command::Renew) => self.inner.pool.renew(),
                Event::Command(Command::Recheck) => self.recheck_identities(),
                Event::Command(Command::Explain { request, answer }) => {
                    let _ = answer.send(self.explain(&request));
                }
                Event::Command(Command::Traffic { answer }) => {
                    let _ = answer.send(self.report_traffic());
                }
                Event::Command(Command::Inspect { answer }) => {
                    let _ = answer.try_send(self.inspect());
                }
                Event::Command(Command::Stop { within }) => break within,
                Event::Abandoned => break Duration::ZERO,
                Event::SummaryDue => self.publish_summary(),
                Event::Tick => self.tick(&mut clock),
            }
        };
        self.stop(within).await;
    }

    pub(super) fn serve_tables(&self, tables: Tables) {
        let own = tables.local.cluster.clone();
        let peers: BTreeMap<PeerId, SocketAddr> = tables
            .snapshot
            .clusters
            .values()
            .filter(|entry| entry.name != own)
            .flat_map(|entry| {
                entry.gateways.iter().map(|gateway| {
                    let cluster = entry.name.clone();
                    (PeerId { cluster, gateway: gateway.id.clone() }, gateway.address)
                })
            })
            .collect();
        self.inner.health.borrow_mut().handle_snapshot(&tables.snapshot);
        self.inner.tables.replace(tables);
        self.inner.tables_changed.notify_waiters();
        self.inner.pool.set_peers(&peers);
        self.inner.listeners.borrow_mut().reconcile(self);
        self.publish_summary();
    }

    fn tick(&self, clock: &mut Clock) {
        let now = std::time::Instant::now();
        let passed = now.saturating_duration_since(self.inner.ticked.replace(now));
        if passed > 2 * limits::WORKER_TICK {
            let stood = passed - limits::WORKER_TICK;
            self.inner.health.borrow_mut().handle_standstill(stood, now);
        }
        let mut reports: BTreeMap<PeerId, (i64, f64, u64)> = BTreeMap::new();
        for member in self.inner.pool.members() {
            if member.silence < limits::WORKER_TICK {
                let path =
                    health::Path { rtt: member.stats.round_trip, pto: member.stats.probe_timeout };
                let peer = super::as_ref(&member.peer);
                self.observe(health::Event::PeerHeard { peer, path });
            }
            let report = reports.entry(member.peer).or_default();
            report.0 += 1;
            report.1 = member.stats.round_trip.as_secs_f64();
            report.2 += member.stats.packets_lost;
        }
        self.inner.health.borrow_mut().handle_timeout(now);
        self.take_notices();
        if clock.is_due(limits::SUMMARY_BEAT, |clock| &mut clock.summary) {
            self.publish_summary();
            self.export(&reports);
        }
        if clock.is_due(limits::LISTEN_RETRY, |clock| &mut clock.listen) {
            self.inner.listeners.borrow_mut().reconcile(self);
        }
        if clock.is_due(limits::CERTIFICATE_LOOK, |clock| &mut clock.certificates) {
            self.cut_expired();
        }
    }

    fn export(&self, reports: &BTreeMap<PeerId, (i64, f64, u64)>) {
        let metrics = self.metrics();
        let dropped = i64::try_from(self.access_log().dropped()).unwrap_or(i64::MAX);
        metrics.access_log_dropped.set(dropped);
        metrics.peer_connections.clear();
        metrics.peer_round_trip.clear();
        metrics.peer_packets_lost.clear();
        for (peer, (connections, round_trip, lost)) in reports {
            let label =
                PeerLabel { cluster: peer.cluster.to_string(), gateway: peer.gateway.to_string() };
            metrics.peer_connections.get_or_create(&label).set(*connections);
            metrics.peer_round_trip.get_or_create(&label).set(*round_trip);
            let lost = i64::try_from(*lost).unwrap_or(i64::MAX);
            metrics.peer_packets_lost.get_or_create(&label).set(lost);
        }
    }

    fn report_traffic(&self) -> rialto_types::traffic::Report {
        let (connections, totals) = (self.inner.pool.members(), &self.metrics().traffic);
        self.traffic().report(&connections, totals, std::time::Instant::now())
    }

    fn publish_summary(&self) {
        let Tables { snapshot, local } = self.tables();
        let now = std::time::Instant::now();
        let summaries = self.inner.health.borrow().summaries(&snapshot, &local, now);
        self.inner.pool.publish_summary(summaries);
    }

    fn recheck_identities(&self) {
        let bundle = self.inner.identity.bundle();
        self.inner.pool.cut("trust was withdrawn", |certificates, _| {
            // An old connection outlives its certificate; only who vouched for it is asked.
            let Ok(not_after) = identity::peer::not_after(certificates) else { return true };
            let now = identity::now().min(not_after);
            let expected = Expected::Role(GATEWAY);
            identity::peer::verify(certificates, &bundle, &expected, now).is_err()
        });
    }

    /// Past its certificate's end a connection lives only beside a newer one of the same peer.
    fn cut_expired(&self) {
        self.inner.pool.cut("the peer's certificate expired", |certificates, has_newer| {
            let not_after = identity::peer::not_after(certificates);
            !has_newer && not_after.is_ok_and(|not_after| not_after < identity::now())
        });
    }

    fn explain(&self, request: &ExplainRequest) -> Explanation {
        let Tables { snapshot, local } = self.tables();
        let health = self.inner.health.borrow();
        let view = explain::View { table: &local, health: &health };
        let now = std::time::Instant::now();
        let explanation = explain::explain(&snapshot, Some(view), request, now, rand::random());
        Explanation { gateway: Some(self.inner.gateway.clone()), ..explanation }
    }

    fn inspect(&self) -> serde_json::Value {
        let Tables { snapshot, local } = self.tables();
        let members: Vec<_> = self
            .inner
            .pool
            .members()
            .into_iter()
            .map(|member| {
                serde_json::json!({
                    "peer": member.peer.to_string(),
                    "connection": member.connection.to_string(),
                    "address": member.address,
                    "dialled": member.dialled,
                    "retired": member.retired,
                    "streams": member.streams,
                    "silenceMs": member.silence.as_millis(),
                    "roundTripUs": member.stats.round_trip.as_micros(),
                    "mtu": member.stats.mtu,
                })
            })
            .collect();
        let listeners = self.inner.listeners.borrow();
        serde_json::json!({
            "revision": snapshot.revision,
            "localTable": { "epoch": local.epoch, "revision": local.revision },
            "services": snapshot.services.keys().collect::<Vec<_>>(),
            "connections": members,
            "listeners": listeners.addresses(),
            "failedListeners": listeners.failed(),
            "flows": { "near": self.inner.near.open.get(), "far": self.inner.far.open.get() },
            "draining": self.is_draining(),
        })
    }

    /// Takes nothing new; what was accepted ends by itself or at the bound.
    async fn stop(&self, within: Duration) {
        let deadline = Instant::now() + within;
        self.inner.draining.set(true);
        self.inner.changed.notify_waiters();
        self.inner.listeners.borrow_mut().close(self);
        self.inner.pool.announce_draining();
        let left = || deadline.saturating_duration_since(Instant::now());
        // Near flows first: they may still have to open streams.
        let is_over = timeout(left(), self.no_flows(Side::Near)).await.is_err()
            || timeout(left(), self.inner.pool.drain()).await.is_err()
            || timeout(left(), self.no_flows(Side::Far)).await.is_err();
        if is_over {
            let near = self.inner.near.open.get();
            let far = self.inner.far.open.get();
            tracing::warn!(near, far, "flows that outlived their grace are cut");
        }
        let mut tasks = self.inner.tasks.take();
        tasks.shutdown().await;
        self.inner.access_log.flush();
        self.inner.pool.close("the gateway stopped").await;
    }
}

/// When what is done seldom was last done.
struct Clock {
    summary: Instant,
    listen: Instant,
    certificates: Instant,
}

impl Clock {
    fn new() -> Self {
        let now = Instant::now();
        Self { summary: now, listen: now, certificates: now }
    }

    fn is_due(&mut self, every: Duration, of: impl Fn(&mut Self) -> &mut Instant) -> bool {
        let now = Instant::now();
        let last = of(self);
        if now.duration_since(*last) < every {
            return false;
        }
        *last = now;
        true
    }
}
