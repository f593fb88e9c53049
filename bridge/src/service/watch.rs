//! Watches: the list first, or what changed since, then every change as it is applied.

use std::collections::BTreeSet;

use futures::stream::{BoxStream, StreamExt};
use rialto_types::api::WatchEvent;
use rialto_types::id::{Namespace, Revision};
use rialto_types::object::{Key, Kind};
use tokio::sync::watch;

use crate::store::Store;

/// One watch: where it is, and what it asks for.
struct Position {
    store: Store,
    revisions: watch::Receiver<Revision>,
    kind: Kind,
    namespace: Option<Namespace>,
    /// `None` before the list was sent.
    sent: Option<Revision>,
}

/// The events of a kind from `since` on.
pub(super) fn events(
    store: Store,
    kind: Kind,
    namespace: Option<Namespace>,
    since: Option<Revision>,
) -> BoxStream<'static, WatchEvent> {
    let mut revisions = store.watch();
    revisions.mark_changed();
    let position = Position { store, revisions, kind, namespace, sent: since };
    let batches = futures::stream::unfold(position, async |mut position| {
        position.revisions.changed().await.ok()?;
        position.revisions.borrow_and_update();
        let batch = position.next();
        Some((futures::stream::iter(batch), position))
    });
    batches.flatten().boxed()
}

impl Position {
    fn next(&mut self) -> Vec<WatchEvent> {
        let state = self.store.read();
        let revision = state.revision();
        let Some(sent) = self.sent.replace(revision) else {
            let list = state.list(self.kind, self.namespace.as_ref());
            let puts = list.into_iter().map(|document| WatchEvent::Put(Box::new(document)));
            return puts.chain([WatchEvent::Bookmark(revision)]).collect();
        };
        let Some(changed) = state.changed_since(sent) else {
            // Too long ago: the watcher starts over with the list that follows.
            let list = state.list(self.kind, self.namespace.as_ref());
            let puts = list.into_iter().map(|document| WatchEvent::Put(Box::new(document)));
            let reset = [WatchEvent::Reset(revision)];
            return reset.into_iter().chain(puts).chain([WatchEvent::Bookmark(revision)]).collect();
        };
        let mut events: Vec<WatchEvent> = self
            .relevant(&changed)
            .map(|key| match state.get(key) {
                Some(document) => WatchEvent::Put(Box::new(document)),
                None => WatchEvent::Delete(key.clone()),
            })
            .collect();
        events.push(WatchEvent::Bookmark(revision));
        events
    }

    fn relevant<'a>(&self, changed: &'a BTreeSet<Key>) -> impl Iterator<Item = &'a Key> {
        let (kind, namespace) = (self.kind, self.namespace.clone());
        changed.iter().filter(move |key| {
            key.kind == kind
                && namespace.as_ref().is_none_or(|of| key.namespace.as_ref() == Some(of))
        })
    }
}
