//! Which clusters and services there are: made up from a seed.

use std::collections::BTreeMap;

use rand::rngs::StdRng;
use rand::{Rng as _, RngExt as _};
use rialto_types::id::{ClusterName, ServiceName};
use rialto_types::report::{HealthSummary, ReportChange, ReportedService};

/// Namespaces of one workspace; some namespaces belong to none.
const NAMESPACES_PER_WORKSPACE: usize = 4;
const NAMESPACES_PER_24_WORKSPACES: usize = 104;
const WORKSPACES: usize = 24;

#[derive(Debug, Clone)]
pub(crate) struct Plan {
    pub(crate) clusters: Vec<Cluster>,
    pub(crate) workspaces: BTreeMap<String, Vec<String>>,
}

#[derive(Debug, Clone)]
pub(crate) struct Cluster {
    pub(crate) name: ClusterName,
    pub(crate) region: String,
    /// What it exports, each with the number of its endpoints.
    pub(crate) services: Vec<(ServiceName, u32)>,
    /// What its workloads call, and where that is.
    pub(crate) calls: Vec<Call>,
    /// To whose gateways it has connections.
    pub(crate) peers: Vec<ClusterName>,
}

#[derive(Debug, Clone)]
pub(crate) struct Call {
    pub(crate) caller: ServiceName,
    pub(crate) service: ServiceName,
    pub(crate) to: ClusterName,
}

/// Calls that each cluster's gateway tells apart.
const CALLS_PER_CLUSTER: usize = 60;
const PEERS_PER_CLUSTER: usize = 5;

impl Plan {
    pub(crate) fn new(clusters: usize, services: usize, random: &mut StdRng) -> Self {
        let name = |number: usize| -> ClusterName {
            format!("cluster-{number:02}").parse().expect("a label")
        };
        let mut plan: Vec<Cluster> = (0..clusters)
            .map(|number| Cluster {
                name: name(number),
                region: format!("region-{}", number % 5),
                services: Vec::new(),
                calls: Vec::new(),
                peers: Vec::new(),
            })
            .collect();
        let mut exporters: Vec<(ServiceName, Vec<usize>)> = Vec::new();
        for number in 0..services {
            let namespace = number % NAMESPACES_PER_24_WORKSPACES;
            let service: ServiceName =
                format!("team-{namespace:03}/service-{number:04}").parse().expect("labels");
            let count = random.random_range(1..=3.min(clusters));
            let mut of_service: Vec<usize> = Vec::new();
            while of_service.len() < count {
                let cluster = random.random_range(0..clusters);
                if !of_service.contains(&cluster) {
                    of_service.push(cluster);
                    plan[cluster].services.push((service.clone(), random.random_range(1..=6)));
                }
            }
            exporters.push((service, of_service));
        }
        for cluster in &mut plan {
            for _ in 0..CALLS_PER_CLUSTER {
                let (service, at) = &exporters[random.random_range(0..services)];
                let to = name(at[random.random_range(0..at.len())]);
                let caller = exporters[random.random_range(0..services)].0.clone();
                cluster.calls.push(Call { caller, service: service.clone(), to });
            }
            for _ in 0..PEERS_PER_CLUSTER {
                let peer = name(random.random_range(0..clusters));
                if peer != cluster.name && !cluster.peers.contains(&peer) {
                    cluster.peers.push(peer);
                }
            }
        }
        let workspaces = (0..WORKSPACES).map(|number| {
            let first = number * NAMESPACES_PER_WORKSPACE;
            let owned = first..first + NAMESPACES_PER_WORKSPACE;
            let owned = owned.map(|namespace| format!("team-{namespace:03}")).collect();
            (format!("workspace-{number:02}"), owned)
        });
        Self { clusters: plan, workspaces: workspaces.collect() }
    }
}

impl Cluster {
    pub(crate) fn report(&self) -> ReportChange {
        let port = serde_json::from_value(serde_json::json!({ "port": 80, "appProtocol": "http" }));
        let port: rialto_types::service::ServicePort = port.expect("a port");
        let service = |(name, _): &(ServiceName, u32)| {
            let reported = ReportedService {
                ports: vec![port.clone()],
                labels: BTreeMap::new(),
                exported: true,
                headless: None,
                client_affinity_s: None,
                export: None,
            };
            (name.clone(), reported)
        };
        let gateway = serde_json::json!({ "id": "gw-1", "address": "192.0.2.1:4433" });
        ReportChange {
            cluster: self.name.clone(),
            epoch: 1,
            base: None,
            revision: 1,
            namespaces: None,
            gateways: vec![serde_json::from_value(gateway).expect("a gateway")],
            services: self.services.iter().map(service).collect(),
            removed: Vec::new(),
            virtual_ips: None,
        }
    }

    /// Everything healthy, to begin with.
    pub(crate) fn health(&self) -> Vec<HealthSummary> {
        let summary = |(service, total): &(ServiceName, u32)| HealthSummary {
            service: service.clone(),
            port: 80,
            healthy: *total,
            total: *total,
        };
        self.services.iter().map(summary).collect()
    }
}

/// One endpoint goes or comes back; what is gone comes back more readily.
pub(crate) fn change(summary: &mut HealthSummary, random: &mut StdRng) {
    let comes = summary.healthy < summary.total && !random.next_u32().is_multiple_of(4);
    summary.healthy = match comes {
        true => summary.healthy + 1,
        false => summary.healthy.saturating_sub(1),
    };
}
