use rialto_types::traffic::{Counts, Entry, Key};

use super::*;

fn gateway() -> Gateway {
    Gateway { cluster: "east".parse().expect("valid"), id: "one".parse().expect("valid") }
}

fn report(number: u64) -> Report {
    let key = Key {
        service: "books/reviews".parse().expect("valid"),
        backend: None,
        cluster: None,
        caller: None,
    };
    let counts = Counts { requests: number, ..Counts::default() };
    let entries = vec![Entry { key, counts }];
    Report { epoch: 1, end_ms: 2_000 * number, span_ms: 2_000, entries, ..Report::default() }
}

fn mirror() -> Mirror {
    Mirror {
        name: "b".parse().expect("valid"),
        rings: Rings::new(Instant::now()),
        epoch: 0,
        position: 0,
        answered: None,
        is_silent: true,
    }
}

fn requests(rings: &Rings, now: Instant) -> Vec<u64> {
    let told = rings.since(0, usize::MAX, now).told;
    told.iter().map(|told| told.report.entries[0].counts.requests).collect()
}

#[test]
fn a_mirror_takes_what_is_new_and_starts_anew_with_a_member_that_does() {
    let start = Instant::now();
    let at = |number: u32| start + limits::TRAFFIC_STEP * number;
    let traffic = Traffic { epoch: 10, ..Traffic::new() };
    let mut mirror = mirror();
    for number in 1..=3 {
        let now = at(number);
        traffic.push(gateway(), &report(number.into()).to_json(), now).expect("in order");
        let request = TrafficRequest { epoch: mirror.epoch, position: mirror.position };
        let reply = traffic.since(&request, now);
        assert_eq!(reply.intervals.len(), 1, "only what is new");
        mirror.take(reply, now);
    }
    assert_eq!(requests(&mirror.rings, at(3)), [1, 2, 3]);
    assert!(!mirror.is_silent);

    // It restarts: its numbering begins anew, what was mirrored stays.
    let traffic = Traffic { epoch: 11, ..Traffic::new() };
    for number in 3..=4 {
        traffic.push(gateway(), &report(number).to_json(), at(4)).expect("in order");
    }
    let request = TrafficRequest { epoch: mirror.epoch, position: mirror.position };
    mirror.take(traffic.since(&request, at(4)), at(4));
    assert_eq!(requests(&mirror.rings, at(4)), [1, 2, 3, 4]);
}

#[test]
fn what_is_no_report_is_not_kept() {
    let traffic = Traffic::new();
    let now = Instant::now();
    let refused = traffic.push(gateway(), b"{}", now);
    assert!(matches!(refused, Err(PushError::Invalid(_))));
    traffic.push(gateway(), &report(1).to_json(), now).expect("valid");
    let again = traffic.push(gateway(), &report(1).to_json(), now);
    assert!(matches!(again, Err(PushError::Refused(Refused::OutOfOrder))));
}

#[test]
fn a_silent_member_is_named() {
    let traffic = Traffic::new();
    let now = Instant::now();
    let member = MemberId::new(2).expect("not zero");
    lock(&traffic.mirrors).insert(member, mirror());
    let window = traffic.window(BTreeSet::new(), now);
    let gaps: Vec<_> = window.gaps().iter().map(|gap| gap.text.as_str()).collect();
    assert_eq!(gaps, ["member b has not answered: what only it hears is missing"]);
}
