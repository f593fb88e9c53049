//! Everything besides resources: tokens, drain, shift, history, status, explanations, traffic.

use std::sync::Arc;

use axum::Json;
use axum::extract::rejection::JsonRejection;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use rialto_types::api::{ExplainRequest, Reverted, ShiftRequest, Shifted};
use rialto_types::cluster::JoinTokenRequest;
use rialto_types::command;
use rialto_types::error::{Code, Problem};
use rialto_types::id::{ClusterName, Revision, ServiceName};
use rialto_types::{limits, traffic};

use super::ControlPlane;
use super::answer::{self, Caller, Refused};
use super::objects::json;
use super::query::{Checked, ConvergenceQuery, HistoryQuery, NoQuery, WriteQuery};

type Answered = Result<Response, Refused>;
pub(super) type Body<T> = Result<Json<T>, JsonRejection>;

/// `NAME:VERB`, the last segment of an action's path.
fn action<'a>(segment: &'a str, verbs: &[&str]) -> Result<(&'a str, &'a str), Refused> {
    let split = segment.rsplit_once(':').filter(|(_, verb)| verbs.contains(verb));
    split.ok_or_else(|| {
        let detail = format!("`{segment}` is not an action: expected NAME:{}", verbs.join(" or :"));
        Refused(Problem::new(Code::PathUnknown, detail))
    })
}

fn not_found(error: rialto_types::id::Error) -> Refused {
    Refused(Problem::new(Code::NotFound, error.to_string()))
}

pub(super) async fn create_token<C: ControlPlane>(
    State(control_plane): State<Arc<C>>,
    caller: Caller,
    Checked(query): Checked<WriteQuery>,
    body: Body<JoinTokenRequest>,
) -> Answered {
    let context = query.context(caller);
    let issued = control_plane.create_token(json(body)?, context).await?;
    Ok((StatusCode::CREATED, Json(issued)).into_response())
}

pub(super) async fn cluster_action<C: ControlPlane>(
    State(control_plane): State<Arc<C>>,
    Path(segment): Path<String>,
    caller: Caller,
    Checked(query): Checked<WriteQuery>,
) -> Answered {
    let (name, verb) = action(&segment, &["drain", "undrain"])?;
    let name: ClusterName = name.parse().map_err(not_found)?;
    let context = query.context(caller);
    let result = control_plane.drain(name, verb == "drain", context).await?;
    Ok(Json(result).into_response())
}

pub(super) async fn service_action<C: ControlPlane>(
    State(control_plane): State<Arc<C>>,
    Path((namespace, segment)): Path<(String, String)>,
    caller: Caller,
    Checked(query): Checked<WriteQuery>,
    body: Body<ShiftRequest>,
) -> Answered {
    let (name, _) = action(&segment, &["shift"])?;
    let parent: ServiceName = format!("{namespace}/{name}").parse().map_err(not_found)?;
    let request = json(body)?;
    let mut context = query.context(caller);
    context.reason = context.reason.or_else(|| request.reason.clone());
    let command = command::shift(&parent, &request.weights, context.reason.as_deref());
    let written = control_plane.shift(parent, request, context).await?;
    Ok(answer::shifted(&Shifted { written, command }))
}

pub(super) async fn revision_action<C: ControlPlane>(
    State(control_plane): State<Arc<C>>,
    Path(segment): Path<String>,
    caller: Caller,
    Checked(query): Checked<WriteQuery>,
) -> Answered {
    let (revision, _) = action(&segment, &["revert"])?;
    let revision: Revision = revision.parse().map_err(not_found)?;
    let context = query.context(caller);
    let command = command::revert(revision, context.reason.as_deref());
    let entry = control_plane.revert(revision, context).await?;
    Ok(Json(Reverted { entry, command }).into_response())
}

pub(super) async fn history<C: ControlPlane>(
    State(control_plane): State<Arc<C>>,
    Checked(query): Checked<HistoryQuery>,
) -> Answered {
    let history =
        control_plane.history(query.limit.unwrap_or(limits::REST_HISTORY_DEFAULT)).await?;
    Ok(Json(history).into_response())
}

pub(super) async fn status<C: ControlPlane>(
    State(control_plane): State<Arc<C>>,
    Checked(NoQuery {}): Checked<NoQuery>,
) -> Answered {
    Ok(Json(control_plane.status().await?).into_response())
}

pub(super) async fn convergence<C: ControlPlane>(
    State(control_plane): State<Arc<C>>,
    Checked(query): Checked<ConvergenceQuery>,
) -> Answered {
    Ok(Json(control_plane.convergence(query.revision).await?).into_response())
}

pub(super) async fn explain<C: ControlPlane>(
    State(control_plane): State<Arc<C>>,
    Checked(NoQuery {}): Checked<NoQuery>,
    body: Body<ExplainRequest>,
) -> Answered {
    Ok(Json(control_plane.explain(json(body)?).await?).into_response())
}

pub(super) async fn traffic<C: ControlPlane>(
    State(control_plane): State<Arc<C>>,
    Checked(query): Checked<traffic::Query>,
) -> Answered {
    Ok(Json(control_plane.traffic(query).await?).into_response())
}
