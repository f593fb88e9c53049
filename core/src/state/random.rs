//! Random histories of a small federation, and its canonical replay (tests only).

use std::collections::BTreeMap;

use proptest::prelude::*;
use rialto_types::id::{ClusterName, Revision, ServiceName, Timestamp};
use rialto_types::object::{Document, Kind, Resource};
use rialto_types::report::{ReportChange, ReportedService};
use rialto_types::snapshot::HeadlessEndpoint;
use serde_json::{Value, json};

use super::command::Put;
use super::session::{self, Session};
use super::{Action, Applied, Command, Precondition, State};

const CLUSTERS: [&str; 3] = ["east", "west", "vms"];
const NAMES: [&str; 3] = ["a", "b", "c"];
const PORTS: [&str; 4] = ["web:http:80", "web:http:81", "web:tcp:80", "db:tcp:81"];

/// One step: how long before it, and what happens.
#[derive(Debug, Clone)]
pub(crate) struct Step {
    pub(crate) wait_s: u64,
    pub(crate) what: What,
}

#[derive(Debug, Clone)]
pub(crate) enum What {
    Act(Box<Action>),
    /// A full report; the session numbers it.
    Report(usize, BTreeMap<ServiceName, ReportedService>),
    /// Back by so many revisions.
    Revert(u64),
}

pub(crate) fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = (0u64..400, what()).prop_map(|(wait_s, what)| Step { wait_s, what });
    prop::collection::vec(step, 0..40)
}

fn what() -> impl Strategy<Value = What> {
    prop_oneof![
        4 => (0usize..3, reported()).prop_map(|(cluster, services)| What::Report(cluster, services)),
        2 => (0usize..3, 0usize..3).prop_map(|(cluster, spec)| {
            let spec = [json!({}), json!({"region": "eu"}), json!({"drained": true})][spec].clone();
            put(Kind::Cluster, CLUSTERS[cluster], spec)
        }),
        8 => object(),
        2 => (0usize..9, 0usize..3, 0usize..3).prop_map(|(kind, name, cluster)| {
            let kind = Kind::ALL[kind];
            let name = if kind == Kind::Cluster { CLUSTERS[cluster] } else { NAMES[name] };
            act(Action::Delete { key: resource(kind, name, json!({})).0, precondition: Default::default() })
        }),
        1 => (0usize..3, 0usize..3, 0u32..3).prop_map(|(parent, name, weight)| {
            let weights = BTreeMap::from([(NAMES[name].parse().expect("a name"), weight)]);
            act(Action::Shift { parent: service(NAMES[parent]), weights })
        }),
        1 => (0usize..3, any::<bool>()).prop_map(|(cluster, drained)| {
            let cluster = CLUSTERS[cluster].parse().expect("a cluster");
            act(Action::SetDrained { cluster, drained })
        }),
        1 => (0u64..12).prop_map(What::Revert),
    ]
}

fn reported() -> impl Strategy<Value = BTreeMap<ServiceName, ReportedService>> {
    let service = (0usize..3, 0usize..4, any::<bool>(), 0u8..6);
    prop::collection::vec(service, 0..4).prop_map(|services| {
        let services = services.into_iter().map(|(name, port, exported, headless)| {
            let headless = (headless == 0).then(Vec::new);
            let ports = vec![session::port(PORTS[port])];
            let reported = ReportedService {
                ports,
                labels: BTreeMap::new(),
                exported,
                headless,
                client_affinity_s: None,
                export: None,
            };
            (service_name(NAMES[name]), reported)
        });
        services.collect()
    })
}

fn object() -> impl Strategy<Value = What> {
    let reference = |name: usize| json!({"group": "multicluster.x-k8s.io", "kind": "ServiceImport", "name": NAMES[name]});
    let picks = (0usize..7, 0usize..3, 0usize..3, 0usize..3, any::<bool>());
    picks.prop_map(move |(kind, name, x, y, flag)| {
        let (x_ref, y_ref) = (reference(x), reference(y));
        let spec: (Kind, Value) = match kind {
            0 => (Kind::ServiceExport, json!({})),
            1 => (Kind::ServiceExport, json!({"clusters": [CLUSTERS[x]]})),
            2 => {
                let matches = if flag { json!([{"path": {"value": "/x"}}]) } else { json!([]) };
                let rules = json!([{"matches": matches, "backendRefs": [y_ref]}]);
                (Kind::HttpRoute, json!({"parentRefs": [x_ref], "rules": rules}))
            }
            3 => {
                let rules = json!([{"backendRefs": [y_ref]}]);
                (Kind::TcpRoute, json!({"parentRefs": [x_ref], "rules": rules}))
            }
            4 => (
                Kind::FailoverPolicy,
                json!({"targetRefs": [x_ref], "order": if flag { json!([CLUSTERS[y]]) } else { json!([]) }}),
            ),
            5 => {
                let from = if flag { json!({"workspaces": [NAMES[y]]}) } else { json!({}) };
                let rules = json!([{"from": [from]}]);
                (
                    Kind::AccessPolicy,
                    json!({"targetRefs": [x_ref], "action": "ALLOW", "rules": rules}),
                )
            }
            _ => (Kind::Workspace, json!({"namespaces": if flag { json!(["n"]) } else { json!([]) }})),
        };
        put(spec.0, NAMES[name], spec.1)
    })
}

fn act(action: Action) -> What {
    What::Act(Box::new(action))
}

fn put(kind: Kind, name: &str, spec: Value) -> What {
    let (_, resource) = resource(kind, name, spec);
    act(put_of(resource.expect("a written kind")))
}

fn put_of(resource: Resource) -> Action {
    let fresh_issuer = Some(session::issuer(resource.metadata.name.as_str()));
    Action::Put(Box::new(Put { resource, precondition: Precondition::None, fresh_issuer }))
}

fn resource(kind: Kind, name: &str, spec: Value) -> (rialto_types::object::Key, Option<Resource>) {
    let namespace = kind.is_namespaced().then(|| json!("n"));
    let metadata = json!({"name": name, "namespace": namespace});
    let document = json!({
        "apiVersion": kind.api_version(), "kind": kind.as_str(), "metadata": metadata, "spec": spec,
    });
    let document: Document = serde_json::from_value(document).expect("a document");
    let metadata = &document.metadata;
    let key = rialto_types::object::Key {
        kind,
        namespace: metadata.namespace.clone(),
        name: metadata.name.clone(),
    };
    (key, document.into_resource().ok())
}

fn service_name(name: &str) -> ServiceName {
    format!("n/{name}").parse().expect("a service name")
}

fn service(name: &str) -> ServiceName {
    service_name(name)
}

/// Runs one step; the agents' numbering follows the log's.
pub(crate) fn run(session: &mut Session, step: &Step) -> Applied {
    session.now = session.now.plus(std::time::Duration::from_secs(step.wait_s));
    let action = match &step.what {
        What::Act(action) => (**action).clone(),
        What::Report(cluster, services) => {
            let cluster: ClusterName = CLUSTERS[*cluster].parse().expect("a cluster");
            let mut services = services.clone();
            for headless in services.values_mut().filter_map(|s| s.headless.as_mut()) {
                let address = "10.0.0.1".parse().expect("an address");
                let cluster = cluster.clone();
                headless.push(HeadlessEndpoint {
                    cluster,
                    hostname: None,
                    address,
                    ports: BTreeMap::new(),
                    udp_ports: BTreeMap::new(),
                });
            }
            let revision = session.state.applied_index();
            Action::ApplyReport(Box::new(report(cluster, None, revision, services)))
        }
        What::Revert(back) => {
            let Revision { epoch, index } = session.state.revision();
            Action::Revert { to: Revision::new(epoch, index.saturating_sub(*back)) }
        }
    };
    session.apply(action)
}

fn report(
    cluster: ClusterName,
    base: Option<u64>,
    revision: u64,
    services: BTreeMap<ServiceName, ReportedService>,
) -> ReportChange {
    ReportChange {
        cluster,
        epoch: 1,
        base,
        revision,
        namespaces: None,
        gateways: Vec::new(),
        services,
        removed: Vec::new(),
        virtual_ips: None,
    }
}

/// What is there, written into an empty state in the order of its ages, with no detours.
pub(crate) fn replay(state: &State) -> State {
    let mut actions: Vec<(Timestamp, u8, Action)> = Vec::new();
    for kind in Kind::ALL {
        for resource in state.resources(kind) {
            let created_at = resource.metadata.created_at.expect("set by the server");
            let rank = u8::from(kind != Kind::Cluster);
            actions.push((created_at, rank, put_of(resource.clone())));
        }
    }
    for (cluster, record) in &state.clusters {
        for (service, held) in &record.services {
            let since = held.exported_since.unwrap_or(state.clock);
            let services = BTreeMap::from([(service.clone(), held.service.clone())]);
            let report = report(cluster.clone(), None, 0, services);
            actions.push((since, 2, Action::ApplyReport(Box::new(report))));
        }
    }
    actions.sort_by_key(|(at, rank, _)| (*at, *rank));
    let mut fresh = State::default();
    for (index, (now, _, mut action)) in (1..).zip(actions) {
        if let Action::ApplyReport(report) = &mut action {
            let held = fresh.clusters.get(&report.cluster).and_then(|record| record.position);
            report.base = held.map(|held| held.index);
            report.revision = index;
        }
        let command = Command { now, actor: "replay".into(), reason: None, action };
        let applied = fresh.apply(index, command);
        applied.outcome.expect("what is there can be written again");
    }
    fresh
}
