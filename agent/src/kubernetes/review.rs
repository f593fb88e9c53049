//! Whose service account's token it is: the proof by which gateway and DNS pods get their first
//! certificate.

use http::Method;
use rialto_types::error::{Code, Problem};
use rialto_types::id::{InstanceId, Role};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::api::{Api, Body};

/// The audience that the token must be for: one that leaks is of no use with the API server.
pub const AUDIENCE: &str = "rialto";

const PATH: &str = "/apis/authentication.k8s.io/v1/tokenreviews";
const POD_NAME: &str = "authentication.kubernetes.io/pod-name";

/// The service accounts of our own parts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Accounts {
    pub gateway: String,
    pub dns: String,
}

impl Default for Accounts {
    fn default() -> Self {
        Self { gateway: "rialto-gateway".into(), dns: "rialto-dns".into() }
    }
}

/// Asks the API server about tokens.
#[derive(Debug, Clone)]
pub struct Reviewer {
    pub api: Api,
    /// Where our parts run.
    pub namespace: String,
    pub accounts: Accounts,
}

#[derive(Debug, Deserialize)]
struct TokenReview {
    #[serde(default)]
    status: TokenStatus,
}

/// What the API server says of a token.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
struct TokenStatus {
    authenticated: bool,
    user: User,
    audiences: Vec<String>,
    error: String,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
struct User {
    username: String,
    extra: std::collections::BTreeMap<String, Vec<String>>,
}

impl Reviewer {
    /// Whether `token` proves that the pod `id` of our own asks for `role`.
    pub async fn review(&self, token: &str, role: Role, id: &InstanceId) -> Result<(), Problem> {
        let late = |error: super::api::Error| {
            Problem::new(Code::AgentSilent, format!("the token could not be reviewed: {error}"))
        };
        let request = json!({
            "apiVersion": "authentication.k8s.io/v1",
            "kind": "TokenReview",
            "spec": {"token": token, "audiences": [AUDIENCE]},
        });
        let session = self.api.connect().await.map_err(late)?;
        let reviewed = session.send(Method::POST, PATH, Body::Object, &request).await;
        let TokenReview { status } = reviewed.map_err(late)?;
        let judged = self.accounts.judge(&self.namespace, &status, role, id);
        judged.map_err(|why| Problem::new(Code::IdentityRefused, why))
    }
}

impl Accounts {
    fn judge(
        &self,
        namespace: &str,
        status: &TokenStatus,
        role: Role,
        id: &InstanceId,
    ) -> Result<(), String> {
        if !status.authenticated {
            return Err(format!("the token is not valid: {}", status.error));
        }
        if !status.audiences.iter().any(|audience| audience == AUDIENCE) {
            return Err(format!("the token is not for the audience `{AUDIENCE}`"));
        }
        let account = match role {
            Role::Gateway => &self.gateway,
            Role::Dns => &self.dns,
            Role::Agent | Role::Member => return Err(format!("a pod does not become an {role}")),
        };
        let expected = format!("system:serviceaccount:{namespace}:{account}");
        let User { username, extra } = &status.user;
        if *username != expected {
            return Err(format!("`{username}` may not become a {role}; expected `{expected}`"));
        }
        match extra.get(POD_NAME).map(Vec::as_slice) {
            Some([pod]) if pod == id.as_str() => Ok(()),
            Some(pods) => Err(format!("the token is of pod `{}`, not of `{id}`", pods.join(" "))),
            None => Err("the token is bound to no pod; project it into the pod".into()),
        }
    }
}

#[cfg(test)]
mod tests;
