//! Latencies in fixed buckets: each bound is the square root of two times the one before it.
//!
//! Buckets that are the same on every gateway can be summed without loss, and a quantile read from
//! them is off by one bucket at most.

use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// From 0.1 ms, below what a local call through a gateway takes, to 74 s, above every timeout; one
/// more bucket for what is longer.
pub const BUCKETS: usize = BOUNDS_COUNT + 1;
const BOUNDS_COUNT: usize = 40;

/// A count of latencies by bucket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Histogram {
    counts: [u64; BUCKETS],
}

impl Histogram {
    /// The upper bound of each bucket but the last, in microseconds; a latency on the bound is in
    /// the bucket.
    pub const BOUNDS_US: [u64; BOUNDS_COUNT] = bounds();

    pub fn from_counts(counts: [u64; BUCKETS]) -> Self {
        Self { counts }
    }

    pub fn counts(&self) -> &[u64; BUCKETS] {
        &self.counts
    }

    pub fn bucket_of(latency: Duration) -> usize {
        let us = u64::try_from(latency.as_micros()).unwrap_or(u64::MAX);
        Self::BOUNDS_US.partition_point(|bound| *bound < us)
    }

    pub fn add(&mut self, latency: Duration) {
        let count = &mut self.counts[Self::bucket_of(latency)];
        *count = count.saturating_add(1);
    }

    pub fn merge(&mut self, other: &Self) {
        for (count, more) in self.counts.iter_mut().zip(other.counts) {
            *count = count.saturating_add(more);
        }
    }

    pub fn is_empty(&self) -> bool {
        self.counts.iter().all(|count| *count == 0)
    }

    pub fn count(&self) -> u64 {
        self.counts.iter().fold(0, |sum, count| sum.saturating_add(*count))
    }

    /// The buckets that hold something, by index.
    pub fn filled(&self) -> impl Iterator<Item = (usize, u64)> {
        self.counts.iter().copied().enumerate().filter(|(_, count)| *count > 0)
    }

    /// The latency that this share of all stays below; `None` if there is none.
    pub fn quantile_ms(&self, share: f64) -> Option<f64> {
        quantile_ms(&self.counts.map(|count| count as f64), share)
    }
}

impl Default for Histogram {
    fn default() -> Self {
        Self { counts: [0; BUCKETS] }
    }
}

/// The same for weighted buckets. Inside a bucket latencies count as evenly spread; of the last
/// bucket only its lower bound is known.
pub fn quantile_ms(weights: &[f64; BUCKETS], share: f64) -> Option<f64> {
    let total: f64 = weights.iter().sum();
    if total <= 0.0 {
        return None;
    }
    let wanted = share.clamp(0.0, 1.0) * total;
    let mut below = 0.0;
    let mut last = 0;
    for (bucket, weight) in weights.iter().enumerate() {
        if *weight <= 0.0 {
            continue;
        }
        last = bucket;
        if below + weight >= wanted {
            return Some(inside(bucket, (wanted - below) / weight));
        }
        below += weight;
    }
    // Rounding may leave the wanted weight a hair above the sum.
    Some(inside(last, 1.0))
}

/// Milliseconds at a part of a bucket.
fn inside(bucket: usize, part: f64) -> f64 {
    let bound = |bucket: usize| Histogram::BOUNDS_US.get(bucket).map(|us| *us as f64 / 1_000.0);
    let lower = bucket.checked_sub(1).and_then(bound).unwrap_or(0.0);
    let upper = bound(bucket).unwrap_or(lower);
    lower + (upper - lower) * part.clamp(0.0, 1.0)
}

const fn bounds() -> [u64; BOUNDS_COUNT] {
    let mut bounds = [0; BOUNDS_COUNT];
    let mut index = 0;
    while index < BOUNDS_COUNT {
        let power = 100 << (index / 2);
        bounds[index] = if index % 2 == 0 { power } else { power * 14_142 / 10_000 };
        index += 1;
    }
    bounds
}

/// Pairs of bucket and count: most buckets are empty.
impl Serialize for Histogram {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.filled())
    }
}

impl<'de> Deserialize<'de> for Histogram {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let pairs = Vec::<(usize, u64)>::deserialize(deserializer)?;
        let mut histogram = Self::default();
        for (bucket, more) in pairs {
            let Some(count) = histogram.counts.get_mut(bucket) else {
                let text = format!("bucket {bucket} of a histogram: expected 0 to {}", BUCKETS - 1);
                return Err(serde::de::Error::custom(text));
            };
            *count = count.saturating_add(more);
        }
        Ok(histogram)
    }
}
