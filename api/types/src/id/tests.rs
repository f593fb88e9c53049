use std::str::FromStr;

use proptest::prelude::*;

use super::*;

fn check<T: FromStr<Err = Error>>(good: &[&str], bad: &[&str]) {
    for text in good {
        assert!(text.parse::<T>().is_ok(), "`{text}` must be accepted");
    }
    for text in bad {
        assert!(text.parse::<T>().is_err(), "`{text}` must be refused");
    }
}

#[test]
fn labels() {
    let long = "a".repeat(64);
    check::<ClusterName>(
        &["a", "east", "eu-west-1", "0"],
        &["", "-a", "a-", "A", "a.b", "a_b", "ä", &long],
    );
}

#[test]
fn spiffe_ids() {
    check::<SpiffeId>(
        &["spiffe://east.rialto/ns/books/sa/reviews", "spiffe://a/b"],
        &[
            "spiffe://east.rialto",
            "spiffe://east.rialto/",
            "spiffe://East/ns/a",
            "spiffe://east/ns//a",
            "spiffe://east/ns/../a",
            "spiffe://east/a%20b",
            "spiffe://east/a?b",
            "spiffe://east:1/a",
            "spiffe://u@east/a",
            "spiffe:///a",
            "https://east/a",
            "spiffe://east/a/",
        ],
    );
}

#[test]
fn reserved_identities_are_told_from_workloads() {
    let part: SpiffeId = "spiffe://east/rialto/gateway/gw-1".parse().expect("valid");
    assert_eq!(part.as_part(), Some((Role::Gateway, "gw-1".parse().expect("valid"))));
    let odd: SpiffeId = "spiffe://east/rialto/king/gw-1".parse().expect("valid");
    assert!(odd.as_part().is_none() && odd.is_reserved());
    let workload: SpiffeId = "spiffe://east/ns/books/sa/reviews".parse().expect("valid");
    assert!(!workload.is_reserved());
    assert_eq!(workload.namespace().map(|n| n.to_string()), Some("books".to_string()));
}

#[test]
fn timestamps() {
    let time: Timestamp = "2026-11-24T16:18:23.045Z".parse().expect("valid");
    assert_eq!(time.unix_ms, 1_795_537_103_045);
    check::<Timestamp>(
        &["1970-01-01T00:00:00Z", "2024-02-29T23:59:59.9Z"],
        &["", "2026-11-24", "2026-13-24T00:00:00Z", "2026-11-24T24:00:00Z", "2026-11-24T00:00:00"],
    );
}

proptest! {
    #[test]
    fn a_timestamp_survives_its_text(unix_ms in 0..=253_402_300_799_999_u64) {
        let time = Timestamp::from_unix_ms(unix_ms);
        prop_assert_eq!(time.to_string().parse::<Timestamp>(), Ok(time));
    }

    #[test]
    fn no_text_panics(text in ".{0,64}") {
        let _ = text.parse::<SpiffeId>();
        let _ = text.parse::<Timestamp>();
        let _ = text.parse::<ServiceName>();
        let _ = text.parse::<Revision>();
    }
}
