//! The traffic of one service: now, lately, who calls it, from where to where.

use std::time::Duration;

use rialto_types::error::Code;
use rialto_types::id::{ClusterName, ServiceName, SpiffeId};
use rialto_types::limits;
use rialto_types::traffic::Rates;
use rialto_types::view::service::{CallerLine, Query, RefusalLine, ServiceFlow, ServiceTraffic};

use super::Picture;
use super::figures::is_about;
use super::services::most;
use super::text;
use crate::traffic::Flow;

impl Picture {
    pub(super) fn service_traffic(&self, service: &ServiceName, query: &Query) -> ServiceTraffic {
        let over = over(query);
        let over_ms = u64::try_from(over.as_millis()).unwrap_or(u64::MAX);
        let Some(window) = &self.figures.window else {
            return ServiceTraffic { over_ms, ..ServiceTraffic::default() };
        };
        let of = |flow: &Flow<'_>| is_asked(flow, service, query);
        let pairs =
            window.rates_by(over, |flow| of(flow).then(|| (flow.from.clone(), flow.to.cloned())));
        let flow = |((from, to), rates)| ServiceFlow { from, to, rates };
        let mut flows: Vec<ServiceFlow> = pairs.into_iter().map(flow).collect();
        flows.sort_by(|a, b| most(requests(&a.rates), requests(&b.rates)));
        let series = window.series(of);
        let series = query.over.map_or(series.clone(), |over| series.last(over));
        ServiceTraffic { now: window.rates(over, of), over_ms, series, flows }
    }

    pub(super) fn callers(&self, service: &ServiceName, query: &Query) -> Vec<CallerLine> {
        let Some(window) = &self.figures.window else { return Vec::new() };
        let all = window.rates_by(over(query), |flow| {
            let key = || (flow.caller.cloned(), flow.from.clone(), flow.to.cloned());
            is_asked(flow, service, query).then(key)
        });
        let line = |((identity, cluster, destination), rates): (Key, Option<Rates>)| CallerLine {
            text: caller_text(identity.as_ref(), &cluster, destination.as_ref(), rates.as_ref()),
            identity,
            cluster,
            destination,
            rates,
        };
        let mut lines: Vec<CallerLine> = all.into_iter().map(line).collect();
        lines.sort_by(|a, b| most(requests(&a.rates), requests(&b.rates)));
        lines.truncate(limits::VIEW_CALLERS_MAX);
        lines
    }
}

impl Picture {
    /// What callers were refused, and why.
    pub(super) fn refusals(&self, service: &ServiceName, query: &Query) -> Vec<RefusalLine> {
        let Some(window) = &self.figures.window else { return Vec::new() };
        let all = window.refusals_by(over(query), |flow| {
            is_asked(flow, service, query).then(|| (flow.caller.cloned(), flow.from.clone()))
        });
        let line = |(((identity, cluster), code), (count, per_second))| RefusalLine {
            text: format!("{} in {cluster}", who(Option::as_ref(&identity))),
            identity,
            cluster,
            code,
            reason: Code::title(code).to_string(),
            count,
            per_second,
        };
        let mut lines: Vec<RefusalLine> = all.into_iter().map(line).collect();
        lines.sort_by_key(|line| std::cmp::Reverse(line.count));
        lines.truncate(limits::VIEW_CALLERS_MAX);
        lines
    }
}

/// The time that rates are of.
fn over(query: &Query) -> Duration {
    query.over.unwrap_or(limits::TRAFFIC_RATES_OVER)
}

type Key = (Option<SpiffeId>, ClusterName, Option<ClusterName>);

fn is_asked(flow: &Flow<'_>, service: &ServiceName, query: &Query) -> bool {
    is_about(flow, service) && query.cluster.as_ref().is_none_or(|from| from == flow.from)
}

fn requests(rates: &Option<Rates>) -> Option<f64> {
    rates.as_ref().map(|rates| rates.requests_per_second)
}

fn caller_text(
    identity: Option<&SpiffeId>,
    cluster: &ClusterName,
    destination: Option<&ClusterName>,
    rates: Option<&Rates>,
) -> String {
    let who = who(identity);
    let to = match destination {
        Some(destination) if destination == cluster => "served at home".into(),
        Some(destination) => format!("served in {destination}"),
        None => "served by nobody".into(),
    };
    let figures = rates.map_or("figures unknown".into(), |rates| {
        let errors = match (rates.errors, rates.refused) {
            (0, 0) => String::new(),
            (0, refused) => format!(", {refused} refused"),
            _ => format!(", {} fail", text::percent(rates.error_share)),
        };
        format!("{:.1} requests per second{errors}", rates.requests_per_second)
    });
    format!("{who} in {cluster}, {to}: {figures}")
}

fn who(identity: Option<&SpiffeId>) -> String {
    match (identity.and_then(SpiffeId::as_workload), identity) {
        (Some((namespace, account)), _) => format!("{namespace}/{account}"),
        (None, Some(identity)) => identity.to_string(),
        (None, None) => "somebody unknown".into(),
    }
}
