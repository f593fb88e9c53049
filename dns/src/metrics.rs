//! What the DNS proxy counts.

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::registry::Registry;

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Reason {
    reason: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Transport {
    transport: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Source {
    source: &'static str,
}

/// Counters of one proxy.
#[derive(Debug, Default)]
pub(crate) struct Metrics {
    queries: Family<Transport, Counter>,
    answers: Family<Source, Counter>,
    refused: Family<Reason, Counter>,
    upstream_errors: Family<Reason, Counter>,
    pub(crate) forgeries: Counter,
}

impl Metrics {
    pub(crate) fn register(&self, registry: &mut Registry) {
        let registry = registry.sub_registry_with_prefix("rialto_dns");
        registry.register("queries", "Queries received", self.queries.clone());
        registry.register("answers", "Answers, by where they came from", self.answers.clone());
        registry.register("refused", "Queries not answered, by reason", self.refused.clone());
        let text = "Upstream resolvers that did not answer, by reason";
        registry.register("upstream_errors", text, self.upstream_errors.clone());
        let text = "Packets from upstream addresses with a wrong id or question";
        registry.register("upstream_forgeries", text, self.forgeries.clone());
    }

    pub(crate) fn count_query(&self, transport: &'static str) {
        self.queries.get_or_create(&Transport { transport }).inc();
    }

    pub(crate) fn count_answer(&self, source: &'static str) {
        self.answers.get_or_create(&Source { source }).inc();
    }

    pub(crate) fn count_refused(&self, reason: &'static str) {
        self.refused.get_or_create(&Reason { reason }).inc();
    }

    pub(crate) fn count_upstream_error(&self, reason: &'static str) {
        self.upstream_errors.get_or_create(&Reason { reason }).inc();
    }

    #[cfg(test)]
    pub(crate) fn refused(&self, reason: &'static str) -> u64 {
        self.refused.get_or_create(&Reason { reason }).get()
    }
}
