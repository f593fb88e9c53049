use super::*;

fn key(id: &str) -> SubscriberKey {
    SubscriberKey { cluster: east(), role: Role::Gateway, id: id.parse().expect("an instance id") }
}

fn east() -> ClusterName {
    "east".parse().expect("a cluster name")
}

#[expect(clippy::disallowed_methods, reason = "an Instant cannot be made up otherwise")]
fn start() -> Instant {
    Instant::now()
}

fn after(start: Instant, seconds: u64) -> Instant {
    start + Duration::from_secs(seconds)
}

#[test]
fn nobody_is_connected_beyond_the_lease() {
    let (mut heard, start) = (Heard::default(), start());
    heard.subscriber_opened(key("gw-1"), start);
    let state = |now| heard.report(None, now).subscribers[0].contact.state;
    assert_eq!(state(start), ContactState::Connected);
    assert_eq!(state(after(start, 7)), ContactState::Silent);
}

#[test]
fn who_is_silent_for_long_is_forgotten() {
    let (mut heard, start) = (Heard::default(), start());
    let stream = heard.subscriber_opened(key("gw-1"), start);
    heard.agent_opened(&east(), start);
    heard.subscriber_heard(&key("gw-1"), stream, after(start, 10));
    let shown = |now| {
        let report = heard.report(None, now);
        (report.subscribers.len(), report.agents.len())
    };
    let forgotten_s = limits::SILENT_FORGOTTEN.as_secs();
    assert_eq!(shown(after(start, forgotten_s - 1)), (1, 1));
    assert_eq!(shown(after(start, forgotten_s)), (1, 0), "the agent was never heard again");
    assert_eq!(shown(after(start, forgotten_s + 10)), (0, 0));
}

#[test]
fn an_old_stream_does_not_speak_for_a_part_that_came_back() {
    let (mut heard, start) = (Heard::default(), start());
    let old = heard.subscriber_opened(key("gw-1"), start);
    let new = heard.subscriber_opened(key("gw-1"), start);
    heard.subscriber_acked(&key("gw-1"), new, Revision::new(1, 7));
    heard.subscriber_acked(&key("gw-1"), old, Revision::new(1, 3));
    heard.subscriber_closed(&key("gw-1"), old);
    let report = heard.report(None, start);
    assert_eq!(report.subscribers[0].acked, Some(Revision::new(1, 7)));
    assert_eq!(report.subscribers[0].contact.state, ContactState::Connected);
}

#[test]
fn members_together_know_what_the_last_to_hear_knows() {
    let (mut here, mut there, start) = (Heard::default(), Heard::default(), start());
    let stream = here.subscriber_opened(key("gw-1"), start);
    here.subscriber_acked(&key("gw-1"), stream, Revision::new(1, 3));
    here.subscriber_closed(&key("gw-1"), stream);
    let stream = there.subscriber_opened(key("gw-1"), after(start, 1));
    there.subscriber_acked(&key("gw-1"), stream, Revision::new(1, 5));
    let now = after(start, 2);
    let reports = [here.report(None, now), there.report(None, now)];
    for reports in [reports.clone(), [reports[1].clone(), reports[0].clone()]] {
        let merged = merge(&reports);
        assert_eq!(merged.subscribers.len(), 1);
        assert_eq!(merged.subscribers[0].acked, Some(Revision::new(1, 5)));
        assert_eq!(merged.gateways_live(&east()), 1);
    }
}

#[test]
fn convergence_counts_the_living_and_names_the_late() {
    let (mut heard, start) = (Heard::default(), start());
    let first = heard.subscriber_opened(key("gw-1"), start);
    let gone = heard.subscriber_opened(key("gw-2"), start);
    heard.subscriber_acked(&key("gw-1"), first, Revision::new(1, 5));
    heard.subscriber_closed(&key("gw-2"), gone);
    let at = |heard: &Heard, now, index| {
        let subscribers = heard.report(None, now).subscribers;
        let found = convergence(Revision::new(1, index), &subscribers, vec![]);
        (found.acked, found.total, found.is_complete())
    };
    assert_eq!(at(&heard, after(start, 1), 5), (1, 2, false), "gw-2 may return within its lease");
    heard.subscriber_heard(&key("gw-1"), first, after(start, 7));
    assert_eq!(at(&heard, after(start, 8), 5), (1, 1, true), "gw-2 is given up");
    assert_eq!(at(&heard, after(start, 8), 6), (0, 1, false));
}

#[test]
fn an_agent_that_was_never_heard_is_unknown_and_says_no_health() {
    let (mut heard, start) = (Heard::default(), start());
    assert_eq!(heard.report(None, start).agent(&east()).state, ContactState::Unknown);
    let stream = heard.agent_opened(&east(), start);
    let summary = HealthSummary {
        service: "books/details".parse().expect("a service name"),
        port: 9080,
        healthy: 1,
        total: 2,
    };
    let counts = |heard: &Heard, now| {
        let inside = rialto_types::service::ServiceInCluster {
            exported: true,
            exported_by: None,
            endpoints: Vec::new(),
        };
        let mut status = ServiceStatus {
            dns_name: String::new(),
            ports: Vec::new(),
            not_carried: Vec::new(),
            headless: false,
            client_affinity: false,
            clusters: [(east(), inside)].into(),
            virtual_ips: BTreeMap::new(),
            conflicts: Vec::new(),
        };
        heard.report(None, now).add_health(&summary.service, &mut status);
        status.clusters[&east()].endpoints.clone()
    };
    assert_eq!(counts(&heard, start), []);
    heard.agent_health(&east(), stream, vec![summary.clone()], start);
    let told = EndpointCount { port: 9080, healthy: 1, total: 2, age_ms: 3_000 };
    assert_eq!(counts(&heard, after(start, 3)), [told]);
}

#[test]
fn a_member_that_does_not_answer_is_unknown() {
    let member = |raft_id, name: &str| Member {
        raft_id,
        name: name.parse().expect("an instance id"),
        address: format!("{name}:7600"),
    };
    let leads = MemberReport {
        raft_id: 1,
        role: MemberRole::Leader,
        term: 2,
        applied: 9,
        commit: 9,
        again_ms: None,
    };
    let lags = MemberReport {
        raft_id: 2,
        role: MemberRole::Follower,
        applied: 5,
        commit: 6,
        ..leads.clone()
    };
    let members = [member(1, "one"), member(2, "two"), member(3, "three")];
    let found = member_statuses(&members, &[leads, lags]);
    let short: Vec<_> =
        found.iter().map(|status| (status.role, status.state, status.lag)).collect();
    assert_eq!(
        short,
        [
            (MemberRole::Leader, ContactState::Connected, Some(0)),
            (MemberRole::Follower, ContactState::Connected, Some(4)),
            (MemberRole::Unknown, ContactState::Unknown, None),
        ]
    );
}

#[test]
fn a_member_that_started_again_cannot_count_everybody_for_a_lease() {
    let members = [Member {
        raft_id: 1,
        name: "one".parse().expect("an instance id"),
        address: "one:7600".into(),
    }];
    let start = start();
    let warnings = |heard: &Heard, now| {
        let member = MemberReport {
            raft_id: 1,
            role: MemberRole::Leader,
            term: 2,
            applied: 9,
            commit: 9,
            again_ms: heard.again_ms(now),
        };
        unsettled(&members, &[member])
    };
    let again = Heard::again(start);
    let text = warnings(&again, after(start, 2)).join("\n");
    assert!(text.starts_with("member one started again 2.0 s ago"), "{text}");
    let complete = |now| convergence(Revision::new(1, 1), &[], warnings(&again, now)).is_complete();
    assert!(!complete(after(start, 5)), "a gateway may be on its way back");
    assert!(complete(after(start, 6)), "who lives has reported again");
    assert_eq!(warnings(&Heard::default(), start), [""; 0], "nobody was heard before the first");
}

#[test]
fn what_an_agent_finds_is_told_with_its_age_and_how_far_its_clock_is_off() {
    use rialto_types::finding::FindingLevel;

    let (mut heard, start) = (Heard::default(), start());
    let told = |at: u64, count: usize| Examination {
        version: "0.0.0".into(),
        at: Timestamp::from_unix_ms(at),
        findings: vec![Finding::new("names", FindingLevel::Good, "x".repeat(5_000)); count],
    };
    let clock = Timestamp::from_unix_ms(100_000);
    let old = heard.agent_opened(&east(), start);
    heard.agent_examined(&east(), old, told(130_000, 1), clock, start);
    // Another session of the agent: what the last one said still counts, and it says no more.
    let new = heard.agent_opened(&east(), after(start, 1));
    heard.agent_examined(&east(), old, told(0, 0), clock, after(start, 2));
    let report = heard.report(None, after(start, 2));
    let examined = report.examined(&east()).expect("it was told");
    assert_eq!((examined.clock_ahead_ms, examined.age_ms), (30_000, 2_000));
    assert_eq!(examined.findings[0].text.len(), limits::FINDING_TEXT_CHARS_MAX);

    heard.agent_examined(&east(), new, told(40_000, 500), clock, after(start, 3));
    let report = heard.report(None, after(start, 3));
    let examined = report.examined(&east()).expect("it was told");
    assert_eq!((examined.clock_ahead_ms, examined.age_ms), (-60_000, 0));
    assert_eq!(examined.findings.len(), limits::FINDINGS_MAX);
}
