//! What a load saw. No clock: times are given.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::demo::http::Failure;
use crate::demo::limits;

#[derive(Clone, Debug)]
pub(crate) struct Observation {
    /// When it ended, after the start of the load.
    pub(crate) at: Duration,
    pub(crate) took: Duration,
    pub(crate) outcome: Outcome,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    Good(Answer),
    /// A whole answer of 400 or more, with the beginning of its text.
    Refused {
        status: u16,
        reason: String,
    },
    Failed(Failure),
}

/// Who answered, as the answer says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) service: String,
    pub(crate) version: String,
    pub(crate) cluster: String,
    pub(crate) size: u64,
}

impl Answer {
    pub(crate) fn from_body(body: &[u8], size: u64) -> Self {
        let told: Value = serde_json::from_slice(body).unwrap_or_default();
        let field = |name: &str| told[name].as_str().unwrap_or("?").to_owned();
        let (service, version, cluster) = (field("service"), field("version"), field("cluster"));
        Self { service, version, cluster, size }
    }
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Report {
    pub(crate) good: u64,
    /// By kind; an answer of 400 or more is `status-NNN`.
    pub(crate) failed: BTreeMap<String, u64>,
    /// What refusals said, the first few different ones.
    pub(crate) reasons: BTreeMap<String, u64>,
    pub(crate) versions: BTreeMap<String, u64>,
    pub(crate) clusters: BTreeMap<String, u64>,
    pub(crate) bytes: u64,
    pub(crate) seconds: f64,
    /// The longest time without a good answer, and when it began.
    pub(crate) longest_gap_ms: f64,
    pub(crate) longest_gap_began_ms: f64,
    pub(crate) latency: Quantiles,
    #[serde(skip)]
    last_good: Duration,
    #[serde(skip)]
    histogram: Histogram,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Quantiles {
    pub(crate) p50_ms: f64,
    pub(crate) p90_ms: f64,
    pub(crate) p99_ms: f64,
    pub(crate) max_ms: f64,
}

impl Report {
    pub(crate) fn observe(&mut self, observation: Observation) {
        let kind = match observation.outcome {
            Outcome::Good(answer) => {
                self.good += 1;
                self.bytes += answer.size;
                *self.versions.entry(answer.version).or_default() += 1;
                *self.clusters.entry(answer.cluster).or_default() += 1;
                self.histogram.record(observation.took);
                self.see_gap(observation.at);
                self.last_good = observation.at;
                return;
            }
            Outcome::Refused { status, reason } => {
                self.note_reason(reason);
                format!("status-{status}")
            }
            Outcome::Failed(failure) => failure.name().to_owned(),
        };
        *self.failed.entry(kind).or_default() += 1;
    }

    pub(crate) fn finish(&mut self, elapsed: Duration) {
        self.see_gap(elapsed);
        self.seconds = elapsed.as_secs_f64();
        self.latency = Quantiles {
            p50_ms: milliseconds(self.histogram.quantile(0.5)),
            p90_ms: milliseconds(self.histogram.quantile(0.9)),
            p99_ms: milliseconds(self.histogram.quantile(0.99)),
            max_ms: milliseconds(self.histogram.max),
        };
    }

    pub(crate) fn failures(&self) -> u64 {
        self.failed.values().sum()
    }

    fn note_reason(&mut self, reason: String) {
        if self.reasons.len() < limits::LOAD_REASONS_MAX || self.reasons.contains_key(&reason) {
            *self.reasons.entry(reason).or_default() += 1;
        }
    }

    fn see_gap(&mut self, until: Duration) {
        let gap = milliseconds(until.saturating_sub(self.last_good));
        if gap > self.longest_gap_ms {
            self.longest_gap_ms = gap;
            self.longest_gap_began_ms = milliseconds(self.last_good);
        }
    }
}

fn milliseconds(duration: Duration) -> f64 {
    duration.as_micros() as f64 / 1_000.0
}

/// Microseconds in buckets that grow by a sixteenth: quantiles are right within 7 %.
#[derive(Clone, Debug, Default)]
struct Histogram {
    buckets: BTreeMap<u32, u64>,
    count: u64,
    max: Duration,
}

impl Histogram {
    const STEPS_PER_DOUBLING: u32 = 16;

    fn record(&mut self, took: Duration) {
        *self.buckets.entry(Self::bucket(took)).or_default() += 1;
        self.count += 1;
        self.max = self.max.max(took);
    }

    fn quantile(&self, part: f64) -> Duration {
        let rank = (self.count as f64 * part).ceil() as u64;
        let mut seen = 0;
        for (bucket, count) in &self.buckets {
            seen += count;
            if seen >= rank {
                return Self::upper_end(*bucket).min(self.max);
            }
        }
        self.max
    }

    fn bucket(took: Duration) -> u32 {
        let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX).max(1);
        (Self::STEPS_PER_DOUBLING as f64 * (micros as f64).log2()).floor() as u32
    }

    fn upper_end(bucket: u32) -> Duration {
        let exponent = f64::from(bucket + 1) / f64::from(Self::STEPS_PER_DOUBLING);
        Duration::from_micros(exponent.exp2().ceil() as u64)
    }
}

#[cfg(test)]
mod tests;
