use super::*;

#[test]
fn a_head_in_one_chunk_is_not_copied() {
    let chunk = Bytes::from_static(b"HTTP/1.1 200 OK\r\n\r\nbody");
    let mut rest = chunk.clone();
    let head = Collector::for_response().push(&mut rest).expect("no defect").expect("whole");
    assert_eq!(head.as_ptr(), chunk.as_ptr());
    assert_eq!(&rest[..], b"body");
}

#[test]
fn a_head_in_single_bytes_is_joined() {
    let input = b"\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n";
    let mut collector = Collector::for_request();
    for (index, byte) in input.iter().enumerate() {
        let mut chunk = Bytes::copy_from_slice(&[*byte]);
        let found = collector.push(&mut chunk).expect("no defect");
        let expect = (index + 1 == input.len()).then(|| Bytes::from_static(&input[2..]));
        assert_eq!(found, expect);
    }
}

#[test]
fn a_connection_is_idle_until_a_line_begins() {
    let mut collector = Collector::for_request();
    assert!(collector.is_idle());
    assert_eq!(collector.push(&mut Bytes::from_static(b"\r\n")), Ok(None));
    assert!(collector.is_idle());
    assert_eq!(collector.push(&mut Bytes::from_static(b"G")), Ok(None));
    assert!(!collector.is_idle());
}
