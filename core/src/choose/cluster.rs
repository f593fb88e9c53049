//! Which cluster serves: order, drain, spill, reachability.

use std::net::SocketAddr;
use std::time::Instant;

use rialto_types::cluster::GatewayAddress;
use rialto_types::error::Code;
use rialto_types::id::ClusterName;
use rialto_types::local::{Endpoint, EndpointHealth, LocalTable};
use rialto_types::snapshot::{ServiceEntry, Snapshot};

use super::affinity::Key;
use super::trace::{Stage, Trace};
use super::{Excluded, Refusal, endpoint};
use crate::health::{Counts, GatewayState, Health, PeerRef};

/// All load, in basis points: Envoy counts whole percents and loses the remainder.
const FULL: u64 = 10_000;

/// Everything that the choice of a cluster, gateway or endpoint looks at.
#[derive(Clone, Copy)]
pub(super) struct Field<'a, 'r> {
    pub(super) snapshot: &'a Snapshot,
    pub(super) table: &'a LocalTable,
    pub(super) health: &'r Health,
    /// The backend that the route chose, and the own cluster's endpoints of it.
    pub(super) endpoints: &'a [Endpoint],
    pub(super) service: &'a ServiceEntry,
    pub(super) port: u16,
    /// The caller that is to stay where it is.
    pub(super) affinity: Option<Key>,
    pub(super) excluded: &'r [Excluded<'r>],
    pub(super) now: Instant,
}

/// How a gateway may be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum GatewayUse {
    Up,
    /// Never heard: only if none is up.
    Untried,
}

/// A cluster that may serve, with its rank: lower first.
#[derive(Debug, Clone, Copy)]
struct Candidate<'a> {
    cluster: &'a ClusterName,
    rank: Rank,
    counts: Counts,
}

impl Candidate<'_> {
    /// Among those of one rank.
    fn weight(&self) -> u64 {
        if self.rank.is_unknown { 1 } else { self.counts.usable.into() }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Rank {
    is_drained: bool,
    /// Nothing is known of its endpoints.
    is_unknown: bool,
    level: usize,
}

pub(super) fn choose<'a, T: Trace>(
    field: &Field<'a, '_>,
    draw: u64,
    trace: &mut T,
) -> Result<&'a ClusterName, Refusal> {
    if !T::IS_ON && field.own_takes_all() {
        return Ok(&field.table.cluster);
    }
    match &field.service.failover.policy {
        Some(policy) => {
            trace.step(Stage::Cluster, format_args!("order by FailoverPolicy {policy}"))
        }
        None => trace.step(Stage::Cluster, format_args!("default order: own cluster, then others")),
    }
    let mut candidates = Vec::with_capacity(field.service.clusters.len());
    for (cluster, ports) in &field.service.clusters {
        match field.candidate(cluster, ports) {
            Ok(candidate) => candidates.push(candidate),
            Err(reason) => {
                trace.step(Stage::Cluster, format_args!("{cluster} is left out: {reason}"));
            }
        }
    }
    candidates.sort_unstable_by_key(|candidate| candidate.rank);
    if T::IS_ON {
        trace_candidates(field, &candidates, trace);
    }
    let drained_from = candidates.partition_point(|candidate| !candidate.rank.is_drained);
    let (serving, drained) = candidates.split_at(drained_from);
    let overprovisioning = u64::from(field.service.failover.overprovisioning_percent);
    for group in [serving, drained] {
        if let Some(chosen) = spill(group, overprovisioning, field.pick(group, draw)) {
            trace.step(Stage::Cluster, format_args!("{chosen}"));
            return Ok(chosen);
        }
    }
    if let Some(candidate) = candidates.iter().find(|candidate| candidate.counts.total > 0) {
        let chosen = candidate.cluster;
        trace
            .step(Stage::Cluster, format_args!("{chosen}, although no endpoint is known to serve"));
        return Ok(chosen);
    }
    Err(field.refuse())
}

/// What decides between clusters that all may serve.
#[derive(Debug, Clone, Copy)]
enum Pick {
    Draw(u64),
    /// Who stands lowest, from 0 to `FULL`, is served by the first level.
    Caller {
        key: Key,
        standing: u64,
    },
}

/// Takes the levels in order, each up to its ability of what is left; then one cluster of the level
/// by its number of usable endpoints.
fn spill<'a>(
    group: &[Candidate<'a>],
    overprovisioning: u64,
    pick: Pick,
) -> Option<&'a ClusterName> {
    let levels = || group.chunk_by(|left, right| left.rank == right.rank);
    let able: u64 = levels().map(|level| ability(level, overprovisioning)).sum();
    let able = able.min(FULL);
    let mut rest = match pick {
        Pick::Draw(draw) => draw.checked_rem(able)?,
        Pick::Caller { standing, .. } if standing < able => standing,
        // What all levels together are not able to take, they share.
        Pick::Caller { key, .. } => key.draw(2).checked_rem(able)?,
    };
    for level in levels() {
        let ability = ability(level, overprovisioning);
        if rest < ability {
            return one_of(level, pick);
        }
        rest -= ability;
    }
    None
}

fn one_of<'a>(level: &[Candidate<'a>], pick: Pick) -> Option<&'a ClusterName> {
    let draw = match pick {
        Pick::Draw(draw) => draw,
        Pick::Caller { key, .. } => {
            let able = level.iter().filter(|candidate| candidate.weight() > 0);
            let rank = |candidate: &Candidate<'_>| {
                key.rank_weighted(candidate.cluster.as_str(), candidate.weight())
            };
            let highest = able.max_by(|one, other| rank(one).total_cmp(&rank(other)));
            return highest.map(|candidate| candidate.cluster);
        }
    };
    let total: u64 = level.iter().map(Candidate::weight).sum();
    let mut place = super::mix(draw, 1).checked_rem(total)?;
    for candidate in level {
        if place < candidate.weight() {
            return Some(candidate.cluster);
        }
        place -= candidate.weight();
    }
    None
}

/// How much of all load a level can take. An unknown level may be asked for all.
fn ability(level: &[Candidate<'_>], overprovisioning: u64) -> u64 {
    if level.iter().any(|candidate| candidate.rank.is_unknown) {
        return FULL;
    }
    let usable: u64 = level.iter().map(|candidate| u64::from(candidate.counts.usable)).sum();
    let total: u64 = level.iter().map(|candidate| u64::from(candidate.counts.total)).sum();
    let able = (usable * overprovisioning * (FULL / 100)).checked_div(total).unwrap_or(0);
    able.min(FULL)
}

impl<'a> Field<'a, '_> {
    pub(super) fn gateways(
        &self,
        cluster: &ClusterName,
    ) -> impl Iterator<Item = &'a GatewayAddress> + use<'a> {
        self.snapshot.clusters.get(cluster).into_iter().flat_map(|entry| &entry.gateways)
    }

    pub(super) fn gateway_state(
        &self,
        cluster: &ClusterName,
        gateway: &GatewayAddress,
    ) -> GatewayState {
        self.health.gateway(PeerRef { cluster, gateway: &gateway.id }, self.now)
    }

    pub(super) fn gateway_use(
        &self,
        cluster: &ClusterName,
        gateway: &GatewayAddress,
    ) -> Option<GatewayUse> {
        let excluded = Excluded::Gateway { cluster, gateway: &gateway.id };
        if self.excluded.contains(&excluded) {
            return None;
        }
        match self.gateway_state(cluster, gateway) {
            GatewayState::Up { .. } => Some(GatewayUse::Up),
            GatewayState::Unknown => Some(GatewayUse::Untried),
            GatewayState::Down | GatewayState::Draining => None,
        }
    }

    /// What decides among a group. Callers that are to stay have a standing in all load. While the
    /// own cluster comes first, it keeps those whose endpoint there serves; who spills is picked
    /// among the others, so that each level has the same share as by draws.
    fn pick(&self, group: &[Candidate<'_>], draw: u64) -> Pick {
        let Some(key) = self.affinity else { return Pick::Draw(draw) };
        let own = group.first().filter(|first| *first.cluster == self.table.cluster);
        let served = own.map_or(0, |Candidate { counts: Counts { usable, total }, .. }| {
            (FULL * u64::from(*usable)).checked_div(u64::from(*total)).unwrap_or(0)
        });
        let is_kept = own.is_some() && (served >= FULL || endpoint::is_kept(self, key));
        let standing = if is_kept { 0 } else { served + key.draw(1) % (FULL - served) };
        Pick::Caller { key, standing }
    }

    pub(super) fn is_tried(&self, address: SocketAddr) -> bool {
        self.excluded.contains(&Excluded::Endpoint(address))
    }

    /// Whether an endpoint can serve once its ejection, if any, is disregarded.
    fn may_be_tried(&self, endpoint: &Endpoint) -> bool {
        endpoint.health != EndpointHealth::Unhealthy
            && endpoint.target(self.port).is_some_and(|address| !self.is_tried(address))
    }

    /// The common case without a list: the own cluster comes first and can take everything.
    fn own_takes_all(&self) -> bool {
        let own = &self.table.cluster;
        let Some(ports) = self.service.clusters.get(own) else { return false };
        let Ok(candidate) = self.candidate(own, ports) else { return false };
        let overprovisioning = u64::from(self.service.failover.overprovisioning_percent);
        let is_first = !candidate.rank.is_drained && candidate.rank.level == 0;
        is_first && ability(&[candidate], overprovisioning) == FULL
    }

    /// The cluster as a candidate, or why it is none.
    fn candidate(
        &self,
        cluster: &'a ClusterName,
        ports: &[u16],
    ) -> Result<Candidate<'a>, &'static str> {
        if !ports.contains(&self.port) {
            return Err("it does not export the port");
        }
        if self.excluded.contains(&Excluded::Cluster(cluster)) {
            return Err("it was tried already");
        }
        let entry = self.snapshot.clusters.get(cluster);
        let is_drained = entry.is_some_and(|entry| entry.drained);
        let level = level(self.snapshot, self.service, &self.table.cluster, cluster);
        if *cluster == self.table.cluster {
            let endpoints = self.endpoints;
            let counts = self.health.counts(endpoints, self.port, |a| self.is_tried(a), self.now);
            if counts.usable == 0 && !endpoints.iter().any(|endpoint| self.may_be_tried(endpoint)) {
                return Err("it has no endpoint that can serve");
            }
            let rank = Rank { is_drained, is_unknown: false, level };
            return Ok(Candidate { cluster, rank, counts });
        }
        if !self.gateways(cluster).any(|gateway| self.gateway_use(cluster, gateway).is_some()) {
            return Err("none of its gateways can be reached");
        }
        let summary = self.health.summary(cluster, &self.service.name, self.port, self.now);
        let rank = Rank { is_drained, is_unknown: summary.is_none(), level };
        let counts = summary.map(|(counts, _)| counts).unwrap_or_default();
        if !rank.is_unknown && counts.total == 0 {
            return Err("it has no endpoint");
        }
        Ok(Candidate { cluster, rank, counts })
    }

    fn refuse(&self) -> Refusal {
        let (service, port) = (&self.service.name, self.port);
        let names: Vec<&str> = self.service.clusters.keys().map(ClusterName::as_str).collect();
        let text = format!(
            "no cluster can serve `{service}` port {port} (exported by {}); \
             `rialto explain` says why for each",
            names.join(", ")
        );
        Refusal::new(Code::NoHealthyEndpoint, text)
    }
}

/// 0 for the first cluster to use: own, then the policy's order, then the own region, then all.
fn level(
    snapshot: &Snapshot,
    service: &ServiceEntry,
    own: &ClusterName,
    cluster: &ClusterName,
) -> usize {
    let order = &service.failover.order;
    let is_own_named = order.contains(own);
    let offset = usize::from(!is_own_named);
    if let Some(at) = order.iter().position(|named| named == cluster) {
        return offset + at;
    }
    if cluster == own {
        return 0;
    }
    offset + order.len() + usize::from(!is_near(snapshot, own, cluster))
}

fn is_near(snapshot: &Snapshot, own: &ClusterName, cluster: &ClusterName) -> bool {
    let region = |cluster| snapshot.clusters.get(cluster)?.region.as_deref();
    region(cluster).is_some_and(|of_cluster| region(own) == Some(of_cluster))
}

/// A cluster's place in the order in which clusters serve a port.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Placed<'a> {
    pub cluster: &'a ClusterName,
    pub is_drained: bool,
    /// In the region of the caller's cluster.
    pub is_near: bool,
    /// `None` if nothing is known of its endpoints.
    pub counts: Option<Counts>,
    /// Of the calls, 0 to 1.
    pub share: f64,
}

/// The clusters that serve a port for callers of `own`, best first, by what is `known` of their
/// endpoints: the ranking of `choose`, for those who see reports and not peers.
pub fn order<'a>(
    snapshot: &Snapshot,
    service: &'a ServiceEntry,
    own: &ClusterName,
    port: u16,
    known: impl Fn(&ClusterName) -> Option<Counts>,
) -> Vec<Placed<'a>> {
    let exporters = service.clusters.iter().filter(|(_, ports)| ports.contains(&port));
    let mut candidates: Vec<Candidate<'a>> = exporters
        .map(|(cluster, _)| {
            let counts = known(cluster);
            let is_drained = snapshot.clusters.get(cluster).is_some_and(|entry| entry.drained);
            let level = level(snapshot, service, own, cluster);
            let rank = Rank { is_drained, is_unknown: counts.is_none(), level };
            Candidate { cluster, rank, counts: counts.unwrap_or_default() }
        })
        .collect();
    candidates.sort_by_key(|candidate| candidate.rank);
    let overprovisioning = u64::from(service.failover.overprovisioning_percent);
    let drained_from = candidates.partition_point(|candidate| !candidate.rank.is_drained);
    let (serving, drained) = candidates.split_at(drained_from);
    let mut shares = shares(serving, overprovisioning);
    if shares.iter().all(|share| *share == 0.0) {
        shares.extend(self::shares(drained, overprovisioning));
    }
    shares.resize(candidates.len(), 0.0);
    let last_resort = candidates.iter().position(|candidate| candidate.counts.total > 0);
    if let Some(at) = last_resort.filter(|_| shares.iter().all(|share| *share == 0.0)) {
        shares[at] = 1.0;
    }
    let placed = |(candidate, share): (&Candidate<'a>, f64)| Placed {
        cluster: candidate.cluster,
        is_drained: candidate.rank.is_drained,
        is_near: is_near(snapshot, own, candidate.cluster),
        counts: (!candidate.rank.is_unknown).then_some(candidate.counts),
        share,
    };
    candidates.iter().zip(shares).map(placed).collect()
}

/// The part of all calls that each of a group gets: `spill` for every draw at once.
fn shares(group: &[Candidate<'_>], overprovisioning: u64) -> Vec<f64> {
    let levels = || group.chunk_by(|left, right| left.rank == right.rank);
    let able: u64 = levels().map(|level| ability(level, overprovisioning)).sum::<u64>().min(FULL);
    let mut rest = able;
    let mut shares = Vec::with_capacity(group.len());
    for level in levels() {
        let taken = ability(level, overprovisioning).min(rest);
        rest -= taken;
        let total: u64 = level.iter().map(Candidate::weight).sum();
        shares.extend(level.iter().map(|candidate| match total * able {
            0 => 0.0,
            whole => (taken * candidate.weight()) as f64 / whole as f64,
        }));
    }
    shares
}

fn trace_candidates<T: Trace>(field: &Field<'_, '_>, candidates: &[Candidate<'_>], trace: &mut T) {
    let service = &field.service.name;
    for candidate in candidates {
        let Candidate { cluster, rank, counts: Counts { usable, total } } = candidate;
        let drained = if rank.is_drained { ", drained" } else { "" };
        let summary = field.health.summary(cluster, service, field.port, field.now);
        match summary {
            _ if **cluster == field.table.cluster => trace.step(
                Stage::Health,
                format_args!("{cluster} (own): {usable} of {total} endpoints usable{drained}"),
            ),
            Some((_, age)) => trace.step(
                Stage::Health,
                format_args!(
                    "{cluster}: {usable} of {total} endpoints usable, {} ms ago{drained}",
                    age.as_millis()
                ),
            ),
            None => trace.step(Stage::Health, format_args!("{cluster}: Unknown{drained}")),
        }
    }
}

#[cfg(test)]
mod tests;
