//! raft's view of what is durable: the entries since the base, the last snapshot, hard state,
//! members.

use std::cell::Cell;

use raft::eraftpb::{ConfState, Entry, HardState, Snapshot};
use raft::util::limit_size;
use raft::{GetEntriesContext, RaftState, Storage, StorageError};

use super::log::{Position, Recovered, discard_below};

#[cfg(test)]
mod tests;

/// Holds only what the log has made durable; the node adds to it after each flush.
#[derive(Debug)]
pub(super) struct DurableState {
    hard_state: HardState,
    /// As of the snapshot or later: the members that raft starts with.
    conf_state: ConfState,
    base: Position,
    entries: Vec<Entry>,
    snapshot: SnapshotInfo,
    /// A peer needs a snapshot that names it, and the last one does not.
    snapshot_wanted: Cell<bool>,
}

/// The last snapshot file, without its content.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct SnapshotInfo {
    pub(super) position: Position,
    pub(super) conf_state: ConfState,
}

impl DurableState {
    pub(super) fn new(
        recovered: Recovered,
        snapshot: SnapshotInfo,
        conf_state: ConfState,
    ) -> DurableState {
        let mut hard_state = recovered.hard_state;
        // A crash may fall between the snapshot mark and the hard state of one batch.
        hard_state.commit = hard_state.commit.max(snapshot.position.index);
        hard_state.term = hard_state.term.max(snapshot.position.term);
        DurableState {
            hard_state,
            conf_state,
            base: recovered.snapshot_mark.base,
            entries: recovered.entries,
            snapshot,
            snapshot_wanted: Cell::new(false),
        }
    }

    pub(super) fn append(&mut self, entries: Vec<Entry>) {
        let Some(first) = entries.first().map(|entry| entry.index) else { return };
        let next = self.base.index + 1;
        assert!(
            next <= first && first <= self.last().index + 1,
            "entry {first} does not follow entries {next} to {}",
            self.last().index
        );
        self.entries.truncate((first - next) as usize);
        self.entries.extend(entries);
    }

    /// A snapshot replaced the log up to it; entries of the same history that follow it stay.
    pub(super) fn install(&mut self, snapshot: SnapshotInfo) {
        self.compact(snapshot.position);
        self.base = snapshot.position;
        self.snapshot = snapshot;
    }

    /// Our own snapshot was saved.
    pub(super) fn set_snapshot(&mut self, snapshot: SnapshotInfo, base: Position) {
        self.compact(base);
        self.snapshot = snapshot;
        self.snapshot_wanted.set(false);
    }

    pub(super) fn snapshot_info(&self) -> &SnapshotInfo {
        &self.snapshot
    }

    pub(super) fn snapshot_wanted(&self) -> bool {
        self.snapshot_wanted.get()
    }

    pub(super) fn last(&self) -> Position {
        self.entries
            .last()
            .map_or(self.base, |entry| Position { index: entry.index, term: entry.term })
    }

    /// The place of a durable entry, or of the base.
    pub(super) fn position(&self, index: u64) -> Option<Position> {
        if index == self.base.index {
            return Some(self.base);
        }
        let at = index.checked_sub(self.base.index + 1)?;
        self.entries.get(at as usize).map(|entry| Position { index, term: entry.term })
    }

    /// The base that leaves no more than this before `index`, and nothing that is kept already.
    pub(super) fn base_before(&self, index: u64, entries: usize, bytes: usize) -> Position {
        let end = (index.saturating_sub(self.base.index) as usize).min(self.entries.len());
        let mut left = bytes;
        let fits = |entry: &&Entry| {
            let remaining = left.checked_sub(entry.data.len());
            left = remaining.unwrap_or(0);
            remaining.is_some()
        };
        let kept = self.entries[..end].iter().rev().take(entries).take_while(fits).count();
        self.position(self.base.index + (end - kept) as u64).unwrap_or(self.base)
    }

    fn compact(&mut self, base: Position) {
        discard_below(&mut self.entries, base);
        self.base = base;
    }
}

impl Storage for DurableState {
    fn initial_state(&self) -> raft::Result<RaftState> {
        Ok(RaftState::new(self.hard_state.clone(), self.conf_state.clone()))
    }

    fn entries(
        &self,
        low: u64,
        high: u64,
        max_size: impl Into<Option<u64>>,
        _context: GetEntriesContext,
    ) -> raft::Result<Vec<Entry>> {
        let Some(from) = low.checked_sub(self.base.index + 1) else {
            return Err(StorageError::Compacted.into());
        };
        let range = from as usize..(high - self.base.index - 1) as usize;
        let Some(found) = self.entries.get(range) else {
            return Err(StorageError::Unavailable.into());
        };
        let mut entries = found.to_vec();
        limit_size(&mut entries, max_size.into());
        Ok(entries)
    }

    fn term(&self, index: u64) -> raft::Result<u64> {
        match self.position(index) {
            Some(position) => Ok(position.term),
            None if index < self.base.index => Err(StorageError::Compacted.into()),
            None => Err(StorageError::Unavailable.into()),
        }
    }

    fn first_index(&self) -> raft::Result<u64> {
        Ok(self.base.index + 1)
    }

    fn last_index(&self) -> raft::Result<u64> {
        Ok(self.last().index)
    }

    /// The message carries no state: the file goes to the peer on a stream of its own.
    fn snapshot(&self, request_index: u64, to: u64) -> raft::Result<Snapshot> {
        let SnapshotInfo { position, conf_state } = &self.snapshot;
        // A peer ignores a snapshot that does not name it, and would be sent it for ever.
        let names_peer = conf_state.voters.contains(&to) || conf_state.learners.contains(&to);
        if position.index < request_index || !names_peer {
            self.snapshot_wanted.set(true);
            return Err(StorageError::SnapshotTemporarilyUnavailable.into());
        }
        let mut snapshot = Snapshot::default();
        let metadata = snapshot.mut_metadata();
        metadata.index = position.index;
        metadata.term = position.term;
        metadata.set_conf_state(conf_state.clone());
        Ok(snapshot)
    }
}
