//! Who changed what, and when: bounded rings, kept by every member.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use rialto_types::api::{self, Change, HistoryEntry};
use rialto_types::id::Revision;
use rialto_types::limits;
use rialto_types::object::Key;
use serde::{Deserialize, Serialize};

use super::shared::Shared;

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct History {
    /// Changes of objects, oldest first: what `revert` undoes.
    changes: VecDeque<Shared<HistoryEntry>>,
    changes_bytes: usize,
    /// Refusals, reports, join tokens, members: what is only told. A ring of its own, so that a
    /// chatty agent or a failing script cannot push out what `revert` needs.
    audit: VecDeque<Shared<HistoryEntry>>,
    /// Everything after this revision is in `changes`.
    floor: Revision,
    /// The names of what changed, for watches that resume.
    journal: VecDeque<(Revision, Shared<Vec<Key>>)>,
    journal_floor: Revision,
    journal_keys: usize,
}

impl History {
    pub(super) fn record_change(&mut self, entry: HistoryEntry) {
        self.changes_bytes += bytes(&entry);
        self.changes.push_back(entry.into());
        while self.changes.len() > limits::HISTORY_ENTRIES_MAX
            || self.changes_bytes > limits::HISTORY_BYTES_MAX
        {
            let gone = self.changes.pop_front().expect("above a bound");
            self.changes_bytes -= bytes(&gone);
            self.floor = gone.revision;
        }
    }

    pub(super) fn record_audit(&mut self, entry: HistoryEntry) {
        self.audit.push_back(entry.into());
        if self.audit.len() > limits::AUDIT_ENTRIES_MAX {
            self.audit.pop_front();
        }
    }

    pub(super) fn record_keys(&mut self, revision: Revision, keys: Vec<Key>) {
        if keys.is_empty() {
            return;
        }
        self.journal_keys += keys.len();
        self.journal.push_back((revision, keys.into()));
        while self.journal_keys > limits::JOURNAL_KEYS_MAX {
            let (revision, keys) = self.journal.pop_front().expect("keys are counted");
            self.journal_keys -= keys.len();
            self.journal_floor = revision;
        }
    }

    /// The oldest revision that a revert can reach.
    pub(super) fn floor(&self) -> Revision {
        self.floor
    }

    /// The newest entries of both rings, newest first.
    pub(super) fn newest(&self, count: usize) -> api::History {
        api::History { items: self.entries().take(count).cloned().collect(), oldest: self.floor }
    }

    /// The entries of both rings, newest first.
    pub(super) fn entries(&self) -> impl Iterator<Item = &HistoryEntry> {
        let mut changes = self.changes.iter().rev().map(|entry| &**entry).peekable();
        let mut audit = self.audit.iter().rev().map(|entry| &**entry).peekable();
        std::iter::from_fn(move || match (changes.peek(), audit.peek()) {
            (Some(change), Some(told)) if change.revision > told.revision => changes.next(),
            (_, Some(_)) => audit.next(),
            (_, None) => changes.next(),
        })
    }

    /// The names of all that changed after `revision`; `None` if that is no longer kept.
    pub(super) fn changed_since(&self, revision: Revision) -> Option<BTreeSet<Key>> {
        if revision < self.journal_floor {
            return None;
        }
        let later = self.journal.iter().rev().take_while(|(at, _)| *at > revision);
        Some(later.flat_map(|(_, keys)| keys.iter().cloned()).collect())
    }

    /// Every object that changed after `revision`, as it was then.
    pub(super) fn undo_to(&self, revision: Revision) -> BTreeMap<Key, &Change> {
        let later = self.changes.iter().rev().take_while(|entry| entry.revision > revision);
        let changes = later.flat_map(|entry| entry.changes.iter());
        changes.map(|change| (change.key.clone(), change)).collect()
    }
}

fn bytes(entry: &HistoryEntry) -> usize {
    serde_json::to_vec(&entry.changes).expect("documents have text keys").len()
}

#[cfg(test)]
mod tests;
