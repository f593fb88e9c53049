//! Resources: get, list, put, delete. One handler serves every kind.

use std::sync::Arc;

use axum::Json;
use axum::body::Bytes;
use axum::extract::rejection::JsonRejection;
use axum::extract::{Path, State};
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Response};
use rialto_types::error::{Code, Problem};
use rialto_types::id::{Namespace, ResourceName};
use rialto_types::object::{Document, Key, Kind};

use super::answer::{self, Caller, Refused};
use super::query::{Checked, ListQuery, NoQuery, WriteQuery};
use super::{ControlPlane, watch};

type Answered = Result<Response, Refused>;

/// The key that a path names; a path segment that is no name cannot exist.
fn key(kind: Kind, namespace: Option<String>, name: &str) -> Result<Key, Refused> {
    let fault =
        |error: rialto_types::id::Error| Refused(Problem::new(Code::NotFound, error.to_string()));
    let namespace = namespace.map(|text| text.parse::<Namespace>()).transpose().map_err(fault)?;
    let name: ResourceName = name.parse().map_err(fault)?;
    Ok(Key { kind, namespace, name })
}

pub(super) async fn list<C: ControlPlane>(
    kind: Kind,
    namespace: Option<String>,
    control_plane: Arc<C>,
    query: ListQuery,
    headers: HeaderMap,
    caller: Caller,
) -> Answered {
    let namespace = match namespace {
        Some(text) => Some(
            text.parse::<Namespace>()
                .map_err(|error| Refused(Problem::new(Code::NotFound, error.to_string())))?,
        ),
        None => query.namespace.clone(),
    };
    if query.watch {
        return watch::serve(kind, namespace, &*control_plane, &query, &headers, caller).await;
    }
    let list = control_plane.list(kind, namespace, query.page()?).await?;
    Ok(Json(list).into_response())
}

pub(super) async fn get<C: ControlPlane>(
    kind: Kind,
    namespace: Option<String>,
    name: String,
    control_plane: Arc<C>,
) -> Answered {
    let document = control_plane.get(key(kind, namespace, &name)?).await?;
    Ok(answer::object(&document))
}

/// A write's parts besides its path.
pub(super) struct Write {
    pub(super) caller: Caller,
    pub(super) query: WriteQuery,
    pub(super) headers: HeaderMap,
}

pub(super) async fn put<C: ControlPlane>(
    key: Key,
    control_plane: Arc<C>,
    write: Write,
    body: Bytes,
) -> Answered {
    check_media_type(&write.headers)?;
    let resource = Document::from_json(&body)
        .and_then(Document::into_resource)
        .map_err(|error| Refused(Problem::from(error)))?;
    if resource.key() != key {
        let problem = Problem::new(Code::Invalid, "the path names another object than the body")
            .with_field("metadata.name")
            .with_expected(key.to_string())
            .with_found(resource.key().to_string());
        return Err(Refused(problem));
    }
    let precondition = answer::precondition(&write.headers)?;
    let context = write.query.context(write.caller);
    let written = control_plane.put(resource, precondition, context).await?;
    Ok(answer::written(&written))
}

fn check_media_type(headers: &HeaderMap) -> Result<(), Refused> {
    let found = headers.get("content-type").and_then(|value| value.to_str().ok()).unwrap_or("");
    if found.split(';').next().unwrap_or("").trim().eq_ignore_ascii_case("application/json") {
        return Ok(());
    }
    let problem = Problem::new(Code::MediaType, "the body's media type is not accepted")
        .with_field("Content-Type")
        .with_expected("application/json")
        .with_found(found);
    Err(Refused(problem))
}

pub(super) async fn delete<C: ControlPlane>(
    key: Key,
    control_plane: Arc<C>,
    write: Write,
) -> Answered {
    let precondition = answer::precondition(&write.headers)?;
    let context = write.query.context(write.caller);
    let written = control_plane.delete(key, precondition, context).await?;
    Ok(answer::written(&written))
}

/// The routes of one kind, as axum handlers.
pub(super) mod handlers {
    use super::*;

    pub(crate) fn list_all<C: ControlPlane>(kind: Kind) -> axum::routing::MethodRouter<Arc<C>> {
        axum::routing::get(
            async move |State(control_plane): State<Arc<C>>,
                        Checked(query): Checked<ListQuery>,
                        headers: HeaderMap,
                        caller: Caller| {
                list(kind, None, control_plane, query, headers, caller).await
            },
        )
    }

    pub(crate) fn list_in<C: ControlPlane>(kind: Kind) -> axum::routing::MethodRouter<Arc<C>> {
        axum::routing::get(
            async move |State(control_plane): State<Arc<C>>,
                        Path(namespace): Path<String>,
                        Checked(query): Checked<ListQuery>,
                        headers: HeaderMap,
                        caller: Caller| {
                list(kind, Some(namespace), control_plane, query, headers, caller).await
            },
        )
    }

    pub(crate) fn get_one<C: ControlPlane>(kind: Kind) -> axum::routing::MethodRouter<Arc<C>> {
        if kind.is_namespaced() {
            return axum::routing::get(
                async move |State(control_plane): State<Arc<C>>,
                            Path((namespace, name)): Path<(String, String)>,
                            Checked(NoQuery {}): Checked<NoQuery>| {
                    get(kind, Some(namespace), name, control_plane).await
                },
            );
        }
        axum::routing::get(
            async move |State(control_plane): State<Arc<C>>,
                        Path(name): Path<String>,
                        Checked(NoQuery {}): Checked<NoQuery>| {
                get(kind, None, name, control_plane).await
            },
        )
    }

    pub(crate) fn put_one<C: ControlPlane>(kind: Kind) -> axum::routing::MethodRouter<Arc<C>> {
        if kind.is_namespaced() {
            return axum::routing::put(
                async move |State(control_plane): State<Arc<C>>,
                            Path((namespace, name)): Path<(String, String)>,
                            caller: Caller,
                            Checked(query): Checked<WriteQuery>,
                            headers: HeaderMap,
                            body: Bytes| {
                    let key = key(kind, Some(namespace), &name)?;
                    put(key, control_plane, Write { caller, query, headers }, body).await
                },
            );
        }
        axum::routing::put(
            async move |State(control_plane): State<Arc<C>>,
                        Path(name): Path<String>,
                        caller: Caller,
                        Checked(query): Checked<WriteQuery>,
                        headers: HeaderMap,
                        body: Bytes| {
                let key = key(kind, None, &name)?;
                put(key, control_plane, Write { caller, query, headers }, body).await
            },
        )
    }

    pub(crate) fn delete_one<C: ControlPlane>(kind: Kind) -> axum::routing::MethodRouter<Arc<C>> {
        if kind.is_namespaced() {
            return axum::routing::delete(
                async move |State(control_plane): State<Arc<C>>,
                            Path((namespace, name)): Path<(String, String)>,
                            caller: Caller,
                            Checked(query): Checked<WriteQuery>,
                            headers: HeaderMap| {
                    let key = key(kind, Some(namespace), &name)?;
                    delete(key, control_plane, Write { caller, query, headers }).await
                },
            );
        }
        axum::routing::delete(
            async move |State(control_plane): State<Arc<C>>,
                        Path(name): Path<String>,
                        caller: Caller,
                        Checked(query): Checked<WriteQuery>,
                        headers: HeaderMap| {
                let key = key(kind, None, &name)?;
                delete(key, control_plane, Write { caller, query, headers }).await
            },
        )
    }
}

pub(super) fn json<T>(body: Result<Json<T>, JsonRejection>) -> Result<T, Refused> {
    body.map(|Json(value)| value).map_err(Refused::from)
}
