use proptest::collection::{btree_map, vec};
use proptest::prelude::*;

use super::*;

fn endpoint() -> impl Strategy<Value = Endpoint> {
    (0..4_u8, 0..3_u16, any::<bool>()).prop_map(|(last, port, is_healthy)| Endpoint {
        address: IpAddr::from([10, 0, 0, last]),
        ports: BTreeMap::from([(80, 8_080 + port)]),
        udp_ports: BTreeMap::from([(53, 5_300 + port)]),
        health: if is_healthy { EndpointHealth::Healthy } else { EndpointHealth::Unknown },
        hostname: None,
    })
}

fn service() -> impl Strategy<Value = ServiceName> {
    (0..6_u8).prop_map(|number| {
        let name = format!("service-{number}").parse().expect("a label");
        ServiceName::new("shop".parse().expect("a label"), name)
    })
}

fn caller() -> impl Strategy<Value = (IpAddr, Caller)> {
    (0..8_u8, 0..3_u8).prop_map(|(last, account)| {
        let account = format!("account-{account}").parse().expect("a name");
        let caller = Caller { namespace: "shop".parse().expect("a label"), account };
        (IpAddr::from([10, 0, 1, last]), caller)
    })
}

fn table(revision: u64) -> impl Strategy<Value = LocalTable> {
    let endpoints = vec(endpoint(), 0..4).prop_map(Arc::from);
    let services = btree_map(service(), endpoints, 0..6);
    (services, vec(caller(), 0..8)).prop_map(move |(services, callers)| LocalTable {
        cluster: "east".parse().expect("a label"),
        epoch: 1,
        revision,
        services,
        callers: Arc::new(callers.into_iter().collect()),
    })
}

proptest! {
    #[test]
    fn a_change_makes_one_table_of_the_other(before in table(1), after in table(2)) {
        let change = LocalChange::between(&before, &after);
        let text = serde_json::to_vec(&change).expect("text keys only");
        let received: LocalChange = serde_json::from_slice(&text).expect("as written");
        prop_assert_eq!(received.apply(&before, 2), after);
    }

    #[test]
    fn a_change_names_only_what_differs(before in table(1), after in table(2)) {
        let change = LocalChange::between(&before, &after);
        for (name, endpoints) in &change.services {
            prop_assert_ne!(before.services.get(name), endpoints.as_ref());
        }
        for (address, caller) in &change.callers {
            prop_assert_ne!(before.callers.get(address), caller.as_ref());
        }
        prop_assert_eq!(LocalChange::between(&after, &after), LocalChange::default());
    }
}
