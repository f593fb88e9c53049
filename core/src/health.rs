//! What one gateway itself sees of endpoints and peers, and what its agent's checks say.
//!
//! ```text
//!   outcomes of requests ──┐                     ┌──> choose (shares, ejections, peers)
//!   peers heard, lost ─────┼─> observe ─> Health ┼──> summaries for the peers
//!   peers' summaries ──────┘                     └──> notices (logs, counters)
//! ```
//!
//! Nothing is healthy or connected by default: a peer that was never heard is `Unknown`, and what a
//! peer said is forgotten after [`limits::SUMMARY_AGE_MAX`].
//!
//! **Ejection** is on by default: an endpoint that fails [`limits::OUTLIER_ERRORS_MAX`] times by
//! status or [`limits::OUTLIER_BREAKS_MAX`] times by connection is left for a time that doubles
//! with each ejection, and comes back by a ramp. **Panic rule**: clusters are weighed by their
//! honest number of usable endpoints, but inside a cluster ejections count for at most
//! [`limits::EJECTED_PERCENT_MAX`] of the endpoints (the oldest first) and never for the last one,
//! so that one fault which all share does not pile the load on a few. What an active check calls
//! unhealthy is never used.

pub mod check;
mod outlier;
mod peer;

use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use rialto_types::id::{ClusterName, InstanceId, ServiceName};
use rialto_types::limits;
use rialto_types::local::{Endpoint, EndpointHealth, LocalTable};
use rialto_types::report::HealthSummary;
use rialto_types::snapshot::Snapshot;

pub use check::Check;
pub use peer::GatewayState;

use outlier::Outlier;
use peer::Peer;

/// One gateway's view of endpoints and peers.
#[derive(Debug, Clone, Default)]
pub struct Health {
    outliers: BTreeMap<SocketAddr, Outlier>,
    ejections: u64,
    peers: BTreeMap<ClusterName, Peer>,
    notices: VecDeque<Notice>,
    /// No later than the first moment at which `handle_timeout` has something to do.
    next: Option<Instant>,
}

/// Something that the gateway saw.
#[derive(Debug, Clone, Copy)]
pub enum Event<'a> {
    /// How a request or connection to a local endpoint ended.
    Endpoint { address: SocketAddr, outcome: Outcome },
    /// The first connection to a peer gateway stands, or a new one after it had announced its end.
    PeerConnected { peer: PeerRef<'a>, path: Path },
    /// Any packet of a peer gateway; `now` may be a little ago, when it came.
    PeerHeard { peer: PeerRef<'a>, path: Path },
    /// The last connection to a peer gateway is gone. The tunnel keeps dialling: nothing is offered
    /// to the gateway until `PeerConnected`.
    PeerLost { peer: PeerRef<'a> },
    /// A peer gateway takes no new streams.
    PeerDraining { peer: PeerRef<'a> },
    /// What a peer gateway says of its cluster's endpoints; services that it does not name stay.
    Summaries { cluster: &'a ClusterName, summaries: &'a [HealthSummary] },
}

/// A gateway of another cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PeerRef<'a> {
    pub cluster: &'a ClusterName,
    pub gateway: &'a InstanceId,
}

/// What the carrier measured of the way to a peer gateway.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Path {
    pub rtt: Duration,
    /// The probe timeout (RFC 9002, section 6.2.1), or what comes near it on another carrier.
    pub pto: Duration,
}

/// How a request or connection to an endpoint ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    Success,
    /// An answer of status 5xx.
    ServerError,
    /// Refused, unreachable or not accepted in time.
    ConnectFailure,
    /// Broken off before the answer was whole.
    Reset,
}

/// A change that people want to read of; for logs and counters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Notice {
    EndpointEjected { address: SocketAddr, duration: Duration },
    EndpointReturned { address: SocketAddr },
    PeerUp { cluster: ClusterName, gateway: InstanceId },
    PeerDown { cluster: ClusterName, gateway: InstanceId },
    PeerDraining { cluster: ClusterName, gateway: InstanceId },
}

/// How many endpoints of a service port can serve.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Neither unhealthy nor ejected.
    pub usable: u32,
    pub total: u32,
}

impl Health {
    /// Takes in what was seen.
    pub fn observe(&mut self, event: Event<'_>, now: Instant) {
        match event {
            Event::Endpoint { address, outcome } => self.observe_endpoint(address, outcome, now),
            Event::PeerConnected { peer, path } => {
                self.gateway_mut(peer).set_draining(false);
                self.observe_heard(peer, path, now);
            }
            Event::PeerHeard { peer, path } => self.observe_heard(peer, path, now),
            Event::PeerLost { peer } => {
                if self.gateway_mut(peer).lose() {
                    let (cluster, gateway) = (peer.cluster.clone(), peer.gateway.clone());
                    self.notify(Notice::PeerDown { cluster, gateway });
                }
            }
            Event::PeerDraining { peer } => {
                if self.gateway_mut(peer).set_draining(true) {
                    let (cluster, gateway) = (peer.cluster.clone(), peer.gateway.clone());
                    self.notify(Notice::PeerDraining { cluster, gateway });
                }
            }
            Event::Summaries { cluster, summaries } => {
                self.peer_mut(cluster).take_summaries(summaries, now);
                self.wake_at(now + limits::SUMMARY_AGE_MAX);
            }
        }
    }

    /// Forgets peers that the snapshot does not name.
    pub fn handle_snapshot(&mut self, snapshot: &Snapshot) {
        self.peers.retain(|cluster, peer| match snapshot.clusters.get(cluster) {
            Some(entry) => {
                peer.gateways.retain(|id, _| entry.gateways.iter().any(|g| g.id == *id));
                true
            }
            None => false,
        });
    }

    /// This process did not run for `stood`: that is not its peers' silence. To be called before
    /// time passes again.
    pub fn handle_standstill(&mut self, stood: Duration, now: Instant) {
        let gateways = self.peers.values_mut().flat_map(|peer| peer.gateways.values_mut());
        gateways.for_each(|gateway| gateway.excuse(stood, now));
    }

    /// When `handle_timeout` wants to be called.
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.next
    }

    /// Lets time pass: ends ejections, notes silence, forgets what is too old.
    pub fn handle_timeout(&mut self, now: Instant) {
        if self.next.is_none_or(|next| now < next) {
            return;
        }
        let mut notices = Vec::new();
        self.outliers.retain(|address, outlier| {
            if outlier.end_ejection(now) {
                notices.push(Notice::EndpointReturned { address: *address });
            }
            !outlier.is_forgiven(now)
        });
        for (cluster, peer) in &mut self.peers {
            for gateway in peer.end_silent(now) {
                notices.push(Notice::PeerDown { cluster: cluster.clone(), gateway });
            }
            peer.forget_summaries(now);
        }
        for notice in notices {
            self.notify(notice);
        }
        let outliers = self.outliers.values().map(Outlier::next);
        self.next = outliers.chain(self.peers.values().filter_map(Peer::next)).min();
    }

    /// The next change that people want to read of.
    pub fn poll_notice(&mut self) -> Option<Notice> {
        self.notices.pop_front()
    }

    /// A peer gateway's state as this gateway sees it.
    pub fn gateway(&self, peer: PeerRef<'_>, now: Instant) -> GatewayState {
        let known = self.peers.get(peer.cluster).and_then(|p| p.gateways.get(peer.gateway));
        known.map_or(GatewayState::Unknown, |gateway| gateway.state(now))
    }

    /// What a peer cluster said of a service port, with the age of that; `None` is Unknown.
    pub fn summary(
        &self,
        cluster: &ClusterName,
        service: &ServiceName,
        port: u16,
        now: Instant,
    ) -> Option<(Counts, Duration)> {
        self.peers.get(cluster)?.summary(service, port, now)
    }

    /// Until when an endpoint is ejected.
    pub fn ejected_until(&self, address: SocketAddr, now: Instant) -> Option<Instant> {
        self.outliers.get(&address)?.ejected_until(now)
    }

    /// What peers are told of this cluster: every service port that it exports.
    pub fn summaries(
        &self,
        snapshot: &Snapshot,
        table: &LocalTable,
        now: Instant,
    ) -> Vec<HealthSummary> {
        let mut summaries = Vec::new();
        for (service, entry) in &snapshot.services {
            for &port in entry.clusters.get(&table.cluster).into_iter().flatten() {
                let endpoints = table.services.get(service).map_or(&[][..], |held| &**held);
                let counts = self.counts(endpoints, port, |_| false, now);
                summaries.push(HealthSummary {
                    service: service.clone(),
                    port,
                    healthy: counts.usable,
                    total: counts.total,
                });
            }
        }
        summaries
    }

    /// How many of the own cluster's endpoints can serve a port, leaving out those to skip.
    pub(crate) fn counts(
        &self,
        endpoints: &[Endpoint],
        port: u16,
        skip: impl Fn(SocketAddr) -> bool,
        now: Instant,
    ) -> Counts {
        let mut counts = Counts::default();
        for endpoint in endpoints {
            let Some(address) = endpoint.target(port) else { continue };
            if skip(address) {
                continue;
            }
            counts.total += 1;
            let fit = endpoint.health != EndpointHealth::Unhealthy;
            counts.usable += u32::from(fit && self.ejected_until(address, now).is_none());
        }
        counts
    }

    /// Whether any endpoint failed lately: the common answer spares all look-ups.
    pub(crate) fn has_outliers(&self) -> bool {
        !self.outliers.is_empty()
    }

    /// The place of an endpoint's ejection in the order of all ejections; `None` if it is not out.
    pub(crate) fn ejection(&self, address: SocketAddr, now: Instant) -> Option<u64> {
        self.outliers.get(&address)?.ejection(now)
    }

    /// The share of its traffic that an endpoint gets after its return, in percent.
    pub(crate) fn share_percent(&self, address: SocketAddr, now: Instant) -> u32 {
        self.outliers.get(&address).map_or(100, |outlier| outlier.share_percent(now))
    }

    fn observe_endpoint(&mut self, address: SocketAddr, outcome: Outcome, now: Instant) {
        if outcome == Outcome::Success {
            if let Some(outlier) = self.outliers.get_mut(&address)
                && outlier.succeed()
            {
                self.outliers.remove(&address);
            }
            return;
        }
        let is_known = self.outliers.contains_key(&address);
        if !is_known && self.outliers.len() >= limits::OUTLIERS_MAX {
            return;
        }
        let outlier = self.outliers.entry(address).or_insert_with(|| Outlier::new(now));
        let ejected_for = outlier.fail(outcome, self.ejections, now);
        let next = outlier.next();
        self.wake_at(next);
        if let Some(duration) = ejected_for {
            self.ejections += 1;
            self.notify(Notice::EndpointEjected { address, duration });
        }
    }

    fn observe_heard(&mut self, peer: PeerRef<'_>, path: Path, now: Instant) {
        let gateway = self.gateway_mut(peer);
        let is_news = gateway.hear(path, now);
        let next = gateway.next();
        if let Some(next) = next {
            self.wake_at(next);
        }
        if is_news {
            let (cluster, gateway) = (peer.cluster.clone(), peer.gateway.clone());
            self.notify(Notice::PeerUp { cluster, gateway });
        }
    }

    fn peer_mut(&mut self, cluster: &ClusterName) -> &mut Peer {
        if !self.peers.contains_key(cluster) {
            self.peers.insert(cluster.clone(), Peer::default());
        }
        self.peers.get_mut(cluster).expect("inserted above")
    }

    fn gateway_mut(&mut self, peer: PeerRef<'_>) -> &mut peer::Gateway {
        let gateways = &mut self.peer_mut(peer.cluster).gateways;
        if !gateways.contains_key(peer.gateway) {
            gateways.insert(peer.gateway.clone(), peer::Gateway::default());
        }
        gateways.get_mut(peer.gateway).expect("inserted above")
    }

    fn wake_at(&mut self, at: Instant) {
        self.next = Some(self.next.map_or(at, |next| next.min(at)));
    }

    fn notify(&mut self, notice: Notice) {
        if self.notices.len() >= limits::HEALTH_NOTICES_MAX {
            self.notices.pop_front();
        }
        self.notices.push_back(notice);
    }
}

#[cfg(test)]
mod tests;
