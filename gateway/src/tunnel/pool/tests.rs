use tokio::sync::mpsc::{Receiver, channel};
use tokio::task::LocalSet;

use super::*;
use crate::tunnel::header::{self, Answer, Mode, Open};
use crate::tunnel::tests::{Authority, endpoint};

/// A gateway with its pool, and what its owner was told.
struct Gateway {
    id: PeerId,
    pool: Pool,
    events: Receiver<Event>,
}

impl Gateway {
    fn start(authority: &Authority, cluster: &str, gateway: &str) -> Self {
        Self::start_with(authority, cluster, gateway, |_| true)
    }

    /// `admits` decides on the cluster that a certificate names.
    fn start_with(
        authority: &Authority,
        cluster: &str,
        gateway: &str,
        admits: fn(&str) -> bool,
    ) -> Self {
        let id = peer(cluster, gateway);
        let (sender, events) = channel(1_024);
        let pool = Pool::start(
            endpoint(&authority.tls(&format!("{gateway}.{cluster}.rialto"))),
            id.gateway.clone(),
            Box::new(move |certificates| {
                let peer = peer_of(certificates);
                if admits(peer.cluster.as_str()) { Ok(peer) } else { Err("not one of us".into()) }
            }),
            Box::new(move |event| {
                let _ = sender.try_send(event);
            }),
        );
        Self { id, pool, events }
    }

    fn address(&self) -> SocketAddr {
        self.pool.endpoint().local_address().expect("bound")
    }

    fn dial(&self, other: &Self) {
        self.pool.set_peers(&BTreeMap::from([(other.id.clone(), other.address())]));
    }

    /// The first event that `wanted` likes; the others are dropped.
    async fn until<T>(&mut self, wanted: impl Fn(Event) -> Option<T>) -> T {
        loop {
            let event = self.events.recv().await.expect("the pool lives");
            if let Some(found) = wanted(event) {
                return found;
            }
        }
    }

    async fn up(&mut self, count: usize) {
        for _ in 0..count {
            self.until(|event| matches!(event, Event::Up { .. }).then_some(())).await;
        }
    }
}

fn peer(cluster: &str, gateway: &str) -> PeerId {
    PeerId { cluster: cluster.parse().expect("valid"), gateway: gateway.parse().expect("valid") }
}

/// The tests' certificates name the gateway as `GATEWAY.CLUSTER.rialto`.
fn peer_of(certificates: &[CertificateDer<'static>]) -> PeerId {
    let text = String::from_utf8_lossy(&certificates[0]).into_owned();
    let end = text.find(".rialto").expect("the name is in the certificate");
    let start = text[..end]
        .rfind(|c: char| !(c.is_ascii_alphanumeric() || c == '-' || c == '.'))
        .map_or(0, |at| at + 1);
    let (gateway, cluster) = text[start..end].split_once('.').expect("two labels");
    peer(cluster, gateway.trim_start_matches(|c: char| c.is_ascii_uppercase()))
}

fn stream(event: Event) -> Option<(PeerId, SendStream, RecvStream)> {
    let Event::Stream { peer, send, recv } = event else { return None };
    Some((peer, send, recv))
}

fn summary(event: Event) -> Option<(PeerId, Vec<HealthSummary>)> {
    let Event::Summary { peer, services } = event else { return None };
    Some((peer, services))
}

fn refused(event: Event) -> Option<Error> {
    let Event::Refused { reason, .. } = event else { return None };
    Some(reason)
}

fn dial_failed(event: Event) -> Option<Error> {
    let Event::DialFailed { reason, .. } = event else { return None };
    Some(reason)
}

fn down(event: Event) -> Option<ConnectionLost> {
    let Event::Down { reason, .. } = event else { return None };
    Some(reason)
}

fn open_header() -> Open {
    Open {
        mode: Mode::Tcp,
        service: "books/reviews".parse().expect("valid"),
        port: 9080,
        backend: None,
        caller: None,
        hops: 0,
        flow: 1,
        offset: 0,
        trace: None,
        deadline_ms: None,
        affinity: None,
    }
}

async fn local(test: impl Future<Output = ()>) {
    let bounded = timeout(Duration::from_secs(60), test);
    LocalSet::new().run_until(bounded).await.expect("the test ends in its time");
}

#[tokio::test]
async fn two_connections_per_peer_and_a_flow_over_them() {
    local(async {
        let authority = Authority::new();
        let mut west = Gateway::start(&authority, "west", "w1");
        let mut east = Gateway::start(&authority, "east", "e1");
        east.dial(&west);
        east.up(limits::PEER_CONNECTIONS).await;
        west.up(limits::PEER_CONNECTIONS).await;
        assert!(east.pool.is_connected(&west.id));
        assert!(!east.pool.is_connected(&east.id));

        let Opened { mut send, mut recv, .. } = east.pool.open(&west.id).await.expect("opens");
        send.write_chunk(open_header().encode()).await.expect("writes");
        let (from, mut far_send, mut far_recv) = west.until(stream).await;
        assert_eq!(from, east.id);
        assert_eq!(header::read_open(&mut far_recv).await.expect("a header"), open_header());
        far_send.write_chunk(Answer::Accepted.encode()).await.expect("writes");
        let answer = header::read_answer(&mut recv).await.expect("an answer");
        assert_eq!(answer, Answer::Accepted);

        // The dialled one serves both directions, and the second flow takes the other connection.
        let second = east.pool.open(&west.id).await.expect("opens");
        let busy: Vec<usize> = east.pool.members().iter().map(|member| member.streams).collect();
        assert_eq!(busy, [1, 1]);
        let back = west.pool.open(&east.id).await.expect("an accepted connection carries ours");
        drop((second, back));
    })
    .await;
}

#[tokio::test]
async fn summaries_reach_those_that_are_there_and_those_that_come_later() {
    local(async {
        let authority = Authority::new();
        let west = Gateway::start(&authority, "west", "w1");
        let services = |healthy| {
            vec![HealthSummary {
                service: "books/reviews".parse().expect("valid"),
                port: 9080,
                healthy,
                total: 3,
            }]
        };
        west.pool.publish_summary(services(2));
        let mut east = Gateway::start(&authority, "east", "e1");
        east.dial(&west);

        assert_eq!(east.until(summary).await, (west.id.clone(), services(2)));
        west.pool.publish_summary(services(1));
        loop {
            let (_, now) = east.until(summary).await;
            if now == services(1) {
                break;
            }
        }
    })
    .await;
}

#[tokio::test]
async fn a_peer_whose_identity_is_refused_gets_nowhere() {
    local(async {
        let authority = Authority::new();
        let mut west = Gateway::start_with(&authority, "west", "w1", |cluster| cluster != "evil");
        let mut evil = Gateway::start(&authority, "evil", "x1");
        evil.dial(&west);
        let reason = west.until(refused).await;
        assert!(matches!(reason, Error::Identity(_)), "{reason:?}");
        evil.until(|event| matches!(event, Event::DialFailed { .. }).then_some(())).await;
        assert_eq!(evil.pool.members().len(), 0);
        assert!(matches!(evil.pool.open(&west.id).await, Err(OpenError::NotConnected(_))));
    })
    .await;
}

#[tokio::test]
async fn another_gateway_at_the_address_is_not_taken_for_the_dialled_one() {
    local(async {
        let authority = Authority::new();
        let west = Gateway::start(&authority, "west", "w2");
        let mut east = Gateway::start(&authority, "east", "e1");
        let wanted = peer("west", "w1");
        east.pool.set_peers(&BTreeMap::from([(wanted.clone(), west.address())]));
        let reason = east.until(dial_failed).await;
        let Error::OtherPeer { expected, found } = reason else {
            panic!("{reason:?}");
        };
        assert_eq!((expected, found), (wanted, west.id));
    })
    .await;
}

#[tokio::test]
async fn renewal_opens_new_connections_and_the_old_end_with_their_flows() {
    local(async {
        let authority = Authority::new();
        let mut west = Gateway::start(&authority, "west", "w1");
        let mut east = Gateway::start(&authority, "east", "e1");
        east.dial(&west);
        east.up(2).await;
        west.up(2).await;
        let old: Vec<_> = east.pool.members().iter().map(|member| member.connection).collect();
        let Opened { mut send, mut recv, .. } = east.pool.open(&west.id).await.expect("opens");
        send.write_chunk("before".into()).await.expect("writes");
        let (_, mut far_send, mut far_recv) = west.until(stream).await;

        east.pool.renew();
        east.up(2).await;
        // The idle one of the old two goes, the one with the flow stays.
        east.until(|event| matches!(event, Event::Down { .. }).then_some(())).await;
        let fresh = east.pool.open(&west.id).await.expect("opens");
        assert!(!old.contains(&fresh.connection.id()));

        send.write_chunk(" and after".into()).await.expect("the old flow goes on");
        send.finish().expect("finishes");
        far_send.finish().expect("finishes");
        let mut all = Vec::new();
        while let Some(chunk) = far_recv.read_chunk().await.expect("reads") {
            all.extend_from_slice(&chunk);
        }
        assert_eq!(all, b"before and after");
        assert_eq!(recv.read_chunk().await.expect("an end"), None);
        drop((send, recv, far_send, far_recv));
        east.until(|event| matches!(event, Event::Down { .. }).then_some(())).await;
        assert!(east.pool.members().iter().all(|m| !old.contains(&m.connection)));
    })
    .await;
}

#[tokio::test]
async fn drain_tells_the_peer_and_waits_for_the_flows() {
    local(async {
        let authority = Authority::new();
        let mut west = Gateway::start(&authority, "west", "w1");
        let mut east = Gateway::start(&authority, "east", "e1");
        east.dial(&west);
        east.up(2).await;
        west.up(2).await;
        let Opened { mut send, mut recv, .. } = east.pool.open(&west.id).await.expect("opens");
        send.write_chunk("x".into()).await.expect("writes");
        let (_, mut far_send, far_recv) = west.until(stream).await;
        let draining = tokio::task::spawn_local({
            let pool = west.pool.clone();
            async move { pool.drain().await }
        });
        east.until(|event| matches!(event, Event::Draining { .. }).then_some(())).await;
        assert!(!draining.is_finished());
        far_send.write_chunk("the last word".into()).await.expect("writes");
        far_send.finish().expect("finishes");
        drop((far_send, far_recv));
        draining.await.expect("ends");
        west.pool.close("stopped").await;
        let word = recv.read_chunk().await.expect("nothing that was accepted is lost");
        assert_eq!(word, Some("the last word".into()));
    })
    .await;
}

#[tokio::test]
async fn a_gateway_that_comes_back_is_dialled_again() {
    local(async {
        let authority = Authority::new();
        let mut west = Gateway::start(&authority, "west", "w1");
        let mut east = Gateway::start(&authority, "east", "e1");
        east.dial(&west);
        east.up(2).await;
        west.up(2).await;
        for report in west.pool.members() {
            assert_eq!(report.peer, east.id);
        }
        let cut: Vec<Connection> = {
            let peers = west.pool.shared.peers.borrow();
            peers.values().flat_map(|p| &p.members).map(|m| m.connection.clone()).collect()
        };
        cut.iter().for_each(|connection| connection.close("cut by the test"));
        let reason = east.until(down).await;
        // The pool may let go of a connection whose peer is gone before it reads why.
        let cut = ConnectionLost::ClosedByPeer("cut by the test".into());
        assert!(reason == cut || reason == ConnectionLost::ClosedHere, "{reason:?}");
        east.up(2).await;
        assert!(east.pool.is_connected(&west.id));
    })
    .await;
}

#[tokio::test]
async fn a_peer_is_suspect_until_it_is_heard() {
    local(async {
        let authority = Authority::new();
        let mut east = Gateway::start(&authority, "east", "e1");
        let mut west = Gateway::start(&authority, "west", "w1");
        east.dial(&west);
        east.up(2).await;
        west.up(2).await;
        assert_eq!(east.pool.suspects(), []);
        east.pool.suspect(&west.id);
        assert_eq!(east.pool.suspects(), [west.id.clone()]);
        // Any packet from it clears the suspicion: its summary, or an acknowledgement.
        east.pool.publish_summary(Vec::new());
        while !east.pool.suspects().is_empty() {
            tokio::task::yield_now().await;
        }
    })
    .await;
}
