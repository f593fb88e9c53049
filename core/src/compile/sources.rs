//! The snapshots of all clusters at once: what they have in common is worked out once, and what did
//! not change since the compilation before is not made again.
//!
//! ```text
//!  State ──▶ Common (one a revision) ──▶ Compiled (one a cluster) ──▶ entries, where sources differ
//!               ▲ shares what is equal                                  from the Compiled before
//!            the Common before
//! ```
//!
//! What did not change is compared, never guessed from what a command touched: so what is kept is
//! the same as from scratch.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;

use rialto_types::error::{Code, Problem};
use rialto_types::id::{ClusterName, Revision, ServiceName};
use rialto_types::snapshot::{Entry, FailoverEntry, ImportEntry, NamesEntry, ServiceEntry};

use super::{
    access, check_references, cluster_entries, default_failover, definitions, failover, routes,
};
use crate::state::merge::Definition;
use crate::state::{State, service};

/// What the snapshots of all clusters are made of, at one revision.
#[derive(Debug, Default)]
pub struct Common {
    revision: Revision,
    clusters: BTreeMap<ClusterName, Named>,
    services: BTreeMap<ServiceName, Arc<Service>>,
    routes: BTreeMap<ServiceName, Named>,
    access: BTreeMap<ServiceName, Named>,
    imports: BTreeMap<ServiceName, Named>,
    problems: Vec<Problem>,
}

/// An entry that is the same in all clusters, with its name.
#[derive(Debug, Clone)]
struct Named {
    name: Arc<str>,
    entry: Arc<Entry>,
}

/// What the entries of one service have in common.
#[derive(Debug, PartialEq)]
pub struct Service {
    entry: Arc<str>,
    name: ServiceName,
    definition: Definition,
    failover: FailoverEntry,
}

/// What one cluster's snapshot is made of, by the entries' names.
#[derive(Debug, Default)]
pub struct Compiled {
    pub revision: Revision,
    pub sources: BTreeMap<Arc<str>, Source>,
}

/// What an entry is made of: as long as this is equal, the entry is.
#[derive(Debug)]
pub enum Source {
    /// The same in all clusters.
    Entry(Arc<Entry>),
    Service(Arc<Service>, Addresses),
}

/// Where workloads of one cluster reach a service.
#[derive(Debug, PartialEq)]
pub struct Addresses {
    virtual_ips: Vec<IpAddr>,
    gateway_ports: BTreeMap<u16, u16>,
}

impl Common {
    /// `before`, of any other revision, is what equal parts are shared with.
    pub fn new(state: &State, before: &Self) -> Self {
        let mut problems = Vec::new();
        let definitions = definitions(state, &mut problems);
        let mut failover = failover(state, &mut problems);
        check_references(state, &mut problems);
        let routes = routes::compile(state, &definitions, &mut problems).into_iter();
        let routes = routes.map(|entry| (entry.service.clone(), Entry::Route(entry)));
        let access = access::compile(state).into_iter();
        let access = access.map(|entry| (entry.service.clone(), Entry::Access(entry)));
        let imports = definitions.iter();
        let imports = imports.map(|(name, it)| (name.clone(), Entry::Import(import(name, it))));
        let imports = named(imports, &before.imports);
        let services = definitions.into_iter().map(|(name, definition)| {
            let held = before.services.get(&name);
            let failover = failover.remove(&name).unwrap_or_else(default_failover);
            let entry =
                held.map_or_else(|| Entry::name_of(&name).into(), |held| held.entry.clone());
            let service = Service { entry, name: name.clone(), definition, failover };
            (name, shared(service, held))
        });
        let clusters = cluster_entries(state).into_iter();
        let clusters = clusters.map(|entry| (entry.name.clone(), Entry::Cluster(entry)));
        Self {
            revision: state.revision(),
            clusters: named(clusters, &before.clusters),
            services: services.collect(),
            routes: named(routes, &before.routes),
            access: named(access, &before.access),
            imports,
            problems,
        }
    }

    pub fn revision(&self) -> Revision {
        self.revision
    }

    /// One cluster's snapshot, of the state that this was made of.
    pub fn compile(&self, state: &State, cluster: &ClusterName) -> Compiled {
        let sources = self.sources(state, cluster).into_iter().collect();
        Compiled { revision: self.revision, sources }
    }

    /// The entries of one cluster that one service needs, clusters included.
    pub fn about(&self, state: &State, cluster: &ClusterName, service: &ServiceName) -> Vec<Entry> {
        assert_eq!(self.revision, state.revision(), "made of this very state");
        let Some(own) = state.cluster(cluster) else { return Vec::new() };
        let mut entries: Vec<Entry> =
            self.clusters.values().map(|named| (*named.entry).clone()).collect();
        let visible = own.has_namespace(&service.namespace);
        let Some(held) = self.services.get(service).filter(|_| visible) else { return entries };
        let addresses = Addresses::of(state, cluster, held);
        entries.push(Source::Service(held.clone(), addresses).entry());
        let of_service = [self.routes.get(service), self.access.get(service)];
        entries.extend(of_service.into_iter().flatten().map(|named| (*named.entry).clone()));
        entries
    }

    /// By the entries' names, in the order of their kinds.
    pub(super) fn sources(&self, state: &State, cluster: &ClusterName) -> Vec<(Arc<str>, Source)> {
        assert_eq!(self.revision, state.revision(), "made of this very state");
        let Some(own) = state.cluster(cluster) else { return Vec::new() };
        let entry = |named: &Named| (named.name.clone(), Source::Entry(named.entry.clone()));
        let is_visible = |service: &ServiceName| own.has_namespace(&service.namespace);
        let mut sources: Vec<(Arc<str>, Source)> = self.clusters.values().map(entry).collect();
        let namespaces = own.namespaces.map(<[_]>::to_vec);
        let names = Entry::Names(NamesEntry { cluster: cluster.clone(), namespaces });
        sources.push((names.name().into(), Source::Entry(Arc::new(names))));
        let visible = self.services.values().filter(|service| is_visible(&service.name));
        sources.extend(visible.map(|service| {
            let addresses = Addresses::of(state, cluster, service);
            (service.entry.clone(), Source::Service(service.clone(), addresses))
        }));
        for of_kind in [&self.routes, &self.access] {
            let seen = of_kind
                .iter()
                .filter(|(service, _)| self.services.contains_key(*service) && is_visible(service));
            sources.extend(seen.map(|(_, named)| entry(named)));
        }
        // Only of clusters whose agents write them.
        if state.has_own_virtual_ips(cluster) {
            let visible = self.imports.iter().filter(|(service, _)| is_visible(service));
            sources.extend(visible.map(|(_, named)| entry(named)));
        }
        sources
    }

    /// What cannot take effect, each thing once.
    pub(super) fn problems(&self, state: &State, cluster: &ClusterName) -> Vec<Problem> {
        let Some(own) = state.cluster(cluster) else { return Vec::new() };
        let starved = self
            .services
            .keys()
            .filter(|name| own.has_namespace(&name.namespace) && state.is_starved(name, cluster));
        let starved = starved.map(|name| {
            let problem = Problem::new(Code::VipRangeExhausted, service::starved(cluster));
            problem.with_subject(format!("Service {name}"))
        });
        let mut problems: Vec<Problem> = self.problems.iter().cloned().chain(starved).collect();
        let mut told = BTreeSet::new();
        problems.retain(|problem| {
            told.insert((problem.subject.clone(), problem.field.clone(), problem.detail.clone()))
        });
        problems
    }
}

impl Named {
    fn new(entry: Entry, before: Option<&Self>) -> Self {
        match before.filter(|before| *before.entry == entry) {
            Some(before) => before.clone(),
            None => Self { name: entry.name().into(), entry: Arc::new(entry) },
        }
    }
}

impl Addresses {
    fn of(state: &State, cluster: &ClusterName, service: &Service) -> Self {
        let Service { name, definition, .. } = service;
        let virtual_ips =
            if definition.headless { Vec::new() } else { state.virtual_ips(name, cluster) };
        Self { virtual_ips, gateway_ports: state.gateway_ports(name, cluster) }
    }
}

impl Source {
    pub fn entry(&self) -> Entry {
        match self {
            Self::Entry(entry) => (**entry).clone(),
            Self::Service(service, addresses) => Entry::Service(service_entry(service, addresses)),
        }
    }
}

impl PartialEq for Source {
    /// Shared is equal, without a look.
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Entry(one), Self::Entry(other)) => Arc::ptr_eq(one, other) || one == other,
            (Self::Service(one, here), Self::Service(other, there)) => {
                here == there && (Arc::ptr_eq(one, other) || one == other)
            }
            (Self::Entry(_), Self::Service(..)) | (Self::Service(..), Self::Entry(_)) => false,
        }
    }
}

fn service_entry(service: &Service, addresses: &Addresses) -> ServiceEntry {
    let Service { name, definition, failover, .. } = service;
    ServiceEntry {
        name: name.clone(),
        ports: definition.ports.clone(),
        clusters: definition.clusters.clone(),
        virtual_ips: addresses.virtual_ips.clone(),
        gateway_ports: addresses.gateway_ports.clone(),
        headless: definition.headless.then(|| definition.endpoints.clone()),
        udp_ports: definition.udp_ports(),
        client_affinity: definition.client_affinity(),
        failover: failover.clone(),
    }
}

fn import(name: &ServiceName, definition: &Definition) -> ImportEntry {
    ImportEntry {
        service: name.clone(),
        headless: definition.headless,
        traits: definition.traits.clone(),
        clusters: definition.exporters.clone(),
        conflicts: [&definition.conflicts[..], &definition.unequal].concat(),
    }
}

fn named<K: Ord>(
    entries: impl Iterator<Item = (K, Entry)>,
    before: &BTreeMap<K, Named>,
) -> BTreeMap<K, Named> {
    let entry = |(of, entry)| {
        let named = Named::new(entry, before.get(&of));
        (of, named)
    };
    entries.map(entry).collect()
}

/// The same value as before is the same allocation.
fn shared<T: PartialEq>(value: T, before: Option<&Arc<T>>) -> Arc<T> {
    before.filter(|before| ***before == value).cloned().unwrap_or_else(|| Arc::new(value))
}
