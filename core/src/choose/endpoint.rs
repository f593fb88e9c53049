//! A local endpoint: healthy before unknown, ejected ones last, unhealthy ones never.

use std::net::SocketAddr;
use std::time::Instant;

use rialto_types::error::Code;
use rialto_types::limits;
use rialto_types::local::{Endpoint, EndpointHealth};

use super::affinity::Key;
use super::cluster::Field;
use super::trace::{Stage, Trace};
use super::{Refusal, mix, place};
use crate::health::Health;

/// How many classes `class` tells apart, the best first.
const CLASSES: usize = 4;

pub(super) fn choose<T: Trace>(
    field: &Field<'_, '_>,
    draw: u64,
    trace: &mut T,
) -> Result<SocketAddr, Refusal> {
    let ejections = Ejections::of(field);
    if T::IS_ON {
        trace_endpoints(&ejections, field, trace);
    }
    let classed =
        || field.endpoints.iter().filter_map(|endpoint| class(endpoint, &ejections, field));
    let mut counts = [0_usize; CLASSES];
    for (class, _) in classed() {
        counts[class] += 1;
    }
    let Some(best) = counts.iter().position(|count| *count > 0) else {
        return Err(refuse(field));
    };
    let count = counts[best];
    let fit = || classed().filter(|(class, _)| *class == best).map(|(_, address)| address);
    let chosen = match field.affinity {
        Some(key) => kept(field, key, fit()).expect("the class is not empty"),
        None => {
            let nth = |draw| fit().nth(place(draw, count)).expect("below the count");
            ramped(field.health, field.now, draw, nth)
        }
    };
    trace.step(Stage::Endpoint, format_args!("{chosen}, 1 of {count} that fit"));
    Ok(chosen)
}

/// The class and address of an endpoint; `None` if it is never used or was tried.
fn class(
    endpoint: &Endpoint,
    ejections: &Ejections<'_>,
    field: &Field<'_, '_>,
) -> Option<(usize, SocketAddr)> {
    let address = endpoint.target(field.port).filter(|address| !field.is_tried(*address))?;
    let is_out = ejections.holds(address);
    let class = match (endpoint.health, is_out) {
        (EndpointHealth::Unhealthy, _) => return None,
        (EndpointHealth::Healthy, false) => 0,
        (EndpointHealth::Unknown, false) => 1,
        (EndpointHealth::Healthy, true) => 2,
        (EndpointHealth::Unknown, true) => 3,
    };
    Some((class, address))
}

/// Whether the endpoint that a caller ranks highest of all, fit or not, can serve it.
pub(super) fn is_kept(field: &Field<'_, '_>, key: Key) -> bool {
    let all = field.endpoints.iter();
    let all = all.filter_map(|endpoint| Some((endpoint.target(field.port)?, endpoint.health)));
    let highest = all.max_by_key(|(address, _)| (key.rank_endpoint(*address), *address));
    highest.is_some_and(|(address, health)| {
        health != EndpointHealth::Unhealthy
            && !field.is_tried(address)
            && field.health.ejected_until(address, field.now).is_none()
    })
}

/// The endpoint that the caller ranks highest. To one that has just come back, its callers return
/// one after another.
fn kept(
    field: &Field<'_, '_>,
    key: Key,
    fit: impl Iterator<Item = SocketAddr>,
) -> Option<SocketAddr> {
    fit.max_by_key(|address| {
        let rank = key.rank_endpoint(*address);
        let share = field.health.share_percent(*address, field.now);
        let takes_turn = share >= 100 || mix(rank, 1) % 100 < u64::from(share);
        (takes_turn, rank, *address)
    })
}

fn refuse(field: &Field<'_, '_>) -> Refusal {
    let (service, port, cluster) = (&field.service.name, field.port, &field.table.cluster);
    let text = format!(
        "no endpoint of `{service}` port {port} in cluster `{cluster}` can serve; \
         see its health checks with `rialto describe service`"
    );
    Refusal::new(Code::NoHealthyEndpoint, text)
}

/// An endpoint that has just come back passes most of its turns on; after a few passes the turn is
/// taken, because all may have just come back.
fn ramped(health: &Health, now: Instant, draw: u64, nth: impl Fn(u64) -> SocketAddr) -> SocketAddr {
    let mut chosen = nth(draw);
    for pass in 0..4 {
        let share = health.share_percent(chosen, now);
        if share >= 100 || mix(draw, 2 * pass + 1) % 100 < u64::from(share) {
            break;
        }
        chosen = nth(mix(draw, 2 * pass + 2));
    }
    chosen
}

/// Which ejections count for a set of endpoints: the oldest, at most so many.
struct Ejections<'a> {
    health: &'a Health,
    now: Instant,
    /// An ejection counts if it came before this one.
    before: u64,
}

impl<'a> Ejections<'a> {
    fn of(field: &Field<'_, 'a>) -> Self {
        let (health, now) = (field.health, field.now);
        if !health.has_outliers() {
            return Self { health, now, before: u64::MAX };
        }
        let fit = field.endpoints.iter().filter(|e| e.health != EndpointHealth::Unhealthy);
        let fit = fit.filter_map(|endpoint| endpoint.target(field.port));
        let total = fit.clone().count();
        let ejected = || fit.clone().filter_map(|address| health.ejection(address, now));
        let allowed = total * limits::EJECTED_PERCENT_MAX / 100;
        if ejected().count() <= allowed {
            return Self { health, now, before: u64::MAX };
        }
        // The `allowed` smallest sequences, found without a list: this is rare and the set small.
        let rank = |sequence: u64| ejected().filter(|other| *other < sequence).count();
        let before = ejected().find(|sequence| rank(*sequence) == allowed).unwrap_or(0);
        Self { health, now, before }
    }

    fn holds(&self, address: SocketAddr) -> bool {
        self.health.ejection(address, self.now).is_some_and(|sequence| sequence < self.before)
    }
}

fn trace_endpoints<T: Trace>(ejections: &Ejections<'_>, field: &Field<'_, '_>, trace: &mut T) {
    for endpoint in field.endpoints {
        let Some(address) = endpoint.target(field.port) else { continue };
        let health = match endpoint.health {
            EndpointHealth::Healthy => "healthy",
            EndpointHealth::Unhealthy => "unhealthy, left out",
            EndpointHealth::Unknown => "not checked",
        };
        let until = field.health.ejected_until(address, field.now);
        let ejected = match until.map(|until| until.duration_since(field.now).as_millis()) {
            None => String::new(),
            Some(ms) if ejections.holds(address) => format!(", ejected for {ms} ms"),
            Some(ms) => format!(", ejected for {ms} ms but too many are"),
        };
        let tried = if field.is_tried(address) { ", tried already" } else { "" };
        trace.step(Stage::Endpoint, format_args!("{address}: {health}{ejected}{tried}"));
    }
}
