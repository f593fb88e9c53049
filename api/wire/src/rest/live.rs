//! The live stream: several views on one connection, each sent at once and whenever it changed.

use std::sync::Arc;

use axum::extract::{Query, State};
use axum::http::Uri;
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures::StreamExt;
use rialto_types::error::{Code, Problem};
use rialto_types::limits;
use rialto_types::view;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;

use super::ControlPlane;
use super::answer::{Caller, Refused};
use super::views::{Rendered, parse};

/// A view to follow, under the name by which it was asked for.
#[derive(Debug, Clone)]
pub struct Topic {
    pub name: Arc<str>,
    pub query: view::Query,
}

/// What one topic has to tell.
#[derive(Debug, Clone)]
pub struct LiveEvent {
    pub name: Arc<str>,
    pub told: Result<Arc<Rendered>, Box<Problem>>,
}

/// What the description says of the parameters; `view` comes several times.
#[derive(Debug, Deserialize, JsonSchema)]
#[expect(dead_code, reason = "read as pairs, because one name comes several times")]
pub(super) struct LiveQuery {
    /// Views as paths below `/api/v1/views/` with their query, at most 8.
    view: Vec<String>,
}

pub(super) async fn follow<C: ControlPlane>(
    State(control_plane): State<Arc<C>>,
    caller: Caller,
    uri: Uri,
) -> Result<Response, Refused> {
    let topics = topics(&uri)?;
    let events = control_plane.live(topics)?.map(|event| encode(&event));
    let events = events.take_until(caller.ended(&*control_plane));
    let keep_alive = KeepAlive::new().interval(limits::LIVE_HEARTBEAT);
    Ok(Sse::new(events).keep_alive(keep_alive).into_response())
}

fn topics(uri: &Uri) -> Result<Vec<Topic>, Refused> {
    let refuse = |detail: String| {
        let problem = Problem::new(Code::BadQuery, detail).with_field("view");
        let expected = format!("1 to {} views", limits::LIVE_VIEWS_MAX);
        Refused(problem.with_expected(expected))
    };
    let Ok(Query(pairs)) = Query::<Vec<(String, String)>>::try_from_uri(uri) else {
        return Err(refuse("the query cannot be read".into()));
    };
    if let Some((name, _)) = pairs.iter().find(|(name, _)| name != "view") {
        return Err(refuse(format!("`{name}` is not a parameter of the stream")));
    }
    if !(1..=limits::LIVE_VIEWS_MAX).contains(&pairs.len()) {
        return Err(refuse(format!("{} views are asked for", pairs.len())));
    }
    let topic = |(_, name): (String, String)| {
        let query = parse(&name)?;
        Ok(Topic { name: name.into(), query })
    };
    pairs.into_iter().map(topic).collect()
}

fn encode(event: &LiveEvent) -> Result<Event, axum::Error> {
    let name = json!(*event.name).to_string();
    match &event.told {
        Ok(view) => {
            let json = String::from_utf8_lossy(view.json());
            let data = format!("{{\"view\":{name},\"data\":{json}}}");
            Ok(Event::default().event("view").data(data))
        }
        Err(problem) => {
            let data = json!({ "view": *event.name, "problem": problem });
            Event::default().event("problem").json_data(data)
        }
    }
}
