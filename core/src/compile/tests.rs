use proptest::prelude::*;
use rialto_types::snapshot::Entry;

use super::*;
use crate::state::codec;
use crate::state::random::{self, steps};
use crate::state::session::Session;
use crate::transcript;

#[test]
fn transcripts() {
    transcript::check("compile", || {
        let mut session = Session::default();
        move |line: &str| session.run(line)
    });
}

/// The entries of every cluster, and the problems, with each address replaced by that there is one:
/// which number a service gets depends on who came before, by design.
fn compiled(state: &State) -> Vec<(Vec<Entry>, Vec<Problem>)> {
    let without_addresses = |entry: Entry| match entry {
        Entry::Service(mut service) => {
            service
                .virtual_ips
                .iter_mut()
                .for_each(|ip| *ip = std::net::Ipv4Addr::UNSPECIFIED.into());
            Entry::Service(service)
        }
        entry @ (Entry::Cluster(_) | Entry::Names(_) | Entry::Route(_) | Entry::Access(_)) => entry,
    };
    let of_cluster = |cluster: crate::state::ClusterView<'_>| {
        let (entries, problems) = compile(state, cluster.name);
        (entries.into_iter().map(without_addresses).collect(), problems)
    };
    state.clusters().map(of_cluster).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn after_any_history_it_is_as_from_scratch(steps in steps()) {
        let mut session = Session::default();
        for step in &steps {
            random::run(&mut session, step);
        }
        let state = &session.state;
        let decoded = codec::decode(&codec::encode(state)).expect("own bytes");
        for cluster in state.clusters() {
            prop_assert_eq!(compile(state, cluster.name), compile(&decoded, cluster.name));
        }
        prop_assert_eq!(compiled(state), compiled(&random::replay(state)));
    }

    #[test]
    fn an_address_leads_to_one_service(steps in steps()) {
        let mut session = Session::default();
        for step in &steps {
            random::run(&mut session, step);
            for cluster in session.state.clusters() {
                let (entries, _) = compile(&session.state, cluster.name);
                let mut seen = std::collections::BTreeSet::new();
                for entry in entries {
                    let Entry::Service(service) = entry else { continue };
                    prop_assert_eq!(service.headless.is_some(), service.virtual_ips.is_empty());
                    prop_assert!(service.virtual_ips.into_iter().all(|ip| seen.insert(ip)));
                }
            }
        }
    }

    #[test]
    fn names_of_entries_are_unique_and_what_did_not_change_keeps_its_bytes(steps in steps()) {
        let mut session = Session::default();
        for step in &steps {
            random::run(&mut session, step);
        }
        for cluster in session.state.clusters() {
            let (entries, _) = compile(&session.state, cluster.name);
            let (again, _) = compile(&session.state.clone(), cluster.name);
            let bytes = |entries: &[Entry]| -> BTreeMap<String, Vec<u8>> {
                let encoded = |e: &Entry| serde_json::to_vec(e).expect("text keys");
                entries.iter().map(|entry| (entry.name(), encoded(entry))).collect()
            };
            prop_assert_eq!(bytes(&entries).len(), entries.len());
            prop_assert_eq!(bytes(&entries), bytes(&again));
        }
    }
}
