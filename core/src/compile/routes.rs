//! Route entries: the rules of all routes of one parent, one match each, in order of precedence.
//!
//! The order is Gateway API's (HTTPRouteRule, "matches"): an exact path, then the longest prefix, a
//! method, the most headers, the most query parameters; then the older route, the name, and the
//! order inside the route. So the first rule that fits is the right one.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::num::NonZeroU16;

use rialto_types::error::{Code, Problem};
use rialto_types::id::{Namespace, ServiceName};
use rialto_types::object::{Key, Kind, Resource, Spec};
use rialto_types::route::TcpRouteSpec;
use rialto_types::route::{BackendRef, HttpMatch, HttpRouteSpec, ParentRef, PathMatchKind};
use rialto_types::service::AppProtocol;
use rialto_types::snapshot::{RouteEntry, RouteRule, WeightedBackend};

use super::oldest_first;
use crate::state::State;
use crate::state::merge::Definition;

type Definitions = BTreeMap<ServiceName, Definition>;

/// By parent service. Rules of HTTPRoutes stand before those of TCPRoutes.
pub(super) fn compile(
    state: &State,
    definitions: &Definitions,
    problems: &mut Vec<Problem>,
) -> Vec<RouteEntry> {
    let mut rules: BTreeMap<ServiceName, Vec<RouteRule>> = BTreeMap::new();
    for resource in oldest_first(state, Kind::HttpRoute) {
        let (Spec::HttpRoute(spec), Some(namespace)) =
            (&resource.spec, &resource.metadata.namespace)
        else {
            continue;
        };
        let key = resource.key();
        for (at, rule) in spec.rules.iter().enumerate() {
            check_weights(&key, at, &rule.backend_refs, problems);
        }
        for (at, parent) in spec.parent_refs.iter().enumerate() {
            let service = parent.service(namespace);
            let field = format!("spec.parentRefs[{at}]");
            check_parent(
                &key,
                &field,
                parent,
                definitions.get(&service),
                Kind::HttpRoute,
                problems,
            );
            let rules_of = spec.rules.iter().map(|rule| rule.backend_refs.as_slice());
            let dialled = dialled(definitions, &service, parent, AppProtocol::Http);
            check_ports(&key, namespace, rules_of, &dialled, definitions, problems);
            let added = http_rules(&key, namespace, parent, spec);
            rules.entry(service).or_default().extend(added);
        }
    }
    for (service, rules) in &mut rules {
        // Stable: among equals the older route stays first.
        rules.sort_by_key(precedence);
        check_shadowed(service, rules, problems);
    }
    for resource in oldest_first(state, Kind::TcpRoute) {
        add_tcp_rules(resource, definitions, &mut rules, problems);
    }
    rules.into_iter().map(|(service, rules)| RouteEntry { service, rules }).collect()
}

fn http_rules(
    key: &Key,
    namespace: &Namespace,
    parent: &ParentRef,
    spec: &HttpRouteSpec,
) -> Vec<RouteRule> {
    let mut rules = Vec::new();
    for (at, rule) in spec.rules.iter().enumerate() {
        let compiled = RouteRule {
            source: format!("{key} rule {at}"),
            port: parent.port.map(Into::into),
            http: true,
            condition: None,
            backends: backends(namespace, &rule.backend_refs),
            timeout: rule.timeouts.as_ref().and_then(|timeouts| timeouts.request),
        };
        if rule.matches.is_empty() {
            rules.push(compiled);
            continue;
        }
        for condition in &rule.matches {
            let condition = (*condition != HttpMatch::default()).then(|| condition.clone());
            rules.push(RouteRule { condition, ..compiled.clone() });
        }
    }
    rules
}

fn add_tcp_rules(
    resource: &Resource,
    definitions: &Definitions,
    rules: &mut BTreeMap<ServiceName, Vec<RouteRule>>,
    problems: &mut Vec<Problem>,
) {
    let (Spec::TcpRoute(spec), Some(namespace)) = (&resource.spec, &resource.metadata.namespace)
    else {
        return;
    };
    let TcpRouteSpec { parent_refs, rules: stated } = spec;
    let key = resource.key();
    for (at, rule) in stated.iter().enumerate() {
        check_weights(&key, at, &rule.backend_refs, problems);
    }
    for (at, parent) in parent_refs.iter().enumerate() {
        let service = parent.service(namespace);
        let field = format!("spec.parentRefs[{at}]");
        check_parent(&key, &field, parent, definitions.get(&service), Kind::TcpRoute, problems);
        let rules_of = stated.iter().map(|rule| rule.backend_refs.as_slice());
        let dialled = dialled(definitions, &service, parent, AppProtocol::Tcp);
        check_ports(&key, namespace, rules_of, &dialled, definitions, problems);
        let port: Option<u16> = parent.port.map(Into::into);
        let held = rules.entry(service.clone()).or_default();
        let takes =
            |rule: &&RouteRule, port| !rule.http && (rule.port.is_none() || rule.port == port);
        let mut takers =
            dialled.iter().map(|port| held.iter().find(|rule| takes(rule, Some((*port).into()))));
        let older = match takers.next() {
            None => held.iter().find(|rule| takes(rule, port)),
            Some(first) => first.filter(|_| takers.all(|taker| taker.is_some())),
        };
        if let Some(older) = older {
            let detail =
                format!("{} is older and takes its connections to {service}", older.source);
            problems.push(shadowed(&key, field, detail));
            continue;
        }
        held.extend(stated.iter().enumerate().map(|(at, rule)| RouteRule {
            source: format!("{key} rule {at}"),
            port,
            http: false,
            condition: None,
            backends: backends(namespace, &rule.backend_refs),
            timeout: None,
        }));
    }
}

fn backends(namespace: &Namespace, refs: &[BackendRef]) -> Vec<WeightedBackend> {
    let backend = |backend: &BackendRef| WeightedBackend {
        service: backend.service(namespace),
        port: backend.port.map(Into::into),
        weight: backend.weight,
    };
    refs.iter().map(backend).collect()
}

/// Smaller goes first. A match without a path has the prefix `/`.
fn precedence(rule: &RouteRule) -> (bool, Reverse<usize>, bool, Reverse<usize>, Reverse<usize>) {
    let none = HttpMatch::default();
    let condition = rule.condition.as_ref().unwrap_or(&none);
    let path = condition.path.as_ref();
    let is_exact = path.is_some_and(|path| path.kind == PathMatchKind::Exact);
    let length = path.map_or(1, |path| path.value.chars().count());
    (
        !is_exact,
        Reverse(length),
        condition.method.is_none(),
        Reverse(condition.headers.len()),
        Reverse(condition.query_params.len()),
    )
}

/// Rules that no request reaches, because an older one takes exactly the same ones.
fn check_shadowed(service: &ServiceName, rules: &[RouteRule], problems: &mut Vec<Problem>) {
    let mut seen: BTreeMap<String, Vec<&RouteRule>> = BTreeMap::new();
    for rule in rules {
        let condition = serde_json::to_string(&rule.condition).expect("a match has text keys");
        let same = seen.entry(condition).or_default();
        if let Some(older) = same.iter().find(|o| o.port.is_none() || o.port == rule.port) {
            let detail = format!("{} takes the same requests of {service}", older.source);
            let problem = Problem::new(Code::Shadowed, detail).with_subject(&rule.source);
            problems.push(problem.with_hint("delete one of the two, or make their matches differ"));
            continue;
        }
        same.push(rule);
    }
}

fn check_parent(
    key: &Key,
    field: &str,
    parent: &ParentRef,
    definition: Option<&Definition>,
    kind: Kind,
    problems: &mut Vec<Problem>,
) {
    // A parent that nobody exports is told by the check of references.
    let Some(definition) = definition else { return };
    let mut add = |code: Code, detail: String, hint: &str| {
        let problem = Problem::new(code, detail).with_subject(key);
        problems.push(problem.with_field(field).with_hint(hint));
    };
    let ports = definition.ports.iter();
    let named: Vec<_> = ports.filter(|p| parent.port.is_none_or(|port| port == p.port)).collect();
    if let (Some(port), true) = (parent.port, named.is_empty()) {
        let detail = format!("service {} has no port {port}", parent.name);
        add(Code::Dangling, detail, "name one of the service's ports, or none for all");
        return;
    }
    let has = |protocol| named.iter().any(|port| port.app_protocol == protocol);
    if kind == Kind::HttpRoute && !has(AppProtocol::Http) {
        let detail = format!("service {} has no HTTP port that this parent names", parent.name);
        add(Code::Dangling, detail, "use a TCPRoute, or set the port's `appProtocol` to `http`");
    }
    if kind == Kind::TcpRoute && !has(AppProtocol::Tcp) {
        let detail = format!("service {} has no TCP port that this parent names", parent.name);
        add(Code::Dangling, detail, "use an HTTPRoute, or set the port's `appProtocol` to `tcp`");
    }
}

/// The ports of the parent that a route of a protocol takes.
fn dialled(
    definitions: &Definitions,
    service: &ServiceName,
    parent: &ParentRef,
    protocol: AppProtocol,
) -> Vec<NonZeroU16> {
    let ports = definitions.get(service).into_iter().flat_map(|definition| &definition.ports);
    let taken = ports.filter(|port| {
        port.app_protocol == protocol && parent.port.is_none_or(|named| named == port.port)
    });
    taken.map(|port| port.port).collect()
}

/// Backends without the port that the traffic goes to. One that nobody exports is told by the check
/// of references.
fn check_ports<'a>(
    key: &Key,
    namespace: &Namespace,
    rules: impl Iterator<Item = &'a [BackendRef]>,
    dialled: &[NonZeroU16],
    definitions: &Definitions,
    problems: &mut Vec<Problem>,
) {
    for (rule, backends) in rules.enumerate() {
        for (at, backend) in backends.iter().enumerate() {
            let service = backend.service(namespace);
            let Some(definition) = definitions.get(&service) else { continue };
            let wanted = backend.port.as_ref().map_or(dialled, std::slice::from_ref);
            let has = |port: &NonZeroU16| definition.ports.iter().any(|held| held.port == *port);
            let Some(missing) = wanted.iter().find(|port| !has(port)) else { continue };
            let detail = format!("service {service} has no port {missing}: its share is refused");
            problems.push(
                Problem::new(Code::Dangling, detail)
                    .with_subject(key)
                    .with_field(format!("spec.rules[{rule}].backendRefs[{at}].port"))
                    .with_hint("state one of the backend's ports"),
            );
        }
    }
}

fn check_weights(key: &Key, rule: usize, backends: &[BackendRef], problems: &mut Vec<Problem>) {
    if backends.iter().any(|backend| backend.weight > 0) {
        return;
    }
    let detail = "no backend has a weight above 0: what fits the rule is refused";
    let problem = Problem::new(Code::RouteWithoutBackend, detail).with_subject(key);
    let field = format!("spec.rules[{rule}].backendRefs");
    problems.push(problem.with_field(field).with_hint("give a backend a weight"));
}

fn shadowed(key: &Key, field: String, detail: String) -> Problem {
    let problem = Problem::new(Code::Shadowed, detail).with_subject(key).with_field(field);
    problem.with_hint("delete one of the two, or name different ports of the parent")
}
