//! What this gateway counts near its callers: by caller, service, backend and destination.
//!
//! ```text
//!   flow ends ──> Counter (cells of one worker) ── every 2 s ──> Report ──> Outbox ──> bridge
//!                                               └──> Totals ──> /metrics
//! ```
//!
//! Counting finds its cells by a hash of what the flow holds already: nothing is allocated for a
//! caller, service, backend and destination that were met before. The number of counters is
//! bounded; what is met beyond it is summed up without a name.

mod outbox;
mod totals;

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, HashMap};
use std::hash::{BuildHasher, RandomState};
use std::rc::Rc;
use std::time::{Duration, Instant};

use rialto_types::error::Code;
use rialto_types::id::{ClusterName, ServiceName, SpiffeId};
use rialto_types::limits;
use rialto_types::traffic::{BUCKETS, Counts, Entry, Histogram, Key, Link, Report};
use rialto_wire::identity;

use crate::tunnel::ConnectionId;
use crate::tunnel::pool::{MemberReport, PeerId};

pub(crate) use outbox::Outbox;
pub(crate) use totals::Totals;

/// The counters of one worker.
#[derive(Debug)]
pub(crate) struct Traffic {
    hasher: RandomState,
    /// By the hash of their key; two keys may share one.
    counters: RefCell<HashMap<u64, Vec<Rc<Counter>>>>,
    count: Cell<usize>,
    other: Rc<Counter>,
    /// When the numbering began: by the wall clock for a name, and by the one that never jumps.
    epoch: u64,
    began: Instant,
    reported: Cell<Instant>,
    /// Packets sent and lost on each connection until the last report.
    packets: RefCell<BTreeMap<ConnectionId, (u64, u64)>>,
}

/// Between whom a flow went, as it knows it.
#[derive(Debug, Clone, Copy, Hash)]
pub(crate) struct Between<'a> {
    pub(crate) service: &'a ServiceName,
    pub(crate) backend: Option<&'a ServiceName>,
    pub(crate) cluster: Option<&'a ClusterName>,
    pub(crate) caller: Option<&'a SpiffeId>,
}

/// How a request or flow ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ended {
    Served,
    /// The service or the way to it failed.
    Failed,
    /// It was not to be served: forbidden, not exported, malformed, given up.
    Refused(Code),
}

impl Ended {
    /// Who is answerable: the same line as between the statuses 4xx and 5xx.
    pub(crate) fn of(code: Code) -> Self {
        if code.status() >= 500 { Self::Failed } else { Self::Refused(code) }
    }
}

/// Cells that a flow adds to.
#[derive(Debug)]
pub(crate) struct Counter {
    key: Option<Key>,
    requests: Cell<u64>,
    errors: Cell<u64>,
    refused: Cell<u64>,
    refused_by: RefCell<BTreeMap<Code, u64>>,
    bytes_from_client: Cell<u64>,
    bytes_to_client: Cell<u64>,
    latency: [Cell<u64>; BUCKETS],
    latency_sum: Cell<Duration>,
}

impl Traffic {
    pub(crate) fn new() -> Self {
        let began = Instant::now();
        Self {
            hasher: RandomState::new(),
            counters: RefCell::default(),
            count: Cell::new(0),
            other: Rc::new(Counter::new(None)),
            epoch: identity::now().unix_ms,
            began,
            reported: Cell::new(began),
            packets: RefCell::default(),
        }
    }

    /// The counter of this traffic.
    pub(crate) fn counter(&self, between: &Between<'_>) -> Rc<Counter> {
        let hash = self.hasher.hash_one(between);
        let mut counters = self.counters.borrow_mut();
        let same_hash = counters.get(&hash).map(Vec::as_slice).unwrap_or_default();
        if let Some(counter) = same_hash.iter().find(|counter| counter.is_of(between)) {
            return Rc::clone(counter);
        }
        if self.count.get() >= limits::TRAFFIC_ENTRIES_MAX {
            return Rc::clone(&self.other);
        }
        self.count.set(self.count.get() + 1);
        let counter = Rc::new(Counter::new(Some(between.to_key())));
        counters.entry(hash).or_default().push(Rc::clone(&counter));
        counter
    }

    /// What was counted since the last report, which `totals` get, too.
    pub(crate) fn report(
        &self,
        connections: &[MemberReport],
        totals: &Totals,
        now: Instant,
    ) -> Report {
        let since = |from: Instant| millis(now.saturating_duration_since(from));
        // From end to end, so that rounding opens no gap between two reports.
        let end_ms = since(self.began);
        let span_ms = end_ms.saturating_sub(millis(self.reported.get() - self.began)).max(1);
        self.reported.set(now);
        let mut report = Report {
            epoch: self.epoch,
            end_ms,
            span_ms,
            links: self.links(connections),
            ..Report::default()
        };
        let mut counters = self.counters.borrow_mut();
        counters.retain(|_, same_hash| {
            same_hash.retain(|counter| {
                let (counts, latency_sum) = counter.take();
                let Some(key) = counter.key.as_ref().filter(|_| !counts.is_empty()) else {
                    // Nobody used it for a whole interval, and no flow holds it.
                    return Rc::strong_count(counter) > 1;
                };
                totals.add(Some(key), &counts, latency_sum);
                report.entries.push(Entry { key: key.clone(), counts });
                true
            });
            !same_hash.is_empty()
        });
        self.count.set(counters.values().map(Vec::len).sum());
        let (counts, latency_sum) = self.other.take();
        totals.add(None, &counts, latency_sum);
        report.other = counts;
        report
    }

    fn links(&self, connections: &[MemberReport]) -> Vec<Link> {
        let mut links: BTreeMap<&PeerId, Link> = BTreeMap::new();
        let mut packets = BTreeMap::new();
        let mut before = self.packets.borrow_mut();
        for MemberReport { peer, connection, stats, .. } in connections {
            let link = links.entry(peer).or_insert_with(|| Link {
                cluster: peer.cluster.clone(),
                gateway: peer.gateway.clone(),
                connections: 0,
                round_trip_us: u64::MAX,
                packets_sent: 0,
                packets_lost: 0,
            });
            let round_trip_us = u64::try_from(stats.round_trip.as_micros()).unwrap_or(u64::MAX);
            let (sent, lost) = before.get(connection).copied().unwrap_or_default();
            link.connections += 1;
            link.round_trip_us = link.round_trip_us.min(round_trip_us);
            link.packets_sent += stats.packets_sent.saturating_sub(sent);
            link.packets_lost += stats.packets_lost.saturating_sub(lost);
            packets.insert(*connection, (stats.packets_sent, stats.packets_lost));
        }
        *before = packets;
        links.into_values().take(limits::TRAFFIC_LINKS_MAX).collect()
    }
}

impl Between<'_> {
    fn to_key(self) -> Key {
        Key {
            service: self.service.clone(),
            backend: self.backend.cloned(),
            cluster: self.cluster.cloned(),
            caller: self.caller.cloned(),
        }
    }
}

impl Counter {
    fn new(key: Option<Key>) -> Self {
        Self {
            key,
            requests: Cell::default(),
            errors: Cell::default(),
            refused: Cell::default(),
            refused_by: RefCell::default(),
            bytes_from_client: Cell::default(),
            bytes_to_client: Cell::default(),
            latency: [const { Cell::new(0) }; BUCKETS],
            latency_sum: Cell::default(),
        }
    }

    fn is_of(&self, between: &Between<'_>) -> bool {
        self.key.as_ref().is_some_and(|key| {
            key.service == *between.service
                && key.backend.as_ref() == between.backend
                && key.cluster.as_ref() == between.cluster
                && key.caller.as_ref() == between.caller
        })
    }

    /// Counts a request, with what its caller waited.
    pub(crate) fn request_ended(&self, ended: Ended, latency: Duration) {
        self.flow_ended(ended);
        add(&self.latency[Histogram::bucket_of(latency)], 1);
        self.latency_sum.set(self.latency_sum.get().saturating_add(latency));
    }

    /// Counts a TCP flow: how long it lived says nothing of its service.
    pub(crate) fn flow_ended(&self, ended: Ended) {
        add(&self.requests, 1);
        match ended {
            Ended::Served => {}
            Ended::Failed => add(&self.errors, 1),
            Ended::Refused(code) => {
                add(&self.refused, 1);
                *self.refused_by.borrow_mut().entry(code).or_default() += 1;
            }
        }
    }

    /// Where a flow counts its bytes as they pass: those from the client, and those to it.
    pub(crate) fn bytes(&self) -> (&Cell<u64>, &Cell<u64>) {
        (&self.bytes_from_client, &self.bytes_to_client)
    }

    pub(crate) fn passed(&self, bytes_from_client: u64, bytes_to_client: u64) {
        add(&self.bytes_from_client, bytes_from_client);
        add(&self.bytes_to_client, bytes_to_client);
    }

    /// What was counted, from zero again.
    fn take(&self) -> (Counts, Duration) {
        let counts = Counts {
            requests: self.requests.take(),
            errors: self.errors.take(),
            refused: self.refused.take(),
            refused_by: self.refused_by.take(),
            bytes_from_client: self.bytes_from_client.take(),
            bytes_to_client: self.bytes_to_client.take(),
            latency: Histogram::from_counts(self.latency.each_ref().map(Cell::take)),
        };
        (counts, self.latency_sum.take())
    }
}

fn add(cell: &Cell<u64>, more: u64) {
    cell.set(cell.get().saturating_add(more));
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;
