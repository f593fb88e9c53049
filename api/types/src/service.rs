//! Services, their ports and their export.

use std::collections::BTreeMap;
use std::fmt;
use std::net::IpAddr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::id::{ClusterName, PortName, ServiceName};
use crate::import::{Port, Protocol};
use crate::owner::Owner;

/// How a port's traffic is treated.
#[derive(
    Debug,
    Clone,
    Copy,
    Default,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    JsonSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum AppProtocol {
    /// Bytes, balanced per connection.
    #[default]
    Tcp,
    /// HTTP/1.1, balanced and routed per request.
    Http,
}

impl AppProtocol {
    pub fn as_str(self) -> &'static str {
        match self {
            AppProtocol::Tcp => "tcp",
            AppProtocol::Http => "http",
        }
    }
}

/// One port of a service, as clients dial it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ServicePort {
    /// Required where a service has more than one port.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<PortName>,
    /// The number that clients dial, 1 to 65535.
    #[schemars(with = "u16")]
    pub port: std::num::NonZeroU16,
    #[serde(default)]
    pub app_protocol: AppProtocol,
}

/// A service is offered to the other clusters.
///
/// The document is MCS's ServiceExport; it stands for the service of its own name and namespace.
/// One field is ours: the API is not inside a cluster, so `clusters` says which clusters export.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct ServiceExportSpec {
    /// The clusters that export the service; empty means every cluster that has it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub clusters: Vec<ClusterName>,
}

/// What all clusters together say of a service; the `status` of kind Service.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ServiceStatus {
    /// `NAME.NAMESPACE.svc.clusterset.local`.
    pub dns_name: String,
    pub ports: Vec<ServicePort>,
    /// Ports that it is exported with and that lead nowhere from other clusters.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub not_carried: Vec<PortNotCarried>,
    pub headless: bool,
    /// Whether one caller's address stays with one endpoint (`sessionAffinity: ClientIP`).
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub client_affinity: bool,
    /// By cluster that has the service.
    pub clusters: BTreeMap<ClusterName, ServiceInCluster>,
    /// The virtual IPs by which each cluster reaches it.
    pub virtual_ips: BTreeMap<ClusterName, Vec<IpAddr>>,
    /// What is wrong with the definition, across clusters (for example a port conflict).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub conflicts: Vec<String>,
}

/// A port that gateways do not carry between clusters.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PortNotCarried {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<PortName>,
    /// The number that clients dial, 1 to 65535.
    #[schemars(with = "u16")]
    pub port: std::num::NonZeroU16,
    pub protocol: Protocol,
    /// Why, for people.
    pub reason: String,
}

impl PortNotCarried {
    /// Of a port that gateways carry there is none.
    pub fn of(port: &Port) -> Option<Self> {
        let reason = port.why_not_carried()?.to_owned();
        Some(Self { name: port.name.clone(), port: port.port, protocol: port.protocol, reason })
    }
}

impl fmt::Display for PortNotCarried {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, port, protocol, reason } = self;
        let name = name.as_ref().map(|name| format!("{name} ")).unwrap_or_default();
        let protocol = protocol.as_str();
        write!(f, "port {name}{port}/{protocol} leads nowhere from other clusters: {reason}")
    }
}

/// A service as one cluster has it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ServiceInCluster {
    pub exported: bool,
    /// Who exports it: `bridge` (a ServiceExport) or the cluster's own registry.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub exported_by: Option<Owner>,
    /// Per port, what the cluster's agent last said of the endpoints; absent when Unknown.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub endpoints: Vec<EndpointCount>,
}

/// How many endpoints of a service port are healthy in one cluster.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct EndpointCount {
    pub port: u16,
    pub healthy: u32,
    pub total: u32,
    /// Time since the cluster said so, in milliseconds.
    pub age_ms: u64,
}

/// The clusterset domain (MCS DNS specification).
pub const CLUSTERSET_DOMAIN: &str = "clusterset.local";

/// The name by which workloads of every cluster know the service.
pub fn dns_name(service: &ServiceName) -> String {
    format!("{}.{}.svc.{CLUSTERSET_DOMAIN}", service.name, service.namespace)
}
