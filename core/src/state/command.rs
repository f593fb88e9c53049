//! Everything that can be proposed. Times, names and secrets are filled in before proposing, so
//! that every member applies the same.

use std::collections::BTreeMap;

pub use rialto_types::api::Precondition;
use rialto_types::cluster::JoinTokenSpec;
use rialto_types::id::{ClusterName, InstanceId, ResourceName, Revision, ServiceName, Timestamp};
use rialto_types::object::{Key, Resource};
use rialto_types::report::ReportChange;
use serde::{Deserialize, Serialize};

use super::trust::{Issuer, Member};

/// One change, as it stands in the replicated log.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Command {
    /// The proposer's clock. The state's own clock never goes back, whatever this says.
    pub now: Timestamp,
    /// Who: `token:NAME`, `agent:CLUSTER`, `member:ID`.
    pub actor: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    pub action: Action,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub enum Action {
    /// The first command of a federation, once.
    Bootstrap(Bootstrap),
    Put(Box<Put>),
    Delete {
        key: Key,
        precondition: Precondition,
    },
    CreateToken {
        name: ResourceName,
        spec: JoinTokenSpec,
    },
    RedeemToken(RedeemToken),
    /// What a cluster's agent says: all of it, or what changed since its number `base`.
    ApplyReport(Box<ReportChange>),
    /// Adds a member of the control plane, or says its new address.
    PutMember(Member),
    /// Makes a new revision in which every object is as it was at `to`.
    Revert {
        to: Revision,
    },
    /// Rewrites the weights of the one route of `parent`, or makes that route.
    Shift {
        parent: ServiceName,
        weights: BTreeMap<ResourceName, u32>,
    },
    SetDrained {
        cluster: ClusterName,
        drained: bool,
    },
    /// A browser signed out: no member takes its cookie again.
    EndSession {
        /// SHA-256 of what the session's holder knows, in hex.
        id: String,
        expires: Timestamp,
    },
}

#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Bootstrap {
    pub epoch: u64,
    /// Tells this federation from every other.
    pub federation: String,
    pub issuer: Issuer,
    /// SHA-256 of the administrator's token, in hex.
    pub admin_token_hash: String,
}

impl std::fmt::Debug for Bootstrap {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Bootstrap").field("federation", &self.federation).finish_non_exhaustive()
    }
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Put {
    pub resource: Resource,
    #[serde(default)]
    pub precondition: Precondition,
    /// Needed when a cluster is created: its trust anchor and the sealed key. Unused otherwise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fresh_issuer: Option<Issuer>,
}

#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RedeemToken {
    pub name: ResourceName,
    /// SHA-256 of the secret that was shown, in hex.
    pub secret_hash: String,
    /// Who redeems it, for the audit.
    pub instance: InstanceId,
}

impl std::fmt::Debug for RedeemToken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RedeemToken").field("name", &self.name).finish_non_exhaustive()
    }
}

const VERSION: u8 = 1;

/// Why bytes are not a command.
#[derive(Debug, thiserror::Error)]
pub enum DecodeError {
    #[error("a command of no bytes")]
    Empty,
    #[error(
        "a command of version {0}, but this member reads version {VERSION}; run the same release \
         on every member"
    )]
    Version(u8),
    #[error("a command that cannot be read")]
    Body(#[source] serde_json::Error),
}

impl Command {
    /// The bytes of the command in the log: a version byte, then JSON.
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = vec![VERSION];
        serde_json::to_writer(&mut bytes, self).expect("a command has text keys only");
        bytes
    }

    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        match bytes.split_first() {
            None => Err(DecodeError::Empty),
            Some((&VERSION, body)) => serde_json::from_slice(body).map_err(DecodeError::Body),
            Some((&version, _)) => Err(DecodeError::Version(version)),
        }
    }
}

impl Action {
    /// What is attempted, in one line, for the audit of a refusal.
    pub(super) fn summary(&self) -> String {
        match self {
            Action::Bootstrap(bootstrap) => {
                format!("bootstrap federation {}", bootstrap.federation)
            }
            Action::Put(put) => format!("put {}", put.resource.key()),
            Action::Delete { key, .. } => format!("delete {key}"),
            Action::CreateToken { name, .. } => format!("create JoinToken {name}"),
            Action::RedeemToken(redeem) => {
                format!("redeem JoinToken {} for {}", redeem.name, redeem.instance)
            }
            Action::ApplyReport(report) => format!(
                "report of cluster {} at {}.{}",
                report.cluster, report.epoch, report.revision
            ),
            Action::PutMember(member) => format!("put member {}", member.name),
            Action::Revert { to } => format!("revert to {to}"),
            Action::Shift { parent, .. } => format!("shift {parent}"),
            Action::SetDrained { cluster, drained: true } => format!("drain cluster {cluster}"),
            Action::SetDrained { cluster, drained: false } => format!("undrain cluster {cluster}"),
            Action::EndSession { .. } => "sign out of the page".into(),
        }
    }
}
