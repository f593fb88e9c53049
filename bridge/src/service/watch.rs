//! Watches: the list first, or what changed since, then every change as it is applied.
//!
//! Soft state is asked once per batch, so that an object of a watch says what `get` says of it. A
//! change of soft state alone is no event.

use std::collections::BTreeSet;
use std::sync::Arc;

use futures::stream::{BoxStream, StreamExt};
use rialto_types::api::WatchEvent;
use rialto_types::id::{Namespace, Revision};
use rialto_types::object::{Key, Kind};
use tokio::sync::watch;

use super::{Service, status};

/// One watch: where it is, and what it asks for.
struct Position {
    service: Arc<Service>,
    revisions: watch::Receiver<Revision>,
    kind: Kind,
    namespace: Option<Namespace>,
    /// `None` before the list was sent.
    sent: Option<Revision>,
}

/// The events of a kind from `since` on.
pub(super) fn events(
    service: Arc<Service>,
    kind: Kind,
    namespace: Option<Namespace>,
    since: Option<Revision>,
) -> BoxStream<'static, WatchEvent> {
    let mut revisions = service.store.watch();
    revisions.mark_changed();
    let position = Position { service, revisions, kind, namespace, sent: since };
    let batches = futures::stream::unfold(position, async |mut position| {
        position.revisions.changed().await.ok()?;
        position.revisions.borrow_and_update();
        let mut batch = position.next();
        position.add_status(&mut batch).await;
        Some((futures::stream::iter(batch), position))
    });
    batches.flatten().boxed()
}

impl Position {
    fn next(&mut self) -> Vec<WatchEvent> {
        let state = self.service.store.read();
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

    async fn add_status(&self, batch: &mut [WatchEvent]) {
        let has_put = batch.iter().any(|event| matches!(event, WatchEvent::Put(_)));
        if !status::is_live(self.kind) || !has_put {
            return;
        }
        let gathered = self.service.gather().await;
        for event in batch {
            if let WatchEvent::Put(document) = event {
                self.service.add_status(document, &gathered);
            }
        }
    }

    fn relevant<'a>(&self, changed: &'a BTreeSet<Key>) -> impl Iterator<Item = &'a Key> {
        let (kind, namespace) = (self.kind, self.namespace.clone());
        changed.iter().filter(move |key| {
            key.kind == kind
                && namespace.as_ref().is_none_or(|of| key.namespace.as_ref() == Some(of))
        })
    }
}
