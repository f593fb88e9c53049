//! The map: clusters, their services or workspaces, who calls whom, and the links between.

use std::collections::{BTreeMap, BTreeSet};

use rialto_types::error::Problem;
use rialto_types::id::{ClusterName, ServiceName};
use rialto_types::limits;
use rialto_types::traffic::{LinkRates, Rates};
use rialto_types::view::services::ServiceRow;
use rialto_types::view::topology::{
    GatewayLink, Grouping, Link, NodeKind, Query, Topology, TopologyCluster, TopologyEdge,
    TopologyNode,
};
use rialto_types::view::{Level, Proportions};

use super::figures::Flow;
use super::picture::prevailing;
use super::services::{check_search, finds, most, name};
use super::{Picture, text};

/// The nodes at both ends of an edge.
type Ends = (String, String);

/// Their clusters, and the rates of all flows between them.
type Sum = (ClusterName, ClusterName, Option<Rates>);

/// How services become nodes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Zoom {
    Services,
    Workspaces,
}

impl Picture {
    pub fn topology(&self, query: &Query) -> Result<Topology, Problem> {
        check_search(&query.search)?;
        let picture = self.over(query.over)?;
        let matched: Vec<&ServiceRow> =
            picture.rows.values().filter(|row| fits(row, query)).collect();
        let zoom = match query.group {
            Grouping::Workspace => Zoom::Workspaces,
            Grouping::None => Zoom::Services,
            Grouping::Auto if matched.len() > limits::VIEW_UNGROUPED_SERVICES_MAX => {
                Zoom::Workspaces
            }
            Grouping::Auto => Zoom::Services,
        };
        let shown_max = match zoom {
            Zoom::Services => limits::VIEW_TOPOLOGY_SERVICES_MAX,
            Zoom::Workspaces => usize::MAX,
        };
        let shown = &matched[..matched.len().min(shown_max)];
        let clusters = picture.areas(shown, zoom, query);
        let groups = clusters.iter().flat_map(|cluster| &cluster.nodes);
        let groups: BTreeSet<&String> = groups.map(|node| &node.label).collect();
        let sentence = sentence(groups.len(), shown.len(), matched.len(), self.rows.len(), zoom);
        let (edges, edges_omitted) = picture.edges(&clusters, zoom);
        Ok(Topology {
            grouped: zoom == Zoom::Workspaces,
            sentence,
            clusters,
            edges,
            edges_omitted,
            links: picture.links(),
            over_ms: picture.figures.over_ms(),
            revision: self.revision(),
            gaps: self.gaps(),
        })
    }

    /// Every cluster, the empty ones too, with its part of the services.
    fn areas(&self, shown: &[&ServiceRow], zoom: Zoom, query: &Query) -> Vec<TopologyCluster> {
        let mut nodes: BTreeMap<&ClusterName, BTreeMap<String, TopologyNode>> = BTreeMap::new();
        let mut proportions: BTreeMap<&ClusterName, Proportions> = BTreeMap::new();
        for row in shown {
            for cell in &row.clusters {
                if query.cluster.as_ref().is_some_and(|only| *only != cell.name) {
                    continue;
                }
                proportions.entry(&cell.name).or_default().add(cell.level);
                let id = node_id(&cell.name, row, zoom);
                let of_cluster = nodes.entry(&cell.name).or_default();
                let node = of_cluster.entry(id.clone()).or_insert_with(|| node(id, row, zoom));
                node.services.add(cell.level);
            }
        }
        let rates = self.rates_by_node(zoom);
        let cards = self
            .cards
            .values()
            .filter(|card| query.cluster.as_ref().is_none_or(|only| *only == card.name));
        let area = |card: &rialto_types::view::clusters::ClusterCard| {
            let of_cluster = nodes.remove(&card.name).unwrap_or_default().into_values();
            let finished = of_cluster.map(|node| TopologyNode {
                level: prevailing(&node.services),
                rates: rates.get(&node.id).cloned().unwrap_or_else(|| self.figures.of_nobody()),
                ..node
            });
            TopologyCluster {
                name: card.name.clone(),
                level: card.level,
                text: card.text.clone(),
                services: proportions.get(&card.name).copied().unwrap_or_default(),
                nodes: finished.collect(),
            }
        };
        cards.map(area).collect()
    }

    /// What is served at each node. Quantiles of several flows cannot be summed and stay away.
    fn rates_by_node(&self, zoom: Zoom) -> BTreeMap<String, Option<Rates>> {
        let mut rates: BTreeMap<String, Option<Rates>> = BTreeMap::new();
        for flow in &self.figures.flows {
            let Some(to) = &flow.to else { continue };
            let Some(row) = self.rows.get(&flow.service) else { continue };
            let of_node = rates.entry(node_id(to, row, zoom)).or_default();
            if let Some(of_flow) = &flow.rates {
                add_rates(of_node.get_or_insert_default(), of_flow);
            }
        }
        rates
    }

    /// Who calls whom among the nodes that are drawn, the most requests first.
    fn edges(&self, clusters: &[TopologyCluster], zoom: Zoom) -> (Vec<TopologyEdge>, u32) {
        let areas: BTreeSet<&ClusterName> = clusters.iter().map(|area| &area.name).collect();
        let nodes = clusters.iter().flat_map(|area| &area.nodes);
        let nodes: BTreeSet<&str> = nodes.map(|node| node.id.as_str()).collect();
        let mut sums: BTreeMap<Ends, Sum> = BTreeMap::new();
        for flow in &self.figures.flows {
            let Some((to_cluster, to)) = self.destination(flow, zoom) else { continue };
            let from = self.origin(flow, zoom, &nodes);
            if !nodes.contains(to.as_str()) || !areas.contains(&flow.from) {
                continue;
            }
            let clusters = (flow.from.clone(), to_cluster);
            let sum = sums.entry((from, to)).or_insert((clusters.0, clusters.1, None));
            if let Some(rates) = &flow.rates {
                add_rates(sum.2.get_or_insert_default(), rates);
            }
        }
        let edge = |((from, to), (from_cluster, to_cluster, rates)): (Ends, Sum)| TopologyEdge {
            level: edge_level(rates.as_ref()),
            text: edge_text(rates.as_ref()),
            from,
            to,
            from_cluster,
            to_cluster,
            rates,
        };
        let mut edges: Vec<TopologyEdge> = sums.into_iter().map(edge).collect();
        let requests =
            |edge: &TopologyEdge| edge.rates.as_ref().map(|rates| rates.requests_per_second);
        edges.sort_by(|a, b| most(requests(a), requests(b)));
        let omitted = edges.len().saturating_sub(limits::VIEW_TOPOLOGY_EDGES_MAX);
        edges.truncate(limits::VIEW_TOPOLOGY_EDGES_MAX);
        (edges, u32::try_from(omitted).unwrap_or(u32::MAX))
    }

    /// The node that served; what nobody served fails at the first cluster that should have.
    fn destination(&self, flow: &Flow, zoom: Zoom) -> Option<(ClusterName, String)> {
        let row = self.rows.get(&flow.service)?;
        let exporter = || row.clusters.iter().find(|cell| cell.exported).map(|cell| &cell.name);
        let to = flow.to.as_ref().or_else(exporter)?;
        Some((to.clone(), node_id(to, row, zoom)))
    }

    /// The node of the caller's own service: an account often has the name of its service.
    fn origin(&self, flow: &Flow, zoom: Zoom, nodes: &BTreeSet<&str>) -> String {
        let workload = flow.caller.as_ref().and_then(|caller| caller.as_workload());
        let service = workload.map(|(namespace, account)| ServiceName::new(namespace, account));
        let row = service.and_then(|service| self.rows.get(&service));
        let row = row.filter(|row| row.clusters.iter().any(|cell| cell.name == flow.from));
        let id = row.map(|row| node_id(&flow.from, row, zoom));
        id.filter(|id| nodes.contains(id.as_str())).unwrap_or_else(|| flow.from.to_string())
    }

    /// From each cluster to each other, as the gateways of both measure it.
    pub(super) fn links(&self) -> Vec<Link> {
        let mut pairs: BTreeMap<(&ClusterName, &ClusterName), Vec<&LinkRates>> = BTreeMap::new();
        for link in &self.figures.links {
            pairs.entry((&link.from, &link.to)).or_default().push(link);
        }
        let mut rates: BTreeMap<(&ClusterName, &ClusterName), Rates> = BTreeMap::new();
        for flow in &self.figures.flows {
            if let (Some(to), Some(of_flow)) = (&flow.to, &flow.rates) {
                add_rates(rates.entry((&flow.from, to)).or_default(), of_flow);
            }
        }
        let link = |((from, to), gateways): (_, Vec<&LinkRates>)| {
            link(from, to, &gateways, rates.remove(&(from, to)))
        };
        pairs.into_iter().map(link).collect()
    }
}

fn fits(row: &ServiceRow, query: &Query) -> bool {
    let has = |cluster: &ClusterName| row.clusters.iter().any(|cell| cell.name == *cluster);
    let in_workspace = query.workspace.as_ref().is_none_or(|w| w.fits(row.workspace.as_ref()));
    let has_level = |level| row.level == level || row.clusters.iter().any(|c| c.level == level);
    query.cluster.as_ref().is_none_or(has)
        && in_workspace
        && query.level.is_none_or(has_level)
        && finds(row, &query.search)
}

fn sentence(groups: usize, shown: usize, matched: usize, all: usize, zoom: Zoom) -> String {
    let matched_text = text::count(matched, "service", "services");
    let mut sentence = match zoom {
        Zoom::Workspaces => {
            format!("{} of {matched_text}", text::count(groups, "group", "groups"))
        }
        Zoom::Services if shown < matched => {
            format!(
                "the first {} of {matched_text}: search or filter for less",
                text::grouped(shown)
            )
        }
        Zoom::Services => matched_text,
    };
    if matched < all {
        sentence.push_str(&format!(", out of {}", text::grouped(all)));
    }
    sentence
}

fn node_id(cluster: &ClusterName, row: &ServiceRow, zoom: Zoom) -> String {
    match zoom {
        Zoom::Services => format!("{cluster}/{}", name(row)),
        Zoom::Workspaces => {
            let workspace = row.workspace.as_ref().map_or("-", |workspace| workspace.as_str());
            format!("{cluster}/@{workspace}")
        }
    }
}

fn node(id: String, row: &ServiceRow, zoom: Zoom) -> TopologyNode {
    let (kind, label, namespace, name) = match zoom {
        Zoom::Services => {
            let (namespace, name) = (row.namespace.clone(), row.name.clone());
            (NodeKind::Service, name.to_string(), Some(namespace), Some(name))
        }
        Zoom::Workspaces => {
            let label = row.workspace.as_ref().map_or("no workspace".into(), ToString::to_string);
            (NodeKind::Workspace, label, None, None)
        }
    };
    TopologyNode {
        id,
        label,
        kind,
        namespace,
        name,
        workspace: row.workspace.clone(),
        level: Level::Unknown,
        services: Proportions::default(),
        rates: None,
    }
}

/// Quantiles cannot be added: of several flows there are none.
fn add_rates(sum: &mut Rates, more: &Rates) {
    let is_first = sum.requests == 0 && sum.bytes_per_second == 0.0;
    sum.requests = sum.requests.saturating_add(more.requests);
    sum.errors = sum.errors.saturating_add(more.errors);
    sum.refused = sum.refused.saturating_add(more.refused);
    sum.requests_per_second += more.requests_per_second;
    sum.errors_per_second += more.errors_per_second;
    sum.refused_per_second += more.refused_per_second;
    sum.bytes_per_second += more.bytes_per_second;
    sum.error_share = if sum.requests == 0 { 0.0 } else { sum.errors as f64 / sum.requests as f64 };
    let only = |value: Option<f64>| value.filter(|_| is_first);
    (sum.p50_ms, sum.p95_ms, sum.p99_ms) =
        (only(more.p50_ms), only(more.p95_ms), only(more.p99_ms));
}

fn edge_level(rates: Option<&Rates>) -> Level {
    match rates {
        None => Level::Unknown,
        Some(rates) if rates.error_share >= limits::VIEW_FAILING_ERROR_SHARE => Level::Failing,
        Some(rates) if rates.error_share >= limits::VIEW_DEGRADED_ERROR_SHARE => Level::Degraded,
        Some(_) => Level::Healthy,
    }
}

fn edge_text(rates: Option<&Rates>) -> String {
    let Some(rates) = rates else { return "the gateways that carry it are not heard".into() };
    let errors = match rates.errors {
        0 => String::new(),
        _ => format!(", {} fail", text::percent(rates.error_share)),
    };
    format!("{:.1} requests per second{errors}", rates.requests_per_second)
}

fn link(
    from: &ClusterName,
    to: &ClusterName,
    gateways: &[&LinkRates],
    rates: Option<Rates>,
) -> Link {
    let fresh = || {
        gateways.iter().filter(|link| {
            link.connections > 0 && u128::from(link.age_ms) < limits::VIEW_LINK_AGE_MAX.as_millis()
        })
    };
    let round_trip_ms = fresh().filter_map(|link| link.round_trip_ms).min_by(f64::total_cmp);
    let packets: f64 = fresh().map(|link| link.packets_per_second).sum();
    let lost = fresh().filter_map(|link| Some(link.loss_share? * link.packets_per_second));
    let lost: f64 = lost.sum();
    let loss_share = (packets > 0.0).then(|| lost / packets);
    let is_old = gateways
        .iter()
        .all(|link| u128::from(link.age_ms) >= limits::VIEW_LINK_AGE_MAX.as_millis());
    let connected = fresh().count();
    let (level, text) = if is_old {
        (Level::Unknown, "its gateways are not heard".to_string())
    } else if connected == 0 {
        (Level::Failing, "no connection".into())
    } else {
        let loss = loss_share.filter(|loss| *loss >= limits::VIEW_DEGRADED_LOSS_SHARE);
        let trip = round_trip_ms.map(|trip| format!("{trip:.1} ms")).unwrap_or_default();
        match loss {
            Some(loss) => {
                (Level::Degraded, format!("{trip}, {} of packets lost", text::percent(loss)))
            }
            None => (Level::Healthy, trip),
        }
    };
    let gateways = gateways.iter().map(|link| GatewayLink {
        from: link.from_gateway.clone(),
        to: link.to_gateway.clone(),
        connections: link.connections,
        round_trip_ms: link.round_trip_ms,
        loss_share: link.loss_share,
        age_ms: link.age_ms,
    });
    Link {
        from: from.clone(),
        to: to.clone(),
        level,
        text,
        round_trip_ms,
        loss_share,
        rates,
        gateways: gateways.collect(),
    }
}
