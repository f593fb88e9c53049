use std::collections::BTreeSet;

use proptest::prelude::*;
use rialto_types::service::AppProtocol;

use super::*;

/// What one cluster says: its name, its age, its ports, whether it is headless.
type Stated = (ClusterName, u64, ReportedService);

fn services() -> impl Strategy<Value = Vec<Stated>> {
    let port = (0u16..4, 0u16..4, any::<bool>()).prop_map(|(name, number, http)| ServicePort {
        name: Some(format!("p{name}").parse().expect("a port name")),
        port: (8000 + number).try_into().expect("not zero"),
        app_protocol: if http { AppProtocol::Http } else { AppProtocol::Tcp },
    });
    let ports = prop::collection::vec(port, 0..4).prop_map(|ports| {
        let (mut names, mut numbers) = (BTreeSet::new(), BTreeSet::new());
        let unique = |p: &ServicePort| names.insert(p.name.clone()) && numbers.insert(p.port);
        ports.into_iter().filter(unique).collect::<Vec<_>>()
    });
    let service =
        (ports, prop::bool::weighted(0.2)).prop_map(|(ports, headless)| ReportedService {
            ports,
            labels: BTreeMap::new(),
            exported: true,
            headless: headless.then(Vec::new),
            client_affinity_s: None,
            export: None,
        });
    prop::collection::vec((0u64..3, service), 0..5).prop_map(|stated| {
        let name = |at| format!("c{at}").parse().expect("a cluster name");
        let stated = stated.into_iter().enumerate();
        stated.map(|(at, (since, service))| (name(at), since, service)).collect()
    })
}

fn merged<'a>(stated: impl IntoIterator<Item = &'a Stated>) -> Definition {
    let export = |(cluster, since, service): &'a Stated| Export {
        cluster,
        since: Timestamp::from_unix_ms(*since),
        owner: Owner::Bridge,
        service,
    };
    merge(stated.into_iter().map(export).collect())
}

proptest! {
    #[test]
    fn the_order_of_arguments_never_matters(stated in services(), shift in 0usize..5) {
        let expected = merged(&stated);
        let mut turned = stated.clone();
        turned.rotate_left(shift.min(stated.len()));
        prop_assert_eq!(&expected, &merged(&turned));
        turned.reverse();
        prop_assert_eq!(&expected, &merged(&turned));
    }

    #[test]
    fn saying_it_twice_changes_nothing(stated in services()) {
        prop_assert_eq!(merged(&stated), merged(stated.iter().chain(&stated)));
    }

    #[test]
    fn ports_never_contradict_each_other(stated in services()) {
        let definition = merged(&stated);
        let names: BTreeSet<_> = definition.ports.iter().map(|port| &port.name).collect();
        let numbers: BTreeSet<_> = definition.ports.iter().map(|port| port.port).collect();
        prop_assert_eq!(names.len(), definition.ports.len());
        prop_assert_eq!(numbers.len(), definition.ports.len());
    }

    #[test]
    fn a_cluster_serves_exactly_its_ports_that_were_accepted(stated in services()) {
        let definition = merged(&stated);
        for (cluster, _, service) in &stated {
            let Some(served) = definition.clusters.get(cluster) else { continue };
            let accepted = service.ports.iter().filter(|port| definition.ports.contains(port));
            let accepted: BTreeSet<u16> = accepted.map(|port| port.port.get()).collect();
            prop_assert_eq!(&accepted.into_iter().collect::<Vec<_>>(), served);
        }
    }

    #[test]
    fn the_oldest_export_is_served_whole(stated in services()) {
        let definition = merged(&stated);
        let oldest = stated.iter().min_by_key(|(cluster, since, _)| (*since, cluster.clone()));
        let Some((cluster, _, service)) = oldest else { return Ok(()) };
        prop_assert_eq!(definition.headless, service.headless.is_some());
        prop_assert_eq!(definition.clusters[cluster].len(), service.ports.len());
    }
}
