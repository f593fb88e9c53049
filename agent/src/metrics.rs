//! What the agent counts.

use std::sync::atomic::AtomicU64;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;
use rialto_types::local::{EndpointHealth, LocalTable};
use rialto_wire::admin::PeersRefused;
use rialto_wire::identity::Identity;

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Reason {
    reason: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Outcome {
    result: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Health {
    health: &'static str,
}

/// Counters of one agent.
#[derive(Debug, Default)]
pub struct Metrics {
    registry_reads: Family<Outcome, Counter>,
    /// Whether the registry can be read, as 0 or 1.
    pub registry_readable: Gauge,
    endpoints: Family<Health, Gauge>,
    pub gateways: Gauge,
    pub subscribers: Gauge,
    pub connected: Gauge,
    pub report_revision: Gauge<u64, AtomicU64>,
    pub committed_revision: Gauge<u64, AtomicU64>,
    certificates: Family<Outcome, Counter>,
    refused: Family<Reason, Counter>,
}

impl Metrics {
    pub fn register(&self, identity: &Identity, registry: &mut Registry) {
        let registry = registry.sub_registry_with_prefix("rialto_agent");
        registry.register_collector(Box::new(PeersRefused(identity.clone())));
        let text = "Times that the registry differed when it was read";
        registry.register("registry_reads", text, self.registry_reads.clone());
        let text = "Whether the registry can be read";
        registry.register("registry_readable", text, self.registry_readable.clone());
        registry.register("endpoints", "Endpoints, by health", self.endpoints.clone());
        registry.register("gateways", "Gateways that are reported", self.gateways.clone());
        let text = "Gateways and DNS proxies that get the local table";
        registry.register("subscribers", text, self.subscribers.clone());
        let text = "Whether a session with the bridge stands";
        registry.register("bridge_connected", text, self.connected.clone());
        let text = "The newest report";
        registry.register("report_revision", text, self.report_revision.clone());
        let text = "The newest report that the bridge committed";
        registry.register("report_committed_revision", text, self.committed_revision.clone());
        let text = "Certificates of local parts, by result";
        registry.register("certificates", text, self.certificates.clone());
        let text = "Requests of local parts that were refused, by reason";
        registry.register("refused", text, self.refused.clone());
    }

    pub fn count_registry_read(&self, result: &'static str) {
        self.registry_reads.get_or_create(&Outcome { result }).inc();
        self.registry_readable.set(i64::from(result == "good"));
    }

    pub fn count_certificate(&self, result: &'static str) {
        self.certificates.get_or_create(&Outcome { result }).inc();
    }

    pub fn count_refused(&self, reason: &'static str) {
        self.refused.get_or_create(&Reason { reason }).inc();
    }

    pub fn set_endpoints(&self, table: &LocalTable) {
        let mut counts = [0_i64; 3];
        for endpoint in table.services.values().flat_map(|held| &**held) {
            counts[match endpoint.health {
                EndpointHealth::Healthy => 0,
                EndpointHealth::Unhealthy => 1,
                EndpointHealth::Unknown => 2,
            }] += 1;
        }
        for (health, count) in ["healthy", "unhealthy", "unknown"].into_iter().zip(counts) {
            self.endpoints.get_or_create(&Health { health }).set(count);
        }
    }
}
