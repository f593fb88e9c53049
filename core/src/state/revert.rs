//! Revert: a new revision in which every object is as it was at an earlier one.

use rialto_types::api::Change;
use rialto_types::id::Revision;
use rialto_types::object::{Document, Key, Kind, Resource, Spec};

use super::{At, Done, Effect, Refused, State, object};

impl State {
    /// Clusters are changed back but neither made nor unmade (an issuer's key is in no history),
    /// and join tokens stay as they are: a used one must not become fresh again.
    pub(super) fn revert(&mut self, to: Revision, at: At) -> Result<Effect, Refused> {
        let oldest = self.history.floor();
        if to < oldest {
            return Err(Refused::RevisionGone { revision: to, oldest });
        }
        if to > self.revision {
            return Err(Refused::RevisionUnknown { revision: to, newest: self.revision });
        }
        let undo: Vec<(Key, Option<Document>)> = self
            .history
            .undo_to(to)
            .into_iter()
            .filter(|(key, _)| is_revertible(key))
            .map(|(key, change)| (key, change.before.clone()))
            .collect();
        let mut total = Effect::new(Done::Accepted, format!("reverted to {to}"));
        for (key, before) in undo {
            match before {
                None => self.revert_creation(&key, &mut total),
                Some(before) => self.revert_change(key, before, &mut total, at),
            }
        }
        let changes: Vec<Change> = total.changes.clone();
        total.done = Done::Reverted(changes);
        Ok(total)
    }

    fn revert_creation(&mut self, key: &Key, total: &mut Effect) {
        if self.objects.get(key).is_none() {
            return;
        }
        if key.kind == Kind::Cluster {
            total.warnings.push(format!("{key} stays: delete it by hand if it is to go"));
            return;
        }
        let effect = self.remove(key);
        total.absorb(effect);
    }

    fn revert_change(&mut self, key: Key, before: Document, total: &mut Effect, at: At) {
        let created_at = before.metadata.created_at;
        let resource = match before.into_resource() {
            Ok(mut resource) => {
                resource.metadata.created_at = created_at;
                resource
            }
            Err(error) => {
                total.warnings.push(format!("{key} stays as it is: {error}"));
                return;
            }
        };
        let held = self.objects.get(&key);
        let is_as_old = |held: &Resource| held.metadata.created_at == created_at;
        if held.is_some_and(|held| is_as_old(held) && object::is_same_intent(held, &resource)) {
            return;
        }
        if held.is_none() && key.kind == Kind::Cluster {
            total.warnings.push(format!("{key} is not made again: it must join anew"));
            return;
        }
        match self.check_against_clusters(&key, &resource.spec) {
            Ok(()) => {
                let effect = self.write(resource, at);
                total.absorb(effect);
            }
            Err(refused) => {
                total.warnings.push(format!("{key} stays as it is: {refused}"));
            }
        }
    }
}

impl State {
    /// Objects fitted each other at that revision, so they do again; what clusters report and which
    /// addresses are in use is not set back.
    fn check_against_clusters(&self, key: &Key, spec: &Spec) -> Result<(), Refused> {
        match spec {
            Spec::ServiceExport(spec) => self.check_agent_exports(key, &spec.clusters),
            Spec::Cluster(spec) => self.check_cluster(key, spec),
            Spec::JoinToken(_)
            | Spec::Workspace(_)
            | Spec::HttpRoute(_)
            | Spec::TcpRoute(_)
            | Spec::FailoverPolicy(_)
            | Spec::AccessPolicy(_) => Ok(()),
        }
    }
}

/// A used join token must not become fresh again.
pub(super) fn is_revertible(key: &Key) -> bool {
    key.kind != Kind::JoinToken
}

impl Effect {
    fn absorb(&mut self, other: Effect) {
        self.changes.extend(other.changes);
        self.touched.extend(other.touched);
        self.services.extend(other.services);
        self.warnings.extend(other.warnings);
    }
}
