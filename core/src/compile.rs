//! From the state to the entries of one cluster's snapshot.
//!
//! ```text
//!  clusters, reports, objects --> compile --+--> entries: clusters, names, services, routes, access
//!                                           +--> problems: what cannot take effect, and why
//! ```
//!
//! Nothing is skipped in silence: what an object says and the snapshot does not is a problem. The
//! entries depend on the state alone.

use std::collections::{BTreeMap, BTreeSet};

use rialto_types::cluster::trust_domain;
use rialto_types::error::{Code, Problem};
use rialto_types::id::{ClusterName, ServiceName};
use rialto_types::limits;
use rialto_types::object::{Kind, Resource, Spec};
use rialto_types::snapshot::{ClusterEntry, Entry, FailoverEntry, NamesEntry, ServiceEntry};

use crate::state::merge::Definition;
use crate::state::{State, service};

mod access;
mod routes;

/// What the cluster's gateways and DNS proxies need, in the order of the entries' names' kinds, and
/// every problem that was found on the way. A cluster that does not exist gets nothing.
pub fn compile(state: &State, cluster: &ClusterName) -> (Vec<Entry>, Vec<Problem>) {
    let Some(own) = state.cluster(cluster) else { return (Vec::new(), Vec::new()) };
    let mut problems = Vec::new();
    let mut entries: Vec<Entry> = cluster_entries(state);
    let namespaces = own.namespaces.map(<[_]>::to_vec);
    entries.push(Entry::Names(NamesEntry { cluster: cluster.clone(), namespaces }));

    let definitions = definitions(state, &mut problems);
    let visible: BTreeMap<&ServiceName, &Definition> =
        definitions.iter().filter(|(name, _)| own.has_namespace(&name.namespace)).collect();
    let failover = failover(state, &mut problems);
    for (&name, &definition) in &visible {
        if state.is_starved(name, cluster) {
            let problem = Problem::new(Code::VipRangeExhausted, service::starved(cluster));
            problems.push(problem.with_subject(format!("Service {name}")));
        }
        let failover = failover.get(name).cloned().unwrap_or_else(default_failover);
        entries.push(Entry::Service(service_entry(state, cluster, name, definition, failover)));
    }
    check_references(state, &mut problems);
    let routes = routes::compile(state, &definitions, &mut problems);
    let routes = routes.into_iter().filter(|entry| visible.contains_key(&entry.service));
    entries.extend(routes.map(Entry::Route));
    let access = access::compile(state).into_iter();
    let access = access.filter(|entry| visible.contains_key(&entry.service));
    entries.extend(access.map(Entry::Access));
    let mut told = BTreeSet::new();
    problems.retain(|problem| {
        told.insert((problem.subject.clone(), problem.field.clone(), problem.detail.clone()))
    });
    (entries, problems)
}

fn cluster_entries(state: &State) -> Vec<Entry> {
    let entry = |cluster: crate::state::ClusterView<'_>| {
        let mut gateways = cluster.gateways.to_vec();
        gateways.sort();
        Entry::Cluster(ClusterEntry {
            name: cluster.name.clone(),
            trust_domain: trust_domain(cluster.name),
            anchors: vec![cluster.issuer.certificate.clone()],
            gateways,
            drained: cluster.spec.drained,
            region: cluster.spec.region.clone(),
        })
    };
    state.clusters().map(entry).collect()
}

/// The services that somebody exports.
fn definitions(state: &State, problems: &mut Vec<Problem>) -> BTreeMap<ServiceName, Definition> {
    let all = state.services().map(|name| (name.clone(), state.definition(name)));
    let exported: BTreeMap<ServiceName, Definition> =
        all.filter(|(_, definition)| !definition.clusters.is_empty()).collect();
    for (name, definition) in &exported {
        for conflict in &definition.conflicts {
            let problem = Problem::new(Code::DefinitionConflict, conflict.clone());
            let hint = "make the clusters agree; until then the older export counts";
            problems.push(problem.with_subject(format!("Service {name}")).with_hint(hint));
        }
    }
    exported
}

fn service_entry(
    state: &State,
    cluster: &ClusterName,
    name: &ServiceName,
    definition: &Definition,
    failover: FailoverEntry,
) -> ServiceEntry {
    let virtual_ips =
        if definition.headless { Vec::new() } else { state.virtual_ips(name, cluster) };
    ServiceEntry {
        name: name.clone(),
        ports: definition.ports.clone(),
        clusters: definition.clusters.clone(),
        virtual_ips,
        gateway_ports: state.gateway_ports(name, cluster),
        headless: definition.headless.then(|| definition.endpoints.clone()),
        failover,
    }
}

fn default_failover() -> FailoverEntry {
    FailoverEntry {
        policy: None,
        order: Vec::new(),
        overprovisioning_percent: limits::OVERPROVISIONING_PERCENT_DEFAULT,
    }
}

/// The failover of each service that a policy targets; of several policies the oldest.
fn failover(state: &State, problems: &mut Vec<Problem>) -> BTreeMap<ServiceName, FailoverEntry> {
    let mut chosen: BTreeMap<ServiceName, (FailoverEntry, String)> = BTreeMap::new();
    for resource in oldest_first(state, Kind::FailoverPolicy) {
        let (Spec::FailoverPolicy(spec), Some(namespace)) =
            (&resource.spec, &resource.metadata.namespace)
        else {
            continue;
        };
        for (at, target) in spec.target_refs.iter().enumerate() {
            let service = ServiceName::new(namespace.clone(), target.name.clone());
            if let Some((_, older)) = chosen.get(&service) {
                let detail = format!("{older} is older and says how {service} fails over");
                problems.push(
                    Problem::new(Code::Shadowed, detail)
                        .with_subject(resource.key())
                        .with_field(format!("spec.targetRefs[{at}]"))
                        .with_hint("delete one of the two, or take the target out of it"),
                );
                continue;
            }
            let entry = FailoverEntry {
                policy: Some(resource.metadata.name.clone()),
                order: spec.order.clone(),
                overprovisioning_percent: spec.overprovisioning_percent,
            };
            chosen.insert(service, (entry, resource.key().to_string()));
        }
    }
    chosen.into_iter().map(|(service, (entry, _))| (service, entry)).collect()
}

/// Names of services, clusters and workspaces that lead nowhere.
fn check_references(state: &State, problems: &mut Vec<Problem>) {
    let kinds = [
        Kind::ServiceExport,
        Kind::HttpRoute,
        Kind::TcpRoute,
        Kind::FailoverPolicy,
        Kind::AccessPolicy,
    ];
    for resource in kinds.into_iter().flat_map(|kind| state.resources(kind)) {
        for (field, what) in state.oddities(resource) {
            let problem = Problem::new(Code::Dangling, what).with_subject(resource.key());
            let hint = "correct the name, or wait until what it names is there";
            problems.push(problem.with_field(field).with_hint(hint));
        }
    }
}

/// The objects of a kind by age, then namespace and name: who comes first wins a conflict.
fn oldest_first(state: &State, kind: Kind) -> Vec<&Resource> {
    let mut resources: Vec<&Resource> = state.resources(kind).collect();
    resources.sort_by_key(|resource| {
        let metadata = &resource.metadata;
        (metadata.created_at, &metadata.namespace, &metadata.name)
    });
    resources
}

#[cfg(test)]
mod tests;
