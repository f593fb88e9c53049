use super::*;

const MS: Duration = Duration::from_millis(1);

fn good(at: u32, took: u32, version: &str) -> Observation {
    let body = format!(r#"{{"service":"reviews","version":"{version}","cluster":"west"}}"#);
    let outcome = Outcome::Good(Answer::from_body(body.as_bytes(), body.len() as u64));
    Observation { at: at * MS, took: took * MS, outcome }
}

#[test]
fn answers_are_counted_by_who_gave_them_and_failures_by_kind() {
    let mut report = Report::default();
    report.observe(good(1, 1, "v1"));
    report.observe(good(2, 1, "v3"));
    report.observe(good(3, 1, "v3"));
    let refused = Outcome::Refused { status: 503, reason: "busy".into() };
    for outcome in [refused, Outcome::Failed(Failure::NoAnswer)] {
        report.observe(Observation { at: 4 * MS, took: MS, outcome });
    }
    assert_eq!(report.good, 3);
    assert_eq!(report.versions["v3"], 2);
    assert_eq!(report.clusters["west"], 3);
    assert_eq!(report.failures(), 2);
    assert_eq!(report.failed["status-503"], 1);
    assert_eq!(report.reasons["busy"], 1);
    assert_eq!(report.failed["no-answer"], 1);
}

#[test]
fn the_longest_gap_counts_the_silence_before_the_end_and_skips_failures() {
    let mut report = Report::default();
    report.observe(good(10, 1, "v1"));
    report.observe(Observation {
        at: 20 * MS,
        took: MS,
        outcome: Outcome::Failed(Failure::Connect),
    });
    report.observe(good(50, 1, "v1"));
    report.finish(70 * MS);
    assert_eq!((report.longest_gap_ms, report.longest_gap_began_ms), (40.0, 10.0));
    report.finish(500 * MS);
    assert_eq!((report.longest_gap_ms, report.longest_gap_began_ms), (450.0, 50.0));
}

#[test]
fn quantiles_are_near_the_truth() {
    let mut report = Report::default();
    for took in 1..=1_000 {
        report.observe(good(took, took, "v1"));
    }
    report.finish(1_000 * MS);
    let Quantiles { p50_ms, p90_ms, p99_ms, max_ms } = report.latency;
    for (shown, truth) in [(p50_ms, 500.0), (p90_ms, 900.0), (p99_ms, 990.0)] {
        assert!(shown >= truth && shown <= truth * 1.07, "{shown} for {truth}");
    }
    assert_eq!(max_ms, 1_000.0);
}

#[test]
fn a_report_survives_its_text() -> Result<(), serde_json::Error> {
    let mut report = Report::default();
    report.observe(good(10, 3, "v1"));
    report.finish(20 * MS);
    let text = serde_json::to_string(&report)?;
    let read: Report = serde_json::from_str(&text)?;
    assert_eq!((read.good, read.latency), (1, report.latency));
    Ok(())
}

#[test]
fn an_answer_of_somebody_else_is_counted_as_unknown() {
    assert_eq!(Answer::from_body(b"hello", 5).version, "?");
}
