//! Is everything well, what is not, since when, and what changed before it.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::changes::ChangeLine;
use super::clusters::ClusterCard;
use super::{Level, Proportions, Ref};
use crate::api::MemberStatus;
use crate::duration;
use crate::id::{Revision, Timestamp};
use crate::traffic::{Gap, Rates, Series};

/// How far back to look.
#[derive(
    Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Query {
    /// The time that the traffic's rates and series are of, 2s to 5m; by default rates of 30s,
    /// series of 5m.
    #[serde(skip_serializing_if = "Option::is_none", with = "duration::option")]
    #[schemars(with = "Option<String>")]
    pub over: Option<Duration>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Overview {
    pub revision: Revision,
    /// The federation in one line.
    pub sentence: String,
    pub level: Level,
    /// When the level last changed, as far as this member saw.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since_ms: Option<u64>,
    pub services: Proportions,
    pub clusters: Vec<ClusterCard>,
    /// What to look at, the widest effect first.
    pub attention: Vec<Attention>,
    /// Items beyond the bound of this list.
    pub attention_omitted: u32,
    pub traffic: OverviewTraffic,
    /// The last changes that people made, newest first.
    pub changes: Vec<ChangeLine>,
    pub members: Vec<MemberStatus>,
    pub gaps: Vec<Gap>,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct OverviewTraffic {
    /// Absent when unknown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub now: Option<Rates>,
    /// The time that rates are of.
    pub over_ms: u64,
    pub series: Series,
    /// The share of requests that leave their cluster, 0 to 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remote_share: Option<f64>,
}

/// One thing to look at.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Attention {
    pub level: Level,
    pub subject: Ref,
    pub title: String,
    /// What is wrong with it.
    pub detail: String,
    /// Since when it is so, as far as this member saw.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since_ms: Option<u64>,
    /// Services that it touches.
    pub services: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub requests_per_second: Option<f64>,
    /// What to run next.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub command: Option<String>,
    /// The newest change that touches it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_change: Option<ChangeLine>,
}
