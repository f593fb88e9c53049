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
mod live;
mod objects;
mod page;
mod query;
mod receive;
mod routes;
mod serve;
mod session;
mod views;
mod watch;

use std::future::Future;
use std::net::IpAddr;
use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::HeaderValue;
use axum::http::header::{AUTHORIZATION, CACHE_CONTROL, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use futures::future::BoxFuture;
use futures::stream::BoxStream;
use rialto_types::api::{
    Convergence, DrainResult, ExplainRequest, Explanation, History, HistoryEntry, List,
    Precondition, ShiftRequest, Status, WatchEvent, Written,
};
use rialto_types::cluster::{JoinTokenIssued, JoinTokenRequest};
use rialto_types::error::{Code, Problem};
use rialto_types::id::{ClusterName, Namespace, Revision, ServiceName};
use rialto_types::object::{Document, Key, Kind, Resource};
use rialto_types::session::{Session, SignIn, SignInCode};
use rialto_types::traffic::{self, Traffic};
use rialto_types::view;

use answer::{Caller, Proof};

pub use live::{LiveEvent, Topic};
pub use page::{PageError, WebPage};
pub use routes::openapi;
pub use serve::serve;
pub use session::{Opened, Peer};
pub use views::Rendered;

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

    /// The session that a cookie's value is, if it is still good.
    fn session(&self, sealed: &str) -> Option<Session>;

    fn sign_in(&self, proof: &SignIn, from: IpAddr) -> Answer<Opened>;

    /// Ends the session at every member.
    fn sign_out(&self, session: &Session) -> impl Future<Output = Answer<()>> + Send;

    /// Resolves when the session was ended by signing out.
    fn signed_out(&self, session: Session) -> BoxFuture<'static, ()>;

    /// A one-use code that signs in as the actor.
    fn create_code(&self, actor: String) -> Answer<SignInCode>;

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

    fn view(&self, query: view::Query) -> impl Future<Output = Answer<Arc<Rendered>>> + Send;

    /// What the views say, at once and whenever they change.
    fn live(&self, topics: Vec<Topic>) -> Answer<BoxStream<'static, LiveEvent>>;

    fn explain(&self, request: ExplainRequest) -> impl Future<Output = Answer<Explanation>> + Send;

    /// What the gateways carry.
    fn traffic(&self, query: traffic::Query) -> impl Future<Output = Answer<Traffic>> + Send;
}

/// The whole API as a router, and the page where the API has no path.
pub fn router<C: ControlPlane>(control_plane: Arc<C>, page: WebPage) -> Router {
    let whole_body = || axum::middleware::from_fn(receive::whole_body);
    let authenticate =
        axum::middleware::from_fn_with_state(control_plane.clone(), authenticate::<C>);
    let routes = routes::routes::<C>().into_routers();
    let api = routes.closed.route_layer(whole_body()).route_layer(authenticate);
    let api = api.merge(routes.open.route_layer(whole_body()));
    let page = Arc::new(page);
    Router::new()
        .merge(api)
        .route("/api/openapi.json", axum::routing::get(async || axum::Json(openapi())))
        .fallback(move |request: Request| {
            let page = page.clone();
            async move { page.answer(&request) }
        })
        .method_not_allowed_fallback(unknown_method)
        .layer(axum::middleware::map_response(careful))
        .with_state(control_plane)
}

/// What a browser must not do with any answer: guess its type, tell others where it came from, or
/// keep what was asked with a token.
async fn careful(mut response: Response) -> Response {
    let headers = response.headers_mut();
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    headers.entry(CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    response
}

async fn unknown_method(request: Request) -> Response {
    let detail = format!("{} is not possible on `{}`", request.method(), request.uri().path());
    answer::Refused(Problem::new(Code::ReadOnly, detail)).into_response()
}

/// Lets a request through with its caller, or says why not: the one place that looks at tokens,
/// cookies and where a write comes from.
async fn authenticate<C: ControlPlane>(
    State(control_plane): State<Arc<C>>,
    mut request: Request,
    next: Next,
) -> Response {
    match caller(&*control_plane, &request) {
        Ok(caller) => {
            request.extensions_mut().insert(caller);
            next.run(request).await
        }
        Err(problem) => answer::Refused(problem).into_response(),
    }
}

/// A token, if one is shown, else a session.
fn caller<C: ControlPlane>(control_plane: &C, request: &Request) -> Result<Caller, Problem> {
    let headers = request.headers();
    if let Some(header) = headers.get(AUTHORIZATION) {
        let token = header.to_str().ok().and_then(|header| header.strip_prefix("Bearer "));
        let actor = token.and_then(|token| control_plane.authenticate(token.trim()));
        let actor = actor.ok_or_else(unauthenticated)?;
        return Ok(Caller { actor, proof: Proof::Token });
    }
    let session = session::cookie(headers).and_then(|sealed| control_plane.session(sealed));
    let session = session.ok_or_else(unauthenticated)?;
    if !request.method().is_safe() {
        session::check_origin(&session, headers, request.uri())?;
    }
    Ok(Caller { actor: session.actor.clone(), proof: Proof::Session(session) })
}

fn unauthenticated() -> Problem {
    let detail = "the request has no valid `Authorization: Bearer` token and no session";
    Problem::new(Code::Unauthenticated, detail)
        .with_hint("the bridge prints the administrator's token at its first start")
}
