//! The history as the page shows it.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Ref;
use crate::id::{Revision, Timestamp};

/// Which part of the history.
#[derive(
    Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Query {
    /// Lines of the answer, 1 to 200; 50 by default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<usize>,
    /// Only what is older than this revision.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub before: Option<Revision>,
    /// Only what touches this: `KIND/NAME` or `KIND/NAMESPACE/NAME`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
}

/// Who changed what, newest first.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Changes {
    pub items: Vec<ChangeLine>,
    /// Whether older lines follow: ask again with `before` of the last one.
    pub more: bool,
    /// The oldest revision that a revert can bring back.
    pub oldest: Revision,
    pub revision: Revision,
}

/// One change, in a line.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ChangeLine {
    pub revision: Revision,
    pub time: Timestamp,
    pub age_ms: u64,
    /// `token:NAME`, `agent:CLUSTER`, `member:ID`.
    pub actor: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    pub summary: String,
    /// Why it was refused; nothing was changed then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refused: Option<String>,
    /// The objects that it changed, and the services that these name.
    pub subjects: Vec<Ref>,
    /// What it changed, as a unified diff of YAML; in the view of changes only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub diff: Option<String>,
    /// How to get back to before it; absent where nothing can be undone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub undo: Option<Undo>,
}

/// The way back to before a change, which takes later changes back, too.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Undo {
    /// The revision to revert to.
    pub to: Revision,
    pub command: String,
}
