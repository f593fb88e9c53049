use std::sync::Arc;

use rialto_types::report::Report;

use super::*;

const EPOCH: u64 = 7;

fn report(revision: u64) -> Numbered {
    let cluster = "east".parse().expect("a cluster name");
    Numbered { revision, report: Arc::new(Report::empty(cluster)) }
}

/// The base and the number of what is sent.
fn sent(next: Next) -> (Option<u64>, u64) {
    match next {
        Next::Send(change) => (change.base, change.revision),
        other @ (Next::Nothing | Next::Late) => panic!("nothing was sent: {other:?}"),
    }
}

fn open(position: (u64, u64)) -> Uplink {
    let mut uplink = Uplink::new(EPOCH);
    uplink.handle_position(position.0, position.1);
    uplink
}

#[test]
fn the_first_report_is_whole_and_the_next_a_change() {
    let now = Instant::now();
    let mut uplink = Uplink::new(EPOCH);
    assert_eq!(uplink.poll(Some(&report(1)), now), Next::Nothing, "not greeted yet");
    uplink.handle_position(0, 0);
    assert_eq!(uplink.poll(None, now), Next::Nothing, "no registry yet");
    assert_eq!(sent(uplink.poll(Some(&report(1)), now)), (None, 1));
    // What changes while it is under way waits, and goes as one.
    assert_eq!(uplink.poll(Some(&report(2)), now), Next::Nothing);
    assert_eq!(uplink.poll(Some(&report(3)), now), Next::Nothing);
    uplink.handle_committed(1);
    assert_eq!(sent(uplink.poll(Some(&report(3)), now)), (Some(1), 3));
    uplink.handle_committed(3);
    assert_eq!(uplink.poll(Some(&report(3)), now), Next::Nothing);
}

#[test]
fn a_session_is_resumed_where_it_broke() {
    let now = Instant::now();
    for (what, position, base) in [
        ("committed before the break", (EPOCH, 1), Some(1)),
        ("committed, the answer was lost", (EPOCH, 2), Some(2)),
        ("another agent's", (EPOCH + 1, 1), None),
        ("older than we know", (EPOCH, 0), None),
        ("newer than we are", (EPOCH, 9), None),
    ] {
        let mut uplink = open((0, 0));
        assert_eq!(sent(uplink.poll(Some(&report(1)), now)), (None, 1));
        uplink.handle_committed(1);
        assert_eq!(sent(uplink.poll(Some(&report(2)), now)), (Some(1), 2));
        uplink.handle_disconnected();
        assert_eq!(uplink.poll(Some(&report(3)), now), Next::Nothing, "{what}");
        uplink.handle_position(position.0, position.1);
        assert_eq!(sent(uplink.poll(Some(&report(3)), now)), (base, 3), "{what}");
    }
}

#[test]
fn a_gap_is_filled_with_everything() {
    let now = Instant::now();
    let mut uplink = open((0, 0));
    assert_eq!(sent(uplink.poll(Some(&report(1)), now)), (None, 1));
    uplink.handle_committed(1);
    assert_eq!(sent(uplink.poll(Some(&report(2)), now)), (Some(1), 2));
    uplink.handle_need_full();
    assert_eq!(sent(uplink.poll(Some(&report(2)), now)), (None, 2));
    // Late news of what is not under way changes nothing.
    uplink.handle_committed(1);
    assert_eq!(uplink.poll(Some(&report(2)), now), Next::Nothing);
}

#[test]
fn a_refused_report_waits_for_another_or_for_better_times() {
    let now = Instant::now();
    let mut uplink = open((0, 0));
    sent(uplink.poll(Some(&report(1)), now));
    uplink.handle_refused(false, now);
    let later = now + limits::RECONNECT_BACKOFF_MAX;
    assert_eq!(uplink.poll(Some(&report(1)), later), Next::Nothing);
    assert_eq!(sent(uplink.poll(Some(&report(2)), now)), (None, 2));
    uplink.handle_refused(true, now);
    assert_eq!(uplink.poll(Some(&report(2)), now), Next::Nothing);
    assert_eq!(sent(uplink.poll(Some(&report(2)), later)), (None, 2));
}

#[test]
fn a_report_that_is_never_decided_ends_the_session() {
    let now = Instant::now();
    let mut uplink = open((0, 0));
    sent(uplink.poll(Some(&report(1)), now));
    assert_eq!(uplink.poll(Some(&report(1)), now + limits::COMMIT_TIMEOUT), Next::Nothing);
    assert_eq!(uplink.poll(Some(&report(1)), now + 3 * limits::COMMIT_TIMEOUT), Next::Late);
}
