use super::*;

fn at(unix_ms: u64) -> Timestamp {
    Timestamp { unix_ms }
}

#[test]
fn what_signed_out_is_ended_and_nothing_else() {
    let mut ended = Ended::default();
    assert!(ended.is_empty());
    ended.insert("one".into(), at(100));
    assert!(ended.has("one", at(100)));
    assert!(!ended.has("another", at(100)));
}

#[test]
fn beyond_the_bound_the_oldest_end_together_and_none_comes_back() {
    let mut ended = Ended::default();
    let count = u64::try_from(limits::SESSIONS_ENDED_MAX).expect("small");
    // Two a moment, so that those of one moment go together.
    let expires = |number: u64| at(1_000 + number / 2);
    for number in 0..2 * count {
        ended.insert(number.to_string(), expires(number));
        assert!(ended.sessions.len() <= limits::SESSIONS_ENDED_MAX);
    }
    for number in 0..2 * count {
        assert!(ended.has(&number.to_string(), expires(number)), "{number} is good again");
    }
    assert!(!ended.has("later", at(1_000 + count)), "a newer one is not touched");
}
