//! What holds of callers that stay where they are, for every caller and federation.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use proptest::prelude::*;
use rialto_types::id::{ClusterName, ServiceName};

use crate::choose::affinity::Key;
use crate::choose::{EndpointRequest, Excluded, Request, Target, choose, choose_endpoint};
use crate::world::{World, parse};

/// So many that a part of them that is wrong by a tenth is noticed.
const CALLERS: u32 = 4_000;

fn callers() -> impl Iterator<Item = IpAddr> {
    (0..CALLERS).map(|nth| Ipv4Addr::from_bits(0x0a64_0000 + nth).into())
}

/// Cluster `east` with so many endpoints of the sticky `b/s`; `more` lines come before them.
fn east(endpoints: usize, more: &str) -> World {
    let mut lines =
        format!("own east\nservice b/s ports=80/tcp clusters=east,west sticky\n{more}\n");
    for at in 0..endpoints {
        writeln!(lines, "endpoint b/s 10.9.0.{at} 80=8080 healthy").expect("a String");
    }
    World::of(&lines)
}

fn address(at: usize) -> SocketAddr {
    parse(&format!("10.9.0.{at}:8080"))
}

/// Where a caller goes, in a form that outlives the world.
#[derive(Debug, Clone, PartialEq)]
struct Place {
    backend: ServiceName,
    /// Of another cluster.
    cluster: Option<ClusterName>,
    endpoint_or_gateway: SocketAddr,
}

fn near(world: &World, caller: IpAddr, excluded: &[Excluded<'_>], draw: u64) -> Place {
    let World { snapshot, table, health, now, .. } = world;
    let (service, caller) = (&parse("b/s"), Some(caller));
    let request = Request { service, port: 80, http: None, caller, excluded };
    let choice = choose(snapshot, table, health, &request, *now, draw).expect("somebody serves");
    let (cluster, endpoint_or_gateway) = match choice.target {
        Target::Local { endpoint } => (None, endpoint),
        Target::Remote { cluster, address, .. } => (Some(cluster.clone()), address),
    };
    Place { backend: choice.backend.clone(), cluster, endpoint_or_gateway }
}

fn far(world: &World, caller: IpAddr, draw: u64) -> SocketAddr {
    let World { snapshot, table, health, now, .. } = world;
    let service: ServiceName = parse("b/s");
    let affinity = Some(Key::of(caller, &service));
    let (dialled, excluded) = (&service, &[]);
    let request = EndpointRequest { dialled, service: &service, port: 80, affinity, excluded };
    choose_endpoint(snapshot, table, health, &request, *now, draw).expect("an endpoint")
}

/// How many callers each choice gets.
fn spread<T: Ord>(choice: impl Fn(IpAddr) -> T) -> BTreeMap<T, u32> {
    let mut counts = BTreeMap::new();
    callers().for_each(|caller| *counts.entry(choice(caller)).or_default() += 1);
    counts
}

/// Within a fiftieth of all; the callers are the same in every run.
fn check_share(count: u32, percent: u32) {
    let wanted = CALLERS * percent / 100;
    assert!(count.abs_diff(wanted) < CALLERS / 50, "{count} of {CALLERS}, expected {wanted}");
}

proptest! {
    #[test]
    fn a_caller_is_served_by_the_same_endpoint_whatever_is_drawn(
        caller: Ipv4Addr, draws: [u64; 4], endpoints in 1..9_usize,
    ) {
        let world = east(endpoints, "");
        let caller = IpAddr::V4(caller);
        let first = near(&world, caller, &[], draws[0]);
        for draw in draws {
            prop_assert_eq!(&near(&world, caller, &[], draw), &first);
            // A gateway of another cluster that sends the caller here comes to the same.
            prop_assert_eq!(far(&world, caller, draw), first.endpoint_or_gateway);
        }
    }

    #[test]
    fn an_endpoint_that_is_lost_moves_its_own_callers_and_no_others(
        caller: Ipv4Addr, endpoints in 2..9_usize, lost in 0..9_usize,
        how in prop::sample::select(vec!["removed", "unhealthy", "ejected", "tried"]),
    ) {
        let (caller, lost) = (IpAddr::V4(caller), lost % endpoints);
        let west = "cluster west gateways=w@10.2.0.1:7000\npeer west w connected\n\
                    summary west b/s 80 4/4";
        let before = near(&east(endpoints, west), caller, &[], 1);
        let mut world = east(endpoints, west);
        let mut excluded = Vec::new();
        match how {
            "removed" => {
                let endpoints = world.table.services.values_mut().next().expect("b/s");
                let (before, after) = (&endpoints[..lost], &endpoints[lost + 1..]);
                *endpoints = [before, after].concat().into();
            }
            "unhealthy" => {
                let line = format!("endpoint b/s 10.9.0.{lost} 80=8080 unhealthy");
                prop_assert_eq!(world.run(&line), "");
            }
            "ejected" => {
                let line = format!("outcome 10.9.0.{lost}:8080 refused times=9");
                prop_assert_eq!(world.run(&line), "");
            }
            _ => excluded.push(Excluded::Endpoint(address(lost))),
        }
        let after = near(&world, caller, &excluded, 2);
        if before.endpoint_or_gateway == address(lost) {
            prop_assert_ne!(after.endpoint_or_gateway, address(lost));
        } else {
            prop_assert_eq!(after, before);
        }
    }

    #[test]
    fn an_endpoint_that_comes_takes_callers_and_moves_none_between_the_others(
        caller: Ipv4Addr, endpoints in 1..9_usize,
    ) {
        let caller = IpAddr::V4(caller);
        let before = far(&east(endpoints, ""), caller, 0);
        let after = far(&east(endpoints + 1, ""), caller, 0);
        prop_assert!(after == before || after == address(endpoints));
    }

    #[test]
    fn a_cluster_that_grows_takes_callers_and_moves_none_between_the_others(
        caller: Ipv4Addr, counts in prop::collection::vec(1..9_u32, 3), grown in 0..3_usize,
    ) {
        let caller = IpAddr::V4(caller);
        let before = near(&remote(&counts), caller, &[], 0);
        let mut more = counts;
        more[grown] += 5;
        let after = near(&remote(&more), caller, &[], 0);
        let is_grown = after.cluster == Some(parse(REMOTE[grown]));
        prop_assert!(after == before || is_grown, "{:?} after {:?}", after, before);
    }
}

const REMOTE: [&str; 3] = ["north", "vms", "west"];

/// Clusters of one rank, with so many endpoints each, and none in the own one.
fn remote(counts: &[u32]) -> World {
    let mut lines = String::from("own east\nservice b/s ports=80/tcp clusters=");
    lines += &format!("{} sticky\n", REMOTE[..counts.len()].join(","));
    for (name, count) in REMOTE.iter().zip(counts) {
        writeln!(lines, "cluster {name} gateways={name}-1@10.2.0.1:7000,{name}-2@10.2.0.2:7000")
            .expect("a String");
        for gateway in 1..=2 {
            writeln!(lines, "peer {name} {name}-{gateway} connected").expect("a String");
        }
        writeln!(lines, "summary {name} b/s 80 {count}/{count}").expect("a String");
    }
    World::of(&lines)
}

#[test]
fn callers_are_spread_evenly_over_endpoints() {
    let world = east(5, "");
    let counts = spread(|caller| far(&world, caller, 0));
    assert_eq!(counts.len(), 5);
    counts.into_values().for_each(|count| check_share(count, 20));
}

#[test]
fn clusters_of_one_rank_get_callers_by_their_endpoints() {
    let world = remote(&[1, 3, 6]);
    let counts = spread(|caller| near(&world, caller, &[], 0).cluster);
    for (name, percent) in REMOTE.iter().zip([10, 30, 60]) {
        check_share(counts[&Some(parse(name))], percent);
    }
}

#[test]
fn backends_of_a_route_get_callers_by_weight_and_a_shift_moves_no_more_than_it_must() {
    let world = |weights: [u32; 2]| {
        let [one, two] = weights;
        World::of(&format!(
            "own east\n\
             service b/s ports=80/tcp clusters=east sticky\n\
             service b/v1 ports=80/tcp clusters=east\n\
             service b/v2 ports=80/tcp clusters=east\n\
             endpoint b/v1 10.9.1.1 80=80\n\
             endpoint b/v2 10.9.2.1 80=80\n\
             route b/s tcp to=b/v1*{one},b/v2*{two}"
        ))
    };
    let (few, many) = (world([90, 10]), world([60, 40]));
    let backend = |world: &World, caller| near(world, caller, &[], 0).backend;
    check_share(spread(|caller| backend(&few, caller))[&parse("b/v2")], 10);
    let moves = spread(|caller| (backend(&few, caller), backend(&many, caller)));
    let moved =
        |from: &str, to: &str| moves.get(&(parse(from), parse(to))).copied().unwrap_or_default();
    check_share(moved("b/v1", "b/v2"), 30);
    assert_eq!(moved("b/v2", "b/v1"), 0);
}

/// Each level has what it has without affinity, although those who spill are picked.
#[test]
fn what_spills_is_as_much_as_without_affinity() {
    let west = "cluster west gateways=w@10.2.0.1:7000\npeer west w connected\n\
                summary west b/s 80 2/2";
    let mut world = east(5, west);
    for at in 0..3 {
        assert_eq!(world.run(&format!("endpoint b/s 10.9.0.{at} 80=8080 unhealthy")), "");
    }
    let counts = spread(|caller| near(&world, caller, &[], 0).cluster);
    // Two of five by the overprovisioning factor of 1.4.
    check_share(counts[&None], 56);
}

/// Gateways of two releases must agree: a change of the arithmetic is a change of the protocol.
#[test]
fn the_arithmetic_stays() {
    let key = |caller: &str| Key::of(parse(caller), &parse("b/s")).number();
    assert_eq!(key("::ffff:10.1.2.3"), key("10.1.2.3"));
    assert_ne!(key("10.1.2.3"), key("10.1.2.4"));
    assert_eq!(key("10.1.2.3"), 12_496_147_949_927_769_135);
    assert_eq!(far(&east(8, ""), parse("10.1.2.3"), 0), address(0));
}
