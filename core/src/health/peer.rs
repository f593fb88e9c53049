//! One peer cluster: its gateways as heard, and what they said of their endpoints.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use rialto_types::id::{InstanceId, ServiceName};
use rialto_types::limits;
use rialto_types::report::HealthSummary;

use super::{Counts, Path};

#[derive(Debug, Clone, Default)]
pub(super) struct Peer {
    pub(super) gateways: BTreeMap<InstanceId, Gateway>,
    summaries: BTreeMap<ServiceName, Vec<Summary>>,
    summaries_count: usize,
}

#[derive(Debug, Clone, Copy)]
struct Summary {
    port: u16,
    counts: Counts,
    at: Instant,
}

/// A peer gateway's state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GatewayState {
    Up {
        rtt: Duration,
    },
    /// Silent, or its connections broke; nothing is offered to it.
    Down,
    /// It said that it takes nothing new; nothing is offered to it.
    Draining,
    /// Never connected: used when no gateway of the cluster is up.
    Unknown,
}

#[derive(Debug, Clone, Default)]
pub(super) struct Gateway {
    contact: Option<Contact>,
    is_draining: bool,
}

#[derive(Debug, Clone, Copy)]
enum Contact {
    Heard { at: Instant, path: Path },
    Lost,
}

impl Gateway {
    pub(super) fn state(&self, now: Instant) -> GatewayState {
        match self.contact {
            None => GatewayState::Unknown,
            Some(Contact::Lost) => GatewayState::Down,
            Some(Contact::Heard { at, path }) if at + silence_max(path) <= now => {
                GatewayState::Down
            }
            Some(Contact::Heard { .. }) if self.is_draining => GatewayState::Draining,
            Some(Contact::Heard { path, .. }) => GatewayState::Up { rtt: path.rtt },
        }
    }

    /// Whether the gateway was not heard before.
    pub(super) fn hear(&mut self, path: Path, now: Instant) -> bool {
        let before = match self.contact {
            Some(Contact::Heard { at, .. }) => Some(at),
            Some(Contact::Lost) | None => None,
        };
        // Connections are looked at one by one, each with the time at which it was last heard.
        let at = before.map_or(now, |before| before.max(now));
        self.contact = Some(Contact::Heard { at, path });
        before.is_none()
    }

    /// Nobody was heard for `stood`, because nobody listened.
    pub(super) fn excuse(&mut self, stood: Duration, now: Instant) {
        if let Some(Contact::Heard { at, .. }) = &mut self.contact {
            // Whoever was heard since is no longer silent than that.
            *at = (*at + stood).min(now);
        }
    }

    /// Whether the gateway was not known to be lost before.
    pub(super) fn lose(&mut self) -> bool {
        let is_news = !matches!(self.contact, Some(Contact::Lost));
        self.contact = Some(Contact::Lost);
        is_news
    }

    /// Whether this changed anything.
    pub(super) fn set_draining(&mut self, is_draining: bool) -> bool {
        std::mem::replace(&mut self.is_draining, is_draining) != is_draining
    }

    pub(super) fn next(&self) -> Option<Instant> {
        match self.contact {
            Some(Contact::Heard { at, path }) => Some(at + silence_max(path)),
            Some(Contact::Lost) | None => None,
        }
    }
}

fn silence_max(path: Path) -> Duration {
    limits::PEER_SILENCE_MIN.max(path.pto.saturating_mul(limits::PEER_SILENCE_PTOS))
}

impl Peer {
    pub(super) fn take_summaries(&mut self, summaries: &[HealthSummary], now: Instant) {
        for summary in summaries {
            let HealthSummary { service, port, healthy, total } = summary;
            let counts = Counts { usable: (*healthy).min(*total), total: *total };
            let new = Summary { port: *port, counts, at: now };
            let known = self.summaries.get_mut(service);
            if let Some(ports) = known {
                if let Some(old) = ports.iter_mut().find(|old| old.port == *port) {
                    *old = new;
                    continue;
                }
                if self.summaries_count < limits::SUMMARIES_PER_PEER_MAX {
                    ports.push(new);
                    self.summaries_count += 1;
                }
            } else if self.summaries_count < limits::SUMMARIES_PER_PEER_MAX {
                self.summaries.insert(service.clone(), vec![new]);
                self.summaries_count += 1;
            }
        }
    }

    pub(super) fn summary(
        &self,
        service: &ServiceName,
        port: u16,
        now: Instant,
    ) -> Option<(Counts, Duration)> {
        let found = self.summaries.get(service)?.iter().find(|summary| summary.port == port)?;
        let age = now.saturating_duration_since(found.at);
        (age < limits::SUMMARY_AGE_MAX).then_some((found.counts, age))
    }

    /// Gateways whose silence has just become too long.
    pub(super) fn end_silent(&mut self, now: Instant) -> Vec<InstanceId> {
        let mut silent = Vec::new();
        for (id, gateway) in &mut self.gateways {
            if gateway.next().is_some_and(|next| next <= now) && gateway.lose() {
                silent.push(id.clone());
            }
        }
        silent
    }

    pub(super) fn forget_summaries(&mut self, now: Instant) {
        let is_fresh = |s: &Summary| now.saturating_duration_since(s.at) < limits::SUMMARY_AGE_MAX;
        self.summaries.retain(|_, ports| {
            ports.retain(is_fresh);
            !ports.is_empty()
        });
        self.summaries_count = self.summaries.values().map(Vec::len).sum();
    }

    pub(super) fn next(&self) -> Option<Instant> {
        let gateways = self.gateways.values().filter_map(Gateway::next);
        let summaries = self.summaries.values().flatten();
        gateways.chain(summaries.map(|s| s.at + limits::SUMMARY_AGE_MAX)).min()
    }
}
