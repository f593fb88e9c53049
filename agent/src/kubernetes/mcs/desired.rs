//! What shall be in the cluster, from what the bridge says. Pure.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};

use rialto_types::id::{ClusterName, ServiceName};
use rialto_types::import::{IpFamily, Port};
use rialto_types::report::VirtualIps;
use rialto_types::snapshot::{ImportEntry, ServiceEntry, Snapshot};
use rialto_wire::digest::{hex, sha256};
use serde_json::{Value, json};

use super::condition::{self, Claim};
use super::slice::{self, Slice};
use super::{Exports, MANAGER};

/// Says what was written, so that a later change of it is noticed.
pub(super) const DIGEST: &str = "rialto.dev/digest";
/// The label of what a tool made.
pub(super) const MANAGED_BY: &str = "app.kubernetes.io/managed-by";

#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Desired {
    pub(super) imports: BTreeMap<ServiceName, Import>,
    /// By namespace and name.
    pub(super) slices: BTreeMap<(String, String), Slice>,
    pub(super) exports: BTreeMap<ServiceName, Vec<Claim>>,
    /// Services with ports that lead nowhere, and which.
    pub(super) left_off: Vec<String>,
    /// Of each other cluster with pods that are dialled themselves, one of them.
    pub(super) pods: BTreeMap<ClusterName, SocketAddr>,
}

/// A ServiceImport.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Import {
    pub(super) labels: BTreeMap<String, String>,
    pub(super) annotations: BTreeMap<String, String>,
    pub(super) spec: Value,
    /// The exporting clusters.
    pub(super) clusters: Vec<String>,
    pub(super) ready: Claim,
}

/// An object that owns what we write: it goes when that goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Owner {
    pub(super) api_version: String,
    pub(super) kind: &'static str,
    pub(super) name: String,
    pub(super) uid: String,
}

pub(super) fn of(snapshot: &Snapshot, virtual_ips: &VirtualIps, exports: &Exports) -> Desired {
    let mut desired = Desired::default();
    let Some(names) = &snapshot.names else { return desired };
    for (name, entry) in &snapshot.imports {
        let Some(service) = snapshot.services.get(name) else { continue };
        let addresses = virtual_ips.get(name).map(Vec::as_slice).unwrap_or_default();
        desired.imports.insert(name.clone(), import(entry, service, addresses));
        desired.slices.extend(slice::of(entry, service, addresses));
        let left = condition::ports_left_off(entry);
        if !left.is_empty() {
            desired.left_off.push(format!("{name} {}", left.join(", ")));
        }
        for (cluster, address) in pods(service) {
            if *cluster != names.cluster {
                desired.pods.entry(cluster.clone()).or_insert(address);
            }
        }
    }
    for (name, state) in exports {
        let entry = snapshot.imports.get(name);
        let claims = condition::of_export(state, entry, &names.cluster);
        desired.exports.insert(name.clone(), claims);
    }
    desired
}

/// Where the pods of a headless service listen for its first port, by cluster.
fn pods(service: &ServiceEntry) -> impl Iterator<Item = (&ClusterName, SocketAddr)> {
    service.headless.iter().flatten().filter_map(|endpoint| {
        let port = *service.clusters.get(&endpoint.cluster)?.first()?;
        Some((&endpoint.cluster, SocketAddr::new(endpoint.address, endpoint.target(port))))
    })
}

fn import(entry: &ImportEntry, service: &ServiceEntry, addresses: &[IpAddr]) -> Import {
    let traits = &entry.traits;
    let kind = if entry.headless { "Headless" } else { "ClusterSetIP" };
    let mut spec = json!({
        "type": kind,
        "ports": traits.ports.iter().map(port).collect::<Vec<_>>(),
        "sessionAffinity": if traits.client_affinity_s.is_some() { "ClientIP" } else { "None" },
    });
    if let Some(seconds) = traits.client_affinity_s {
        spec["sessionAffinityConfig"] = json!({"clientIP": {"timeoutSeconds": seconds}});
    }
    if let Some(policy) = &traits.internal_traffic_policy {
        spec["internalTrafficPolicy"] = json!(policy);
    }
    if let Some(distribution) = &traits.traffic_distribution {
        spec["trafficDistribution"] = json!(distribution);
    }
    // Each address is of the family at its own place.
    let families: Vec<IpFamily> = match entry.headless {
        true => traits.ip_families.clone(),
        false => addresses.iter().copied().map(IpFamily::of).collect(),
    };
    if !families.is_empty() {
        spec["ipFamilies"] = json!(families);
    }
    if !entry.headless && !addresses.is_empty() {
        spec["ips"] = json!(addresses);
    }
    let labels = traits.labels.iter().filter(|(key, value)| is_label(key, value));
    let mut labels: BTreeMap<String, String> =
        labels.map(|(key, value)| (key.clone(), value.clone())).collect();
    labels.insert(MANAGED_BY.into(), MANAGER.into());
    let annotations = traits.annotations.iter().filter(|(key, _)| is_label_key(key));
    Import {
        labels,
        annotations: annotations.map(|(key, value)| (key.clone(), value.clone())).collect(),
        spec,
        clusters: entry.clusters.keys().map(ToString::to_string).collect(),
        ready: ready(entry, service, addresses),
    }
}

fn port(port: &Port) -> Value {
    let mut value = json!({"port": port.port, "protocol": port.protocol});
    if let Some(name) = &port.name {
        value["name"] = json!(name);
    }
    if let Some(app) = &port.app_protocol {
        value["appProtocol"] = json!(app);
    }
    value
}

fn ready(entry: &ImportEntry, service: &ServiceEntry, addresses: &[IpAddr]) -> Claim {
    if entry.headless {
        let message = "its name is its pods' own addresses: it is reached where the clusters' pod \
                       networks are routed to each other";
        return Claim::new("Ready", true, "Ready", message.into());
    }
    let left = condition::left_off(entry);
    let without =
        |port: &&Port| port.is_carried() && !service.gateway_ports.contains_key(&port.port.get());
    let starved: Vec<String> = entry
        .traits
        .ports
        .iter()
        .filter(without)
        .map(|port| format!("port {} waits for a free port on the gateways", port.port))
        .collect();
    let remarks: Vec<String> = left.into_iter().chain(starved).collect();
    if !addresses.is_empty() {
        return Claim::new("Ready", true, "Ready", remarks.join("; "));
    }
    if remarks.is_empty() {
        return Claim::new("Ready", false, "Pending", "its virtual IP is not known yet".into());
    }
    Claim::new("Ready", false, "Pending", remarks.join("; "))
}

/// A ServiceImport as it is applied.
pub(super) fn manifest(
    version: &str,
    name: &ServiceName,
    import: &Import,
    owner: Option<&Owner>,
) -> Value {
    let object = json!({
        "apiVersion": version,
        "kind": "ServiceImport",
        "metadata": {
            "name": name.name,
            "namespace": name.namespace,
            "labels": import.labels,
            "annotations": import.annotations,
        },
        "spec": import.spec,
    });
    sealed(object, owner)
}

/// With its owner, and the digest of all that.
pub(super) fn sealed(mut object: Value, owner: Option<&Owner>) -> Value {
    if let Some(owner) = owner {
        object["metadata"]["ownerReferences"] = json!([{
            "apiVersion": owner.api_version,
            "kind": owner.kind,
            "name": owner.name,
            "uid": owner.uid,
        }]);
    }
    let bytes = serde_json::to_vec(&object).expect("objects have text keys");
    object["metadata"]["annotations"][DIGEST] = json!(&hex(&sha256(&bytes))[..16]);
    object
}

/// Other clusters' labels are not believed to be labels: one that is none would keep the import
/// from being written at all.
fn is_label(key: &str, value: &str) -> bool {
    is_label_key(key) && (value.is_empty() || is_label_text(value))
}

fn is_label_key(key: &str) -> bool {
    match key.split_once('/') {
        None => is_label_text(key),
        Some((prefix, name)) => {
            let is_part = |part: &str| {
                let inner = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
                !part.is_empty()
                    && part.chars().all(inner)
                    && !part.starts_with('-')
                    && !part.ends_with('-')
            };
            prefix.len() <= 253 && prefix.split('.').all(is_part) && is_label_text(name)
        }
    }
}

fn is_label_text(text: &str) -> bool {
    let is_end = |c: Option<char>| c.is_some_and(|c| c.is_ascii_alphanumeric());
    let inner = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    text.len() <= 63
        && text.chars().all(inner)
        && is_end(text.chars().next())
        && is_end(text.chars().last())
}

#[cfg(test)]
mod tests;
