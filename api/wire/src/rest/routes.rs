//! Every route, stated once: the handler, and what OpenAPI says of it.

use std::sync::{Arc, LazyLock};

use axum::Router;
use axum::routing::{MethodRouter, get, post};
use rialto_types::api::{
    Convergence, DrainResult, ExplainRequest, Explanation, History, List, Reverted, ShiftRequest,
    Shifted, Status, Written,
};
use rialto_types::cluster::{ClusterSpec, JoinTokenIssued, JoinTokenRequest, JoinTokenSpec};
use rialto_types::object::Kind;
use rialto_types::policy::{AccessPolicySpec, FailoverPolicySpec, WorkspaceSpec};
use rialto_types::route::{HttpRouteSpec, TcpRouteSpec};
use rialto_types::service::ServiceExportSpec;
use rialto_types::session::{Session, SignIn, SignInCode};
use rialto_types::traffic::{self, Traffic};
use rialto_types::view::changes::{self, Changes};
use rialto_types::view::clusters::{self, ClusterPage, Clusters};
use rialto_types::view::overview::{self, Overview};
use rialto_types::view::service::{self, ServicePage};
use rialto_types::view::services::{self, Services};
use rialto_types::view::topology::{self, Topology};
use serde_json::Value;

use super::live::LiveQuery;
use super::objects::handlers;
use super::query::{ConvergenceQuery, HistoryQuery, ListQuery, NoQuery, WriteQuery};
use super::{ControlPlane, actions, live, session, views};
use crate::openapi::{Body, Description, Document, Method};

/// Routes under `/api/v1`, with their description.
pub(super) struct Routes<C> {
    /// For those who show who they are.
    closed: Router<Arc<C>>,
    /// For everybody.
    open: Router<Arc<C>>,
    document: Document,
}

impl<C: ControlPlane> Routes<C> {
    fn add(mut self, description: Description, handler: MethodRouter<Arc<C>>) -> Self {
        self.closed = self.closed.route(&description.path, handler);
        self.document.add(description);
        self
    }

    /// For a method that an added handler has, too.
    fn describe(mut self, description: Description) -> Self {
        self.document.add(description);
        self
    }

    fn add_open(mut self, description: Description, handler: MethodRouter<Arc<C>>) -> Self {
        self.open = self.open.route(&description.path, handler);
        self.document.add(description.open());
        self
    }

    pub(super) fn into_routers(self) -> Routers<C> {
        Routers { closed: self.closed, open: self.open }
    }
}

/// The routes without their description.
pub(super) struct Routers<C> {
    pub(super) closed: Router<Arc<C>>,
    pub(super) open: Router<Arc<C>>,
}

/// The OpenAPI 3.1 document.
pub fn openapi() -> Value {
    static DOCUMENT: LazyLock<Value> = LazyLock::new(|| routes::<Nobody>().document.into_value());
    DOCUMENT.clone()
}

pub(super) fn routes<C: ControlPlane>() -> Routes<C> {
    let (closed, open) = (Router::new(), Router::new());
    let mut routes = Routes { closed, open, document: Document::new() };
    for kind in Kind::ALL {
        routes = kind_routes(routes, kind);
    }
    view_routes(session_routes(action_routes(routes)))
}

fn describe_spec(document: &mut Document, kind: Kind) -> Value {
    match kind {
        Kind::Cluster => document.schema::<ClusterSpec>(),
        Kind::JoinToken => document.schema::<JoinTokenSpec>(),
        Kind::Workspace => document.schema::<WorkspaceSpec>(),
        Kind::Service => serde_json::json!({ "type": "object", "additionalProperties": false }),
        Kind::ServiceExport => document.schema::<ServiceExportSpec>(),
        Kind::HttpRoute => document.schema::<HttpRouteSpec>(),
        Kind::TcpRoute => document.schema::<TcpRouteSpec>(),
        Kind::FailoverPolicy => document.schema::<FailoverPolicySpec>(),
        Kind::AccessPolicy => document.schema::<AccessPolicySpec>(),
    }
}

fn describe_status(document: &mut Document, kind: Kind) -> Option<Value> {
    match kind {
        Kind::Cluster => Some(document.schema::<rialto_types::cluster::ClusterStatus>()),
        Kind::Service => Some(document.schema::<rialto_types::service::ServiceStatus>()),
        Kind::JoinToken
        | Kind::Workspace
        | Kind::ServiceExport
        | Kind::HttpRoute
        | Kind::TcpRoute
        | Kind::FailoverPolicy
        | Kind::AccessPolicy => None,
    }
}

fn kind_routes<C: ControlPlane>(mut routes: Routes<C>, kind: Kind) -> Routes<C> {
    let spec = describe_spec(&mut routes.document, kind);
    let status = describe_status(&mut routes.document, kind);
    let object = routes.document.object_schema(kind, spec, status);
    let plural = kind.plural();
    let all = format!("/api/v1/{plural}");
    let (collection, one) = if kind.is_namespaced() {
        let collection = format!("/api/v1/namespaces/{{namespace}}/{plural}");
        (collection.clone(), format!("{collection}/{{name}}"))
    } else {
        (all.clone(), format!("{all}/{{name}}"))
    };
    let list = |path: &str, id: String| {
        Description::new(Method::Get, path, id, format!("Lists or watches {plural}."))
            .query::<ListQuery>()
            .answer::<List>(200)
    };
    routes = routes.add(list(&all, format!("list{kind}")), handlers::list_all(kind));
    if kind.is_namespaced() {
        let id = format!("listNamespaced{kind}");
        routes = routes.add(list(&collection, id), handlers::list_in(kind));
    }
    let read = Description::new(Method::Get, &one, format!("get{kind}"), format!("One {kind}."))
        .query::<NoQuery>()
        .answer_schema(200, object.clone());
    routes = routes.add(read, handlers::get_one(kind));
    if kind.is_writable() {
        let what =
            format!("Creates or replaces a {kind}; `If-Match` and `If-None-Match: *` guard.");
        let put = Description::new(Method::Put, &one, format!("put{kind}"), what)
            .query::<WriteQuery>()
            .body(Body::Schema(object))
            .answer::<Written>(200)
            .answer::<Written>(201);
        let what = format!("Deletes a {kind}; `If-Match` guards.");
        let delete = Description::new(Method::Delete, &one, format!("delete{kind}"), what)
            .query::<WriteQuery>()
            .answer::<Written>(200);
        routes = routes.add(put, handlers::put_one(kind)).add(delete, handlers::delete_one(kind));
    }
    routes
}

fn action_routes<C: ControlPlane>(routes: Routes<C>) -> Routes<C> {
    let post_to = |path: &str, id: &str, summary: &str| {
        Description::new(Method::Post, path, id.into(), summary.into()).query::<WriteQuery>()
    };
    let get_from = |path: &str, id: &str, summary: &str| {
        Description::new(Method::Get, path, id.into(), summary.into())
    };
    routes
        .add(
            post_to("/api/v1/jointokens", "createJoinToken", "Issues a one-use join token.")
                .body(Body::of::<JoinTokenRequest>())
                .answer::<JoinTokenIssued>(201),
            post(actions::create_token::<C>),
        )
        .add(
            post_to(
                "/api/v1/clusters/{name}",
                "drainCluster",
                "`NAME:drain` moves a cluster's traffic elsewhere, `NAME:undrain` brings it back.",
            )
            .answer::<DrainResult>(200),
            post(actions::cluster_action::<C>),
        )
        .add(
            post_to(
                "/api/v1/namespaces/{namespace}/services/{name}",
                "shiftService",
                "`NAME:shift` divides a service's traffic between backends by weight.",
            )
            .body(Body::of::<ShiftRequest>())
            .answer::<Shifted>(200)
            .answer::<Shifted>(201),
            post(actions::service_action::<C>),
        )
        .add(
            post_to(
                "/api/v1/revisions/{name}",
                "revertRevision",
                "`REVISION:revert` makes a new revision with every object as it was then.",
            )
            .answer::<Reverted>(200),
            post(actions::revision_action::<C>),
        )
        .add(
            get_from("/api/v1/history", "getHistory", "Who changed what, newest first.")
                .query::<HistoryQuery>()
                .answer::<History>(200),
            get(actions::history::<C>),
        )
        .add(
            get_from("/api/v1/status", "getStatus", "The state of the whole federation.")
                .query::<NoQuery>()
                .answer::<Status>(200),
            get(actions::status::<C>),
        )
        .add(
            get_from("/api/v1/convergence", "getConvergence", "Who serves a revision already.")
                .query::<ConvergenceQuery>()
                .answer::<Convergence>(200),
            get(actions::convergence::<C>),
        )
        .add(
            Description::new(
                Method::Post,
                "/api/v1/explain",
                "explainRequest".into(),
                "Why a made-up request would go where it goes.".into(),
            )
            .query::<NoQuery>()
            .body(Body::of::<ExplainRequest>())
            .answer::<Explanation>(200),
            post(actions::explain::<C>),
        )
        .add(
            get_from(
                "/api/v1/traffic",
                "getTraffic",
                "What the gateways carry: rates, errors, latencies, and who did not tell.",
            )
            .query::<traffic::Query>()
            .answer::<Traffic>(200),
            get(actions::traffic::<C>),
        )
}

fn session_routes<C: ControlPlane>(routes: Routes<C>) -> Routes<C> {
    let describe = |method, path: &str, id: &str, summary: &str| {
        Description::new(method, path, id.into(), summary.into()).query::<NoQuery>()
    };
    let path = "/api/v1/session";
    routes
        .add_open(
            describe(Method::Post, path, "signIn", "Signs a browser in; the session is a cookie.")
                .body(Body::of::<SignIn>())
                .answer::<Session>(200),
            post(session::sign_in::<C>),
        )
        .add(
            describe(Method::Get, path, "getSession", "Who is signed in by the cookie.")
                .answer::<Session>(200),
            get(session::get).delete(session::sign_out::<C>),
        )
        .describe(
            describe(Method::Delete, path, "signOut", "Ends the session at every member.")
                .answer_nothing(204),
        )
        .add(
            describe(
                Method::Post,
                "/api/v1/session/codes",
                "createSignInCode",
                "A one-use code to sign a browser in; for callers with a token.",
            )
            .answer::<SignInCode>(201),
            post(session::create_code::<C>),
        )
}

fn view_routes<C: ControlPlane>(routes: Routes<C>) -> Routes<C> {
    let view = |path: &str, id: &str, summary: &str| {
        let path = format!("/api/v1/views/{path}");
        Description::new(Method::Get, &path, id.into(), summary.into())
    };
    routes
        .add(
            view("overview", "viewOverview", "Is everything well, and what is not since when.")
                .query::<overview::Query>()
                .answer::<Overview>(200),
            get(views::overview::<C>),
        )
        .add(
            view("services", "viewServices", "Services with their health, searched and sorted.")
                .query::<services::Query>()
                .answer::<Services>(200),
            get(views::services::<C>),
        )
        .add(
            view(
                "namespaces/{namespace}/services/{name}",
                "viewService",
                "One service: where it lives, its traffic, who may call it.",
            )
            .query::<service::Query>()
            .answer::<ServicePage>(200),
            get(views::service::<C>),
        )
        .add(
            view("clusters", "viewClusters", "Clusters with their agents and gateways.")
                .query::<clusters::Query>()
                .answer::<Clusters>(200),
            get(views::clusters::<C>),
        )
        .add(
            view("clusters/{name}", "viewCluster", "One cluster, with all that concerns it.")
                .query::<clusters::Query>()
                .answer::<ClusterPage>(200),
            get(views::cluster::<C>),
        )
        .add(
            view("topology", "viewTopology", "Clusters, what is in them, and who calls whom.")
                .query::<topology::Query>()
                .answer::<Topology>(200),
            get(views::topology::<C>),
        )
        .add(
            view("changes", "viewChanges", "The history with diffs, newest first.")
                .query::<changes::Query>()
                .answer::<Changes>(200),
            get(views::changes::<C>),
        )
        .add(
            Description::new(
                Method::Get,
                "/api/v1/live",
                "followViews".into(),
                "Several views as server-sent events: `view` with `{view, data}` at once and at \
                 every change, `problem` with `{view, problem}`."
                    .into(),
            )
            .query::<LiveQuery>()
            .answer_text(200, "text/event-stream"),
            get(live::follow::<C>),
        )
}

/// Stands in where only the description is wanted.
enum Nobody {}

mod nobody;
