//! Compiles each cluster's snapshot when the state changes, encodes every entry once, and works
//! out what a subscriber lacks.
//!
//! ```text
//! revision changes ─▶ compile(state, cluster) ─▶ Published (entries by name, encoded, hashed)
//!                                                   │ watch, one per cluster with subscribers
//! subscriber ◀── parts of a delta ◀── Cursor::advance (what it holds ─ what is published)
//! ```

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use rialto_core::compile::compile;
use rialto_types::error::Problem;
use rialto_types::id::{ClusterName, Revision};
use rialto_types::limits;
use rialto_wire::grpc::{Delta, Entry, EntryName, delta_entry};
use tokio::sync::watch;

use crate::store::Store;

/// One cluster's snapshot in the form in which it is sent.
#[derive(Debug, Default)]
pub struct Published {
    pub revision: Revision,
    entries: BTreeMap<String, Entry>,
    pub problems: Vec<Problem>,
}

impl Published {
    fn of(store: &Store, cluster: &ClusterName) -> Self {
        let (revision, (entries, problems)) = {
            let state = store.read();
            (state.revision(), compile(&state, cluster))
        };
        let entries = entries.iter().map(delta_entry);
        let entries = entries.map(|entry| (entry.name.clone(), entry)).collect();
        Self { revision, entries, problems }
    }
}

/// Publishes to whoever subscribes; a cluster without subscribers costs nothing.
#[derive(Debug)]
pub struct Publisher {
    store: Store,
    clusters: Mutex<BTreeMap<ClusterName, watch::Sender<Arc<Published>>>>,
}

impl Publisher {
    pub fn new(store: Store) -> Self {
        Self { store, clusters: Mutex::default() }
    }

    /// The cluster's snapshot from now on.
    pub fn subscribe(&self, cluster: &ClusterName) -> watch::Receiver<Arc<Published>> {
        let mut clusters = self.clusters.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(sender) = clusters.get(cluster) {
            return sender.subscribe();
        }
        let (sender, receiver) = watch::channel(Arc::new(Published::of(&self.store, cluster)));
        clusters.insert(cluster.clone(), sender);
        receiver
    }

    /// Follows the state until dropped. Changes that come while it compiles are taken together.
    pub async fn run(&self) {
        let mut revision = self.store.watch();
        while revision.changed().await.is_ok() {
            revision.borrow_and_update();
            self.refresh();
        }
    }

    fn refresh(&self) {
        let mut clusters = self.clusters.lock().unwrap_or_else(PoisonError::into_inner);
        clusters.retain(|_, sender| sender.receiver_count() > 0);
        for (cluster, sender) in clusters.iter() {
            sender.send_replace(Arc::new(Published::of(&self.store, cluster)));
        }
    }
}

/// What one subscriber holds, as far as it is known.
#[derive(Debug, Default)]
pub struct Cursor {
    revision: Revision,
    /// An empty hash stands for an entry that was sent, but perhaps not taken.
    held: BTreeMap<String, Bytes>,
    sent_revision: Option<Revision>,
}

impl Cursor {
    /// From what the subscriber says it has.
    pub fn new(revision: Revision, have: Vec<EntryName>) -> Self {
        let held = have.into_iter().map(|entry| (entry.name, entry.hash)).collect();
        Self { revision, held, sent_revision: None }
    }

    /// The parts of the delta that takes the subscriber to `published`; none if it is there.
    pub fn advance(&mut self, published: &Published) -> Vec<Delta> {
        if self.sent_revision == Some(published.revision) || published.revision < self.revision {
            return Vec::new();
        }
        let lacking = published
            .entries
            .values()
            .filter(|entry| self.held.get(&entry.name).is_none_or(|hash| *hash != entry.hash));
        let lacking: Vec<Entry> = lacking.cloned().collect();
        let gone = self.held.keys().filter(|name| !published.entries.contains_key(*name));
        let removed: Vec<String> = gone.cloned().collect();
        let names = published.entries.values();
        self.held = names.map(|entry| (entry.name.clone(), entry.hash.clone())).collect();
        self.sent_revision = Some(published.revision);
        self.revision = published.revision;
        parts(published.revision, lacking, removed)
    }

    /// The subscriber did not take what was sent last: send all of it again next time, and take
    /// nothing for removed.
    pub fn refused(&mut self) {
        for hash in self.held.values_mut() {
            *hash = Bytes::new();
        }
    }
}

/// Cuts a delta into messages of a bounded size.
fn parts(revision: Revision, entries: Vec<Entry>, removed: Vec<String>) -> Vec<Delta> {
    let part = || Delta { revision: Some(revision.into()), ..Delta::default() };
    let mut parts = vec![Delta { removed, ..part() }];
    let mut size = 0;
    for entry in entries {
        let bytes = entry.bytes.len() + entry.name.len();
        if size > 0 && size + bytes > limits::DELTA_PART_BYTES {
            parts.push(part());
            size = 0;
        }
        size += bytes;
        parts.last_mut().expect("never empty").entries.push(entry);
    }
    parts.last_mut().expect("never empty").last = true;
    parts
}

#[cfg(test)]
mod tests;
