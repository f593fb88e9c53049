use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use proptest::prelude::*;
use rialto_types::error::Code;
use rialto_types::limits;
use rialto_types::traffic::{Counts, Entry, Gap, Histogram, Key, Link, Query, Report, Series};

use super::*;

const STEP: Duration = limits::TRAFFIC_STEP;

#[expect(clippy::disallowed_methods, reason = "a starting point; only differences count")]
fn some_time() -> Instant {
    Instant::now()
}

fn gateway(text: &str) -> Gateway {
    let (cluster, id) = text.split_once('/').expect("CLUSTER/ID");
    Gateway { cluster: cluster.parse().expect("valid"), id: id.parse().expect("valid") }
}

fn service(name: &str) -> ServiceName {
    format!("books/{name}").parse().expect("valid")
}

fn key(name: &str, to: &str) -> Key {
    let service = service(name);
    Key {
        backend: Some(service.clone()),
        service,
        cluster: Some(to.parse().expect("valid")),
        caller: None,
    }
}

fn counts(requests: u64, errors: u64) -> Counts {
    let mut latency = Histogram::default();
    for _ in 0..requests {
        latency.add(Duration::from_millis(10));
    }
    Counts { requests, errors, latency, bytes_to_client: 100 * requests, ..Counts::default() }
}

/// The report of the `number`th interval of a gateway that began to count at `epoch`.
fn report(epoch: u64, number: u32, entries: Vec<(Key, Counts)>) -> Report {
    let entries = entries.into_iter().map(|(key, counts)| Entry { key, counts }).collect();
    Report {
        epoch,
        end_ms: u64::from(number) * 2_000,
        span_ms: 2_000,
        entries,
        ..Report::default()
    }
}

/// A federation in which time passes in steps.
struct World {
    start: Instant,
    step: u32,
    rings: Rings,
    expected: BTreeSet<Gateway>,
    silent: Vec<Silent>,
}

impl World {
    fn new(expected: &[&str]) -> Self {
        let start = some_time();
        let expected = expected.iter().map(|text| gateway(text)).collect();
        Self { start, step: 0, rings: Rings::new(start), expected, silent: Vec::new() }
    }

    fn now(&self) -> Instant {
        self.start + STEP * self.step
    }

    /// A step passes, and these gateways report this many requests and errors to `west`.
    fn pass(&mut self, reports: &[(&str, u64, u64)]) {
        self.step += 1;
        for (from, requests, errors) in reports {
            let entries = if *requests > 0 {
                vec![(key("reviews", "west"), counts(*requests, *errors))]
            } else {
                Vec::new()
            };
            let report = report(1, self.step, entries);
            self.rings.push(gateway(from), report, self.now()).expect("in order");
        }
    }

    fn window(&self) -> Window {
        let rings = [&self.rings];
        let (expected, silent) = (self.expected.clone(), self.silent.clone());
        Window::merge(&Sources { rings: &rings, expected, silent }, self.now())
    }
}

/// The newest steps, oldest first; a dash is a gap.
fn newest(series: &Series, count: usize) -> String {
    let values = &series.requests_per_second;
    let text = values[values.len() - count..].iter().map(|value| match value {
        Some(value) => format!("{value:.1}"),
        None => "-".into(),
    });
    text.collect::<Vec<_>>().join(" ")
}

fn texts(gaps: &[Gap]) -> Vec<&str> {
    gaps.iter().map(|gap| gap.text.as_str()).collect()
}

#[test]
fn what_two_gateways_count_is_summed() {
    let mut world = World::new(&["east/one", "east/two"]);
    for _ in 0..20 {
        world.pass(&[("east/one", 10, 1), ("east/two", 30, 0)]);
    }
    let window = world.window();
    let rates = window.rates(limits::TRAFFIC_RATES_OVER, |_| true).expect("known");
    assert_eq!((rates.requests, rates.errors), (15 * 40, 15));
    assert!((rates.requests_per_second - 20.0).abs() < 1e-9);
    assert!((rates.error_share - 1.0 / 40.0).abs() < 1e-9);
    assert!((rates.bytes_per_second - 2_000.0).abs() < 1e-6);
    assert!((9.0..=12.8).contains(&rates.p95_ms.expect("requests")));
    assert_eq!(newest(&window.series(|_| true), 21), format!("-{}", " 20.0".repeat(20)));
    assert!(window.gaps().is_empty());
}

#[test]
fn refusals_are_told_by_reason_and_only_of_who_reports_at_present() {
    let mut world = World::new(&["east/one", "north/one"]);
    let refused = |denied, malformed| Counts {
        requests: denied + malformed,
        refused: denied + malformed,
        refused_by: BTreeMap::from([
            (Code::AccessDenied, denied),
            (Code::RequestMalformed, malformed),
        ]),
        ..Counts::default()
    };
    for step in 1..=20 {
        world.step += 1;
        let of_east = vec![(key("reviews", "west"), refused(4, 2))];
        let east = report(1, step, of_east);
        world.rings.push(gateway("east/one"), east, world.now()).expect("in order");
        if step <= 10 {
            let of_north = vec![(key("reviews", "west"), refused(100, 0))];
            let north = report(1, step, of_north);
            world.rings.push(gateway("north/one"), north, world.now()).expect("in order");
        }
    }
    let over = limits::TRAFFIC_RATES_OVER;
    let all = world.window().refusals_by(over, |flow| Some(flow.from.to_string()));
    let told: Vec<_> = all.into_iter().map(|((from, code), sums)| (from, code, sums)).collect();
    let expect = [
        ("east".to_string(), Code::AccessDenied, (60, 2.0)),
        ("east".to_string(), Code::RequestMalformed, (30, 1.0)),
    ];
    assert_eq!(told.len(), expect.len(), "{told:?}");
    for expected in expect {
        assert!(told.contains(&expected), "{told:?}");
    }
    // What one member holds, another gets whole.
    let page = world.rings.since(0, usize::MAX, world.now());
    let first = page.told[0].report.entries[0].counts.clone();
    assert_eq!(first, refused(4, 2));
}

#[test]
fn a_series_can_be_cut_to_its_last_part() {
    let mut world = World::new(&["east/one"]);
    for _ in 0..20 {
        world.pass(&[("east/one", 10, 0)]);
    }
    let series = world.window().series(|_| true);
    let last = series.clone().last(Duration::from_secs(5));
    assert_eq!(last.requests_per_second, series.requests_per_second[147..]);
    assert_eq!(last.p95_ms.len(), 3);
    assert_eq!(last.end_age_ms, series.end_age_ms);
    assert_eq!(series.clone().last(Duration::from_secs(3_600)), series);
}

#[test]
fn a_gateway_that_falls_silent_is_a_gap_and_not_zero() {
    let mut world = World::new(&["east/one", "north/one"]);
    for _ in 0..20 {
        world.pass(&[("east/one", 10, 0), ("north/one", 0, 0)]);
    }
    for _ in 0..5 {
        world.pass(&[("north/one", 0, 0)]);
    }
    let window = world.window();
    assert_eq!(window.rates(limits::TRAFFIC_RATES_OVER, |_| true), None);
    let all = window.rates_by(limits::TRAFFIC_RATES_OVER, |flow| Some(flow.from.clone()));
    assert_eq!(all.into_iter().collect::<Vec<_>>(), [("east".parse().expect("valid"), None)]);
    assert_eq!(newest(&window.series(|_| true), 7), "5.0 5.0 - - - - -");
    let gap = "gateway one of east has not reported its traffic for 10 s";
    assert_eq!(texts(window.gaps()), [gap]);
    assert_eq!(window.gaps()[0].silent_ms, Some(10_000));
    // What only north could carry is known to be nothing.
    let north = |flow: &Flow<'_>| flow.from.as_str() == "north";
    let rates = window.rates(limits::TRAFFIC_RATES_OVER, north).expect("north reports");
    assert_eq!(rates.requests, 0);
    assert_eq!(newest(&window.series(north), 2), "0.0 0.0");
}

#[test]
fn one_of_two_gateways_silent_leaves_a_sum_with_a_gap() {
    let mut world = World::new(&["east/one", "east/two"]);
    for _ in 0..20 {
        world.pass(&[("east/one", 10, 0), ("east/two", 10, 0)]);
    }
    for _ in 0..5 {
        world.pass(&[("east/two", 14, 0)]);
    }
    let window = world.window();
    let rates = window.rates(Duration::from_secs(10), |_| true).expect("two reports");
    assert!((rates.requests_per_second - 7.0).abs() < 1e-9);
    assert_eq!(newest(&window.series(|_| true), 6), "10.0 7.0 7.0 7.0 7.0 7.0");
    assert_eq!(window.gaps().len(), 1);
}

#[test]
fn a_gateway_that_was_removed_is_no_gap() {
    let mut world = World::new(&["east/two"]);
    for _ in 0..5 {
        world.pass(&[("east/one", 10, 0), ("east/two", 0, 0)]);
    }
    for _ in 0..5 {
        world.pass(&[("east/two", 0, 0)]);
    }
    let window = world.window();
    let rates = window.rates(Duration::from_secs(4), |_| true).expect("two reports");
    assert_eq!(rates.requests, 0);
    assert_eq!(newest(&window.series(|_| true), 6), "5.0 0.0 0.0 0.0 0.0 0.0");
    assert!(window.gaps().is_empty());
}

#[test]
fn nobody_heard_is_nothing_known() {
    let mut world = World::new(&["east/one"]);
    let since = Some(Duration::from_secs(9));
    world.silent = vec![Silent { member: "b".parse().expect("valid"), since }];
    let window = world.window();
    assert_eq!(window.rates(limits::TRAFFIC_RATES_OVER, |_| true), None);
    assert!(window.series(|_| true).requests_per_second.iter().all(Option::is_none));
    let gaps = [
        "member b has not answered for 9 s: what only it hears is missing",
        "gateway one of east has not reported its traffic",
    ];
    assert_eq!(texts(window.gaps()), gaps);
}

#[test]
fn a_restart_is_a_gap_between_two_numberings() {
    let mut world = World::new(&["east/one"]);
    for _ in 0..3 {
        world.pass(&[("east/one", 10, 0)]);
    }
    world.step += 3;
    for number in 1..=3 {
        world.step += 1;
        let report = report(2, number, vec![(key("reviews", "west"), counts(4, 0))]);
        world.rings.push(gateway("east/one"), report, world.now()).expect("a new numbering");
    }
    let window = world.window();
    assert_eq!(newest(&window.series(|_| true), 10), "- 5.0 5.0 5.0 - - - 2.0 2.0 2.0");
    let late = report(1, 9, Vec::new());
    let refused = world.rings.push(gateway("east/one"), late, world.now());
    assert_eq!(refused, Err(Refused::OutOfOrder));
}

#[test]
fn a_report_twice_or_late_is_refused() {
    let mut world = World::new(&[]);
    world.pass(&[("east/one", 10, 0)]);
    world.pass(&[("east/one", 10, 0)]);
    for number in [1, 2] {
        let again = report(1, number, Vec::new());
        let refused = world.rings.push(gateway("east/one"), again, world.now());
        assert_eq!(refused, Err(Refused::OutOfOrder));
    }
}

#[test]
fn five_minutes_are_kept_and_no_more() {
    let mut world = World::new(&["east/one"]);
    for _ in 0..400 {
        world.pass(&[("east/one", 2, 0)]);
    }
    let page = world.rings.since(0, usize::MAX, world.now());
    assert!((150..=152).contains(&page.told.len()), "{}", page.told.len());
    let series = world.window().series(|_| true);
    assert_eq!(series.requests_per_second.len(), limits::TRAFFIC_STEPS);
    assert!(series.requests_per_second.iter().all(|value| *value == Some(1.0)));
}

#[test]
fn beyond_the_bound_the_past_grows_shorter() {
    let start = some_time();
    let mut rings = Rings::new(start);
    let mut now = start;
    for number in 1..=150 {
        now = start + STEP * number;
        let entries = (0..1_024).map(|n| (key(&format!("s{n}"), "west"), counts(1, 0)));
        rings.push(gateway("east/one"), report(1, number, entries.collect()), now).expect("taken");
    }
    let page = rings.since(0, usize::MAX, now);
    assert_eq!(page.told.len(), limits::TRAFFIC_RING_ENTRIES_MAX / 1_024);
    assert_eq!(page.told.last().map(|told| told.report.end_ms), Some(300_000));
}

#[test]
fn a_clock_that_runs_slow_for_hours_makes_nobody_silent() {
    let mut world = World::new(&["east/one"]);
    for number in 1..=10_000_u64 {
        world.step += 1;
        // A thousandth too slow: ten of these 20,000 seconds are lost by the end.
        let slow = Report { end_ms: number * 1_998, ..report(1, 0, Vec::new()) };
        world.rings.push(gateway("east/one"), slow, world.now()).expect("in order");
    }
    let window = world.window();
    assert_eq!(texts(window.gaps()), Vec::<&str>::new());
    assert_eq!(newest(&window.series(|_| true), 3), "0.0 0.0 0.0");
}

#[test]
fn links_tell_round_trip_and_loss() {
    let mut world = World::new(&["east/one"]);
    let link = |sent, lost, connections| Link {
        cluster: "west".parse().expect("valid"),
        gateway: "far".parse().expect("valid"),
        connections,
        round_trip_us: 42_000,
        packets_sent: sent,
        packets_lost: lost,
    };
    for (sent, lost) in [(100, 0), (300, 4)] {
        world.step += 1;
        let report = Report { links: vec![link(sent, lost, 2)], ..report(1, world.step, vec![]) };
        world.rings.push(gateway("east/one"), report, world.now()).expect("in order");
    }
    let links = world.window().links(limits::TRAFFIC_RATES_OVER);
    let [link] = &links[..] else { panic!("{links:?}") };
    assert_eq!((link.to.as_str(), link.to_gateway.as_str()), ("west", "far"));
    assert_eq!((link.round_trip_ms, link.loss_share), (Some(42.0), Some(0.01)));
    assert!((link.packets_per_second - 100.0).abs() < 1e-9);
}

#[test]
fn an_answer_has_the_busiest_first_and_what_is_unknown_before() {
    let mut world = World::new(&["east/one", "north/one"]);
    let push = |world: &mut World, from: &str, entries| {
        let report = report(1, world.step, entries);
        world.rings.push(gateway(from), report, world.now()).expect("in order");
    };
    world.step += 1;
    push(&mut world, "north/one", vec![(key("ratings", "north"), counts(1, 1))]);
    for _ in 0..5 {
        world.step += 1;
        let entries =
            vec![(key("details", "east"), counts(2, 0)), (key("reviews", "west"), counts(8, 2))];
        push(&mut world, "east/one", entries);
    }
    let flows = |query: &Query| {
        let answer = world.window().answer(query, limits::TRAFFIC_RATES_OVER);
        let flows = answer.flows.iter().map(|flow| {
            let service = flow.service.as_ref().map(|service| service.name.to_string());
            let to = flow.to.as_ref().map(ToString::to_string);
            let requests = flow.rates.as_ref().map(|rates| (rates.requests, rates.errors));
            format!("{} {service:?} {to:?} {requests:?}", flow.from)
        });
        flows.collect::<Vec<_>>()
    };
    assert_eq!(
        flows(&Query::default()),
        [
            r#"north Some("ratings") Some("north") None"#,
            r#"east Some("reviews") Some("west") Some((40, 10))"#,
            r#"east Some("details") Some("east") Some((10, 0))"#,
        ]
    );
    let west = Query { to: Some("west".parse().expect("valid")), ..Query::default() };
    assert_eq!(flows(&west), [r#"east Some("reviews") Some("west") Some((40, 10))"#]);
    let details = Query { service: Some(service("details")), ..Query::default() };
    assert_eq!(flows(&details), [r#"east Some("details") Some("east") Some((10, 0))"#]);
}

proptest! {
    /// Reports come late by chance; what they say of the time before does not move.
    #[test]
    fn delays_on_the_way_move_nothing(delays in prop::collection::vec(0u64..1_900, 40)) {
        let start = some_time();
        let mut rings = Rings::new(start);
        let mut now = start;
        for (number, delay) in (1..).zip(&delays) {
            let delay = if number == 1 { 0 } else { *delay };
            now = now.max(start + STEP * number + Duration::from_millis(delay));
            let entries = vec![(key("reviews", "west"), counts(10, 0))];
            rings.push(gateway("east/one"), report(1, number, entries), now).expect("in order");
        }
        let sources = Sources {
            rings: &[&rings],
            expected: BTreeSet::from([gateway("east/one")]),
            silent: Vec::new(),
        };
        let series = Window::merge(&sources, now).series(|_| true);
        prop_assert_eq!(newest(&series, 38), vec!["5.0"; 38].join(" "));
    }

    /// A member that fetches pages of any size from two others knows what one would know alone.
    #[test]
    fn members_together_know_what_one_would(
        homes in prop::collection::vec(0usize..2, 30),
        bytes_max in 1usize..20_000,
    ) {
        let start = some_time();
        let mut alone = Rings::new(start);
        let mut members = [Rings::new(start), Rings::new(start)];
        let mut mirrors = [Rings::new(start), Rings::new(start)];
        let mut positions = [0, 0];
        let mut now = start;
        for (number, home) in (1..).zip(&homes) {
            now = start + STEP * number;
            let entries = vec![(key("reviews", "west"), counts(u64::from(number), 0))];
            let report = report(1, number, entries);
            alone.push(gateway("east/one"), report.clone(), now).expect("in order");
            members[*home].push(gateway("east/one"), report, now).expect("in order");
            for index in [0, 1] {
                let mut more = true;
                while more {
                    let page = members[index].since(positions[index], bytes_max, now);
                    positions[index] = page.position;
                    more = page.more;
                    for told in page.told {
                        mirrors[index].take(told, now).expect("in order");
                    }
                }
            }
        }
        let expected = BTreeSet::from([gateway("east/one")]);
        let window = |rings: &[&Rings]| {
            let sources = Sources { rings, expected: expected.clone(), silent: Vec::new() };
            let window = Window::merge(&sources, now);
            (window.series(|_| true), window.rates(limits::TRAFFIC_RATES_OVER, |_| true))
        };
        let [one, two] = &mirrors;
        prop_assert_eq!(window(&[one, two]), window(&[&alone]));
        // Who told both members the same is counted once.
        prop_assert_eq!(window(&[one, two, &alone]), window(&[&alone]));
    }

    /// Whatever the phase of a gateway against the grid, a series has every request once.
    #[test]
    fn a_series_has_every_request_once(
        phase in 0u64..2_000,
        requests in prop::collection::vec(0u64..50, 20),
    ) {
        let start = some_time();
        let mut rings = Rings::new(start);
        let mut now = start;
        // Idle intervals on both sides: no request lies in a step that is not wholly covered.
        let all = [&[0, 0][..], &requests, &[0, 0]].concat();
        for (number, requests) in (1..).zip(&all) {
            now = start + STEP * number + Duration::from_millis(phase);
            let entries = vec![(key("reviews", "west"), counts(*requests, 0))];
            rings.push(gateway("east/one"), report(1, number, entries), now).expect("in order");
        }
        let sources = Sources { rings: &[&rings], expected: BTreeSet::new(), silent: Vec::new() };
        let series = Window::merge(&sources, now).series(|_| true);
        let sum: f64 = series.requests_per_second.iter().flatten().map(|rate| rate * 2.0).sum();
        let true_sum: u64 = requests.iter().sum();
        // Each of the 150 rates is told to a thousandth.
        prop_assert!((sum - true_sum as f64).abs() < 150.0 * 2.0 * 0.0005, "{sum} for {true_sum}");
    }
}
