//! The numbered document that one cluster's gateways and DNS proxies get from the bridge.
//!
//! A snapshot is a set of named, immutable entries. The bridge encodes each entry once (JSON) and
//! hashes those bytes; a delta names entries by name and hash (`wire`'s `control.proto`). What a
//! receiver cannot read in an `access/` entry denies that service and nothing else.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::num::NonZeroU16;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::cluster::GatewayAddress;
use crate::duration;
use crate::id::{
    ClusterName, Namespace, PortName, ResourceName, Revision, ServiceName, TrustDomain,
};
use crate::import::{Conflict, Port, Traits};
use crate::local::Endpoint;
use crate::policy::{AccessOperation, Action, IdentityPattern};
use crate::route::HttpMatch;
use crate::service::ServicePort;

/// One entry, by what it is about. The name is the entry's identity in deltas.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub enum Entry {
    /// `cluster/CLUSTER`
    Cluster(ClusterEntry),
    /// `names`
    Names(NamesEntry),
    /// `service/NAMESPACE/NAME`
    Service(ServiceEntry),
    /// `route/NAMESPACE/NAME`, by parent service
    Route(RouteEntry),
    /// `access/NAMESPACE/NAME`, by service
    Access(AccessEntry),
    /// `import/NAMESPACE/NAME`, by service
    Import(ImportEntry),
}

/// A peer cluster (or the own one): how to reach it and whom to believe.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ClusterEntry {
    pub name: ClusterName,
    pub trust_domain: TrustDomain,
    /// The issuer certificates (DER, base64) that speak for this trust domain, and for no other.
    pub anchors: Vec<String>,
    pub gateways: Vec<GatewayAddress>,
    pub drained: bool,
    #[serde(default)]
    pub region: Option<String>,
}

/// What the DNS proxy must know besides the services.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct NamesEntry {
    pub cluster: ClusterName,
    /// The namespaces that exist in this cluster; `None` means all.
    pub namespaces: Option<Vec<Namespace>>,
}

/// A service that at least one cluster exports.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ServiceEntry {
    pub name: ServiceName,
    /// All ports, after the merge of all exporting clusters.
    pub ports: Vec<ServicePort>,
    /// The clusters that export it, each with the port numbers it serves as merged.
    pub clusters: BTreeMap<ClusterName, Vec<u16>>,
    /// The virtual IPs by which this snapshot's cluster reaches it; empty for headless services.
    pub virtual_ips: Vec<IpAddr>,
    /// By port, where this snapshot's gateways listen for it: in a cluster whose platform leads its
    /// own address of the service there. Empty elsewhere.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub gateway_ports: BTreeMap<u16, u16>,
    /// The named endpoints of a headless service; `None` for others.
    pub headless: Option<Vec<HeadlessEndpoint>>,
    /// UDP ports of a headless service, whose endpoints are dialled without gateways.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub udp_ports: Vec<UdpPort>,
    /// Whether a caller stays with the endpoint that served it (`sessionAffinity: ClientIP`).
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub client_affinity: bool,
    pub failover: FailoverEntry,
}

/// What the agent of a Kubernetes cluster writes into it of a service that is exported somewhere.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ImportEntry {
    pub service: ServiceName,
    pub headless: bool,
    /// As all exports together say.
    pub traits: Traits,
    /// The clusters that export it, each with the ports that it serves.
    pub clusters: BTreeMap<ClusterName, Vec<Port>>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub conflicts: Vec<Conflict>,
}

/// A port that only names tell of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct UdpPort {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<PortName>,
    pub port: NonZeroU16,
    /// Those that export it.
    pub clusters: Vec<ClusterName>,
}

/// An endpoint that DNS answers by name (headless services only).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct HeadlessEndpoint {
    pub cluster: ClusterName,
    /// The endpoint's own label, if it has one.
    pub hostname: Option<ResourceName>,
    pub address: IpAddr,
    /// By service port, where it listens; a port that is not here is the endpoint's own too.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub ports: BTreeMap<u16, u16>,
    /// The same of UDP ports.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub udp_ports: BTreeMap<u16, u16>,
}

impl HeadlessEndpoint {
    /// As its own cluster's agent knows it.
    pub fn new(cluster: &ClusterName, endpoint: &Endpoint) -> Self {
        let moved = |ports: &BTreeMap<u16, u16>| {
            let moved = ports.iter().filter(|(port, target)| port != target);
            moved.map(|(port, target)| (*port, *target)).collect()
        };
        Self {
            cluster: cluster.clone(),
            hostname: endpoint.hostname.clone(),
            address: endpoint.address,
            ports: moved(&endpoint.ports),
            udp_ports: moved(&endpoint.udp_ports),
        }
    }

    /// Where a service port is reached on this endpoint.
    pub fn target(&self, port: u16) -> u16 {
        self.ports.get(&port).copied().unwrap_or(port)
    }

    /// The same of a UDP port.
    pub fn udp_target(&self, port: u16) -> u16 {
        self.udp_ports.get(&port).copied().unwrap_or(port)
    }
}

/// In which order clusters serve.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct FailoverEntry {
    /// The FailoverPolicy that says so; `None` for the default (local first, then all others).
    pub policy: Option<ResourceName>,
    pub order: Vec<ClusterName>,
    pub overprovisioning_percent: u32,
}

/// The routes of one parent service, in order of precedence.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RouteEntry {
    pub service: ServiceName,
    pub rules: Vec<RouteRule>,
}

/// One rule with one match, so that precedence is a plain order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RouteRule {
    /// The route object and the number of its rule, for people: `HTTPRoute books/reviews rule 0`.
    pub source: String,
    /// The parent's port that the rule is for; `None` means all.
    pub port: Option<u16>,
    /// Whether the rule is an HTTPRoute's (it then fits HTTP ports only).
    pub http: bool,
    /// What a request must look like; `None` fits all.
    pub condition: Option<HttpMatch>,
    pub backends: Vec<WeightedBackend>,
    #[serde(with = "duration::option", default)]
    pub timeout: Option<Duration>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct WeightedBackend {
    pub service: ServiceName,
    /// `None` means the port that the client dialled.
    pub port: Option<u16>,
    pub weight: u32,
}

/// The policies of one service.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct AccessEntry {
    pub service: ServiceName,
    pub policies: Vec<CompiledPolicy>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CompiledPolicy {
    pub name: ResourceName,
    pub action: Action,
    pub rules: Vec<CompiledRule>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CompiledRule {
    pub from: Vec<CompiledSource>,
    pub to: Vec<AccessOperation>,
}

/// As `policy::AccessSource`, with workspaces replaced by what they own. An empty list fits all;
/// a workspace without namespaces compiles to `Some(vec![])`, which fits nobody.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CompiledSource {
    pub identities: Vec<IdentityPattern>,
    pub clusters: Vec<ClusterName>,
    pub namespaces: Option<Vec<Namespace>>,
}

impl Entry {
    /// The entry's name: its identity across revisions.
    pub fn name(&self) -> String {
        match self {
            Entry::Cluster(entry) => format!("cluster/{}", entry.name),
            Entry::Names(_) => "names".into(),
            Entry::Service(entry) => Self::name_of(&entry.name),
            Entry::Route(entry) => format!("route/{}", entry.service),
            Entry::Access(entry) => format!("access/{}", entry.service),
            Entry::Import(entry) => format!("import/{}", entry.service),
        }
    }

    /// The name of a service's own entry.
    pub fn name_of(service: &ServiceName) -> String {
        format!("service/{service}")
    }
}

/// A whole snapshot, indexed for decisions.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Snapshot {
    pub revision: Revision,
    pub clusters: BTreeMap<ClusterName, ClusterEntry>,
    pub names: Option<NamesEntry>,
    pub services: BTreeMap<ServiceName, ServiceEntry>,
    pub routes: BTreeMap<ServiceName, RouteEntry>,
    pub access: BTreeMap<ServiceName, Access>,
    pub imports: BTreeMap<ServiceName, ImportEntry>,
}

/// What is known of a service's policies.
#[derive(Debug, Clone, PartialEq)]
pub enum Access {
    Policies(AccessEntry),
    /// The entry came but could not be read: everything is denied until it can.
    Unreadable,
}

impl Snapshot {
    /// Builds the index; later entries of one name replace earlier ones.
    pub fn from_entries(revision: Revision, entries: impl IntoIterator<Item = Entry>) -> Self {
        let mut snapshot = Self { revision, ..Self::default() };
        for entry in entries {
            snapshot.insert(entry);
        }
        snapshot
    }

    pub fn insert(&mut self, entry: Entry) {
        match entry {
            Entry::Cluster(entry) => {
                self.clusters.insert(entry.name.clone(), entry);
            }
            Entry::Names(entry) => self.names = Some(entry),
            Entry::Service(entry) => {
                self.services.insert(entry.name.clone(), entry);
            }
            Entry::Route(entry) => {
                self.routes.insert(entry.service.clone(), entry);
            }
            Entry::Access(entry) => {
                self.access.insert(entry.service.clone(), Access::Policies(entry));
            }
            Entry::Import(entry) => {
                self.imports.insert(entry.service.clone(), entry);
            }
        }
    }

    /// The entries again, in the order of their names' kinds.
    pub fn entries(&self) -> Vec<Entry> {
        let clusters = self.clusters.values().cloned().map(Entry::Cluster);
        let names = self.names.iter().cloned().map(Entry::Names);
        let services = self.services.values().cloned().map(Entry::Service);
        let routes = self.routes.values().cloned().map(Entry::Route);
        let access = self.access.values().filter_map(|access| match access {
            Access::Policies(entry) => Some(Entry::Access(entry.clone())),
            Access::Unreadable => None,
        });
        let imports = self.imports.values().cloned().map(Entry::Import);
        clusters.chain(names).chain(services).chain(routes).chain(access).chain(imports).collect()
    }
}
