//! The `LocalTable` that gateways and DNS proxies get from their cluster's agent: endpoints and
//! the identities of local callers. It never leaves the cluster.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};

use serde::{Deserialize, Serialize};

use crate::id::{ClusterName, Namespace, ResourceName, ServiceName};

/// Everything that decisions need to know of the own cluster.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct LocalTable {
    pub cluster: ClusterName,
    /// When this agent's numbering began (Unix milliseconds); a higher epoch replaces a lower one.
    pub epoch: u64,
    /// Counts changes inside an epoch.
    pub revision: u64,
    pub services: BTreeMap<ServiceName, Vec<Endpoint>>,
    /// By the source address that a connection shows.
    pub callers: BTreeMap<IpAddr, Caller>,
}

/// One endpoint of a service.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Endpoint {
    pub address: IpAddr,
    /// The service's port number to the endpoint's own.
    pub ports: BTreeMap<u16, u16>,
    pub health: EndpointHealth,
    #[serde(default)]
    pub hostname: Option<ResourceName>,
}

impl Endpoint {
    /// Where a service port is reached on this endpoint.
    pub fn target(&self, port: u16) -> Option<SocketAddr> {
        Some(SocketAddr::new(self.address, *self.ports.get(&port)?))
    }
}

/// What the agent's active checks say. Nothing is healthy by default.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(rename_all = "camelCase")]
pub enum EndpointHealth {
    Healthy,
    Unhealthy,
    /// No check is configured, or none has finished yet: used, after the healthy ones.
    #[default]
    Unknown,
}

/// Who a local source address is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Caller {
    pub namespace: Namespace,
    pub account: ResourceName,
}
