//! Every counter and gauge of the gateway, by name.

use prometheus_client::encoding::{EncodeLabelSet, EncodeLabelValue};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::{Registry, Unit};
use rialto_wire::admin::PeersRefused;
use rialto_wire::identity::Identity;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use crate::traffic::Totals;
use crate::tunnel::quic::Strays;

/// On which side of a flow this gateway is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, EncodeLabelValue)]
pub enum Side {
    /// Next to the caller.
    Near,
    /// Next to the endpoint.
    Far,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct FlowLabels {
    pub side: Side,
    pub protocol: &'static str,
    /// `ok` or the error code.
    pub code: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct SideReason {
    pub side: Side,
    pub reason: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct ReasonLabel {
    pub reason: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct SideLabel {
    pub side: Side,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct SideDirection {
    pub side: Side,
    /// `to_service` or `to_caller`.
    pub direction: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct PeerLabel {
    pub cluster: String,
    pub gateway: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct PeerEvent {
    pub event: &'static str,
    pub reason: &'static str,
}

/// Shared by all workers; every value that a flow changes is an atomic.
#[derive(Debug, Default)]
pub struct Metrics {
    pub flows: Family<FlowLabels, Counter>,
    pub refusals: Family<SideReason, Counter>,
    pub retries: Family<ReasonLabel, Counter>,
    pub bytes: Family<SideDirection, Counter>,
    pub open_flows: Family<SideLabel, Gauge>,
    pub peer_connections: Family<PeerLabel, Gauge>,
    pub peer_round_trip: Family<PeerLabel, Gauge<f64, AtomicU64>>,
    pub peer_packets_lost: Family<PeerLabel, Gauge>,
    pub peer_events: Family<PeerEvent, Counter>,
    pub ejections: Counter,
    pub listeners: Gauge,
    pub listener_failures: Counter,
    pub panics: Counter,
    pub access_log_dropped: Gauge,
    pub snapshot_index: Gauge,
    pub strays: Arc<Strays>,
    /// By service, as the workers report it every two seconds.
    pub traffic: Arc<Totals>,
}

impl Metrics {
    pub fn register(&self, identity: &Identity, registry: &mut Registry) {
        let registry = registry.sub_registry_with_prefix("rialto_gateway");
        registry.register("flows", "flows and requests that ended", self.flows.clone());
        registry.register("refusals", "flows not served, by reason", self.refusals.clone());
        registry.register("retries", "further attempts, by cause", self.retries.clone());
        registry.register("relayed_bytes", "payload passed on", self.bytes.clone());
        registry.register("open_flows", "flows open", self.open_flows.clone());
        registry.register("ejections", "endpoints ejected", self.ejections.clone());
        registry.register("listeners", "local listeners open", self.listeners.clone());
        let failures = self.listener_failures.clone();
        registry.register("listener_failures", "listeners that could not be opened", failures);
        registry.register("panics", "tasks that panicked", self.panics.clone());
        let dropped = self.access_log_dropped.clone();
        registry.register("access_log_dropped", "lines lost to a slow output", dropped);
        let index = self.snapshot_index.clone();
        registry.register("snapshot_index", "index of the revision in service", index);
        registry.register_collector(Box::new(PeersRefused(identity.clone())));
        registry.register_collector(Box::new(Arc::clone(&self.strays)));
        registry.register_collector(Box::new(Arc::clone(&self.traffic)));
        self.register_peers(registry);
    }

    fn register_peers(&self, registry: &mut Registry) {
        let connections = self.peer_connections.clone();
        registry.register("peer_connections", "connections to a peer gateway", connections);
        let events = self.peer_events.clone();
        registry.register("peer_events", "connections that came, went or failed", events);
        let lost = self.peer_packets_lost.clone();
        registry.register("peer_lost_packets", "packets lost on present connections", lost);
        let round_trip = self.peer_round_trip.clone();
        let help = "smoothed round trip to a peer gateway";
        registry.register_with_unit("peer_round_trip", help, Unit::Seconds, round_trip);
    }
}
