//! Soft state: whom this member hears. Never in raft, never believed beyond its age.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rialto_types::api::{Convergence, MemberRole};
use rialto_types::cluster::{Contact, ContactState, SubscriberStatus};
use rialto_types::id::{ClusterName, InstanceId, Revision, Role};
use rialto_types::limits;
use rialto_types::report::HealthSummary;
use serde::{Deserialize, Serialize};

/// Which gateway or DNS proxy.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct SubscriberKey {
    pub cluster: ClusterName,
    pub role: Role,
    pub id: InstanceId,
}

#[derive(Debug, Clone)]
struct Subscriber {
    heard: Instant,
    /// The stream that speaks for it; a newer one replaces an older one.
    stream: u64,
    open: bool,
    acked: Option<Revision>,
    refused: Option<String>,
}

#[derive(Debug, Clone)]
struct Agent {
    heard: Instant,
    open: bool,
    stream: u64,
    health: Vec<HealthSummary>,
    health_at: Option<Instant>,
}

#[derive(Debug, Default)]
struct Inner {
    subscribers: BTreeMap<SubscriberKey, Subscriber>,
    agents: BTreeMap<ClusterName, Agent>,
    streams: u64,
}

/// What this member hears; one per process.
#[derive(Debug, Default)]
pub struct Observed {
    inner: Mutex<Inner>,
}

/// What one member tells another, with ages instead of times: clocks differ.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Report {
    pub member: Option<MemberReport>,
    pub subscribers: Vec<SubscriberStatus>,
    pub agents: Vec<AgentReport>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct MemberReport {
    pub raft_id: u64,
    pub role: MemberRole,
    pub term: u64,
    pub applied: u64,
    pub commit: u64,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AgentReport {
    pub cluster: ClusterName,
    pub contact: Contact,
    pub health: Vec<HealthSummary>,
    pub health_age_ms: Option<u64>,
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

fn contact(heard: Instant, open: bool, now: Instant) -> Contact {
    let age = now.saturating_duration_since(heard);
    let alive = open && age <= limits::LEASE;
    let state = if alive { ContactState::Connected } else { ContactState::Silent };
    Contact { state, age_ms: Some(millis(age)) }
}

impl Observed {
    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A subscriber's stream began; the number names the stream.
    pub fn subscriber_opened(&self, key: SubscriberKey, now: Instant) -> u64 {
        let mut inner = self.inner();
        inner.streams += 1;
        let stream = inner.streams;
        let known = inner.subscribers.remove(&key);
        let (acked, refused) = known.map(|k| (k.acked, k.refused)).unwrap_or_default();
        let subscriber = Subscriber { heard: now, stream, open: true, acked, refused };
        inner.subscribers.insert(key, subscriber);
        inner
            .subscribers
            .retain(|_, held| now.saturating_duration_since(held.heard) < limits::SILENT_FORGOTTEN);
        stream
    }

    pub fn subscriber_heard(&self, key: &SubscriberKey, stream: u64, now: Instant) {
        self.update(key, stream, |subscriber| subscriber.heard = now);
    }

    pub fn subscriber_acked(&self, key: &SubscriberKey, stream: u64, revision: Revision) {
        self.update(key, stream, |subscriber| {
            subscriber.acked = Some(revision);
            subscriber.refused = None;
        });
    }

    pub fn subscriber_refused(&self, key: &SubscriberKey, stream: u64, reason: String) {
        self.update(key, stream, |subscriber| subscriber.refused = Some(reason));
    }

    pub fn subscriber_closed(&self, key: &SubscriberKey, stream: u64) {
        self.update(key, stream, |subscriber| subscriber.open = false);
    }

    fn update(&self, key: &SubscriberKey, stream: u64, change: impl FnOnce(&mut Subscriber)) {
        let mut inner = self.inner();
        if let Some(subscriber) = inner.subscribers.get_mut(key)
            && subscriber.stream == stream
        {
            change(subscriber);
        }
    }

    pub fn agent_opened(&self, cluster: &ClusterName, now: Instant) -> u64 {
        let mut inner = self.inner();
        inner.streams += 1;
        let stream = inner.streams;
        let held = inner.agents.remove(cluster);
        let (health, health_at) = held.map(|a| (a.health, a.health_at)).unwrap_or_default();
        let agent = Agent { heard: now, open: true, stream, health, health_at };
        inner.agents.insert(cluster.clone(), agent);
        stream
    }

    pub fn agent_heard(&self, cluster: &ClusterName, stream: u64, now: Instant) {
        self.update_agent(cluster, stream, |agent| agent.heard = now);
    }

    pub fn agent_health(
        &self,
        cluster: &ClusterName,
        stream: u64,
        health: Vec<HealthSummary>,
        now: Instant,
    ) {
        self.update_agent(cluster, stream, |agent| {
            agent.health = health;
            agent.health_at = Some(now);
        });
    }

    pub fn agent_closed(&self, cluster: &ClusterName, stream: u64) {
        self.update_agent(cluster, stream, |agent| agent.open = false);
    }

    fn update_agent(&self, cluster: &ClusterName, stream: u64, change: impl FnOnce(&mut Agent)) {
        let mut inner = self.inner();
        if let Some(agent) = inner.agents.get_mut(cluster)
            && agent.stream == stream
        {
            change(agent);
        }
    }

    /// Everything, with ages at `now`.
    pub fn report(&self, now: Instant) -> Report {
        let inner = self.inner();
        let subscribers = inner.subscribers.iter().map(|(key, held)| SubscriberStatus {
            cluster: key.cluster.clone(),
            role: key.role,
            id: key.id.clone(),
            contact: contact(held.heard, held.open, now),
            acked: held.acked,
            refused: held.refused.clone(),
        });
        let agents = inner.agents.iter().map(|(cluster, agent)| AgentReport {
            cluster: cluster.clone(),
            contact: contact(agent.heard, agent.open, now),
            health: agent.health.clone(),
            health_age_ms: agent.health_at.map(|at| millis(now.saturating_duration_since(at))),
        });
        Report { member: None, subscribers: subscribers.collect(), agents: agents.collect() }
    }
}

fn rank(contact: &Contact) -> (bool, u64) {
    (contact.state != ContactState::Connected, contact.age_ms.unwrap_or(u64::MAX))
}

/// What all members together hear: of each part, what the member says that heard it last.
pub fn merge(reports: &[Report]) -> Report {
    let mut subscribers: BTreeMap<SubscriberKey, &SubscriberStatus> = BTreeMap::new();
    let mut agents: BTreeMap<&ClusterName, &AgentReport> = BTreeMap::new();
    for report in reports {
        for status in &report.subscribers {
            let key = SubscriberKey {
                cluster: status.cluster.clone(),
                role: status.role,
                id: status.id.clone(),
            };
            let held = subscribers.entry(key).or_insert(status);
            if rank(&status.contact) < rank(&held.contact) {
                *held = status;
            }
        }
        for agent in &report.agents {
            let held = agents.entry(&agent.cluster).or_insert(agent);
            if rank(&agent.contact) < rank(&held.contact) {
                *held = agent;
            }
        }
    }
    Report {
        member: None,
        subscribers: subscribers.into_values().cloned().collect(),
        agents: agents.into_values().cloned().collect(),
    }
}

/// Who serves `revision`. A part whose lease ended counts no more; until then it may return.
pub fn convergence(
    revision: Revision,
    subscribers: &[SubscriberStatus],
    warnings: Vec<String>,
) -> Convergence {
    let lease = millis(limits::LEASE);
    let counted = subscribers.iter().filter(|subscriber| {
        let age = subscriber.contact.age_ms.unwrap_or(u64::MAX);
        subscriber.contact.state == ContactState::Connected || age <= lease
    });
    let (mut acked, mut missing) = (0, Vec::new());
    for subscriber in counted {
        if subscriber.acked.is_some_and(|acked| acked >= revision) {
            acked += 1;
        } else {
            missing.push(subscriber.clone());
        }
    }
    let total = acked + u32::try_from(missing.len()).unwrap_or(u32::MAX);
    Convergence { revision, acked, total, missing, warnings }
}

#[cfg(test)]
mod tests;
