//! The registry of a Kubernetes cluster: its own API, watched.
//!
//! ```text
//! follow(Namespace) ─┐
//! follow(Service)  ──┤
//! follow(Slice)    ──┼─▶ updates (bounded) ─▶ Store ─▶ registry::build ─▶ Event
//! follow(Pod)      ──┤
//! follow(Export)   ──┘
//! ```
//!
//! What is known stays in service while the API server is gone.

use std::collections::BTreeSet;
use std::future::Future;
use std::sync::Arc;

use rialto_types::limits;
use tokio::sync::mpsc;
use tokio::sync::watch::{Sender, channel as watch_channel};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};

use crate::kubernetes::api::Api;
use crate::kubernetes::mcs::Exports;
use crate::provider::{Event, Provider};

mod callers;
mod hosts;
mod lost;
mod registry;
mod store;
mod watch;

pub use registry::Home;
use store::{Outcome, Store, Update};

/// A cluster, and what was last seen of it.
#[derive(Debug)]
pub struct Kubernetes {
    home: Home,
    store: Store,
    /// Where the cluster's exports are told, for their status.
    exports: Sender<Arc<Exports>>,
    updates: mpsc::Receiver<Update>,
    /// The host names that are to be looked up.
    hosts: Sender<BTreeSet<Box<str>>>,
    /// When what changed is told.
    due: Option<Instant>,
    /// A registry was told while some kind cannot be read: the faults are told again.
    owes_faults: bool,
    /// Owns the tasks that watch.
    _following: JoinSet<()>,
}

impl Kubernetes {
    /// Starts to watch.
    pub fn new(api: &Api, home: Home, exports: Sender<Arc<Exports>>) -> Self {
        let (sender, updates) = mpsc::channel(limits::KUBERNETES_UPDATES_MAX);
        let mut following = JoinSet::new();
        let mut start = |task| following.spawn(task);
        start(boxed(watch::follow(api.clone(), sender.clone(), Update::Namespaces)));
        start(boxed(watch::follow(api.clone(), sender.clone(), Update::Services)));
        start(boxed(watch::follow(api.clone(), sender.clone(), Update::Slices)));
        start(boxed(watch::follow(api.clone(), sender.clone(), Update::Pods)));
        start(boxed(watch::follow(api.clone(), sender.clone(), Update::Exports)));
        let (hosts, wanted) = watch_channel(BTreeSet::new());
        start(boxed(hosts::resolve(wanted, sender)));
        let store = Store::default();
        Self {
            home,
            store,
            exports,
            updates,
            hosts,
            due: None,
            owes_faults: false,
            _following: following,
        }
    }

    fn tell_hosts(&mut self) {
        let Some(wanted) = self.store.hosts_wanted(&self.home.namespace) else { return };
        self.hosts.send_if_modified(|held| {
            let differs = *held != wanted;
            *held = wanted;
            differs
        });
    }

    fn tell_exports(&mut self) {
        let Some(exports) = self.store.exports() else { return };
        self.exports.send_if_modified(|held| {
            let differs = **held != exports;
            if differs {
                *held = Arc::new(exports);
            }
            differs
        });
    }
}

fn boxed(
    task: impl Future<Output = ()> + Send + 'static,
) -> futures::future::BoxFuture<'static, ()> {
    Box::pin(task)
}

impl Provider for Kubernetes {
    async fn next(&mut self) -> Event {
        loop {
            if std::mem::take(&mut self.owes_faults) {
                return Event::Failed(self.store.faults());
            }
            tokio::select! {
                update = self.updates.recv() => {
                    let update = update.expect("the tasks that watch never end");
                    match self.store.handle(update) {
                        Outcome::Nothing => {}
                        Outcome::Faults => return Event::Failed(self.store.faults()),
                        Outcome::Registry => {
                            // The first change sets the time, so that a steady stream is told too.
                            let at = Instant::now() + limits::KUBERNETES_SETTLE;
                            self.due = Some(self.due.map_or(at, |due| due.min(at)));
                        }
                    }
                }
                () = sleep_until(self.due.unwrap_or_else(Instant::now)), if self.due.is_some() => {
                    self.due = None;
                    self.tell_exports();
                    self.tell_hosts();
                    let registry = self.store.registry(&self.home, Instant::now());
                    self.due = self.store.due();
                    match registry {
                        // Not every kind was listed yet.
                        None => {}
                        Some(Ok(registry)) => {
                            self.owes_faults = self.store.is_troubled();
                            return Event::Replaced(registry);
                        }
                        Some(Err(faults)) => return Event::Failed(faults),
                    }
                }
            }
        }
    }
}
