//! The first rule that fits, and one of its backends by weight (Gateway API's semantics).

use std::time::Duration;

use rialto_types::error::Code;
use rialto_types::route::{HeaderMatch, HttpMatch, PathMatch, PathMatchKind};
use rialto_types::service::AppProtocol;
use rialto_types::snapshot::{RouteRule, ServiceEntry, Snapshot, WeightedBackend};

use super::trace::{Stage, Trace};
use super::{HttpRequest, Refusal, Request, protocol_of};

/// What serves the request.
#[derive(Debug, Clone, Copy)]
pub(super) struct Routed<'a> {
    pub(super) backend: &'a ServiceEntry,
    pub(super) port: u16,
    pub(super) source: Option<&'a str>,
    pub(super) timeout: Option<Duration>,
}

pub(super) fn choose<'a, T: Trace>(
    snapshot: &'a Snapshot,
    parent: &'a ServiceEntry,
    request: &Request<'_>,
    draw: u64,
    trace: &mut T,
) -> Result<Routed<'a>, Refusal> {
    let Some(rule) = find_rule(snapshot, parent, request, trace)? else {
        let plain = Routed { backend: parent, port: request.port, source: None, timeout: None };
        return Ok(plain);
    };
    let Some(chosen) = choose_weighted(&rule.backends, draw) else {
        let text = format!(
            "{} has no backend with a weight; give one of its backendRefs a weight above 0",
            rule.source
        );
        return Err(Refusal::new(Code::RouteWithoutBackend, text));
    };
    if T::IS_ON {
        let total: u64 = rule.backends.iter().map(|b| u64::from(b.weight)).sum();
        let (name, weight) = (&chosen.service, chosen.weight);
        trace.step(Stage::Route, format_args!("backend {name}, by its weight {weight} of {total}"));
    }
    let port = chosen.port.unwrap_or(request.port);
    let Some(backend) = snapshot.services.get(&chosen.service) else {
        let text = format!(
            "{} leads to `{}`, which no cluster exports; export it or change the route",
            rule.source, chosen.service
        );
        return Err(Refusal::new(Code::RouteWithoutBackend, text));
    };
    if !backend.ports.iter().any(|p| p.port.get() == port) {
        let text = format!(
            "{} leads to port {port} of `{}`, which has no such port; state `port` in backendRefs",
            rule.source, chosen.service
        );
        return Err(Refusal::new(Code::RouteWithoutBackend, text));
    }
    Ok(Routed { backend, port, source: Some(&rule.source), timeout: rule.timeout })
}

/// The rule that fits first; `None` if no route is attached to the port.
fn find_rule<'a, T: Trace>(
    snapshot: &'a Snapshot,
    parent: &ServiceEntry,
    request: &Request<'_>,
    trace: &mut T,
) -> Result<Option<&'a RouteRule>, Refusal> {
    let is_http = protocol_of(parent, request.port) == Some(AppProtocol::Http);
    let mut is_attached = false;
    for rule in snapshot.routes.get(&parent.name).iter().flat_map(|entry| &entry.rules) {
        if rule.http != is_http || rule.port.is_some_and(|port| port != request.port) {
            continue;
        }
        is_attached = true;
        match misfit(rule.condition.as_ref(), request.http.as_ref()) {
            None => {
                trace.step(Stage::Route, format_args!("{} fits", rule.source));
                return Ok(Some(rule));
            }
            Some(what) => {
                trace.step(Stage::Route, format_args!("{} does not fit: {what}", rule.source));
            }
        }
    }
    if is_attached {
        let text = format!(
            "no rule of the route of `{}` fits the request; add a rule without matches as the last",
            parent.name
        );
        return Err(Refusal::new(Code::RouteUnmatched, text));
    }
    let (name, port) = (&parent.name, request.port);
    trace.step(Stage::Route, format_args!("no route for port {port} of {name}: it serves itself"));
    Ok(None)
}

/// What of the request does not fit; `None` if all does.
fn misfit(condition: Option<&HttpMatch>, http: Option<&HttpRequest<'_>>) -> Option<&'static str> {
    let condition = condition?;
    let Some(http) = http else { return Some("it is not an HTTP request") };
    if condition.method.as_ref().is_some_and(|method| method != http.method) {
        return Some("the method");
    }
    if !condition.path.as_ref().is_none_or(|path| path_fits(path, http.path)) {
        return Some("the path");
    }
    if !condition.headers.iter().all(|header| header_fits(header, http.headers)) {
        return Some("a header");
    }
    let query = http.query.unwrap_or("");
    if !condition.query_params.iter().all(|param| param_fits(param, query)) {
        return Some("a query parameter");
    }
    None
}

fn path_fits(condition: &PathMatch, path: &str) -> bool {
    match condition.kind {
        PathMatchKind::Exact => path == condition.value,
        PathMatchKind::PathPrefix => is_path_prefix(&condition.value, path),
    }
}

/// By whole segments; a slash at the end of the prefix means nothing (`/a/` fits `/a`).
fn is_path_prefix(prefix: &str, path: &str) -> bool {
    let prefix = prefix.strip_suffix('/').unwrap_or(prefix);
    path.strip_prefix(prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// A header that comes several times has the values joined by commas (RFC 9110, section 5.3).
fn header_fits(condition: &HeaderMatch, headers: &[(&str, &[u8])]) -> bool {
    let mut rest = Some(condition.value.as_bytes());
    let mut is_first = true;
    for (name, value) in headers {
        if !name.eq_ignore_ascii_case(&condition.name) {
            continue;
        }
        if !is_first {
            rest = rest.and_then(|rest| rest.strip_prefix(b","));
            rest = rest.map(<[u8]>::trim_ascii_start);
        }
        is_first = false;
        rest = rest.and_then(|rest| rest.strip_prefix(value.trim_ascii()));
    }
    !is_first && rest.is_some_and(<[u8]>::is_empty)
}

/// The first parameter of the name counts, percent-decoded (Gateway API leaves both open).
fn param_fits(condition: &HeaderMatch, query: &str) -> bool {
    for pair in query.split('&') {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        if decoded(name).eq(condition.name.bytes()) {
            return decoded(value).eq(condition.value.bytes());
        }
    }
    false
}

/// The bytes of a text with `%XX` decoded; what is no such triplet stays.
pub(crate) fn decoded(text: &str) -> impl Iterator<Item = u8> {
    let bytes = text.as_bytes();
    let mut at = 0;
    std::iter::from_fn(move || {
        let byte = *bytes.get(at)?;
        let digit = |at: usize| char::from(*bytes.get(at)?).to_digit(16);
        if byte == b'%'
            && let (Some(high), Some(low)) = (digit(at + 1), digit(at + 2))
        {
            at += 3;
            return u8::try_from(high * 16 + low).ok();
        }
        at += 1;
        Some(byte)
    })
}

/// Exactly in proportion: of `total` consecutive draws each backend gets as many as its weight.
fn choose_weighted(backends: &[WeightedBackend], draw: u64) -> Option<&WeightedBackend> {
    let total: u64 = backends.iter().map(|backend| u64::from(backend.weight)).sum();
    let mut rest = draw.checked_rem(total)?;
    for backend in backends {
        let weight = u64::from(backend.weight);
        if rest < weight {
            return Some(backend);
        }
        rest -= weight;
    }
    None
}
