use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use rialto_types::id::Timestamp;
use rialto_types::traffic::{Counts, Entry, Histogram, Key, Report};
use rialto_types::view::{Level, clusters, services, topology};

use super::*;
use crate::state::session::Session;
use crate::traffic::{Gateway, Rings, Sources};
use crate::view::{Heard, Picture};

fn gateway(cluster: &str) -> Gateway {
    Gateway { cluster: parse(cluster), id: parse("gw-1") }
}

fn parse<T: std::str::FromStr<Err = rialto_types::id::Error>>(text: &str) -> T {
    text.parse().expect("valid")
}

fn entry(service: &str, backend: &str, to: &str, requests: u64, errors: u64) -> Entry {
    let mut latency = Histogram::default();
    (0..requests).for_each(|_| latency.add(Duration::from_millis(20)));
    let key = Key {
        service: parse(service),
        backend: Some(parse(backend)),
        cluster: Some(parse(to)),
        caller: Some(parse("spiffe://east.rialto/ns/books/sa/productpage")),
    };
    Entry { key, counts: Counts { requests, errors, latency, ..Counts::default() } }
}

fn figures() -> Figures {
    let (window, catalog) = window(&["east", "west"]);
    Figures::of(window, &catalog)
}

fn window(gateways_of: &[&str]) -> (Arc<Window>, Catalog) {
    window_with(gateways_of, Counts::default())
}

/// `other` is what the gateway of east counted without a name each time.
#[expect(clippy::disallowed_methods, reason = "a starting point; only differences count")]
fn window_with(gateways_of: &[&str], other: Counts) -> (Arc<Window>, Catalog) {
    let mut session = Session::default();
    for line in [
        "bootstrap 1 demo",
        "put Cluster east {}",
        "put Cluster west {}",
        "report east 1.1 service books/productpage http:80 exported service books/idle http:80",
        "report west 1.1 service books/reviews http:80 exported service books/v1 http:80 exported",
    ] {
        session.run(line);
    }
    let start = Instant::now();
    let mut rings = Rings::new(start);
    for number in 1..=5 {
        let report = Report {
            epoch: 1,
            end_ms: number * 2_000,
            span_ms: 2_000,
            entries: vec![
                entry("books/reviews", "books/v1", "west", 4, 1),
                entry("books/productpage", "books/productpage", "east", 6, 0),
                entry("gone/service", "gone/service", "west", 2, 0),
            ],
            other: other.clone(),
            ..Report::default()
        };
        let now = start + Duration::from_secs(number * 2);
        rings.push(gateway("east"), report, now).expect("in order");
    }
    let expected: BTreeSet<Gateway> = gateways_of.iter().map(|cluster| gateway(cluster)).collect();
    let sources = Sources { rings: &[&rings], expected, silent: Vec::new() };
    let window = Window::merge(&sources, start + Duration::from_secs(10));
    (Arc::new(window), Catalog::new(&session.state))
}

#[test]
fn another_time_has_other_rates_and_the_same_levels() {
    let (window, catalog) = window(&["east", "west"]);
    let figures = Figures::of(window, &catalog);
    let picture = Picture::new(Arc::new(catalog), Heard::default(), figures, Timestamp::default());
    let asked = |over: Option<u64>| services::Query {
        over: over.map(Duration::from_secs),
        ..services::Query::default()
    };
    let found = |over| picture.services(&asked(over)).expect("a list");
    let (usual, short) = (found(None), found(Some(4)));
    assert_eq!((usual.over_ms, short.over_ms), (30_000, 4_000));
    let requests = |found: &services::Services| -> Vec<u64> {
        found.items.iter().filter_map(|row| Some(row.rates.as_ref()?.requests)).collect()
    };
    assert_eq!((requests(&usual), requests(&short)), (vec![30, 20, 20], vec![12, 8, 8]));
    let levels = |found: &services::Services| -> Vec<(Level, String)> {
        found.items.iter().map(|row| (row.level, row.text.clone())).collect()
    };
    assert_eq!(levels(&usual), levels(&short));
    let clusters = picture.clusters(&clusters::Query { over: Some(Duration::from_secs(4)) });
    let clusters = clusters.expect("a list");
    let served: Vec<u64> =
        clusters.items.iter().filter_map(|card| Some(card.rates.as_ref()?.requests)).collect();
    assert_eq!((clusters.over_ms, served), (4_000, vec![12, 12]));
    let query = topology::Query { over: Some(Duration::from_secs(4)), ..Default::default() };
    let topology = picture.topology(&query).expect("a map");
    let carried = topology.edges.iter().filter_map(|edge| Some(edge.rates.as_ref()?.requests));
    assert_eq!((topology.over_ms, carried.collect::<Vec<_>>()), (4_000, vec![12, 8]));
    let problem = picture.services(&asked(Some(301))).expect_err("figures do not go back as far");
    assert_eq!(problem.field.as_deref(), Some("over"));
}

#[test]
fn what_nobody_called_is_zero_where_every_gateway_reports_and_unknown_elsewhere() {
    let requests = |figures: Figures| {
        let idle = figures.of_service(&parse("books/idle")).map(|rates| rates.requests);
        (idle, figures.of_cluster(&parse("elsewhere")).map(|rates| rates.requests))
    };
    let (all, catalog) = window(&["east"]);
    let figures = Figures::of(all, &catalog);
    assert_eq!(requests(figures.clone()), (Some(0), Some(0)));
    let catalog = Arc::new(catalog);
    let picture = Picture::new(catalog, Heard::default(), figures, Timestamp::default());
    let topology = picture.topology(&topology::Query::default()).expect("a map");
    let idle = topology
        .clusters
        .iter()
        .flat_map(|area| &area.nodes)
        .find(|node| node.label.contains("idle"));
    let rates = idle.and_then(|node| node.rates.as_ref());
    assert_eq!(rates.map(|rates| rates.requests), Some(0), "{topology:?}");
    let (all, catalog) = window_with(&["east"], Counts { requests: 1, ..Counts::default() });
    assert_eq!(requests(Figures::of(all, &catalog)), (None, None), "one request is nobody's");
    let (one_silent, catalog) = window(&["east", "west"]);
    assert_eq!(requests(Figures::of(one_silent, &catalog)), (None, None));
    assert_eq!(requests(Figures::default()), (None, None), "nobody was asked");
}

#[test]
fn a_window_is_summed_up_by_what_views_ask_for() {
    let figures = figures();
    let requests = |service: &str| figures.of_service(&parse(service)).map(|r| r.requests);
    assert_eq!(requests("books/reviews"), Some(20), "dialled");
    assert_eq!(requests("books/v1"), Some(20), "by a route alone");
    assert_eq!(requests("books/productpage"), Some(30));
    assert_eq!(requests("gone/service"), None, "it is not in the catalog");
    assert_eq!(figures.remote_share(&parse("books/reviews")), Some(1.0));
    assert_eq!(figures.remote_share(&parse("books/productpage")), Some(0.0));
    assert_eq!(figures.remote_share(&parse("books/v1")), None, "nobody dials it");
    let west = figures.served[&parse::<ClusterName>("west")].as_ref().map(|r| r.requests);
    assert_eq!(west, Some(30), "what is gone was served, too");
    assert_eq!(figures.total.as_ref().map(|rates| rates.requests), Some(60));
    let gaps: Vec<_> = figures.gaps.iter().filter_map(|gap| gap.cluster.clone()).collect();
    assert_eq!(gaps, [parse::<ClusterName>("west")], "its gateway never reported");
}

#[test]
fn flows_are_by_the_service_that_served() {
    let mut flows = figures().flows;
    flows.sort_by(|a, b| a.service.cmp(&b.service));
    let told: Vec<String> = flows
        .iter()
        .map(|flow| {
            let caller = flow.caller.as_ref().map_or("nobody", |caller| caller.path());
            let to = flow.to.as_ref().map_or("nowhere", ClusterName::as_str);
            let rates = flow.rates.as_ref().expect("its gateway reports");
            let (requests, errors) = (rates.requests, rates.errors);
            format!("{} {caller} {} {to} {requests}/{errors}", flow.from, flow.service)
        })
        .collect();
    assert_eq!(
        told,
        [
            "east ns/books/sa/productpage books/productpage east 30/0",
            "east ns/books/sa/productpage books/v1 west 20/5",
        ]
    );
}
