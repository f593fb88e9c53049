//! The columns of each kind's table.

use std::time::Duration;

use rialto_types::cluster::{ClusterSpec, ClusterStatus, Contact, ContactState};
use rialto_types::id::Timestamp;
use rialto_types::object::{Document, Kind};
use rialto_types::service::{ServiceInCluster, ServicePort, ServiceStatus};
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::print;

type Cell = fn(&Document, Timestamp) -> String;

pub(crate) struct Column {
    pub(crate) heading: &'static str,
    pub(crate) cell: Cell,
}

fn column(heading: &'static str, cell: Cell) -> Column {
    Column { heading, cell }
}

/// The columns of a kind; more of them if there is room.
pub(crate) fn of(kind: Kind, wide: bool) -> Vec<Column> {
    let mut columns = Vec::new();
    if kind.is_namespaced() {
        let cell: Cell =
            |item, _| item.metadata.namespace.as_ref().map_or_else(String::new, |n| n.to_string());
        columns.push(column("NAMESPACE", cell));
    }
    columns.push(column("NAME", |item, _| item.metadata.name.to_string()));
    columns.extend(own(kind));
    if wide {
        columns.extend(own_wide(kind));
        if kind.is_writable() {
            columns.push(column("OWNER", |item, _| {
                item.metadata.owner.as_ref().map_or_else(String::new, |owner| owner.to_string())
            }));
            columns.push(column("REVISION", |item, _| {
                let version = item.metadata.resource_version;
                version.map_or_else(String::new, |version| version.to_string())
            }));
        }
    }
    if kind != Kind::Service {
        columns.push(column("AGE", |item, now| {
            item.metadata.created_at.map_or_else(String::new, |at| print::age(at.age(now)))
        }));
    }
    columns
}

fn own(kind: Kind) -> Vec<Column> {
    match kind {
        Kind::Cluster => vec![
            column("REGION", |item, _| text(&item.spec["region"])),
            column("AGENT", |item, _| cluster(item, |status| contact(&status.agent))),
            column("GATEWAYS", |item, _| cluster(item, |status| status.gateways.len().to_string())),
            column("SERVICES", |item, _| cluster(item, |status| status.services.to_string())),
            column("EXPORTS", |item, _| cluster(item, |status| status.exports.to_string())),
            column("DRAINED", |item, _| {
                let spec: Option<ClusterSpec> = parsed(&item.spec);
                spec.map_or("", |spec| if spec.drained { "yes" } else { "no" }).into()
            }),
        ],
        Kind::JoinToken => vec![
            column("ROLE", |item, _| text(&item.spec["role"])),
            column("CLUSTER", |item, _| text(&item.spec["cluster"])),
            column("EXPIRES", |item, _| text(&item.spec["expiresAt"])),
            column("USED", |item, _| text(&item.spec["usedAt"])),
        ],
        Kind::Workspace => vec![
            column("NAMESPACES", |item, _| texts(&item.spec["namespaces"])),
            column("DESCRIPTION", |item, _| text(&item.spec["description"])),
        ],
        Kind::Service => vec![
            column("PORTS", |item, _| service(item, |status| ports(&status.ports))),
            column("CLUSTERS", |item, _| service(item, exporters)),
            column("ENDPOINTS", |item, _| service(item, endpoints)),
            column("CONFLICTS", |item, _| {
                service(item, |status| status.conflicts.len().to_string())
            }),
        ],
        Kind::ServiceExport => {
            vec![column("CLUSTERS", |item, _| match texts(&item.spec["clusters"]) {
                text if text.is_empty() => "every cluster that has it".to_string(),
                text => text,
            })]
        }
        Kind::HttpRoute | Kind::TcpRoute => vec![
            column("PARENTS", |item, _| names(&item.spec["parentRefs"])),
            column("RULES", |item, _| list(&item.spec["rules"]).len().to_string()),
            column("BACKENDS", |item, _| backends(&item.spec)),
        ],
        Kind::FailoverPolicy => vec![
            column("TARGETS", |item, _| names(&item.spec["targetRefs"])),
            column("ORDER", |item, _| texts(&item.spec["order"])),
        ],
        Kind::AccessPolicy => vec![
            column("TARGETS", |item, _| names(&item.spec["targetRefs"])),
            column("ACTION", |item, _| text(&item.spec["action"])),
            column("RULES", |item, _| list(&item.spec["rules"]).len().to_string()),
        ],
    }
}

fn own_wide(kind: Kind) -> Vec<Column> {
    match kind {
        Kind::Cluster => vec![
            column("VIRTUAL IPS", |item, _| text(&item.spec["vipRange"])),
            column("TRUST DOMAIN", |item, _| cluster(item, |s| s.trust_domain.to_string())),
        ],
        Kind::Service => vec![
            column("DNS NAME", |item, _| service(item, |status| status.dns_name.clone())),
            column("VIRTUAL IPS", |item, _| service(item, virtual_ips)),
        ],
        Kind::FailoverPolicy => vec![column("OVERPROVISIONING", |item, _| {
            let percent = item.spec["overprovisioningPercent"].as_u64();
            percent.map_or_else(String::new, |percent| format!("{percent} %"))
        })],
        Kind::JoinToken
        | Kind::Workspace
        | Kind::ServiceExport
        | Kind::HttpRoute
        | Kind::TcpRoute
        | Kind::AccessPolicy => Vec::new(),
    }
}

/// `Connected 2s`, `Silent 2m14s`, `Unknown`
pub(crate) fn contact(contact: &Contact) -> String {
    let state = match contact.state {
        ContactState::Connected => "Connected",
        ContactState::Unknown => "Unknown",
        ContactState::Silent => "Silent",
    };
    match contact.age_ms {
        Some(ms) => format!("{state} {}", print::age(Duration::from_millis(ms))),
        None => state.to_string(),
    }
}

/// `http:9080/http`, one per port
pub(crate) fn ports(ports: &[ServicePort]) -> String {
    let each = ports.iter().map(|port| match &port.name {
        Some(name) => format!("{name}:{}/{}", port.port, port.app_protocol.as_str()),
        None => format!("{}/{}", port.port, port.app_protocol.as_str()),
    });
    each.collect::<Vec<_>>().join(",")
}

/// The clusters that have the service; those that do not export it in brackets.
fn exporters(status: &ServiceStatus) -> String {
    let each = status
        .clusters
        .iter()
        .map(|(name, inside)| if inside.exported { name.to_string() } else { format!("({name})") });
    each.collect::<Vec<_>>().join(",")
}

fn endpoints(status: &ServiceStatus) -> String {
    let exported = status.clusters.values().filter(|inside| inside.exported);
    let mut healthy_and_total = (0, 0);
    let mut unknown = false;
    for inside in exported {
        match endpoint_count(inside) {
            Some((healthy, total)) => {
                healthy_and_total.0 += healthy;
                healthy_and_total.1 += total;
            }
            None => unknown = true,
        }
    }
    let (healthy, total) = healthy_and_total;
    match (unknown, total) {
        (true, 0) => "Unknown".to_string(),
        (true, _) => format!("{healthy}/{total}?"),
        (false, _) => format!("{healthy}/{total}"),
    }
}

/// Healthy and all endpoints of a service in one cluster, by its weakest port.
pub(crate) fn endpoint_count(inside: &ServiceInCluster) -> Option<(u32, u32)> {
    let weakest = inside.endpoints.iter().min_by_key(|port| port.healthy);
    weakest.map(|port| (port.healthy, port.total))
}

fn virtual_ips(status: &ServiceStatus) -> String {
    let each = status.virtual_ips.iter().map(|(cluster, addresses)| {
        let addresses: Vec<String> = addresses.iter().map(|a| a.to_string()).collect();
        format!("{cluster}={}", addresses.join("+"))
    });
    each.collect::<Vec<_>>().join(",")
}

/// `reviews-v1=90,reviews-v3=10`; several rules are parted by a semicolon.
fn backends(spec: &Value) -> String {
    let rules = list(&spec["rules"]).iter().map(|rule| {
        let backends = list(&rule["backendRefs"]).iter().map(|backend| {
            format!("{}={}", text(&backend["name"]), backend["weight"].as_u64().unwrap_or(1))
        });
        backends.collect::<Vec<_>>().join(",")
    });
    rules.collect::<Vec<_>>().join("; ")
}

fn cluster(item: &Document, cell: impl FnOnce(&ClusterStatus) -> String) -> String {
    status(item).as_ref().map_or_else(String::new, cell)
}

fn service(item: &Document, cell: impl FnOnce(&ServiceStatus) -> String) -> String {
    status(item).as_ref().map_or_else(String::new, cell)
}

/// The status of a document; absent where a newer bridge says something else.
pub(crate) fn status<T: DeserializeOwned>(item: &Document) -> Option<T> {
    item.status.as_ref().and_then(parsed)
}

fn parsed<T: DeserializeOwned>(value: &Value) -> Option<T> {
    serde_json::from_value(value.clone()).ok()
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_string()
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

fn texts(value: &Value) -> String {
    list(value).iter().map(text).collect::<Vec<_>>().join(",")
}

fn names(value: &Value) -> String {
    list(value).iter().map(|item| text(&item["name"])).collect::<Vec<_>>().join(",")
}
