//! Sums on the way from counts to rates.

use std::time::Duration;

use rialto_types::traffic::{BUCKETS, Rates, quantile_ms};

use super::ring::Kept;

/// What was counted, of one gateway or step. Weighted: an interval may lie in two steps.
#[derive(Debug, Clone)]
pub(super) struct Tally {
    requests: f64,
    errors: f64,
    refused: f64,
    bytes: f64,
    latency: [f64; BUCKETS],
}

impl Default for Tally {
    fn default() -> Self {
        Self { requests: 0.0, errors: 0.0, refused: 0.0, bytes: 0.0, latency: [0.0; BUCKETS] }
    }
}

impl Tally {
    pub(super) fn add(&mut self, kept: &Kept) {
        self.requests += kept.requests as f64;
        self.errors += kept.errors as f64;
        self.refused += kept.refused as f64;
        self.bytes += kept.bytes_from_client as f64 + kept.bytes_to_client as f64;
        for (bucket, count) in &kept.latency {
            self.latency[usize::from(*bucket)] += *count as f64;
        }
    }

    pub(super) fn add_latency(&self, weight: f64, sums: &mut [f64; BUCKETS]) {
        for (sum, count) in sums.iter_mut().zip(self.latency) {
            *sum += weight * count;
        }
    }

    pub(super) fn requests(&self) -> f64 {
        self.requests
    }

    pub(super) fn errors(&self) -> f64 {
        self.errors
    }
}

/// Rates of several gateways, each of which counted for a time of its own.
#[derive(Debug, Clone, Default)]
pub(super) struct Sum {
    counted: Tally,
    requests_per_second: f64,
    errors_per_second: f64,
    refused_per_second: f64,
    bytes_per_second: f64,
}

impl Sum {
    /// Adds what one gateway counted in the time that its reports cover.
    pub(super) fn add(&mut self, tally: &Tally, covered: Duration) {
        let seconds = covered.as_secs_f64();
        if seconds <= 0.0 {
            return;
        }
        self.counted.requests += tally.requests;
        self.counted.errors += tally.errors;
        self.counted.refused += tally.refused;
        for (sum, count) in self.counted.latency.iter_mut().zip(tally.latency) {
            *sum += count;
        }
        self.requests_per_second += tally.requests / seconds;
        self.errors_per_second += tally.errors / seconds;
        self.refused_per_second += tally.refused / seconds;
        self.bytes_per_second += tally.bytes / seconds;
    }

    pub(super) fn is_empty(&self) -> bool {
        self.counted.requests <= 0.0 && self.bytes_per_second <= 0.0
    }

    pub(super) fn rates(&self) -> Rates {
        let counted = &self.counted;
        let error_share =
            if counted.requests > 0.0 { counted.errors / counted.requests } else { 0.0 };
        let quantile = |share| quantile_ms(&counted.latency, share).map(to_thousandths);
        Rates {
            requests: whole(counted.requests),
            errors: whole(counted.errors),
            refused: whole(counted.refused),
            requests_per_second: to_thousandths(self.requests_per_second),
            errors_per_second: to_thousandths(self.errors_per_second),
            refused_per_second: to_thousandths(self.refused_per_second),
            error_share: share(error_share),
            bytes_per_second: self.bytes_per_second.round(),
            p50_ms: quantile(0.50),
            p95_ms: quantile(0.95),
            p99_ms: quantile(0.99),
        }
    }
}

/// Further digits say nothing, and would be half of every answer.
pub(super) fn to_thousandths(value: f64) -> f64 {
    (value * 1e3).round() / 1e3
}

/// To a thousandth of a percent.
pub(super) fn share(value: f64) -> f64 {
    (value * 1e5).round() / 1e5
}

/// Counts are whole below 2^53, above which nobody counts requests.
fn whole(sum: f64) -> u64 {
    sum.round() as u64
}
