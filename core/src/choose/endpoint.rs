//! A local endpoint: healthy before unknown, ejected ones last, unhealthy ones never.

use std::net::SocketAddr;
use std::time::Instant;

use rialto_types::error::Code;
use rialto_types::limits;
use rialto_types::local::{Endpoint, EndpointHealth};

use super::cluster::Field;
use super::trace::{Stage, Trace};
use super::{Refusal, local_endpoints, mix, place};
use crate::health::Health;

pub(super) fn choose<T: Trace>(
    field: &Field<'_, '_>,
    draw: u64,
    trace: &mut T,
) -> Result<SocketAddr, Refusal> {
    let endpoints = local_endpoints(field.table, &field.service.name);
    let ejections = Ejections::of(endpoints, field);
    if T::IS_ON {
        trace_endpoints(endpoints, &ejections, field, trace);
    }
    for (health, is_out) in [
        (EndpointHealth::Healthy, false),
        (EndpointHealth::Unknown, false),
        (EndpointHealth::Healthy, true),
        (EndpointHealth::Unknown, true),
    ] {
        let fit = || {
            let of_health = endpoints.iter().filter(move |endpoint| endpoint.health == health);
            let addresses = of_health.filter_map(|endpoint| endpoint.target(field.port));
            let untried = addresses.filter(|address| !field.is_tried(*address));
            untried.filter(|address| ejections.holds(*address) == is_out)
        };
        let count = fit().count();
        if count == 0 {
            continue;
        }
        let nth = |draw| fit().nth(place(draw, count)).expect("the place is below the count");
        let chosen = ramped(field.health, field.now, draw, nth);
        trace.step(Stage::Endpoint, format_args!("{chosen}, 1 of {count} that fit"));
        return Ok(chosen);
    }
    let (service, port, cluster) = (&field.service.name, field.port, &field.table.cluster);
    let text = format!(
        "no endpoint of `{service}` port {port} in cluster `{cluster}` can serve; \
         see its health checks with `rialto describe service`"
    );
    Err(Refusal::new(Code::NoHealthyEndpoint, text))
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
    fn of(endpoints: &[Endpoint], field: &Field<'_, 'a>) -> Self {
        let (health, now) = (field.health, field.now);
        let fit = endpoints.iter().filter(|e| e.health != EndpointHealth::Unhealthy);
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

fn trace_endpoints<T: Trace>(
    endpoints: &[Endpoint],
    ejections: &Ejections<'_>,
    field: &Field<'_, '_>,
    trace: &mut T,
) {
    for endpoint in endpoints {
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
