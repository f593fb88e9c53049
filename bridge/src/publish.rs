//! Compiles each cluster's snapshot when the state changes, encodes every entry once, and works
//! out what a subscriber lacks.
//!
//! ```text
//! revision changes ─▶ Common ─▶ one compilation per cluster ─▶ Published (encoded, hashed)
//! first subscriber ─▶                                            │ watch
//! subscriber ◀── parts of a delta ◀── Cursor::advance (what it holds ─ what is published)
//! ```

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use rialto_core::compile::{Common, Compiled};
use rialto_types::id::{ClusterName, Revision};
use rialto_types::limits;
use rialto_wire::grpc::{Delta, Entry, EntryName, delta_entry};
use tokio::sync::{Notify, watch};

use crate::long::long;
use crate::store::Store;

/// One cluster's snapshot in the form in which it is sent.
#[derive(Debug, Default)]
pub struct Published {
    compiled: Compiled,
    entries: BTreeMap<Arc<str>, Entry>,
}

impl Published {
    /// Encodes what `before`, of the same cluster, does not have.
    fn new(compiled: Compiled, before: &Self) -> Self {
        let entries = compiled.sources.iter().map(|(name, source)| {
            let is_kept = before.compiled.sources.get(name) == Some(source);
            let kept = before.entries.get(name).filter(|_| is_kept).cloned();
            (name.clone(), kept.unwrap_or_else(|| delta_entry(&source.entry())))
        });
        let entries = entries.collect();
        Self { compiled, entries }
    }

    fn revision(&self) -> Revision {
        self.compiled.revision
    }
}

/// Nothing until it is compiled for the first time.
type Sender = watch::Sender<Option<Arc<Published>>>;

/// Publishes to whoever subscribes; a cluster without subscribers costs nothing.
#[derive(Debug)]
pub struct Publisher {
    shared: Arc<Shared>,
    subscribed: Notify,
}

#[derive(Debug)]
struct Shared {
    store: Store,
    clusters: Mutex<BTreeMap<ClusterName, Sender>>,
    /// Of the last compilation.
    common: Mutex<Common>,
}

impl Publisher {
    pub fn new(store: Store) -> Self {
        let shared = Shared { store, clusters: Mutex::default(), common: Mutex::default() };
        Self { shared: Arc::new(shared), subscribed: Notify::new() }
    }

    /// The cluster's snapshot from now on.
    pub fn subscribe(&self, cluster: &ClusterName) -> watch::Receiver<Option<Arc<Published>>> {
        let mut clusters = lock(&self.shared.clusters);
        if let Some(sender) = clusters.get(cluster) {
            return sender.subscribe();
        }
        let (sender, receiver) = watch::channel(None);
        clusters.insert(cluster.clone(), sender);
        self.subscribed.notify_one();
        receiver
    }

    /// Follows the state until dropped. Changes that come while it compiles are taken together.
    pub async fn run(&self) {
        let mut revision = self.shared.store.watch();
        loop {
            tokio::select! {
                changed = revision.changed() => if changed.is_err() { return },
                () = self.subscribed.notified() => {}
            }
            revision.borrow_and_update();
            let shared = self.shared.clone();
            long(move || shared.refresh()).await;
        }
    }
}

impl Shared {
    fn refresh(&self) {
        let wanted: Vec<(ClusterName, Sender)> = {
            let mut clusters = lock(&self.clusters);
            clusters.retain(|_, sender| sender.receiver_count() > 0);
            clusters.iter().map(|(name, sender)| (name.clone(), sender.clone())).collect()
        };
        let mut common = lock(&self.common);
        // One for all clusters: they get the same revision, and what changes meanwhile is the next.
        let state = self.store.copy();
        for (cluster, sender) in wanted {
            let held = sender.borrow().clone();
            if held.as_ref().is_some_and(|held| held.revision() == state.revision()) {
                continue;
            }
            if common.revision() != state.revision() {
                *common = Common::new(&state, &common);
            }
            let compiled = common.compile(&state, &cluster);
            let published = Published::new(compiled, &held.unwrap_or_default());
            sender.send_replace(Some(Arc::new(published)));
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
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
        let revision = published.revision();
        if self.sent_revision == Some(revision) || revision < self.revision {
            return Vec::new();
        }
        let is_held = |entry: &Entry| self.held.get(&entry.name) == Some(&entry.hash);
        let lacking: Vec<Entry> =
            published.entries.values().filter(|entry| !is_held(entry)).cloned().collect();
        let gone = self.held.keys().filter(|name| !published.entries.contains_key(name.as_str()));
        let removed: Vec<String> = gone.cloned().collect();
        for name in &removed {
            self.held.remove(name);
        }
        self.held.extend(lacking.iter().map(|entry| (entry.name.clone(), entry.hash.clone())));
        self.sent_revision = Some(revision);
        self.revision = revision;
        parts(revision, lacking, removed)
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
