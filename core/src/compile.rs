//! From the state to the entries of one cluster's snapshot.
//!
//! ```text
//!  clusters, reports, objects --> Common --+--> entries: clusters, names, services, routes, access
//!                     each cluster's own --+--> problems: what cannot take effect, and why
//! ```
//!
//! Nothing is skipped in silence: what an object says and the snapshot does not is a problem. The
//! entries depend on the state alone.

use std::collections::BTreeMap;

use rialto_types::cluster::trust_domain;
use rialto_types::error::{Code, Problem};
use rialto_types::id::{ClusterName, ServiceName};
use rialto_types::limits;
use rialto_types::object::{Kind, Resource, Spec};
use rialto_types::snapshot::{ClusterEntry, Entry, FailoverEntry};

use crate::state::State;
use crate::state::merge::Definition;

mod access;
mod routes;
mod sources;

pub use sources::{Addresses, Common, Compiled, Service, Source};

/// What the cluster's gateways and DNS proxies need, in the order of the entries' names' kinds, and
/// every problem that was found on the way. A cluster that does not exist gets nothing.
pub fn compile(state: &State, cluster: &ClusterName) -> (Vec<Entry>, Vec<Problem>) {
    let common = Common::new(state, &Common::default());
    let sources = common.sources(state, cluster);
    let entries = sources.iter().map(|(_, source)| source.entry());
    (entries.collect(), common.problems(state, cluster))
}

fn cluster_entries(state: &State) -> Vec<ClusterEntry> {
    let entry = |cluster: crate::state::ClusterView<'_>| {
        let mut gateways = cluster.gateways.to_vec();
        gateways.sort();
        ClusterEntry {
            name: cluster.name.clone(),
            trust_domain: trust_domain(cluster.name),
            anchors: vec![cluster.issuer.certificate.clone()],
            gateways,
            drained: cluster.spec.drained,
            region: cluster.spec.region.clone(),
        }
    };
    state.clusters().map(entry).collect()
}

/// The services that somebody exports.
fn definitions(state: &State, problems: &mut Vec<Problem>) -> BTreeMap<ServiceName, Definition> {
    let all = state.services().map(|name| (name.clone(), state.definition(name)));
    let exported: BTreeMap<ServiceName, Definition> =
        all.filter(|(_, definition)| !definition.clusters.is_empty()).collect();
    for (name, definition) in &exported {
        for conflict in definition.conflict_texts() {
            let problem = Problem::new(Code::DefinitionConflict, conflict);
            let hint = "make the clusters agree; until then the older export counts";
            problems.push(problem.with_subject(format!("Service {name}")).with_hint(hint));
        }
    }
    exported
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
