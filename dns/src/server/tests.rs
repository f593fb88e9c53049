use std::process::Command;
use std::sync::LazyLock;
use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::listen::{Listener, make_room};
use crate::testing::{
    name, opt, packet, query, query_edns, question, record, server, server_of, snapshot,
};

const OURS: &str = "details.books.svc.clusterset.local";
const LOOPBACK: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);
const A: u16 = 1;
const AAAA: u16 = 28;
const SRV: u16 = 33;

/// A reaction in words: `silence`, `forward`, or the answer's code, flags and counts.
fn words(reaction: &Reaction) -> String {
    let bytes = match reaction {
        Reaction::Silence => return "silence".into(),
        Reaction::Forward(_) => return "forward".into(),
        Reaction::Reply(bytes) => bytes,
    };
    let header = packet::header(bytes).expect("an answer has a header");
    assert_eq!(header.id, 0xabcd, "the answer to another query");
    assert!(header.is_answer);
    let codes = ["NOERROR", "FORMERR", "SERVFAIL", "NXDOMAIN", "NOTIMP", "REFUSED"];
    let mut code = codes[usize::from(header.code)].to_owned();
    let [_, answers, authorities, additionals] = header.counts;
    if bytes.len() > packet::HEADER {
        let layout = packet::layout(bytes).expect("our answers are whole");
        let end = bytes.len();
        // BADVERS is 16: its high bits are in the OPT record, which is last.
        if layout.has_opt && bytes[end - 6] == 1 {
            code = "BADVERS".into();
        }
    }
    for (flag, word) in [(bytes[2] & 0x04, " aa"), (bytes[2] & 0x02, " tc")] {
        if flag != 0 {
            code += word;
        }
    }
    format!("{code} {answers} {authorities} {additionals}")
}

fn reaction(bytes: &[u8]) -> String {
    words(&server(&[]).react(bytes, LOOPBACK, Transport::Udp))
}

fn ours(kind: u16) -> Vec<u8> {
    question(OURS, kind, 1)
}

/// A packet with one question, and what follows it.
fn with(flags: u16, counts: [u16; 4], parts: &[&[u8]]) -> Vec<u8> {
    let question = ours(A);
    let parts: Vec<&[u8]> = [&question[..]].into_iter().chain(parts.iter().copied()).collect();
    packet(flags, counts, &parts)
}

/// A packet whose question has these bytes as its name.
fn named(bytes: &[u8]) -> Vec<u8> {
    packet(0x0100, [1, 0, 0, 0], &[bytes, &[0, 1, 0, 1]])
}

#[test]
fn good_queries() {
    for (what, bytes, expected) in [
        ("address", query(OURS, A), "NOERROR aa 1 0 0"),
        ("address with EDNS", query_edns(OURS, A, 1_232), "NOERROR aa 1 0 1"),
        ("IPv6 address", query(OURS, AAAA), "NOERROR aa 1 0 0"),
        ("service", query(OURS, SRV), "NOERROR aa 1 0 2"),
        ("no IPv6 address", query("four.books.svc.clusterset.local", AAAA), "NOERROR aa 0 1 0"),
        ("no mail", query(OURS, 15), "NOERROR aa 0 1 0"),
        ("unknown type", query(OURS, 65), "NOERROR aa 0 1 0"),
        ("no such service", query("none.books.svc.clusterset.local", A), "NXDOMAIN aa 0 1 0"),
        ("other zone", query("example.com", A), "forward"),
        ("other type of another zone", query("example.com", 65), "forward"),
        ("the root", query("", 2), "forward"),
        ("mixed case", query("DeTaiLs.BOOKS.svc.ClusterSet.Local", A), "NOERROR aa 1 0 0"),
        ("version", query("dns-version.clusterset.local", 16), "NOERROR aa 1 0 0"),
    ] {
        assert_eq!(reaction(&bytes), expected, "{what}");
    }
}

#[test]
fn hostile_headers() {
    let valid = query(OURS, A);
    for length in 0..packet::HEADER {
        assert_eq!(reaction(&valid[..length]), "silence", "{length} bytes");
    }
    // An answer, with each operation and code.
    for operation in 0..16_u16 {
        let flags = 0x8000 | operation << 11;
        assert_eq!(reaction(&with(flags, [1, 0, 0, 0], &[])), "silence", "answer {operation}");
    }
    // Every operation but QUERY: IQUERY, STATUS, NOTIFY, UPDATE, DSO, and unassigned ones.
    for operation in 1..16_u16 {
        let bytes = with(0x0100 | operation << 11, [1, 0, 0, 0], &[]);
        assert_eq!(reaction(&bytes), "NOTIMP 0 0 0", "operation {operation}");
    }
    for (what, flags, expected) in [
        ("TC in a query", 0x0300, "NOERROR aa 1 0 0"),
        ("AA in a query", 0x0500, "NOERROR aa 1 0 0"),
        ("Z in a query", 0x0140, "NOERROR aa 1 0 0"),
        ("AD and CD in a query", 0x0130, "NOERROR aa 1 0 0"),
        ("a code in a query", 0x0105, "NOERROR aa 1 0 0"),
        ("no recursion for ours", 0x0000, "NOERROR aa 1 0 0"),
    ] {
        assert_eq!(reaction(&with(flags, [1, 0, 0, 0], &[])), expected, "{what}");
    }
    let other = packet(0, [1, 0, 0, 0], &[&question("example.com", A, 1)]);
    assert_eq!(reaction(&other), "REFUSED 0 0 0", "no recursion for others");
}

#[test]
fn hostile_counts() {
    let (answer, two) = (record(&name(OURS), A, 60, &[10, 0, 0, 1]), ours(AAAA));
    let tsig = record(&[0], 250, 0, &[0; 16]);
    for (what, counts, parts, expected) in [
        ("no question", [0, 0, 0, 0], &[][..], "FORMERR 0 0 0"),
        ("no question, claimed", [0, 0, 0, 0], &[&two[..]][..], "FORMERR 0 0 0"),
        ("two questions", [2, 0, 0, 0], &[&two[..]], "FORMERR 0 0 0"),
        ("two claimed", [2, 0, 0, 0], &[], "FORMERR 0 0 0"),
        ("65,535 questions", [u16::MAX, 0, 0, 0], &[], "FORMERR 0 0 0"),
        ("an answer in a query", [1, 1, 0, 0], &[&answer], "FORMERR 0 0 0"),
        ("an answer claimed", [1, 1, 0, 0], &[], "FORMERR 0 0 0"),
        ("an authority", [1, 0, 1, 0], &[&answer], "FORMERR 0 0 0"),
        ("65,535 of all", [u16::MAX; 4], &[], "FORMERR 0 0 0"),
        ("an additional claimed", [1, 0, 0, 1], &[], "FORMERR 0 0 0"),
        ("65,535 additionals", [1, 0, 0, u16::MAX], &[&opt(512, 0, 0, &[])], "FORMERR 0 0 0"),
        ("an additional address", [1, 0, 0, 1], &[&answer], "NOERROR aa 1 0 0"),
        ("trailing bytes", [1, 0, 0, 0], &[&[0][..]], "FORMERR 0 0 0"),
        ("a whole message behind", [1, 0, 0, 0], &[&answer], "FORMERR 0 0 0"),
        ("a broken signature", [1, 0, 0, 1], &[&tsig], "FORMERR 0 0 0"),
    ] {
        assert_eq!(reaction(&with(0x0100, counts, parts)), expected, "{what}");
    }
}

#[test]
fn hostile_names() {
    let label = |length: usize| {
        [&[u8::try_from(length).expect("a byte")][..], &[b'x'; 300][..length]].concat()
    };
    let labels = |length: usize, count: usize| [label(length).repeat(count), vec![0]].concat();
    let many: Vec<u8> = [[1, b'x'].repeat(126), vec![0]].concat();
    let too_many: Vec<u8> = [[1, b'x'].repeat(128), vec![0]].concat();
    for (what, bytes, expected) in [
        ("a label of 63", labels(63, 1), "forward"),
        ("a label of 64", [&[64][..], &[b'x'; 64], &[0]].concat(), "FORMERR 0 0 0"),
        ("a label of 127", [&[127][..], &[b'x'; 127], &[0]].concat(), "FORMERR 0 0 0"),
        ("a label of type 01", [&[0x41][..], &[b'x'; 65], &[0]].concat(), "FORMERR 0 0 0"),
        ("a label of type 10", [&[0x81][..], &[b'x'; 129], &[0]].concat(), "FORMERR 0 0 0"),
        ("255 octets", many, "forward"),
        ("257 octets", too_many, "FORMERR 0 0 0"),
        ("256 octets in long labels", labels(63, 4), "FORMERR 0 0 0"),
        ("a pointer to itself", vec![0xc0, 12], "FORMERR 0 0 0"),
        ("a pointer to the header", vec![0xc0, 0], "FORMERR 0 0 0"),
        ("a pointer to the counts", vec![0xc0, 4], "FORMERR 0 0 0"),
        ("a pointer forwards", vec![0xc0, 20], "FORMERR 0 0 0"),
        ("a pointer past the end", vec![0xff, 0xff], "FORMERR 0 0 0"),
        ("half a pointer", vec![0xc0], "FORMERR 0 0 0"),
        ("a label and a loop", vec![1, b'x', 0xc0, 12], "FORMERR 0 0 0"),
        ("two pointers that loop", vec![0xc0, 14, 0xc0, 12], "FORMERR 0 0 0"),
        ("a NUL inside", vec![3, b'a', 0, b'b', 0], "forward"),
        ("all bytes of a label", vec![4, 0xff, 0x80, b'.', b'\\', 0], "forward"),
        ("a dot inside", [&[9][..], b"clusterse", &[2], b".t", &[0]].concat(), "forward"),
        ("a space", vec![3, b'a', b' ', b'b', 0], "forward"),
        ("no end", vec![63, b'x'], "FORMERR 0 0 0"),
    ] {
        assert_eq!(reaction(&named(&bytes)), expected, "{what}");
    }
    // Look-alikes of our zone are not in it; strange names in our zone do not exist.
    for (what, text, expected) in [
        ("a longer label", "details.books.svc.xclusterset.local", "forward"),
        ("a suffix", "details.books.svc.clusterset.local.example.com", "forward"),
        ("another local", "clusterset.localx", "forward"),
        ("a wildcard", "*.books.svc.clusterset.local", "NXDOMAIN aa 0 1 0"),
        ("an underscore", "_x.books.svc.clusterset.local", "NXDOMAIN aa 0 1 0"),
        ("deep below", "a.b.c.d.e.f.details.books.svc.clusterset.local", "NXDOMAIN aa 0 1 0"),
        ("the zone", "clusterset.local", "NOERROR aa 0 1 0"),
    ] {
        assert_eq!(reaction(&query(text, A)), expected, "{what}");
    }
    let odd = [&[3][..], &[0xff, 0, b'.'], &name("books.svc.clusterset.local")].concat();
    assert_eq!(reaction(&named(&odd)), "NXDOMAIN aa 0 1 0", "strange bytes in our zone");
    // A query that ends inside its question, at every byte.
    let valid = query(OURS, A);
    for length in packet::HEADER..valid.len() {
        assert_eq!(reaction(&valid[..length]), "FORMERR 0 0 0", "{length} bytes");
    }
}

#[test]
fn hostile_types_and_classes() {
    // Questions and meta types: TKEY, TSIG, IXFR, AXFR, MAILB, MAILA, ANY, and unassigned ones.
    for kind in (128..=255).chain([0, 41]) {
        for zone in [OURS, "example.com"] {
            assert_eq!(reaction(&query(zone, kind)), "REFUSED 0 0 0", "type {kind} of {zone}");
        }
    }
    for class in [0, 2, 3, 4, 254, 255, 0x8001, u16::MAX] {
        let bytes = packet(0x0100, [1, 0, 0, 0], &[&question(OURS, A, class)]);
        assert_eq!(reaction(&bytes), "REFUSED 0 0 0", "class {class}");
    }
    let version = packet(0x0100, [1, 0, 0, 0], &[&question("version.bind", 16, 3)]);
    assert_eq!(reaction(&version), "REFUSED 0 0 0");
}

#[test]
fn hostile_edns() {
    let cookie = [&[0, 10, 0, 8][..], &[7; 8]].concat();
    let long = [&[0, 12, 0xff, 0xff][..], &[0; 8]].concat();
    let padding = [&[0, 12, 1, 0][..], &[0; 256]].concat();
    let subnet = [0, 8, 0, 7, 0, 1, 24, 0, 192, 0, 2];
    let mut named_opt = opt(512, 0, 0, &[]);
    named_opt.splice(0..1, name("x"));
    let good = opt(1_232, 0, 0, &[]);
    let mut short = good.clone();
    short.truncate(good.len() - 1);
    for (what, count, bytes, expected) in [
        ("payload 0", 1, opt(0, 0, 0, &[]), "NOERROR aa 1 0 1"),
        ("payload 65,535", 1, opt(u16::MAX, 0, 0, &[]), "NOERROR aa 1 0 1"),
        ("version 1", 1, opt(512, 1, 0, &[]), "BADVERS 0 0 1"),
        ("version 255", 1, opt(512, 255, 0, &[]), "BADVERS 0 0 1"),
        ("DO", 1, opt(512, 0, 0x8000, &[]), "NOERROR aa 1 0 1"),
        ("unknown flags", 1, opt(512, 0, 0x7fff, &[]), "NOERROR aa 1 0 1"),
        ("cookie", 1, opt(512, 0, 0, &cookie), "NOERROR aa 1 0 1"),
        ("client subnet", 1, opt(512, 0, 0, &subnet), "NOERROR aa 1 0 1"),
        ("padding", 1, opt(512, 0, 0, &padding), "NOERROR aa 1 0 1"),
        ("an option past its end", 1, opt(512, 0, 0, &long), "FORMERR 0 0 0"),
        ("half an option", 1, opt(512, 0, 0, &[0, 10, 0]), "FORMERR 0 0 0"),
        ("two OPT", 2, good.repeat(2), "FORMERR 0 0 0"),
        ("three OPT", 3, good.repeat(3), "FORMERR 0 0 0"),
        ("a short OPT", 1, short, "FORMERR 0 0 0"),
    ] {
        let bytes = with(0x0100, [1, 0, 0, count], &[&bytes]);
        assert_eq!(reaction(&bytes), expected, "{what}");
    }
    let in_answers = with(0x0100, [1, 1, 0, 0], &[&good]);
    assert_eq!(reaction(&in_answers), "FORMERR 0 0 0", "OPT among the answers");
}

#[test]
fn strangers_are_refused() {
    let server = server(&[]);
    for (source, expected) in [
        ("127.0.0.1", "NOERROR aa 1 0 0"),
        ("::1", "NOERROR aa 1 0 0"),
        ("10.9.8.7", "NOERROR aa 1 0 0"),
        ("::ffff:10.9.8.7", "NOERROR aa 1 0 0"),
        ("192.0.2.1", "REFUSED 0 0 0"),
        ("::ffff:192.0.2.1", "REFUSED 0 0 0"),
        ("2001:db8::1", "REFUSED 0 0 0"),
        ("100.64.0.1", "REFUSED 0 0 0"),
    ] {
        let source = source.parse().expect("an address");
        let reaction = server.react(&query(OURS, A), source, Transport::Udp);
        assert_eq!(words(&reaction), expected, "{source}");
    }
    let stranger = "192.0.2.1".parse().expect("an address");
    let answer = with(0x8180, [1, 0, 0, 0], &[]);
    assert_eq!(words(&server.react(&answer, stranger, Transport::Udp)), "silence");
    assert_eq!(words(&server.react(&[7; 5], stranger, Transport::Udp)), "silence");
    let forwarded = server.react(&query("example.com", A), stranger, Transport::Tcp);
    assert_eq!(words(&forwarded), "REFUSED 0 0 0");
    assert_eq!(server.metrics.refused("client"), 7);
}

#[test]
fn sizes_are_right_each_time() {
    let server = server(&[]);
    let db = "db.books.svc.clusterset.local";
    let big = "big.books.svc.clusterset.local";
    for (what, bytes, transport, expected, limit) in [
        ("plain", query(db, A), Transport::Udp, "NOERROR aa tc 0 0 0", 512),
        ("512", query_edns(db, A, 512), Transport::Udp, "NOERROR aa tc 0 0 1", 512),
        ("100 is 512", query_edns(OURS, A, 100), Transport::Udp, "NOERROR aa 1 0 1", 512),
        ("1,232", query_edns(db, A, 1_232), Transport::Udp, "NOERROR aa 60 0 1", 1_232),
        ("4,096", query_edns(db, A, 4_096), Transport::Udp, "NOERROR aa 60 0 1", 1_232),
        ("many ports", query_edns(big, SRV, 4_096), Transport::Udp, "NOERROR aa tc 0 0 1", 1_232),
        ("TCP", query(db, A), Transport::Tcp, "NOERROR aa 60 0 0", 65_535),
        ("TCP, ports", query(big, SRV), Transport::Tcp, "NOERROR aa 40 0 1", 65_535),
    ] {
        let reaction = server.react(&bytes, LOOPBACK, transport);
        assert_eq!(words(&reaction), expected, "{what}");
        let Reaction::Reply(bytes) = reaction else { panic!("{what}") };
        assert!(bytes.len() <= limit, "{what}: {} bytes", bytes.len());
    }
}

#[test]
fn the_client_s_case_comes_back() {
    let text = "dEtAiLs.bOoKs.SVC.clusterSET.local";
    let Reaction::Reply(bytes) = server(&[]).react(&query(text, A), LOOPBACK, Transport::Udp)
    else {
        panic!("no answer")
    };
    let wire = name(text);
    assert_eq!(bytes[packet::HEADER..packet::HEADER + wire.len()], wire[..]);
}

#[test]
fn without_a_snapshot_our_names_fail_and_others_go_on() {
    let server = server_of(Arc::default(), &[], &[]);
    let ours = server.react(&query(OURS, A), LOOPBACK, Transport::Udp);
    assert_eq!(words(&ours), "SERVFAIL 0 0 0");
    let other = server.react(&query("example.com", A), LOOPBACK, Transport::Udp);
    assert_eq!(words(&other), "forward");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn any_bytes_have_a_reaction(bytes in proptest::collection::vec(any::<u8>(), 0..600)) {
        check_any(&bytes);
    }

    #[test]
    fn any_change_of_a_good_query_has_a_reaction(
        at in 0..80_usize,
        value: u8,
        cut in 0..80_usize,
        more in proptest::collection::vec(any::<u8>(), 0..40),
    ) {
        let mut bytes = query_edns(OURS, A, 1_232);
        let length = bytes.len();
        bytes[at % length] = value;
        check_any(&bytes);
        bytes.extend(more);
        check_any(&bytes);
        bytes.truncate(cut);
        check_any(&bytes);
    }
}

/// No panic, no amplification of what is not understood, and an answer is the query's.
fn check_any(bytes: &[u8]) {
    static SERVER: LazyLock<Arc<Server>> = LazyLock::new(|| server(&[]));
    let reaction = SERVER.react(bytes, LOOPBACK, Transport::Udp);
    if let Reaction::Reply(answer) = reaction {
        assert_eq!(answer[..2], bytes[..2]);
        assert!(answer[2] & 0x80 != 0);
        assert!(answer.len() <= usize::from(limits::DNS_UDP_BYTES_MAX));
        if answer[3] & 0x0f == packet::code::FORMAT_ERROR {
            assert!(answer.len() <= bytes.len());
        }
    }
}

/// A running server and its address.
struct Running {
    address: SocketAddr,
    stop: CancellationToken,
    tasks: JoinSet<()>,
}

impl Running {
    async fn start(upstreams: &[SocketAddr]) -> Self {
        let names = Arc::new(Names::default());
        names.set_snapshot(Arc::new(snapshot()));
        let any = "127.0.0.1:0".parse().expect("an address");
        let Listener { address, udp, tcp } = Listener::bind(any).await.expect("both sockets");
        let server = server_of(names, upstreams, &[address]);
        let stop = CancellationToken::new();
        let mut tasks = JoinSet::new();
        tasks.spawn(server.clone().serve_udp(Arc::new(udp), stop.clone()));
        tasks.spawn(server.serve_tcp(tcp, stop.clone()));
        Self { address, stop, tasks }
    }

    async fn stop(mut self) {
        self.stop.cancel();
        while let Some(ended) = self.tasks.join_next().await {
            ended.expect("the server ends well");
        }
    }
}

async fn exchange(stream: &mut TcpStream, query: &[u8]) -> Option<Vec<u8>> {
    let length = u16::try_from(query.len()).expect("a short query");
    stream.write_all(&[&length.to_be_bytes()[..], query].concat()).await.ok()?;
    read_message(stream).await.ok().flatten()
}

#[tokio::test]
async fn tcp_takes_many_queries_and_drops_nonsense() {
    let running = Running::start(&[]).await;
    let mut stream = TcpStream::connect(running.address).await.expect("a connection");
    for _ in 0..20 {
        let answer = exchange(&mut stream, &query(OURS, A)).await.expect("an answer");
        assert_eq!(packet::header(&answer).expect("a header").counts[1], 1);
    }
    // No length, a length of nothing, a header cut short, an answer: the connection ends.
    for bytes in [&[0, 0][..], &[0, 3, 1, 2, 3], &[0, 12, 0, 1, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0]] {
        let mut stream = TcpStream::connect(running.address).await.expect("a connection");
        stream.write_all(bytes).await.expect("sent");
        assert_eq!(stream.read(&mut [0; 8]).await.unwrap_or(0), 0, "{bytes:?}");
    }
    // A length that is larger than what comes: waits, and costs nobody else anything.
    let mut slow = TcpStream::connect(running.address).await.expect("a connection");
    slow.write_all(&[0xff, 0xff, 1]).await.expect("sent");
    assert!(exchange(&mut stream, &query(OURS, A)).await.is_some());
    running.stop().await;
}

#[tokio::test]
async fn one_source_has_so_many_connections() {
    let running = Running::start(&[]).await;
    let mut streams = Vec::new();
    for _ in 0..limits::DNS_TCP_CONNECTIONS_PER_SOURCE_MAX {
        let mut stream = TcpStream::connect(running.address).await.expect("a connection");
        assert!(exchange(&mut stream, &query(OURS, A)).await.is_some());
        streams.push(stream);
    }
    let mut more = TcpStream::connect(running.address).await.expect("the kernel accepts");
    assert!(exchange(&mut more, &query(OURS, A)).await.is_none());
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn an_idle_connection_is_closed() {
    let running = Running::start(&[]).await;
    let mut stream = TcpStream::connect(running.address).await.expect("a connection");
    stream.write_all(&[0]).await.expect("sent");
    let closed = tokio::time::timeout(limits::DNS_TCP_IDLE * 2, stream.read(&mut [0; 8])).await;
    assert_eq!(closed.expect("closed in time").unwrap_or(0), 0);
    running.stop().await;
}

#[tokio::test]
async fn dead_upstreams_do_not_hold_our_names() {
    // Bound and never read.
    let dead = UdpSocket::bind("127.0.0.1:0").await.expect("a socket");
    let running = Running::start(&[dead.local_addr().expect("an address")]).await;
    let client = UdpSocket::bind("127.0.0.1:0").await.expect("a socket");
    client.connect(running.address).await.expect("connected");
    for number in 0..50 {
        client.send(&query(&format!("{number}.example.com"), A)).await.expect("sent");
    }
    client.send(&query(OURS, A)).await.expect("sent");
    let mut buffer = [0; 512];
    // The first answer is ours: the others wait for upstreams until they fail.
    let length = tokio::time::timeout(Duration::from_secs(30), client.recv(&mut buffer)).await;
    let length = length.expect("in time").expect("an answer");
    assert_eq!(packet::header(&buffer[..length]).expect("a header").counts[1], 1);
    running.stop.cancel();
}

/// The server has no turn before all queries are sent.
#[tokio::test]
async fn a_burst_of_queries_is_answered_to_the_last() {
    let running = Running::start(&[]).await;
    let client = std::net::UdpSocket::bind("127.0.0.1:0").expect("a socket");
    make_room(&client).expect("a socket option");
    // Without privileges the kernel may grant less, and a thousand need their 800 KB.
    let room = socket2::SockRef::from(&client).recv_buffer_size().expect("a socket option");
    let burst = u16::try_from(room / 1024).unwrap_or(u16::MAX).min(1_000);
    for number in 0..burst {
        let mut bytes = query(OURS, A);
        bytes[..2].copy_from_slice(&number.to_be_bytes());
        client.send_to(&bytes, running.address).expect("sent at once");
    }
    client.set_nonblocking(true).expect("a socket option");
    let client = UdpSocket::from_std(client).expect("a socket");
    let (mut answered, mut buffer) = (std::collections::BTreeSet::new(), [0; 512]);
    while answered.len() < usize::from(burst) {
        let received = timeout(Duration::from_secs(10), client.recv(&mut buffer)).await;
        let length = received.unwrap_or_else(|_| panic!("only {} of {burst}", answered.len()));
        let answer = packet::header(&buffer[..length.expect("an answer")]).expect("a header");
        assert_eq!(answer.counts[1], 1);
        answered.insert(answer.id);
    }
    running.stop().await;
}

/// A client that knows nothing of us. Skipped without `dig` (Debian: `dnsutils`).
#[tokio::test(flavor = "multi_thread")]
async fn dig_understands_us() {
    if Command::new("dig").arg("-v").output().is_err() {
        return;
    }
    let running = Running::start(&[]).await;
    let (host, port) = (running.address.ip().to_string(), running.address.port().to_string());
    let dig = move |arguments: &[&str]| {
        let common = [&format!("@{host}"), "-p", &port, "+tries=1", "+time=5"].map(str::to_owned);
        let output = Command::new("dig").args(common).args(arguments).output().expect("dig runs");
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    let checked = tokio::task::spawn_blocking(move || {
        for (arguments, expected) in [
            (&[OURS, "A", "+short"][..], &["246.0.0.1\n"][..]),
            (&[OURS, "AAAA", "+short", "+tcp"], &["fd52::1\n"]),
            (&[OURS, "SRV"], &["9001 details.books.svc.clusterset.local.", "status: NOERROR"]),
            (
                &["_dns._udp.names.books.svc.clusterset.local", "SRV", "+short"],
                &[
                    "0 100 5353 db-1.east.names.books.svc.clusterset.local.",
                    "0 100 5353 db-2.east.names.books.svc.clusterset.local.",
                ],
            ),
            (&["nope.books.svc.clusterset.local", "A"], &["NXDOMAIN", "SOA", "flags: qr aa rd ra"]),
            (&["db.books.svc.clusterset.local", "A", "+noedns"], &["Truncated", "ANSWER: 60"]),
            (&["db.books.svc.clusterset.local", "A", "+ignore", "+noedns"], &["flags: qr aa tc"]),
            (
                &["db.books.svc.clusterset.local", "A", "+bufsize=4096"],
                &["udp: 1232", "ANSWER: 60"],
            ),
            (&[OURS, "ANY"], &["REFUSED"]),
            (&[OURS, "AXFR", "+tcp"], &["Transfer failed"]),
            (&[OURS, "A", "+edns=1", "+noednsnegotiation"], &["BADVERS"]),
            (&[OURS, "A", "+opcode=STATUS"], &["NOTIMP"]),
            (&["-c", "CH", "version.bind", "TXT"], &["REFUSED"]),
            (&["example.com", "A"], &["SERVFAIL"]),
            (&["example.com", "A", "+norecurse"], &["REFUSED"]),
        ] {
            let output = dig(arguments);
            for expected in expected {
                assert!(output.contains(expected), "{arguments:?}: no `{expected}` in {output}");
            }
        }
    });
    checked.await.expect("dig understands");
    running.stop().await;
}
