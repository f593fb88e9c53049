use raft::eraftpb::Entry;
use raft::{Error, GetEntriesContext, Storage, StorageError};

use super::super::log::{Membership, Recovered};
use super::*;

#[test]
fn the_base_moves_by_entries_and_by_bytes() {
    let state = state(10);
    let base = |index, entries, bytes| state.base_before(index, entries, bytes).index;
    assert_eq!(base(10, 3, 1_000), 7);
    assert_eq!(base(10, 100, 25), 8, "two entries of ten bytes fit");
    assert_eq!(base(10, 100, 0), 10);
    assert_eq!(base(6, 2, 1_000), 4);
    assert_eq!(base(10, 100, 1_000), 1, "what is gone stays gone");
}

#[test]
fn what_is_below_the_base_is_compacted_and_what_is_above_the_end_unavailable() {
    let mut state = state(10);
    state.set_snapshot(SnapshotInfo::default(), Position { index: 5, term: 1 });
    assert_eq!((state.first_index(), state.last_index()), (Ok(6), Ok(10)));
    assert_eq!(state.term(5), Ok(1));
    assert_eq!(state.term(4), Err(Error::Store(StorageError::Compacted)));
    assert_eq!(state.term(11), Err(Error::Store(StorageError::Unavailable)));
    let entries = |low, high| state.entries(low, high, None, GetEntriesContext::empty(false));
    assert_eq!(entries(5, 7), Err(Error::Store(StorageError::Compacted)));
    assert_eq!(entries(6, 11).map(|entries| entries.len()), Ok(5));
}

#[test]
fn a_snapshot_is_offered_only_to_whom_it_names() {
    let mut state = state(2);
    let mut conf_state = ConfState::default();
    conf_state.voters.push(1);
    let position = Position { index: 2, term: 1 };
    state.set_snapshot(SnapshotInfo { position, conf_state }, position);
    assert!(state.snapshot(0, 1).is_ok());
    assert!(!state.snapshot_wanted());
    assert!(state.snapshot(0, 2).is_err());
    assert!(state.snapshot_wanted());
}

/// Entries 2 to `last` of ten bytes each, above a base at 1.
fn state(last: u64) -> DurableState {
    let base = Position { index: 1, term: 1 };
    let entry = |index| Entry { index, term: 1, data: vec![0; 10].into(), ..Entry::default() };
    let mut recovered =
        Recovered { entries: (2..=last).map(entry).collect(), ..Recovered::default() };
    recovered.snapshot_mark.base = base;
    recovered.membership = Membership::default();
    DurableState::new(recovered, SnapshotInfo::default(), ConfState::default())
}
