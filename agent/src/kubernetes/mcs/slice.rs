//! EndpointSlices of imports, at least one per source cluster. Pure.
//!
//! Endpoints stay in their cluster: the slice of a service with a virtual IP has that address as
//! its one endpoint, behind which the gateways choose. A headless service's has its pods' own.

use std::collections::BTreeMap;
use std::net::IpAddr;

use rialto_types::id::{ClusterName, ServiceName};
use rialto_types::import::{IpFamily, Port, Protocol};
use rialto_types::limits;
use rialto_types::snapshot::{HeadlessEndpoint, ImportEntry, ServiceEntry};
use rialto_wire::digest::{hex, sha256};
use serde_json::{Value, json};

use super::MANAGER;
use super::desired::{MANAGED_BY, Owner, sealed};

/// Who keeps a slice, in Kubernetes' words.
pub(super) const SLICE_MANAGED_BY: &str = "endpointslice.kubernetes.io/managed-by";
const SERVICE: &str = "multicluster.kubernetes.io/service-name";
const CLUSTER: &str = "multicluster.kubernetes.io/source-cluster";

#[derive(Debug, Clone, PartialEq)]
pub(super) struct Slice {
    pub(super) service: ServiceName,
    cluster: ClusterName,
    pub(super) family: IpFamily,
    pub(super) endpoints: Value,
    pub(super) ports: Value,
}

/// By namespace and name.
pub(super) fn of(
    entry: &ImportEntry,
    service: &ServiceEntry,
    addresses: &[IpAddr],
) -> BTreeMap<(String, String), Slice> {
    let mut slices = BTreeMap::new();
    for (cluster, served) in &entry.clusters {
        for family in [IpFamily::V4, IpFamily::V6] {
            let groups = match &service.headless {
                Some(endpoints) => headless(endpoints, cluster, family),
                None => virtual_ip(addresses, family),
            };
            let is_fit = |port: &&Port| entry.headless || port.is_carried();
            let fit: Vec<&Port> = served.iter().filter(is_fit).collect();
            if fit.is_empty() && !entry.headless {
                continue;
            }
            let chunks = groups.iter().flat_map(|(targets, endpoints)| {
                let chunks = endpoints.chunks(limits::SLICE_ENDPOINTS_MAX);
                chunks.map(move |endpoints| (targets, endpoints))
            });
            for (at, (targets, endpoints)) in chunks.enumerate() {
                let ports: Vec<Value> = fit.iter().map(|it| port(it, targets)).collect();
                let slice = Slice {
                    service: entry.service.clone(),
                    cluster: cluster.clone(),
                    family,
                    endpoints: json!(endpoints),
                    ports: json!(ports),
                };
                let namespace = entry.service.namespace.to_string();
                slices.insert((namespace, name(&slice, at)), slice);
            }
        }
    }
    slices
}

/// Where endpoints listen for the service's ports, if not at the same numbers.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord)]
struct Targets {
    tcp: BTreeMap<u16, u16>,
    udp: BTreeMap<u16, u16>,
}

/// Endpoints by where they listen: a slice has one set of ports.
type Groups = BTreeMap<Targets, Vec<Value>>;

fn virtual_ip(addresses: &[IpAddr], family: IpFamily) -> Groups {
    let address = addresses.iter().find(|address| IpFamily::of(**address) == family);
    // Whether somebody serves behind it is the gateways' to know.
    let endpoint =
        |address| (Targets::default(), vec![json!({"addresses": [address], "conditions": {}})]);
    address.map(endpoint).into_iter().collect()
}

fn headless(endpoints: &[HeadlessEndpoint], cluster: &ClusterName, family: IpFamily) -> Groups {
    let is_of = |endpoint: &&HeadlessEndpoint| {
        endpoint.cluster == *cluster && IpFamily::of(endpoint.address) == family
    };
    let mut groups = Groups::new();
    for endpoint in endpoints.iter().filter(is_of) {
        let mut value = json!({"addresses": [endpoint.address], "conditions": {"ready": true}});
        if let Some(hostname) = &endpoint.hostname {
            value["hostname"] = json!(hostname);
        }
        let targets = Targets { tcp: endpoint.ports.clone(), udp: endpoint.udp_ports.clone() };
        groups.entry(targets).or_default().push(value);
    }
    groups
}

fn port(port: &Port, targets: &Targets) -> Value {
    let name = port.name.as_ref().map(ToString::to_string).unwrap_or_default();
    let number = port.port.get();
    let target = match port.protocol {
        Protocol::Tcp => targets.tcp.get(&number),
        Protocol::Udp => targets.udp.get(&number),
        // Nothing that we know of dials it.
        Protocol::Sctp => None,
    };
    let target = target.unwrap_or(&number);
    let mut value = json!({"name": name, "port": target, "protocol": port.protocol});
    if let Some(app) = &port.app_protocol {
        value["appProtocol"] = json!(app);
    }
    value
}

/// Readable, and unique where two names are alike in what fits.
fn name(slice: &Slice, at: usize) -> String {
    let Slice { service, cluster, family, .. } = slice;
    let key = format!("{service} {cluster} {} {at}", family.as_str());
    let readable: String = service.name.as_str().chars().take(63).collect();
    format!("{readable}-{cluster}-{}", &hex(&sha256(key.as_bytes()))[..8])
}

/// An EndpointSlice as it is applied; its import owns it. Without `kubernetes.io/service-name`, so
/// that it belongs to no Service and no proxy of a node follows it.
pub(super) fn manifest(name: &str, slice: &Slice, owner: &Owner) -> Value {
    let object = json!({
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {
            "name": name,
            "namespace": slice.service.namespace,
            "labels": {
                SERVICE: slice.service.name,
                CLUSTER: slice.cluster,
                SLICE_MANAGED_BY: MANAGER,
                MANAGED_BY: MANAGER,
            },
            "annotations": {},
        },
        "addressType": slice.family,
        "endpoints": slice.endpoints,
        "ports": slice.ports,
    });
    sealed(object, Some(owner))
}
