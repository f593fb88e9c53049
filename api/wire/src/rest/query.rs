//! Query parameters; unknown ones are refused.

use axum::extract::{FromRequestParts, Query};
use axum::http::request::Parts;
use rialto_types::error::{Code, Problem};
use rialto_types::id::{Namespace, Revision};
use rialto_types::limits;
use schemars::JsonSchema;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::answer::{Caller, Refused};
use super::{Context, Page};

/// Query parameters that refuse what they do not know, as a problem.
pub(super) struct Checked<T>(pub(super) T);

impl<T: DeserializeOwned, S: Sync> FromRequestParts<S> for Checked<T> {
    type Rejection = Refused;
    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Refused> {
        match Query::<T>::try_from_uri(&parts.uri) {
            Ok(Query(query)) => Ok(Self(query)),
            Err(rejection) => Err(Refused(Problem::new(Code::BadQuery, rejection.body_text()))),
        }
    }
}

/// Parameters of a list or watch.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(super) struct ListQuery {
    /// Items of one page, 1 to 500; 100 by default.
    pub(super) limit: Option<usize>,
    /// What the page before handed out.
    #[serde(rename = "continue")]
    pub(super) continue_token: Option<String>,
    /// Only this namespace.
    pub(super) namespace: Option<Namespace>,
    /// `true` turns the list into a stream of server-sent events.
    pub(super) watch: bool,
    /// With `watch`: only what changed after this revision (also by `Last-Event-ID`).
    pub(super) since: Option<Revision>,
}

impl ListQuery {
    pub(super) fn page(&self) -> Result<Page, Refused> {
        let limit = self.limit.unwrap_or(limits::REST_PAGE_DEFAULT);
        if !(1..=limits::REST_PAGE_MAX).contains(&limit) {
            let problem = Problem::new(Code::BadQuery, format!("`limit` is {limit}"))
                .with_field("limit")
                .with_expected(format!("1 to {}", limits::REST_PAGE_MAX));
            return Err(Refused(problem));
        }
        Ok(Page { limit, continue_token: self.continue_token.clone() })
    }
}

/// Parameters of every write.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub(super) struct WriteQuery {
    /// `server`: say what would happen, and store nothing.
    pub(super) dry_run: Option<DryRun>,
    /// Why; kept in the history.
    pub(super) reason: Option<String>,
}

#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(super) enum DryRun {
    Server,
}

impl WriteQuery {
    pub(super) fn context(&self, caller: Caller) -> Context {
        let dry_run = matches!(self.dry_run, Some(DryRun::Server));
        Context { actor: caller.actor, reason: self.reason.clone(), dry_run }
    }
}

/// Parameters of the history.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(super) struct HistoryQuery {
    /// Newest revisions to show; 50 by default.
    pub(super) limit: Option<usize>,
}

/// Parameters of convergence.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(super) struct ConvergenceQuery {
    /// The current revision by default.
    pub(super) revision: Option<Revision>,
}

/// No parameters.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NoQuery {}
