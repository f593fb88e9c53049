//! What the web page shows: judged, summed up and put in order by the server.
//!
//! - [`Query`]: which view, as its path and parameters say
//! - [`overview`], [`services`], [`service`], [`clusters`], [`topology`], [`changes`]: the answers
//!
//! Ages are in milliseconds at the moment of the answer. What is not known is `unknown` or absent,
//! never zero.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::id::{ClusterName, Namespace, ResourceName, ServiceName};
use crate::object::{Key, Kind};

pub mod changes;
pub mod clusters;
pub mod overview;
pub mod service;
pub mod services;
pub mod topology;

/// How something is.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    Healthy,
    /// It serves, but not all of it, or not without errors.
    Degraded,
    /// It does not serve.
    Failing,
    /// Nobody offers it: a service that no cluster exports.
    Idle,
    /// Nobody who can tell is heard.
    Unknown,
    /// It was told to give its traffic away.
    Draining,
}

impl Level {
    pub fn as_str(self) -> &'static str {
        match self {
            Level::Healthy => "healthy",
            Level::Degraded => "degraded",
            Level::Failing => "failing",
            Level::Idle => "idle",
            Level::Unknown => "unknown",
            Level::Draining => "draining",
        }
    }
}

/// How many of some things are at which level.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Proportions {
    pub healthy: u32,
    pub degraded: u32,
    pub failing: u32,
    pub idle: u32,
    pub unknown: u32,
    pub draining: u32,
}

impl Proportions {
    pub fn of(levels: impl IntoIterator<Item = Level>) -> Self {
        let mut proportions = Self::default();
        for level in levels {
            proportions.add(level);
        }
        proportions
    }

    pub fn add(&mut self, level: Level) {
        *match level {
            Level::Healthy => &mut self.healthy,
            Level::Degraded => &mut self.degraded,
            Level::Failing => &mut self.failing,
            Level::Idle => &mut self.idle,
            Level::Unknown => &mut self.unknown,
            Level::Draining => &mut self.draining,
        } += 1;
    }

    pub fn total(&self) -> u32 {
        let Self { healthy, degraded, failing, idle, unknown, draining } = self;
        healthy + degraded + failing + idle + unknown + draining
    }
}

/// What something is about.
#[derive(
    Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "camelCase")]
pub struct Ref {
    /// A kind of resource, or `Gateway`, `DnsProxy`, `Member`, `Link`.
    pub kind: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<Namespace>,
    pub name: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cluster: Option<ClusterName>,
}

impl Ref {
    pub fn service(service: &ServiceName) -> Self {
        let namespace = Some(service.namespace.clone());
        let (kind, name) = (Kind::Service.to_string(), service.name.to_string());
        Self { kind, namespace, name, cluster: None }
    }

    pub fn cluster(cluster: &ClusterName) -> Self {
        let (kind, name) = (Kind::Cluster.to_string(), cluster.to_string());
        Self { kind, namespace: None, name, cluster: None }
    }

    pub fn part(kind: &str, name: &str, cluster: Option<&ClusterName>) -> Self {
        let cluster = cluster.cloned();
        Self { kind: kind.into(), namespace: None, name: name.into(), cluster }
    }
}

impl From<&Key> for Ref {
    fn from(key: &Key) -> Self {
        let (kind, name) = (key.kind.to_string(), key.name.to_string());
        Self { kind, namespace: key.namespace.clone(), name, cluster: None }
    }
}

/// Which view is asked for.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Query {
    Overview(overview::Query),
    Services(services::Query),
    Service(ServiceName, service::Query),
    Clusters(clusters::Query),
    Cluster(ClusterName, clusters::Query),
    Topology(topology::Query),
    Changes(changes::Query),
}

/// A view, as its query asks.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Answer {
    Overview(Box<overview::Overview>),
    Services(Box<services::Services>),
    Service(Box<service::ServicePage>),
    Clusters(Box<clusters::Clusters>),
    Cluster(Box<clusters::ClusterPage>),
    Topology(Box<topology::Topology>),
    Changes(Box<changes::Changes>),
}

/// The workspace that a filter names: `-` stands for services of no workspace.
#[derive(
    Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(try_from = "String", into = "String")]
#[schemars(with = "String")]
pub enum WorkspaceFilter {
    None,
    Named(ResourceName),
}

impl WorkspaceFilter {
    pub fn fits(&self, workspace: Option<&ResourceName>) -> bool {
        match self {
            WorkspaceFilter::None => workspace.is_none(),
            WorkspaceFilter::Named(name) => workspace == Some(name),
        }
    }
}

impl TryFrom<String> for WorkspaceFilter {
    type Error = crate::id::Error;
    fn try_from(text: String) -> Result<Self, Self::Error> {
        match text.as_str() {
            "-" => Ok(WorkspaceFilter::None),
            name => Ok(WorkspaceFilter::Named(name.parse()?)),
        }
    }
}

impl From<WorkspaceFilter> for String {
    fn from(filter: WorkspaceFilter) -> String {
        match filter {
            WorkspaceFilter::None => "-".into(),
            WorkspaceFilter::Named(name) => name.to_string(),
        }
    }
}
