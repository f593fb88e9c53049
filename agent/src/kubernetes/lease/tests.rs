use super::*;

fn lease(version: &str, holder: Option<&str>) -> Lease {
    Lease {
        metadata: LeaseMetadata { resource_version: version.into() },
        spec: LeaseSpec {
            holder_identity: holder.map(str::to_owned),
            lease_duration_seconds: Some(15),
            renew_time: None,
        },
    }
}

#[test]
fn a_free_lease_and_our_own_are_taken() {
    let now = Instant::now();
    let mut watch = Watch { holder: "me".into(), seen: None };
    for holder in [None, Some(""), Some("me")] {
        assert_eq!(watch.handle_read(&lease("1", holder), now), Step::Take, "{holder:?}");
    }
}

#[test]
fn another_one_s_is_taken_only_after_it_stood_still_for_its_duration() {
    let start = Instant::now();
    let mut watch = Watch { holder: "me".into(), seen: None };
    let mut read = |version, after| {
        watch.handle_read(&lease(version, Some("other")), start + Duration::from_secs(after))
    };
    assert_eq!(read("1", 0), Step::Wait, "it may have been renewed a moment ago");
    assert_eq!(read("1", 14), Step::Wait);
    assert_eq!(read("2", 16), Step::Wait, "it was renewed");
    assert_eq!(read("2", 31), Step::Wait);
    assert_eq!(read("2", 32), Step::Take);
}

#[test]
fn times_have_six_digits() {
    let time = Timestamp::from_unix_ms(1_764_150_000_123);
    assert_eq!(micro_time(time), "2025-11-26T09:40:00.123000Z");
}
