use super::*;

#[test]
fn a_stranger_is_remembered_for_a_while_and_only_so_many_are() {
    let now = Instant::now();
    let address = |number: u32| IpAddr::from(number.to_be_bytes());
    let mut strangers = Strangers::default();
    strangers.handle_in_vain(address(1), now);
    assert!(strangers.contains(address(1), now));
    assert!(!strangers.contains(address(2), now));
    let later = now + limits::STRANGER_FORGOTTEN;
    assert!(!strangers.contains(address(1), later));
    for number in 0..2 * u32::try_from(limits::STRANGERS_MAX).expect("few") {
        strangers.handle_in_vain(address(number), later);
    }
    assert_eq!(strangers.known.len(), limits::STRANGERS_MAX);
}
