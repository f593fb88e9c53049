use super::*;

fn key(id: &str) -> SubscriberKey {
    SubscriberKey {
        cluster: "east".parse().expect("valid"),
        role: Role::Gateway,
        id: id.parse().expect("valid"),
    }
}

fn after(start: Instant, seconds: u64) -> Instant {
    start + Duration::from_secs(seconds)
}

#[test]
fn nobody_is_connected_beyond_the_lease() {
    let (observed, start) = (Observed::default(), Instant::now());
    observed.subscriber_opened(key("gw-1"), start);
    let state = |now| observed.report(now).subscribers[0].contact.state;
    assert_eq!(state(start), ContactState::Connected);
    assert_eq!(state(after(start, 7)), ContactState::Silent);
}

#[test]
fn an_old_stream_does_not_speak_for_a_part_that_came_back() {
    let (observed, start) = (Observed::default(), Instant::now());
    let old = observed.subscriber_opened(key("gw-1"), start);
    let new = observed.subscriber_opened(key("gw-1"), start);
    observed.subscriber_acked(&key("gw-1"), new, Revision::new(1, 7));
    observed.subscriber_acked(&key("gw-1"), old, Revision::new(1, 3));
    observed.subscriber_closed(&key("gw-1"), old);
    let report = observed.report(start);
    assert_eq!(report.subscribers[0].acked, Some(Revision::new(1, 7)));
    assert_eq!(report.subscribers[0].contact.state, ContactState::Connected);
}

#[test]
fn members_together_know_what_the_last_to_hear_knows() {
    let (here, there, start) = (Observed::default(), Observed::default(), Instant::now());
    let stream = here.subscriber_opened(key("gw-1"), start);
    here.subscriber_acked(&key("gw-1"), stream, Revision::new(1, 3));
    here.subscriber_closed(&key("gw-1"), stream);
    let stream = there.subscriber_opened(key("gw-1"), after(start, 1));
    there.subscriber_acked(&key("gw-1"), stream, Revision::new(1, 5));
    let now = after(start, 2);
    let merged = merge(&[here.report(now), there.report(now)]);
    assert_eq!(merged.subscribers.len(), 1);
    assert_eq!(merged.subscribers[0].acked, Some(Revision::new(1, 5)));
}

#[test]
fn convergence_counts_the_living_and_names_the_late() {
    let (observed, start) = (Observed::default(), Instant::now());
    let first = observed.subscriber_opened(key("gw-1"), start);
    let gone = observed.subscriber_opened(key("gw-2"), start);
    observed.subscriber_acked(&key("gw-1"), first, Revision::new(1, 5));
    observed.subscriber_closed(&key("gw-2"), gone);
    let at = |now, index| {
        let found = convergence(Revision::new(1, index), &observed.report(now).subscribers, vec![]);
        (found.acked, found.total, found.is_complete())
    };
    assert_eq!(at(after(start, 1), 5), (1, 2, false), "gw-2 may return within its lease");
    observed.subscriber_heard(&key("gw-1"), first, after(start, 7));
    assert_eq!(at(after(start, 8), 5), (1, 1, true), "gw-2 is given up");
    assert_eq!(at(after(start, 8), 6), (0, 1, false));
}
