//! One service: where it lives, where its traffic goes, who may call it and who does.

use std::net::IpAddr;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::changes::ChangeLine;
use super::services::ServiceRow;
use super::{Level, Ref};
use crate::duration;
use crate::error::Code;
use crate::id::{ClusterName, ResourceName, Revision, ServiceName, SpiffeId};
use crate::owner::Owner;
use crate::policy::Action;
use crate::traffic::{Gap, Rates, Series};

/// From where the service is looked at.
#[derive(
    Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Query {
    /// Only calls from this cluster, and its failover order; all by default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cluster: Option<ClusterName>,
    /// The time that rates and series are of, 2s to 5m; by default rates of 30s, series of 5m.
    #[serde(skip_serializing_if = "Option::is_none", with = "duration::option")]
    #[schemars(with = "Option<String>")]
    pub over: Option<Duration>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ServicePage {
    pub row: ServiceRow,
    pub dns_name: String,
    pub virtual_ips: Vec<VirtualIps>,
    pub endpoints: Vec<EndpointsLine>,
    pub routes: Vec<RouteView>,
    /// Absent if `shift` cannot act on it: several rules without a match, or several routes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shift: Option<ShiftView>,
    pub failover: FailoverView,
    /// The most requests first.
    pub callers: Vec<CallerLine>,
    /// What was not let through, and why: the most of a kind first.
    pub refusals: Vec<RefusalLine>,
    pub access: AccessView,
    pub traffic: ServiceTraffic,
    /// Its ports that lead nowhere from other clusters, and why.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub not_carried: Vec<String>,
    /// What is wrong with its definition, across clusters.
    pub conflicts: Vec<String>,
    pub changes: Vec<ChangeLine>,
    pub revision: Revision,
    pub gaps: Vec<Gap>,
}

/// The addresses by which one cluster reaches the service.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct VirtualIps {
    pub cluster: ClusterName,
    pub addresses: Vec<IpAddr>,
}

/// A port of the service in one cluster.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct EndpointsLine {
    pub cluster: ClusterName,
    pub port: u16,
    pub level: Level,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub healthy: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub total: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub age_ms: Option<u64>,
    pub exported: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exported_by: Option<Owner>,
}

/// One rule of a route, in the order in which they are tried.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RouteView {
    /// The rule, as `HTTPRoute books/reviews rule 0`; absent for a service without a route.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// What fits; empty fits all.
    pub matches: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub port: Option<u16>,
    pub backends: Vec<BackendView>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct BackendView {
    pub service: ServiceName,
    pub weight: u32,
    /// Of the rule's traffic, 0 to 1.
    pub share: f64,
    pub level: Level,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rates: Option<Rates>,
}

/// The weights that `shift` changes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ShiftView {
    pub backends: Vec<ShiftBackend>,
    /// The command that sets the weights as they are.
    pub command: String,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ShiftBackend {
    pub name: ResourceName,
    pub weight: u32,
    pub share: f64,
}

/// Which clusters serve it, in which order.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct FailoverView {
    /// The policy that says so; absent for the default order.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy: Option<Ref>,
    /// One per cluster whose workloads can call it.
    pub per_cluster: Vec<FailoverFrom>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct FailoverFrom {
    pub from: ClusterName,
    pub order: Vec<FailoverStep>,
}

/// A cluster that may serve, best first.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct FailoverStep {
    pub cluster: ClusterName,
    pub level: Level,
    /// Why it has this place.
    pub why: String,
    /// Of the calls, 0 to 1, by what the bridge knows.
    pub share: f64,
}

/// Somebody who calls it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct CallerLine {
    /// Absent if the agent does not know the caller.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub identity: Option<SpiffeId>,
    /// Where it runs.
    pub cluster: ClusterName,
    /// Where it was served; absent if nobody served it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub destination: Option<ClusterName>,
    /// Absent when unknown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rates: Option<Rates>,
    pub text: String,
}

/// Calls that were refused for one reason.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RefusalLine {
    /// Absent if the agent does not know the caller.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub identity: Option<SpiffeId>,
    /// Where it runs.
    pub cluster: ClusterName,
    pub code: Code,
    /// The code in words.
    pub reason: String,
    /// In the time that rates are of.
    pub count: u64,
    pub per_second: f64,
    pub text: String,
}

/// Who may call it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AccessView {
    /// Whether no ALLOW policy narrows who may call.
    pub open: bool,
    pub policies: Vec<PolicyView>,
    /// All of it in one line.
    pub text: String,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PolicyView {
    #[serde(rename = "ref")]
    pub subject: Ref,
    pub action: Action,
    /// Each rule in one line; one that fits is enough.
    pub rules: Vec<String>,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ServiceTraffic {
    /// Absent when unknown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub now: Option<Rates>,
    /// The time that rates are of.
    pub over_ms: u64,
    pub series: Series,
    /// The most requests first.
    pub flows: Vec<ServiceFlow>,
}

/// What goes from one cluster to another.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ServiceFlow {
    pub from: ClusterName,
    /// Absent if nobody served it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<ClusterName>,
    /// Absent when unknown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rates: Option<Rates>,
}
