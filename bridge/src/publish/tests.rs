use rialto_types::snapshot::{self, ClusterEntry};
use rialto_wire::subscribe::Assembly;

use super::*;

fn cluster(name: &str, region: &str) -> Entry {
    delta_entry(&snapshot::Entry::Cluster(ClusterEntry {
        name: name.parse().expect("valid"),
        trust_domain: format!("{name}.rialto").parse().expect("valid"),
        anchors: Vec::new(),
        gateways: Vec::new(),
        drained: false,
        region: Some(region.into()),
    }))
}

fn published(index: u64, entries: Vec<Entry>) -> Published {
    let entries = entries.into_iter().map(|entry| (entry.name.as_str().into(), entry)).collect();
    let compiled = Compiled { revision: Revision::new(1, index), ..Compiled::default() };
    Published { compiled, entries }
}

/// What a subscriber holds after all parts.
fn receive(assembly: &mut Assembly, parts: Vec<Delta>) -> Vec<String> {
    let mut names = Vec::new();
    for part in parts {
        if let Some(whole) = assembly.receive(part).expect("taken") {
            names = whole.snapshot.clusters.keys().map(ToString::to_string).collect();
        }
    }
    names
}

#[test]
fn only_what_differs_is_sent() {
    let (mut cursor, mut assembly) = (Cursor::default(), Assembly::default());
    let first = published(1, vec![cluster("east", "a"), cluster("west", "a")]);
    assert_eq!(receive(&mut assembly, cursor.advance(&first)), ["east", "west"]);
    let second = published(2, vec![cluster("east", "b"), cluster("vms", "a")]);
    let parts = cursor.advance(&second);
    let sent: Vec<&str> = parts[0].entries.iter().map(|entry| entry.name.as_str()).collect();
    assert_eq!(sent, ["cluster/east", "cluster/vms"]);
    assert_eq!(parts[0].removed, ["cluster/west"]);
    assert_eq!(receive(&mut assembly, parts), ["east", "vms"]);
}

#[test]
fn an_unchanged_snapshot_advances_by_an_empty_delta_once() {
    let (mut cursor, mut assembly) = (Cursor::default(), Assembly::default());
    receive(&mut assembly, cursor.advance(&published(1, vec![cluster("east", "a")])));
    let parts = cursor.advance(&published(2, vec![cluster("east", "a")]));
    assert!(parts[0].entries.is_empty() && parts[0].last);
    assert_eq!(receive(&mut assembly, parts), ["east"]);
    assert!(cursor.advance(&published(2, vec![cluster("east", "a")])).is_empty());
}

#[test]
fn a_subscriber_that_returns_gets_only_the_rest() {
    let mut assembly = Assembly::default();
    let first = published(1, vec![cluster("east", "a"), cluster("west", "a")]);
    receive(&mut assembly, Cursor::default().advance(&first));
    let mut cursor = Cursor::new(assembly.revision(), assembly.have());
    let parts = cursor.advance(&published(3, vec![cluster("west", "a")]));
    assert!(parts[0].entries.is_empty());
    assert_eq!(receive(&mut assembly, parts), ["west"]);
}

#[test]
fn after_a_refusal_everything_is_sent_again() {
    let mut cursor = Cursor::default();
    let both = vec![cluster("east", "a"), cluster("west", "a")];
    cursor.advance(&published(1, both.clone()));
    cursor.refused();
    assert_eq!(cursor.advance(&published(2, both))[0].entries.len(), 2);
    cursor.refused();
    assert_eq!(cursor.advance(&published(3, vec![]))[0].removed.len(), 2);
}

#[test]
fn large_deltas_are_cut_into_parts_and_an_older_snapshot_is_not_sent() {
    let region = "x".repeat(limits::DELTA_PART_BYTES / 2);
    let large = published(5, (0..5).map(|n| cluster(&format!("c{n}"), &region)).collect());
    let (mut cursor, mut assembly) = (Cursor::default(), Assembly::default());
    let parts = cursor.advance(&large);
    assert_eq!(parts.len(), 5);
    assert_eq!(receive(&mut assembly, parts).len(), 5);
    assert!(cursor.advance(&published(4, vec![])).is_empty());
}
