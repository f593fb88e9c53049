use super::*;

#[test]
fn content_within_the_bound_can_be_sent_again() {
    let mut replay = Replay::default();
    replay.record(&Bytes::from_static(b"ab"));
    replay.record(&Bytes::from_static(b"c"));
    let sent: Vec<u8> = replay.chunks().expect("kept").concat();
    assert_eq!(sent, b"abc");
}

#[test]
fn content_beyond_the_bound_is_given_up_and_freed() {
    let mut replay = Replay::default();
    replay.record(&Bytes::from(vec![0; limits::REPLAY_BYTES_MAX]));
    assert!(replay.is_whole() && replay.is_full());
    replay.record(&Bytes::from_static(b"x"));
    assert_eq!(replay.chunks(), None);
    replay.record(&Bytes::from_static(b"y"));
    assert!(!replay.is_whole());
}

#[test]
fn a_client_is_not_read_further_when_the_next_read_could_overrun() {
    let mut replay = Replay::default();
    assert!(!replay.is_full());
    replay.record(&Bytes::from(vec![0; limits::REPLAY_BYTES_MAX - limits::HTTP_READ_BYTES_MAX]));
    assert!(!replay.is_full());
    replay.record(&Bytes::from_static(b"x"));
    assert!(replay.is_full());
}
