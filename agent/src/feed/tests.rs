use std::collections::BTreeMap;

use rialto_types::cluster::trust_domain;
use rialto_types::local::{Endpoint, EndpointHealth};
use rialto_wire::grpc::status_problem;
use rialto_wire::transport;

use super::*;

const USER: u32 = 1_234;

/// A feed whose bridge is not there.
fn feed() -> (Feed, mpsc::Receiver<Event>) {
    let (events, received) = mpsc::channel(8);
    let cluster: ClusterName = "east".parse().expect("a cluster name");
    let feed = Feed {
        domain: trust_domain(&cluster),
        cluster,
        user: USER,
        reviewer: None,
        address: "127.0.0.1:1".into(),
        bridge: Arc::new(|| transport::connect_local("/nowhere/at/all".into())),
        table: watch::channel(None).1,
        events,
        streams: TaskTracker::new(),
        metrics: Arc::default(),
    };
    (feed, received)
}

async fn first(user: Option<u32>, role: &str, id: &str) -> Problem {
    let (role, id) = (role.to_owned(), id.to_owned());
    let mut request = Request::new(FirstRequest { role, id, ..FirstRequest::default() });
    if let Some(uid) = user {
        request.extensions_mut().insert(PeerUser { uid });
    }
    let refused = feed().0.first(request).await.expect_err("no bridge, no certificate");
    status_problem(&refused)
}

#[tokio::test]
async fn first_certificates_are_for_this_user_s_gateways_and_proxies() {
    let problem = first(Some(USER + 1), "gateway", "one").await;
    assert_eq!(problem.code, Code::IdentityRefused);
    assert!(problem.detail.contains("run as user 1234 or as root"), "{problem}");
    assert_eq!(first(None, "gateway", "one").await.code, Code::IdentityRefused);
    for role in ["agent", "member", "Gateway", ""] {
        assert_eq!(first(Some(USER), role, "one").await.code, Code::Invalid, "{role}");
    }
    for id in ["", "One", "a/b", "../x"] {
        assert_eq!(first(Some(USER), "dns", id).await.code, Code::Invalid, "{id}");
    }
    // Good, and then the bridge is missed: worth another attempt.
    for user in [USER, 0] {
        let problem = first(Some(user), "gateway", "one").await;
        assert!(problem.code.is_retryable(), "{problem}");
    }
}

#[tokio::test]
async fn renewals_are_for_parts_of_this_cluster() {
    for (peer, code) in [
        (None, Code::IdentityRefused),
        (Some("spiffe://west.rialto/rialto/gateway/one"), Code::IdentityRefused),
        (Some("spiffe://rialto/rialto/member/one"), Code::IdentityRefused),
        (Some("spiffe://east.rialto/rialto/agent/one"), Code::IdentityRefused),
        (Some("spiffe://east.rialto/ns/books/sa/details"), Code::IdentityRefused),
        (Some("spiffe://east.rialto/rialto/gateway/one"), Code::MemberUnreachable),
        (Some("spiffe://east.rialto/rialto/dns/one"), Code::MemberUnreachable),
    ] {
        let mut request = Request::new(IssueRequest::default());
        let id = peer.map(|peer| peer.parse().expect("an id"));
        request.extensions_mut().insert(PeerIdentity(id));
        let refused = feed().0.renew(request).await.expect_err("no bridge, no certificate");
        assert_eq!(status_problem(&refused).code, code, "{peer:?}");
    }
}

fn table(revision: u64, endpoints: u8) -> Arc<LocalTable> {
    let endpoint = |last| Endpoint {
        address: [192, 0, 2, last].into(),
        ports: BTreeMap::from([(80, 8_080)]),
        health: EndpointHealth::Unknown,
        udp_ports: BTreeMap::new(),
        hostname: None,
    };
    let endpoints = (0..endpoints).map(endpoint).collect();
    Arc::new(LocalTable {
        cluster: "east".parse().expect("a cluster name"),
        epoch: 1,
        revision,
        services: BTreeMap::from([("shop/cart".parse().expect("a name"), endpoints)]),
        callers: Arc::default(),
    })
}

#[test]
fn a_part_is_told_the_whole_table_once_and_changes_then() {
    let mut told = Told { takes_changes: true, table: None };
    let ToPart::Table(whole) = told.next(table(1, 1)) else { panic!("no whole table") };
    let held = whole.open().expect("as written");
    let ToPart::Change(change) = told.next(table(4, 2)) else { panic!("no change") };
    assert_eq!(change.apply(&held).expect("of this table"), *table(4, 2));
    // One that fell on the way must not be guessed.
    let ToPart::Change(change) = told.next(table(5, 3)) else { panic!("no change") };
    let refused = change.apply(&held).expect_err("a change was left out");
    assert!(refused.to_string().contains("(1, 1)"), "{refused}");
}

#[test]
fn a_part_of_an_earlier_release_is_told_whole_tables() {
    let mut told = Told::default();
    for revision in 1..3 {
        let ToPart::Table(whole) = told.next(table(revision, 1)) else { panic!("no whole table") };
        assert_eq!(whole.open().expect("as written"), *table(revision, 1));
    }
}
