//! The page's views: each has a path of its own, and all can be followed on one stream.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::{Arc, OnceLock};

use axum::extract::{Path, Query, State};
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderValue, Uri};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use rialto_types::error::{Code, Problem};
use rialto_types::id::ServiceName;
use rialto_types::limits;
use rialto_types::view::{self, changes, clusters, overview, service, services, topology};
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::ControlPlane;
use super::answer::Refused;
use super::query::Checked;

/// A view as JSON, made once for all who ask for it.
#[derive(Debug)]
pub struct Rendered {
    json: Bytes,
    fingerprint: OnceLock<u64>,
}

impl Rendered {
    pub fn new(answer: &view::Answer) -> Self {
        let json = serde_json::to_vec(answer).expect("a view has text keys only").into();
        Self { json, fingerprint: OnceLock::new() }
    }

    pub fn json(&self) -> &Bytes {
        &self.json
    }

    /// Stands for the view without its ages: two that differ only in ages have the same.
    pub fn fingerprint(&self) -> u64 {
        *self.fingerprint.get_or_init(|| {
            let value: Value = serde_json::from_slice(&self.json).unwrap_or_default();
            let mut hasher = DefaultHasher::new();
            hash(&value, &mut hasher);
            hasher.finish()
        })
    }
}

fn hash(value: &Value, hasher: &mut DefaultHasher) {
    match value {
        Value::Null => 0_u8.hash(hasher),
        Value::Bool(value) => value.hash(hasher),
        Value::Number(number) => number.hash(hasher),
        Value::String(text) => text.hash(hasher),
        Value::Array(items) => {
            items.len().hash(hasher);
            items.iter().for_each(|item| hash(item, hasher));
        }
        Value::Object(fields) => {
            let is_age = |name: &str| matches!(name, "ageMs" | "sinceMs" | "endAgeMs" | "silentMs");
            for (name, value) in fields.iter().filter(|(name, _)| !is_age(name)) {
                name.hash(hasher);
                hash(value, hasher);
            }
        }
    }
}

type Answered = Result<Response, Refused>;

async fn respond<C: ControlPlane>(control_plane: Arc<C>, query: view::Query) -> Answered {
    let view = control_plane.view(query).await?;
    let mut response = view.json().clone().into_response();
    let json = HeaderValue::from_static("application/json");
    response.headers_mut().insert(CONTENT_TYPE, json);
    Ok(response)
}

pub(super) async fn overview<C: ControlPlane>(
    State(control_plane): State<Arc<C>>,
    Checked(query): Checked<overview::Query>,
) -> Answered {
    respond(control_plane, view::Query::Overview(query)).await
}

pub(super) async fn services<C: ControlPlane>(
    State(control_plane): State<Arc<C>>,
    Checked(query): Checked<services::Query>,
) -> Answered {
    respond(control_plane, view::Query::Services(query)).await
}

pub(super) async fn service<C: ControlPlane>(
    State(control_plane): State<Arc<C>>,
    Path((namespace, name)): Path<(String, String)>,
    Checked(query): Checked<service::Query>,
) -> Answered {
    respond(control_plane, view::Query::Service(service_name(&namespace, &name)?, query)).await
}

pub(super) async fn clusters<C: ControlPlane>(
    State(control_plane): State<Arc<C>>,
    Checked(query): Checked<clusters::Query>,
) -> Answered {
    respond(control_plane, view::Query::Clusters(query)).await
}

pub(super) async fn cluster<C: ControlPlane>(
    State(control_plane): State<Arc<C>>,
    Path(name): Path<String>,
    Checked(query): Checked<clusters::Query>,
) -> Answered {
    respond(control_plane, view::Query::Cluster(name.parse().map_err(not_found)?, query)).await
}

pub(super) async fn topology<C: ControlPlane>(
    State(control_plane): State<Arc<C>>,
    Checked(query): Checked<topology::Query>,
) -> Answered {
    respond(control_plane, view::Query::Topology(query)).await
}

pub(super) async fn changes<C: ControlPlane>(
    State(control_plane): State<Arc<C>>,
    Checked(query): Checked<changes::Query>,
) -> Answered {
    respond(control_plane, view::Query::Changes(query)).await
}

/// The query that a view's path with its parameters says: what stands behind `/api/v1/views/`.
pub(super) fn parse(text: &str) -> Result<view::Query, Problem> {
    let unknown = || {
        let shown: String = text.chars().take(limits::ERROR_TEXT_CHARS_MAX).collect();
        Problem::new(Code::BadQuery, format!("`{shown}` is not a view"))
            .with_field("view")
            .with_expected("a path below /api/v1/views/, with its query")
    };
    let uri: Uri = format!("/{text}").parse().map_err(|_| unknown())?;
    let path = uri.path().to_string();
    let segments: Vec<&str> = path[1..].split('/').collect();
    let query = match segments[..] {
        ["overview"] => parameters(&uri).map(view::Query::Overview),
        ["services"] => parameters(&uri).map(view::Query::Services),
        ["namespaces", namespace, "services", name] => {
            let service = service_name(namespace, name).map_err(|Refused(problem)| problem)?;
            parameters(&uri).map(|query| view::Query::Service(service, query))
        }
        ["clusters"] => parameters(&uri).map(view::Query::Clusters),
        ["clusters", name] => {
            let name = name.parse().map_err(|error| not_found(error).0)?;
            parameters(&uri).map(|query| view::Query::Cluster(name, query))
        }
        ["topology"] => parameters(&uri).map(view::Query::Topology),
        ["changes"] => parameters(&uri).map(view::Query::Changes),
        _ => return Err(unknown()),
    };
    query.map_err(|problem| problem.with_subject(text))
}

fn parameters<T: DeserializeOwned>(uri: &Uri) -> Result<T, Problem> {
    match Query::<T>::try_from_uri(uri) {
        Ok(Query(query)) => Ok(query),
        Err(rejection) => Err(Problem::new(Code::BadQuery, rejection.body_text())),
    }
}

fn service_name(namespace: &str, name: &str) -> Result<ServiceName, Refused> {
    format!("{namespace}/{name}").parse().map_err(not_found)
}

fn not_found(error: rialto_types::id::Error) -> Refused {
    Refused(Problem::new(Code::NotFound, error.to_string()))
}

#[cfg(test)]
mod tests;
