//! How answers and refusals look on the wire.

use axum::extract::FromRequestParts;
use axum::extract::rejection::JsonRejection;
use axum::http::header::{CONTENT_TYPE, ETAG, RETRY_AFTER};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Json, Response};
use futures::FutureExt as _;
use futures::future::{self, BoxFuture};
use rialto_types::api::{Outcome, Precondition, Shifted, Written};
use rialto_types::error::{Code, Problem};
use rialto_types::id::Revision;
use rialto_types::object::Document;
use rialto_types::session::Session;

use super::ControlPlane;
use crate::identity::now;

/// A problem as `application/problem+json` (RFC 9457).
#[derive(Debug)]
pub(super) struct Refused(pub(super) Problem);

impl From<Problem> for Refused {
    fn from(problem: Problem) -> Self {
        Self(problem)
    }
}

impl From<JsonRejection> for Refused {
    fn from(rejection: JsonRejection) -> Self {
        let code = match rejection.status() {
            StatusCode::UNSUPPORTED_MEDIA_TYPE => Code::MediaType,
            StatusCode::UNPROCESSABLE_ENTITY => Code::Invalid,
            _ => Code::Unparsable,
        };
        Self(Problem::new(code, rejection.body_text()))
    }
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        let status =
            StatusCode::from_u16(self.0.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = (status, Json(&self.0)).into_response();
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        if self.0.code.is_retryable() {
            headers.insert(RETRY_AFTER, HeaderValue::from_static("1"));
        }
        response
    }
}

/// Who asks, as authentication found.
#[derive(Debug, Clone)]
pub(super) struct Caller {
    pub(super) actor: String,
    pub(super) proof: Proof,
}

/// How a caller proved who it is.
#[derive(Debug, Clone)]
pub(super) enum Proof {
    Token,
    Session(Session),
}

impl Caller {
    /// Resolves when what was opened by this caller must end: a stream outlives no session. Whoever
    /// follows it then asks again and learns that it must sign in.
    pub(super) fn ended<C: ControlPlane>(self, control_plane: &C) -> BoxFuture<'static, ()> {
        match self.proof {
            Proof::Session(session) => {
                let after = now().age(session.expires_at);
                let ended = tokio::time::timeout(after, control_plane.signed_out(session));
                // Either way it is over.
                async move { ended.await.unwrap_or_default() }.boxed()
            }
            Proof::Token => future::pending().boxed(),
        }
    }
}

impl<S: Sync> FromRequestParts<S> for Caller {
    type Rejection = Refused;
    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Refused> {
        parts.extensions.get::<Caller>().cloned().ok_or_else(|| {
            Refused(Problem::new(Code::Unauthenticated, "the request was not authenticated"))
        })
    }
}

/// An object with its strong ETag.
pub(super) fn object(document: &Document) -> Response {
    let mut response = Json(document).into_response();
    set_etag(&mut response, document.metadata.resource_version);
    response
}

/// What a write did, with the object's new ETag.
pub(super) fn written(written: &Written) -> Response {
    with_new_etag((status(written.outcome), Json(written)).into_response(), written)
}

pub(super) fn shifted(shifted: &Shifted) -> Response {
    let status = status(shifted.written.outcome);
    with_new_etag((status, Json(shifted)).into_response(), &shifted.written)
}

fn status(outcome: Outcome) -> StatusCode {
    match outcome {
        Outcome::Created => StatusCode::CREATED,
        Outcome::Changed | Outcome::Unchanged | Outcome::Deleted => StatusCode::OK,
    }
}

fn with_new_etag(mut response: Response, written: &Written) -> Response {
    let version = written.after.as_ref().and_then(|after| after.metadata.resource_version);
    set_etag(&mut response, version);
    response
}

fn set_etag(response: &mut Response, version: Option<Revision>) {
    let value = version.and_then(|version| HeaderValue::from_str(&format!("\"{version}\"")).ok());
    if let Some(value) = value {
        response.headers_mut().insert(ETAG, value);
    }
}

/// What `If-Match` and `If-None-Match` ask for (RFC 9110, 13.1).
pub(super) fn precondition(headers: &HeaderMap) -> Result<Precondition, Refused> {
    let text = |name: &str| headers.get(name).map(|value| value.to_str().unwrap_or("").trim());
    let fault = |header: &str, expected: &str| {
        let problem = Problem::new(Code::BadQuery, format!("`{header}` cannot be read"))
            .with_field(header)
            .with_expected(expected);
        Err(Refused(problem))
    };
    match (text("if-match"), text("if-none-match")) {
        (None, None) => Ok(Precondition::None),
        (None, Some("*")) => Ok(Precondition::IfNoneMatch),
        (Some(tag), None) => {
            let inner = tag.strip_prefix('"').and_then(|tag| tag.strip_suffix('"'));
            match inner.and_then(|tag| tag.parse().ok()) {
                Some(revision) => Ok(Precondition::IfMatch(revision)),
                None => fault("If-Match", "one strong ETag, as `\"1.42\"`"),
            }
        }
        (None, Some(_)) => fault("If-None-Match", "`*`"),
        (Some(_), Some(_)) => fault("If-Match", "not together with If-None-Match"),
    }
}
