//! How a person's browser signs in.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::id::Timestamp;

/// What signs somebody in: one of the two.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct SignIn {
    /// An API token.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub token: Option<String>,
    /// A one-use code that somebody with a token had made.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
}

impl fmt::Debug for SignIn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SignIn").finish_non_exhaustive()
    }
}

/// Who is signed in. The session itself is a cookie that scripts cannot read.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Session {
    /// `token:NAME`, as the audit shows it.
    pub actor: String,
    pub expires_at: Timestamp,
    /// Every write by the cookie repeats this in the header `X-Rialto-CSRF`.
    pub csrf: String,
    /// The federation's id, for the page's head.
    pub federation: String,
    /// The release of the member that answers.
    pub version: String,
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { actor, expires_at, .. } = self;
        let mut shown = f.debug_struct("Session");
        shown.field("actor", actor).field("expires_at", expires_at).finish_non_exhaustive()
    }
}

/// A code that signs in once, at the member that made it.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SignInCode {
    pub code: String,
    pub expires_at: Timestamp,
    /// To be put behind the page's address: browsers send no fragment to a server.
    pub fragment: String,
}

impl fmt::Debug for SignInCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SignInCode").field("expires_at", &self.expires_at).finish_non_exhaustive()
    }
}
