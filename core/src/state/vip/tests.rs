use proptest::prelude::*;

use super::*;

#[derive(Debug, Clone)]
enum Step {
    Bind(usize),
    Release(usize),
    Wait(u64),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        (0usize..8).prop_map(Step::Bind),
        (0usize..8).prop_map(Step::Release),
        (0u64..400).prop_map(Step::Wait),
    ];
    prop::collection::vec(step, 0..80)
}

fn service(at: usize) -> ServiceName {
    format!("n/s{at}").parse().expect("a service name")
}

/// Five numbers for eight services: they run out, rest and come round.
const CAPACITY: u64 = 5;

fn number(table: &Table<ServiceName>, service: &ServiceName) -> Option<u64> {
    table.number(service)
}

fn step(table: &mut Table<ServiceName>, now: &mut Timestamp, step: &Step) {
    match step {
        Step::Bind(at) => drop(table.bind(&service(*at), CAPACITY, *now)),
        Step::Release(at) => drop(table.release(&service(*at), *now)),
        Step::Wait(seconds) => *now = now.plus(std::time::Duration::from_secs(*seconds)),
    }
}

proptest! {
    #[test]
    fn an_address_has_one_owner_is_stable_and_rests(steps in steps()) {
        let (mut table, mut now) = (Table::default(), Timestamp::default());
        // By number: its last owner, and when that gave it up.
        let mut owners: BTreeMap<u64, (ServiceName, Option<Timestamp>)> = BTreeMap::new();
        for at in &steps {
            let before: Vec<Option<u64>> = (0..8).map(|s| number(&table, &service(s))).collect();
            step(&mut table, &mut now, at);
            for (s, before) in before.into_iter().enumerate() {
                let name = service(s);
                match (before, number(&table, &name)) {
                    (Some(before), Some(after)) => prop_assert_eq!(before, after),
                    (None, Some(after)) => {
                        prop_assert!((1..=CAPACITY).contains(&after));
                        if let Some((owner, until)) = owners.get(&after) && *owner != name {
                            let until = until.expect("its owner gave it up");
                            prop_assert!(until.plus(limits::VIP_QUARANTINE) <= now);
                        }
                        owners.insert(after, (name, None));
                    }
                    (Some(before), None) => drop(owners.insert(before, (name, Some(now)))),
                    (None, None) => {}
                }
            }
        }
    }

    #[test]
    fn the_same_steps_give_the_same_table(steps in steps()) {
        let (mut first, mut second) = (Table::default(), Table::default());
        let (mut now, mut later) = (Timestamp::default(), Timestamp::default());
        for at in &steps {
            step(&mut first, &mut now, at);
            step(&mut second, &mut later, at);
            second.rebuild();
        }
        prop_assert_eq!(first, second);
    }
}

#[test]
fn the_first_and_last_address_of_a_range_are_never_given() {
    let spec =
        ClusterSpec { vip_range: "10.9.0.0/28".parse().expect("a range"), ..Default::default() };
    let (mut table, now) = (Table::default(), Timestamp::default());
    let capacity = capacity(&spec);
    assert_eq!(capacity, 14);
    for at in 0..20 {
        table.bind(&service(at), capacity, now);
    }
    let given: Vec<IpAddr> = (0..20).flat_map(|at| table.addresses(&service(at), &spec)).collect();
    let v4: Vec<&IpAddr> = given.iter().filter(|address| address.is_ipv4()).collect();
    assert_eq!(v4.len(), 14);
    assert_eq!(v4[0].to_string(), "10.9.0.1");
    assert_eq!(v4[13].to_string(), "10.9.0.14");
    assert!(table.is_starved(&service(14)));
}

#[test]
fn the_smaller_range_counts() {
    let spec = ClusterSpec {
        vip_range: "10.0.0.0/8".parse().expect("a range"),
        vip_range6: "fd00::/112".parse().expect("a range"),
        ..Default::default()
    };
    assert_eq!(capacity(&spec), 65_534);
}

#[test]
fn gateway_ports_are_unique_outside_the_ephemeral_range_and_rest_before_reuse() {
    let (mut table, mut now) = (Table::<PortKey>::default(), Timestamp::default());
    assert!(table.set(&service(1), &[80, 443], now));
    assert!(table.set(&service(2), &[80], now));
    assert!(!table.set(&service(2), &[80], now), "it is there");
    let first = table.gateway_ports(&service(1));
    assert_eq!(first, [(80, 20_000), (443, 20_001)].into());
    assert_eq!(table.gateway_ports(&service(2)), [(80, 20_002)].into());
    const { assert!(limits::GATEWAY_PORT_FIRST + (limits::GATEWAY_PORTS_MAX - 1) < 30_000) };

    assert!(table.set(&service(1), &[443], now));
    assert_eq!(table.gateway_ports(&service(1)), [(443, 20_001)].into());
    assert!(table.set(&service(1), &[80, 443], now), "the same number comes back");
    assert_eq!(table.gateway_ports(&service(1)), first);

    assert!(table.set(&service(1), &[], now));
    for other in 3..3 + u64::from(limits::GATEWAY_PORTS_MAX) - 3 {
        table.set(&service(usize::try_from(other).expect("small")), &[80], now);
    }
    table.set(&service(100_000), &[80], now);
    assert!(table.gateway_ports(&service(100_000)).is_empty(), "all are taken or rest");
    now = now.plus(limits::VIP_QUARANTINE);
    table.set(&service(100_000), &[80], now);
    assert_eq!(table.gateway_ports(&service(100_000)), [(80, 20_000)].into());
    let text = serde_json::to_string(&table).expect("text keys");
    let mut read: Table<PortKey> = serde_json::from_str(&text).expect("own text");
    read.rebuild();
    assert_eq!(read, table);
}
