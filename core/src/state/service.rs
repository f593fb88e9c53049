//! Services: who has them, who exports them, what all clusters together say, virtual IPs.

use std::collections::{BTreeMap, BTreeSet};

use rialto_types::id::{ClusterName, ResourceName, ServiceName, Timestamp};
use rialto_types::object::{Document, Key, Kind, Metadata, Spec};
use rialto_types::owner::Owner;
use rialto_types::report::VirtualIps;
use rialto_types::service::{ServiceExportSpec, ServiceInCluster, ServiceStatus, dns_name};
use serde_json::Value;

use super::merge::{Definition, Export, merge};
use super::{Effect, Refused, State, service_key, vip};

impl State {
    /// Everything that all clusters together say of a service, but for its health.
    pub fn service_status(&self, service: &ServiceName) -> Option<ServiceStatus> {
        if !self.holders.contains_key(service) {
            return None;
        }
        let (holders, definition) = self.held(service);
        let exported = holders.values().any(Option::is_some);
        let clusters = holders.into_iter().map(|(cluster, exported_by)| {
            let exported = exported_by.is_some();
            (cluster.clone(), ServiceInCluster { exported, exported_by, endpoints: Vec::new() })
        });
        let clusters = clusters.collect();
        let mut conflicts = definition.conflict_texts();
        let mut virtual_ips = BTreeMap::new();
        for cluster in self.vips.keys() {
            if self.is_starved(service, cluster) {
                conflicts.push(starved(cluster));
            }
            let addresses = self.virtual_ips(service, cluster);
            if !addresses.is_empty() && exported && !definition.headless {
                virtual_ips.insert(cluster.clone(), addresses);
            }
        }
        Some(ServiceStatus {
            dns_name: dns_name(service),
            not_carried: definition.not_carried(),
            headless: definition.headless,
            client_affinity: definition.client_affinity(),
            ports: definition.ports,
            clusters,
            virtual_ips,
            conflicts,
        })
    }

    /// The virtual IPs by which workloads of a cluster reach a service, first IPv4.
    pub fn virtual_ips(
        &self,
        service: &ServiceName,
        cluster: &ClusterName,
    ) -> Vec<std::net::IpAddr> {
        if let Some(reported) = self.reported_vips(cluster) {
            return reported.get(service).cloned().unwrap_or_default();
        }
        match (self.vips.get(cluster), self.cluster_spec(cluster)) {
            (Some(table), Some(spec)) => table.addresses(service, spec),
            (None, _) | (_, None) => Vec::new(),
        }
    }

    /// By port, where the gateways of a cluster listen for a service; empty where they listen on
    /// its virtual IPs.
    pub fn gateway_ports(
        &self,
        service: &ServiceName,
        cluster: &ClusterName,
    ) -> BTreeMap<u16, u16> {
        let table = self.gateway_ports.get(cluster);
        table.map(|table| table.gateway_ports(service)).unwrap_or_default()
    }

    /// Whether a cluster's platform gives the virtual IPs: its agent writes imports into it.
    pub(crate) fn has_own_virtual_ips(&self, cluster: &ClusterName) -> bool {
        self.reported_vips(cluster).is_some()
    }

    /// The virtual IPs that a cluster's platform gave, if it does.
    fn reported_vips(&self, cluster: &ClusterName) -> Option<&VirtualIps> {
        self.clusters.get(cluster)?.virtual_ips.as_ref()
    }

    pub fn is_exported(&self, service: &ServiceName) -> bool {
        !self.exports(service).is_empty()
    }

    pub(super) fn is_exported_by(&self, service: &ServiceName, cluster: &ClusterName) -> bool {
        self.exports(service).iter().any(|export| export.cluster == cluster)
    }

    /// How many services a cluster exports.
    pub fn export_count(&self, cluster: &ClusterName) -> usize {
        let Some(record) = self.clusters.get(cluster) else { return 0 };
        record.services.keys().filter(|service| self.is_exported_by(service, cluster)).count()
    }

    pub(super) fn service_document(&self, service: &ServiceName) -> Option<Document> {
        let status = self.service_status(service)?;
        let status = serde_json::to_value(status).expect("a status has text keys only");
        Some(Document {
            api_version: Kind::Service.api_version().into(),
            kind: Kind::Service.as_str().into(),
            metadata: Metadata::new(Some(service.namespace.clone()), service.name.clone()),
            spec: Value::Object(Default::default()),
            status: Some(status),
        })
    }

    /// The services that some cluster has.
    pub(crate) fn services(&self) -> impl Iterator<Item = &ServiceName> {
        self.holders.keys()
    }

    /// The clusters that have a service, each with who exports it there, and what their exports,
    /// or the holdings where nobody exports it, make of it together.
    pub(crate) fn held(
        &self,
        service: &ServiceName,
    ) -> (BTreeMap<&ClusterName, Option<Owner>>, Definition) {
        let exports = self.exports(service);
        let holders = self.holders.get(service).into_iter().flatten();
        let mut owners: BTreeMap<&ClusterName, Option<Owner>> =
            holders.map(|cluster| (cluster, None)).collect();
        for export in &exports {
            owners.insert(export.cluster, Some(export.owner.clone()));
        }
        let is_exported = !exports.is_empty();
        (owners, merge(if is_exported { exports } else { self.holdings(service) }))
    }

    pub(crate) fn definition(&self, service: &ServiceName) -> Definition {
        merge(self.exports(service))
    }

    pub(crate) fn is_starved(&self, service: &ServiceName, cluster: &ClusterName) -> bool {
        let is_ours = self.reported_vips(cluster).is_none();
        is_ours && self.vips.get(cluster).is_some_and(|table| table.is_starved(service))
    }

    fn exports(&self, service: &ServiceName) -> Vec<Export<'_>> {
        let Some(holders) = self.holders.get(service) else { return Vec::new() };
        let object = self.objects.get(&export_key(service));
        let object = object.and_then(|resource| {
            let Spec::ServiceExport(spec) = &resource.spec else { return None };
            Some((spec, resource.metadata.created_at.unwrap_or_default()))
        });
        let export = |cluster: &ClusterName| {
            let (cluster, record) = self.clusters.get_key_value(cluster)?;
            let held = record.services.get(service)?;
            let by_object = object.and_then(|(spec, since)| {
                let named = spec.clusters.is_empty() || spec.clusters.contains(cluster);
                named.then_some(since)
            });
            let since = match (held.exported_since, by_object) {
                (Some(own), Some(object)) => own.min(object),
                (since, None) | (None, since) => since?,
            };
            let owner = match held.exported_since {
                Some(_) => Owner::Agent(cluster.clone()),
                None => Owner::Bridge,
            };
            Some(Export { cluster, since, owner, service: &held.service })
        };
        holders.iter().filter_map(export).collect()
    }

    /// What the export of a service that nobody exports would be made of.
    fn holdings(&self, service: &ServiceName) -> Vec<Export<'_>> {
        let holders = self.holders.get(service).into_iter().flatten();
        let holding = |cluster: &ClusterName| {
            let (cluster, record) = self.clusters.get_key_value(cluster)?;
            let service = &record.services.get(service)?.service;
            let owner = Owner::Agent(cluster.clone());
            Some(Export { cluster, since: Timestamp::default(), owner, service })
        };
        holders.filter_map(holding).collect()
    }

    /// Refuses a write to what a cluster's own registry states: an export of `key`'s service for
    /// one of `clusters`, or for any if that is empty.
    pub(super) fn check_agent_exports(
        &self,
        key: &Key,
        clusters: &[ClusterName],
    ) -> Result<(), Refused> {
        let (Kind::ServiceExport, Some(namespace)) = (key.kind, &key.namespace) else {
            return Ok(());
        };
        let service = ServiceName::new(namespace.clone(), key.name.clone());
        let spec = ServiceExportSpec { clusters: clusters.to_vec() };
        let Some(cluster) = self.exported_twice(&service, &spec).next() else { return Ok(()) };
        let owner = Owner::Agent(cluster.clone());
        Err(Refused::NotOwner { key: key.clone(), owner })
    }

    /// The clusters for which an object exports what their own registry exports.
    pub(super) fn exported_twice(
        &self,
        service: &ServiceName,
        spec: &ServiceExportSpec,
    ) -> impl Iterator<Item = &ClusterName> {
        let holders = self.holders.get(service).into_iter().flatten();
        let named = holders.filter(|c| spec.clusters.is_empty() || spec.clusters.contains(c));
        named.filter(|cluster| {
            let held = self.clusters.get(*cluster).and_then(|r| r.services.get(service));
            held.is_some_and(|held| held.exported_since.is_some())
        })
    }

    /// A written ServiceExport changes the service of its name.
    pub(super) fn touch_exported(&self, key: &Key, effect: &mut Effect) {
        let (Kind::ServiceExport, Some(namespace)) = (key.kind, &key.namespace) else { return };
        let service = ServiceName::new(namespace.clone(), key.name.clone());
        if self.holders.contains_key(&service) {
            effect.touched.insert(service_key(service.clone()));
            effect.services.insert(service);
        }
    }

    pub(super) fn forget_holder(&mut self, service: &ServiceName, cluster: &ClusterName) {
        let Some(holders) = self.holders.get_mut(service) else { return };
        holders.remove(cluster);
        if holders.is_empty() {
            self.holders.remove(service);
        }
    }

    /// Binds and releases virtual IPs after a change of `services`; gives those whose addresses
    /// changed. An address is given at the first export anywhere, and kept while any cluster has
    /// the service.
    pub(super) fn reconcile_vips(
        &mut self,
        services: &BTreeSet<ServiceName>,
        now: Timestamp,
    ) -> impl Iterator<Item = ServiceName> + use<> {
        let starved = self.vips.values().flat_map(|table| table.starved());
        let due: BTreeSet<ServiceName> = services.iter().chain(starved).cloned().collect();
        let capacity_of = |cluster| self.cluster_spec(cluster).map_or(0, vip::capacity);
        let capacities: Vec<u64> = self.vips.keys().map(capacity_of).collect();
        let mut changed = BTreeSet::new();
        for service in due {
            let definition = self.definition(&service);
            let needs_one = !definition.clusters.is_empty() && !definition.headless;
            let is_defined = self.holders.contains_key(&service);
            let ports: Vec<u16> = match needs_one {
                true => definition.ports.iter().map(|port| port.port.get()).collect(),
                false => Vec::new(),
            };
            for table in self.gateway_ports.values_mut() {
                if table.set(&service, &ports, now) {
                    changed.insert(service.clone());
                }
            }
            for (table, capacity) in self.vips.values_mut().zip(&capacities) {
                let differs = if needs_one {
                    table.bind(&service, *capacity, now)
                } else if is_defined {
                    table.unstarve(&service)
                } else {
                    table.release(&service, now)
                };
                if differs {
                    changed.insert(service.clone());
                }
            }
        }
        changed.into_iter()
    }
}

pub(crate) fn starved(cluster: &ClusterName) -> String {
    format!(
        "cluster {cluster} has no free virtual IP: give up services there, or join it anew with a \
         larger `spec.vipRange`"
    )
}

fn export_key(service: &ServiceName) -> Key {
    let name: ResourceName = service.name.clone();
    Key { kind: Kind::ServiceExport, namespace: Some(service.namespace.clone()), name }
}
