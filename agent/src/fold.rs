//! What the registry, the health checks and the gateways say, folded into the two documents that
//! the agent gives away: the `LocalTable` for its own cluster and the `Report` for the bridge.
//!
//! ```text
//! registry ----+                  +--> LocalTable, checks to run
//! check results +--> Fold::refresh +--> Report, health summaries
//! gateways ----+
//! ```
//!
//! Until the registry was read once there is no document: an agent that restarts over a broken file
//! must not withdraw what its cluster exports.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;

use rialto_types::cluster::GatewayAddress;
use rialto_types::id::{ClusterName, InstanceId, ServiceName};
use rialto_types::local::{Endpoint, EndpointHealth, LocalTable};
use rialto_types::report::{HealthSummary, Report, ReportedService};
use rialto_types::snapshot::HeadlessEndpoint;

use crate::provider::{self, CheckSpec, Registry, Service};

pub mod change;

/// What one health check looks at.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Target {
    pub service: ServiceName,
    pub address: SocketAddr,
}

/// The state behind both documents.
#[derive(Debug)]
pub struct Fold {
    registry: Option<Registry>,
    health: BTreeMap<Target, EndpointHealth>,
    /// Without an address where the registry knows it.
    gateways: BTreeMap<InstanceId, Option<SocketAddr>>,
    /// What is in both documents, and what it was made of.
    made: BTreeMap<ServiceName, Made>,
    table: Arc<LocalTable>,
    report: Numbered,
    summaries: Vec<HealthSummary>,
}

/// What a service of the registry became.
#[derive(Debug, Clone)]
struct Made {
    of: Arc<Service>,
    endpoints: Arc<[Endpoint]>,
    reported: Arc<ReportedService>,
}

/// A report and its number in the agent's epoch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Numbered {
    pub revision: u64,
    pub report: Arc<Report>,
}

/// Which documents differ from before.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Changed {
    pub table: bool,
    pub report: bool,
    pub summaries: bool,
}

impl Fold {
    /// `epoch` is when this agent started, in Unix milliseconds.
    pub fn new(cluster: ClusterName, epoch: u64) -> Self {
        let report = Numbered { revision: 0, report: Arc::new(Report::empty(cluster.clone())) };
        let (services, callers) = (BTreeMap::new(), Arc::default());
        let table = Arc::new(LocalTable { cluster, epoch, revision: 0, services, callers });
        Self {
            registry: None,
            health: BTreeMap::new(),
            gateways: BTreeMap::new(),
            made: BTreeMap::new(),
            table,
            report,
            summaries: Vec::new(),
        }
    }

    pub fn handle_registry(&mut self, registry: Registry) {
        self.registry = Some(registry);
    }

    pub fn handle_check(&mut self, target: Target, health: EndpointHealth) {
        self.health.insert(target, health);
    }

    pub fn handle_gateways(&mut self, gateways: BTreeMap<InstanceId, Option<SocketAddr>>) {
        self.gateways = gateways;
    }

    pub fn gateways(&self) -> &BTreeMap<InstanceId, Option<SocketAddr>> {
        &self.gateways
    }

    /// Makes the documents anew after any number of inputs.
    pub fn refresh(&mut self) -> Changed {
        let Some(registry) = &self.registry else { return Changed::default() };
        let checks = checks(registry);
        // A result may come after its target is gone.
        self.health.retain(|target, _| checks.contains_key(target));

        let made = registry.services.iter().map(|(name, it)| (name.clone(), self.made(name, it)));
        let made = made.collect();
        let table = self.next_table(registry, &made);
        let report = self.next_report(registry, &made);
        let summaries = summaries(&made);
        self.made = made;
        let changed = Changed {
            table: self.table.revision == 0
                || table.services != self.table.services
                || table.callers != self.table.callers,
            report: self.report.revision == 0 || report != *self.report.report,
            summaries: summaries != self.summaries,
        };
        if changed.table {
            self.table = Arc::new(LocalTable { revision: self.table.revision + 1, ..table });
        }
        if changed.report {
            let revision = self.report.revision + 1;
            self.report = Numbered { revision, report: Arc::new(report) };
        }
        self.summaries = summaries;
        changed
    }

    /// The table, once the registry was read.
    pub fn table(&self) -> Option<&Arc<LocalTable>> {
        (self.table.revision > 0).then_some(&self.table)
    }

    /// The report, once the registry was read.
    pub fn report(&self) -> Option<&Numbered> {
        (self.report.revision > 0).then_some(&self.report)
    }

    pub fn summaries(&self) -> &[HealthSummary] {
        &self.summaries
    }

    /// Gateways that cannot be reported, because nobody knows their address.
    pub fn unaddressed(&self) -> Vec<InstanceId> {
        let Some(registry) = &self.registry else { return Vec::new() };
        let is_known = |id: &InstanceId| registry.gateways.contains_key(id);
        let without = self.gateways.iter().filter(|(id, stated)| stated.is_none() && !is_known(id));
        without.map(|(id, _)| id.clone()).collect()
    }

    /// What must be checked.
    pub fn checks(&self) -> BTreeMap<Target, CheckSpec> {
        self.registry.as_ref().map(checks).unwrap_or_default()
    }

    /// A change of the registry costs as much as the services that it is of: what was made of the
    /// very same service is the same, but for checks.
    fn made(&self, name: &ServiceName, service: &Arc<Service>) -> Made {
        let held = self.made.get(name).filter(|held| Arc::ptr_eq(&held.of, service));
        if let (Some(held), None) = (held, &service.check) {
            return held.clone();
        }
        let endpoint = |endpoint: &provider::Endpoint| Endpoint {
            address: endpoint.address,
            ports: endpoint.ports.clone(),
            udp_ports: endpoint.udp_ports.clone(),
            health: self.health_of(name, service, endpoint),
            hostname: endpoint.hostname.clone(),
        };
        let endpoints: Arc<[Endpoint]> = service.endpoints.iter().map(endpoint).collect();
        let reported = ReportedService {
            ports: service.ports.iter().map(provider::Port::as_service_port).collect(),
            labels: service.labels.clone(),
            exported: service.exported,
            client_affinity_s: service.client_affinity_s,
            export: service.export.clone(),
            headless: service.headless.then(|| self.named(&endpoints)),
        };
        Made { of: service.clone(), endpoints, reported: Arc::new(reported) }
    }

    fn next_table(&self, registry: &Registry, made: &BTreeMap<ServiceName, Made>) -> LocalTable {
        let services = made.iter().map(|(name, made)| (name.clone(), made.endpoints.clone()));
        LocalTable {
            cluster: self.table.cluster.clone(),
            epoch: self.table.epoch,
            revision: self.table.revision,
            services: services.collect(),
            callers: registry.callers.clone(),
        }
    }

    fn health_of(
        &self,
        name: &ServiceName,
        service: &Service,
        endpoint: &provider::Endpoint,
    ) -> EndpointHealth {
        let target = service.check.as_ref().and_then(|check| target(name, check, endpoint));
        target.and_then(|target| self.health.get(&target)).copied().unwrap_or_default()
    }

    fn next_report(&self, registry: &Registry, made: &BTreeMap<ServiceName, Made>) -> Report {
        let services = made.iter().map(|(name, made)| (name.clone(), made.reported.clone()));
        // One whose address is not known yet cannot be dialled: it is not reported.
        let gateway = |(id, stated): (&InstanceId, &Option<SocketAddr>)| {
            let address = stated.or_else(|| registry.gateways.get(id).copied())?;
            Some(GatewayAddress { id: id.clone(), address })
        };
        Report {
            cluster: self.table.cluster.clone(),
            namespaces: registry.namespaces.as_ref().map(|known| known.iter().cloned().collect()),
            services: services.collect(),
            gateways: self.gateways.iter().filter_map(gateway).collect(),
            virtual_ips: registry.virtual_ips.clone(),
        }
    }

    /// The endpoints of a headless service that DNS may answer.
    fn named(&self, endpoints: &[Endpoint]) -> Vec<HeadlessEndpoint> {
        let mut named: Vec<HeadlessEndpoint> = endpoints
            .iter()
            .filter(|endpoint| endpoint.health != EndpointHealth::Unhealthy)
            .map(|endpoint| HeadlessEndpoint::new(&self.table.cluster, endpoint))
            .collect();
        named.sort();
        named.dedup();
        named
    }
}

fn checks(registry: &Registry) -> BTreeMap<Target, CheckSpec> {
    let mut checks = BTreeMap::new();
    for (name, service) in &registry.services {
        let Some(check) = &service.check else { continue };
        for endpoint in &service.endpoints {
            if let Some(target) = target(name, check, endpoint) {
                checks.insert(target, check.clone());
            }
        }
    }
    checks
}

fn target(
    service: &ServiceName,
    check: &CheckSpec,
    endpoint: &provider::Endpoint,
) -> Option<Target> {
    let port = *endpoint.ports.get(&check.port)?;
    let address = SocketAddr::new(endpoint.address, port);
    Some(Target { service: service.clone(), address })
}

/// Per service port, how many endpoints are fit. Where the registry asks for no check, an endpoint
/// is fit as long as it is listed; one whose first check has not ended is not fit.
fn summaries(made: &BTreeMap<ServiceName, Made>) -> Vec<HealthSummary> {
    let mut summaries = Vec::new();
    for (name, Made { of, endpoints, .. }) in made {
        let fit = |endpoint: &&Endpoint| match endpoint.health {
            EndpointHealth::Healthy => true,
            EndpointHealth::Unhealthy => false,
            EndpointHealth::Unknown => of.check.is_none(),
        };
        let count = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
        let healthy = count(endpoints.iter().filter(fit).count());
        let total = count(endpoints.len());
        for port in &of.ports {
            let (service, port) = (name.clone(), port.number);
            summaries.push(HealthSummary { service, port, healthy, total });
        }
    }
    summaries
}

#[cfg(test)]
mod tests;
