//! The replicated state: the intent of the federation, who is trusted, what clusters define.
//!
//! ```text
//!  Command --> apply --+--> refused: a value with a reason; only the audit grows
//!                      +--> unchanged
//!                      +--> changed: objects, virtual IPs, history, names for watches
//! ```
//!
//! `apply` is total and deterministic. A rule first checks everything, then changes; so a refused
//! command leaves no trace but its audit entry. What can be derived (who has a service, which
//! numbers are taken) is kept as an index and rebuilt by `codec::decode`.

use std::collections::{BTreeMap, BTreeSet};

use rialto_types::api::{self, Change, HistoryEntry};
use rialto_types::cluster::JoinTokenSpec;
use rialto_types::id::{ClusterName, Namespace, ResourceName, Revision, ServiceName, Timestamp};
use rialto_types::limits;
use rialto_types::object::{Document, Key, Kind, Resource};
use rialto_types::owner::Owner;
use serde::{Deserialize, Serialize};

pub mod codec;
pub mod command;
pub mod trust;
pub mod vip;

mod cluster;
mod history;
pub(crate) mod merge;
mod object;
mod objects;
mod policy;
mod refused;
mod report;
mod revert;
pub(crate) mod service;
mod sessions;
mod shared;
mod shift;

pub use cluster::ClusterView;
pub use command::{Action, Command, Precondition};
pub use refused::Refused;

use history::History;
use objects::Objects;
use sessions::Ended;
use shared::Shared;
use trust::{Federation, Member};

/// Everything that the members of the control plane agree on. A copy shares what neither writes.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct State {
    /// The Raft index of the last command, refused ones included.
    applied: u64,
    /// The revision of the last change.
    revision: Revision,
    /// The latest time that a command carried; it never goes back.
    clock: Timestamp,
    federation: Option<Federation>,
    members: BTreeMap<u64, Member>,
    objects: Objects,
    clusters: BTreeMap<ClusterName, Shared<cluster::Record>>,
    vips: BTreeMap<ClusterName, Shared<vip::Table<ServiceName>>>,
    /// Of clusters that report virtual IPs of their own.
    #[serde(default)]
    gateway_ports: BTreeMap<ClusterName, Shared<vip::Table<vip::PortKey>>>,
    history: Shared<History>,
    #[serde(default, skip_serializing_if = "Ended::is_empty")]
    ended: Ended,
    /// Derived: the clusters that have a service, exported or not.
    #[serde(skip)]
    holders: Shared<BTreeMap<ServiceName, BTreeSet<ClusterName>>>,
}

/// What a command did.
#[derive(Debug, Clone, PartialEq)]
pub struct Applied {
    /// The revision of the change; of the state, if nothing changed.
    pub revision: Revision,
    pub outcome: Result<Done, Refused>,
    /// The objects that changed, derived ones (kind Service) included.
    pub changed: Vec<Key>,
    /// What is odd but allowed.
    pub warnings: Vec<String>,
}

/// What an accepted command did.
#[derive(Debug, Clone, PartialEq)]
pub enum Done {
    /// One object was written or deleted, or was so before.
    Written(Box<Write>),
    /// The one redemption of this token.
    Redeemed(JoinTokenSpec),
    /// Objects were set back, these.
    Reverted(Vec<Change>),
    /// There is no object to show: bootstrap, members, reports.
    Accepted,
}

/// A write of one object.
#[derive(Debug, Clone, PartialEq)]
pub struct Write {
    pub outcome: api::Outcome,
    /// Absent if the object was created.
    pub before: Option<Document>,
    /// Absent if the object was deleted.
    pub after: Option<Document>,
}

impl Applied {
    /// For those who wrote one object.
    pub fn into_written(self) -> Result<api::Written, Refused> {
        let (outcome, before, after) = match self.outcome? {
            Done::Written(write) => (write.outcome, write.before, write.after),
            Done::Reverted(changes) if changes.is_empty() => (api::Outcome::Unchanged, None, None),
            Done::Reverted(_) | Done::Redeemed(_) | Done::Accepted => {
                (api::Outcome::Changed, None, None)
            }
        };
        Ok(api::Written {
            outcome,
            revision: self.revision,
            before,
            after,
            warnings: self.warnings,
        })
    }
}

/// When a command is applied.
#[derive(Debug, Clone, Copy)]
struct At {
    revision: Revision,
    /// The state's clock, which never goes back: for ages and rests.
    now: Timestamp,
    /// The proposer's clock: for what people and join tokens go by, so that one member with a
    /// clock in the far future spoils nothing for good.
    stated: Timestamp,
}

/// What a rule did to the state, for the record.
#[derive(Debug)]
struct Effect {
    done: Done,
    /// In one line, for the history.
    summary: String,
    changes: Vec<Change>,
    touched: BTreeSet<Key>,
    /// Services whose definition or export changed: their virtual IPs are looked at again.
    services: BTreeSet<ServiceName>,
    /// Worth an audit entry though no object changed.
    audited: bool,
    warnings: Vec<String>,
}

impl Effect {
    fn new(done: Done, summary: String) -> Self {
        Self {
            done,
            summary,
            changes: Vec::new(),
            touched: BTreeSet::new(),
            services: BTreeSet::new(),
            audited: false,
            warnings: Vec::new(),
        }
    }

    fn audited(mut self) -> Self {
        self.audited = true;
        self
    }

    fn is_change(&self) -> bool {
        self.audited || !self.touched.is_empty() || !self.services.is_empty()
    }
}

impl State {
    /// Applies the command at `revision_index` of the log; indices only grow.
    pub fn apply(&mut self, revision_index: u64, command: Command) -> Applied {
        assert!(revision_index > self.applied, "a command is applied once, in the log's order");
        self.applied = revision_index;
        self.clock = self.clock.max(command.now);
        let mut epoch = self.revision.epoch;
        if let (Action::Bootstrap(bootstrap), None) = (&command.action, &self.federation) {
            epoch = bootstrap.epoch;
        }
        let revision = Revision::new(epoch, revision_index);
        let at = At { revision, now: self.clock, stated: command.now };
        let attempt = command.action.summary();
        let entry = HistoryEntry {
            revision: at.revision,
            time: at.stated,
            actor: command.actor,
            reason: command.reason,
            summary: attempt,
            changes: Vec::new(),
            refused: None,
        };
        match check_reason(entry.reason.as_deref()).and_then(|()| self.decide(command.action, at)) {
            Ok(effect) if effect.is_change() => self.commit(effect, entry, at),
            Ok(effect) => Applied {
                revision: self.revision,
                outcome: Ok(effect.done),
                changed: Vec::new(),
                warnings: effect.warnings,
            },
            Err(refused) => {
                // An agent repairs a gap by itself; nobody needs to read of it.
                if !refused.needs_full() {
                    let refused = Some(refused.to_string());
                    let reason = entry.reason.filter(|reason| check_reason(Some(reason)).is_ok());
                    self.history.record_audit(HistoryEntry { refused, reason, ..entry });
                }
                Applied {
                    revision: self.revision,
                    outcome: Err(refused),
                    changed: Vec::new(),
                    warnings: Vec::new(),
                }
            }
        }
    }

    /// What the command would do.
    pub fn preview(&self, command: Command) -> Applied {
        let mut copy = self.clone();
        copy.apply(self.applied + 1, command)
    }

    fn decide(&mut self, action: Action, at: At) -> Result<Effect, Refused> {
        match action {
            Action::Bootstrap(bootstrap) => self.bootstrap(bootstrap, at),
            Action::Put(put) => self.put(*put, at),
            Action::Delete { key, precondition } => self.delete(&key, precondition),
            Action::CreateToken { name, spec } => self.create_token(name, spec, at),
            Action::RedeemToken(redeem) => self.redeem_token(redeem, at),
            Action::ApplyReport(report) => self.apply_report(*report, at),
            Action::PutMember(member) => self.put_member(member),
            Action::Revert { to } => self.revert(to, at),
            Action::Shift { parent, weights } => self.shift(&parent, &weights, at),
            Action::SetDrained { cluster, drained } => self.set_drained(&cluster, drained, at),
            Action::EndSession { id, expires } => Ok(self.end_session(id, expires)),
        }
    }

    fn commit(&mut self, mut effect: Effect, entry: HistoryEntry, at: At) -> Applied {
        self.revision = at.revision;
        effect.touched.extend(self.reconcile_vips(&effect.services, at.now).map(service_key));
        let changed: Vec<Key> = effect.touched.into_iter().collect();
        self.history.record_keys(at.revision, changed.clone());
        let is_revertible = effect.changes.iter().any(|change| revert::is_revertible(&change.key));
        let is_told = effect.audited || !effect.changes.is_empty();
        let entry = HistoryEntry { summary: effect.summary, changes: effect.changes, ..entry };
        if is_revertible {
            self.history.record_change(entry);
        } else if is_told {
            self.history.record_audit(entry);
        }
        Applied {
            revision: at.revision,
            outcome: Ok(effect.done),
            changed,
            warnings: effect.warnings,
        }
    }

    /// The revision of the last change; what `compile` makes is of this revision.
    pub fn revision(&self) -> Revision {
        self.revision
    }

    /// The log index of the last command.
    pub fn applied_index(&self) -> u64 {
        self.applied
    }

    /// The latest time that a command carried.
    pub fn clock(&self) -> Timestamp {
        self.clock
    }

    /// One object, as it was written.
    pub fn resource(&self, key: &Key) -> Option<&Resource> {
        self.objects.get(key)
    }

    /// The objects of a kind, in the order of namespace and name.
    pub fn resources(&self, kind: Kind) -> impl Iterator<Item = &Resource> {
        self.objects.of_kind(kind)
    }

    /// One object as a document. A Service's status is complete but for health; other status is
    /// live knowledge, which is not here.
    pub fn get(&self, key: &Key) -> Option<Document> {
        if key.kind != Kind::Service {
            return Some(self.objects.get(key)?.to_document(None));
        }
        let namespace = key.namespace.clone()?;
        self.service_document(&ServiceName::new(namespace, key.name.clone()))
    }

    /// The objects of a kind, of one namespace or of all, in the order of namespace and name.
    pub fn list(&self, kind: Kind, namespace: Option<&Namespace>) -> Vec<Document> {
        self.keys(kind, namespace).filter_map(|key| self.get(&key)).collect()
    }

    /// The names of `list`, for pages.
    pub fn keys<'a>(
        &'a self,
        kind: Kind,
        namespace: Option<&'a Namespace>,
    ) -> impl Iterator<Item = Key> + 'a {
        let written = self.objects.of_kind(kind).map(Resource::key);
        let services = (kind == Kind::Service).then(|| self.holders.keys().cloned());
        let derived = services.into_iter().flatten().map(service_key);
        written.chain(derived).filter(move |key| {
            namespace.is_none_or(|namespace| key.namespace.as_ref() == Some(namespace))
        })
    }

    /// The names of all that changed after `revision`, gone objects included; `None` if that is no
    /// longer known and the reader must list again.
    pub fn changed_since(&self, revision: Revision) -> Option<BTreeSet<Key>> {
        self.history.changed_since(revision)
    }

    /// The newest `count` entries of the history, newest first, refused writes included.
    pub fn history(&self, count: usize) -> api::History {
        self.history.newest(count.min(limits::HISTORY_ENTRIES_MAX + limits::AUDIT_ENTRIES_MAX))
    }

    /// The history, newest first, refused writes included.
    pub fn entries(&self) -> impl Iterator<Item = &HistoryEntry> {
        self.history.entries()
    }

    /// The oldest revision that a revert can bring back.
    pub fn oldest_revision(&self) -> Revision {
        self.history.floor()
    }

    /// Whether a revert can set an object back.
    pub fn is_revertible(key: &Key) -> bool {
        revert::is_revertible(key)
    }

    /// Rebuilds what is derived.
    fn rebuild(&mut self) {
        self.holders.clear();
        for (cluster, record) in &self.clusters {
            for service in record.services.keys() {
                self.holders.entry(service.clone()).or_default().insert(cluster.clone());
            }
        }
        for table in self.vips.values_mut() {
            table.rebuild();
        }
        for table in self.gateway_ports.values_mut() {
            table.rebuild();
        }
    }
}

fn check_reason(reason: Option<&str>) -> Result<(), Refused> {
    let count = reason.map_or(0, str::len);
    if count <= limits::REASON_BYTES_MAX { Ok(()) } else { Err(Refused::ReasonTooLong { count }) }
}

fn service_key(service: ServiceName) -> Key {
    Key { kind: Kind::Service, namespace: Some(service.namespace), name: service.name }
}

fn cluster_key(cluster: &ClusterName) -> Key {
    let name: ResourceName = cluster.as_str().parse().expect("a cluster name is a label");
    Key { kind: Kind::Cluster, namespace: None, name }
}

/// The cluster that a resource of kind Cluster is about.
fn cluster_name(name: &ResourceName) -> ClusterName {
    name.as_str().parse().expect("a resource name is a label")
}

/// What the API adds to an object that somebody wrote.
const OWNER: Owner = Owner::Bridge;

#[cfg(test)]
pub(crate) mod random;
#[cfg(test)]
pub(crate) mod session;
#[cfg(test)]
mod tests;
