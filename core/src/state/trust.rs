//! Who is trusted: the federation's root, issuers, members, join tokens.
//!
//! Issuer keys are here only sealed; `core` neither opens nor shows them, and no history, document
//! or log holds one.

use std::fmt;

use rialto_types::cluster::{JoinTokenSpec, Joiner};
use rialto_types::id::{InstanceId, ResourceName, Timestamp};
use rialto_types::limits;
use rialto_types::object::{Key, Kind, Metadata, Resource, Spec};
use serde::{Deserialize, Serialize};

use super::command::{Bootstrap, RedeemToken};
use super::{At, Done, Effect, Refused, State};

/// The issuer of a trust domain.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Issuer {
    /// The private key, sealed by the members' key file; base64.
    pub sealed_key: String,
    /// The certificate, the anchor of the trust domain; DER in base64.
    pub certificate: String,
}

impl fmt::Debug for Issuer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Issuer").finish_non_exhaustive()
    }
}

/// What the first command of a federation fixes.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Federation {
    pub id: String,
    /// The issuer of the control plane's own trust domain.
    pub issuer: Issuer,
    /// SHA-256 of the administrator's token, in hex.
    pub admin_token_hash: String,
    pub created_at: Timestamp,
}

impl fmt::Debug for Federation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Federation").field("id", &self.id).finish_non_exhaustive()
    }
}

/// A member of the control plane.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Member {
    pub raft_id: u64,
    pub name: InstanceId,
    /// `HOST:PORT` of its gRPC listener.
    pub address: String,
}

impl State {
    pub fn federation(&self) -> Option<&Federation> {
        self.federation.as_ref()
    }

    pub fn members(&self) -> impl Iterator<Item = &Member> {
        self.members.values()
    }

    pub fn member(&self, raft_id: u64) -> Option<&Member> {
        self.members.get(&raft_id)
    }

    /// A join token as redeeming it would find it at `now`, without redeeming it: what fails here
    /// need not be proposed.
    pub fn check_token(
        &self,
        name: &ResourceName,
        secret_hash: &str,
        now: Timestamp,
    ) -> Result<&JoinTokenSpec, Refused> {
        let unknown = || Refused::TokenUnknown { name: name.clone() };
        let resource = self.objects.get(&token_key(name)).ok_or_else(unknown)?;
        let Spec::JoinToken(spec) = &resource.spec else { return Err(unknown()) };
        if spec.secret_hash != secret_hash {
            return Err(unknown());
        }
        if let Some(used_at) = spec.used_at {
            return Err(Refused::TokenUsed { name: name.clone(), used_at });
        }
        if now >= spec.expires_at {
            let expires_at = spec.expires_at;
            return Err(Refused::TokenExpired { name: name.clone(), expires_at });
        }
        Ok(spec)
    }

    pub(super) fn bootstrap(&mut self, bootstrap: Bootstrap, at: At) -> Result<Effect, Refused> {
        if self.federation.is_some() {
            return Err(Refused::BootstrappedBefore);
        }
        let summary = format!("bootstrapped federation {}", bootstrap.federation);
        self.federation = Some(Federation {
            id: bootstrap.federation,
            issuer: bootstrap.issuer,
            admin_token_hash: bootstrap.admin_token_hash,
            created_at: at.now,
        });
        Ok(Effect::new(Done::Accepted, summary).audited())
    }

    pub(super) fn put_member(&mut self, member: Member) -> Result<Effect, Refused> {
        if let Some(held) = self.members.values().find(|held| held.name == member.name)
            && held.raft_id != member.raft_id
        {
            let (stated, held) = (member.raft_id, held.raft_id);
            return Err(Refused::MemberTaken { name: member.name, stated, held });
        }
        match self.members.get(&member.raft_id) {
            Some(held) if *held == member => {
                return Ok(Effect::new(Done::Accepted, String::new()));
            }
            // Two that join in one moment want the same id; the second one must not take it over.
            Some(held) if held.name != member.name => {
                let Member { raft_id, name, .. } = member;
                return Err(Refused::RaftIdTaken { name, raft_id, held: held.name.clone() });
            }
            Some(_) | None => {}
        }
        let is_new = !self.members.contains_key(&member.raft_id);
        if is_new && self.members.len() >= limits::MEMBERS_MAX {
            return Err(Refused::MembersMax { max: limits::MEMBERS_MAX });
        }
        let verb = if is_new { "added" } else { "moved" };
        let summary = format!("{verb} member {} at {}", member.name, member.address);
        self.members.insert(member.raft_id, member);
        Ok(Effect::new(Done::Accepted, summary).audited())
    }

    pub(super) fn create_token(
        &mut self,
        name: ResourceName,
        spec: JoinTokenSpec,
        at: At,
    ) -> Result<Effect, Refused> {
        let key = token_key(&name);
        let field = |field: &str, reason: &str| {
            let (field, reason) = (field.into(), reason.into());
            Err(Refused::Field { key: key.clone(), field, reason })
        };
        match (&spec.cluster, spec.role) {
            (Some(_), Joiner::Member) => {
                return field("spec.cluster", "a member of the control plane has no cluster");
            }
            (None, Joiner::Agent) => {
                return field("spec.cluster", "is required for this role");
            }
            (Some(cluster), Joiner::Agent) if !self.clusters.contains_key(cluster) => {
                return Err(Refused::ClusterUnknown { cluster: cluster.clone() });
            }
            (Some(_), Joiner::Agent) | (None, Joiner::Member) => {}
        }
        if spec.expires_at > at.stated.plus(limits::JOIN_TOKEN_TTL_MAX) {
            return field("spec.expiresAt", "is more than a day away");
        }
        if self.objects.get(&key).is_some() {
            return Err(Refused::AlreadyExists { key });
        }
        let forgotten = self.forget_tokens(at.stated);
        self.check_quota(Kind::JoinToken)?;
        let whom = match &spec.cluster {
            Some(cluster) => format!("{} of {cluster}", spec.role),
            None => spec.role.to_string(),
        };
        let resource = Resource {
            metadata: Metadata::new(None, name.clone()),
            spec: Spec::JoinToken(JoinTokenSpec { used_at: None, ..spec }),
        };
        let mut effect = self.write(resource, at);
        effect.summary = format!("created JoinToken {name} for {whom}");
        effect.touched.extend(forgotten);
        Ok(effect)
    }

    pub(super) fn redeem_token(&mut self, redeem: RedeemToken, at: At) -> Result<Effect, Refused> {
        let mut spec = self.check_token(&redeem.name, &redeem.secret_hash, at.stated)?.clone();
        spec.used_at = Some(at.stated);
        let metadata = Metadata::new(None, redeem.name.clone());
        let mut effect = self.write(Resource { metadata, spec: Spec::JoinToken(spec.clone()) }, at);
        effect.summary = format!("redeemed JoinToken {} for {}", redeem.name, redeem.instance);
        effect.done = Done::Redeemed(spec);
        Ok(effect)
    }

    /// Drops tokens that ended long ago. Until then they are kept, so that a late client learns
    /// whether its token was used or has expired.
    fn forget_tokens(&mut self, now: Timestamp) -> Vec<Key> {
        let ended = |resource: &&Resource| {
            let Spec::JoinToken(spec) = &resource.spec else { return false };
            spec.expires_at.plus(limits::JOIN_TOKEN_TTL_MAX) <= now
        };
        let tokens = self.objects.of_kind(Kind::JoinToken);
        let gone: Vec<Key> = tokens.filter(ended).map(Resource::key).collect();
        for key in &gone {
            self.objects.remove(key);
        }
        gone
    }
}

fn token_key(name: &ResourceName) -> Key {
    Key { kind: Kind::JoinToken, namespace: None, name: name.clone() }
}
