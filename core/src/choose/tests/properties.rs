//! What holds for every federation, every state of health and every draw.

use std::fmt::Write;

use proptest::prelude::*;
use rialto_types::id::{ClusterName, ServiceName};
use rialto_types::local::EndpointHealth;

use crate::choose::{
    Choice, EndpointRequest, Excluded, HttpRequest, Request, Target, choose, choose_endpoint,
};
use crate::health::{GatewayState, PeerRef};
use crate::world::{World, parse};

const CLUSTERS: [&str; 4] = ["east", "north", "vms", "west"];

/// A cluster of a made-up federation.
#[derive(Debug, Clone)]
struct Cluster {
    exports: bool,
    drained: bool,
    gateways: Vec<&'static str>,
    summary: Option<(u32, u32)>,
}

#[derive(Debug, Clone)]
struct Plan {
    clusters: Vec<Cluster>,
    order: Vec<&'static str>,
    /// The own cluster's endpoints: health, and outcomes in a row.
    endpoints: Vec<(&'static str, &'static str, u32)>,
    tried_endpoints: Vec<usize>,
    tried_clusters: Vec<usize>,
}

fn cluster() -> impl Strategy<Value = Cluster> {
    let states = prop::sample::select(vec!["", "connected", "lost", "draining"]);
    let summary = prop::option::of((0..4_u32, 0..4_u32));
    let parts = (any::<bool>(), any::<bool>(), prop::collection::vec(states, 0..3), summary);
    parts.prop_map(|(exports, drained, gateways, summary)| Cluster {
        exports,
        drained,
        gateways,
        summary,
    })
}

fn plan() -> impl Strategy<Value = Plan> {
    let health = prop::sample::select(vec!["healthy", "unhealthy", ""]);
    let outcome = prop::sample::select(vec!["ok", "5xx", "refused"]);
    (
        prop::collection::vec(cluster(), CLUSTERS.len()),
        prop::sample::subsequence(CLUSTERS.to_vec(), 0..3).prop_shuffle(),
        prop::collection::vec((health, outcome, 0..7_u32), 0..5),
        prop::collection::vec(0..5_usize, 0..3),
        prop::collection::vec(0..4_usize, 0..3),
    )
        .prop_map(|(clusters, order, endpoints, tried_endpoints, tried_clusters)| Plan {
            clusters,
            order,
            endpoints,
            tried_endpoints,
            tried_clusters,
        })
}

fn build(plan: &Plan) -> World {
    let mut lines = String::from("own east\n");
    let line = |lines: &mut String, text: std::fmt::Arguments<'_>| {
        writeln!(lines, "{text}").expect("a String takes all");
    };
    let exporting: Vec<&str> =
        CLUSTERS.iter().zip(&plan.clusters).filter(|(_, c)| c.exports).map(|(n, _)| *n).collect();
    let (exporting, order) = (exporting.join(","), plan.order.join(","));
    line(&mut lines, format_args!("service b/s ports=80/http clusters={exporting} order={order}"));
    for (at, (name, cluster)) in CLUSTERS.iter().zip(&plan.clusters).enumerate() {
        let gateways =
            (0..cluster.gateways.len()).map(|g| format!("{name}-{g}@10.{at}.0.{g}:7000"));
        let gateways: Vec<String> = gateways.collect();
        let drained = if cluster.drained { "drained" } else { "" };
        let gateways = gateways.join(",");
        line(&mut lines, format_args!("cluster {name} gateways={gateways} {drained}"));
        for (g, state) in cluster.gateways.iter().enumerate().filter(|(_, s)| !s.is_empty()) {
            line(&mut lines, format_args!("peer {name} {name}-{g} connected"));
            line(&mut lines, format_args!("peer {name} {name}-{g} {state}"));
        }
        if let Some((healthy, total)) = cluster.summary {
            line(&mut lines, format_args!("summary {name} b/s 80 {healthy}/{total}"));
        }
    }
    for (at, (health, outcome, times)) in plan.endpoints.iter().enumerate() {
        line(&mut lines, format_args!("endpoint b/s 10.9.0.{at} 80=8080 {health}"));
        line(&mut lines, format_args!("outcome 10.9.0.{at}:8080 {outcome} times={times}"));
    }
    World::of(&lines)
}

fn address(at: usize) -> std::net::SocketAddr {
    parse(&format!("10.9.0.{at}:8080"))
}

/// What a test needs to know of the made-up federation, computed in another way than `choose` does.
struct Truth<'a> {
    plan: &'a Plan,
    world: &'a World,
}

impl Truth<'_> {
    fn is_tried(&self, at: usize) -> bool {
        self.plan.tried_endpoints.contains(&at)
    }

    /// Own endpoints that are neither unhealthy nor ejected nor tried.
    fn usable(&self) -> usize {
        let endpoints = self.plan.endpoints.iter().enumerate();
        let usable = endpoints.filter(|(at, (health, ..))| {
            let ejected = self.world.health.ejected_until(address(*at), self.world.now);
            *health != "unhealthy" && ejected.is_none() && !self.is_tried(*at)
        });
        usable.count()
    }

    /// Whether a cluster is able, or might be for all that is known.
    fn may_serve(&self, at: usize) -> bool {
        let cluster = &self.plan.clusters[at];
        if !cluster.exports || self.plan.tried_clusters.contains(&at) {
            return false;
        }
        if CLUSTERS[at] == "east" {
            return self.usable() > 0;
        }
        let is_reachable = cluster.gateways.iter().any(|g| matches!(*g, "" | "connected"));
        is_reachable && cluster.summary.is_none_or(|(healthy, total)| healthy.min(total) > 0)
    }

    fn check(&self, choice: Choice<'_>) {
        let Plan { clusters, tried_clusters, .. } = self.plan;
        let (name, chosen) = match choice.target {
            Target::Local { endpoint } => {
                let at = (0..self.plan.endpoints.len()).find(|at| address(*at) == endpoint);
                let at = at.expect("an endpoint of the own cluster");
                assert_ne!(self.plan.endpoints[at].0, "unhealthy");
                assert!(!self.is_tried(at), "an endpoint is tried twice");
                ("east", 0)
            }
            Target::Remote { cluster, gateway, .. } => {
                let peer = PeerRef { cluster, gateway };
                let state = self.world.health.gateway(peer, self.world.now);
                let is_fit = matches!(state, GatewayState::Up { .. } | GatewayState::Unknown);
                assert!(is_fit, "{gateway} is {state:?}");
                let at = CLUSTERS.iter().position(|name| *name == cluster.as_str());
                let at = at.expect("a cluster of the federation");
                assert_ne!(cluster.as_str(), "east");
                (CLUSTERS[at], at)
            }
        };
        assert!(clusters[chosen].exports, "{name} does not export");
        assert!(!tried_clusters.contains(&chosen), "{name} was tried");
        let is_first = |at: &usize| !clusters[*at].drained && self.may_serve(*at);
        if clusters[chosen].drained {
            assert!(
                !self.may_serve(chosen) || !(0..4).any(|at| is_first(&at)),
                "{name} is drained"
            );
        }
        let is_local_first = !self.plan.order.contains(&"east") && is_first(&0);
        let own = self.world.table.services.values().flat_map(|held| &**held);
        let is_whole = own.clone().all(|e| e.health != EndpointHealth::Unhealthy)
            && self.usable() + self.plan.tried_endpoints_count() == self.plan.endpoints.len();
        if is_local_first && is_whole {
            assert_eq!(name, "east", "local comes first");
        }
    }
}

impl Plan {
    fn tried_endpoints_count(&self) -> usize {
        (0..self.endpoints.len()).filter(|at| self.tried_endpoints.contains(at)).count()
    }
}

proptest! {
    #[test]
    fn a_choice_is_exported_untried_reachable_and_drained_last(plan in plan(), draw: u64) {
        let world = build(&plan);
        let service: ServiceName = parse("b/s");
        let tried: Vec<ClusterName> =
            plan.tried_clusters.iter().map(|at| parse(CLUSTERS[*at])).collect();
        let endpoints = plan.tried_endpoints.iter().map(|at| Excluded::Endpoint(address(*at)));
        let excluded: Vec<Excluded<'_>> =
            endpoints.chain(tried.iter().map(Excluded::Cluster)).collect();
        let http = HttpRequest { method: "GET", path: "/", query: None, headers: &[] };
        let (service, http) = (&service, Some(http));
        let request = Request { service, port: 80, http, caller: None, excluded: &excluded };
        let truth = Truth { plan: &plan, world: &world };
        let World { snapshot, table, health, now, .. } = &world;
        let choice = choose(snapshot, table, health, &request, *now, draw);
        prop_assert_eq!(&choice, &choose(snapshot, table, health, &request, *now, draw));
        match choice {
            Ok(choice) => truth.check(choice),
            Err(refusal) => {
                prop_assert!(!(0..4).any(|at| truth.may_serve(at)), "{}", refusal);
            }
        }
        let request = EndpointRequest {
            dialled: service,
            service,
            port: 80,
            affinity: None,
            excluded: &excluded,
        };
        match choose_endpoint(snapshot, table, health, &request, *now, draw) {
            Ok(endpoint) => {
                prop_assert!(plan.clusters[0].exports);
                prop_assert!(!excluded.contains(&Excluded::Endpoint(endpoint)));
            }
            Err(_) => prop_assert!(!plan.clusters[0].exports || truth.usable() == 0),
        }
    }

    #[test]
    fn weights_are_exact_over_any_run_of_draws(
        weights in prop::collection::vec(0..60_u32, 1..16),
        first in 0..u64::MAX / 2,
    ) {
        let mut lines = String::from("own east\nservice b/p ports=80/http clusters=east\n");
        let mut route = String::from("route b/p http to=");
        for (at, weight) in weights.iter().enumerate() {
            writeln!(lines, "service b/s{at} ports=80/http clusters=east").expect("a String");
            writeln!(lines, "endpoint b/s{at} 10.0.0.{at} 80=80").expect("a String");
            write!(route, "b/s{at}*{weight},").expect("a String");
        }
        let world = World::of(&format!("{lines}{route}"));
        let service: ServiceName = parse("b/p");
        let http = HttpRequest { method: "GET", path: "/", query: None, headers: &[] };
        let (service, http) = (&service, Some(http));
        let request = Request { service, port: 80, http, caller: None, excluded: &[] };
        let total: u64 = weights.iter().map(|weight| u64::from(*weight)).sum();
        let mut counts = vec![0; weights.len()];
        for draw in first..first + total {
            let World { snapshot, table, health, now, .. } = &world;
            let choice = choose(snapshot, table, health, &request, *now, draw);
            let backend = choice.expect("a backend with a weight").backend;
            let at: usize = parse(&backend.name.as_str()[1..]);
            counts[at] += 1;
        }
        prop_assert_eq!(counts, weights);
    }
}
