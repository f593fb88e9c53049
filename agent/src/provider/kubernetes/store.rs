//! What the API server said, of all kinds, and the registry that follows from it. Pure.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::IpAddr;

use tokio::time::Instant;

use super::callers::Callers;
use super::hosts::Hosts;
use super::lost::Doubt;
use super::registry::{self, Home, Services, Sources, Stale};
use super::watch::Delta;
use crate::kubernetes::mcs::Exports;
use crate::kubernetes::object::{EndpointSlice, Namespace, ObjectKey, Pod, Service, ServiceExport};
use crate::provider::{Fault, Registry};

/// Something that was heard of the API server.
#[derive(Debug)]
pub(super) enum Update {
    Namespaces(Delta<Namespace>),
    Services(Delta<Service>),
    Slices(Delta<EndpointSlice>),
    Pods(Delta<Pod>),
    Exports(Delta<ServiceExport>),
    /// The addresses of all host names that load balancers have.
    Hosts(Hosts),
    /// A kind is being watched: what was told of trouble with it is over.
    Watching(&'static str),
    Trouble {
        kind: &'static str,
        what: String,
    },
}

/// The objects of one kind; `None` before they were listed once.
pub(super) type Objects<T> = Option<HashMap<ObjectKey, T>>;

/// All objects that are held.
#[derive(Debug, Default)]
pub(super) struct Store {
    namespaces: Objects<Namespace>,
    services: Objects<Service>,
    slices: Objects<EndpointSlice>,
    pods: Objects<Pod>,
    exports: Objects<ServiceExport>,
    hosts: Hosts,
    made: Services,
    /// What in `made` may differ by now.
    stale: Stale,
    callers: Callers,
    doubt: Doubt,
    /// The addresses that were vouched for when `made` was.
    vouched: BTreeSet<IpAddr>,
    /// What is told of exports, and the host names that are wanted, may differ by now.
    untold: Untold,
    /// By kind, what keeps it from being read.
    troubles: BTreeMap<&'static str, String>,
}

#[derive(Debug, Default)]
struct Untold {
    exports: bool,
    hosts: bool,
}

/// What an update calls for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    Nothing,
    Registry,
    Faults,
}

impl Store {
    pub(super) fn handle(&mut self, update: Update) -> Outcome {
        match update {
            Update::Namespaces(delta) => {
                // They come and go seldom, and whole.
                self.stale = Stale::All;
                take(&mut self.namespaces, delta);
            }
            Update::Services(delta) => {
                self.untold = Untold { exports: true, hosts: true };
                self.mark(&delta);
                take(&mut self.services, delta);
            }
            Update::Slices(delta) => self.handle_slices(delta),
            Update::Pods(delta) => self.handle_pods(delta),
            Update::Exports(delta) => {
                self.untold.exports = true;
                self.mark(&delta);
                take(&mut self.exports, delta);
            }
            Update::Hosts(hosts) => self.hosts = hosts,
            Update::Watching(kind) => {
                // What was known stayed in service; telling it again ends the faults.
                let was_troubled = self.troubles.remove(kind).is_some();
                return if was_troubled { Outcome::Registry } else { Outcome::Nothing };
            }
            Update::Trouble { kind, what } => {
                let known = self.troubles.insert(kind, what.clone());
                let is_new = known.is_none_or(|known| known != what);
                return if is_new { Outcome::Faults } else { Outcome::Nothing };
            }
        }
        Outcome::Registry
    }

    /// The Services of these names may differ.
    fn mark<T>(&mut self, delta: &Delta<T>) {
        match delta {
            Delta::All(_) => self.stale = Stale::All,
            Delta::Put(key, _) | Delta::Deleted(key) => self.stale.insert(key.clone()),
        }
    }

    /// A slice may have belonged to another Service before.
    fn handle_slices(&mut self, delta: Delta<EndpointSlice>) {
        let (key, new) = match &delta {
            Delta::All(_) => {
                self.stale = Stale::All;
                return take(&mut self.slices, delta);
            }
            Delta::Put(key, slice) => (key, Some(slice)),
            Delta::Deleted(key) => (key, None),
        };
        let before = self.slices.as_ref().and_then(|slices| slices.get(key));
        for service in [before, new].into_iter().flatten().filter_map(registry::service_of) {
            self.stale.insert(service);
        }
        take(&mut self.slices, delta);
    }

    fn handle_pods(&mut self, delta: Delta<Pod>) {
        let key = match &delta {
            Delta::All(_) => None,
            Delta::Put(key, _) | Delta::Deleted(key) => Some(key.clone()),
        };
        match &delta {
            Delta::All(_) => self.doubt.notice(None),
            Delta::Put(_, pod) => self.doubt.notice(Some(pod)),
            Delta::Deleted(_) => {}
        }
        let before = key.as_ref().and_then(|key| self.pods.as_mut()?.remove(key));
        take(&mut self.pods, delta);
        match (&key, &self.pods) {
            (Some(key), Some(pods)) => self.callers.handle(key, before.as_ref(), pods),
            (None, Some(pods)) => self.callers.replace(pods),
            (_, None) => {}
        }
    }

    pub(super) fn is_troubled(&self) -> bool {
        !self.troubles.is_empty()
    }

    pub(super) fn faults(&self) -> Vec<Fault> {
        let fault = |(kind, what): (&&'static str, &String)| Fault {
            place: format!("Kubernetes {kind}"),
            position: None,
            field: String::new(),
            message: what.clone(),
        };
        self.troubles.iter().map(fault).collect()
    }

    /// The cluster's exports, once what they depend on was listed, if they may differ from those
    /// that were given last.
    pub(super) fn exports(&mut self) -> Option<Exports> {
        let (services, exports) = (self.services.as_ref()?, self.exports.as_ref()?);
        let is_due = std::mem::take(&mut self.untold.exports);
        is_due.then(|| registry::exports(services, exports))
    }

    /// The host names by which platforms say where gateways are, if they may differ from those that
    /// were given last.
    pub(super) fn hosts_wanted(&mut self, namespace: &str) -> Option<BTreeSet<Box<str>>> {
        let services = self.services.as_ref()?;
        let is_due = std::mem::take(&mut self.untold.hosts);
        is_due.then(|| registry::hosts(namespace, services))
    }

    /// When the registry may be another one although nothing was heard.
    pub(super) fn due(&self) -> Option<Instant> {
        self.doubt.until()
    }

    /// The registry, once every kind was listed: a part of it would withdraw the rest.
    pub(super) fn registry(
        &mut self,
        home: &Home,
        now: Instant,
    ) -> Option<Result<Registry, Vec<Fault>>> {
        let (Some(namespaces), Some(services), Some(slices), Some(pods), Some(exports)) =
            (&self.namespaces, &self.services, &self.slices, &self.pods, &self.exports)
        else {
            return None;
        };
        let is_blind = !self.troubles.is_empty();
        let vouched = self.doubt.vouched(pods, &home.key(), now, is_blind);
        if vouched != self.vouched {
            (self.vouched, self.stale) = (vouched, Stale::All);
        }
        let (hosts, vouched) = (&self.hosts, &self.vouched);
        let sources = Sources { home, namespaces, services, slices, exports, hosts, vouched };
        self.made.refresh(&sources, &self.stale);
        self.stale = Stale::default();
        Some(registry::build(&sources, &self.made, self.callers.known()))
    }
}

fn take<T>(objects: &mut Objects<T>, delta: Delta<T>) {
    match (delta, objects) {
        (Delta::All(all), objects) => *objects = Some(all),
        (Delta::Put(key, object), Some(objects)) => {
            objects.insert(key, object);
        }
        (Delta::Deleted(key), Some(objects)) => {
            objects.remove(&key);
        }
        // A change before the list, which will have it.
        (Delta::Put(..) | Delta::Deleted(_), None) => {}
    }
}

#[cfg(test)]
mod tests;
