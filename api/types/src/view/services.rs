//! All services: search, filters, order, pages.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Level, Proportions, WorkspaceFilter};
use crate::duration;
use crate::id::{ClusterName, Namespace, ResourceName, Revision};
use crate::traffic::{Gap, Rates};

/// Which services, in which order.
#[derive(
    Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Query {
    /// Words that must all occur in the namespace, name, workspace or a cluster.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub search: String,
    /// Only services that this cluster has.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cluster: Option<ClusterName>,
    /// Only services of this workspace; `-` for those of none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub workspace: Option<WorkspaceFilter>,
    /// Only services of this level.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub health: Option<Level>,
    pub sort: Sort,
    /// Items of one page, 1 to 500; 100 by default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<usize>,
    /// The time that rates are of, 2s to 5m; 30s by default.
    #[serde(skip_serializing_if = "Option::is_none", with = "duration::option")]
    #[schemars(with = "Option<String>")]
    pub over: Option<Duration>,
    /// What the page before handed out.
    #[serde(rename = "continue", skip_serializing_if = "Option::is_none")]
    pub continue_token: Option<String>,
}

#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum Sort {
    #[default]
    Name,
    /// The most errors first.
    Errors,
    /// The most requests first.
    Requests,
    /// The worst first.
    Health,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Services {
    pub items: Vec<ServiceRow>,
    /// Of the whole federation.
    pub total: u32,
    /// Of those that the query fits.
    pub matched: u32,
    /// Hand this back as `continue` for the next page.
    #[serde(rename = "continue", default, skip_serializing_if = "Option::is_none")]
    pub continue_token: Option<String>,
    pub facets: Facets,
    /// The time that rates are of.
    pub over_ms: u64,
    pub revision: Revision,
    pub gaps: Vec<Gap>,
}

/// How many services each filter would leave, with the search and the other filters as they are.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Facets {
    pub clusters: Vec<Facet>,
    /// `-` stands for services of no workspace.
    pub workspaces: Vec<Facet>,
    pub levels: Proportions,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Facet {
    pub name: String,
    pub count: u32,
}

/// A service in one line.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ServiceRow {
    pub namespace: Namespace,
    pub name: ResourceName,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub workspace: Option<ResourceName>,
    pub level: Level,
    /// Why, in a few words.
    pub text: String,
    /// The clusters that have it.
    pub clusters: Vec<ServiceInClusterCell>,
    /// `9080/http`, several with commas.
    pub ports: String,
    /// Of those who dial it, or of those who are routed to it, whichever are more; absent when
    /// unknown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rates: Option<Rates>,
    /// The share of its requests that leave their cluster, 0 to 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remote_share: Option<f64>,
}

/// A service as one cluster has it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ServiceInClusterCell {
    pub name: ClusterName,
    pub level: Level,
    pub exported: bool,
    /// Endpoints, as the cluster's agent last said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub healthy: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub total: Option<u32>,
    /// How long ago it said so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub age_ms: Option<u64>,
}
