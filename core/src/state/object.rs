//! Rules for every object: preconditions, owners, quotas, generations.

use rialto_types::api::{self, Change};
use rialto_types::id::Revision;
use rialto_types::limits;
use rialto_types::object::{Document, Key, Kind, Resource, Spec};

use super::command::Put;
use super::{At, Done, Effect, OWNER, Precondition, Refused, State, Write};

impl State {
    pub(super) fn put(&mut self, mut put: Put, at: At) -> Result<Effect, Refused> {
        put.resource.metadata.created_at = None;
        let key = put.resource.key();
        if !key.kind.is_writable() {
            return Err(Refused::ReadOnly { key });
        }
        self.check_precondition(&key, put.precondition)?;
        let held = self.objects.get(&key);
        if held.is_some_and(|held| is_same_intent(held, &put.resource)) {
            let mut effect = self.unchanged(&key);
            effect.warnings = self.warnings(&put.resource);
            return Ok(effect);
        }
        if held.is_none() {
            self.check_quota(key.kind)?;
        }
        self.check_rules(&put.resource)?;
        let warnings = self.warnings(&put.resource);
        let mut effect = if let Spec::Cluster(_) = put.resource.spec {
            self.put_cluster(put.resource, put.fresh_issuer, at)?
        } else {
            self.write(put.resource, at)
        };
        effect.warnings = warnings;
        Ok(effect)
    }

    pub(super) fn delete(
        &mut self,
        key: &Key,
        precondition: Precondition,
    ) -> Result<Effect, Refused> {
        if key.kind == Kind::Service {
            return Err(Refused::ReadOnly { key: key.clone() });
        }
        if self.objects.get(key).is_none() {
            self.check_agent_exports(key, &[])?;
            return Err(Refused::NotFound { key: key.clone() });
        }
        self.check_precondition(key, precondition)?;
        self.check_unused(key)?;
        let mut effect = self.remove(key);
        effect.warnings = self.warnings_of_removal(key);
        Ok(effect)
    }

    fn check_precondition(&self, key: &Key, precondition: Precondition) -> Result<(), Refused> {
        let held = self.objects.get(key);
        match precondition {
            Precondition::None => Ok(()),
            Precondition::IfNoneMatch if held.is_none() => Ok(()),
            Precondition::IfNoneMatch => Err(Refused::AlreadyExists { key: key.clone() }),
            Precondition::IfMatch(expected) => {
                let found: Option<Revision> = held.and_then(|held| held.metadata.resource_version);
                if found == Some(expected) {
                    return Ok(());
                }
                Err(Refused::Changed { key: key.clone(), expected, found })
            }
        }
    }

    pub(super) fn check_quota(&self, kind: Kind) -> Result<(), Refused> {
        let max = match kind {
            Kind::Cluster => limits::CLUSTERS_MAX,
            Kind::JoinToken
            | Kind::Workspace
            | Kind::Service
            | Kind::ServiceExport
            | Kind::HttpRoute
            | Kind::TcpRoute
            | Kind::FailoverPolicy
            | Kind::AccessPolicy => limits::OBJECTS_PER_KIND_MAX,
        };
        if self.objects.count(kind) < max { Ok(()) } else { Err(Refused::Quota { kind, max }) }
    }

    /// What a write to this object may not break. Names of things that do not exist are no reason:
    /// they are warnings, so that documents may come in any order.
    pub(super) fn check_rules(&self, resource: &Resource) -> Result<(), Refused> {
        let key = resource.key();
        match &resource.spec {
            Spec::Workspace(spec) => self.check_workspace(&key, spec),
            Spec::ServiceExport(spec) => self.check_agent_exports(&key, &spec.clusters),
            Spec::HttpRoute(spec) => super::policy::check_http_route(&key, spec),
            Spec::TcpRoute(spec) => super::policy::check_tcp_route(&key, spec),
            Spec::Cluster(spec) => self.check_cluster(&key, spec),
            Spec::JoinToken(_) | Spec::FailoverPolicy(_) | Spec::AccessPolicy(_) => Ok(()),
        }
    }

    /// Writes the object, sets what only the server sets, and tells what changed. A write that says
    /// what is there already is the caller's to see. A stated age counts: a revert gives an object
    /// back as old as it was, because the older one wins in conflicts.
    pub(super) fn write(&mut self, mut resource: Resource, at: At) -> Effect {
        let key = resource.key();
        let held = self.objects.get(&key);
        let metadata = &mut resource.metadata;
        metadata.resource_version = Some(at.revision);
        metadata.owner = Some(OWNER);
        let held_since = held.and_then(|held| held.metadata.created_at);
        metadata.created_at = metadata.created_at.or(held_since).or(Some(at.now));
        let generation = held.and_then(|held| held.metadata.generation).unwrap_or(0);
        let is_same_spec = held.is_some_and(|held| held.spec == resource.spec);
        metadata.generation = Some(if is_same_spec { generation } else { generation + 1 });
        let before = held.map(|held| held.to_document(None));
        let after = Some(resource.to_document(None));
        let outcome = if before.is_some() { api::Outcome::Changed } else { api::Outcome::Created };
        self.objects.insert(resource);
        let verb = if before.is_some() { "changed" } else { "created" };
        let done = written(outcome, before.clone(), after.clone());
        let mut effect = Effect::new(done, format!("{verb} {key}"));
        self.touch_exported(&key, &mut effect);
        effect.changes.push(Change { key: key.clone(), before, after });
        effect.touched.insert(key);
        effect
    }

    pub(super) fn remove(&mut self, key: &Key) -> Effect {
        let held = self.objects.remove(key).expect("the caller looked the object up");
        let before = Some(held.to_document(None));
        let done = written(api::Outcome::Deleted, before.clone(), None);
        let mut effect = Effect::new(done, format!("deleted {key}"));
        self.touch_exported(key, &mut effect);
        if key.kind == Kind::Cluster {
            self.remove_cluster(&super::cluster_name(&key.name), &mut effect);
        }
        effect.changes.push(Change { key: key.clone(), before, after: None });
        effect.touched.insert(key.clone());
        effect
    }

    pub(super) fn unchanged(&self, key: &Key) -> Effect {
        let document = self.objects.get(key).map(|held| held.to_document(None));
        let done = written(api::Outcome::Unchanged, document.clone(), document);
        Effect::new(done, String::new())
    }
}

fn written(outcome: api::Outcome, before: Option<Document>, after: Option<Document>) -> Done {
    Done::Written(Box::new(Write { outcome, before, after }))
}

/// Whether two documents state the same, whatever the server added.
pub(super) fn is_same_intent(held: &Resource, put: &Resource) -> bool {
    held.spec == put.spec
        && held.metadata.labels == put.metadata.labels
        && held.metadata.annotations == put.metadata.annotations
}
