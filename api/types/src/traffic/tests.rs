use std::time::Duration;

use proptest::prelude::*;

use super::*;

fn histogram(latencies_us: &[u64]) -> Histogram {
    let mut histogram = Histogram::default();
    for us in latencies_us {
        histogram.add(Duration::from_micros(*us));
    }
    histogram
}

fn entry(counts: Counts) -> Entry {
    let service: ServiceName = "books/reviews".parse().expect("valid");
    let key = Key {
        service: service.clone(),
        backend: Some(service),
        cluster: Some("west".parse().expect("valid")),
        caller: Some("spiffe://east.rialto/ns/books/sa/page".parse().expect("valid")),
    };
    Entry { key, counts }
}

#[test]
fn a_report_has_a_short_form() {
    let latency = histogram(&[90, 250, 250, 70_000]);
    let counts =
        Counts { requests: 4, errors: 1, bytes_to_client: 9, latency, ..Counts::default() };
    let report = Report {
        epoch: 7,
        end_ms: 4_000,
        span_ms: 2_000,
        entries: vec![entry(counts)],
        ..Report::default()
    };
    expect_test::expect![[r#"{"epoch":7,"endMs":4000,"spanMs":2000,"entries":[{"service":"books/reviews","backend":"books/reviews","cluster":"west","caller":"spiffe://east.rialto/ns/books/sa/page","requests":4,"errors":1,"bytesToClient":9,"latency":[[0,1],[3,2],[19,1]]}]}"#]]
    .assert_eq(&String::from_utf8(report.to_json()).expect("text"));
    assert_eq!(Report::parse(&report.to_json()).expect("valid"), report);
}

#[test]
fn what_cannot_be_is_refused() {
    let good = Report { epoch: 7, end_ms: 4_000, span_ms: 2_000, ..Report::default() };
    let bad = |change: &dyn Fn(&mut Report)| {
        let mut report = good.clone();
        change(&mut report);
        Report::parse(&report.to_json()).expect_err("must be refused").to_string()
    };
    let texts = [
        bad(&|report| report.span_ms = 0),
        bad(&|report| report.span_ms = u64::MAX),
        bad(&|report| {
            report.entries = vec![entry(Counts::default()); limits::TRAFFIC_ENTRIES_MAX + 1]
        }),
        bad(&|report| report.entries = vec![entry(Counts { errors: 1, ..Counts::default() })]),
        bad(&|report| report.other.refused = 1),
        Report::parse(br#"{"epoch":1,"endMs":1,"spanMs":1,"other":{"latency":[[41,1]]}}"#)
            .map_err(|error| std::error::Error::source(&error).expect("a cause").to_string())
            .expect_err("must be refused"),
    ];
    expect_test::expect![[r#"
        a report of traffic spans 0 ms: expected 1 to 60000 ms
        a report of traffic spans 18446744073709551615 ms: expected 1 to 60000 ms
        a report of traffic has 1025 entries: expected at most 1024
        a report of traffic has more errors and refusals than requests: books/reviews
        a report of traffic has more errors and refusals than requests: the rest
        bucket 41 of a histogram: expected 0 to 40 at line 1 column 60
    "#]]
    .assert_eq(&(texts.join("\n") + "\n"));
}

#[test]
fn a_time_that_is_not_kept_is_refused() {
    let over =
        |seconds| Query { over: Some(Duration::from_secs(seconds)), ..Query::default() }.over();
    assert_eq!(over(300).expect("all that is kept"), Duration::from_secs(300));
    for seconds in [0, 301] {
        let problem = over(seconds).expect_err("not kept");
        assert_eq!(problem.code, Code::BadQuery);
        assert_eq!(problem.expected.as_deref(), Some("2s to 5m"));
    }
    assert_eq!(Query::default().over().expect("the usual"), limits::TRAFFIC_RATES_OVER);
}

#[test]
fn bounds_grow_evenly_and_end_above_every_timeout() {
    let bounds = Histogram::BOUNDS_US;
    for pair in bounds.windows(2) {
        let ratio = pair[1] as f64 / pair[0] as f64;
        assert!((1.40..1.43).contains(&ratio), "{pair:?}");
    }
    assert!(bounds[bounds.len() - 1] > 60_000_000);
}

#[test]
fn nothing_has_no_quantile() {
    assert_eq!(Histogram::default().quantile_ms(0.5), None);
}

proptest! {
    #[test]
    fn a_latency_is_in_the_bucket_of_its_bounds(us in 0u64..200_000_000) {
        let bucket = Histogram::bucket_of(Duration::from_micros(us));
        let bounds = Histogram::BOUNDS_US;
        prop_assert!(bounds.get(bucket).is_none_or(|upper| us <= *upper));
        prop_assert!(bucket.checked_sub(1).is_none_or(|lower| us > bounds[lower]));
    }

    #[test]
    fn merging_is_adding_all(
        one in prop::collection::vec(0u64..100_000_000, 0..50),
        two in prop::collection::vec(0u64..100_000_000, 0..50),
    ) {
        let mut merged = histogram(&one);
        merged.merge(&histogram(&two));
        let all: Vec<u64> = one.iter().chain(&two).copied().collect();
        prop_assert_eq!(&merged, &histogram(&all));
        prop_assert_eq!(merged.count(), all.len() as u64);
    }

    #[test]
    fn a_quantile_is_near_the_true_one(
        mut all in prop::collection::vec(100u64..60_000_000, 1..200),
        share in 0.01f64..1.0,
    ) {
        let found = histogram(&all).quantile_ms(share).expect("not empty");
        all.sort_unstable();
        let rank = (share * all.len() as f64).ceil() as usize;
        let exact = all[rank.clamp(1, all.len()) - 1] as f64 / 1_000.0;
        prop_assert!(found >= exact / 1.42 && found <= exact * 1.42, "{found} for {exact}");
    }

    #[test]
    fn quantiles_rise_with_their_share(
        all in prop::collection::vec(0u64..200_000_000, 1..200),
        one in 0f64..=1.0,
        two in 0f64..=1.0,
    ) {
        let histogram = histogram(&all);
        let (low, high) = (one.min(two), one.max(two));
        prop_assert!(histogram.quantile_ms(low) <= histogram.quantile_ms(high));
    }

    #[test]
    fn a_histogram_survives_its_text(all in prop::collection::vec(0u64..200_000_000, 0..50)) {
        let before = histogram(&all);
        let text = serde_json::to_string(&before).expect("text");
        let after: Histogram = serde_json::from_str(&text).expect("its own text");
        prop_assert_eq!(after, before);
    }

    #[test]
    fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = Report::parse(&bytes);
    }

    #[test]
    fn every_cut_of_a_report_is_refused(cut in 0usize..1_000) {
        let latency = histogram(&[90, 250]);
        let counts = Counts { requests: 2, latency, ..Counts::default() };
        let report = Report { epoch: 1, end_ms: 2, span_ms: 2, entries: vec![entry(counts)], ..Report::default() };
        let whole = report.to_json();
        let cut = cut % whole.len();
        prop_assert!(Report::parse(&whole[..cut]).is_err());
    }
}
