//! Views in a few lines each, for transcripts (tests only).

use std::sync::Arc;

use rialto_types::api::{MemberRole, MemberStatus};
use rialto_types::cluster::{Contact, ContactState, SubscriberStatus};
use rialto_types::id::{ClusterName, ServiceName};
use rialto_types::report::HealthSummary;
use rialto_types::traffic::{Gap, LinkRates, Rates};
use rialto_types::view::changes::ChangeLine;
use rialto_types::view::clusters::{self, ClusterCard};
use rialto_types::view::services::ServiceRow;
use rialto_types::view::{Proportions, Ref, changes, service, services, topology};

use super::figures::Flow;
use super::{Catalog, Cluster, Figures, Heard, Picture, Since};
use crate::heard::AgentReport;
use crate::state::session::Session;

/// A federation and what one member hears of it.
#[derive(Default)]
pub(crate) struct Show {
    session: Session,
    heard: Heard,
    figures: Figures,
    since: Since,
}

impl Show {
    /// Does or asks what the line says; what is not about views is the state's own language.
    pub(crate) fn run(&mut self, line: &str) -> String {
        let words: Vec<&str> = line.split_whitespace().collect();
        match words[..] {
            ["member", name, role] => self.member(name, role),
            ["agent", cluster, state, ref rest @ ..] => self.agent(cluster, state, rest),
            ["gateway", cluster, id, state, ref rest @ ..] => {
                self.gateway(cluster, id, state, rest)
            }
            ["flow", from, ref rest @ ..] => self.flow(from, rest),
            ["link", from, to, ref rest @ ..] => self.link(from, to, rest),
            ["look"] => {
                let picture = self.picture();
                self.since.observe(&picture);
            }
            ["overview"] => return self.overview(),
            ["clusters", ref query @ ..] => {
                return match self.picture().clusters(&parse(&query.join("&"))) {
                    Ok(found) => found.items.iter().map(card).collect(),
                    Err(problem) => problem.to_string(),
                };
            }
            ["cluster", name, ref query @ ..] => return self.cluster(name, &query.join("&")),
            ["services", ref query @ ..] => return self.services(&query.join("&")),
            ["service", name, ref query @ ..] => return self.service(name, &query.join("&")),
            ["topology", ref query @ ..] => return self.topology(&query.join("&")),
            ["changes", ref query @ ..] => return self.changes(&query.join("&")),
            _ => return self.session.run(line),
        }
        String::new()
    }

    fn picture(&self) -> Picture {
        let catalog = Arc::new(Catalog::new(&self.session.state));
        Picture::new(catalog, self.heard.clone(), self.figures.clone(), self.session.now)
    }

    fn member(&mut self, name: &str, role: &str) {
        let (role, state) = match role {
            "leader" => (MemberRole::Leader, ContactState::Connected),
            "follower" => (MemberRole::Follower, ContactState::Connected),
            _ => (MemberRole::Unknown, ContactState::Unknown),
        };
        let id = name.parse().expect("a name");
        self.heard.members.retain(|member| member.id != id);
        let address = format!("{name}:7600");
        let (term, applied, lag) = (None, None, None);
        self.heard.members.push(MemberStatus { id, address, role, state, term, applied, lag });
    }

    /// `agent CLUSTER connected|silent=SECONDS|unknown [NS/NAME:PORT=HEALTHY/TOTAL]...`
    fn agent(&mut self, cluster: &str, state: &str, health: &[&str]) {
        let cluster: ClusterName = cluster.parse().expect("a cluster");
        let contact = contact(state);
        let held = self.heard.agents.iter().position(|agent| agent.cluster == cluster);
        let held = held.map(|at| self.heard.agents.remove(at));
        let summary = |word: &&str| {
            let (port, counts) = word.split_once('=').expect("PORT=HEALTHY/TOTAL");
            let (service, port) = port.split_once(':').expect("SERVICE:PORT");
            let (healthy, total) = counts.split_once('/').expect("HEALTHY/TOTAL");
            HealthSummary {
                service: service.parse().expect("a service"),
                port: port.parse().expect("a port"),
                healthy: healthy.parse().expect("a count"),
                total: total.parse().expect("a count"),
            }
        };
        let health = match (health.is_empty(), held) {
            (true, Some(held)) => held.health,
            _ => health.iter().map(summary).collect(),
        };
        let health_age_ms = contact.age_ms;
        self.heard.agents.push(AgentReport {
            cluster,
            contact,
            health,
            health_age_ms,
            examined: None,
        });
    }

    /// `gateway CLUSTER ID connected|silent=SECONDS|unknown [REVISION] [refused]`
    fn gateway(&mut self, cluster: &str, id: &str, state: &str, rest: &[&str]) {
        let id = id.parse().expect("an id");
        self.heard.subscribers.retain(|part| part.id != id || part.cluster.as_str() != cluster);
        self.heard.subscribers.push(SubscriberStatus {
            cluster: cluster.parse().expect("a cluster"),
            role: rialto_types::id::Role::Gateway,
            id,
            contact: contact(state),
            acked: rest.first().map(|revision| revision.parse().expect("a revision")),
            refused: rest.get(1).map(|word| format!("an entry is {word}")),
            version: None,
        });
    }

    /// `flow FROM CALLER|- SERVICE TO|- REQUESTS/ERRORS|unknown`, over ten seconds.
    fn flow(&mut self, from: &str, rest: &[&str]) {
        let [caller, service, to, rates] = rest[..] else { panic!("a flow") };
        let service: ServiceName = service.parse().expect("a service");
        let from: ClusterName = from.parse().expect("a cluster");
        let to: Option<ClusterName> = (to != "-").then(|| to.parse().expect("a cluster"));
        let caller = (caller != "-").then(|| {
            let (namespace, account) = caller.split_once('/').expect("NAMESPACE/ACCOUNT");
            let text = format!("spiffe://{from}.rialto/ns/{namespace}/sa/{account}");
            text.parse().expect("an identity")
        });
        let rates = rates.split_once('/').map(|(requests, errors)| {
            let requests: u32 = requests.parse().expect("a count");
            let errors: u32 = errors.parse().expect("a count");
            Rates {
                requests: requests.into(),
                errors: errors.into(),
                requests_per_second: f64::from(requests) / 10.0,
                errors_per_second: f64::from(errors) / 10.0,
                error_share: f64::from(errors) / f64::from(requests.max(1)),
                ..Rates::default()
            }
        });
        self.figures.dialled.insert(service.clone(), rates.clone());
        if let Some(rates) = rates.as_ref().filter(|_| to.as_ref() != Some(&from)) {
            *self.figures.remote.entry(service.clone()).or_default() += rates.requests_per_second;
        }
        self.figures.flows.push(Flow { from, caller, service, to, rates });
    }

    /// `link FROM TO CONNECTIONS ROUND-TRIP-MS LOST-PERCENT AGE-SECONDS`
    fn link(&mut self, from: &str, to: &str, rest: &[&str]) {
        let [connections, trip, lost, age] = rest[..] else { panic!("a link") };
        let number = |text: &str| text.parse::<f64>().expect("a number");
        self.figures.links.push(LinkRates {
            from: from.parse().expect("a cluster"),
            from_gateway: "gw-1".parse().expect("an id"),
            to: to.parse().expect("a cluster"),
            to_gateway: "gw-1".parse().expect("an id"),
            connections: connections.parse().expect("a count"),
            round_trip_ms: Some(number(trip)),
            loss_share: Some(number(lost) / 100.0),
            packets_per_second: 100.0,
            age_ms: age.parse::<u64>().expect("a count") * 1000,
        });
    }

    fn overview(&self) -> String {
        let overview =
            self.picture().overview(&self.session.state, &self.since, &Default::default());
        let overview = overview.expect("the default time");
        let level = overview.level.as_str();
        let since = overview.since.map(|since| format!(" since {since}")).unwrap_or_default();
        let mut text = format!("{level}{since}: {}\n", overview.sentence);
        text += &format!("services: {}\n", proportions(&overview.services));
        for item in overview.attention {
            let since = item.since_ms.map(|ms| format!(", for {} s", ms / 1000));
            let since = since.unwrap_or_default();
            let (level, title, detail) = (item.level.as_str(), item.title, item.detail);
            text += &format!("- {level} {title}: {detail}{since}\n");
            text +=
                &item.command.map(|command| format!("    run: {command}\n")).unwrap_or_default();
            let change = item.last_change.map(|change| format!("    last: {}", line(&change)));
            text += &change.unwrap_or_default();
        }
        for change in overview.changes {
            text += &format!("changed {}", line(&change));
        }
        text + &gaps(&overview.gaps)
    }

    fn cluster(&self, name: &str, query: &str) -> String {
        let name = name.parse().expect("a cluster");
        let query: clusters::Query = parse(query);
        let asked = Cluster { name: &name, anchor_fingerprint: None, over: query.over };
        match self.picture().cluster(&self.session.state, asked) {
            Ok(page) => {
                let rows: String = page.services.iter().map(row).collect();
                let links: String = page.links.iter().map(link).collect();
                let changes: String = page.changes.iter().map(line).collect();
                format!("{}{rows}{links}{changes}run: {}\n", card(&page.card), page.drain_command)
            }
            Err(problem) => problem.to_string(),
        }
    }

    fn services(&self, query: &str) -> String {
        let query: services::Query = parse(query);
        match self.picture().services(&query) {
            Ok(found) => {
                let mut text: String = found.items.iter().map(row).collect();
                text += &format!("{} of {}", found.matched, found.total);
                let next = found.continue_token.map(|next| format!(", continue {next}"));
                text += &next.unwrap_or_default();
                let facet = |facet: &services::Facet| format!(" {}={}", facet.name, facet.count);
                let clusters: String = found.facets.clusters.iter().map(facet).collect();
                let workspaces: String = found.facets.workspaces.iter().map(facet).collect();
                let levels = proportions(&found.facets.levels);
                text + &format!(
                    "\nclusters:{clusters}\nworkspaces:{workspaces}\nlevels: {levels}\n"
                )
            }
            Err(problem) => problem.to_string(),
        }
    }

    fn service(&self, name: &str, query: &str) -> String {
        let (name, query) = (name.parse().expect("a service"), parse::<service::Query>(query));
        let page = match self.picture().service(&self.session.state, &name, &query) {
            Ok(page) => page,
            Err(problem) => return problem.to_string(),
        };
        let mut text = format!("{}{}\n", row(&page.row), page.dns_name);
        for route in page.routes {
            let source = route.source.unwrap_or_else(|| "no route".into());
            text += &format!("{source}: {}\n", route.matches.join(", "));
            for backend in route.backends {
                let (service, weight) = (backend.service, backend.weight);
                let level = backend.level.as_str();
                text += &format!("  {:.2} {service} weight {weight}, {level}\n", backend.share);
            }
        }
        text += &page.shift.map(|shift| format!("run: {}\n", shift.command)).unwrap_or_default();
        let policy = page.failover.policy.map(|policy| policy.name).unwrap_or_default();
        for from in page.failover.per_cluster {
            text += &format!("from {} {policy}\n", from.from);
            for step in from.order {
                let (cluster, level) = (step.cluster, step.level.as_str());
                text += &format!("  {:.2} {cluster} {level}: {}\n", step.share, step.why);
            }
        }
        text += &format!("access: {}\n", page.access.text);
        for policy in page.access.policies {
            text += &format!("  {:?} {}\n", policy.action, policy.subject.name);
            text += &policy.rules.iter().map(|rule| format!("    {rule}\n")).collect::<String>();
        }
        text += &page.not_carried.iter().map(|p| format!("{p}\n")).collect::<String>();
        text += &page.conflicts.iter().map(|c| format!("conflict: {c}\n")).collect::<String>();
        text + &page.changes.iter().map(line).collect::<String>()
    }

    fn topology(&self, query: &str) -> String {
        let map = match self.picture().topology(&parse::<topology::Query>(query)) {
            Ok(map) => map,
            Err(problem) => return problem.to_string(),
        };
        let mut text = format!("{}\n", map.sentence);
        for area in map.clusters {
            let (level, services) = (area.level.as_str(), proportions(&area.services));
            text += &format!("{} {level}: {services}\n", area.name);
            for node in area.nodes {
                let (level, services) = (node.level.as_str(), proportions(&node.services));
                let rates = node.rates.map(|r| format!(", {:.1}/s", r.requests_per_second));
                let rates = rates.unwrap_or_default();
                text += &format!("  {} \"{}\" {level}: {services}{rates}\n", node.id, node.label);
            }
        }
        for edge in map.edges {
            let (level, from, to) = (edge.level.as_str(), edge.from, edge.to);
            text += &format!("{level} {from} to {to}: {}\n", edge.text);
        }
        text + &map.links.iter().map(link).collect::<String>()
    }

    fn changes(&self, query: &str) -> String {
        let query: changes::Query = parse(query);
        let diff = |change: &rialto_types::api::Change| format!("{}\n", change.key);
        match super::changes(&self.session.state, &query, self.session.now, diff) {
            Ok(found) => {
                let mut text = String::new();
                for item in found.items {
                    text += &line(&item);
                    text += &item
                        .diff
                        .iter()
                        .flat_map(|d| d.lines())
                        .map(|l| format!("  {l}\n"))
                        .collect::<String>();
                    let subjects: Vec<String> = item.subjects.iter().map(subject).collect();
                    text += &format!("  about {}\n", subjects.join(", "));
                    text +=
                        &item.undo.map(|u| format!("  run: {}\n", u.command)).unwrap_or_default();
                }
                text + if found.more { "more\n" } else { "" }
            }
            Err(problem) => problem.to_string(),
        }
    }
}

fn contact(state: &str) -> Contact {
    let seconds = |text: &str| text.parse::<u64>().expect("seconds") * 1000;
    match state.split_once('=') {
        Some((_, age)) => Contact { state: ContactState::Silent, age_ms: Some(seconds(age)) },
        None if state == "connected" => {
            Contact { state: ContactState::Connected, age_ms: Some(1000) }
        }
        None => Contact { state: ContactState::Unknown, age_ms: None },
    }
}

fn parse<T: serde::de::DeserializeOwned>(query: &str) -> T {
    let mut object = serde_json::Map::new();
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').expect("NAME=VALUE");
        let value = value.replace('+', " ");
        let value = value.parse::<u64>().map_or_else(|_| value.clone().into(), Into::into);
        object.insert(name.into(), value);
    }
    serde_json::from_value(object.into()).unwrap_or_else(|error| panic!("{error}: {query}"))
}

fn proportions(proportions: &Proportions) -> String {
    let Proportions { healthy, degraded, failing, idle, unknown, draining } = proportions;
    let counts = [
        (healthy, "healthy"),
        (degraded, "degraded"),
        (failing, "failing"),
        (idle, "idle"),
        (unknown, "unknown"),
        (draining, "draining"),
    ];
    let told = counts.iter().filter(|(count, _)| **count > 0);
    told.map(|(count, word)| format!("{count} {word}")).collect::<Vec<_>>().join(", ")
}

fn row(row: &ServiceRow) -> String {
    let cell = |cell: &services::ServiceInClusterCell| {
        let counts = cell.healthy.zip(cell.total).map(|(h, t)| format!(" {h}/{t}"));
        format!("{} {}{}", cell.name, cell.level.as_str(), counts.unwrap_or_default())
    };
    let cells: Vec<String> = row.clusters.iter().map(cell).collect();
    let workspace = row.workspace.as_ref().map(|w| format!(" of {w}")).unwrap_or_default();
    let remote = row.remote_share.map(|share| format!(", {share:.2} remote")).unwrap_or_default();
    let (level, text, ports) = (row.level.as_str(), &row.text, &row.ports);
    let (namespace, name) = (&row.namespace, &row.name);
    format!(
        "{namespace}/{name}{workspace} {ports} {level}: {text} ({}){remote}\n",
        cells.join("; ")
    )
}

fn card(card: &ClusterCard) -> String {
    let mut text = format!("{} {}: {}\n", card.name, card.level.as_str(), card.text);
    for line in card.gateways.iter().chain(&card.dns) {
        let behind = if line.behind { ", behind" } else { "" };
        text += &format!("  {} {}: {}{behind}\n", line.id, line.level.as_str(), line.text);
    }
    text + &format!("  exports: {}\n", proportions(&card.services))
}

fn link(link: &topology::Link) -> String {
    let rates = link.rates.as_ref().map(|r| format!(", {:.1}/s", r.requests_per_second));
    let (from, to, level) = (&link.from, &link.to, link.level.as_str());
    format!("{from} to {to} {level}: {}{}\n", link.text, rates.unwrap_or_default())
}

fn line(line: &ChangeLine) -> String {
    let refused = line.refused.as_ref().map(|r| format!(" refused: {r}")).unwrap_or_default();
    let (revision, actor, summary) = (line.revision, &line.actor, &line.summary);
    format!("{revision} {} s ago {actor}: {summary}{refused}\n", line.age_ms / 1000)
}

fn subject(subject: &Ref) -> String {
    let namespace = subject.namespace.as_ref().map(|n| format!("{n}/")).unwrap_or_default();
    format!("{} {namespace}{}", subject.kind, subject.name)
}

fn gaps(gaps: &[Gap]) -> String {
    gaps.iter().map(|gap| format!("gap: {}\n", gap.text)).collect()
}
