//! Who is heard: agents, gateways and DNS proxies by their streams, and all members together.
//!
//! ```text
//!   streams opened, heard, closed --> Heard --report(now)--> Report --+--> merge --> status
//!                         reports of the other members ---------------+           --> convergence
//! ```
//!
//! Soft state: every member keeps its own, it is in no snapshot of the state, and nothing in it is
//! believed beyond its age. Reports say ages and not times, because clocks differ.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use rialto_types::api::{Convergence, MemberRole, MemberStatus};
use rialto_types::cluster::{Contact, ContactState, SubscriberStatus};
use rialto_types::finding::{Examination, Examined, Finding};
use rialto_types::id::{ClusterName, InstanceId, Revision, Role, ServiceName, Timestamp};
use rialto_types::limits;
use rialto_types::report::HealthSummary;
use rialto_types::service::{EndpointCount, ServiceStatus};
use serde::{Deserialize, Serialize};

use crate::state::trust::Member;

/// What one member hears.
#[derive(Debug, Clone, Default)]
pub struct Heard {
    /// When a member that started again began to listen; what it had heard before is lost.
    again: Option<Instant>,
    subscribers: BTreeMap<SubscriberKey, Subscriber>,
    agents: BTreeMap<ClusterName, Agent>,
    streams: u64,
}

/// Which gateway or DNS proxy.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct SubscriberKey {
    pub cluster: ClusterName,
    pub role: Role,
    pub id: InstanceId,
}

/// One stream of a part; only the newest speaks for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StreamId(u64);

#[derive(Debug, Clone)]
struct Subscriber {
    line: Line,
    acked: Option<Revision>,
    refused: Option<String>,
    version: Option<String>,
}

#[derive(Debug, Clone)]
struct Agent {
    line: Line,
    health: Vec<HealthSummary>,
    health_at: Option<Instant>,
    examined: Option<(Instant, Examined)>,
}

/// How a part was last heard.
#[derive(Debug, Clone)]
struct Line {
    stream: StreamId,
    is_open: bool,
    heard: Instant,
}

impl Line {
    fn contact(&self, now: Instant) -> Contact {
        let age = now.saturating_duration_since(self.heard);
        let is_alive = self.is_open && age <= limits::LEASE;
        let state = if is_alive { ContactState::Connected } else { ContactState::Silent };
        Contact { state, age_ms: Some(milliseconds(age)) }
    }

    fn is_forgotten(&self, now: Instant) -> bool {
        now.saturating_duration_since(self.heard) >= limits::SILENT_FORGOTTEN
    }
}

impl Heard {
    /// Of a member that ran before: parts that it heard then come back within their lease.
    pub fn again(now: Instant) -> Self {
        Self { again: Some(now), ..Self::default() }
    }

    /// For how long a member that started again has been listening, in milliseconds.
    pub fn again_ms(&self, now: Instant) -> Option<u64> {
        self.again.map(|began| milliseconds(now.saturating_duration_since(began)))
    }

    /// A subscriber's stream began; what it said before still counts.
    pub fn subscriber_opened(&mut self, key: SubscriberKey, now: Instant) -> StreamId {
        self.forget(now);
        let line = self.next_line(now);
        let stream = line.stream;
        let known = self.subscribers.remove(&key);
        let (acked, refused) = known.map(|known| (known.acked, known.refused)).unwrap_or_default();
        self.subscribers.insert(key, Subscriber { line, acked, refused, version: None });
        stream
    }

    /// Of which release the subscriber is.
    pub fn subscriber_version(&mut self, key: &SubscriberKey, stream: StreamId, version: String) {
        if let Some(subscriber) = self.subscriber(key, stream) {
            subscriber.version = Some(version);
        }
    }

    pub fn subscriber_heard(&mut self, key: &SubscriberKey, stream: StreamId, now: Instant) {
        if let Some(subscriber) = self.subscriber(key, stream) {
            subscriber.line.heard = now;
        }
    }

    pub fn subscriber_acked(&mut self, key: &SubscriberKey, stream: StreamId, revision: Revision) {
        if let Some(subscriber) = self.subscriber(key, stream) {
            subscriber.acked = Some(revision);
            subscriber.refused = None;
        }
    }

    pub fn subscriber_refused(&mut self, key: &SubscriberKey, stream: StreamId, reason: String) {
        if let Some(subscriber) = self.subscriber(key, stream) {
            subscriber.refused = Some(reason);
        }
    }

    pub fn subscriber_closed(&mut self, key: &SubscriberKey, stream: StreamId) {
        if let Some(subscriber) = self.subscriber(key, stream) {
            subscriber.line.is_open = false;
        }
    }

    /// An agent's session began; the health that it told before still counts, with its age.
    pub fn agent_opened(&mut self, cluster: &ClusterName, now: Instant) -> StreamId {
        self.forget(now);
        let line = self.next_line(now);
        let stream = line.stream;
        let known = self.agents.remove(cluster);
        let agent = match known {
            Some(known) => Agent { line, ..known },
            None => Agent { line, health: Vec::new(), health_at: None, examined: None },
        };
        self.agents.insert(cluster.clone(), agent);
        stream
    }

    pub fn agent_heard(&mut self, cluster: &ClusterName, stream: StreamId, now: Instant) {
        if let Some(agent) = self.agent(cluster, stream) {
            agent.line.heard = now;
        }
    }

    pub fn agent_health(
        &mut self,
        cluster: &ClusterName,
        stream: StreamId,
        health: Vec<HealthSummary>,
        now: Instant,
    ) {
        if let Some(agent) = self.agent(cluster, stream) {
            agent.health = health;
            agent.health_at = Some(now);
        }
    }

    /// What an agent says of itself; `clock` is ours when we heard it.
    pub fn agent_examined(
        &mut self,
        cluster: &ClusterName,
        stream: StreamId,
        told: Examination,
        clock: Timestamp,
        now: Instant,
    ) {
        let Some(agent) = self.agent(cluster, stream) else { return };
        let Examination { version, at, findings } = told;
        let findings = findings.into_iter().take(limits::FINDINGS_MAX).map(Finding::clipped);
        let findings = findings.collect();
        let ahead = i128::from(at.unix_ms) - i128::from(clock.unix_ms);
        let clock_ahead_ms = i64::try_from(ahead).unwrap_or(i64::MAX);
        agent.examined = Some((now, Examined { version, clock_ahead_ms, age_ms: 0, findings }));
    }

    pub fn agent_closed(&mut self, cluster: &ClusterName, stream: StreamId) {
        if let Some(agent) = self.agent(cluster, stream) {
            agent.line.is_open = false;
        }
    }

    /// Everything, with ages at `now`; `member` is what the member says of itself.
    pub fn report(&self, member: Option<MemberReport>, now: Instant) -> Report {
        let subscribers = self.subscribers.iter().filter(|(_, held)| !held.line.is_forgotten(now));
        let subscribers = subscribers.map(|(key, held)| SubscriberStatus {
            cluster: key.cluster.clone(),
            role: key.role,
            id: key.id.clone(),
            contact: held.line.contact(now),
            acked: held.acked,
            refused: held.refused.clone(),
            version: held.version.clone(),
        });
        let agents = self.agents.iter().filter(|(_, held)| !held.line.is_forgotten(now));
        let agents = agents.map(|(cluster, held)| AgentReport {
            cluster: cluster.clone(),
            contact: held.line.contact(now),
            health: held.health.clone(),
            health_age_ms: held.health_at.map(|at| milliseconds(now.saturating_duration_since(at))),
            examined: held.examined.as_ref().map(|(at, examined)| {
                let age_ms = milliseconds(now.saturating_duration_since(*at));
                Examined { age_ms, ..examined.clone() }
            }),
        });
        Report { member, subscribers: subscribers.collect(), agents: agents.collect() }
    }

    fn forget(&mut self, now: Instant) {
        self.subscribers.retain(|_, held| !held.line.is_forgotten(now));
        self.agents.retain(|_, held| !held.line.is_forgotten(now));
    }

    fn next_line(&mut self, now: Instant) -> Line {
        self.streams += 1;
        Line { stream: StreamId(self.streams), is_open: true, heard: now }
    }

    fn subscriber(&mut self, key: &SubscriberKey, stream: StreamId) -> Option<&mut Subscriber> {
        self.subscribers.get_mut(key).filter(|held| held.line.stream == stream)
    }

    fn agent(&mut self, cluster: &ClusterName, stream: StreamId) -> Option<&mut Agent> {
        self.agents.get_mut(cluster).filter(|held| held.line.stream == stream)
    }
}

/// What one member tells another, or what all of them together hear.
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
    /// Time since the member started again; absent at its first start, when nobody could have been
    /// heard before.
    #[serde(default)]
    pub again_ms: Option<u64>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AgentReport {
    pub cluster: ClusterName,
    pub contact: Contact,
    pub health: Vec<HealthSummary>,
    pub health_age_ms: Option<u64>,
    #[serde(default)]
    pub examined: Option<Examined>,
}

impl Report {
    /// Whether the agent of a cluster is heard.
    pub fn agent(&self, cluster: &ClusterName) -> Contact {
        let agent = self.agents.iter().find(|agent| agent.cluster == *cluster);
        let unknown = Contact { state: ContactState::Unknown, age_ms: None };
        agent.map_or(unknown, |agent| agent.contact.clone())
    }

    /// What the agent of a cluster says of itself.
    pub fn examined(&self, cluster: &ClusterName) -> Option<&Examined> {
        let agent = self.agents.iter().find(|agent| agent.cluster == *cluster)?;
        agent.examined.as_ref()
    }

    /// The gateways and DNS proxies of a cluster.
    pub fn subscribers_of(
        &self,
        cluster: &ClusterName,
    ) -> impl Iterator<Item = &SubscriberStatus> + use<'_> {
        let cluster = cluster.clone();
        self.subscribers.iter().filter(move |subscriber| subscriber.cluster == cluster)
    }

    /// How many gateways of a cluster hold a live lease.
    pub fn gateways_live(&self, cluster: &ClusterName) -> usize {
        let is_live = |subscriber: &&SubscriberStatus| {
            subscriber.role == Role::Gateway && subscriber.contact.state == ContactState::Connected
        };
        self.subscribers_of(cluster).filter(is_live).count()
    }

    /// Adds to a service's status what the agents last said of its endpoints.
    pub fn add_health(&self, service: &ServiceName, status: &mut ServiceStatus) {
        for agent in &self.agents {
            let Some(cluster) = status.clusters.get_mut(&agent.cluster) else { continue };
            let Some(age_ms) = agent.health_age_ms else { continue };
            let of_service = agent.health.iter().filter(|summary| summary.service == *service);
            let count = |summary: &HealthSummary| EndpointCount {
                port: summary.port,
                healthy: summary.healthy,
                total: summary.total,
                age_ms,
            };
            cluster.endpoints = of_service.map(count).collect();
        }
    }
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

/// Smaller is better: connected before silent, then the one heard last.
fn rank(contact: &Contact) -> (bool, u64) {
    (contact.state != ContactState::Connected, contact.age_ms.unwrap_or(u64::MAX))
}

/// Who serves `revision`. A part whose lease ended counts no more; until then it may return.
pub fn convergence(
    revision: Revision,
    subscribers: &[SubscriberStatus],
    warnings: Vec<String>,
) -> Convergence {
    let lease_ms = milliseconds(limits::LEASE);
    let counted = subscribers.iter().filter(|subscriber| {
        let age_ms = subscriber.contact.age_ms.unwrap_or(u64::MAX);
        subscriber.contact.state == ContactState::Connected || age_ms <= lease_ms
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

/// What may be missing because members started again less than a lease ago.
///
/// Until then a part that they heard before may live and not have reported again: it is Unknown,
/// and whoever counts everybody must wait.
pub fn unsettled(members: &[Member], answered: &[MemberReport]) -> Vec<String> {
    let lease_ms = milliseconds(limits::LEASE);
    let began = |report: &MemberReport| {
        let ms = report.again_ms.filter(|ms| *ms < lease_ms)?;
        let member = members.iter().find(|member| member.raft_id == report.raft_id)?;
        Some(format!(
            "member {} started again {:.1} s ago: who was connected to it may take {} s to come \
             back, and is not counted before",
            member.name,
            Duration::from_millis(ms).as_secs_f64(),
            limits::LEASE.as_secs()
        ))
    };
    answered.iter().filter_map(began).collect()
}

/// How each member stands, by what those that answered say of themselves.
pub fn member_statuses(members: &[Member], answered: &[MemberReport]) -> Vec<MemberStatus> {
    let commit = answered.iter().map(|report| report.commit).max().unwrap_or(0);
    let status = |member: &Member| {
        let report = answered.iter().find(|report| report.raft_id == member.raft_id);
        MemberStatus {
            id: member.name.clone(),
            address: member.address.clone(),
            role: report.map_or(MemberRole::Unknown, |report| report.role),
            state: report.map_or(ContactState::Unknown, |_| ContactState::Connected),
            term: report.map(|report| report.term),
            applied: report.map(|report| report.applied),
            lag: report.map(|report| commit.saturating_sub(report.applied)),
        }
    };
    members.iter().map(status).collect()
}

fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;
