use super::*;

#[test]
fn chunks_are_written_from_the_front_and_keep_count() {
    let mut chunks = Chunks::default();
    chunks.push(Bytes::from_static(b"ab"));
    chunks.push(Bytes::new());
    chunks.push(Bytes::from_static(b"cdef"));
    assert_eq!(chunks.remaining(), 6);
    chunks.advance(3);
    assert_eq!((chunks.remaining(), chunks.chunk()), (3, &b"def"[..]));
    chunks.push_front(Bytes::from_static(b"x"));
    assert_eq!(chunks.pop().as_deref(), Some(&b"x"[..]));
    chunks.advance(3);
    assert!(chunks.is_empty() && !chunks.has_remaining());
}

#[test]
fn many_chunks_are_offered_to_one_call() {
    let mut chunks = Chunks::default();
    for _ in 0..3 {
        chunks.push(Bytes::from_static(b"ab"));
    }
    let mut slices = [IoSlice::new(&[]); 2];
    assert_eq!(chunks.chunks_vectored(&mut slices), 2);
    assert_eq!(&slices[1][..], b"ab");
}
