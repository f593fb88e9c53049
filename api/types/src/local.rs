//! The `LocalTable` that gateways and DNS proxies get from their cluster's agent: endpoints and
//! the identities of local callers. It never leaves the cluster.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::id::{ClusterName, Namespace, ResourceName, ServiceName};

/// Everything that decisions need to know of the own cluster. A table shares with the one before
/// what did not change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct LocalTable {
    pub cluster: ClusterName,
    /// When this agent's numbering began (Unix milliseconds); a higher epoch replaces a lower one.
    pub epoch: u64,
    /// Counts changes inside an epoch.
    pub revision: u64,
    pub services: BTreeMap<ServiceName, Arc<[Endpoint]>>,
    /// By the source address that a connection shows.
    pub callers: Arc<BTreeMap<IpAddr, Caller>>,
}

/// What makes a table of another one of the same epoch.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct LocalChange {
    /// What is new or differs; `None` is gone.
    pub services: BTreeMap<ServiceName, Option<Arc<[Endpoint]>>>,
    /// The same of callers.
    pub callers: BTreeMap<IpAddr, Option<Caller>>,
}

impl LocalChange {
    pub fn between(before: &LocalTable, after: &LocalTable) -> Self {
        Self {
            services: differences(&before.services, &after.services),
            callers: match Arc::ptr_eq(&before.callers, &after.callers) {
                true => BTreeMap::new(),
                false => differences(&before.callers, &after.callers),
            },
        }
    }

    /// The table as it is after the change.
    pub fn apply(self, before: &LocalTable, revision: u64) -> LocalTable {
        let mut after = LocalTable { revision, ..before.clone() };
        merge(&mut after.services, self.services);
        if !self.callers.is_empty() {
            merge(Arc::make_mut(&mut after.callers), self.callers);
        }
        after
    }
}

/// Walks both in order, because a table is compared often and differs in little.
fn differences<K: Ord + Clone, V: PartialEq + Clone>(
    before: &BTreeMap<K, V>,
    after: &BTreeMap<K, V>,
) -> BTreeMap<K, Option<V>> {
    let mut differences = BTreeMap::new();
    let mut old = before.iter().peekable();
    for (key, value) in after {
        while let Some((gone, _)) = old.next_if(|(other, _)| *other < key) {
            differences.insert(gone.clone(), None);
        }
        let held = old.next_if(|(other, _)| *other == key);
        if held.is_none_or(|(_, held)| held != value) {
            differences.insert(key.clone(), Some(value.clone()));
        }
    }
    differences.extend(old.map(|(gone, _)| (gone.clone(), None)));
    differences
}

fn merge<K: Ord, V>(held: &mut BTreeMap<K, V>, change: BTreeMap<K, Option<V>>) {
    for (key, value) in change {
        match value {
            Some(value) => held.insert(key, value),
            None => held.remove(&key),
        };
    }
}

/// One endpoint of a service.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Endpoint {
    pub address: IpAddr,
    /// The service's port number to the endpoint's own.
    pub ports: BTreeMap<u16, u16>,
    /// The same of UDP ports, where DNS answers the endpoint by name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub udp_ports: BTreeMap<u16, u16>,
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

#[cfg(test)]
mod tests;
