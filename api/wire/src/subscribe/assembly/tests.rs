use rialto_types::snapshot;

use super::*;
use crate::grpc::delta_entry;

fn names() -> Entry {
    delta_entry(&snapshot::Entry::Names(snapshot::NamesEntry {
        cluster: "east".parse().expect("valid"),
        namespaces: None,
    }))
}

fn raw(name: &str, bytes: &'static [u8]) -> Entry {
    Entry {
        name: name.into(),
        hash: crate::digest::sha256(bytes).to_vec().into(),
        bytes: bytes.into(),
    }
}

fn part(index: u64, entries: Vec<Entry>, removed: &[&str], last: bool) -> Delta {
    Delta {
        revision: Some(Revision::new(1, index).into()),
        entries,
        removed: removed.iter().map(|name| name.to_string()).collect(),
        last,
    }
}

#[test]
fn parts_become_valid_as_a_whole() {
    let mut assembly = Assembly::default();
    assert!(assembly.receive(part(5, vec![names()], &[], false)).expect("taken").is_none());
    assert_eq!(assembly.revision(), Revision::default(), "nothing is in service yet");
    let whole = assembly.receive(part(5, vec![], &[], true)).expect("taken").expect("whole");
    assert_eq!(whole.snapshot.revision, Revision::new(1, 5));
    assert!(whole.snapshot.names.is_some());
    assert_eq!(assembly.have().len(), 1);
}

#[test]
fn an_empty_delta_advances_and_an_older_one_is_refused() {
    let mut assembly = Assembly::default();
    assembly.receive(part(5, vec![names()], &[], true)).expect("taken");
    let whole = assembly.receive(part(7, vec![], &[], true)).expect("taken").expect("whole");
    assert!(whole.snapshot.names.is_some(), "what was held stays");
    let older = assembly.receive(part(6, vec![], &["names"], true));
    assert!(matches!(older, Err(Refusal::Older { .. })));
    assert_eq!(assembly.have().len(), 1);
}

#[test]
fn a_wrong_hash_or_an_unreadable_entry_changes_nothing() {
    let mut assembly = Assembly::default();
    assembly.receive(part(5, vec![names()], &[], true)).expect("taken");
    let mut forged = names();
    forged.bytes = b"{}".as_slice().into();
    assert!(matches!(assembly.receive(part(6, vec![forged], &[], true)), Err(Refusal::Entry(_))));
    let odd = raw("route/books/reviews", b"{\"future\":{}}");
    assert!(matches!(assembly.receive(part(6, vec![odd], &[], true)), Err(Refusal::Entry(_))));
    assert_eq!(assembly.revision(), Revision::new(1, 5));
    assert_eq!(assembly.have().len(), 1);
}

#[test]
fn an_unreadable_access_entry_denies_its_service_and_no_other() {
    let mut assembly = Assembly::default();
    let odd =
        raw("access/books/reviews", b"{\"access\":{\"service\":\"books/reviews\",\"new\":1}}");
    let whole =
        assembly.receive(part(6, vec![names(), odd], &[], true)).expect("taken").expect("whole");
    let service: ServiceName = "books/reviews".parse().expect("valid");
    assert_eq!(whole.snapshot.access.get(&service), Some(&Access::Unreadable));
    assert_eq!(whole.unreadable.len(), 1);
    assert!(whole.snapshot.names.is_some());
}

#[test]
fn parts_of_two_revisions_do_not_mix() {
    let mut assembly = Assembly::default();
    assembly.receive(part(5, vec![names()], &[], false)).expect("taken");
    assert!(matches!(assembly.receive(part(6, vec![], &[], true)), Err(Refusal::Mixed { .. })));
}
