//! Hostile packets to a DNS proxy, and more good ones at once than it likes.

use std::collections::BTreeSet;
use std::net::{SocketAddr, UdpSocket};
use std::time::Duration;

use nix::sys::socket::{setsockopt, sockopt};
use rialto_types::id::Role;
use rialto_types::service::AppProtocol;
use serde_json::json;

use super::world::{Home, World};
use crate::process::Process;

const OURS: &str = "details.books.svc.clusterset.local";
const A: u16 = 1;
const QUERY: u16 = 0x0100;
const REFUSED: &str = "rialto_dns_refused_total";

/// What it is, its bytes, and what it gets.
type Packet = (String, Vec<u8>, Told);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Told {
    Silence,
    FormatError,
    Failure,
    NotImplemented,
    Refused,
    /// An answer without a fault: the packet is odd, and harmless.
    Fine,
}

#[test]
fn a_hundred_hostile_packets_harm_nobody() {
    let (proxy, address) = start();
    let client = client(address);
    let before = proxy.counted(REFUSED, &[]);
    let packets = hostile();
    assert!(packets.len() >= 100, "only {} packets", packets.len());
    let mut wrong = Vec::new();
    for (number, (what, packet, expected)) in (1..).zip(&packets) {
        // Too short for an identifier, some have none.
        let mut packet = packet.clone();
        for (byte, id) in packet.iter_mut().zip(u16::to_be_bytes(number)) {
            *byte = id;
        }
        let told = told(&client, number, &packet);
        if told != *expected {
            wrong.push(format!("{what}: {told:?} in place of {expected:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    let refused = packets.iter().filter(|(_, _, told)| *told != Told::Fine).count();
    let refused = u64::try_from(refused).expect("a few");
    assert_eq!(proxy.counted(REFUSED, &[]), before + refused, "each is counted");
}

/// Sends a packet and then a good query. The proxy takes them in turn, so that what the packet
/// itself gets without delay has come before the good answer.
fn told(client: &UdpSocket, number: u16, packet: &[u8]) -> Told {
    let good_id = 0x8000 | number;
    client.send(packet).expect("sent");
    client.send(&query(good_id, OURS)).expect("sent");
    let (mut told, mut is_well, mut buffer) = (Told::Silence, false, [0; 1_500]);
    while !is_well {
        let length = client.recv(&mut buffer).expect("the good query is answered");
        let answer = &buffer[..length];
        let id = u16::from_be_bytes([answer[0], answer[1]]);
        if id == good_id {
            assert_eq!((answer[3] & 0x0f, answer[7]), (0, 1), "one address");
            is_well = true;
        } else {
            assert_eq!(id, number, "an answer to nothing");
            told = code(answer);
        }
    }
    told
}

fn code(answer: &[u8]) -> Told {
    match answer[3] & 0x0f {
        0 | 3 => Told::Fine,
        1 => Told::FormatError,
        2 => Told::Failure,
        4 => Told::NotImplemented,
        5 => Told::Refused,
        other => panic!("response code {other}"),
    }
}

#[test]
fn a_thousand_lookups_at_once_are_all_answered() {
    let (proxy, address) = start();
    let client = client(address);
    let before = proxy.counted(REFUSED, &[]);
    // The kernel counts some 800 bytes for each answer that waits; it may grant less than asked.
    let room = make_room(&client) / 1_024;
    let ids: BTreeSet<u16> = (0..u16::try_from(room).unwrap_or(u16::MAX).min(1_000)).collect();
    let reading = client.try_clone().expect("a second handle");
    let count = ids.len();
    let answers = std::thread::spawn(move || {
        let (mut answered, mut buffer) = (BTreeSet::new(), [0; 1_500]);
        while answered.len() < count {
            // Whoever waits so long has lost an answer.
            let Ok(length) = reading.recv(&mut buffer) else { break };
            assert_eq!(code(&buffer[..length]), Told::Fine);
            answered.insert(u16::from_be_bytes([buffer[0], buffer[1]]));
        }
        answered
    });
    for id in &ids {
        client.send(&query(*id, OURS)).expect("sent");
    }
    let answered = answers.join().expect("all are read");
    assert_eq!(answered.len(), ids.len(), "some were lost");
    assert_eq!(proxy.counted(REFUSED, &[]), before);
}

/// Gives the bytes that were granted.
fn make_room(client: &UdpSocket) -> usize {
    const WANTED: usize = 4 * 1024 * 1024;
    let options = socket2::SockRef::from(client);
    if setsockopt(client, sockopt::RcvBufForce, &WANTED).is_err() {
        options.set_recv_buffer_size(WANTED).expect("a socket option");
    }
    options.recv_buffer_size().expect("a socket option")
}

fn start() -> (Process, SocketAddr) {
    let details = Home {
        name: "books/details",
        virtual_ip: "246.0.0.1".parse().expect("an address"),
        port: 9_080,
        protocol: AppProtocol::Http,
        endpoint: "127.0.0.1:9080".parse().expect("an address"),
    };
    let world = World::new(vec![details]);
    let settings = json!({ "listen": ["127.0.0.1:0"], "upstreams": [] });
    let (proxy, up) = world.start(Role::Dns, &settings, "DNS proxy is up");
    let listens = up["listen"].as_str().expect("where it listens");
    let address = listens.trim_matches(['[', ']']).parse().expect("one address");
    let (client, mut buffer) = (client(address), [0; 1_500]);
    // Its documents are read after it is up.
    loop {
        client.send(&query(0, OURS)).expect("sent");
        let length = client.recv(&mut buffer).expect("an answer");
        if code(&buffer[..length]) == Told::Fine {
            break;
        }
    }
    (proxy, address)
}

fn client(proxy: SocketAddr) -> UdpSocket {
    let client = UdpSocket::bind("127.0.0.1:0").expect("a socket");
    client.connect(proxy).expect("an address");
    client.set_read_timeout(Some(Duration::from_secs(10))).expect("a time limit");
    client
}

fn query(id: u16, name: &str) -> Vec<u8> {
    let mut query = packet(QUERY, [1, 0, 0, 0], &[&question(name, A, 1)]);
    query[..2].copy_from_slice(&id.to_be_bytes());
    query
}

/// A message whose identifier is still to be written.
fn packet(flags: u16, counts: [u16; 4], parts: &[&[u8]]) -> Vec<u8> {
    let counts: Vec<u8> = counts.iter().flat_map(|count| count.to_be_bytes()).collect();
    [&[0, 0][..], &flags.to_be_bytes(), &counts, &parts.concat()].concat()
}

fn question(name: &str, kind: u16, class: u16) -> Vec<u8> {
    [&wire_name(name)[..], &kind.to_be_bytes(), &class.to_be_bytes()].concat()
}

fn wire_name(text: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    for label in text.split('.') {
        bytes.push(u8::try_from(label.len()).expect("a label"));
        bytes.extend(label.as_bytes());
    }
    bytes.push(0);
    bytes
}

/// A record with the root as its owner.
fn record(kind: u16, class: u16, ttl: u32, data: &[u8]) -> Vec<u8> {
    let length = u16::try_from(data.len()).expect("short");
    let (kind, class) = (kind.to_be_bytes(), class.to_be_bytes());
    [&[0][..], &kind, &class, &ttl.to_be_bytes(), &length.to_be_bytes(), data].concat()
}

fn hostile() -> Vec<Packet> {
    [headers(), names(), sections(), types_and_classes(), edns()].concat()
}

fn headers() -> Vec<Packet> {
    let ours = question(OURS, A, 1);
    let valid = packet(QUERY, [1, 0, 0, 0], &[&ours]);
    let mut packets = Vec::new();
    for length in 0..12 {
        packets.push((format!("{length} bytes"), valid[..length].to_vec(), Told::Silence));
    }
    for operation in 1..16_u16 {
        let bytes = packet(QUERY | operation << 11, [1, 0, 0, 0], &[&ours]);
        packets.push((format!("operation {operation}"), bytes, Told::NotImplemented));
    }
    // Two servers that answer each other's answers would never end.
    for code in 0..16 {
        let bytes = packet(0x8180 | code, [1, 0, 0, 0], &[&ours]);
        packets.push((format!("an answer with code {code}"), bytes, Told::Silence));
    }
    for cut in (12..valid.len()).step_by(4) {
        packets.push((format!("cut at {cut}"), valid[..cut].to_vec(), Told::FormatError));
    }
    packets
}

fn names() -> Vec<Packet> {
    let named = |name: &[u8]| packet(QUERY, [1, 0, 0, 0], &[name, &[0, 1, 0, 1]]);
    let mut packets = Vec::new();
    for (what, name) in [
        ("a pointer to itself", vec![0xc0, 12]),
        ("two pointers that lead to each other", vec![0xc0, 14, 0xc0, 12]),
        ("a pointer into the header", vec![0xc0, 0]),
        ("a pointer past the end", vec![0xff, 0xff]),
        ("a label, then a loop", vec![1, b'x', 0xc0, 12]),
        ("a label of the reserved kind 01", vec![0x41, b'x', 0]),
        ("a label of the reserved kind 10", vec![0x80, b'x', 0]),
        ("a label without end", vec![63, b'x']),
        ("a name of 256 bytes", [[1, b'x'].repeat(128), vec![0]].concat()),
        ("a name of 2,000 bytes", [[1, b'x'].repeat(1_000), vec![0]].concat()),
    ] {
        packets.push((what.to_owned(), named(&name), Told::FormatError));
    }
    let odd =
        [&[4][..], &[0xff, 0, b'.', b'\\'], &wire_name("books.svc.clusterset.local")].concat();
    packets.push(("a name of odd bytes".into(), named(&odd), Told::Fine));
    let wildcard = wire_name("*.books.svc.clusterset.local");
    packets.push(("a wildcard".into(), named(&wildcard), Told::Fine));
    packets
}

fn sections() -> Vec<Packet> {
    let ours = question(OURS, A, 1);
    let address = record(A, 1, 60, &[10, 0, 0, 1]);
    let cases = [
        ("no question", [0, 0, 0, 0], vec![]),
        ("no question, and one there", [0, 0, 0, 0], ours.clone()),
        ("two questions", [2, 0, 0, 0], ours.repeat(2)),
        ("65,535 questions", [u16::MAX, 0, 0, 0], ours.clone()),
        ("an answer", [1, 1, 0, 0], [&ours[..], &address].concat()),
        ("an answer that is not there", [1, 1, 0, 0], ours.clone()),
        ("65,535 answers", [1, u16::MAX, 0, 0], [&ours[..], &address].concat()),
        ("an authority", [1, 0, 1, 0], [&ours[..], &address].concat()),
        ("65,535 authorities", [1, 0, u16::MAX, 0], ours.clone()),
        ("an additional that is not there", [1, 0, 0, 1], ours.clone()),
        ("65,535 additionals", [1, 0, 0, u16::MAX], [&ours[..], &address].concat()),
        ("bytes after the end", [1, 0, 0, 0], [&ours[..], b"more"].concat()),
        ("a record cut off", [1, 0, 0, 1], [&ours[..], &address[..address.len() - 1]].concat()),
    ];
    let made = |(what, counts, bytes): (&str, [u16; 4], Vec<u8>)| {
        (what.to_owned(), packet(QUERY, counts, &[&bytes]), Told::FormatError)
    };
    cases.into_iter().map(made).collect()
}

fn types_and_classes() -> Vec<Packet> {
    let asked = |name: &str, kind: u16, class: u16| {
        packet(QUERY, [1, 0, 0, 0], &[&question(name, kind, class)])
    };
    let mut packets = Vec::new();
    // Nothing, OPT, unassigned meta types, TKEY, TSIG, IXFR, AXFR, MAILB, MAILA, ANY.
    for kind in [0, 41, 128, 200, 249, 250, 251, 252, 253, 254, 255] {
        let bytes = asked(OURS, kind, 1);
        packets.push((format!("type {kind}"), bytes, Told::Refused));
    }
    for class in [0, 2, 3, 4, 254, 255, 0x8001, u16::MAX] {
        packets.push((format!("class {class}"), asked(OURS, A, class), Told::Refused));
    }
    packets.push(("the version of BIND".into(), asked("version.bind", 16, 3), Told::Refused));
    let other = packet(0, [1, 0, 0, 0], &[&question("example.com", A, 1)]);
    packets.push(("another's name without recursion".into(), other, Told::Refused));
    packets.push(("a type that nobody has".into(), asked(OURS, 65_000, 1), Told::Fine));
    packets
}

fn edns() -> Vec<Packet> {
    let ours = question(OURS, A, 1);
    let opt = |payload: u16, ttl: u32, data: &[u8]| record(41, payload, ttl, data);
    let with = |count: u16, bytes: &[u8]| packet(QUERY, [1, 0, 0, count], &[&ours, bytes]);
    let good = opt(1_232, 0, &[]);
    vec![
        ("two OPT".into(), with(2, &good.repeat(2)), Told::FormatError),
        ("three OPT".into(), with(3, &good.repeat(3)), Told::FormatError),
        ("a short OPT".into(), with(1, &good[..good.len() - 1]), Told::FormatError),
        ("half an option".into(), with(1, &opt(512, 0, &[0, 10, 0])), Told::FormatError),
        (
            "an option past its end".into(),
            with(1, &opt(512, 0, &[0, 12, 0xff, 0xff, 0])),
            Told::FormatError,
        ),
        ("a payload of 0".into(), with(1, &opt(0, 0, &[])), Told::Fine),
        ("a payload of 65,535".into(), with(1, &opt(u16::MAX, 0, &[])), Told::Fine),
        ("unknown flags".into(), with(1, &opt(512, 0x7fff, &[])), Told::Fine),
    ]
}
