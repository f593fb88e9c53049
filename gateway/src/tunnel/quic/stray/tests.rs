use super::*;

/// A long header of `version` and `kind` with this connection ID, filled up to `length`.
fn long(kind: u8, version: u32, id: &[u8], length: usize) -> Vec<u8> {
    let id_length = u8::try_from(id.len()).expect("short");
    let mut datagram = [&[0xc0 | kind << 4][..], &version.to_be_bytes(), &[id_length], id].concat();
    datagram.resize(length, 0);
    datagram
}

fn short(id: &[u8]) -> Vec<u8> {
    [&[0x40][..], id, &[0; 24]].concat()
}

#[test]
fn only_what_nobody_will_take_is_stray() {
    let mut ids = OwnIds::new(7).generator();
    let own = ids.generate_cid();
    let foreign = OwnIds::new(8).generator().generate_cid();
    let (initial, handshake) = (0, 2);
    let cases = [
        ("a packet of a connection", short(&own), None),
        ("a handshake packet", long(handshake, 1, &own, 100), None),
        ("a short initial of a connection", long(initial, 1, &own, 100), None),
        ("a first initial", long(initial, 1, &foreign, 1_200), None),
        (
            "a first initial that is short",
            long(initial, 1, &foreign, 1_199),
            Some(Reason::ShortInitial),
        ),
        ("a packet of nobody", short(&foreign), Some(Reason::UnknownConnection)),
        (
            "a handshake packet of nobody",
            long(handshake, 1, &foreign, 1_200),
            Some(Reason::UnknownConnection),
        ),
        ("early data", long(1, 1, &foreign, 1_200), Some(Reason::UnknownConnection)),
        ("version 2", long(initial, 0x6b33_43cf, &own, 1_200), Some(Reason::Version)),
        ("version negotiation", long(initial, 0, &own, 100), Some(Reason::Version)),
        ("no fixed bit", vec![0x3f; 1_200], Some(Reason::NotQuic)),
        ("a cut short header", vec![0x40, 1, 2], Some(Reason::NotQuic)),
        ("a cut long header", vec![0xc0, 0, 0, 0], Some(Reason::NotQuic)),
        ("a cut connection ID", vec![0xc0, 0, 0, 0, 1, 20, 1], Some(Reason::NotQuic)),
    ];
    for (what, datagram, expected) in cases {
        assert_eq!(stray(&datagram, &ids), expected, "{what}");
    }
}

#[test]
fn each_datagram_of_a_batch_is_counted() {
    let strays = Arc::new(Strays::default());
    let socket = std::net::UdpSocket::bind("127.0.0.1:0").expect("a socket");
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_io().build().expect("builds");
    let _entered = runtime.enter();
    let socket = quinn::Runtime::wrap_udp_socket(&quinn::TokioRuntime, socket).expect("wraps");
    let counting = CountingSocket::new(socket, OwnIds::new(7), Arc::clone(&strays));
    counting.inspect(&[0; 2_500], 1_000);
    counting.inspect(&[], 0);
    assert_eq!(strays.0[Reason::NotQuic as usize].load(Ordering::Relaxed), 4);
}
