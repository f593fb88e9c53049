use super::*;

#[test]
fn a_short_path_keeps_the_small_window_and_a_long_one_holds_what_is_in_flight() {
    let short = limits::TUNNEL_SEND_WINDOW_BYTES;
    assert_eq!(send_window(Duration::from_millis(1), 14_000_000, short), short);
    assert_eq!(send_window(Duration::from_millis(20), 100, short), short);
    assert_eq!(send_window(Duration::from_millis(20), 2_000_000, short), 4_000_000);
    let most = limits::TUNNEL_SEND_WINDOW_BYTES_MAX;
    assert_eq!(send_window(Duration::from_millis(200), u64::MAX, short), most);
}

#[test]
fn silence_is_a_second_or_three_probe_timeouts() {
    assert_eq!(silence_max(Duration::from_millis(20)), limits::PEER_SILENCE_MIN);
    assert_eq!(silence_max(Duration::from_millis(400)), Duration::from_millis(2_475));
}
