use super::*;
use crate::testing::{packet as packet_of, query, query_edns, question, record};

fn read_good(bytes: &[u8]) -> Query {
    read(bytes).expect("a good query")
}

#[test]
fn an_upstream_s_answer_becomes_the_client_s() {
    let client = read_good(&query("ExAmPlE.com", 1));
    let upstream = packet_of(
        // AA, TC would be retried, RA, AD.
        0x85a0,
        [1, 1, 0, 0],
        &[&question("example.com", 1, 1), &record(&[0xc0, 12], 1, 60, &[192, 0, 2, 1])],
    );
    let answer = client.forwarded(&upstream, 512);
    let header = packet::header(&answer).expect("a header");
    assert_eq!(header.id, 0xabcd);
    assert_eq!(answer[2..4], [0x81, 0x80], "neither AA nor AD, recursion offered");
    assert_eq!(answer[12..29], question("ExAmPlE.com", 1, 1)[..], "the client's case");
    assert_eq!(answer[29..], upstream[29..]);
}

#[test]
fn an_upstream_s_long_answer_is_truncated() {
    let client = read_good(&query_edns("example.com", 16, 4_096));
    let text = record(&[0xc0, 12], 16, 60, &[&[200][..], &[b'x'; 200]].concat());
    let parts: Vec<&[u8]> = std::iter::repeat_n(&text[..], 10).collect();
    let question = question("example.com", 16, 1);
    let parts: Vec<&[u8]> = [&question[..]].into_iter().chain(parts).collect();
    let upstream = packet_of(0x8180, [1, 10, 0, 0], &parts);
    let answer = client.forwarded(&upstream, client.udp_limit());
    let header = packet::header(&answer).expect("a header");
    assert!(header.is_truncated);
    assert_eq!(header.counts, [1, 0, 0, 1]);
    assert_eq!(client.forwarded(&upstream, 65_535).len(), upstream.len());
}

#[test]
fn nothing_of_the_client_but_its_question_goes_upstream() {
    let client = read_good(&query_edns("secret.example.com", 1, 4_096));
    let bytes = upstream_query(7, &client);
    let header = packet::header(&bytes).expect("a header");
    assert_eq!((header.id, header.recursion_desired, header.counts), (7, true, [1, 0, 0, 1]));
    assert!(packet::layout(&bytes).is_some_and(|layout| layout.has_opt));
    assert!(read(&bytes).is_ok());
    let plain = upstream_query(7, &read_good(&query("example.com", 1)));
    assert_eq!(packet::header(&plain).expect("a header").counts, [1, 0, 0, 0]);
}

#[test]
fn records_keep_their_values() {
    let query = read_good(&query("details.books.svc.clusterset.local", 33));
    let soa = rialto_core::answer::Soa {
        primary: "dns.clusterset.local.".into(),
        responsible: "hostmaster.clusterset.local.".into(),
        serial: u32::MAX,
        refresh_s: u32::MAX,
        retry_s: 1,
        expire_s: 2,
        minimum_s: 3,
    };
    let of = |data| Record { name: "Details.books.svc.clusterset.local.".into(), ttl_s: 5, data };
    let target = "db-1.east.db.books.svc.clusterset.local.".to_owned();
    let answer = Answer::Records {
        answers: vec![
            of(Data::A([246, 0, 0, 1].into())),
            of(Data::Aaaa(std::net::Ipv6Addr::LOCALHOST)),
            of(Data::Srv { priority: 1, weight: 2, port: 3, target }),
            of(Data::Txt("1.0.0".into())),
        ],
        extra: vec![of(Data::Soa(soa))],
    };
    let bytes = query.answer(&answer, 512).expect("ours");
    let message = Message::from_vec(&bytes).expect("a message");
    let text: Vec<String> =
        message.answers.iter().chain(&message.additionals).map(ToString::to_string).collect();
    assert_eq!(
        text,
        [
            "Details.books.svc.clusterset.local. 5 IN A 246.0.0.1",
            "Details.books.svc.clusterset.local. 5 IN AAAA ::1",
            "Details.books.svc.clusterset.local. 5 IN SRV 1 2 3 \
             db-1.east.db.books.svc.clusterset.local.",
            "Details.books.svc.clusterset.local. 5 IN TXT 1.0.0",
            "Details.books.svc.clusterset.local. 5 IN SOA dns.clusterset.local. \
             hostmaster.clusterset.local. 4294967295 2147483647 1 2 3",
        ]
    );
    assert!(message.metadata.authoritative);
    assert_eq!(query.answer(&Answer::NotOurs, 512), None);
}
