//! The front page: one sentence, what to look at and why, clusters, traffic, last changes.

use rialto_types::api::{MemberRole, MemberStatus};
use rialto_types::cluster::ContactState;
use rialto_types::command;
use rialto_types::error::Problem;
use rialto_types::id::{ClusterName, Timestamp};
use rialto_types::limits;
use rialto_types::object::{Key, Kind};
use rialto_types::traffic::check_over;
use rialto_types::view::clusters::{ClusterCard, PartLine};
use rialto_types::view::overview::{Attention, Overview, OverviewTraffic, Query};
use rialto_types::view::services::ServiceRow;
use rialto_types::view::{Level, Ref};

use super::figures::share;
use super::level::{is_connected, silence, urgency};
use super::services::{most, name};
use super::{Picture, Since, changes, text};
use crate::state::State;

impl Picture {
    pub fn overview(
        &self,
        state: &State,
        since: &Since,
        query: &Query,
    ) -> Result<Overview, Problem> {
        let traffic = self.traffic_of_all(query)?;
        let cards = self.over(query.over)?.cards.clone();
        let mut attention = self.attention(since);
        let omitted = attention.len().saturating_sub(limits::VIEW_ATTENTION_MAX);
        attention.truncate(limits::VIEW_ATTENTION_MAX);
        let subjects = attention.iter().map(|item| &item.subject).collect();
        let mut changed = changes::newest_of(state, subjects, self.now);
        for item in &mut attention {
            item.last_change = changed.remove(&item.subject);
        }
        let last =
            changes::newest(state, limits::VIEW_LAST_CHANGES, self.now, changes::is_by_people);
        Ok(Overview {
            revision: self.revision(),
            sentence: self.sentence(),
            level: self.overall_level(),
            since: since.overall(),
            since_ms: since.overall().map(|since| self.age_ms(since)),
            services: self.services_proportions(),
            clusters: cards.into_values().collect(),
            attention,
            attention_omitted: u32::try_from(omitted).unwrap_or(u32::MAX),
            traffic,
            changes: last,
            members: self.heard.members.clone(),
            gaps: self.gaps(),
        })
    }

    /// Of the time asked for; by default what every picture holds.
    fn traffic_of_all(&self, query: &Query) -> Result<OverviewTraffic, Problem> {
        let figures = &self.figures;
        let over = check_over(query.over.unwrap_or(limits::TRAFFIC_RATES_OVER))?;
        let over_ms = u64::try_from(over.as_millis()).unwrap_or(u64::MAX);
        Ok(match (query.over, &figures.window) {
            (Some(over), Some(window)) => {
                let now = window.rates(over, |_| true);
                let leaving = window.rates(over, |flow| flow.to.is_some_and(|to| to != flow.from));
                let parts = leaving.as_ref().zip(now.as_ref());
                let remote_share = parts.and_then(|(leaving, all)| {
                    share(leaving.requests_per_second, all.requests_per_second)
                });
                let series = figures.series.clone().last(over);
                OverviewTraffic { now, over_ms, series, remote_share }
            }
            (None, _) | (_, None) => OverviewTraffic {
                now: figures.total.clone(),
                over_ms,
                series: figures.series.clone(),
                remote_share: figures.remote_share_of_all(),
            },
        })
    }

    /// The level of the headline: the most urgent thing that there is. How much of the federation
    /// that is, the sentence and the proportions say.
    pub(super) fn overall_level(&self) -> Level {
        if self.cards.is_empty() {
            return Level::Idle;
        }
        if !has_leader(&self.heard.members) {
            return Level::Failing;
        }
        let services = self.rows.values().map(|row| row.level);
        let clusters = self.cards.values().map(|card| card.level);
        // What is drained or not exported is so on purpose.
        let levels = services
            .chain(clusters)
            .filter(|level| !matches!(level, Level::Idle | Level::Draining));
        let worst = levels.max_by_key(|level| urgency(*level)).unwrap_or(Level::Healthy);
        let is_short = self.heard.members.iter().any(|member| !is_member_heard(member));
        if is_short && urgency(worst) < urgency(Level::Degraded) { Level::Degraded } else { worst }
    }

    fn sentence(&self) -> String {
        if self.cards.is_empty() {
            return "No cluster has joined yet".into();
        }
        let services = self.services_proportions();
        // What nobody exports is nobody's trouble.
        let exported = self.rows.len() - services.idle as usize;
        let all = text::count(exported, "service", "services");
        let mut parts = Vec::new();
        let counts = [
            (services.failing, "failing"),
            (services.degraded, "degraded"),
            (services.unknown, "unknown"),
        ];
        let told: Vec<String> = counts
            .iter()
            .filter(|(count, _)| *count > 0)
            .map(|(count, word)| format!("{} {word}", text::grouped(*count as usize)))
            .collect();
        if told.is_empty() {
            let clusters = text::count(self.cards.len(), "cluster", "clusters");
            parts.push(match exported {
                0 => format!("No service is exported yet in {clusters}"),
                1 => format!("1 service, healthy, in {clusters}"),
                _ => format!("All {all} healthy in {clusters}"),
            });
        } else {
            parts.push(format!("{} of {all}", told.join(", ")));
        }
        parts.extend(self.sentence_of_clusters());
        parts.extend(self.sentence_of_members());
        parts.join("; ")
    }

    fn sentence_of_clusters(&self) -> Vec<String> {
        let mut parts = Vec::new();
        for (name, card) in &self.cards {
            if !is_connected(&card.agent) && card.agent.age_ms.is_some() {
                parts.push(format!("{name}'s agent {}", silence(&card.agent)));
            }
            for line in card.gateways.iter().filter(|line| line.level == Level::Failing) {
                parts.push(format!("gateway {name}/{} {}", line.id, line.text));
            }
        }
        let never_heard =
            |card: &&ClusterCard| !is_connected(&card.agent) && card.agent.age_ms.is_none();
        let waiting = self.cards.values().filter(never_heard);
        let waiting: Vec<String> = waiting.map(|card| card.name.to_string()).collect();
        if !waiting.is_empty() {
            parts.push(format!("waiting for the agent of {}", waiting.join(", ")));
        }
        let drained = self.cards.values().filter(|card| card.drained);
        let drained: Vec<String> = drained.map(|card| card.name.to_string()).collect();
        if !drained.is_empty() {
            parts.push(format!("{} drained", text::few(&drained, 3)));
        }
        let omitted = parts.len().saturating_sub(limits::VIEW_SENTENCE_PARTS_MAX);
        parts.truncate(limits::VIEW_SENTENCE_PARTS_MAX);
        if omitted > 0 {
            parts.push(format!("{omitted} more"));
        }
        parts
    }

    fn sentence_of_members(&self) -> Option<String> {
        let members = &self.heard.members;
        if !has_leader(members) {
            return Some("the control plane has no leader: nothing can be changed".into());
        }
        let silent = members.iter().filter(|member| !is_member_heard(member)).count();
        let all = text::count(members.len(), "member", "members");
        (silent > 0).then(|| format!("{silent} of {all} of the control plane not heard"))
    }

    /// What to look at: the urgent first, of equals what touches more services and more traffic.
    fn attention(&self, since: &Since) -> Vec<Attention> {
        let mut items: Vec<Attention> = Vec::new();
        items.extend(self.member_items());
        for (cluster, card) in &self.cards {
            items.extend(self.cluster_item(cluster, card, since));
            items.extend(self.part_items(cluster, card));
        }
        let wanting = self
            .rows
            .values()
            .filter(|row| matches!(row.level, Level::Failing | Level::Degraded | Level::Unknown));
        items.extend(wanting.map(|row| self.service_item(row, since)));
        items.sort_by(|a, b| {
            let urgencies = urgency(b.level).cmp(&urgency(a.level));
            let services = b.services.cmp(&a.services);
            let requests = most(a.requests_per_second, b.requests_per_second);
            urgencies.then(services).then(requests).then_with(|| a.subject.cmp(&b.subject))
        });
        items
    }

    fn service_item(&self, row: &ServiceRow, since: &Since) -> Attention {
        let service = name(row);
        let subject = Ref::service(&service);
        let since = since.service(&service);
        Attention {
            level: row.level,
            title: service.to_string(),
            detail: row.text.clone(),
            since,
            since_ms: since.map(|since| self.age_ms(since)),
            services: 1,
            requests_per_second: row.rates.as_ref().map(|rates| rates.requests_per_second),
            command: Some(command::describe(&Key {
                kind: Kind::Service,
                namespace: Some(service.namespace),
                name: service.name,
            })),
            subject,
            last_change: None,
        }
    }

    fn cluster_item(
        &self,
        cluster: &ClusterName,
        card: &ClusterCard,
        since: &Since,
    ) -> Option<Attention> {
        if matches!(card.level, Level::Healthy | Level::Idle) {
            return None;
        }
        let since = since.cluster(cluster);
        let name = cluster.as_str().parse().ok()?;
        let command = if card.level == Level::Draining {
            command::drain(cluster, false, None)
        } else {
            command::describe(&Key { kind: Kind::Cluster, namespace: None, name })
        };
        Some(Attention {
            level: card.level,
            subject: Ref::cluster(cluster),
            title: format!("cluster {cluster}"),
            detail: card.text.clone(),
            since,
            since_ms: since.map(|since| self.age_ms(since)),
            services: card.services.total(),
            requests_per_second: card.rates.as_ref().map(|rates| rates.requests_per_second),
            command: Some(command),
            last_change: None,
        })
    }

    /// Gateways and DNS proxies that are silent or refuse what they are sent.
    fn part_items(&self, cluster: &ClusterName, card: &ClusterCard) -> Vec<Attention> {
        let lines = card.gateways.iter().map(|line| ("Gateway", "gateway", line));
        let lines = lines.chain(card.dns.iter().map(|line| ("DnsProxy", "DNS proxy", line)));
        let item = |(kind, word, line): (&str, &str, &PartLine)| {
            let is_silent = line.contact.state == ContactState::Silent;
            let since_ms = line.contact.age_ms.filter(|_| is_silent);
            // One of several gateways is a loss of reserve: the cluster's own item says more.
            let level = if is_silent { Level::Degraded } else { line.level };
            Attention {
                level,
                subject: Ref::part(kind, line.id.as_str(), Some(cluster)),
                title: format!("{word} {cluster}/{}", line.id),
                detail: line.text.clone(),
                since: None,
                since_ms,
                services: 0,
                requests_per_second: None,
                command: Some(command::CHECK.into()),
                last_change: None,
            }
        };
        let wanting =
            lines.filter(|(_, _, line)| matches!(line.level, Level::Failing | Level::Degraded));
        wanting.map(item).collect()
    }

    fn member_items(&self) -> Vec<Attention> {
        let members = &self.heard.members;
        let item = |name: &str, level, title: String, detail: &str| Attention {
            level,
            subject: Ref::part("Member", name, None),
            title,
            detail: detail.into(),
            since: None,
            since_ms: None,
            services: 0,
            requests_per_second: None,
            command: Some("rialto status".into()),
            last_change: None,
        };
        let silent = members.iter().filter(|member| !is_member_heard(member));
        let detail = "does not answer: what only it hears is missing here";
        let mut items: Vec<Attention> = silent
            .map(|member| {
                let title = format!("member {}", member.id);
                item(member.id.as_str(), Level::Degraded, title, detail)
            })
            .collect();
        if !has_leader(members) {
            let detail = "no member leads: traffic goes on, nothing can be changed";
            items.push(item("leader", Level::Failing, "control plane".into(), detail));
        }
        items
    }

    fn age_ms(&self, since: Timestamp) -> u64 {
        u64::try_from(since.age(self.now).as_millis()).unwrap_or(u64::MAX)
    }
}

fn has_leader(members: &[MemberStatus]) -> bool {
    members.iter().any(|member| member.role == MemberRole::Leader)
}

fn is_member_heard(member: &MemberStatus) -> bool {
    member.state == ContactState::Connected
}
