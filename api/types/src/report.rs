//! What a cluster reports upward: definitions (kept in Raft) and summaries of health (soft state).
//! No endpoints, headless services excepted.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::cluster::GatewayAddress;
use crate::id::{ClusterName, Namespace, ServiceName, Timestamp};
use crate::import::Traits;
use crate::service::ServicePort;
use crate::snapshot::HeadlessEndpoint;

/// All that a cluster's registry states, as far as other clusters may know it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Report {
    pub cluster: ClusterName,
    /// `None` means that every namespace exists there.
    pub namespaces: Option<Vec<Namespace>>,
    /// Shared with the report before, which a change leaves alike but for a few.
    pub services: BTreeMap<ServiceName, Arc<ReportedService>>,
    pub gateways: Vec<GatewayAddress>,
    /// The virtual IPs that the cluster's platform gave to imported services; `None` leaves them to
    /// the bridge.
    #[serde(default)]
    pub virtual_ips: Option<VirtualIps>,
}

/// By service, the addresses by which a cluster's own workloads reach it, IPv4 first.
pub type VirtualIps = BTreeMap<ServiceName, Vec<IpAddr>>;

impl Report {
    pub fn empty(cluster: ClusterName) -> Self {
        Self {
            cluster,
            namespaces: None,
            services: BTreeMap::new(),
            gateways: Vec::new(),
            virtual_ips: None,
        }
    }
}

/// A service as one cluster has it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ReportedService {
    pub ports: Vec<ServicePort>,
    #[serde(default)]
    pub labels: BTreeMap<String, String>,
    /// Whether the cluster's own registry exports it.
    pub exported: bool,
    /// The ready endpoints of a headless service; `None` for others.
    #[serde(default)]
    pub headless: Option<Vec<HeadlessEndpoint>>,
    /// How many seconds a caller stays with an endpoint; `None` if it does not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_affinity_s: Option<u32>,
    /// What a registry with an object for the export says besides.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub export: Option<ReportedExport>,
}

/// An export that is an object of the cluster's own registry.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ReportedExport {
    /// When it was made: the oldest export of a service wins.
    pub since: Timestamp,
    pub traits: Traits,
}

/// How many endpoints of a service port are fit to serve, in one cluster.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct HealthSummary {
    pub service: ServiceName,
    pub port: u16,
    pub healthy: u32,
    pub total: u32,
}

/// A change of a cluster's report, on top of the report that `base` numbers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ReportChange {
    pub cluster: ClusterName,
    /// When the agent's numbering began (Unix milliseconds).
    pub epoch: u64,
    /// The report that this builds on; `None` replaces everything. A base that the receiver does
    /// not have is a gap: it asks for the whole report.
    pub base: Option<u64>,
    /// The number of the report that results.
    pub revision: u64,
    pub namespaces: Option<Vec<Namespace>>,
    pub gateways: Vec<GatewayAddress>,
    /// Services that are new or differ.
    pub services: BTreeMap<ServiceName, ReportedService>,
    pub removed: Vec<ServiceName>,
    /// Virtual IPs that are new or differ; an empty list takes one back. `None` leaves them to the
    /// bridge.
    #[serde(default)]
    pub virtual_ips: Option<VirtualIps>,
}
