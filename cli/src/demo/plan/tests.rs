use std::collections::BTreeSet;

use super::*;

#[test]
fn no_two_workloads_of_a_site_share_an_address_or_a_name() {
    let mut addresses = BTreeSet::new();
    let mut names = BTreeSet::new();
    for workload in WORKLOADS {
        assert!(addresses.insert((workload.site, workload.host)), "{workload:?}");
        assert!(names.insert((workload.site, workload.name)), "{workload:?}");
        assert!(workload.host > 1, "host 1 is the node: {workload:?}");
    }
}

#[test]
fn every_cluster_has_a_console() {
    for site in Site::CLUSTERS {
        assert!(workloads(site).any(|workload| workload.name == CONSOLE), "{site}");
    }
}

#[test]
fn loopback_ranges_of_two_clusters_do_not_meet() {
    let plan = Plan { network: Network::Loopback };
    assert_ne!(plan.vip_range(Site::East), plan.vip_range(Site::West));
    assert!(plan.resolver(Site::East).port() > 1024);
}

#[test]
fn places_survive_text() {
    for text in ["east", "vms.ratings-1"] {
        assert_eq!(text.parse::<Place>().map(|place| place.to_string()), Ok(text.to_owned()));
    }
    assert!("north".parse::<Place>().is_err());
}
