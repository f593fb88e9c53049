//! What gateways reported in the last minutes, in bounded memory.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rialto_types::error::Code;
use rialto_types::limits;
use rialto_types::traffic::{BUCKETS, Counts, Entry, Histogram, Key, Link, Report};

use super::Gateway;

/// What is kept of one gateway is looked at this far back.
pub(super) const PAST: Duration =
    Duration::from_millis(limits::TRAFFIC_STEP.as_millis() as u64 * limits::TRAFFIC_STEPS as u64);

/// The figures of all gateways that report to one member.
#[derive(Debug, Clone)]
pub struct Rings {
    pub(super) origin: Instant,
    pub(super) rings: BTreeMap<Gateway, Ring>,
    keys: BTreeSet<Arc<Key>>,
    position: u64,
    swept: Instant,
}

/// One gateway's intervals, oldest first.
#[derive(Debug, Clone, Default)]
pub(super) struct Ring {
    pub(super) intervals: VecDeque<Arc<Interval>>,
    entries: usize,
}

/// Where the zero of a gateway's clock lies on ours, by epoch.
#[derive(Debug, Default)]
pub(super) struct Zeros(BTreeMap<u64, Instant>);

/// One report in the form in which it is kept.
#[derive(Debug)]
pub(super) struct Interval {
    position: u64,
    pub(super) epoch: u64,
    pub(super) end: Duration,
    /// Where the zero of the gateway's clock lies on ours if this report came without delay.
    zero: Instant,
    pub(super) span: Duration,
    pub(super) entries: Box<[Kept]>,
    pub(super) links: Box<[Link]>,
}

/// Counts without the empty buckets, which most are.
#[derive(Debug)]
pub(super) struct Kept {
    /// `None` for the rest that the gateway summed up.
    pub(super) key: Option<Arc<Key>>,
    pub(super) requests: u64,
    pub(super) errors: u64,
    pub(super) refused: u64,
    pub(super) refused_by: Box<[(Code, u64)]>,
    pub(super) bytes_from_client: u64,
    pub(super) bytes_to_client: u64,
    pub(super) latency: Box<[(u8, u64)]>,
}

/// A report as one member tells another: with an age, because clocks differ.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Told {
    pub gateway: Gateway,
    /// How long ago the interval ended.
    pub age: Duration,
    pub report: Report,
}

/// Some of what came after a position.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    pub told: Vec<Told>,
    /// Where to go on.
    pub position: u64,
    /// Whether there is more.
    pub more: bool,
}

/// Why a report was not kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    #[error("the report does not follow the gateway's last one")]
    OutOfOrder,
    #[error("the member keeps the figures of {} gateways already", limits::TRAFFIC_GATEWAYS_MAX)]
    TooManyGateways,
}

impl Rings {
    pub fn new(now: Instant) -> Self {
        Self { origin: now, rings: BTreeMap::new(), keys: BTreeSet::new(), position: 0, swept: now }
    }

    /// Takes a report that came at `now`.
    pub fn push(&mut self, gateway: Gateway, report: Report, now: Instant) -> Result<(), Refused> {
        self.insert(gateway, report, now, now)
    }

    /// Takes what another member told.
    pub fn take(&mut self, told: Told, now: Instant) -> Result<(), Refused> {
        let ended = now.checked_sub(told.age).unwrap_or(now);
        self.insert(told.gateway, told.report, ended, now)
    }

    /// What came after `position`, in the order in which it came, up to about so many bytes.
    pub fn since(&self, position: u64, bytes_max: usize, now: Instant) -> Page {
        let newer = self.rings.iter().flat_map(|(gateway, ring)| {
            let zeros = ring.zeros();
            let newer = ring.intervals.iter().rev();
            let newer = newer.take_while(|interval| interval.position > position);
            newer.map(move |held| (held.position, gateway, zeros.end_of(held), held))
        });
        let mut newer: Vec<_> = newer.collect();
        newer.sort_unstable_by_key(|(position, ..)| *position);
        let mut page = Page { told: Vec::new(), position, more: false };
        let mut bytes = 0;
        for (position, gateway, end, interval) in newer {
            if bytes >= bytes_max {
                page.more = true;
                break;
            }
            bytes += interval.bytes();
            page.position = position;
            let age = end.map(|end| now.saturating_duration_since(end)).unwrap_or_default();
            let (gateway, report) = (gateway.clone(), interval.to_report());
            page.told.push(Told { gateway, age, report });
        }
        if !page.more {
            page.position = self.position;
        }
        page
    }

    /// `ended`: a moment at which the interval was over.
    fn insert(
        &mut self,
        gateway: Gateway,
        report: Report,
        ended: Instant,
        now: Instant,
    ) -> Result<(), Refused> {
        if now.saturating_duration_since(self.swept) >= limits::TRAFFIC_STEP {
            self.sweep(now);
        }
        if !self.rings.contains_key(&gateway) && self.rings.len() >= limits::TRAFFIC_GATEWAYS_MAX {
            return Err(Refused::TooManyGateways);
        }
        let ring = self.rings.entry(gateway).or_default();
        let zero = ring.admit(report.epoch, Duration::from_millis(report.end_ms), ended)?;
        self.position += 1;
        ring.push(Interval::new(report, self.position, zero, &mut self.keys));
        while ring.entries > limits::TRAFFIC_RING_ENTRIES_MAX {
            ring.pop();
        }
        self.bound();
        Ok(())
    }

    /// Forgets what is older than any query looks at.
    fn sweep(&mut self, now: Instant) {
        self.swept = now;
        for ring in self.rings.values_mut() {
            let zeros = ring.zeros();
            let is_past = |interval: &Interval| {
                zeros.end_of(interval).is_none_or(|end| now.saturating_duration_since(end) > PAST)
            };
            while ring.intervals.front().is_some_and(|oldest| is_past(oldest)) {
                ring.pop();
            }
        }
        self.rings.retain(|_, ring| !ring.intervals.is_empty());
        self.keys.retain(|key| Arc::strong_count(key) > 1);
    }

    fn bound(&mut self) {
        let mut total: usize = self.rings.values().map(|ring| ring.entries).sum();
        while total > limits::TRAFFIC_MEMBER_ENTRIES_MAX {
            let Some(fullest) = self.rings.values_mut().max_by_key(|ring| ring.entries) else {
                return;
            };
            total -= fullest.pop();
        }
    }
}

impl Ring {
    /// Checks that an interval that ends at `end` of the gateway's clock follows what is held, and
    /// says where that clock's zero is if the interval was over only at `ended`.
    fn admit(&self, epoch: u64, end: Duration, ended: Instant) -> Result<Instant, Refused> {
        let follows = match self.intervals.back() {
            Some(last) if last.epoch == epoch => last.end < end,
            Some(_) => self.intervals.iter().all(|held| held.epoch != epoch),
            None => true,
        };
        if !follows {
            return Err(Refused::OutOfOrder);
        }
        ended.checked_sub(end).ok_or(Refused::OutOfOrder)
    }

    fn push(&mut self, interval: Interval) {
        self.entries += interval.entries.len();
        self.intervals.push_back(Arc::new(interval));
    }

    /// Drops the oldest interval; returns how many entries that gives back.
    fn pop(&mut self) -> usize {
        let Some(oldest) = self.intervals.pop_front() else { return 0 };
        self.entries -= oldest.entries.len();
        oldest.entries.len()
    }

    /// Of each numbering the least delayed report shows its clock best. Only those that are held
    /// are asked: over days two clocks drift apart.
    pub(super) fn zeros(&self) -> Zeros {
        let mut zeros = Zeros::default();
        for interval in &self.intervals {
            let zero = zeros.0.entry(interval.epoch).or_insert(interval.zero);
            *zero = interval.zero.min(*zero);
        }
        zeros
    }
}

impl Zeros {
    pub(super) fn end_of(&self, interval: &Interval) -> Option<Instant> {
        self.0.get(&interval.epoch)?.checked_add(interval.end)
    }
}

impl Interval {
    fn new(report: Report, position: u64, zero: Instant, keys: &mut BTreeSet<Arc<Key>>) -> Self {
        let mut entries: Vec<Kept> = Vec::with_capacity(report.entries.len() + 1);
        for Entry { key, counts } in report.entries {
            let key = match keys.get(&key) {
                Some(known) => Arc::clone(known),
                None => {
                    let key = Arc::new(key);
                    keys.insert(Arc::clone(&key));
                    key
                }
            };
            entries.push(Kept::new(Some(key), &counts));
        }
        if !report.other.is_empty() {
            entries.push(Kept::new(None, &report.other));
        }
        Self {
            position,
            epoch: report.epoch,
            end: Duration::from_millis(report.end_ms),
            zero,
            span: Duration::from_millis(report.span_ms),
            entries: entries.into(),
            links: report.links.into(),
        }
    }

    fn to_report(&self) -> Report {
        let mut report = Report {
            epoch: self.epoch,
            end_ms: millis(self.end),
            span_ms: millis(self.span),
            links: self.links.to_vec(),
            ..Report::default()
        };
        for kept in &self.entries {
            match &kept.key {
                Some(key) => {
                    report.entries.push(Entry { key: (**key).clone(), counts: kept.counts() });
                }
                None => report.other = kept.counts(),
            }
        }
        report
    }

    /// About the size of its JSON.
    fn bytes(&self) -> usize {
        100 + 300 * self.entries.len() + 130 * self.links.len()
    }
}

impl Kept {
    fn new(key: Option<Arc<Key>>, counts: &Counts) -> Self {
        let index = |bucket| u8::try_from(bucket).expect("fewer buckets than that");
        let latency = counts.latency.filled().map(|(bucket, count)| (index(bucket), count));
        Self {
            key,
            requests: counts.requests,
            errors: counts.errors,
            refused: counts.refused,
            refused_by: counts.refused_by.iter().map(|(code, count)| (*code, *count)).collect(),
            bytes_from_client: counts.bytes_from_client,
            bytes_to_client: counts.bytes_to_client,
            latency: latency.collect(),
        }
    }

    fn counts(&self) -> Counts {
        let mut latency = [0; BUCKETS];
        for (bucket, count) in &self.latency {
            latency[usize::from(*bucket)] = *count;
        }
        Counts {
            requests: self.requests,
            errors: self.errors,
            refused: self.refused,
            refused_by: self.refused_by.iter().copied().collect(),
            bytes_from_client: self.bytes_from_client,
            bytes_to_client: self.bytes_to_client,
            latency: Histogram::from_counts(latency),
        }
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
