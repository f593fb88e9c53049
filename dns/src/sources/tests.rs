use super::*;

#[test]
fn places_are_by_source_and_come_back() {
    let sources = Sources::new(2);
    let (one, two) = ([192, 0, 2, 1].into(), [192, 0, 2, 2].into());
    let first = sources.take(one);
    let second = sources.take(one);
    assert!(first.is_some() && second.is_some());
    assert!(sources.take(one).is_none());
    assert!(sources.take(two).is_some());
    drop(first);
    assert!(sources.take(one).is_some());
    drop(second);
    assert!(sources.counts().is_empty());
}
