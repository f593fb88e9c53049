//! Watches: server-sent events `put`, `delete`, `bookmark`, `reset`; the id is the revision.

use axum::http::HeaderMap;
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures::StreamExt;
use rialto_types::api::WatchEvent;
use rialto_types::error::{Code, Problem};
use rialto_types::id::{Namespace, Revision};
use rialto_types::limits;
use rialto_types::object::Kind;

use super::ControlPlane;
use super::answer::{Caller, Refused};
use super::query::ListQuery;

pub(super) async fn serve<C: ControlPlane>(
    kind: Kind,
    namespace: Option<Namespace>,
    control_plane: &C,
    query: &ListQuery,
    headers: &HeaderMap,
    caller: Caller,
) -> Result<Response, Refused> {
    let since = match headers.get("last-event-id").map(|value| value.to_str().unwrap_or("")) {
        Some(text) => Some(text.parse::<Revision>().map_err(|error| {
            let problem = Problem::new(Code::BadQuery, error.to_string());
            Refused(problem.with_field("Last-Event-ID"))
        })?),
        None => query.since,
    };
    let events = control_plane.watch(kind, namespace, since).await?;
    let events = events.map(|event| encode(&event)).take_until(caller.ended(control_plane));
    let keep_alive = KeepAlive::new().interval(limits::REST_WATCH_KEEPALIVE);
    Ok(Sse::new(events).keep_alive(keep_alive).into_response())
}

fn encode(event: &WatchEvent) -> Result<Event, axum::Error> {
    match event {
        WatchEvent::Put(document) => {
            let event = Event::default().event("put").json_data(document)?;
            Ok(match document.metadata.resource_version {
                Some(version) => event.id(version.to_string()),
                None => event,
            })
        }
        WatchEvent::Delete(key) => Event::default().event("delete").json_data(key),
        WatchEvent::Bookmark(revision) => {
            let event = Event::default().event("bookmark").json_data(revision)?;
            Ok(event.id(revision.to_string()))
        }
        WatchEvent::Reset(revision) => Event::default().event("reset").json_data(revision),
    }
}
