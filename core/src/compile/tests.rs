use std::sync::Arc;

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
        entry @ (Entry::Cluster(_)
        | Entry::Names(_)
        | Entry::Route(_)
        | Entry::Access(_)
        | Entry::Import(_)) => entry,
    };
    let of_cluster = |cluster: crate::state::ClusterView<'_>| {
        let (entries, problems) = compile(state, cluster.name);
        (entries.into_iter().map(without_addresses).collect(), problems)
    };
    state.clusters().map(of_cluster).collect()
}

#[test]
fn what_one_service_needs_is_part_of_the_whole() {
    let mut session = Session::default();
    for line in [
        "bootstrap 1 demo",
        "put Cluster east {}",
        "put Cluster west {}",
        "report east 1.1 service n/a http:80 exported service n/b http:80 exported",
        r#"put HTTPRoute n/a {"parentRefs": [@a], "rules": [{"backendRefs": [@b]}]}"#,
        r#"put AccessPolicy n/a {"targetRefs": [@a], "action": "ALLOW", "rules": [{"from": [{}]}]}"#,
    ] {
        session.run(line);
    }
    let (state, west) = (&session.state, "west".parse().expect("a name"));
    let service = "n/a".parse().expect("a service");
    let about = Common::new(state, &Common::default()).about(state, &west, &service);
    let names: Vec<String> = about.iter().map(Entry::name).collect();
    let expect = ["cluster/east", "cluster/west", "service/n/a", "route/n/a", "access/n/a"];
    assert_eq!(names, expect);
    let (whole, _) = compile(state, &west);
    assert!(about.iter().all(|entry| whole.contains(entry)));
}

#[test]
fn only_what_changed_differs() {
    let mut session = Session::default();
    for line in [
        "bootstrap 1 demo",
        "put Cluster east {}",
        "put Cluster west {}",
        "report east 1.1 service n/a http:80 exported service n/b http:80 exported",
    ] {
        session.run(line);
    }
    let west: ClusterName = "west".parse().expect("a name");
    let first = Common::new(&session.state, &Common::default());
    let before = first.compile(&session.state, &west);
    session.run("report east 1.2 service n/a http:81 exported service n/b http:80 exported");
    let after = Common::new(&session.state, &first).compile(&session.state, &west);
    let differs =
        |(name, source): &(&Arc<str>, &Source)| before.sources.get(*name) != Some(*source);
    let differing: Vec<&str> =
        after.sources.iter().filter(differs).map(|(name, _)| &**name).collect();
    assert_eq!(differing, ["service/n/a"]);
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
    fn what_is_kept_is_as_from_scratch(steps in steps()) {
        let mut session = Session::default();
        let mut common = Common::default();
        let mut held: BTreeMap<ClusterName, (Compiled, BTreeMap<Arc<str>, Entry>)> = BTreeMap::new();
        for (at, step) in steps.iter().enumerate() {
            random::run(&mut session, step);
            // Several changes at once, as under load; east is looked at less often than the others.
            if at % 3 == 1 {
                continue;
            }
            let state = &session.state;
            common = Common::new(state, &common);
            held.retain(|cluster, _| state.cluster(cluster).is_some());
            for cluster in state.clusters().filter(|c| c.name.as_str() != "east" || at % 4 == 0) {
                let (before, entries) = held.remove(cluster.name).unwrap_or_default();
                let now = common.compile(state, cluster.name);
                let entry = |(name, source): (&Arc<str>, &Source)| {
                    let kept = entries.get(name).filter(|_| before.sources.get(name) == Some(source));
                    (name.clone(), kept.cloned().unwrap_or_else(|| source.entry()))
                };
                let kept: BTreeMap<Arc<str>, Entry> = now.sources.iter().map(entry).collect();
                let scratch = compile(state, cluster.name).0.into_iter();
                let scratch: BTreeMap<Arc<str>, Entry> =
                    scratch.map(|entry| (entry.name().into(), entry)).collect();
                prop_assert_eq!(&kept, &scratch);
                held.insert(cluster.name.clone(), (now, kept));
            }
        }
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
