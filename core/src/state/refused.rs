//! Why a command was refused: a value, with what to do about it.

use rialto_types::error::{Code, Problem};
use rialto_types::id::{ClusterName, InstanceId, Namespace, ResourceName, Revision, Timestamp};
use rialto_types::limits;
use rialto_types::object::{Key, Kind};
use rialto_types::owner::Owner;

/// A refused command changed nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    #[error("the federation was bootstrapped before")]
    BootstrappedBefore,
    #[error("{key} does not exist")]
    NotFound { key: Key },
    #[error("{key} exists already")]
    AlreadyExists { key: Key },
    #[error("{key} changed meanwhile: expected revision {expected}, found {}", or_none(.found))]
    Changed { key: Key, expected: Revision, found: Option<Revision> },
    #[error("{key} belongs to {owner}: the registry of that cluster exports the service itself")]
    NotOwner { key: Key, owner: Owner },
    #[error("{key} cannot be written: it is derived from what the clusters report")]
    ReadOnly { key: Key },
    #[error("{key} is needed by {}", some_of(.by))]
    InUse { key: Key, by: Vec<String>, hint: &'static str },
    #[error("{key}: field `{field}`: {reason}")]
    Field { key: Key, field: String, reason: String },
    #[error("namespace {namespace} belongs to workspace {workspace}")]
    NamespaceTaken { key: Key, namespace: Namespace, workspace: ResourceName, field: String },
    #[error("there are {max} objects of kind {kind}, and no more are allowed")]
    Quota { kind: Kind, max: usize },
    #[error("no cluster is named {cluster}")]
    ClusterUnknown { cluster: ClusterName },
    #[error("cluster {cluster} is new, but the command brings no issuer for it")]
    IssuerMissing { cluster: ClusterName },
    #[error("join token {name} is not known")]
    TokenUnknown { name: ResourceName },
    #[error("join token {name} was used at {used_at}")]
    TokenUsed { name: ResourceName, used_at: Timestamp },
    #[error("join token {name} expired at {expires_at}")]
    TokenExpired { name: ResourceName, expires_at: Timestamp },
    #[error("cluster {cluster} reports {count} {what}, at most {max} are allowed")]
    ReportTooLarge { cluster: ClusterName, what: String, count: usize, max: usize },
    #[error("report of cluster {cluster}: {subject}: field `{field}`: {reason}")]
    ReportInvalid { cluster: ClusterName, subject: String, field: String, reason: String },
    #[error("report {stated} of cluster {cluster} is older than {held}, which is held")]
    ReportStale { cluster: ClusterName, stated: Revision, held: Revision },
    #[error(
        "report of cluster {cluster} builds on {base}, but {} is held: a full report is needed",
        held.map_or_else(|| "nothing".into(), |held| held.to_string())
    )]
    NeedsFull { cluster: ClusterName, base: Revision, held: Option<Revision> },
    #[error("revision {revision} is no longer kept; the oldest is {oldest}")]
    RevisionGone { revision: Revision, oldest: Revision },
    #[error("revision {revision} does not exist; the newest is {newest}")]
    RevisionUnknown { revision: Revision, newest: Revision },
    #[error("member {name} has the Raft id {held}, not {stated}")]
    MemberTaken { name: InstanceId, stated: u64, held: u64 },
    #[error("the Raft id {raft_id} belongs to member {held}, so that member {name} cannot have it")]
    RaftIdTaken { name: InstanceId, raft_id: u64, held: InstanceId },
    #[error("the control plane has {max} members, and no more are allowed")]
    MembersMax { max: usize },
    #[error("the reason is {count} bytes long, at most {} are kept", limits::REASON_BYTES_MAX)]
    ReasonTooLong { count: usize },
    #[error("service {parent} cannot be shifted: {reason}")]
    Shift { parent: String, reason: String, hint: String },
}

fn or_none(revision: &Option<Revision>) -> String {
    revision.map_or_else(|| "no object".into(), |revision| revision.to_string())
}

/// The first names of a list, and how many more there are.
pub(super) fn some_of<T: ToString>(names: &[T]) -> String {
    let shown: Vec<String> =
        names.iter().take(limits::NAMES_SHOWN_MAX).map(ToString::to_string).collect();
    let shown = shown.join(", ");
    match names.len().saturating_sub(limits::NAMES_SHOWN_MAX) {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}

impl Refused {
    pub fn code(&self) -> Code {
        match self {
            Refused::NotFound { .. } => Code::NotFound,
            Refused::BootstrappedBefore | Refused::AlreadyExists { .. } => Code::AlreadyExists,
            Refused::Changed { .. } | Refused::RaftIdTaken { .. } => Code::Conflict,
            Refused::NotOwner { .. } => Code::NotOwner,
            Refused::ReadOnly { .. } => Code::ReadOnly,
            Refused::InUse { .. } => Code::InUse,
            Refused::Field { .. }
            | Refused::NamespaceTaken { .. }
            | Refused::MemberTaken { .. }
            | Refused::ReasonTooLong { .. }
            | Refused::Shift { .. } => Code::Invalid,
            Refused::Quota { .. } | Refused::MembersMax { .. } => Code::QuotaReached,
            Refused::ClusterUnknown { .. } => Code::ClusterUnknown,
            Refused::IssuerMissing { .. } => Code::Internal,
            Refused::TokenUnknown { .. } => Code::TokenUnknown,
            Refused::TokenUsed { .. } => Code::TokenUsed,
            Refused::TokenExpired { .. } => Code::TokenExpired,
            Refused::ReportTooLarge { .. } => Code::ReportTooLarge,
            Refused::ReportInvalid { .. }
            | Refused::ReportStale { .. }
            | Refused::NeedsFull { .. } => Code::ReportRefused,
            Refused::RevisionGone { .. } => Code::RevisionGone,
            Refused::RevisionUnknown { .. } => Code::BadQuery,
        }
    }

    /// Whether the agent must send everything again.
    pub fn needs_full(&self) -> bool {
        matches!(self, Refused::NeedsFull { .. })
    }

    fn subject(&self) -> Option<String> {
        match self {
            Refused::NotFound { key }
            | Refused::AlreadyExists { key }
            | Refused::Changed { key, .. }
            | Refused::NotOwner { key, .. }
            | Refused::ReadOnly { key }
            | Refused::InUse { key, .. }
            | Refused::Field { key, .. }
            | Refused::NamespaceTaken { key, .. } => Some(key.to_string()),
            Refused::ClusterUnknown { cluster }
            | Refused::IssuerMissing { cluster }
            | Refused::ReportTooLarge { cluster, .. }
            | Refused::ReportInvalid { cluster, .. }
            | Refused::ReportStale { cluster, .. }
            | Refused::NeedsFull { cluster, .. } => Some(format!("Cluster {cluster}")),
            Refused::TokenUnknown { name }
            | Refused::TokenUsed { name, .. }
            | Refused::TokenExpired { name, .. } => Some(format!("JoinToken {name}")),
            Refused::MemberTaken { name, .. } | Refused::RaftIdTaken { name, .. } => {
                Some(format!("member {name}"))
            }
            Refused::Shift { parent, .. } => Some(format!("Service {parent}")),
            Refused::BootstrappedBefore
            | Refused::Quota { .. }
            | Refused::RevisionGone { .. }
            | Refused::RevisionUnknown { .. }
            | Refused::ReasonTooLong { .. }
            | Refused::MembersMax { .. } => None,
        }
    }

    fn field(&self) -> Option<&str> {
        if let Refused::Field { field, .. }
        | Refused::NamespaceTaken { field, .. }
        | Refused::ReportInvalid { field, .. } = self
        {
            return Some(field);
        }
        None
    }

    /// What to do next.
    fn hint(&self) -> Option<String> {
        let hint = match self {
            Refused::BootstrappedBefore => {
                "a new member joins with a token of role `member` instead"
            }
            Refused::NotFound { .. } => "`rialto get KIND` lists what exists",
            Refused::AlreadyExists { .. } => "leave out `If-None-Match` to change it",
            Refused::Changed { .. } => "read the object again, redo the change, write it again",
            Refused::NotOwner { .. } => {
                "change it in that cluster's registry, or name only other clusters in \
                 `spec.clusters`"
            }
            Refused::ReadOnly { .. } => "change it in the registries of the clusters that have it",
            Refused::InUse { hint, .. } => hint,
            Refused::Field { .. } | Refused::ReportInvalid { .. } => return None,
            Refused::NamespaceTaken { .. } => {
                "a namespace belongs to one workspace; take it out of the other one first"
            }
            Refused::Quota { .. } => "delete objects that nothing needs",
            Refused::ClusterUnknown { .. } => "apply a document of kind Cluster first",
            Refused::IssuerMissing { .. } => "this is a bug in the bridge; please report it",
            Refused::TokenUnknown { .. }
            | Refused::TokenUsed { .. }
            | Refused::TokenExpired { .. } => "make a new one with `rialto join token`",
            Refused::ReportTooLarge { .. } => "let the agent report less, or split the cluster",
            Refused::ReportStale { .. } => {
                "is a second agent running for this cluster? stop one of the two"
            }
            Refused::NeedsFull { .. } => "the agent sends a full report by itself",
            Refused::RevisionGone { .. } | Refused::RevisionUnknown { .. } => {
                "`rialto history` lists the revisions that are kept"
            }
            Refused::MemberTaken { .. } => "give the new member another name",
            Refused::RaftIdTaken { .. } => "take the next id; the bridge does so by itself",
            Refused::MembersMax { .. } => "grow by gateways and agents, not by members",
            Refused::ReasonTooLong { .. } => "say it shorter, and link to the rest",
            Refused::Shift { hint, .. } => hint,
        };
        Some(hint.into())
    }
}

impl From<&Refused> for Problem {
    fn from(refused: &Refused) -> Problem {
        let mut problem = Problem::new(refused.code(), refused.to_string());
        problem.subject = refused.subject();
        problem.field = refused.field().map(Into::into);
        problem.hint = refused.hint();
        if let Refused::Changed { expected, found, .. } = refused {
            problem.expected = Some(expected.to_string());
            problem.found = found.map(|found| found.to_string());
        }
        problem
    }
}

impl From<Refused> for Problem {
    fn from(refused: Refused) -> Problem {
        Problem::from(&refused)
    }
}
