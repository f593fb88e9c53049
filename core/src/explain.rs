//! Why a request would go where it goes: the very code that chooses and authorizes, overheard.

use std::time::Instant;

use rialto_types::api::{ExplainRequest, ExplainStep, Explanation};
use rialto_types::error::Code;
use rialto_types::local::LocalTable;
use rialto_types::service::{AppProtocol, dns_name};
use rialto_types::snapshot::Snapshot;

use crate::authorize::{Caller, Operation, authorize, check_caller};
use crate::choose::{self, HttpRequest, Refusal, Request, Stage, Trace};
use crate::health::Health;

/// What a gateway knows besides the snapshot; the bridge has neither.
#[derive(Debug, Clone, Copy)]
pub struct View<'a> {
    pub table: &'a LocalTable,
    pub health: &'a Health,
}

/// Explains a made-up request from `request.from_cluster`, whose snapshot this is.
///
/// Without a view the answer ends at the backend: which cluster serves is for a gateway to say.
pub fn explain(
    snapshot: &Snapshot,
    view: Option<View<'_>>,
    request: &ExplainRequest,
    now: Instant,
    draw: u64,
) -> Explanation {
    let mut steps: Vec<ExplainStep> = Vec::new();
    let (outcome, allowed) = match place(snapshot, view, request, now, draw, &mut steps) {
        Ok((outcome, None)) => (outcome, true),
        Ok((outcome, Some(denied))) => {
            (format!("{}: {denied} (else {outcome})", denied.code), false)
        }
        Err(refusal) => (format!("{}: {refusal}", refusal.code), is_allowed(&refusal)),
    };
    Explanation { steps, outcome, allowed, gateway: None, revision: snapshot.revision }
}

/// Whether a refusal leaves open who may call.
fn is_allowed(refusal: &Refusal) -> bool {
    refusal.code == Code::NoHealthyEndpoint
}

/// Where the request would go in one line, and why it may not.
fn place(
    snapshot: &Snapshot,
    view: Option<View<'_>>,
    request: &ExplainRequest,
    now: Instant,
    draw: u64,
    steps: &mut Vec<ExplainStep>,
) -> Result<(String, Option<Refusal>), Refusal> {
    let (port, protocol) = name(snapshot, request, steps)?;
    let headers = headers(request);
    let path = request.path.as_deref().unwrap_or("/");
    let (path, query) = match path.split_once('?') {
        Some((path, query)) => (path, Some(query)),
        None => (path, None),
    };
    let method = request.method.as_deref().unwrap_or("GET");
    let head = HttpRequest { method, path, query, headers: &headers };
    let http = (protocol == AppProtocol::Http).then_some(head);
    let wish = Request { service: &request.service, port, http, caller: None, excluded: &[] };
    let caller = check_caller(snapshot, &request.from_cluster, request.caller.clone());
    let judge = |backend, steps: &mut Vec<ExplainStep>| {
        let operation = Operation { service: &request.service, backend, http };
        let denied = judge(snapshot, caller.clone(), &operation);
        match &denied {
            Ok(text) => steps.step(Stage::Access, format_args!("{text}")),
            Err(refusal) => steps.step(Stage::Access, format_args!("{refusal}")),
        }
        denied.err()
    };
    let Some(View { table, health }) = view else {
        let (backend, port) = choose::choose_backend(snapshot, &wish, draw, steps)?;
        let denied = judge(backend, steps);
        let cluster = &request.from_cluster;
        let outcome = format!(
            "to `{backend}` port {port}; no gateway of `{cluster}` answered, so which cluster \
             serves is Unknown"
        );
        steps.step(Stage::Health, format_args!("Unknown: no gateway of {cluster} answered"));
        return Ok((outcome, denied));
    };
    let choice = match choose::choose_traced(snapshot, table, health, &wish, now, draw, steps) {
        Ok(choice) => choice,
        Err(refusal) => {
            let denied = judge(&request.service, steps);
            return Err(denied.unwrap_or(refusal));
        }
    };
    let denied = judge(choice.backend, steps);
    Ok((format!("to `{}` port {}: {}", choice.backend, choice.port, choice.target), denied))
}

fn name(
    snapshot: &Snapshot,
    request: &ExplainRequest,
    steps: &mut Vec<ExplainStep>,
) -> Result<(u16, AppProtocol), Refusal> {
    let service = &request.service;
    let first = || {
        let entry = snapshot.services.get(service)?;
        entry.ports.first().map(|port| port.port.get())
    };
    let port = request.port.or_else(first).unwrap_or(0);
    let entry = choose::find_service(snapshot, service, port)?;
    let dns = dns_name(service);
    let addresses: Vec<String> = entry.virtual_ips.iter().map(ToString::to_string).collect();
    if addresses.is_empty() {
        steps.step(Stage::Name, format_args!("{dns} has no virtual IP in this cluster"));
    } else {
        steps.step(Stage::Name, format_args!("{dns} is {}", addresses.join(", ")));
    }
    let protocol = choose::protocol(snapshot, service, port).unwrap_or_default();
    steps.step(Stage::Name, format_args!("port {port} speaks {}", protocol.as_str()));
    Ok((port, protocol))
}

fn headers(request: &ExplainRequest) -> Vec<(&str, &[u8])> {
    let headers = request.headers.iter();
    headers.map(|(name, value)| (name.as_str(), value.as_bytes())).collect()
}

/// Why the call is allowed, or the refusal.
fn judge(
    snapshot: &Snapshot,
    caller: Result<Caller, Refusal>,
    operation: &Operation<'_>,
) -> Result<String, Refusal> {
    let caller = caller?;
    let verdict = authorize(snapshot, &caller, operation);
    match verdict.refusal() {
        Some(refusal) => Err(refusal),
        None => Ok(verdict.to_string()),
    }
}

#[cfg(test)]
mod tests;
