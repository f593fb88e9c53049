use futures::FutureExt;

use super::*;

/// Reads once from a socket on which these bytes have arrived.
fn read(scratch: &Scratch, mut arrived: &[u8], bytes_max: usize) -> Bytes {
    let read = scratch.read(&mut arrived, bytes_max).now_or_never();
    read.expect("nothing to wait for").expect("a slice does not fail")
}

#[test]
fn what_was_read_stays_whatever_is_read_after_it() {
    let scratch = Scratch::default();
    let sizes = [1, limits::READ_COPIED_BYTES_MAX, limits::READ_COPIED_BYTES_MAX + 1, 40_000, 7];
    let sent: Vec<Vec<u8>> = (1..).zip(sizes).map(|(byte, size)| vec![byte; size]).collect();
    let got: Vec<Bytes> = sent.iter().map(|bytes| read(&scratch, bytes, 64 * 1024)).collect();
    assert_eq!(got, sent);
}

#[test]
fn no_more_is_read_than_was_asked_for_and_an_end_is_empty() {
    let scratch = Scratch::default();
    assert_eq!(read(&scratch, &[1; 100], 60).len(), 60);
    assert_eq!(read(&scratch, &[1; 50_000], 20_000).len(), 20_000);
    assert!(read(&scratch, &[], 60).is_empty());
}
