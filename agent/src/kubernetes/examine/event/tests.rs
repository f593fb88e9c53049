use super::*;

fn finding(about: &str, level: FindingLevel, text: &str) -> Finding {
    Finding::new(about, level, text)
}

#[test]
fn what_went_wrong_and_what_is_right_again_is_told_once() {
    use FindingLevel::{Failed, Good, Unknown, Warning};
    let all_good = [finding("names", Good, "well"), finding("permissions", Good, "well")];
    assert!(news(&[], &all_good).is_empty(), "nobody asks for good news");
    let bad = [finding("names", Failed, "no block"), finding("permissions", Good, "well")];
    assert_eq!(news(&all_good, &bad), [&bad[0]]);
    assert!(news(&bad, &bad).is_empty());
    let other = [finding("names", Warning, "another"), finding("permissions", Good, "well")];
    assert_eq!(news(&bad, &other), [&other[0]]);
    assert_eq!(news(&bad, &all_good), [&all_good[0]]);

    let unseen = [finding("names", Unknown, "silent"), finding("permissions", Good, "well")];
    assert!(news(&bad, &unseen).is_empty());
    assert_eq!(keep(bad.to_vec(), &unseen), bad, "what was wrong is still known");
}

#[test]
fn an_event_says_what_to_do() {
    let finding = finding("source addresses", FindingLevel::Failed, "seen").with_fix("stop it");
    let event = manifest(&finding, "rialto", "rialto-agent", Timestamp::from_unix_ms(1_500));
    assert_eq!(event["reason"], "SourceAddresses");
    assert_eq!(event["message"], "seen; stop it");
    assert_eq!(event["type"], "Warning");
    assert_eq!(event["lastTimestamp"], "1970-01-01T00:00:01Z");
}
