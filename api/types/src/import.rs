//! What the Multi-Cluster Services API (KEP-1645) says of a service beyond what gateways need: it
//! goes from the exporting Service to the ServiceImports of all clusters.

use std::collections::BTreeMap;
use std::fmt;
use std::num::NonZeroU16;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::id::PortName;
use crate::service::{AppProtocol, ServicePort};

/// What an import takes over from the exporting Service and its export.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Traits {
    /// All ports, also those that no gateway carries.
    pub ports: Vec<Port>,
    /// In the Service's order.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub ip_families: Vec<IpFamily>,
    /// How many seconds a client stays with an endpoint; `None` if it does not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_affinity_s: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub internal_traffic_policy: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub traffic_distribution: Option<String>,
    /// The export's `exportedLabels`.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
    /// The export's `exportedAnnotations`.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: BTreeMap<String, String>,
}

/// One port, as Kubernetes has it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Port {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<PortName>,
    pub protocol: Protocol,
    pub port: NonZeroU16,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub app_protocol: Option<String>,
}

/// As Kubernetes names it.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
pub enum Protocol {
    #[serde(rename = "TCP")]
    Tcp,
    #[serde(rename = "UDP")]
    Udp,
    #[serde(rename = "SCTP")]
    Sctp,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum IpFamily {
    #[serde(rename = "IPv4")]
    V4,
    #[serde(rename = "IPv6")]
    V6,
}

/// A property that the exports of a service contradict each other in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Conflict {
    pub reason: Reason,
    /// Which cluster says what against whom, and what follows.
    pub message: String,
}

/// The reasons of the condition `Conflict`, in the words of the API.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Reason {
    PortConflict,
    TypeConflict,
    SessionAffinityConflict,
    SessionAffinityConfigConflict,
    LabelsConflict,
    AnnotationsConflict,
    InternalTrafficPolicyConflict,
    TrafficDistributionConflict,
    #[serde(rename = "IPFamilyConflict")]
    IpFamilyConflict,
}

impl Port {
    /// Whether gateways carry it between clusters.
    pub fn is_carried(&self) -> bool {
        self.why_not_carried().is_none()
    }

    /// For people; `None` if gateways carry it.
    pub fn why_not_carried(&self) -> Option<&'static str> {
        (self.protocol != Protocol::Tcp).then_some("gateways carry TCP only")
    }
}

impl fmt::Display for Port {
    /// `dns 53/UDP`, without the name where there is none.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(name) = &self.name {
            write!(f, "{name} ")?;
        }
        write!(f, "{}/{}", self.port, self.protocol.as_str())
    }
}

impl From<&ServicePort> for Port {
    fn from(port: &ServicePort) -> Self {
        let app_protocol = match port.app_protocol {
            AppProtocol::Tcp => None,
            AppProtocol::Http => Some("http".into()),
        };
        Self { name: port.name.clone(), protocol: Protocol::Tcp, port: port.port, app_protocol }
    }
}

impl Protocol {
    pub fn as_str(self) -> &'static str {
        match self {
            Protocol::Tcp => "TCP",
            Protocol::Udp => "UDP",
            Protocol::Sctp => "SCTP",
        }
    }
}

impl IpFamily {
    pub fn of(address: std::net::IpAddr) -> Self {
        if address.is_ipv4() { IpFamily::V4 } else { IpFamily::V6 }
    }

    pub fn as_str(self) -> &'static str {
        match self {
            IpFamily::V4 => "IPv4",
            IpFamily::V6 => "IPv6",
        }
    }
}

impl Reason {
    pub fn as_str(self) -> &'static str {
        match self {
            Reason::PortConflict => "PortConflict",
            Reason::TypeConflict => "TypeConflict",
            Reason::SessionAffinityConflict => "SessionAffinityConflict",
            Reason::SessionAffinityConfigConflict => "SessionAffinityConfigConflict",
            Reason::LabelsConflict => "LabelsConflict",
            Reason::AnnotationsConflict => "AnnotationsConflict",
            Reason::InternalTrafficPolicyConflict => "InternalTrafficPolicyConflict",
            Reason::TrafficDistributionConflict => "TrafficDistributionConflict",
            Reason::IpFamilyConflict => "IPFamilyConflict",
        }
    }
}
