//! Where a request goes: route, backend, cluster, gateway or endpoint.
//!
//! ```text
//!   near side:  service ─> route ─> backend by weight ─> cluster by order and spill ─┬─> endpoint
//!                                                                                    └─> gateway
//!   far side:   service ─> endpoint
//! ```
//!
//! One draw decides everything: the same arguments give the same choice. A retry calls again with
//! the same draw and what was tried in `excluded`; the backend then stays the same.
//!
//! A caller of a service with `sessionAffinity: ClientIP` is placed by its address instead of the
//! draw, at each step ([`affinity`]).
//!
//! **Clusters** come in this order: the own one (unless the policy's order names it), the policy's
//! order, the rest as equals, those of the own region first. Load spills from one to the next by
//! Envoy's arithmetic: each takes `usable / total x overprovisioning` of what is left. A cluster of
//! which nothing is known counts as able, after all that are known. A drained cluster gets
//! something only where no other cluster can serve. If nobody has a usable endpoint, those whose
//! endpoints are ejected rather than gone are asked all the same (the panic rule of
//! [`crate::health`]).

pub mod affinity;
mod cluster;
mod endpoint;
mod gateway;
mod route;
mod trace;

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use rialto_types::error::Code;
use rialto_types::id::{ClusterName, InstanceId, ServiceName};
use rialto_types::local::{Endpoint, LocalTable};
use rialto_types::service::AppProtocol;
use rialto_types::snapshot::{ServiceEntry, Snapshot};

use crate::health::Health;

pub use cluster::{Placed, order};
pub(crate) use route::decoded;
pub use trace::{Off, Stage, Trace};

/// A request or connection to place.
#[derive(Debug, Clone, Copy)]
pub struct Request<'a> {
    /// The service and port that the client dialled.
    pub service: &'a ServiceName,
    pub port: u16,
    /// The head, on HTTP ports.
    pub http: Option<HttpRequest<'a>>,
    /// The caller's address, where it is known.
    pub caller: Option<IpAddr>,
    /// What was tried already.
    pub excluded: &'a [Excluded<'a>],
}

/// A request that a peer's gateway sends to this cluster.
#[derive(Debug, Clone, Copy)]
pub struct EndpointRequest<'a> {
    /// What the caller dialled.
    pub dialled: &'a ServiceName,
    /// The backend that the peer's route chose.
    pub service: &'a ServiceName,
    pub port: u16,
    /// The caller, as the peer sent it; counts where this cluster's own snapshot asks for affinity.
    pub affinity: Option<affinity::Key>,
    pub excluded: &'a [Excluded<'a>],
}

/// What decisions look at in an HTTP request's head.
#[derive(Debug, Clone, Copy)]
pub struct HttpRequest<'a> {
    pub method: &'a str,
    /// Without the query.
    pub path: &'a str,
    pub query: Option<&'a str>,
    pub headers: &'a [(&'a str, &'a [u8])],
}

/// What a retry leaves out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Excluded<'a> {
    Endpoint(SocketAddr),
    Gateway {
        cluster: &'a ClusterName,
        gateway: &'a InstanceId,
    },
    /// A cluster whose gateway said that no endpoint of it can serve.
    Cluster(&'a ClusterName),
}

/// Where the request goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Choice<'a> {
    /// The service that serves it: the one dialled, or a backend of its route.
    pub backend: &'a ServiceName,
    pub port: u16,
    pub target: Target<'a>,
    /// The rule that decided, as `HTTPRoute books/reviews rule 0`.
    pub route: Option<&'a str>,
    /// From the request's head to the end of the answer.
    pub timeout: Option<Duration>,
    /// By what the caller was placed, if it is to stay there.
    pub affinity: Option<affinity::Key>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Target<'a> {
    Local { endpoint: SocketAddr },
    Remote { cluster: &'a ClusterName, gateway: &'a InstanceId, address: SocketAddr },
}

impl<'a> Target<'a> {
    /// The exclusion that makes a retry go elsewhere.
    pub fn as_excluded(self) -> Excluded<'a> {
        match self {
            Target::Local { endpoint } => Excluded::Endpoint(endpoint),
            Target::Remote { cluster, gateway, .. } => Excluded::Gateway { cluster, gateway },
        }
    }
}

impl fmt::Display for Target<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Target::Local { endpoint } => write!(f, "local endpoint {endpoint}"),
            Target::Remote { cluster, gateway, address } => {
                write!(f, "cluster {cluster}, gateway {gateway} at {address}")
            }
        }
    }
}

/// Why a request goes nowhere, and what to do about it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text}")]
pub struct Refusal {
    pub code: Code,
    pub text: String,
}

impl Refusal {
    pub fn new(code: Code, text: impl Into<String>) -> Self {
        Self { code, text: text.into() }
    }
}

/// The near side: a request of a local workload.
pub fn choose<'a>(
    snapshot: &'a Snapshot,
    table: &'a LocalTable,
    health: &Health,
    request: &Request<'_>,
    now: Instant,
    draw: u64,
) -> Result<Choice<'a>, Refusal> {
    choose_traced(snapshot, table, health, request, now, draw, &mut Off)
}

/// As [`choose`], telling `trace` each step.
pub fn choose_traced<'a, T: Trace>(
    snapshot: &'a Snapshot,
    table: &'a LocalTable,
    health: &Health,
    request: &Request<'_>,
    now: Instant,
    draw: u64,
    trace: &mut T,
) -> Result<Choice<'a>, Refusal> {
    let parent = find_service(snapshot, request.service, request.port)?;
    let key = || request.caller.map(|caller| affinity::Key::of(caller, &parent.name));
    let of_caller = if parent.client_affinity { key() } else { None };
    let route_draw = of_caller.map_or(draw, |key| key.draw(0));
    let routed = route::choose(snapshot, parent, request, route_draw, trace)?;
    // A backend that a route chose inherits affinity.
    let is_asked = parent.client_affinity || routed.backend.client_affinity;
    let affinity = if is_asked { key() } else { None };
    if is_asked {
        let who = if affinity.is_some() { "this" } else { "each" };
        trace.step(Stage::Cluster, format_args!("{who} caller's address has its place (ClientIP)"));
    }
    let field = cluster::Field {
        snapshot,
        table,
        health,
        endpoints: local_endpoints(table, &routed.backend.name),
        service: routed.backend,
        port: routed.port,
        affinity,
        excluded: request.excluded,
        now,
    };
    let cluster = cluster::choose(&field, mix(draw, 1), trace)?;
    let target = if *cluster == table.cluster {
        let endpoint = endpoint::choose(&field, mix(draw, 2), trace)?;
        Target::Local { endpoint }
    } else {
        gateway::choose(&field, cluster, mix(draw, 2), trace)?
    };
    Ok(Choice {
        backend: &routed.backend.name,
        port: routed.port,
        target,
        route: routed.source,
        timeout: routed.timeout,
        affinity,
    })
}

/// The near side as far as the snapshot alone decides: the backend and its port.
pub(crate) fn choose_backend<'a, T: Trace>(
    snapshot: &'a Snapshot,
    request: &Request<'_>,
    draw: u64,
    trace: &mut T,
) -> Result<(&'a ServiceName, u16), Refusal> {
    let parent = find_service(snapshot, request.service, request.port)?;
    let routed = route::choose(snapshot, parent, request, draw, trace)?;
    Ok((&routed.backend.name, routed.port))
}

/// The far side: an endpoint of this cluster for what a peer's gateway chose to send here.
pub fn choose_endpoint(
    snapshot: &Snapshot,
    table: &LocalTable,
    health: &Health,
    request: &EndpointRequest<'_>,
    now: Instant,
    draw: u64,
) -> Result<SocketAddr, Refusal> {
    let EndpointRequest { dialled, service, port, affinity, excluded } = *request;
    let entry = find_service(snapshot, service, port)?;
    let own = &table.cluster;
    if !entry.clusters.get(own).is_some_and(|ports| ports.contains(&port)) {
        let text = format!("cluster `{own}` does not export port {port} of `{service}`");
        return Err(Refusal::new(Code::NotExported, text));
    }
    let endpoints = local_endpoints(table, service);
    let is_asked = |service| snapshot.services.get(service).is_some_and(|it| it.client_affinity);
    let affinity = affinity.filter(|_| entry.client_affinity || is_asked(dialled));
    let field = cluster::Field {
        snapshot,
        table,
        health,
        endpoints,
        service: entry,
        port,
        affinity,
        excluded,
        now,
    };
    endpoint::choose(&field, mix(draw, 2), &mut Off)
}

/// How a port of a service is treated; `None` if no cluster exports it.
pub fn protocol(snapshot: &Snapshot, service: &ServiceName, port: u16) -> Option<AppProtocol> {
    protocol_of(snapshot.services.get(service)?, port)
}

fn protocol_of(entry: &ServiceEntry, port: u16) -> Option<AppProtocol> {
    entry.ports.iter().find(|p| p.port.get() == port).map(|p| p.app_protocol)
}

pub(crate) fn find_service<'a>(
    snapshot: &'a Snapshot,
    service: &ServiceName,
    port: u16,
) -> Result<&'a ServiceEntry, Refusal> {
    let Some(entry) = snapshot.services.get(service) else {
        let text = format!(
            "no cluster exports `{service}`; create a ServiceExport for it, or check the name"
        );
        return Err(Refusal::new(Code::NotExported, text));
    };
    if !entry.ports.iter().any(|p| p.port.get() == port) {
        let ports: Vec<String> = entry.ports.iter().map(|p| p.port.to_string()).collect();
        let text =
            format!("`{service}` has no port {port}; it is exported with {}", ports.join(", "));
        return Err(Refusal::new(Code::NotExported, text));
    }
    Ok(entry)
}

/// The own cluster's endpoints of a service.
fn local_endpoints<'a>(table: &'a LocalTable, service: &ServiceName) -> &'a [Endpoint] {
    table.services.get(service).map_or(&[], |endpoints| &**endpoints)
}

/// Independent draws from one (SplitMix64's finaliser).
fn mix(draw: u64, step: u64) -> u64 {
    let mut z = draw.wrapping_add(step.wrapping_mul(0x9e37_79b9_7f4a_7c15));
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// The place that a draw falls on among `count` equals.
fn place(draw: u64, count: usize) -> usize {
    usize::try_from(draw % count.max(1) as u64).expect("less than a usize")
}

#[cfg(test)]
mod tests;
