//! The same figures since the start, for `/metrics`.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeLabelSet, NoLabelSet};
use prometheus_client::metrics::MetricType;
use prometheus_client::registry::Unit;
use rialto_types::limits;
use rialto_types::traffic::{Counts, Histogram, Key};

/// By service, backend and destination. The caller is left out: callers come and go, and each
/// would be a series for ever.
#[derive(Debug, Default)]
pub struct Totals {
    by_labels: Mutex<BTreeMap<Labels, Total>>,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, EncodeLabelSet)]
struct Labels {
    service: String,
    backend: String,
    cluster: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct LabelsResult {
    #[prometheus(flatten)]
    labels: Labels,
    result: &'static str,
}

#[derive(Debug, Default)]
struct Total {
    counts: Counts,
    latency_sum: Duration,
}

impl Labels {
    fn of(key: &Key) -> Self {
        let text = |name: Option<String>| name.unwrap_or_default();
        Self {
            service: key.service.to_string(),
            backend: text(key.backend.as_ref().map(ToString::to_string)),
            cluster: text(key.cluster.as_ref().map(ToString::to_string)),
        }
    }

    /// What found no place.
    fn other() -> Self {
        Self { service: "other".into(), backend: String::new(), cluster: String::new() }
    }
}

impl Totals {
    pub(super) fn add(&self, key: Option<&Key>, counts: &Counts, latency_sum: Duration) {
        if counts.is_empty() {
            return;
        }
        let mut by_labels = self.by_labels.lock().unwrap_or_else(PoisonError::into_inner);
        let mut labels = key.map_or_else(Labels::other, Labels::of);
        if by_labels.len() >= limits::TRAFFIC_METRICS_MAX && !by_labels.contains_key(&labels) {
            labels = Labels::other();
        }
        let total = by_labels.entry(labels).or_default();
        total.counts.merge(counts);
        total.latency_sum = total.latency_sum.saturating_add(latency_sum);
    }

    #[cfg(test)]
    pub(super) fn series(&self) -> usize {
        self.by_labels.lock().unwrap_or_else(PoisonError::into_inner).len()
    }
}

/// A latency histogram for Prometheus: every second bound, from 0.1 ms by factors of two.
fn buckets(latency: &Histogram) -> Vec<(f64, u64)> {
    let mut buckets = Vec::with_capacity(Histogram::BOUNDS_US.len() / 2 + 1);
    let mut sum = 0;
    for (index, count) in latency.counts().iter().enumerate() {
        sum += count;
        if index % 2 == 0 {
            let upper = Histogram::BOUNDS_US.get(index);
            buckets.push((upper.map_or(f64::INFINITY, |us| *us as f64 / 1e6), sum));
            sum = 0;
        }
    }
    buckets
}

impl Collector for Totals {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let by_labels = self.by_labels.lock().unwrap_or_else(PoisonError::into_inner);
        let help = "requests and TCP flows of local callers that ended";
        let mut requests =
            encoder.encode_descriptor("requests", help, None, MetricType::Counter)?;
        for (labels, Total { counts, .. }) in by_labels.iter() {
            let served = counts.requests.saturating_sub(counts.errors + counts.refused);
            let results = [("ok", served), ("error", counts.errors), ("refused", counts.refused)];
            for (result, count) in results {
                let labels = LabelsResult { labels: labels.clone(), result };
                requests
                    .encode_family(&labels)?
                    .encode_counter::<NoLabelSet, u64, u64>(&count, None)?;
            }
        }
        let help = "from a local caller's request to the end of its answer";
        let unit = Unit::Seconds;
        let mut durations = encoder.encode_descriptor(
            "request_duration",
            help,
            Some(&unit),
            MetricType::Histogram,
        )?;
        for (labels, Total { counts, latency_sum }) in by_labels.iter() {
            let count = counts.latency.count();
            if count == 0 {
                continue;
            }
            let (sum, buckets) = (latency_sum.as_secs_f64(), buckets(&counts.latency));
            durations
                .encode_family(labels)?
                .encode_histogram::<NoLabelSet>(sum, count, &buckets, None)?;
        }
        Ok(())
    }
}
