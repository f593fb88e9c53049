//! The whole federation at one moment: every service and cluster with its level.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use rialto_types::error::Problem;
use rialto_types::id::{ClusterName, Revision, ServiceName, Timestamp};
use rialto_types::report::HealthSummary;
use rialto_types::traffic::{Gap, check_over};
use rialto_types::view::clusters::{ClusterCard, Clusters, Query};
use rialto_types::view::services::{ServiceInClusterCell, ServiceRow};
use rialto_types::view::{Level, Proportions};

use super::card::{self, Parts};
use super::catalog::{self, Catalog};
use super::level::{self, Cell, is_connected};
use super::{Figures, Heard, text};
use crate::heard::AgentReport;

/// Everything that views choose from.
#[derive(Debug, Clone)]
pub struct Picture {
    pub(super) catalog: Arc<Catalog>,
    pub(super) heard: Heard,
    pub(super) figures: Figures,
    pub(super) rows: BTreeMap<ServiceName, ServiceRow>,
    pub(super) cards: BTreeMap<ClusterName, ClusterCard>,
    pub(super) now: Timestamp,
}

/// What an agent says, by service.
struct Told<'a> {
    agent: &'a AgentReport,
    health: BTreeMap<&'a ServiceName, Vec<&'a HealthSummary>>,
}

impl Picture {
    pub fn new(catalog: Arc<Catalog>, heard: Heard, figures: Figures, now: Timestamp) -> Self {
        let told: BTreeMap<&ClusterName, Told<'_>> =
            heard.agents.iter().map(|agent| (&agent.cluster, Told::new(agent))).collect();
        let services = catalog.services.iter();
        let row = |(name, service): (&ServiceName, &catalog::Service)| {
            (name.clone(), row(name, service, &catalog, &told, &figures))
        };
        let rows: BTreeMap<ServiceName, ServiceRow> = services.map(row).collect();
        let mut proportions: BTreeMap<&ClusterName, Proportions> = BTreeMap::new();
        for cell in rows.values().flat_map(|row| &row.clusters).filter(|cell| cell.exported) {
            proportions.entry(&cell.name).or_default().add(cell.level);
        }
        let cards = catalog.clusters.iter().map(|(name, cluster)| {
            let of_cluster = heard.subscribers.iter().filter(|part| part.cluster == *name);
            let parts = Parts {
                name,
                cluster,
                agent: told.get(name).map(|told| &told.agent.contact),
                subscribers: of_cluster.collect(),
                services: proportions.get(name).copied().unwrap_or_default(),
                rates: figures.of_cluster(name),
                revision: catalog.revision,
            };
            (name.clone(), card::card(parts))
        });
        let cards = cards.collect();
        Self { catalog, heard, figures, rows, cards, now }
    }

    /// The same moment with rates of another time. Levels stay as they are: they are judged by the
    /// last half minute.
    pub(super) fn over(&self, over: Option<Duration>) -> Result<Cow<'_, Self>, Problem> {
        let over = over.map(check_over).transpose()?.filter(|over| *over != self.figures.over);
        let (Some(over), Some(window)) = (over, self.figures.window.clone()) else {
            return Ok(Cow::Borrowed(self));
        };
        let mut picture = self.clone();
        let figures = Figures::over(window, &self.catalog, over);
        for (name, row) in &mut picture.rows {
            row.rates = figures.of_service(name);
            row.remote_share = figures.remote_share(name);
        }
        for (name, card) in &mut picture.cards {
            card.rates = figures.of_cluster(name);
        }
        picture.figures = figures;
        Ok(Cow::Owned(picture))
    }

    pub fn revision(&self) -> Revision {
        self.catalog.revision
    }

    /// All clusters.
    pub fn clusters(&self, query: &Query) -> Result<Clusters, Problem> {
        let picture = self.over(query.over)?;
        let items = picture.cards.values().cloned().collect();
        let (over_ms, revision) = (picture.figures.over_ms(), self.revision());
        Ok(Clusters { items, over_ms, revision, gaps: self.gaps() })
    }

    /// Who did not tell what it knows.
    pub(super) fn gaps(&self) -> Vec<Gap> {
        let mut gaps = self.figures.gaps.clone();
        let told = |gap: &Gap| gaps.iter().any(|told| told.member == gap.member);
        let untold: Vec<Gap> = self.heard.gaps.iter().filter(|gap| !told(gap)).cloned().collect();
        gaps.extend(untold);
        gaps
    }

    /// The levels of all services.
    pub(super) fn services_proportions(&self) -> Proportions {
        Proportions::of(self.rows.values().map(|row| row.level))
    }

    /// Endpoints of a port as a cluster's agent told, with the age of that.
    pub(super) fn endpoints(
        &self,
        service: &ServiceName,
        cluster: &ClusterName,
        port: u16,
    ) -> Option<(u32, u32, u64)> {
        let agent = self.agent(cluster)?;
        let mut health = agent.health.iter();
        let found = health.find(|summary| summary.service == *service && summary.port == port)?;
        Some((found.healthy, found.total, agent.health_age_ms?))
    }

    pub(super) fn agent(&self, cluster: &ClusterName) -> Option<&AgentReport> {
        self.heard.agents.iter().find(|agent| agent.cluster == *cluster)
    }

    pub(super) fn is_agent_heard(&self, cluster: &ClusterName) -> bool {
        self.agent(cluster).is_some_and(|agent| is_connected(&agent.contact))
    }
}

impl<'a> Told<'a> {
    fn new(agent: &'a AgentReport) -> Self {
        let mut health: BTreeMap<&ServiceName, Vec<&HealthSummary>> = BTreeMap::new();
        for summary in &agent.health {
            health.entry(&summary.service).or_default().push(summary);
        }
        Self { agent, health }
    }

    /// Of the service's ports the one that serves worst.
    fn endpoints(&self, service: &ServiceName, holding: &catalog::Holding) -> Option<(u32, u32)> {
        let summaries = self.health.get(service)?.iter();
        let is_served = |port: u16| holding.exported_by.is_none() || holding.ports.contains(&port);
        let ports = summaries.filter(|summary| is_served(summary.port));
        ports.map(|summary| (summary.healthy, summary.total)).min()
    }
}

fn row(
    name: &ServiceName,
    service: &catalog::Service,
    catalog: &Catalog,
    told: &BTreeMap<&ClusterName, Told<'_>>,
    figures: &Figures,
) -> ServiceRow {
    let rates = figures.of_service(name);
    let cell = |(cluster, holding)| {
        let told = told.get(cluster);
        Cell {
            cluster,
            is_exported: holding_is_exported(holding),
            is_drained: catalog.clusters.get(cluster).is_some_and(|cluster| cluster.is_drained),
            is_heard: told.is_some_and(|told| is_connected(&told.agent.contact)),
            endpoints: told.and_then(|told| told.endpoints(name, holding)),
        }
    };
    let cells: Vec<Cell<'_>> = service.clusters.iter().map(cell).collect();
    let (level, text) = level::service(&cells, &service.conflicts, rates.as_ref());
    let shown = cells.iter().map(|cell| ServiceInClusterCell {
        name: cell.cluster.clone(),
        level: cell.level(),
        exported: cell.is_exported,
        healthy: cell.endpoints.map(|(healthy, _)| healthy),
        total: cell.endpoints.map(|(_, total)| total),
        age_ms: told.get(cell.cluster).and_then(|told| told.agent.health_age_ms),
    });
    ServiceRow {
        namespace: name.namespace.clone(),
        name: name.name.clone(),
        workspace: service.workspace.clone(),
        level,
        text,
        clusters: shown.collect(),
        ports: text::ports(&service.ports),
        rates,
        remote_share: figures.remote_share(name),
    }
}

fn holding_is_exported(holding: &catalog::Holding) -> bool {
    holding.exported_by.is_some()
}

/// The level that most have; of equals the more urgent.
pub(super) fn prevailing(proportions: &Proportions) -> Level {
    let Proportions { healthy, degraded, failing, idle, unknown, draining } = *proportions;
    let counts = [
        (failing, Level::Failing),
        (degraded, Level::Degraded),
        (unknown, Level::Unknown),
        (draining, Level::Draining),
        (healthy, Level::Healthy),
        (idle, Level::Idle),
    ];
    let most = counts.iter().map(|(count, _)| *count).max().unwrap_or_default();
    let found = counts.iter().find(|(count, _)| *count == most);
    found.map_or(Level::Unknown, |(_, level)| *level)
}
