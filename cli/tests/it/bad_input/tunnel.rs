//! Noise at the tunnel's port, and a gateway with a good certificate that speaks nonsense or lies.

use std::collections::BTreeMap;
use std::net::UdpSocket;
use std::time::Duration;

use bytes::Bytes;
use rialto_gateway::tunnel::header::{self, Answer};
use rialto_types::id::Role;
use rialto_wire::identity::now;

use super::certificates::certified;
use super::west::{
    AFFINITY, BACKEND, CALLER, DEADLINE, East, FLOW, HOPS, MODE, OFFSET, PORT, Peer, SERVICE_NAME,
    Shows, TRACE, cut, dial, frame, open,
};

const REFUSALS: &str = "rialto_gateway_refusals_total";
const STRAYS: &str = "rialto_gateway_stray_datagrams_total";

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_header_of_every_wrong_kind_is_refused_and_counted() {
    let east = East::start();
    let west = Peer::good(&east).await;
    let mut told: BTreeMap<&str, u64> = BTreeMap::new();
    let mut wrong = Vec::new();
    for (what, bytes, expected) in wrong_headers(east.port) {
        *told.entry(expected).or_default() += 1;
        let answer = answer(&west, &bytes).await;
        if answer != expected {
            wrong.push(format!("{what}: {answer} in place of {expected}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));

    // Half a header, and then nothing: the one fault that only time shows.
    let (mut send, mut recv) = west.open_stream().await;
    send.write_chunk(Bytes::from_static(&[1, 0])).await.expect("sent");
    let Answer::Refused(refusal) = header::read_answer(&mut recv).await.expect("an answer") else {
        panic!("accepted without a header");
    };
    assert_eq!(refusal.reason, "no header came in time");
    *told.entry("bad_header").or_default() += 1;

    for (reason, count) in told {
        let label = format!("reason=\"{reason}\"");
        let labels = ["side=\"Far\"", label.as_str()];
        east.gateway.until_counted(REFUSALS, &labels, count);
        assert_eq!(east.gateway.counted(REFUSALS, &labels), count, "{reason}");
    }
    // The same connection still carries what is good, and a field of a newer peer does no harm.
    let newer = open(east.port, &[(0x7f, b"of a newer peer")]);
    assert_eq!(west.call(&newer).await, "well");
    east.check_goes_on().await;
}

/// The code of the refusal.
async fn answer(west: &Peer, bytes: &[u8]) -> String {
    let (mut send, mut recv) = west.open_stream().await;
    // The answer may come, and stop the stream, before all is sent.
    let _ = send.write_chunk(Bytes::copy_from_slice(bytes)).await;
    let _ = send.finish();
    match header::read_answer(&mut recv).await {
        Ok(Answer::Refused(refusal)) => refusal.code.label().to_owned(),
        other => format!("{other:?}"),
    }
}

fn wrong_headers(port: u16) -> Vec<(&'static str, Vec<u8>, &'static str)> {
    let good = open(port, &[]);
    let long = [b'a'; 4_000];
    let with = |fields: &[(u8, &[u8])]| open(port, fields);
    let without = |field: u8| {
        let port = port.to_be_bytes();
        let least: [(u8, &[u8]); 3] = [(MODE, &[1]), (SERVICE_NAME, b"shop/echo"), (PORT, &port)];
        let kept: Vec<_> = least.into_iter().filter(|(number, _)| *number != field).collect();
        frame(1, &kept)
    };
    let twice = [&good[..3], &good[3..], &good[3..]].concat();
    let length = u16::try_from(twice.len() - 3).expect("short");
    let twice = [&twice[..1], &length.to_be_bytes(), &twice[3..]].concat();
    let bad = "bad_header";
    vec![
        ("a request of HTTP", b"GET / HTTP/1.1\r\nHost: echo\r\n\r\n".to_vec(), bad),
        ("a greeting of TLS", vec![0x16, 3, 1, 2, 0, 1, 0, 1, 0xfc, 3, 3], bad),
        ("no byte", Vec::new(), bad),
        ("one byte", vec![1], bad),
        ("a length that is cut", vec![1, 0], bad),
        ("fewer fields than said", vec![1, 0, 9, MODE], bad),
        ("kind 0", frame(0, &[]), bad),
        ("the answer Accepted", frame(2, &[]), bad),
        ("the answer Refused", frame(3, &[(0x81, &[0, 1])]), bad),
        ("kind 255", frame(255, &[]), bad),
        ("65,535 bytes", [vec![1, 0xff, 0xff], vec![0; 65_535]].concat(), bad),
        ("4,097 bytes", [vec![1, 0x10, 0x01], vec![0; 4_097]].concat(), bad),
        ("no field", frame(1, &[]), bad),
        ("no mode", without(MODE), bad),
        ("no service", without(SERVICE_NAME), bad),
        ("no port", without(PORT), bad),
        ("every field twice", twice, bad),
        ("a field past the end", vec![1, 0, 3, 8, 0xff, 0xff], bad),
        ("half a field", vec![1, 0, 2, 8, 0], bad),
        ("an empty mode", with(&[(MODE, &[])]), bad),
        ("a mode of a newer peer", with(&[(MODE, &[9])]), "not_understood"),
        ("a field of a newer peer, a must", with(&[(0xff, b"?")]), "not_understood"),
        ("port 0", with(&[(PORT, &[0, 0])]), bad),
        ("a port of one byte", with(&[(PORT, &[80])]), bad),
        ("a service that is no text", with(&[(SERVICE_NAME, &[0xff, 0xfe])]), bad),
        ("a service that is no name", with(&[(SERVICE_NAME, b"../../etc/passwd")]), bad),
        ("a service of 4,000 letters", with(&[(SERVICE_NAME, &long)]), bad),
        ("a backend without name", with(&[(BACKEND, &[0, 80])]), bad),
        ("a backend with port 0", with(&[(BACKEND, b"\0\0shop/echo")]), bad),
        ("a backend of one byte", with(&[(BACKEND, &[0])]), bad),
        ("a caller that is no SPIFFE ID", with(&[(CALLER, b"root")]), bad),
        ("a caller with a NUL", with(&[(CALLER, b"spiffe://west.rialto/ns/a\0")]), bad),
        ("200 gateways passed", with(&[(HOPS, &[200])]), "loop"),
        ("hops of two bytes", with(&[(HOPS, &[0, 1])]), bad),
        ("an offset of one byte", with(&[(OFFSET, &[1])]), bad),
        ("a flow of one byte", with(&[(FLOW, &[1])]), bad),
        ("a trace that is none", with(&[(TRACE, b"\r\nSet-Cookie: a=b")]), bad),
        ("a deadline of one byte", with(&[(DEADLINE, &[1])]), bad),
        ("an affinity of nine bytes", with(&[(AFFINITY, &[1; 9])]), bad),
        ("a service that is not exported", with(&[(SERVICE_NAME, b"shop/till")]), "not_exported"),
        ("a port that is not exported", with(&[(PORT, &[0, 1])]), "not_exported"),
        ("a backend that is not exported", with(&[(BACKEND, b"\0\x50shop/till")]), "not_exported"),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn a_caller_stated_for_another_cluster_is_not_believed() {
    let east = East::start();
    let west = Peer::good(&east).await;
    let callers = [
        // The called cluster's own workload, which its policies trust most.
        "spiffe://east.rialto/ns/shop/sa/cart",
        "spiffe://north.rialto/ns/shop/sa/cart",
        "spiffe://bridge.rialto/ns/shop/sa/cart",
        // Of the right domain, and reserved for our own parts.
        "spiffe://west.rialto/rialto/gateway/good",
        "spiffe://west.rialto/rialto/agent/one",
    ];
    for (count, caller) in (1..).zip(callers) {
        let header = open(east.port, &[(CALLER, caller.as_bytes())]);
        assert_eq!(west.call(&header).await, "bad_caller", "{caller}");
        let record = east.gateway.until_logged("caller stated by a peer is not believed");
        assert!(record["reason"].to_string().contains(caller), "{record}");
        let labels = ["side=\"Far\"", "reason=\"bad_caller\""];
        assert_eq!(east.gateway.counted(REFUSALS, &labels), count);
    }
    let own = open(east.port, &[(CALLER, b"spiffe://west.rialto/ns/shop/sa/cart")]);
    assert_eq!(west.call(&own).await, "well");
    east.check_goes_on().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gateway_that_does_not_greet_is_sent_away() {
    let east = East::start();
    let json = |text: &str| {
        let length = u32::try_from(text.len()).expect("short");
        [&length.to_be_bytes()[..], text.as_bytes()].concat()
    };
    let greetings = [
        ("another message", json(r#"{"type":"draining"}"#)),
        ("no JSON", json("hello")),
        ("no type", json("{}")),
        ("a bad name", json(r#"{"type":"hello","gateway":"../one"}"#)),
        ("four gigabytes", vec![0xff; 8]),
        ("an end", Vec::new()),
    ];
    for (count, (what, greeting)) in (1..).zip(greetings) {
        let svid = east.world.svid(&east.world.west, Role::Gateway, "rude", now());
        let shows = Shows::Certificate(certified(&svid));
        let (_endpoint, connection) = dial(&east, shows).await.expect("a connection");
        let mut control = connection.open_control().await.expect("a stream");
        control.write_chunk(greeting.into()).await.expect("sent");
        control.finish().expect("an end");
        cut(&connection).await;
        east.gateway.until(what, |_| east.refused("greeting") == count);
    }
    east.check_goes_on().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn garbage_datagrams_harm_nobody_and_are_counted_not_multiplied() {
    let east = East::start();
    let west = Peer::good(&east).await;
    let noise = UdpSocket::bind("127.0.0.1:0").expect("a socket");
    noise.connect(east.tunnel).expect("an address");
    let (mut sent, mut strays) = (0, 0);
    for datagram in garbage() {
        sent += noise.send(&datagram).expect("sent");
        strays += u64::from(!may_open_a_connection(&datagram));
    }
    east.gateway.until_counted(STRAYS, &[], strays);
    for reason in ["not_quic", "version", "unknown_connection", "short_initial"] {
        let label = format!("reason=\"{reason}\"");
        assert!(east.gateway.counted(STRAYS, &[label.as_str()]) > 0, "{reason}");
    }
    // What the gateway says to it, while and after a good flow goes on.
    assert_eq!(west.call(&open(east.port, &[])).await, "well");
    east.check_goes_on().await;
    noise.set_read_timeout(Some(Duration::from_millis(200))).expect("a time limit");
    let (mut answered, mut buffer) = (0, [0; 2_000]);
    while let Ok(length) = noise.recv(&mut buffer) {
        answered += length;
    }
    assert!(answered <= sent, "{answered} bytes for {sent}: a weapon against a third");
    assert_eq!(east.gateway.counted(STRAYS, &[]), strays);
}

/// An Initial of version 1 in a datagram of full size, whatever it holds.
fn may_open_a_connection(datagram: &[u8]) -> bool {
    datagram.len() >= 1_200 && datagram[0] & 0xf0 == 0xc0 && datagram[1..5] == [0, 0, 0, 1]
}

/// Random bytes of every length, and what looks like QUIC at first sight.
fn garbage() -> Vec<Vec<u8>> {
    let mut seed = 1_u32;
    let mut noise = |length: usize| -> Vec<u8> {
        let byte = || {
            seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            seed.to_be_bytes()[0]
        };
        std::iter::repeat_with(byte).take(length).collect()
    };
    let mut datagrams: Vec<Vec<u8>> = (0..1_400).step_by(5).map(&mut noise).collect();
    // Long headers: version negotiation, version 1, version 2, and versions of nobody.
    for version in [0, 1, 0x6b33_43cf, 0x0a0a_0a0a, u32::MAX] {
        for first in [0xc0, 0xd0, 0xe0, 0xf0, 0xff] {
            for length in [20, 200, 1_200, 1_400] {
                let mut datagram = noise(length);
                datagram[0] = first;
                datagram[1..5].copy_from_slice(&u32::to_be_bytes(version));
                datagram[5] = 8;
                datagrams.push(datagram);
            }
        }
    }
    // Short headers, for connections that nobody has.
    for length in [1, 8, 21, 43, 1_200] {
        let mut datagram = noise(length);
        datagram[0] = 0x40;
        datagrams.push(datagram);
    }
    datagrams
}
