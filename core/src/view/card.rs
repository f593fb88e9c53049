//! A cluster at a glance: its agent, its gateways, what it serves.

use rialto_types::cluster::{Contact, ContactState, SubscriberStatus};
use rialto_types::id::{ClusterName, Revision, Role};
use rialto_types::traffic::Rates;
use rialto_types::view::clusters::{ClusterCard, PartLine};
use rialto_types::view::{Level, Proportions};

use super::catalog;
use super::level::{is_connected, silence};
use super::text;

/// What a card is made of.
pub(super) struct Parts<'a> {
    pub(super) name: &'a ClusterName,
    pub(super) cluster: &'a catalog::Cluster,
    pub(super) agent: Option<&'a Contact>,
    pub(super) subscribers: Vec<&'a SubscriberStatus>,
    pub(super) services: Proportions,
    pub(super) rates: Option<Rates>,
    pub(super) revision: Revision,
}

pub(super) fn card(parts: Parts<'_>) -> ClusterCard {
    let unknown = Contact { state: ContactState::Unknown, age_ms: None };
    let agent = parts.agent.cloned().unwrap_or(unknown);
    let lines = |role| lines(&parts, role);
    let (gateways, dns) = (lines(Role::Gateway), lines(Role::Dns));
    let (level, text) = judge(&parts, &agent, &gateways);
    ClusterCard {
        name: parts.name.clone(),
        level,
        text,
        region: parts.cluster.region.clone(),
        drained: parts.cluster.is_drained,
        agent,
        gateways,
        dns,
        services: parts.services,
        rates: parts.rates,
    }
}

/// The parts of a role: those that subscribe, and gateways that the agent reports and nobody hears.
fn lines(parts: &Parts<'_>, role: Role) -> Vec<PartLine> {
    let subscribed = parts.subscribers.iter().filter(|subscriber| subscriber.role == role);
    let mut lines: Vec<PartLine> = subscribed.map(|subscriber| line(parts, subscriber)).collect();
    if role == Role::Gateway {
        for gateway in &parts.cluster.gateways {
            if lines.iter().any(|line| line.id == gateway.id) {
                continue;
            }
            let unheard = SubscriberStatus {
                cluster: parts.name.clone(),
                role,
                id: gateway.id.clone(),
                contact: Contact { state: ContactState::Unknown, age_ms: None },
                acked: None,
                refused: None,
                version: None,
            };
            lines.push(line(parts, &unheard));
        }
        lines.sort_by(|a, b| a.id.cmp(&b.id));
    }
    lines
}

fn line(parts: &Parts<'_>, subscriber: &SubscriberStatus) -> PartLine {
    let SubscriberStatus { role, id, contact, acked, refused, .. } = subscriber;
    let (level, text) = match contact.state {
        ContactState::Unknown => (Level::Unknown, "not heard yet".to_string()),
        ContactState::Silent => (Level::Failing, silence(contact)),
        ContactState::Connected => match (refused, acked) {
            (Some(reason), _) => (Level::Degraded, format!("refused a newer revision: {reason}")),
            (None, Some(revision)) => (Level::Healthy, format!("serves revision {revision}")),
            (None, None) => (Level::Unknown, "has acknowledged nothing yet".into()),
        },
    };
    let address = parts.cluster.gateways.iter().find(|gateway| gateway.id == *id);
    PartLine {
        id: id.clone(),
        role: *role,
        level,
        text,
        contact: contact.clone(),
        acked: *acked,
        behind: acked.is_some_and(|acked| acked < parts.revision),
        refused: refused.clone(),
        address: address.map(|gateway| gateway.address.to_string()),
    }
}

fn judge(parts: &Parts<'_>, agent: &Contact, gateways: &[PartLine]) -> (Level, String) {
    let live = gateways.iter().filter(|line| is_connected(&line.contact)).count();
    let has_agent = is_connected(agent);
    if !parts.cluster.has_joined && !has_agent && gateways.is_empty() {
        return (Level::Unknown, "waiting for its agent to join".into());
    }
    if !has_agent && live == 0 {
        let heard = if agent.age_ms.is_some() { silence(agent) } else { "not heard yet".into() };
        let level = if agent.age_ms.is_some() { Level::Failing } else { Level::Unknown };
        return (level, format!("nothing of it is heard: its agent is {heard}"));
    }
    if parts.cluster.is_drained {
        return (Level::Draining, "drained: it serves only what lives nowhere else".into());
    }
    if parts.cluster.exports > 0 && live == 0 {
        return (
            Level::Failing,
            "no gateway of it is heard: nobody can call what it exports".into(),
        );
    }
    if !has_agent {
        let silence = silence(agent);
        return (Level::Degraded, format!("its agent is {silence}: health is as last heard"));
    }
    if live < gateways.len() {
        let gateways = text::count(gateways.len(), "gateway", "gateways");
        return (Level::Degraded, format!("{live} of {gateways} heard"));
    }
    if let Some(line) = gateways.iter().find(|line| line.refused.is_some()) {
        return (Level::Degraded, format!("gateway {} {}", line.id, line.text));
    }
    match live {
        0 => (Level::Healthy, "agent connected, no gateway yet".into()),
        live => (Level::Healthy, format!("{live} of {}", text::count(live, "gateway", "gateways"))),
    }
}
