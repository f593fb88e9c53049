//! One definition of a service out of what several clusters say (KEP-1645, "constraints and
//! conflict resolution").
//!
//! The oldest export wins: its type is the service's, and a port that contradicts an older one is
//! not served by the cluster that states it. Ports that do not contradict are united. Exports of
//! one age rank by cluster name, so that the order of arguments never matters.

use std::collections::BTreeMap;

use rialto_types::id::{ClusterName, Timestamp};
use rialto_types::limits;
use rialto_types::owner::Owner;
use rialto_types::report::ReportedService;
use rialto_types::service::ServicePort;
use rialto_types::snapshot::HeadlessEndpoint;

/// One cluster exports a service.
#[derive(Debug, Clone)]
pub(crate) struct Export<'a> {
    pub(crate) cluster: &'a ClusterName,
    pub(crate) since: Timestamp,
    pub(crate) owner: Owner,
    pub(crate) service: &'a ReportedService,
}

/// What all exporting clusters together say.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Definition {
    /// By port number.
    pub(crate) ports: Vec<ServicePort>,
    pub(crate) headless: bool,
    /// The clusters that serve it, each with the ports that it serves.
    pub(crate) clusters: BTreeMap<ClusterName, Vec<u16>>,
    pub(crate) endpoints: Vec<HeadlessEndpoint>,
    pub(crate) conflicts: Vec<String>,
}

pub(crate) fn merge(mut exports: Vec<Export<'_>>) -> Definition {
    exports.sort_by_key(|export| (export.since, export.cluster));
    exports.dedup_by_key(|export| export.cluster);
    let mut merged = Definition::default();
    let Some(oldest) = exports.first().cloned() else { return merged };
    merged.headless = oldest.service.headless.is_some();
    let mut accepted: Vec<(ServicePort, &ClusterName)> = Vec::new();
    for export in &exports {
        let cluster = export.cluster;
        if export.service.headless.is_some() != merged.headless {
            merged.conflicts.push(type_conflict(export, &oldest));
        }
        if merged.headless && export.service.headless.is_none() {
            continue;
        }
        let mut served = Vec::new();
        for port in &export.service.ports {
            match contradiction(&accepted, port) {
                Verdict::Same => served.push(port.port.get()),
                Verdict::New => {
                    accepted.push((port.clone(), cluster));
                    served.push(port.port.get());
                }
                Verdict::Against(reason) => {
                    let name = describe(port);
                    merged.conflicts.push(format!(
                        "cluster {cluster}: port {name} {reason}; {cluster} gets no traffic on it"
                    ));
                }
            }
        }
        served.sort_unstable();
        served.dedup();
        merged.clusters.insert(cluster.clone(), served);
        merged.endpoints.extend(export.service.headless.iter().flatten().cloned());
    }
    merged.ports = accepted.into_iter().map(|(port, _)| port).collect();
    merged.ports.sort_by_key(|port| port.port);
    merged.endpoints.sort();
    merged.endpoints.dedup();
    merged
}

enum Verdict {
    Same,
    New,
    Against(String),
}

fn contradiction(accepted: &[(ServicePort, &ClusterName)], port: &ServicePort) -> Verdict {
    let by_name = accepted.iter().find(|(held, _)| port.name.is_some() && held.name == port.name);
    let by_number = accepted.iter().find(|(held, _)| held.port == port.port);
    if let Some((held, owner)) = by_name
        && held.port != port.port
    {
        return Verdict::Against(format!("is {} in {owner}, whose export is older", held.port));
    }
    let Some((held, owner)) = by_number else {
        if accepted.len() >= limits::PORTS_PER_SERVICE_MAX {
            let max = limits::PORTS_PER_SERVICE_MAX;
            return Verdict::Against(format!("is beyond the {max} ports that a service may have"));
        }
        return Verdict::New;
    };
    // A single port may go without a name, so an unnamed one fits by its number.
    let names_differ = held.name.is_some() && port.name.is_some() && held.name != port.name;
    if names_differ || held.app_protocol != port.app_protocol {
        let held = describe(held);
        return Verdict::Against(format!("is {held} in {owner}, whose export is older"));
    }
    Verdict::Same
}

/// `NAME:PROTOCOL:NUMBER`, without the name where there is none.
fn describe(port: &ServicePort) -> String {
    let protocol = port.app_protocol.as_str();
    match &port.name {
        Some(name) => format!("{name}:{protocol}:{}", port.port),
        None => format!("{protocol}:{}", port.port),
    }
}

fn type_conflict(export: &Export<'_>, oldest: &Export<'_>) -> String {
    let (cluster, first) = (export.cluster, oldest.cluster);
    if oldest.service.headless.is_some() {
        format!(
            "cluster {cluster}: not headless, but headless in {first}, whose export is older; \
             {cluster} gets no traffic"
        )
    } else {
        format!(
            "cluster {cluster}: headless, but not in {first}, whose export is older; it is \
             reached by its virtual IP everywhere"
        )
    }
}

#[cfg(test)]
mod tests;
