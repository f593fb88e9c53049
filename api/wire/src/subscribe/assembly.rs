//! Parts of deltas in, whole snapshots out. Pure.

use std::collections::BTreeMap;

use rialto_types::id::{Revision, ServiceName};
use rialto_types::snapshot::{Access, Snapshot};

use crate::grpc::{Delta, Entry, EntryName};

/// Why a delta is not taken. The stream starts afresh; what is served stays.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    #[error("a delta came without a revision")]
    NoRevision,
    #[error("revision {offered} is older than {held}, which is in service")]
    Older { offered: Revision, held: Revision },
    #[error("the parts of one delta have different revisions, {first} and {second}")]
    Mixed { first: Revision, second: Revision },
    #[error("{0}")]
    Entry(String),
}

/// A whole snapshot, and what in it could not be read.
#[derive(Debug)]
pub struct Assembled {
    pub snapshot: Snapshot,
    /// Access entries that could not be read: their services are denied. To be reported as a
    /// refusal although the rest is served.
    pub unreadable: Vec<String>,
}

/// The entries held, by name, as received.
#[derive(Debug, Default)]
pub struct Assembly {
    revision: Revision,
    entries: BTreeMap<String, Entry>,
    pending: Option<Pending>,
}

#[derive(Debug)]
struct Pending {
    revision: Revision,
    entries: Vec<Entry>,
    removed: Vec<String>,
}

impl Assembly {
    /// Starts from what the disk kept.
    pub fn restore(revision: Revision, entries: Vec<Entry>) -> Result<(Self, Assembled), Refusal> {
        let mut assembly = Self::default();
        let delta =
            Delta { revision: Some(revision.into()), entries, removed: Vec::new(), last: true };
        let assembled = assembly.receive(delta)?.expect("the only part is the last");
        Ok((assembly, assembled))
    }

    pub fn revision(&self) -> Revision {
        self.revision
    }

    /// What to tell the bridge, so that it sends only the rest.
    pub fn have(&self) -> Vec<EntryName> {
        let name = |entry: &Entry| EntryName { name: entry.name.clone(), hash: entry.hash.clone() };
        self.entries.values().map(name).collect()
    }

    pub fn entries(&self) -> impl Iterator<Item = &Entry> {
        self.entries.values()
    }

    /// Forgets a delta whose stream broke before its last part.
    pub fn abandon(&mut self) {
        self.pending = None;
    }

    /// Takes one part; the last one yields the snapshot. A refusal leaves what is held untouched.
    pub fn receive(&mut self, part: Delta) -> Result<Option<Assembled>, Refusal> {
        let revision: Revision = part.revision.ok_or(Refusal::NoRevision)?.into();
        if revision < self.revision {
            self.pending = None;
            return Err(Refusal::Older { offered: revision, held: self.revision });
        }
        let mut pending = self.pending.take().unwrap_or_else(|| Pending {
            revision,
            entries: Vec::new(),
            removed: Vec::new(),
        });
        if pending.revision != revision {
            return Err(Refusal::Mixed { first: pending.revision, second: revision });
        }
        for entry in &part.entries {
            entry.verify().map_err(|fault| Refusal::Entry(fault.to_string()))?;
        }
        pending.entries.extend(part.entries);
        pending.removed.extend(part.removed);
        if !part.last {
            self.pending = Some(pending);
            return Ok(None);
        }
        self.complete(pending).map(Some)
    }

    fn complete(&mut self, pending: Pending) -> Result<Assembled, Refusal> {
        let mut entries = self.entries.clone();
        for name in &pending.removed {
            entries.remove(name);
        }
        entries.extend(pending.entries.into_iter().map(|entry| (entry.name.clone(), entry)));
        let mut snapshot = Snapshot { revision: pending.revision, ..Snapshot::default() };
        let mut unreadable = Vec::new();
        for entry in entries.values() {
            match (entry.open(), access_service(&entry.name)) {
                (Ok(decoded), _) => snapshot.insert(decoded),
                (Err(fault), Some(service)) => {
                    snapshot.access.insert(service, Access::Unreadable);
                    unreadable.push(fault.to_string());
                }
                (Err(fault), None) => return Err(Refusal::Entry(fault.to_string())),
            }
        }
        self.entries = entries;
        self.revision = pending.revision;
        Ok(Assembled { snapshot, unreadable })
    }
}

/// The service of an access entry's name.
fn access_service(name: &str) -> Option<ServiceName> {
    name.strip_prefix("access/")?.parse().ok()
}

#[cfg(test)]
mod tests;
