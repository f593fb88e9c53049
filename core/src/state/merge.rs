//! One definition of a service out of what several clusters say (KEP-1645, "constraints and
//! conflict resolution").
//!
//! The oldest export wins: its type and traits are the service's, and a port that contradicts an
//! older one is not served by the cluster that states it. Ports that do not contradict are united.
//! Exports of one age rank by cluster name, so that the order of arguments never matters.

use std::collections::BTreeMap;

use rialto_types::id::{ClusterName, Timestamp};
use rialto_types::import::{Conflict, Port, Protocol, Reason, Traits};
use rialto_types::limits;
use rialto_types::owner::Owner;
use rialto_types::report::ReportedService;
use rialto_types::service::{PortNotCarried, ServicePort};
use rialto_types::snapshot::{HeadlessEndpoint, UdpPort};

mod traits;

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
    /// Those that gateways carry, by port number.
    pub(crate) ports: Vec<ServicePort>,
    pub(crate) headless: bool,
    /// The clusters that serve it, each with the ports that it serves.
    pub(crate) clusters: BTreeMap<ClusterName, Vec<u16>>,
    pub(crate) endpoints: Vec<HeadlessEndpoint>,
    /// All ports, in the order of the exports, and what else an import has.
    pub(crate) traits: Traits,
    /// The clusters that export it, each with all ports that it serves.
    pub(crate) exporters: BTreeMap<ClusterName, Vec<Port>>,
    pub(crate) conflicts: Vec<Conflict>,
    /// Ports that not all clusters have: no trouble, but the API calls it a conflict.
    pub(crate) unequal: Vec<Conflict>,
}

impl Definition {
    /// Whether a caller stays with one endpoint. A headless service's name stands for its
    /// endpoints: the API ignores affinity there.
    pub(crate) fn client_affinity(&self) -> bool {
        !self.headless && self.traits.client_affinity_s.is_some()
    }

    /// Ports that lead nowhere; a headless service's pods are dialled without gateways.
    pub(crate) fn not_carried(&self) -> Vec<PortNotCarried> {
        let ports = self.traits.ports.iter().filter(|_| !self.headless);
        ports.filter_map(PortNotCarried::of).collect()
    }

    /// The UDP ports of a headless service, each with the clusters that export it.
    pub(crate) fn udp_ports(&self) -> Vec<UdpPort> {
        let is_udp = |port: &&Port| self.headless && port.protocol == Protocol::Udp;
        let udp_port = |port: &Port| UdpPort {
            name: port.name.clone(),
            port: port.port,
            clusters: self
                .exporters
                .iter()
                .filter(|(_, served)| served.iter().any(|held| is_same(held, port)))
                .map(|(cluster, _)| cluster.clone())
                .collect(),
        };
        self.traits.ports.iter().filter(is_udp).map(udp_port).collect()
    }

    pub(crate) fn conflict_texts(&self) -> Vec<String> {
        self.conflicts.iter().map(|conflict| conflict.message.clone()).collect()
    }
}

pub(crate) fn merge(mut exports: Vec<Export<'_>>) -> Definition {
    exports.sort_by_key(|export| (export.since, export.cluster));
    exports.dedup_by_key(|export| export.cluster);
    let mut merged = Definition::default();
    let Some(oldest) = exports.first().cloned() else { return merged };
    merged.headless = oldest.service.headless.is_some();
    merged.traits = traits::merge(&exports, merged.headless, &mut merged.conflicts);
    let mut accepted: Vec<(Port, &ClusterName)> = Vec::new();
    for export in &exports {
        let cluster = export.cluster;
        if export.service.headless.is_some() != merged.headless {
            let message = type_conflict(export, &oldest);
            merged.conflicts.push(Conflict { reason: Reason::TypeConflict, message });
        }
        let served = merged.exporters.entry(cluster.clone()).or_default();
        if merged.headless && export.service.headless.is_none() {
            continue;
        }
        for port in ports(export.service) {
            match contradiction(&accepted, &port) {
                Verdict::Same => served.push(port),
                Verdict::New => {
                    accepted.push((port.clone(), cluster));
                    served.push(port);
                }
                Verdict::Against(why) => {
                    let name = describe(&port);
                    let message = format!(
                        "cluster {cluster}: port {name} {why}; {cluster} gets no traffic on it"
                    );
                    merged.conflicts.push(Conflict { reason: Reason::PortConflict, message });
                }
            }
        }
        let carried = carried(export.service, served);
        for port in &carried {
            if !merged.ports.iter().any(|held| held.port == port.port) {
                merged.ports.push((*port).clone());
            }
        }
        let mut numbers: Vec<u16> = carried.iter().map(|port| port.port.get()).collect();
        numbers.sort_unstable();
        merged.clusters.insert(cluster.clone(), numbers);
        merged.endpoints.extend(export.service.headless.iter().flatten().cloned());
    }
    merged.traits.ports = accepted.into_iter().map(|(port, _)| port).collect();
    merged.unequal = unequal(&merged);
    merged.ports.sort_by_key(|port| port.port);
    merged.endpoints.sort();
    merged.endpoints.dedup();
    merged
}

fn unequal(merged: &Definition) -> Vec<Conflict> {
    let conflict = |(cluster, served): (&ClusterName, &Vec<Port>)| {
        let is_missing = |port: &&Port| !served.iter().any(|held| is_same(held, port));
        let missing: Vec<String> =
            merged.traits.ports.iter().filter(is_missing).map(describe).collect();
        let message = format!(
            "cluster {cluster}: does not serve {}, which lead to other clusters only",
            missing.join(", ")
        );
        (!missing.is_empty()).then_some(Conflict { reason: Reason::PortConflict, message })
    };
    merged.exporters.iter().filter_map(conflict).collect()
}

/// Of one number and protocol; names were compared before.
fn is_same(one: &Port, other: &Port) -> bool {
    (one.port, one.protocol) == (other.port, other.protocol)
}

/// All ports that an export states.
fn ports(service: &ReportedService) -> Vec<Port> {
    match &service.export {
        Some(export) => export.traits.ports.clone(),
        None => service.ports.iter().map(Port::from).collect(),
    }
}

/// Of what gateways carry of a service, that which is served.
fn carried<'a>(service: &'a ReportedService, served: &[Port]) -> Vec<&'a ServicePort> {
    let is_served = |carried: &&ServicePort| {
        served.iter().any(|port| port.is_carried() && port.port == carried.port)
    };
    service.ports.iter().filter(is_served).collect()
}

enum Verdict {
    Same,
    New,
    Against(String),
}

fn contradiction(accepted: &[(Port, &ClusterName)], port: &Port) -> Verdict {
    let by_name = accepted.iter().find(|(held, _)| port.name.is_some() && held.name == port.name);
    if let Some((held, owner)) = by_name
        && (held.port, held.protocol) != (port.port, port.protocol)
    {
        let is = match held.protocol == port.protocol {
            true => held.port.to_string(),
            false => describe(held),
        };
        return Verdict::Against(format!("is {is} in {owner}, whose export is older"));
    }
    let by_number =
        accepted.iter().find(|(held, _)| (held.port, held.protocol) == (port.port, port.protocol));
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
fn describe(port: &Port) -> String {
    let lower = port.protocol.as_str().to_lowercase();
    let protocol = match &port.app_protocol {
        Some(app) if port.is_carried() => app.clone(),
        Some(app) => format!("{lower}:{app}"),
        None => lower,
    };
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
