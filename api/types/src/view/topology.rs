//! Clusters as areas, services or workspaces in them, who calls whom, and the links between.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Level, Proportions, WorkspaceFilter};
use crate::duration;
use crate::id::{ClusterName, InstanceId, Namespace, ResourceName, Revision};
use crate::traffic::{Gap, Rates};

/// What to draw.
#[derive(
    Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Query {
    /// Words that must all occur in the namespace, name, workspace or a cluster.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub search: String,
    /// Only services of this workspace; `-` for those of none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub workspace: Option<WorkspaceFilter>,
    /// Only services that this cluster has.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cluster: Option<ClusterName>,
    /// Only services of this level.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub level: Option<Level>,
    pub group: Grouping,
    /// The time that rates are of, 2s to 5m; 30s by default.
    #[serde(skip_serializing_if = "Option::is_none", with = "duration::option")]
    #[schemars(with = "Option<String>")]
    pub over: Option<Duration>,
}

#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum Grouping {
    /// By workspace where more services fit than can be looked at.
    #[default]
    Auto,
    Workspace,
    /// Services one by one, up to a bound.
    None,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Topology {
    pub grouped: bool,
    /// What is drawn, in one line, with what was left out.
    pub sentence: String,
    pub clusters: Vec<TopologyCluster>,
    pub edges: Vec<TopologyEdge>,
    /// Edges beyond the bound of this list.
    pub edges_omitted: u32,
    pub links: Vec<Link>,
    /// The time that rates are of.
    pub over_ms: u64,
    pub revision: Revision,
    pub gaps: Vec<Gap>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TopologyCluster {
    pub name: ClusterName,
    pub level: Level,
    pub text: String,
    pub services: Proportions,
    pub nodes: Vec<TopologyNode>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TopologyNode {
    /// `east/books/reviews`, `east/@WORKSPACE`, `east/@-` for services of no workspace.
    pub id: String,
    pub label: String,
    pub kind: NodeKind,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<Namespace>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<ResourceName>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub workspace: Option<ResourceName>,
    /// Of a group: the level that most of its services have.
    pub level: Level,
    /// As this cluster has them.
    pub services: Proportions,
    /// What is served there; absent when unknown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rates: Option<Rates>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum NodeKind {
    Service,
    Workspace,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TopologyEdge {
    /// The node of the caller's own service, or its cluster where that is not known.
    pub from: String,
    pub to: String,
    pub from_cluster: ClusterName,
    pub to_cluster: ClusterName,
    pub level: Level,
    /// Absent when unknown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rates: Option<Rates>,
    pub text: String,
}

/// The way from one cluster to another, as its gateways measure it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Link {
    pub from: ClusterName,
    pub to: ClusterName,
    pub level: Level,
    pub text: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub round_trip_ms: Option<f64>,
    /// Packets lost of packets sent, 0 to 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub loss_share: Option<f64>,
    /// What workloads of `from` call in `to`; absent when unknown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rates: Option<Rates>,
    pub gateways: Vec<GatewayLink>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct GatewayLink {
    pub from: InstanceId,
    pub to: InstanceId,
    pub connections: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub round_trip_ms: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub loss_share: Option<f64>,
    pub age_ms: u64,
}
