//! Every metric of a member.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};
use rialto_types::limits;
use rialto_wire::admin::{PeersRefused, encode_metrics};
use rialto_wire::identity::Identity;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ResultLabel {
    result: &'static str,
}

/// The metrics, and the bound on watches that one of them shows.
#[derive(Debug)]
pub(crate) struct Metrics {
    registry: Mutex<Registry>,
    proposals: Family<ResultLabel, Counter>,
    proposal_seconds: Histogram,
    watches: Arc<Semaphore>,
    watches_open: Gauge,
    term: Gauge,
    applied: Gauge,
    commit: Gauge,
    is_leader: Gauge,
    traffic_reports: Family<ResultLabel, Counter>,
}

/// What raft says, for gauges.
#[derive(Debug, Clone, Copy)]
pub(crate) struct RaftFigures {
    pub(crate) term: u64,
    pub(crate) applied: u64,
    pub(crate) commit: u64,
    pub(crate) is_leader: bool,
}

fn gauge(registry: &mut Registry, name: &str, help: &str) -> Gauge {
    let gauge = Gauge::default();
    registry.register(name, help, gauge.clone());
    gauge
}

impl Metrics {
    pub(crate) fn new(identity: &Identity) -> Self {
        let mut registry = Registry::with_prefix("rialto");
        registry.register_collector(Box::new(PeersRefused(identity.clone())));
        let proposals = Family::<ResultLabel, Counter>::default();
        registry.register("raft_proposals", "Changes proposed by this member", proposals.clone());
        let buckets = [0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0];
        let proposal_seconds = Histogram::new(buckets);
        registry.register_with_unit(
            "raft_proposal_duration",
            "From proposing a change to its result",
            Unit::Seconds,
            proposal_seconds.clone(),
        );
        let traffic_reports = Family::<ResultLabel, Counter>::default();
        let help = "Reports of traffic that gateways sent to this member";
        registry.register("traffic_reports", help, traffic_reports.clone());
        Self {
            proposals,
            proposal_seconds,
            watches: Arc::new(Semaphore::new(limits::REST_WATCHES_MAX)),
            watches_open: gauge(&mut registry, "api_watchers", "Watches open"),
            term: gauge(&mut registry, "raft_term", "The current term"),
            applied: gauge(&mut registry, "raft_applied_index", "The last applied entry"),
            commit: gauge(&mut registry, "raft_commit_index", "The last committed entry"),
            is_leader: gauge(&mut registry, "raft_leader", "Whether this member leads (0 or 1)"),
            traffic_reports,
            registry: Mutex::new(registry),
        }
    }

    pub(crate) fn proposed(&self, is_ok: bool, took: Duration) {
        let result = if is_ok { "ok" } else { "error" };
        self.proposals.get_or_create(&ResultLabel { result }).inc();
        self.proposal_seconds.observe(took.as_secs_f64());
    }

    pub(crate) fn traffic_reported(&self, result: &'static str) {
        self.traffic_reports.get_or_create(&ResultLabel { result }).inc();
    }

    /// `None` when as many watches as allowed are open.
    pub(crate) fn watch_opened(&self) -> Option<OwnedSemaphorePermit> {
        self.watches.clone().try_acquire_owned().ok()
    }

    pub(crate) fn text(&self, raft: RaftFigures) -> String {
        let number = |value: u64| i64::try_from(value).unwrap_or(i64::MAX);
        self.term.set(number(raft.term));
        self.applied.set(number(raft.applied));
        self.commit.set(number(raft.commit));
        self.is_leader.set(i64::from(raft.is_leader));
        let open = limits::REST_WATCHES_MAX - self.watches.available_permits();
        self.watches_open.set(i64::try_from(open).unwrap_or(i64::MAX));
        encode_metrics(&self.registry.lock().unwrap_or_else(std::sync::PoisonError::into_inner))
    }
}
