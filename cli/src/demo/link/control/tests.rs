use super::*;

#[test]
fn units_are_read_and_nonsense_is_refused() {
    assert_eq!(parse_duration("50ms"), Ok(Duration::from_millis(50)));
    assert_eq!(parse_duration("1.5s"), Ok(Duration::from_millis(1_500)));
    for text in ["50", "-1ms", "fast", "ms", "2000m"] {
        assert!(parse_duration(text).is_err(), "{text}");
    }
    assert_eq!("0.5%".parse(), Ok(Loss(5_000)));
    for text in ["0.5", "101%", "-1%", "%"] {
        assert!(text.parse::<Loss>().is_err(), "{text}");
    }
    assert_eq!("1gbit".parse(), Ok(Rate { bits_per_second: Some(1_000_000_000) }));
    assert_eq!("none".parse(), Ok(Rate { bits_per_second: None }));
    for text in ["0mbit", "5", "-1mbit"] {
        assert!(text.parse::<Rate>().is_err(), "{text}");
    }
}

#[test]
fn a_change_leaves_the_rest_alone() {
    let shape = Shape { loss_ppm: 7, ..Shape::default() };
    let change = Change { delay: Some(Duration::from_millis(50)), ..Change::default() };
    let changed = change.applied_to(shape);
    assert_eq!(changed.delay, Duration::from_millis(50));
    assert_eq!(changed.loss_ppm, 7);
}
