//! The REST API: a router over [`ControlPlane`], with its own description.
//!
//! ```text
//! request ──authenticate──▶ receive ──▶ parse ──▶ ControlPlane ──▶ JSON, ETag
//!                             every fault ──▶ problem+json
//! ```
//!
//! Each route is stated once, with what OpenAPI must say of it (`rest/routes.rs`): the router and
//! the document cannot differ.

mod actions;
mod answer;
mod objects;
mod query;
mod receive;
mod routes;
mod serve;
mod watch;

use std::future::Future;
use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::header::AUTHORIZATION;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use futures::stream::BoxStream;
use rialto_types::api::{
    Convergence, DrainResult, ExplainRequest, Explanation, History, HistoryEntry, List,
    Precondition, ShiftRequest, Status, WatchEvent, Written,
};
use rialto_types::cluster::{JoinTokenIssued, JoinTokenRequest};
use rialto_types::error::{Code, Problem};
use rialto_types::id::{ClusterName, Namespace, Revision, ServiceName};
use rialto_types::object::{Document, Key, Kind, Resource};

pub use routes::openapi;
pub use serve::serve;

/// Who asks, and how.
#[derive(Debug, Clone, Default)]
pub struct Context {
    /// `token:NAME`, as the audit shows it.
    pub actor: String,
    /// Why, in the asker's words.
    pub reason: Option<String>,
    /// Whether to say what would happen, and store nothing.
    pub dry_run: bool,
}

/// Which part of a list.
#[derive(Debug, Clone)]
pub struct Page {
    pub limit: usize,
    /// What the page before handed out.
    pub continue_token: Option<String>,
}

type Answer<T> = Result<T, Problem>;

/// What the API needs of a bridge member.
pub trait ControlPlane: Send + Sync + 'static {
    /// The actor that a bearer token stands for.
    fn authenticate(&self, token: &str) -> Option<String>;

    fn get(&self, key: Key) -> impl Future<Output = Answer<Document>> + Send;

    fn list(
        &self,
        kind: Kind,
        namespace: Option<Namespace>,
        page: Page,
    ) -> impl Future<Output = Answer<List>> + Send;

    fn put(
        &self,
        resource: Resource,
        precondition: Precondition,
        context: Context,
    ) -> impl Future<Output = Answer<Written>> + Send;

    fn delete(
        &self,
        key: Key,
        precondition: Precondition,
        context: Context,
    ) -> impl Future<Output = Answer<Written>> + Send;

    /// What changed after `since` and what changes from then on; the whole list first if `since`
    /// is absent.
    fn watch(
        &self,
        kind: Kind,
        namespace: Option<Namespace>,
        since: Option<Revision>,
    ) -> impl Future<Output = Answer<BoxStream<'static, WatchEvent>>> + Send;

    fn history(&self, count: usize) -> impl Future<Output = Answer<History>> + Send;

    fn revert(
        &self,
        to: Revision,
        context: Context,
    ) -> impl Future<Output = Answer<HistoryEntry>> + Send;

    fn create_token(
        &self,
        request: JoinTokenRequest,
        context: Context,
    ) -> impl Future<Output = Answer<JoinTokenIssued>> + Send;

    fn drain(
        &self,
        cluster: ClusterName,
        drained: bool,
        context: Context,
    ) -> impl Future<Output = Answer<DrainResult>> + Send;

    fn shift(
        &self,
        parent: ServiceName,
        request: ShiftRequest,
        context: Context,
    ) -> impl Future<Output = Answer<Written>> + Send;

    fn status(&self) -> impl Future<Output = Answer<Status>> + Send;

    /// Who serves the revision; the current one if absent.
    fn convergence(
        &self,
        revision: Option<Revision>,
    ) -> impl Future<Output = Answer<Convergence>> + Send;

    fn explain(&self, request: ExplainRequest) -> impl Future<Output = Answer<Explanation>> + Send;
}

/// The whole API as a router.
pub fn router<C: ControlPlane>(control_plane: Arc<C>) -> Router {
    let api = routes::routes::<C>()
        .into_router()
        .route_layer(axum::middleware::from_fn(receive::whole_body))
        .route_layer(axum::middleware::from_fn_with_state(
            control_plane.clone(),
            authenticate::<C>,
        ));
    Router::new()
        .merge(api)
        .route("/api/openapi.json", axum::routing::get(async || axum::Json(openapi())))
        .fallback(unknown_path)
        .method_not_allowed_fallback(unknown_method)
        .with_state(control_plane)
}

async fn unknown_path(request: Request) -> Response {
    let detail = format!("`{}` is not a path of this API", request.uri().path());
    let problem =
        Problem::new(Code::PathUnknown, detail).with_hint("the paths stand in /api/openapi.json");
    answer::Refused(problem).into_response()
}

async fn unknown_method(request: Request) -> Response {
    let detail = format!("{} is not possible on `{}`", request.method(), request.uri().path());
    answer::Refused(Problem::new(Code::ReadOnly, detail)).into_response()
}

/// Lets a request through with its actor, or answers 401.
async fn authenticate<C: ControlPlane>(
    State(control_plane): State<Arc<C>>,
    mut request: Request,
    next: Next,
) -> Response {
    let header = request.headers().get(AUTHORIZATION).and_then(|value| value.to_str().ok());
    let token = header.and_then(|value| value.strip_prefix("Bearer "));
    match token.and_then(|token| control_plane.authenticate(token.trim())) {
        Some(actor) => {
            request.extensions_mut().insert(answer::Actor(actor));
            next.run(request).await
        }
        None => {
            let problem = Problem::new(
                Code::Unauthenticated,
                "the request has no valid `Authorization: Bearer` token",
            )
            .with_hint("the bridge prints the administrator's token at its first start");
            answer::Refused(problem).into_response()
        }
    }
}
