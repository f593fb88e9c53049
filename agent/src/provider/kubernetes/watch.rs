//! One kind, listed and then watched, for ever: what it is now goes to the store.
//!
//! ```text
//! list (pages) ──▶ All ──▶ watch ──▶ Put, Deleted …
//!    ▲                       │ the server ends it: watch on from the last position
//!    └── 410: position gone ─┘ trouble: wait, jittered, longer each time; then watch on
//! ```

use std::collections::HashMap;

use rialto_types::limits;
use rialto_wire::subscribe::Backoff;
use tokio::sync::mpsc;
use tokio::time::Instant;

use super::store::Update;
use crate::kubernetes::api::{Api, Change, Error};
use crate::kubernetes::object::{List, ObjectKey, Watched};

/// How one kind differs from before.
#[derive(Debug)]
pub(super) enum Delta<T> {
    /// Everything; it replaces what was known.
    All(HashMap<ObjectKey, T>),
    Put(ObjectKey, T),
    Deleted(ObjectKey),
}

/// Follows one kind until the store is gone.
pub(super) async fn follow<T: Watched>(
    api: Api,
    updates: mpsc::Sender<Update>,
    wrap: fn(Delta<T>) -> Update,
) {
    let mut backoff = Backoff::default();
    let mut follower = Follower { api, updates, wrap, position: None, served: 0 };
    loop {
        let began = Instant::now();
        let ended = follower.run().await;
        let wait = match ended {
            End::StoreGone => return,
            End::Server => {
                backoff.reset();
                // A server that ends each watch at once is not asked more often than this.
                limits::KUBERNETES_WATCH_MIN.saturating_sub(began.elapsed())
            }
            End::Absent => {
                let nothing = (follower.wrap)(Delta::All(HashMap::new()));
                for update in [nothing, Update::Watching(T::NAME)] {
                    if follower.updates.send(update).await.is_err() {
                        return;
                    }
                }
                limits::KUBERNETES_ABSENT_LOOK
            }
            End::Trouble(error) => {
                if began.elapsed() > limits::KUBERNETES_WATCH_MIN {
                    backoff.reset();
                }
                if error.is_gone() {
                    follower.position = None;
                }
                let wanted = error.retry_after().unwrap_or_default();
                let wait = backoff.next(rand::random()).max(wanted);
                let text = hint(T::NAME, &error);
                tracing::warn!(kind = T::NAME, error = text, ?wait, "the API server gave trouble");
                let trouble = Update::Trouble { kind: T::NAME, what: text };
                if follower.updates.send(trouble).await.is_err() {
                    return;
                }
                wait
            }
        };
        tokio::time::sleep(wait.min(limits::KUBERNETES_WAIT_MAX)).await;
    }
}

fn hint(kind: &str, error: &Error) -> String {
    if error.is_forbidden() {
        return format!("{error}; let the agent's ClusterRole get, list and watch {kind}s");
    }
    let mut text = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}

enum End {
    StoreGone,
    /// The server ended the watch, as it does every few minutes.
    Server,
    /// The cluster does not have the kind.
    Absent,
    Trouble(Error),
}

impl From<Error> for End {
    fn from(error: Error) -> Self {
        Self::Trouble(error)
    }
}

struct Follower<T> {
    api: Api,
    updates: mpsc::Sender<Update>,
    wrap: fn(Delta<T>) -> Update,
    /// Up to where the store knows everything; `None` asks for a list.
    position: Option<String>,
    /// Which of the kind's paths the server has.
    served: usize,
}

impl<T: Watched> Follower<T> {
    async fn run(&mut self) -> End {
        match self.attempt().await {
            Ok(end) | Err(end) => end,
        }
    }

    async fn attempt(&mut self) -> Result<End, End> {
        let session = self.api.connect().await?;
        let position = match self.position.clone() {
            Some(position) => position,
            None => {
                let (objects, position) = self.list(&session).await?;
                self.tell(Delta::All(objects)).await?;
                self.position = Some(position.clone());
                position
            }
        };
        // Spread, so that not all watches of all clusters begin anew together.
        let spread: u64 = rand::random_range(0..60);
        let seconds = limits::KUBERNETES_WATCH_MAX.as_secs() - spread;
        let path = T::PATHS[self.served];
        let path = format!(
            "{path}?watch=1&allowWatchBookmarks=true&timeoutSeconds={seconds}\
             &resourceVersion={position}"
        );
        let mut changes = session.watch(&path).await?;
        // Clears what was told of trouble before: the watch stands.
        self.updates.send(Update::Watching(T::NAME)).await.map_err(|_| End::StoreGone)?;
        while let Some(change) = changes.next::<T>().await {
            match change? {
                Change::Put(object) => {
                    self.position = Some(object.version().to_owned());
                    self.tell(Delta::Put(object.key(), object)).await?;
                }
                Change::Deleted(object) => {
                    self.position = Some(object.version().to_owned());
                    self.tell(Delta::Deleted(object.key())).await?;
                }
                Change::Bookmark(position) => self.position = Some(position),
            }
        }
        Ok(End::Server)
    }

    async fn tell(&self, delta: Delta<T>) -> Result<(), End> {
        self.updates.send((self.wrap)(delta)).await.map_err(|_| End::StoreGone)
    }

    /// Everything, in pages, and the position to watch from.
    async fn list(
        &mut self,
        session: &crate::kubernetes::api::Session,
    ) -> Result<(HashMap<ObjectKey, T>, String), End> {
        let mut objects = HashMap::new();
        let mut next = String::new();
        loop {
            let path = T::PATHS[self.served];
            let limit = limits::KUBERNETES_PAGE_OBJECTS;
            let path = match next.as_str() {
                "" => format!("{path}?limit={limit}"),
                next => format!("{path}?limit={limit}&continue={next}"),
            };
            let page: List<T> = match session.get(&path).await {
                Ok(page) => page,
                Err(error) if error.is_absent() && self.served + 1 < T::PATHS.len() => {
                    self.served += 1;
                    continue;
                }
                Err(error) if error.is_absent() && T::OPTIONAL => {
                    self.served = 0;
                    return Err(End::Absent);
                }
                Err(error) => return Err(error.into()),
            };
            for object in page.items.unwrap_or_default() {
                objects.insert(object.key(), object);
            }
            if objects.len() > limits::KUBERNETES_OBJECTS_MAX {
                return Err(End::Trouble(Error::TooMany {
                    path: T::PATHS[self.served].to_owned(),
                    max: limits::KUBERNETES_OBJECTS_MAX,
                }));
            }
            next = page.metadata.continue_token;
            if next.is_empty() {
                return Ok((objects, page.metadata.resource_version));
            }
        }
    }
}

#[cfg(test)]
mod tests;
