//! What the REST API answers besides resources: history, status, convergence, explanations.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::cluster::{ContactState, SubscriberStatus};
use crate::id::{ClusterName, InstanceId, Revision, Timestamp};
use crate::object::{Document, Key};

/// A page of resources, all read at one revision.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct List {
    pub items: Vec<Document>,
    pub revision: Revision,
    /// Hand this back as `continue` for the next page.
    #[serde(rename = "continue", default, skip_serializing_if = "Option::is_none")]
    pub continue_token: Option<String>,
    /// How many items follow this page.
    pub remaining: u64,
    /// Parts of the answer that could not be had, for example a silent member.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
}

/// What a write did, or would do.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Written {
    pub outcome: Outcome,
    /// The revision of the change; of the state read for a dry run or when nothing changed.
    pub revision: Revision,
    /// The object before; absent if it was created.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<Document>,
    /// The object after; absent if it was deleted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<Document>,
    /// What is odd but allowed: a route to a service that nobody exports, for example.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Outcome {
    Created,
    Changed,
    Unchanged,
    Deleted,
}

/// One event of a watch, as the data of a server-sent event.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", tag = "event", content = "data")]
pub enum WatchEvent {
    /// The object as it is.
    Put(Box<Document>),
    Delete(Key),
    /// Everything up to this revision has been sent.
    Bookmark(Revision),
    /// The position asked for is gone: list again.
    Reset(Revision),
}

/// One revision of the intent.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct HistoryEntry {
    pub revision: Revision,
    pub time: Timestamp,
    /// Who: `token:NAME`, `agent:CLUSTER`, `member:ID`.
    pub actor: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// What, in one line.
    pub summary: String,
    /// The objects that changed, before and after.
    pub changes: Vec<Change>,
    /// Set if the write was refused: audited, nothing changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refused: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Change {
    pub key: Key,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<Document>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<Document>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct History {
    /// Newest first.
    pub items: Vec<HistoryEntry>,
    /// The oldest revision that is kept.
    pub oldest: Revision,
}

/// Who serves a revision and who does not yet.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Convergence {
    pub revision: Revision,
    pub acked: u32,
    /// Subscribers with a live lease, and those whose state is Unknown.
    pub total: u32,
    pub missing: Vec<SubscriberStatus>,
    /// Members that did not answer: their subscribers are not counted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
}

impl Convergence {
    pub fn is_complete(&self) -> bool {
        self.missing.is_empty() && self.warnings.is_empty()
    }
}

/// The state of the whole federation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Status {
    pub revision: Revision,
    pub members: Vec<MemberStatus>,
    pub clusters: Vec<ClusterSummary>,
    pub subscribers: Vec<SubscriberStatus>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct MemberStatus {
    pub id: InstanceId,
    pub address: String,
    pub role: MemberRole,
    pub state: ContactState,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub term: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub applied: Option<u64>,
    /// Entries that the leader has committed and this member has not applied.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lag: Option<u64>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum MemberRole {
    Leader,
    Follower,
    Candidate,
    Learner,
    Unknown,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ClusterSummary {
    pub name: ClusterName,
    pub drained: bool,
    pub agent: crate::cluster::Contact,
    pub gateways: u32,
    pub gateways_live: u32,
    pub services: u32,
    pub exports: u32,
}

/// A made-up request to explain.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ExplainRequest {
    /// The cluster whose gateway chooses.
    pub from_cluster: ClusterName,
    /// The caller: a SPIFFE ID; absent for an unknown caller.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub caller: Option<crate::id::SpiffeId>,
    pub service: crate::id::ServiceName,
    /// The service's first port by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub port: Option<u16>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub method: Option<String>,
    /// Path with query.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    #[serde(default)]
    pub headers: std::collections::BTreeMap<String, String>,
    /// A gateway of the cluster; any by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gateway: Option<InstanceId>,
}

/// Why a request would go where it goes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Explanation {
    pub steps: Vec<ExplainStep>,
    /// Where it would go, or why nowhere, in one line.
    pub outcome: String,
    pub allowed: bool,
    /// The gateway that answered, with its own view of health; absent if the bridge answered
    /// without one (endpoint health is then Unknown).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gateway: Option<InstanceId>,
    pub revision: Revision,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ExplainStep {
    /// `name`, `route`, `access`, `health`, `cluster`, `gateway`, `endpoint`.
    pub stage: String,
    pub text: String,
}

/// What draining a cluster would do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct DrainResult {
    pub cluster: ClusterName,
    pub drained: bool,
    pub revision: Revision,
    /// Services whose traffic leaves (or comes back to) the cluster.
    pub moved: Vec<crate::id::ServiceName>,
    /// Services that live only there and stay served from there.
    pub kept: Vec<crate::id::ServiceName>,
    /// The command line that does the same.
    #[serde(default)]
    pub command: String,
}

/// What a shift did, or would do.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Shifted {
    #[serde(flatten)]
    pub written: Written,
    /// The command line that does the same.
    pub command: String,
}

/// What a revert did, or would do.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Reverted {
    #[serde(flatten)]
    pub entry: HistoryEntry,
    /// The command line that does the same.
    pub command: String,
}

/// Shifts a parent service's traffic between backends by rewriting one route.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ShiftRequest {
    /// Backend services of the parent's namespace, by name, with their weights.
    pub weights: std::collections::BTreeMap<crate::id::ResourceName, u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// What must hold of an object for a write to happen (If-Match, If-None-Match).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Precondition {
    #[default]
    None,
    /// The object is at this revision.
    IfMatch(Revision),
    /// The object does not exist.
    IfNoneMatch,
}
