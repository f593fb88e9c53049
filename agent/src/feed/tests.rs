use rialto_types::cluster::trust_domain;
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
