use rialto_types::id::InstanceId;
use rialto_types::limits;
use tokio_util::task::AbortOnDropHandle;

use super::*;
use crate::tunnel::ConnectionStats;

fn service(name: &str) -> ServiceName {
    format!("books/{name}").parse().expect("valid")
}

fn west() -> ClusterName {
    "west".parse().expect("valid")
}

fn count(traffic: &Traffic, name: &str, ended: Ended, latency_ms: u64) {
    let (service, cluster) = (service(name), west());
    let between = Between {
        service: &service,
        backend: Some(&service),
        cluster: Some(&cluster),
        caller: None,
    };
    let counter = traffic.counter(&between);
    counter.request_ended(ended, Duration::from_millis(latency_ms));
    counter.passed(1, 10);
}

fn report(traffic: &Traffic, after: Duration) -> Report {
    traffic.report(&[], &Totals::default(), traffic.began + after)
}

/// Service, requests, errors, refused, bytes to the client; sorted.
fn rows(report: &Report) -> Vec<(String, u64, u64, u64, u64)> {
    let mut rows: Vec<_> = report
        .entries
        .iter()
        .map(|Entry { key, counts }| {
            let Counts { requests, errors, refused, bytes_to_client, .. } = *counts;
            (key.service.name.to_string(), requests, errors, refused, bytes_to_client)
        })
        .collect();
    rows.sort();
    rows
}

#[test]
fn a_report_has_what_came_since_the_last_one() {
    let traffic = Traffic::new();
    count(&traffic, "reviews", Ended::Served, 3);
    count(&traffic, "reviews", Ended::Failed, 3);
    count(&traffic, "details", Ended::Refused(Code::AccessDenied), 3);
    let first = report(&traffic, Duration::from_secs(2));
    let expect = [("details".to_owned(), 1, 0, 1, 10), ("reviews".to_owned(), 2, 1, 0, 20)];
    assert_eq!(rows(&first), expect);
    assert_eq!((first.end_ms, first.span_ms), (2_000, 2_000));
    let reviews = first.entries.iter().find(|entry| entry.counts.requests == 2).expect("there");
    assert_eq!(reviews.counts.latency.count(), 2);
    let details = first.entries.iter().find(|entry| entry.counts.refused == 1).expect("there");
    assert_eq!(details.counts.refused_by, BTreeMap::from([(Code::AccessDenied, 1)]));
    assert_eq!(Report::parse(&first.to_json()).expect("valid"), first);

    count(&traffic, "reviews", Ended::Served, 3);
    let second = report(&traffic, Duration::from_millis(4_700));
    assert_eq!(rows(&second), [("reviews".to_owned(), 1, 0, 0, 10)]);
    assert_eq!((second.end_ms, second.span_ms), (4_700, 2_700));
    assert_eq!(rows(&report(&traffic, Duration::from_secs(6))), []);
    assert_eq!(traffic.count.get(), 0, "what nobody uses any more is given up");
}

#[test]
fn the_same_traffic_has_the_same_counter() {
    let traffic = Traffic::new();
    let service = service("reviews");
    let between = Between { service: &service, backend: None, cluster: None, caller: None };
    let one = traffic.counter(&between);
    assert!(Rc::ptr_eq(&one, &traffic.counter(&between)));
    let cluster = west();
    let other = Between { cluster: Some(&cluster), ..between };
    assert!(!Rc::ptr_eq(&one, &traffic.counter(&other)));
    // A flow that holds it may go on counting.
    report(&traffic, Duration::from_secs(2));
    assert!(Rc::ptr_eq(&one, &traffic.counter(&between)));
}

#[test]
fn beyond_the_bound_traffic_is_summed_up() {
    let traffic = Traffic::new();
    for number in 0..limits::TRAFFIC_ENTRIES_MAX + 3 {
        count(&traffic, &format!("s{number}"), Ended::Served, 3);
    }
    let report = report(&traffic, Duration::from_secs(2));
    assert_eq!(report.entries.len(), limits::TRAFFIC_ENTRIES_MAX);
    assert_eq!((report.other.requests, report.other.bytes_to_client), (3, 30));
    Report::parse(&report.to_json()).expect("within the bounds of a report");
}

#[test]
fn codes_of_the_callers_side_are_no_errors() {
    for code in [Code::AccessDenied, Code::NotExported, Code::RequestMalformed] {
        assert_eq!(Ended::of(code), Ended::Refused(code), "{code}");
    }
    for code in [Code::NoHealthyEndpoint, Code::UpstreamFailed, Code::UpstreamTimeout] {
        assert_eq!(Ended::of(code), Ended::Failed, "{code}");
    }
}

#[test]
fn links_have_the_packets_of_the_interval() {
    let traffic = Traffic::new();
    let (one, two) = (ConnectionId::next(), ConnectionId::next());
    let connection = |connection, round_trip_ms, packets_sent, packets_lost| MemberReport {
        peer: PeerId { cluster: west(), gateway: "far".parse().expect("valid") },
        connection,
        address: ([127, 0, 0, 1], 1).into(),
        dialled: true,
        retired: false,
        streams: 0,
        silence: Duration::ZERO,
        stats: ConnectionStats {
            round_trip: Duration::from_millis(round_trip_ms),
            packets_sent,
            packets_lost,
            ..ConnectionStats::default()
        },
    };
    let links = |connections: &[MemberReport], seconds| {
        let now = traffic.began + Duration::from_secs(seconds);
        traffic.report(connections, &Totals::default(), now).links
    };
    let link = |connections, round_trip_us, packets_sent, packets_lost| Link {
        cluster: west(),
        gateway: InstanceId::try_from("far".to_owned()).expect("valid"),
        connections,
        round_trip_us,
        packets_sent,
        packets_lost,
    };
    let first = [connection(one, 40, 100, 1), connection(two, 42, 50, 0)];
    assert_eq!(links(&first, 2), [link(2, 40_000, 150, 1)]);
    // The first connection is gone: its packets are not taken back.
    assert_eq!(links(&[connection(two, 44, 80, 2)], 4), [link(1, 44_000, 30, 2)]);
    assert_eq!(links(&[], 6), []);
}

#[test]
fn totals_show_counters_and_a_histogram() {
    let traffic = Traffic::new();
    let totals = std::sync::Arc::new(Totals::default());
    count(&traffic, "reviews", Ended::Served, 3);
    count(&traffic, "reviews", Ended::Failed, 90);
    for seconds in [2, 4] {
        traffic.report(&[], &totals, traffic.began + Duration::from_secs(seconds));
    }
    let mut registry = prometheus_client::registry::Registry::default();
    registry.register_collector(Box::new(std::sync::Arc::clone(&totals)));
    let text = rialto_wire::admin::encode_metrics(&registry);
    let labels = r#"service="books/reviews",backend="books/reviews",cluster="west""#;
    for line in [
        format!("requests_total{{{labels},result=\"ok\"}} 1"),
        format!("requests_total{{{labels},result=\"error\"}} 1"),
        format!("requests_total{{{labels},result=\"refused\"}} 0"),
        format!("request_duration_seconds_sum{{{labels}}} 0.093"),
        format!("request_duration_seconds_count{{{labels}}} 2"),
        format!("request_duration_seconds_bucket{{le=\"0.0016\",{labels}}} 0"),
        format!("request_duration_seconds_bucket{{le=\"0.0032\",{labels}}} 1"),
        format!("request_duration_seconds_bucket{{le=\"+Inf\",{labels}}} 2"),
    ] {
        assert!(text.lines().any(|found| found == line), "no `{line}` in:\n{text}");
    }
}

#[test]
fn metrics_have_a_bounded_number_of_series() {
    let (traffic, totals) = (Traffic::new(), Totals::default());
    for number in 0..limits::TRAFFIC_METRICS_MAX + 5 {
        count(&traffic, &format!("s{number}"), Ended::Served, 3);
    }
    traffic.report(&[], &totals, traffic.began + Duration::from_secs(2));
    assert_eq!(totals.series(), limits::TRAFFIC_METRICS_MAX + 1, "the rest is one more");
}

#[tokio::test]
async fn reports_wait_for_the_bridge_and_the_oldest_gives_way() {
    let outbox = Rc::new(Outbox::default());
    let numbered = |end_ms| Report { end_ms, ..Report::default() };
    for number in 0..limits::TRAFFIC_REPORTS_WAITING_MAX as u64 + 2 {
        outbox.put(numbered(number));
    }
    for number in 2..limits::TRAFFIC_REPORTS_WAITING_MAX as u64 + 2 {
        assert_eq!(outbox.take().await.end_ms, number);
    }
    let local = tokio::task::LocalSet::new();
    local
        .run_until(async {
            let waiting = Rc::clone(&outbox);
            let taken = tokio::task::spawn_local(async move { waiting.take().await });
            let taken = AbortOnDropHandle::new(taken);
            tokio::task::yield_now().await;
            outbox.put(numbered(77));
            assert_eq!(taken.await.expect("no panic").end_ms, 77);
        })
        .await;
}
