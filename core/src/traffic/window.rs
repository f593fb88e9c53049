//! The last five minutes of all gateways, as one member can tell them, and what is asked of them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rialto_types::error::Code;
use rialto_types::id::{ClusterName, InstanceId};
use rialto_types::limits;
use rialto_types::traffic::{
    BUCKETS, FlowRates, Gap, Link, LinkRates, Query, Rates, Series, Traffic, quantile_ms,
};

use super::ring::{Interval, Kept, PAST, Rings};
use super::tally::{Sum, Tally, share, to_thousandths};
use super::{Flow, Gateway};

/// From what a window is made.
#[derive(Debug)]
pub struct Sources<'a> {
    /// The asked member's own, and what the others told it.
    pub rings: &'a [&'a Rings],
    /// Gateways of the federation, as the clusters report them: each of them should report.
    pub expected: BTreeSet<Gateway>,
    /// Members that do not answer.
    pub silent: Vec<Silent>,
}

/// A member that does not answer, and for how long if it ever did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Silent {
    pub member: InstanceId,
    pub since: Option<Duration>,
}

/// The last five minutes, at one moment.
#[derive(Debug, Clone)]
pub struct Window {
    gateways: Vec<Counted>,
    gaps: Vec<Gap>,
    /// How long ago the last step ended: by then every gateway that reports at all has.
    end: Duration,
}

/// One gateway's part of the window.
#[derive(Debug, Clone)]
struct Counted {
    gateway: Gateway,
    /// Oldest first, without overlap.
    intervals: Vec<Placed>,
    is_expected: bool,
}

/// An interval, and how long ago it ended.
#[derive(Debug, Clone)]
struct Placed {
    age: Duration,
    interval: Arc<Interval>,
}

impl Window {
    /// What all members together know at `now`.
    pub fn merge(sources: &Sources<'_>, now: Instant) -> Self {
        let mut merged: BTreeMap<&Gateway, Vec<Placed>> = BTreeMap::new();
        for rings in sources.rings {
            for (gateway, ring) in &rings.rings {
                let zeros = ring.zeros();
                let placed = ring.intervals.iter().filter_map(|interval| {
                    let age = now.saturating_duration_since(zeros.end_of(interval)?);
                    (age < PAST).then(|| Placed { age, interval: Arc::clone(interval) })
                });
                merged.entry(gateway).or_default().extend(placed);
            }
        }
        let mut gateways = Vec::with_capacity(merged.len());
        for (gateway, mut intervals) in merged {
            intervals.sort_by_key(|placed| std::cmp::Reverse(placed.age));
            // A gateway that went from one member to another may have told both the same.
            let mut seen = BTreeSet::new();
            intervals.retain(|placed| seen.insert((placed.interval.epoch, placed.interval.end)));
            let is_expected = sources.expected.contains(gateway);
            if !intervals.is_empty() {
                gateways.push(Counted { gateway: gateway.clone(), intervals, is_expected });
            }
        }
        let lag = gateways.iter().filter(|counted| counted.is_current()).map(Counted::age).max();
        let gaps = gaps(sources, &gateways);
        let origin = sources.rings.iter().map(|rings| rings.origin).min().unwrap_or(now);
        let end = end_of_last_step(now.saturating_duration_since(origin), lag.unwrap_or_default());
        Self { gateways, gaps, end }
    }

    /// Who did not tell what it knows.
    pub fn gaps(&self) -> &[Gap] {
        &self.gaps
    }

    /// Rates of the flows chosen, of gateways that report at present. `None` if there are none, or
    /// if only gateways that are silent carried such flows; zero is a true zero.
    pub fn rates(&self, over: Duration, of: impl Fn(&Flow<'_>) -> bool) -> Option<Rates> {
        let mut all = self.rates_by(over, |flow| of(flow).then_some(()));
        match all.remove(&()) {
            Some(rates) => rates,
            None => self.is_heard().then(Rates::default),
        }
    }

    /// The same for many at once, by any key. A key without rates was carried only by gateways that
    /// are silent; a key that is absent was not seen.
    pub fn rates_by<K: Ord>(
        &self,
        over: Duration,
        key: impl Fn(&Flow<'_>) -> Option<K>,
    ) -> BTreeMap<K, Option<Rates>> {
        let mut sums: BTreeMap<K, Sum> = BTreeMap::new();
        for counted in self.gateways.iter().filter(|counted| counted.is_current()) {
            let mut tallies: BTreeMap<K, Tally> = BTreeMap::new();
            let mut covered = Duration::ZERO;
            for placed in counted.within(over) {
                covered += placed.interval.span;
                for kept in &placed.interval.entries {
                    if let Some(key) = key(&counted.flow(kept)) {
                        tallies.entry(key).or_default().add(kept);
                    }
                }
            }
            for (key, tally) in tallies {
                sums.entry(key).or_default().add(&tally, covered);
            }
        }
        let mut all: BTreeMap<K, Option<Rates>> = BTreeMap::new();
        for counted in self.gateways.iter().filter(|counted| counted.is_missed()) {
            let kept = counted.intervals.iter().flat_map(|placed| &placed.interval.entries);
            for key in kept.filter_map(|kept| key(&counted.flow(kept))) {
                all.entry(key).or_insert(None);
            }
        }
        let known = sums.into_iter().filter(|(_, sum)| !sum.is_empty());
        all.extend(known.map(|(key, sum)| (key, Some(sum.rates()))));
        all
    }

    /// What was refused and why, by any key and code, of gateways that report at present: how much,
    /// and how much a second.
    pub fn refusals_by<K: Ord>(
        &self,
        over: Duration,
        key: impl Fn(&Flow<'_>) -> Option<K>,
    ) -> BTreeMap<(K, Code), (u64, f64)> {
        let mut all: BTreeMap<(K, Code), (u64, f64)> = BTreeMap::new();
        for counted in self.gateways.iter().filter(|counted| counted.is_current()) {
            let mut sums: BTreeMap<(K, Code), u64> = BTreeMap::new();
            let mut covered = Duration::ZERO;
            for placed in counted.within(over) {
                covered += placed.interval.span;
                for kept in &placed.interval.entries {
                    for (code, count) in &kept.refused_by {
                        let Some(key) = key(&counted.flow(kept)) else { continue };
                        let sum = sums.entry((key, *code)).or_default();
                        *sum = sum.saturating_add(*count);
                    }
                }
            }
            let seconds = covered.as_secs_f64().max(f64::MIN_POSITIVE);
            for (key, sum) in sums {
                let (count, per_second) = all.entry(key).or_default();
                *count = count.saturating_add(sum);
                *per_second += sum as f64 / seconds;
            }
        }
        all
    }

    /// The last five minutes of the flows chosen, in equal steps.
    pub fn series(&self, of: impl Fn(&Flow<'_>) -> bool) -> Series {
        let mut steps = vec![Step::default(); limits::TRAFFIC_STEPS];
        for counted in &self.gateways {
            counted.fill(&mut steps, self.end, &of);
        }
        let mut series = Series {
            step_ms: millis(limits::TRAFFIC_STEP),
            end_age_ms: millis(self.end),
            ..Series::default()
        };
        for step in steps.iter().rev() {
            let is_known = step.is_known();
            let told = |rate| is_known.then(|| to_thousandths(rate));
            series.requests_per_second.push(told(step.requests_per_second));
            series.errors_per_second.push(told(step.errors_per_second));
            let p95 = is_known.then(|| quantile_ms(&step.latency, 0.95)).flatten();
            series.p95_ms.push(p95.map(to_thousandths));
        }
        series
    }

    /// The ways between gateways, as those at their near ends that report at present measure them.
    pub fn links(&self, over: Duration) -> Vec<LinkRates> {
        let current = self.gateways.iter().filter(|counted| counted.is_current());
        current.flat_map(|counted| counted.links(over)).collect()
    }

    /// What the API answers, with rates of the time that the query was found to ask for: the
    /// busiest flows first.
    pub fn answer(&self, query: &Query, over: Duration) -> Traffic {
        let fits = |asked: Option<&ClusterName>, is: Option<&ClusterName>| {
            asked.is_none_or(|asked| Some(asked) == is)
        };
        let of = |flow: &Flow<'_>| {
            fits(query.from.as_ref(), Some(flow.from))
                && fits(query.to.as_ref(), flow.to)
                && query.service.as_ref().is_none_or(|service| Some(service) == flow.service)
        };
        let all = self.rates_by(over, |flow| {
            of(flow).then(|| (flow.from.clone(), flow.service.cloned(), flow.to.cloned()))
        });
        let mut flows: Vec<FlowRates> = all
            .into_iter()
            .map(|((from, service, to), rates)| FlowRates { from, service, to, rates })
            .collect();
        // What is not known comes first: it may be what matters.
        let rank = |flow: &FlowRates| flow.rates.as_ref().map_or(u64::MAX, |rates| rates.requests);
        flows.sort_by_key(|flow| std::cmp::Reverse(rank(flow)));
        let omitted = flows.len().saturating_sub(limits::TRAFFIC_FLOWS_MAX);
        flows.truncate(limits::TRAFFIC_FLOWS_MAX);
        let links = self.links(over).into_iter().filter(|link| {
            fits(query.from.as_ref(), Some(&link.from)) && fits(query.to.as_ref(), Some(&link.to))
        });
        Traffic {
            over_ms: millis(over),
            total: self.rates(over, of),
            flows,
            omitted: omitted as u64,
            series: self.series(of),
            links: links.collect(),
            gaps: self.gaps.clone(),
        }
    }

    /// Whether any gateway reports at present.
    fn is_heard(&self) -> bool {
        self.gateways.iter().any(Counted::is_current)
    }
}

impl Counted {
    /// How long ago the last interval ended.
    fn age(&self) -> Duration {
        self.intervals.last().map_or(PAST, |placed| placed.age)
    }

    fn is_current(&self) -> bool {
        self.age() <= limits::TRAFFIC_SILENCE
    }

    /// Whether it should report and does not.
    fn is_missed(&self) -> bool {
        self.is_expected && !self.is_current()
    }

    fn within(&self, over: Duration) -> impl Iterator<Item = &Placed> {
        self.intervals.iter().rev().take_while(move |placed| placed.age < over)
    }

    fn flow<'a>(&'a self, kept: &'a Kept) -> Flow<'a> {
        let key = kept.key.as_deref();
        Flow {
            from: &self.gateway.cluster,
            gateway: &self.gateway.id,
            service: key.map(|key| &key.service),
            backend: key.and_then(|key| key.backend.as_ref()),
            to: key.and_then(|key| key.cluster.as_ref()),
            caller: key.and_then(|key| key.caller.as_ref()),
        }
    }

    /// Adds this gateway's part to each step, the newest first in `steps`.
    fn fill(&self, steps: &mut [Step], end: Duration, of: &impl Fn(&Flow<'_>) -> bool) {
        let mut covered = vec![0.0; steps.len()];
        let mut parts: Vec<(usize, f64, usize)> = Vec::with_capacity(2 * self.intervals.len());
        for (index, placed) in self.intervals.iter().enumerate() {
            for (step, seconds) in placed.overlaps(end, steps.len()) {
                covered[step] += seconds;
                parts.push((step, seconds, index));
            }
        }
        let tallies: Vec<Option<Tally>> =
            self.intervals.iter().map(|placed| self.tally(placed, of)).collect();
        let carries = tallies.iter().any(Option::is_some);
        let half = limits::TRAFFIC_STEP.as_secs_f64() / 2.0;
        for (number, step) in steps.iter_mut().enumerate() {
            let is_covered = covered[number] >= half;
            let newest = end + limits::TRAFFIC_STEP.mul_f64(number as f64);
            // One that is gone on purpose carries nothing any more.
            let is_over = !self.is_expected && newest < self.age();
            step.is_covered |= is_covered;
            step.carriers += u32::from(carries && is_covered);
            step.missing |= carries && !is_covered && !is_over;
        }
        for (step, seconds, index) in parts {
            if let Some(tally) = &tallies[index]
                && covered[step] >= half
            {
                let share = seconds / self.intervals[index].interval.span.as_secs_f64();
                steps[step].add(tally, share, covered[step]);
            }
        }
    }

    fn tally(&self, placed: &Placed, of: &impl Fn(&Flow<'_>) -> bool) -> Option<Tally> {
        let mut tally: Option<Tally> = None;
        for kept in placed.interval.entries.iter().filter(|kept| of(&self.flow(kept))) {
            tally.get_or_insert_default().add(kept);
        }
        tally
    }

    fn links(&self, over: Duration) -> Vec<LinkRates> {
        let mut packets: BTreeMap<(&ClusterName, &InstanceId), (u64, u64)> = BTreeMap::new();
        let mut covered = Duration::ZERO;
        for placed in self.within(over) {
            covered += placed.interval.span;
            for link in &placed.interval.links {
                let (sent, lost) = packets.entry((&link.cluster, &link.gateway)).or_default();
                *sent = sent.saturating_add(link.packets_sent);
                *lost = lost.saturating_add(link.packets_lost);
            }
        }
        let Some(last) = self.intervals.last() else { return Vec::new() };
        let rates = |link: &Link| {
            let (sent, lost) = packets
                .get(&(&link.cluster, &link.gateway))
                .copied()
                .unwrap_or((link.packets_sent, link.packets_lost));
            let is_up = link.connections > 0;
            LinkRates {
                from: self.gateway.cluster.clone(),
                from_gateway: self.gateway.id.clone(),
                to: link.cluster.clone(),
                to_gateway: link.gateway.clone(),
                connections: link.connections,
                round_trip_ms: is_up.then_some(link.round_trip_us as f64 / 1_000.0),
                loss_share: (sent > 0).then(|| share((lost as f64 / sent as f64).min(1.0))),
                packets_per_second: to_thousandths(sent as f64 / covered.as_secs_f64().max(0.001)),
                age_ms: millis(last.age),
            }
        };
        last.interval.links.iter().map(rates).collect()
    }
}

impl Placed {
    /// The steps in which the interval lies, the newest being 0, and for how many seconds.
    fn overlaps(&self, end: Duration, count: usize) -> impl Iterator<Item = (usize, f64)> {
        let step = limits::TRAFFIC_STEP.as_secs_f64();
        // Ages relative to the end of the last step; what is newer lies below zero.
        let newest = self.age.as_secs_f64() - end.as_secs_f64();
        let oldest = newest + self.interval.span.as_secs_f64();
        let first = (newest.max(0.0) / step) as usize;
        let last = if oldest <= 0.0 { 0 } else { (oldest / step).ceil() as usize };
        (first..last.min(count)).filter_map(move |number| {
            let (from, to) = (number as f64 * step, (number + 1) as f64 * step);
            let seconds = oldest.min(to) - newest.max(from);
            (seconds > 0.0).then_some((number, seconds))
        })
    }
}

/// One step of a series, of all gateways.
#[derive(Debug, Clone)]
struct Step {
    requests_per_second: f64,
    errors_per_second: f64,
    latency: [f64; BUCKETS],
    /// Whether any gateway reported.
    is_covered: bool,
    /// Gateways that carry the flows asked for and reported.
    carriers: u32,
    /// Whether one that carries them did not.
    missing: bool,
}

impl Default for Step {
    fn default() -> Self {
        Self {
            requests_per_second: 0.0,
            errors_per_second: 0.0,
            latency: [0.0; BUCKETS],
            is_covered: false,
            carriers: 0,
            missing: false,
        }
    }
}

impl Step {
    fn add(&mut self, tally: &Tally, share: f64, covered_seconds: f64) {
        self.requests_per_second += share * tally.requests() / covered_seconds;
        self.errors_per_second += share * tally.errors() / covered_seconds;
        tally.add_latency(share, &mut self.latency);
    }

    fn is_known(&self) -> bool {
        self.is_covered && (self.carriers > 0 || !self.missing)
    }
}

/// Steps lie on a fixed grid, so that a point that was shown does not move.
fn end_of_last_step(since_origin: Duration, lag: Duration) -> Duration {
    let step = millis(limits::TRAFFIC_STEP);
    let at = millis(since_origin.saturating_sub(lag));
    let end = at / step * step;
    Duration::from_millis(millis(since_origin).saturating_sub(end))
}

fn gaps(sources: &Sources<'_>, gateways: &[Counted]) -> Vec<Gap> {
    let mut gaps = Vec::new();
    for Silent { member, since } in &sources.silent {
        let long = since.map_or_else(String::new, |since| format!(" for {} s", since.as_secs()));
        gaps.push(Gap {
            member: Some(member.clone()),
            cluster: None,
            gateway: None,
            silent_ms: since.map(millis),
            text: format!("member {member} has not answered{long}: what only it hears is missing"),
        });
    }
    for expected in &sources.expected {
        let found = gateways.binary_search_by(|counted| counted.gateway.cmp(expected));
        let age = found.ok().map(|index| gateways[index].age());
        if age.is_some_and(|age| age <= limits::TRAFFIC_SILENCE) {
            continue;
        }
        let Gateway { cluster, id } = expected;
        let silent_ms = age.map(millis);
        let long = age.map_or_else(String::new, |age| format!(" for {} s", age.as_secs()));
        let text = format!("gateway {id} of {cluster} has not reported its traffic{long}");
        gaps.push(Gap {
            member: None,
            cluster: Some(cluster.clone()),
            gateway: Some(id.clone()),
            silent_ms,
            text,
        });
    }
    gaps
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
