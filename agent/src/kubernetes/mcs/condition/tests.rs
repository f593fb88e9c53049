use std::collections::BTreeMap;

use rialto_types::import::{Conflict, Protocol, Traits};

use super::*;

fn cluster(name: &str) -> ClusterName {
    name.parse().expect("a cluster")
}

fn port(name: &str, protocol: Protocol, number: u16) -> Port {
    let (name, port) = (name.parse().ok(), number.try_into().expect("a port"));
    Port { name, protocol, port, app_protocol: None }
}

/// Exported by east, whose ports those are, and by west, which serves none.
fn entry(ports: Vec<Port>, conflicts: &[(Reason, &str)]) -> ImportEntry {
    let conflict = |(reason, message): &(Reason, &str)| Conflict {
        reason: *reason,
        message: (*message).into(),
    };
    ImportEntry {
        service: "shop/web".parse().expect("a service"),
        headless: false,
        traits: Traits { ports: ports.clone(), ..Traits::default() },
        clusters: BTreeMap::from([(cluster("east"), ports), (cluster("west"), Vec::new())]),
        conflicts: conflicts.iter().map(conflict).collect(),
    }
}

fn state(validity: Validity) -> ExportState {
    ExportState { validity, generation: 3, conditions: Vec::new() }
}

/// `TYPE=STATUS REASON: MESSAGE` of each.
fn told(validity: Validity, entry: Option<&ImportEntry>, of: &str) -> Vec<String> {
    let claims = of_export(&state(validity), entry, &cluster(of));
    let line = |claim: &Claim| {
        let Claim { kind, holds, reason, message } = claim;
        format!("{kind}={holds} {reason}: {message}")
    };
    claims.iter().map(line).collect()
}

#[test]
fn an_export_without_a_service_is_not_valid() {
    let told = told(Validity::NoService, None, "east");
    assert_eq!(
        told,
        [
            "Valid=false NoService: there is no Service of this name in the namespace",
            "Ready=false Failed: see the condition `Valid`",
        ]
    );
}

#[test]
fn an_external_name_is_refused() {
    let told = told(Validity::InvalidServiceType, None, "east");
    assert!(told[0].starts_with("Valid=false InvalidServiceType: "), "{told:?}");
}

#[test]
fn an_export_is_pending_until_the_bridge_has_it() {
    let told = told(Validity::Valid, None, "east");
    assert_eq!(told[0], "Valid=true Valid: ");
    assert!(told[1].starts_with("Ready=false Pending: "), "{told:?}");
    assert_eq!(told.len(), 2, "nothing is known of conflicts");
}

#[test]
fn what_every_cluster_agrees_on_has_no_conflict() {
    let entry = entry(vec![port("http", Protocol::Tcp, 80)], &[]);
    let told = told(Validity::Valid, Some(&entry), "east");
    assert_eq!(
        told,
        ["Valid=true Valid: ", "Ready=true Exported: ", "Conflict=false NoConflicts: "]
    );
}

#[test]
fn conflicts_are_told_on_all_exporting_clusters_each_reason_once() {
    let conflicts =
        [(Reason::TypeConflict, "a"), (Reason::PortConflict, "b"), (Reason::PortConflict, "c")];
    let entry = entry(vec![port("http", Protocol::Tcp, 80)], &conflicts);
    for of in ["east", "west"] {
        let told = told(Validity::Valid, Some(&entry), of);
        assert_eq!(told[2], "Conflict=true PortConflict,TypeConflict: a; b; c");
    }
    let west = told(Validity::Valid, Some(&entry), "west");
    assert!(west[1].starts_with("Ready=false Failed: "), "nothing of it is served: {west:?}");
}

#[test]
fn a_port_that_gateways_do_not_carry_is_named() {
    let ports = vec![port("dns", Protocol::Tcp, 42), port("dns-udp", Protocol::Udp, 42)];
    let mut entry = entry(ports, &[]);
    let ready = told(Validity::Valid, Some(&entry), "east")[1].clone();
    assert!(ready.starts_with("Ready=true Exported: ") && ready.ends_with(": dns-udp 42/UDP"));
    entry.headless = true;
    let ready = told(Validity::Valid, Some(&entry), "east")[1].clone();
    assert_eq!(ready, "Ready=true Exported: ", "pods are dialled themselves");
}

#[test]
fn a_condition_keeps_its_time_while_its_status_stays() {
    let claim = |holds, reason: &str| Claim::new("Ready", holds, reason, String::new());
    let first = settle(&[claim(false, "Pending")], &[], 1, Timestamp::from_unix_ms(1_500));
    assert_eq!(first[0].last_transition_time, "1970-01-01T00:00:01Z");
    let same = settle(&[claim(false, "Failed")], &first, 2, Timestamp::from_unix_ms(9_000));
    assert_eq!(same[0].last_transition_time, "1970-01-01T00:00:01Z");
    assert_eq!((&*same[0].reason, same[0].observed_generation), ("Failed", 2));
    let turned = settle(&[claim(true, "Exported")], &same, 2, Timestamp::from_unix_ms(9_000));
    assert_eq!(turned[0].last_transition_time, "1970-01-01T00:00:09Z");
}

#[test]
fn conditions_of_others_are_theirs() {
    let others = Condition {
        kind: "Audited".into(),
        status: "True".into(),
        observed_generation: 1,
        last_transition_time: "1970-01-01T00:00:01Z".into(),
        reason: "Fine".into(),
        message: String::new(),
    };
    let claim = Claim::new("Ready", true, "Exported", String::new());
    let wanted = settle(&[claim], std::slice::from_ref(&others), 1, Timestamp::default());
    assert_eq!(wanted.len(), 1, "we write our own only");
    let held = [vec![others], wanted.clone()].concat();
    assert!(has_all(&held, &wanted), "and are content beside them");
}
