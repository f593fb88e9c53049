//! What the intent and the clusters' reports say of all services: made once per revision.

use std::collections::BTreeMap;

use rialto_types::cluster::GatewayAddress;
use rialto_types::id::{ClusterName, Namespace, ResourceName, Revision, ServiceName};
use rialto_types::object::{Kind, Spec};
use rialto_types::owner::Owner;
use rialto_types::service::ServicePort;

use crate::compile::Common;
use crate::state::State;

/// All services and clusters, without their health.
#[derive(Debug, Default)]
pub struct Catalog {
    pub(super) revision: Revision,
    pub(super) services: BTreeMap<ServiceName, Service>,
    pub(super) clusters: BTreeMap<ClusterName, Cluster>,
    /// For questions about one service.
    pub(super) common: Common,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) struct Service {
    pub(super) workspace: Option<ResourceName>,
    pub(super) ports: Vec<ServicePort>,
    /// The clusters that have it.
    pub(super) clusters: BTreeMap<ClusterName, Holding>,
    pub(super) conflicts: Vec<String>,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) struct Holding {
    /// `None` if the cluster does not export it.
    pub(super) exported_by: Option<Owner>,
    /// The ports that it serves, as all clusters agree.
    pub(super) ports: Vec<u16>,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) struct Cluster {
    pub(super) region: Option<String>,
    pub(super) is_drained: bool,
    pub(super) gateways: Vec<GatewayAddress>,
    pub(super) exports: u32,
    /// Whether its agent ever reported.
    pub(super) has_joined: bool,
}

impl Catalog {
    pub fn new(state: &State) -> Self {
        let workspaces = workspaces(state);
        let clusters = state.clusters().map(|view| {
            let cluster = Cluster {
                region: view.spec.region.clone(),
                is_drained: view.spec.drained,
                gateways: view.gateways.to_vec(),
                exports: 0,
                has_joined: view.position.is_some(),
            };
            (view.name.clone(), cluster)
        });
        let mut clusters: BTreeMap<ClusterName, Cluster> = clusters.collect();
        let services = state.services().map(|name| {
            let (owners, definition) = state.held(name);
            let holdings = owners.into_iter().map(|(cluster, exported_by)| {
                if let Some(cluster) = clusters.get_mut(cluster).filter(|_| exported_by.is_some()) {
                    cluster.exports += 1;
                }
                let ports = definition.clusters.get(cluster).cloned().unwrap_or_default();
                (cluster.clone(), Holding { exported_by, ports })
            });
            let service = Service {
                workspace: workspaces.get(&name.namespace).cloned(),
                clusters: holdings.collect(),
                conflicts: definition.conflict_texts(),
                ports: definition.ports,
            };
            (name.clone(), service)
        });
        let services = services.collect();
        let common = Common::new(state, &Common::default());
        Self { revision: state.revision(), services, clusters, common }
    }

    pub fn revision(&self) -> Revision {
        self.revision
    }
}

/// The workspace that owns each namespace.
fn workspaces(state: &State) -> BTreeMap<Namespace, ResourceName> {
    let mut owned = BTreeMap::new();
    for resource in state.resources(Kind::Workspace) {
        let Spec::Workspace(spec) = &resource.spec else { continue };
        for namespace in &spec.namespaces {
            owned.insert(namespace.clone(), resource.metadata.name.clone());
        }
    }
    owned
}
