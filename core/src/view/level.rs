//! How a service is: from what its clusters' agents say, and from what its callers get.

use rialto_types::cluster::{Contact, ContactState};
use rialto_types::id::ClusterName;
use rialto_types::limits;
use rialto_types::traffic::Rates;
use rialto_types::view::Level;

use super::text;

/// A service as one cluster has it, for judging.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Cell<'a> {
    pub(super) cluster: &'a ClusterName,
    pub(super) is_exported: bool,
    pub(super) is_drained: bool,
    /// Whether the agent is heard.
    pub(super) is_heard: bool,
    /// Healthy and all endpoints, as the agent last said.
    pub(super) endpoints: Option<(u32, u32)>,
}

impl Cell<'_> {
    /// What is shown of the cell.
    pub(super) fn level(&self) -> Level {
        match (self.is_exported, self.is_drained) {
            (false, _) => Level::Idle,
            (true, true) => Level::Draining,
            (true, false) => self.health(),
        }
    }

    /// How it would serve, drained or not.
    pub(super) fn health(&self) -> Level {
        match self.endpoints {
            Some(_) if !self.is_heard => Level::Unknown,
            None => Level::Unknown,
            Some((0, _)) => Level::Failing,
            Some((healthy, total)) if healthy < total => Level::Degraded,
            Some(_) => Level::Healthy,
        }
    }
}

/// A service's level, and why in a few words.
pub(super) fn service(
    cells: &[Cell<'_>],
    conflicts: &[String],
    rates: Option<&Rates>,
) -> (Level, String) {
    let (level, text) = by_endpoints(cells);
    if matches!(level, Level::Idle | Level::Failing) {
        return (level, text);
    }
    if let Some((errors, text)) = by_errors(rates) {
        return (errors, text);
    }
    if !conflicts.is_empty() && level == Level::Healthy {
        return (Level::Degraded, conflicts[0].clone());
    }
    (level, text)
}

/// Clusters that are drained count only where no other exports the service: so choose has it.
fn by_endpoints(cells: &[Cell<'_>]) -> (Level, String) {
    let exporters: Vec<&Cell<'_>> = cells.iter().filter(|cell| cell.is_exported).collect();
    if exporters.is_empty() {
        return (Level::Idle, "no cluster exports it".into());
    }
    let serving: Vec<&Cell<'_>> = exporters.iter().copied().filter(|c| !c.is_drained).collect();
    let counted = if serving.is_empty() { exporters } else { serving };
    let known: Vec<&Cell<'_>> =
        counted.iter().copied().filter(|cell| cell.health() != Level::Unknown).collect();
    if known.is_empty() {
        let names: Vec<String> = counted.iter().map(|cell| cell.cluster.to_string()).collect();
        return (Level::Unknown, format!("nothing is heard of it from {}", text::few(&names, 2)));
    }
    let worse: Vec<String> = known.iter().filter_map(|cell| shortfall(cell)).collect();
    let is_all_failing = known.iter().all(|cell| cell.health() == Level::Failing);
    if is_all_failing && known.len() == counted.len() {
        return (Level::Failing, format!("no endpoint can serve: {}", text::few(&worse, 2)));
    }
    if !worse.is_empty() {
        return (Level::Degraded, text::few(&worse, 2));
    }
    let endpoints: u64 = known.iter().filter_map(|c| c.endpoints).map(|e| u64::from(e.1)).sum();
    let endpoints =
        text::count(usize::try_from(endpoints).unwrap_or(usize::MAX), "endpoint", "endpoints");
    let clusters = text::count(known.len(), "cluster", "clusters");
    (Level::Healthy, format!("{endpoints} in {clusters}"))
}

/// `west: 1 of 2 endpoints`, where some are missing.
fn shortfall(cell: &Cell<'_>) -> Option<String> {
    let (healthy, total) =
        cell.endpoints.filter(|(healthy, total)| *healthy == 0 || healthy < total)?;
    let cluster = cell.cluster;
    Some(match (healthy, total) {
        (_, 0) => format!("{cluster}: no endpoint"),
        (healthy, total) => format!("{cluster}: {healthy} of {total} endpoints"),
    })
}

/// What callers get, if enough of them ask to say anything.
fn by_errors(rates: Option<&Rates>) -> Option<(Level, String)> {
    let rates = rates.filter(|rates| rates.requests >= limits::VIEW_JUDGED_REQUESTS_MIN)?;
    let text = || format!("{} of requests fail", text::percent(rates.error_share));
    if rates.error_share >= limits::VIEW_FAILING_ERROR_SHARE {
        return Some((Level::Failing, text()));
    }
    (rates.error_share >= limits::VIEW_DEGRADED_ERROR_SHARE).then(|| (Level::Degraded, text()))
}

/// How much a level wants to be looked at: more is worse.
pub(super) fn urgency(level: Level) -> u8 {
    match level {
        Level::Failing => 5,
        Level::Degraded => 4,
        Level::Unknown => 3,
        Level::Draining => 2,
        Level::Idle => 1,
        Level::Healthy => 0,
    }
}

pub(super) fn is_connected(contact: &Contact) -> bool {
    contact.state == ContactState::Connected
}

/// `silent for 12 s`, `never heard`.
pub(super) fn silence(contact: &Contact) -> String {
    match (contact.state, contact.age_ms) {
        (ContactState::Unknown, _) | (ContactState::Silent, None) => "not heard yet".into(),
        (ContactState::Silent | ContactState::Connected, Some(age)) => {
            format!("silent for {}", text::age(age))
        }
        (ContactState::Connected, None) => "connected".into(),
    }
}
