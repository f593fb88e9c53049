//! Requests from a client to an endpoint: real sockets, and between clusters a real tunnel.

use std::cell::{OnceCell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use rialto_types::policy::AccessOperation;
use rialto_types::route::{HttpMatch, PathMatch, PathMatchKind};
use rialto_types::service::AppProtocol;
use rialto_types::snapshot::{RouteRule, WeightedBackend};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::Instant;

use super::exchange::Timeouts;
use crate::metrics::{ReasonLabel, Side, SideReason};
use crate::worker::tests::{Origin, Power, World, local, read_all, service};

const GET: &str = "GET /reviews/1 HTTP/1.1\r\nHost: reviews\r\n\r\n";
const POST: &str = "POST /reviews HTTP/1.1\r\nHost: reviews\r\nContent-Length: 2\r\n\r\nhi";

#[tokio::test]
async fn requests_of_one_connection_reach_the_other_cluster_in_order() {
    local(async {
        let origin = Server::start(|request| ok(&request)).await;
        let world = World::with(&[("west", &origin)]).await;
        let mut client = Client::of(&world).await;
        client
            .send(
                "POST /a?b=c HTTP/1.1\r\nHost: reviews:9080\r\nConnection: x-hop\r\nX-Hop: 1\r\n\
                 traceparent: 00-1-2-01\r\nTransfer-Encoding: chunked\r\n\r\n\
                 2\r\nhi\r\n0\r\n\r\n",
            )
            .await;
        let expect = "POST /a?b=c HTTP/1.1\r\nHost: reviews:9080\r\n\
                      traceparent: 00-1-2-01\r\nTransfer-Encoding: chunked\r\n\r\n\
                      2\r\nhi\r\n0\r\n\r\n";
        assert_eq!(client.answer().await, (200, expect.into()));

        client.send(&format!("{GET}{POST}")).await;
        assert_eq!(client.answer().await, (200, GET.into()));
        assert_eq!(client.answer().await, (200, POST.into()));
        assert_eq!(origin.connection_count(), 1, "the origin's connection is kept");
    })
    .await;
}

#[tokio::test]
async fn the_own_cluster_serves_what_it_can_and_others_the_rest() {
    local(async {
        let here = Server::start(|_| text("here")).await;
        let there = Server::start(|_| text("there")).await;
        let mut world = World::with(&[("east", &here), ("west", &there)]).await;
        let mut client = Client::of(&world).await;
        client.send(GET).await;
        assert_eq!(client.answer().await, (200, "here".into()));
        world.unserve("east");
        world.apply();
        client.send(GET).await;
        assert_eq!(client.answer().await, (200, "there".into()));
        world.unserve("west");
        world.apply();
        client.send(GET).await;
        let (status, content) = client.answer().await;
        assert_eq!(status, 503, "{content}");
        assert!(content.starts_with("RIA2003 "), "{content}");
    })
    .await;
}

#[tokio::test]
async fn an_endpoint_that_refuses_connections_is_passed_over() {
    local(async {
        let gone = Server::start(|_| text("gone")).await;
        gone.origin.task.abort();
        tokio::task::yield_now().await;
        let there = Server::start(|_| text("there")).await;
        let world = World::with(&[("east", &gone), ("west", &there)]).await;
        let mut client = Client::of(&world).await;
        for request in [GET, POST] {
            client.send(request).await;
            assert_eq!(client.answer().await, (200, "there".into()));
        }
    })
    .await;
}

#[tokio::test]
async fn a_policy_decides_by_path_and_method_on_both_sides() {
    local(async {
        for cluster in ["east", "west"] {
            let origin = Server::start(|_| text("allowed")).await;
            let mut world = World::with(&[(cluster, &origin)]).await;
            world.allow("spiffe://east.rialto/ns/books/sa/productpage");
            world.operations = vec![AccessOperation {
                methods: vec!["GET".into()],
                paths: vec!["/reviews/*".into()],
            }];
            world.apply();
            let mut client = Client::of(&world).await;
            client.send(GET).await;
            assert_eq!(client.answer().await, (200, "allowed".into()));
            let refused = [
                POST.to_owned(),
                GET.replace("/reviews/1", "/admin"),
                GET.replace("/reviews/1", "/reviews/../admin"),
                GET.replace("/reviews/1", "/reviews/%2e%2e/admin"),
                GET.replace("/reviews/1", "/reviews//1"),
            ];
            for request in refused {
                client.send(&request).await;
                let (status, content) = client.answer().await;
                assert!(matches!(status, 400 | 403), "{request:?} {status} {content}");
                assert!(content.starts_with("RIA2"), "{content}");
            }
            client.send(GET).await;
            assert_eq!(client.answer().await.0, 200, "the connection goes on");
            assert_eq!(origin.request_count(), 2);
        }
    })
    .await;
}

#[tokio::test]
async fn requests_are_counted_near_the_caller_by_how_they_ended() {
    local(async {
        let origin = Server::start(|request| {
            let answer = text("done");
            if request.contains("/broken") { answer.replace("200 OK", "500 Oops") } else { answer }
        })
        .await;
        let mut world = World::with(&[("west", &origin)]).await;
        world.allow("spiffe://east.rialto/ns/books/sa/productpage");
        world.operations = vec![AccessOperation { methods: vec!["GET".into()], paths: vec![] }];
        world.apply();
        let mut client = Client::of(&world).await;
        let requests = [GET.to_owned(), GET.replace("/reviews/1", "/broken"), POST.to_owned()];
        for (request, status) in requests.iter().zip([200, 500, 403]) {
            client.send(request).await;
            assert_eq!(client.answer().await.0, status);
        }
        let report = |cluster: &str| {
            let gateway = &world.gateways[cluster];
            let now = std::time::Instant::now();
            gateway.worker.traffic().report(&[], &gateway.metrics.traffic, now)
        };
        // The last answer may be with the client before its request has ended.
        let mut entries = report("east").entries;
        while entries.iter().map(|entry| entry.counts.requests).sum::<u64>() < 3 {
            tokio::task::yield_now().await;
            entries.extend(report("east").entries);
        }
        let mut all = rialto_types::traffic::Counts::default();
        for entry in &entries {
            assert_eq!(entry.key.service.to_string(), "books/reviews");
            assert_eq!(entry.key.backend.as_ref(), Some(&entry.key.service));
            assert_eq!(
                entry.key.cluster.as_ref().map(ToString::to_string).as_deref(),
                Some("west")
            );
            let caller = entry.key.caller.as_ref().map(ToString::to_string);
            assert_eq!(caller.as_deref(), Some("spiffe://east.rialto/ns/books/sa/productpage"));
            all.merge(&entry.counts);
        }
        assert_eq!((all.requests, all.errors, all.refused), (3, 1, 1));
        assert_eq!(all.latency.count(), 3);
        assert!(all.bytes_to_client >= 8, "{all:?}");
        assert!(report("west").entries.is_empty(), "the far gateway does not count them again");
    })
    .await;
}

#[tokio::test]
async fn a_route_is_chosen_by_path_for_each_request() {
    local(async {
        let origin = Server::start(|_| text("routed")).await;
        let mut world = World::with(&[("west", &origin)]).await;
        let path = PathMatch { kind: PathMatchKind::PathPrefix, value: "/reviews".into() };
        world.rules = vec![RouteRule {
            source: "HTTPRoute books/reviews rule 0".into(),
            port: None,
            http: true,
            condition: Some(HttpMatch { path: Some(path), ..HttpMatch::default() }),
            backends: vec![WeightedBackend { service: service(), port: None, weight: 1 }],
            timeout: None,
        }];
        world.apply();
        let mut client = Client::of(&world).await;
        client.send(GET).await;
        assert_eq!(client.answer().await, (200, "routed".into()));
        client.send(&GET.replace("/reviews/1", "/elsewhere")).await;
        let (status, content) = client.answer().await;
        assert!(status >= 400 && content.starts_with("RIA"), "{status} {content}");
    })
    .await;
}

#[tokio::test]
async fn a_route_bounds_the_time_of_its_requests() {
    local(async {
        let origin = Server::start(|_| String::new()).await;
        let mut world = World::with(&[("west", &origin)]).await;
        world.rules = vec![RouteRule {
            source: "HTTPRoute books/reviews rule 0".into(),
            port: None,
            http: true,
            condition: None,
            backends: vec![WeightedBackend { service: service(), port: None, weight: 1 }],
            timeout: Some(Duration::from_millis(50)),
        }];
        world.apply();
        let mut client = Client::of(&world).await;
        client.send(GET).await;
        let (status, content) = client.answer().await;
        assert_eq!(status, 504);
        assert!(content.starts_with("RIA2004 "), "{content}");
    })
    .await;
}

#[tokio::test]
async fn a_malformed_request_gets_its_answer_and_reaches_nobody() {
    local(async {
        let origin = Server::start(|_| text("reached")).await;
        let world = World::with(&[("west", &origin)]).await;
        let long = format!("GET / HTTP/1.1\r\nHost: a\r\nX: {}\r\n\r\n", "x".repeat(64 * 1024));
        let cases = [
            (POST.replace("Content-Length: 2", "Content-Length: 2\r\nContent-Length: 3"), 400),
            (POST.replace("Content-Length: 2", "Transfer-Encoding: chunked, x"), 400),
            (GET.replace("\r\n", "\n"), 400),
            ("CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\n\r\n".into(), 501),
            (GET.replace("\r\n\r\n", "\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n"), 501),
            ("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".into(), 505),
            (long, 431),
        ];
        for (request, expect) in &cases {
            let mut client = Client::of(&world).await;
            // The gateway may close before it has read all of it.
            let _ = client.stream.write_all(request.as_bytes()).await;
            let (status, content) = client.answer().await;
            assert_eq!(status, *expect, "{content}");
            assert!(content.starts_with("RIA20"), "{content}");
            let _ = client.stream.shutdown().await;
            assert_eq!(read_all(&mut client.stream).await.expect("an end").len(), 0);
        }
        assert_eq!(origin.request_count(), 0);
        let far = &world.gateways["east"].metrics;
        let labels = SideReason { side: Side::Near, reason: "content_length_repeated" };
        assert_eq!(far.refusals.get_or_create(&labels).get(), 1);
    })
    .await;
}

#[tokio::test]
async fn bad_content_ends_the_request_and_its_connection() {
    local(async {
        let origin = Server::start(|_| text("answered")).await;
        let world = World::with(&[("west", &origin)]).await;
        let mut client = Client::of(&world).await;
        let chunked = POST.replace("Content-Length: 2", "Transfer-Encoding: chunked");
        client.send(&chunked.replace("\r\n\r\nhi", "\r\n\r\n2\r\nhixx")).await;
        let (status, content) = client.answer().await;
        assert_eq!(status, 400, "{content}");
        assert_eq!(read_all(&mut client.stream).await.expect("an end").len(), 0);
        assert_eq!(origin.request_count(), 0);
    })
    .await;
}

#[tokio::test]
async fn an_ambiguous_answer_becomes_502_and_its_connection_is_not_used_again() {
    local(async {
        for cluster in ["east", "west"] {
            let both = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nhix";
            let origin = Server::start(move |_| both.into()).await;
            let world = World::with(&[(cluster, &origin)]).await;
            let mut client = Client::of(&world).await;
            for count in 1..=2 {
                client.send(GET).await;
                let (status, content) = client.answer().await;
                assert_eq!(status, 502, "{content}");
                assert!(content.starts_with("RIA2005 "), "{content}");
                assert_eq!(origin.connection_count(), count);
            }
        }
    })
    .await;
}

#[tokio::test]
async fn what_comes_behind_an_answer_is_nobodys() {
    local(async {
        let smuggled = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok\
                        HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil";
        let origin = Server::start(move |_| smuggled.into()).await;
        let world = World::with(&[("west", &origin)]).await;
        for _ in 0..3 {
            let mut client = Client::of(&world).await;
            for _ in 0..3 {
                client.send(GET).await;
                assert_eq!(client.answer().await, (200, "ok".into()));
            }
        }
        assert_eq!(origin.connection_count(), 9);
    })
    .await;
}

#[tokio::test]
async fn an_endpoint_that_dies_without_an_answer_is_replaced_if_that_is_safe() {
    local(async {
        let dying = Server::start(|_| "close".into()).await;
        let there = Server::start(|_| text("there")).await;
        let world = World::with(&[("east", &dying), ("west", &there)]).await;
        let mut client = Client::of(&world).await;
        client.send(GET).await;
        assert_eq!(client.answer().await, (200, "there".into()));

        let world = World::with(&[("vms", &dying)]).await;
        let mut client = Client::of(&world).await;
        client.send(POST).await;
        let (status, content) = client.answer().await;
        assert_eq!(status, 502, "{content}");
        assert!(content.starts_with("RIA2005 "), "{content}");
    })
    .await;
}

#[tokio::test]
async fn a_dead_gateway_costs_a_request_the_silence_bound_and_no_more() {
    local(async {
        let west = Server::start(|_| text("west")).await;
        let vms = Server::start(|_| text("vms")).await;
        let mut world = World::with(&[("west", &west), ("vms", &vms)]).await;
        world.gateways.get_mut("west").expect("there").halt();
        let before = Instant::now();
        let mut client = Client::of(&world).await;
        let silences = &world.gateways["east"].metrics.retries;
        let silences = silences.get_or_create(&ReasonLabel { reason: "silence" }).clone();
        while silences.get() == 0 {
            client.send(GET).await;
            assert_eq!(client.answer().await, (200, "vms".into()));
        }
        // From here on nobody asks it, so that nothing can be lost there.
        for request in [POST, GET, POST] {
            client.send(request).await;
            assert_eq!(client.answer().await, (200, "vms".into()));
        }
        assert!(
            before.elapsed() < rialto_types::limits::FLOW_OPEN_TIME_MAX,
            "{:?}",
            before.elapsed()
        );
    })
    .await;
}

#[tokio::test]
async fn a_gateway_that_was_silent_is_asked_again_when_nobody_else_can_serve() {
    local(async {
        let west = Server::start(|_| text("west")).await;
        let gone = Server::start(|_| text("gone")).await;
        gone.origin.task.abort();
        let mut world = World::with(&[("west", &west), ("vms", &gone)]).await;
        world.order = ["west", "vms"].map(|cluster| cluster.parse().expect("valid")).into();
        world.apply();
        let power = world.gateways["west"].power();
        power.cut();
        let refused = world.gateways["vms"].metrics.retries.clone();
        let comes_back = async {
            let reason = ReasonLabel { reason: "connect_failed" };
            while refused.get_or_create(&reason).get() == 0 {
                tokio::task::yield_now().await;
            }
            power.restore();
        };
        let mut client = Client::of(&world).await;
        client.send(GET).await;
        let (answer, ()) = tokio::join!(client.answer(), comes_back);
        assert_eq!(answer, (200, "west".into()));
        let silences = &world.gateways["east"].metrics.retries;
        assert_eq!(silences.get_or_create(&ReasonLabel { reason: "silence" }).get(), 1);
    })
    .await;
}

#[tokio::test]
async fn what_is_not_safe_to_repeat_is_delivered_once_however_its_gateway_ends() {
    local(async {
        for (request, expect) in [(POST, 502), (GET, 200)] {
            let west = Server::start(|_| text("west")).await;
            let vms = Server::start(|_| text("vms")).await;
            // West loses power when its endpoint is connected: it delivers, and nobody hears of it.
            let power = Rc::new(OnceCell::<Power>::new());
            let (cut, endpoint) = (Rc::clone(&power), west.origin.address);
            let before_west = Origin::start(move |mut near| {
                cut.get().expect("set before the first request").cut();
                async move {
                    let mut far = TcpStream::connect(endpoint).await.expect("west listens");
                    tokio::task::spawn_local(async move {
                        // Both end with the test.
                        let _ = tokio::io::copy_bidirectional(&mut near, &mut far).await;
                    });
                }
            })
            .await;
            let mut world = World::with(&[("vms", &vms)]).await;
            world.serve("west", &before_west);
            world.apply();
            assert!(power.set(world.gateways["west"].power()).is_ok());

            let mut client = Client::of(&world).await;
            let mut sent = 0;
            let (status, content) = loop {
                client.send(request).await;
                sent += 1;
                let answer = client.answer().await;
                if west.connection_count() > 0 {
                    break answer;
                }
            };
            assert_eq!(status, expect, "{content}");
            let delivered = west.request_count() + vms.request_count();
            assert_eq!(delivered, if request == POST { sent } else { sent + 1 });
        }
    })
    .await;
}

#[tokio::test]
async fn large_contents_pass_in_both_directions() {
    local(async {
        let origin = Server::start(|request| ok(&request)).await;
        let world = World::with(&[("west", &origin)]).await;
        let mut client = Client::of(&world).await;
        let content: String = (0..300_000).map(|number| format!("{number:07}")).collect();
        let head = POST.replace("h: 2\r\n\r\nhi", &format!("h: {}\r\n\r\n", content.len()));
        let request = format!("{head}{content}");
        let (mut reader, mut writer) = client.stream.split();
        let mut received = Vec::new();
        let (sent, _) = tokio::join!(writer.write_all(request.as_bytes()), async {
            while received.len() < request.len() {
                let count = reader.read_buf(&mut received).await.expect("reads");
                assert!(count > 0, "ended after {} bytes", received.len());
            }
        });
        sent.expect("writes");
        let received = String::from_utf8(received).expect("ASCII");
        assert!(received.ends_with(&content));
    })
    .await;
}

#[tokio::test]
async fn a_client_that_waits_for_continue_is_told_to_go_on() {
    local(async {
        let origin = Server::start(|request| ok(&request)).await;
        let world = World::with(&[("west", &origin)]).await;
        let mut client = Client::of(&world).await;
        let request = POST.replace("\r\n\r\nhi", "\r\nExpect: 100-continue\r\n\r\n");
        client.send(&request).await;
        assert_eq!(client.head().await, "HTTP/1.1 100 Continue\r\n\r\n");
        client.send("hi").await;
        assert_eq!(client.answer().await, (200, format!("{request}hi")));
    })
    .await;
}

#[tokio::test]
async fn an_answer_that_ends_with_its_connection_is_told_from_one_that_broke_off() {
    local(async {
        for cluster in ["east", "west"] {
            let whole = Server::start(|_| "HTTP/1.0 200 OK\r\n\r\nwholeclose".into()).await;
            let world = World::with(&[(cluster, &whole)]).await;
            let mut client = Client::of(&world).await;
            client.send(GET).await;
            let answer = read_all(&mut client.stream).await.expect("an end");
            let answer = String::from_utf8_lossy(&answer).into_owned();
            assert!(answer.contains("connection: close\r\n"), "{answer}");
            assert!(answer.ends_with("\r\n\r\nwhole"), "{answer}");

            let broken = "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalfclose";
            let broken = Server::start(move |_| broken.into()).await;
            let world = World::with(&[(cluster, &broken)]).await;
            let mut client = Client::of(&world).await;
            client.send(&GET.replace("\r\n\r\n", "\r\nConnection: close\r\n\r\n")).await;
            // Over a tunnel the reset may overtake what came before it.
            match read_all(&mut client.stream).await {
                Err(error) => assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset),
                Ok(answer) => assert!(answer.starts_with(b"HTTP/1.1 502 "), "{cluster}"),
            }
        }
    })
    .await;
}

#[tokio::test]
async fn old_clients_get_plain_answers_and_an_end() {
    local(async {
        let origin = Server::start(|_| {
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n".into()
        })
        .await;
        let world = World::with(&[("west", &origin)]).await;
        let mut client = Client::of(&world).await;
        client.send("GET / HTTP/1.0\r\n\r\n").await;
        let answer = read_all(&mut client.stream).await.expect("an end");
        let expect = "HTTP/1.1 200 OK\r\nconnection: close\r\n\r\nhi";
        assert_eq!(String::from_utf8_lossy(&answer), expect);
        let request = origin.requests.borrow().last().cloned().expect("one request");
        assert!(request.contains("host: reviews.books.svc.clusterset.local\r\n"), "{request}");
    })
    .await;
}

#[tokio::test]
async fn a_slow_client_is_told_so_and_an_idle_one_is_let_go() {
    local(async {
        let origin = Server::start(|request| ok(&request)).await;
        let world = World::with(&[("west", &origin)]).await;
        let short = Duration::from_millis(20);
        let http = world.gateways["east"].worker.http();
        let timeouts = http.timeouts.get();
        http.timeouts.set(Timeouts {
            head: short,
            client_idle: short,
            response: short,
            ..timeouts
        });

        let mut idle = Client::of(&world).await;
        assert_eq!(read_all(&mut idle.stream).await.expect("an end").len(), 0);
        let mut slow = Client::of(&world).await;
        slow.send(&GET[..20]).await;
        let (status, content) = slow.answer().await;
        assert_eq!(status, 408, "{content}");
        assert_eq!(read_all(&mut slow.stream).await.expect("an end").len(), 0);
        let mut slow = Client::of(&world).await;
        slow.send(&POST[..POST.len() - 1]).await;
        let (status, content) = slow.answer().await;
        assert_eq!(status, 408, "{content}");
        // So short a time could be too short for who is quick.
        http.timeouts.set(timeouts);
        let mut quick = Client::of(&world).await;
        quick.send(GET).await;
        assert_eq!(quick.answer().await, (200, GET.into()), "others do not wait");
    })
    .await;
}

#[tokio::test]
async fn a_client_that_stops_in_the_middle_takes_nothing_with_it() {
    local(async {
        let origin = Server::start(|_| text("served")).await;
        let world = World::with(&[("west", &origin)]).await;
        for cut in [1, GET.len() - 2, GET.len()] {
            let mut client = Client::of(&world).await;
            client.send(&GET[..cut]).await;
        }
        let mut client = Client::of(&world).await;
        client.send(&POST[..POST.len() - 1]).await;
        drop(client);
        let mut client = Client::of(&world).await;
        client.send(GET).await;
        assert_eq!(client.answer().await, (200, "served".into()));
    })
    .await;
}

#[tokio::test]
async fn a_gateway_that_stops_answers_and_says_that_it_closes() {
    local(async {
        let origin = Server::start(|_| text("served")).await;
        let mut world = World::with(&[("west", &origin)]).await;
        let mut client = Client::of(&world).await;
        client.send(GET).await;
        assert_eq!(client.answer().await, (200, "served".into()));
        let stopped = world.gateways.get_mut("east").expect("there").stop();
        tokio::task::yield_now().await;
        client.send(GET).await;
        let answer = read_all(&mut client.stream).await.expect("an end");
        let answer = String::from_utf8_lossy(&answer).into_owned();
        assert!(answer.contains("connection: close\r\n") && answer.ends_with("served"), "{answer}");
        drop(client);
        stopped.await.expect("the gateway stops");
    })
    .await;
}

impl World {
    /// Clusters `east`, `west` and `vms`; the service is served by these.
    async fn with(servers: &[(&'static str, &Server)]) -> Self {
        let mut world = World::new(&["east", "west", "vms"]);
        world.protocol = AppProtocol::Http;
        for (cluster, server) in servers {
            world.serve(cluster, &server.origin);
        }
        world.start().await;
        world
    }
}

/// A workload of `east` that is connected to the service.
struct Client {
    stream: TcpStream,
}

impl Client {
    async fn of(world: &World) -> Self {
        Self { stream: world.connect("east").await }
    }

    async fn send(&mut self, bytes: &str) {
        self.stream.write_all(bytes.as_bytes()).await.expect("writes");
    }

    async fn head(&mut self) -> String {
        read_head(&mut self.stream).await.expect("a head")
    }

    /// Status and content of a response with a length.
    async fn answer(&mut self) -> (u16, String) {
        let head = self.head().await;
        let status = head[9..12].parse().expect("a status");
        let mut content = vec![0; content_length(&head)];
        self.stream.read_exact(&mut content).await.expect("content");
        (status, String::from_utf8(content).expect("UTF-8"))
    }
}

/// An endpoint that speaks HTTP/1.1.
struct Server {
    origin: Origin,
    requests: Rc<RefCell<Vec<String>>>,
    connections: Rc<RefCell<usize>>,
}

impl Server {
    /// `answer` gets the whole request and returns the bytes to send; if they end with `close` the
    /// connection is closed behind what stands before.
    async fn start(answer: impl Fn(String) -> String + Clone + 'static) -> Self {
        let requests = Rc::<RefCell<Vec<String>>>::default();
        let connections = Rc::<RefCell<usize>>::default();
        let (seen, counted) = (Rc::clone(&requests), Rc::clone(&connections));
        let origin = Origin::start(move |mut stream| {
            *counted.borrow_mut() += 1;
            let (answer, seen) = (answer.clone(), Rc::clone(&seen));
            async move {
                tokio::task::spawn_local(async move {
                    while let Some(request) = read_request(&mut stream).await {
                        seen.borrow_mut().push(request.clone());
                        let answer = answer(request);
                        let bytes = answer.strip_suffix("close").unwrap_or(&answer);
                        // Who asks may be gone already.
                        let _ = stream.write_all(bytes.as_bytes()).await;
                        if bytes.len() < answer.len() {
                            return;
                        }
                    }
                });
            }
        })
        .await;
        Self { origin, requests, connections }
    }

    fn request_count(&self) -> usize {
        self.requests.borrow().len()
    }

    fn connection_count(&self) -> usize {
        *self.connections.borrow()
    }
}

fn text(content: &str) -> String {
    format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{content}", content.len())
}

/// The request itself as content.
fn ok(request: &str) -> String {
    text(request)
}

async fn read_request(stream: &mut TcpStream) -> Option<String> {
    let mut request = read_head(stream).await?;
    if request.contains("100-continue") {
        stream.write_all(b"HTTP/1.1 100 Continue\r\n\r\n").await.ok()?;
    }
    let mut content = vec![0; content_length(&request)];
    stream.read_exact(&mut content).await.ok()?;
    if request.contains("chunked") {
        while !content.ends_with(b"0\r\n\r\n") {
            content.push(stream.read_u8().await.ok()?);
        }
    }
    request.push_str(&String::from_utf8_lossy(&content));
    Some(request)
}

async fn read_head(stream: &mut TcpStream) -> Option<String> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.ok()?);
    }
    String::from_utf8(head).ok()
}

fn content_length(head: &str) -> usize {
    let mut lines = head.lines();
    let value = lines.find_map(|line| {
        let (name, value) = line.split_once(": ")?;
        name.eq_ignore_ascii_case("content-length").then_some(value)
    });
    value.map_or(0, |value| value.parse().expect("a length"))
}
