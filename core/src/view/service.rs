//! One service: where it lives, where its traffic goes, who may call it.

use std::collections::BTreeMap;

use rialto_types::command;
use rialto_types::error::{Code, Problem};
use rialto_types::id::{ClusterName, ServiceName};
use rialto_types::limits;
use rialto_types::object::Kind;
use rialto_types::route::{BackendRef, HttpMatch, PathMatchKind};
use rialto_types::service::ServiceStatus;
use rialto_types::snapshot::{RouteRule, ServiceEntry, Snapshot, WeightedBackend};
use rialto_types::view::service::{
    BackendView, EndpointsLine, FailoverView, Query, RouteView, ServicePage, ShiftBackend,
    ShiftView, VirtualIps,
};
use rialto_types::view::{Level, Ref};

use super::access::access;
use super::cluster::unknown_cluster;
use super::level::Cell;
use super::{Picture, changes};
use crate::compile::Common;
use crate::state::State;

impl Picture {
    pub fn service(
        &self,
        state: &State,
        service: &ServiceName,
        query: &Query,
    ) -> Result<ServicePage, Problem> {
        let unknown = || {
            Problem::new(Code::NotFound, format!("no cluster has a service {service}"))
                .with_hint("compare the name with `rialto get services`")
        };
        let picture = self.over(query.over)?;
        let row = picture.rows.get(service).ok_or_else(unknown)?;
        let status = state.service_status(service).ok_or_else(unknown)?;
        let viewers = viewers(state, service, query)?;
        let snapshot = match viewers.first() {
            Some(viewer) => self.snapshot(state, viewer, service),
            None => Snapshot::default(),
        };
        let entry = snapshot.services.get(service);
        let subject = Ref::service(service);
        let of_service = |entry: &_| changes::touches(entry, &subject);
        let virtual_ips = status.virtual_ips.iter();
        let virtual_ips = virtual_ips.map(|(cluster, addresses)| VirtualIps {
            cluster: cluster.clone(),
            addresses: addresses.clone(),
        });
        Ok(ServicePage {
            row: row.clone(),
            dns_name: status.dns_name.clone(),
            virtual_ips: virtual_ips.collect(),
            endpoints: self.endpoint_lines(service, &status),
            routes: picture.routes(&snapshot, service, entry),
            shift: state.shiftable(service).map(|backends| shift(service, &backends)),
            failover: self.failovers(&snapshot, entry, &viewers),
            callers: self.callers(service, query),
            refusals: self.refusals(service, query),
            access: access(&snapshot, service),
            traffic: self.service_traffic(service, query),
            not_carried: status.not_carried.iter().map(ToString::to_string).collect(),
            conflicts: status.conflicts,
            changes: changes::newest(state, limits::VIEW_LAST_CHANGES, self.now, of_service),
            revision: self.revision(),
            gaps: self.gaps(),
        })
    }

    /// What a cluster's gateways have of one service, as the state is now.
    fn snapshot(&self, state: &State, viewer: &ClusterName, service: &ServiceName) -> Snapshot {
        let held = &self.catalog.common;
        let entries = if held.revision() == state.revision() {
            held.about(state, viewer, service)
        } else {
            Common::new(state, held).about(state, viewer, service)
        };
        Snapshot::from_entries(state.revision(), entries)
    }

    fn endpoint_lines(&self, service: &ServiceName, status: &ServiceStatus) -> Vec<EndpointsLine> {
        let mut lines = Vec::new();
        for (cluster, held) in &status.clusters {
            let cluster_of = self.catalog.clusters.get(cluster);
            for port in &status.ports {
                let port = port.port.get();
                let told = self.endpoints(service, cluster, port);
                let cell = Cell {
                    cluster,
                    is_exported: held.exported,
                    is_drained: cluster_of.is_some_and(|cluster| cluster.is_drained),
                    is_heard: self.is_agent_heard(cluster),
                    endpoints: told.map(|(healthy, total, _)| (healthy, total)),
                };
                lines.push(EndpointsLine {
                    cluster: cluster.clone(),
                    port,
                    level: cell.level(),
                    healthy: told.map(|(healthy, ..)| healthy),
                    total: told.map(|(_, total, _)| total),
                    age_ms: told.map(|(.., age)| age),
                    exported: held.exported,
                    exported_by: held.exported_by.clone(),
                });
            }
        }
        lines
    }

    /// The rules in the order in which they are tried; the service itself where it has none.
    fn routes(
        &self,
        snapshot: &Snapshot,
        service: &ServiceName,
        entry: Option<&ServiceEntry>,
    ) -> Vec<RouteView> {
        let rules = snapshot.routes.get(service).into_iter().flat_map(|entry| &entry.rules);
        let mut views: Vec<RouteView> = rules.map(|rule| self.route(rule)).collect();
        if views.is_empty() && entry.is_some() {
            let itself = WeightedBackend { service: service.clone(), port: None, weight: 1 };
            views.push(RouteView {
                source: None,
                matches: Vec::new(),
                port: None,
                backends: self.backends(&[itself]),
            });
        }
        views
    }

    fn route(&self, rule: &RouteRule) -> RouteView {
        RouteView {
            source: Some(rule.source.clone()),
            matches: rule.condition.iter().flat_map(matches).collect(),
            port: rule.port,
            backends: self.backends(&rule.backends),
        }
    }

    fn backends(&self, backends: &[WeightedBackend]) -> Vec<BackendView> {
        let total: u64 = backends.iter().map(|backend| u64::from(backend.weight)).sum();
        let view = |backend: &WeightedBackend| BackendView {
            service: backend.service.clone(),
            weight: backend.weight,
            share: share(backend.weight, total),
            level: self.rows.get(&backend.service).map_or(Level::Unknown, |row| row.level),
            rates: self.figures.of_service(&backend.service),
        };
        backends.iter().map(view).collect()
    }

    fn failovers(
        &self,
        snapshot: &Snapshot,
        entry: Option<&ServiceEntry>,
        viewers: &[ClusterName],
    ) -> FailoverView {
        let Some(entry) = entry else {
            return FailoverView { policy: None, per_cluster: Vec::new() };
        };
        let policy = entry.failover.policy.as_ref().map(|policy| Ref {
            kind: Kind::FailoverPolicy.to_string(),
            namespace: Some(entry.name.namespace.clone()),
            name: policy.to_string(),
            cluster: None,
        });
        let per_cluster = viewers.iter().map(|from| self.failover(snapshot, entry, from));
        FailoverView { policy, per_cluster: per_cluster.collect() }
    }
}

/// The clusters whose workloads can call the service, or the one that is asked for.
fn viewers(
    state: &State,
    service: &ServiceName,
    query: &Query,
) -> Result<Vec<ClusterName>, Problem> {
    if let Some(asked) = &query.cluster {
        let view = state.cluster(asked).ok_or_else(|| unknown_cluster(asked))?;
        let can_call = view.has_namespace(&service.namespace);
        return Ok(if can_call { vec![asked.clone()] } else { Vec::new() });
    }
    let all = state.clusters().filter(|cluster| cluster.has_namespace(&service.namespace));
    Ok(all.map(|cluster| cluster.name.clone()).collect())
}

fn shift(service: &ServiceName, backends: &[BackendRef]) -> ShiftView {
    let total: u64 = backends.iter().map(|backend| u64::from(backend.weight)).sum();
    let weights: BTreeMap<_, _> =
        backends.iter().map(|backend| (backend.name.clone(), backend.weight)).collect();
    let view = |backend: &BackendRef| ShiftBackend {
        name: backend.name.clone(),
        weight: backend.weight,
        share: share(backend.weight, total),
    };
    ShiftView {
        backends: backends.iter().map(view).collect(),
        command: command::shift(service, &weights, None),
    }
}

fn share(weight: u32, total: u64) -> f64 {
    if total == 0 { 0.0 } else { f64::from(weight) / total as f64 }
}

/// All that a request must show, each in a few words.
fn matches(condition: &HttpMatch) -> Vec<String> {
    let mut words = Vec::new();
    words.extend(condition.method.clone());
    words.extend(condition.path.as_ref().map(|path| match path.kind {
        PathMatchKind::Exact => format!("path {}", path.value),
        PathMatchKind::PathPrefix => format!("path {}/*", path.value.trim_end_matches('/')),
    }));
    let headers = condition.headers.iter();
    words.extend(headers.map(|header| format!("header {}: {}", header.name, header.value)));
    let parameters = condition.query_params.iter();
    words.extend(parameters.map(|param| format!("parameter {}={}", param.name, param.value)));
    words
}
