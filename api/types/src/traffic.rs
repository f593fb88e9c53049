//! What gateways count of the traffic that they carry, and what people are told of it.
//!
//! - [`Report`]: what one gateway counted in one interval, told to the bridge
//! - [`Histogram`]: latencies in fixed buckets, the same everywhere, so that sums stay exact
//! - [`Query`]: what the API is asked; [`Traffic`] and its parts: what it answers
//!
//! What nobody reported is absent or a named [`Gap`], never zero.

use std::collections::BTreeMap;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::duration;
use crate::error::{Code, Problem};
use crate::id::{ClusterName, InstanceId, ServiceName, SpiffeId};
use crate::limits;

mod histogram;

pub use histogram::{BUCKETS, Histogram, quantile_ms};

/// What one gateway counted between two moments, near its callers.
///
/// Both moments are on the gateway's own clock, so that a delay on the way to the bridge does not
/// move them; what is missing between two reports is a gap.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// When the gateway began to count (Unix milliseconds); another number means a restart.
    pub epoch: u64,
    /// Milliseconds from then to the end of the interval.
    pub end_ms: u64,
    /// The interval's length.
    pub span_ms: u64,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub entries: Vec<Entry>,
    /// The sum of what found no place among the entries.
    #[serde(default, skip_serializing_if = "Counts::is_empty")]
    pub other: Counts,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub links: Vec<Link>,
}

/// What was counted for one caller, service, backend and destination.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Entry {
    #[serde(flatten)]
    pub key: Key,
    #[serde(flatten)]
    pub counts: Counts,
}

/// Between whom traffic went, as the gateway near the caller knows it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Key {
    /// What the caller dialled.
    pub service: ServiceName,
    /// What the route chose; absent if no choice was possible.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub backend: Option<ServiceName>,
    /// The cluster that served it, or was tried last; absent if none was tried.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cluster: Option<ClusterName>,
    /// Absent if the agent does not know the caller.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub caller: Option<SpiffeId>,
}

/// HTTP requests and TCP flows, counted when they end; bytes of a TCP flow as they pass.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Counts {
    #[serde(skip_serializing_if = "is_zero")]
    pub requests: u64,
    /// Answers of status 5xx, and what failed on its way.
    #[serde(skip_serializing_if = "is_zero")]
    pub errors: u64,
    /// What was not to be served: forbidden by a policy, not exported, malformed, or given up by
    /// the caller. Not an error of the service.
    #[serde(skip_serializing_if = "is_zero")]
    pub refused: u64,
    /// Why, for those of them of which the gateway knows it.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub refused_by: BTreeMap<Code, u64>,
    #[serde(skip_serializing_if = "is_zero")]
    pub bytes_from_client: u64,
    #[serde(skip_serializing_if = "is_zero")]
    pub bytes_to_client: u64,
    /// Of HTTP requests: how long a TCP flow lives says nothing of its service.
    #[serde(skip_serializing_if = "Histogram::is_empty")]
    pub latency: Histogram,
}

impl Counts {
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    pub fn merge(&mut self, other: &Self) {
        self.requests = self.requests.saturating_add(other.requests);
        self.errors = self.errors.saturating_add(other.errors);
        self.refused = self.refused.saturating_add(other.refused);
        for (code, count) in &other.refused_by {
            let sum = self.refused_by.entry(*code).or_default();
            *sum = sum.saturating_add(*count);
        }
        self.bytes_from_client = self.bytes_from_client.saturating_add(other.bytes_from_client);
        self.bytes_to_client = self.bytes_to_client.saturating_add(other.bytes_to_client);
        self.latency.merge(&other.latency);
    }
}

/// What the carrier measured towards one gateway of another cluster.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Link {
    pub cluster: ClusterName,
    pub gateway: InstanceId,
    pub connections: u32,
    /// The smoothed round trip of the fastest connection.
    pub round_trip_us: u64,
    /// Packets sent in the interval, and those of them that were found lost in it.
    pub packets_sent: u64,
    pub packets_lost: u64,
}

/// Why a report is not taken.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("a report of traffic cannot be read")]
    Unreadable(#[source] serde_json::Error),
    #[error("a report of traffic has {count} {what}: expected at most {max}")]
    TooMany { what: &'static str, count: usize, max: usize },
    #[error("a report of traffic spans {span_ms} ms: expected 1 to {} ms", span_max_ms())]
    Span { span_ms: u64 },
    #[error("a report of traffic has more errors and refusals than requests: {what}")]
    Inconsistent { what: String },
}

fn span_max_ms() -> u64 {
    u64::try_from(limits::TRAFFIC_SPAN_MAX.as_millis()).unwrap_or(u64::MAX)
}

impl Report {
    /// Reads a report from its JSON, and believes nothing that cannot be.
    pub fn parse(document: &[u8]) -> Result<Self, Error> {
        let report: Self = serde_json::from_slice(document).map_err(Error::Unreadable)?;
        let bounds = [
            ("entries", report.entries.len(), limits::TRAFFIC_ENTRIES_MAX),
            ("links", report.links.len(), limits::TRAFFIC_LINKS_MAX),
        ];
        for (what, count, max) in bounds {
            if count > max {
                return Err(Error::TooMany { what, count, max });
            }
        }
        if !(1..=span_max_ms()).contains(&report.span_ms) {
            return Err(Error::Span { span_ms: report.span_ms });
        }
        let inconsistent = |counts: &Counts| {
            let told = counts.refused_by.values().fold(0, |sum: u64, n| sum.saturating_add(*n));
            counts.errors.saturating_add(counts.refused) > counts.requests || told > counts.refused
        };
        if let Some(entry) = report.entries.iter().find(|entry| inconsistent(&entry.counts)) {
            return Err(Error::Inconsistent { what: entry.key.service.to_string() });
        }
        if inconsistent(&report.other) {
            return Err(Error::Inconsistent { what: "the rest".into() });
        }
        Ok(report)
    }

    pub fn to_json(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("text keys only")
    }
}

/// What gateways that report at present counted lately.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Rates {
    /// HTTP requests, and TCP flows that ended, in the time asked for.
    pub requests: u64,
    /// Answers of status 5xx, and failures on the way.
    pub errors: u64,
    /// What was not to be served: forbidden by a policy, not exported, malformed, or given up by
    /// the caller. Not among the errors.
    pub refused: u64,
    pub requests_per_second: f64,
    pub errors_per_second: f64,
    pub refused_per_second: f64,
    /// Errors of requests, 0 to 1.
    pub error_share: f64,
    /// Payload in both directions.
    pub bytes_per_second: f64,
    /// Of HTTP requests, in milliseconds, as the caller's gateway saw it; absent without any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub p50_ms: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub p95_ms: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub p99_ms: Option<f64>,
}

/// Rates of equal steps, oldest first; null where nobody who carries the traffic reported.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Series {
    pub step_ms: u64,
    /// How long ago the last step ended.
    pub end_age_ms: u64,
    pub requests_per_second: Vec<Option<f64>>,
    pub errors_per_second: Vec<Option<f64>>,
    /// Null also where no request ended.
    pub p95_ms: Vec<Option<f64>>,
}

impl Series {
    /// The last part of it, of this length.
    pub fn last(mut self, over: Duration) -> Self {
        let steps = over.as_millis().div_ceil(u128::from(self.step_ms.max(1)));
        let steps = usize::try_from(steps).unwrap_or(usize::MAX);
        for points in [&mut self.requests_per_second, &mut self.errors_per_second, &mut self.p95_ms]
        {
            points.drain(..points.len().saturating_sub(steps));
        }
        self
    }
}

/// Somebody who did not tell what it knows: what is shown lacks it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Gap {
    /// A member of the control plane that does not answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub member: Option<InstanceId>,
    /// A gateway that does not report, and its cluster.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cluster: Option<ClusterName>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gateway: Option<InstanceId>,
    /// For how long; absent if it was never heard.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub silent_ms: Option<u64>,
    pub text: String,
}

/// Which traffic, and of what time; absent fields choose all.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Query {
    /// Only what was dialled by this name, `NAMESPACE/NAME`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub service: Option<ServiceName>,
    /// Only callers of this cluster.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<ClusterName>,
    /// Only what this cluster served.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub to: Option<ClusterName>,
    /// The time that rates are of, 2s to 5m; 30s by default.
    #[serde(skip_serializing_if = "Option::is_none", with = "duration::option")]
    #[schemars(with = "Option<String>")]
    pub over: Option<Duration>,
}

impl Query {
    /// The time that rates are of.
    pub fn over(&self) -> Result<Duration, Problem> {
        check_over(self.over.unwrap_or(limits::TRAFFIC_RATES_OVER))
    }
}

/// What is asked for, if figures go back as far.
pub fn check_over(over: Duration) -> Result<Duration, Problem> {
    let bounds = limits::TRAFFIC_STEP..=limits::TRAFFIC_OVER_MAX;
    if bounds.contains(&over) {
        return Ok(over);
    }
    let text = format!("`over` is {}", duration::format(over));
    let (least, most) = (duration::format(*bounds.start()), duration::format(*bounds.end()));
    Err(Problem::new(Code::BadQuery, text)
        .with_field("over")
        .with_expected(format!("{least} to {most}")))
}

/// What went from one cluster, to one service, in one cluster.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct FlowRates {
    /// The caller's cluster.
    pub from: ClusterName,
    /// What was dialled; absent for what a gateway had to sum up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service: Option<ServiceName>,
    /// The cluster that served; absent if none was found.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<ClusterName>,
    /// Absent if only gateways that are silent carried it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rates: Option<Rates>,
}

/// The way from one gateway to another.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct LinkRates {
    pub from: ClusterName,
    pub from_gateway: InstanceId,
    pub to: ClusterName,
    pub to_gateway: InstanceId,
    pub connections: u32,
    /// Absent without a connection.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub round_trip_ms: Option<f64>,
    /// Packets lost of packets sent, 0 to 1; absent if none was sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub loss_share: Option<f64>,
    pub packets_per_second: f64,
    /// How long ago it was measured.
    pub age_ms: u64,
}

/// What the gateways of all clusters carry.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Traffic {
    /// The time that `total` and `flows` are of.
    pub over_ms: u64,
    /// Absent if nobody who carries this reported.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub total: Option<Rates>,
    /// The most requests first.
    pub flows: Vec<FlowRates>,
    /// Flows beyond the bound of this list.
    pub omitted: u64,
    pub series: Series,
    pub links: Vec<LinkRates>,
    /// Who did not answer or report: what is shown lacks what only they know.
    pub gaps: Vec<Gap>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands the field as a reference")]
fn is_zero(number: &u64) -> bool {
    *number == 0
}

#[cfg(test)]
mod tests;
