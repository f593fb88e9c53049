//! In which order clusters serve a service, by choose's own ranking and what agents report.

use rialto_types::id::{ClusterName, ServiceName};
use rialto_types::snapshot::{ServiceEntry, Snapshot};
use rialto_types::view::Level;
use rialto_types::view::service::{FailoverFrom, FailoverStep};

use super::Picture;
use super::level::Cell;
use crate::choose::{Placed, order};
use crate::health::Counts;

impl Picture {
    /// As workloads of `from` are served, by the first port of the service.
    pub(super) fn failover(
        &self,
        snapshot: &Snapshot,
        entry: &ServiceEntry,
        from: &ClusterName,
    ) -> FailoverFrom {
        let Some(port) = entry.ports.first().map(|port| port.port.get()) else {
            return FailoverFrom { from: from.clone(), order: Vec::new() };
        };
        let known = |cluster: &ClusterName| {
            if !self.is_agent_heard(cluster) {
                return None;
            }
            let (healthy, total, _) = self.endpoints(&entry.name, cluster, port)?;
            Some(Counts { usable: healthy.min(total), total })
        };
        let placed = order(snapshot, entry, from, port, known);
        let step = |placed: Placed<'_>| FailoverStep {
            cluster: placed.cluster.clone(),
            level: self.level_in(&entry.name, &placed),
            why: why(&placed, from, entry),
            share: placed.share,
        };
        FailoverFrom { from: from.clone(), order: placed.into_iter().map(step).collect() }
    }

    fn level_in(&self, service: &ServiceName, placed: &Placed<'_>) -> Level {
        let endpoints = self
            .rows
            .get(service)
            .and_then(|row| row.clusters.iter().find(|cell| cell.name == *placed.cluster))
            .and_then(|cell| Some((cell.healthy?, cell.total?)));
        Cell {
            cluster: placed.cluster,
            is_exported: true,
            is_drained: placed.is_drained,
            is_heard: self.is_agent_heard(placed.cluster),
            endpoints,
        }
        .level()
    }
}

fn why(placed: &Placed<'_>, from: &ClusterName, entry: &ServiceEntry) -> String {
    let named = entry.failover.order.iter().position(|named| named == placed.cluster);
    let place = match (&entry.failover.policy, named) {
        (Some(policy), Some(at)) => format!("number {} of FailoverPolicy {policy}", at + 1),
        _ if placed.cluster == from => "the caller's own cluster".into(),
        _ if placed.is_near => "of the caller's region".into(),
        _ => "one of the others".into(),
    };
    let state = match (placed.is_drained, placed.counts) {
        (true, _) => "drained: only what no other can serve".into(),
        (false, None) => "nothing is heard of its endpoints".into(),
        (false, Some(Counts { usable, total })) => format!("{usable} of {total} endpoints"),
    };
    format!("{place}, {state}")
}
