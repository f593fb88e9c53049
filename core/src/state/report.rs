//! What clusters report: accepted whole or refused whole, never in part.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use rialto_types::cluster::GatewayAddress;
use rialto_types::id::{ClusterName, Namespace, Revision, ServiceName};
use rialto_types::limits;
use rialto_types::report::{ReportChange, ReportedService, VirtualIps};

use super::cluster::{Held, Record};
use super::refused::some_of;
use super::{At, Done, Effect, Refused, State, cluster_key, service_key};

/// A report with its base resolved: what is new or differs, and what goes.
struct Stated {
    /// Sorted, each once.
    namespaces: Option<Vec<Namespace>>,
    gateways: Vec<GatewayAddress>,
    upserts: BTreeMap<ServiceName, ReportedService>,
    removals: BTreeSet<ServiceName>,
    /// All of them.
    virtual_ips: Option<VirtualIps>,
}

impl State {
    pub(super) fn apply_report(&mut self, report: ReportChange, at: At) -> Result<Effect, Refused> {
        let cluster = report.cluster.clone();
        let unknown = || Refused::ClusterUnknown { cluster: cluster.clone() };
        let record = self.clusters.get(&cluster).ok_or_else(unknown)?;
        check_position(record, &report)?;
        let position = Revision::new(report.epoch, report.revision);
        let stated = resolve(record, report)?;
        check(&cluster, record, &stated)?;
        Ok(self.take_report(&cluster, stated, position, at))
    }

    fn take_report(
        &mut self,
        cluster: &ClusterName,
        stated: Stated,
        position: Revision,
        at: At,
    ) -> Effect {
        let record = self.clusters.get_mut(cluster).expect("checked by the caller");
        record.position = Some(position);
        let mut effect = Effect::new(Done::Accepted, String::new());
        if record.namespaces != stated.namespaces || record.gateways != stated.gateways {
            record.namespaces = stated.namespaces;
            record.gateways = stated.gateways;
            effect.audited = true;
            effect.touched.insert(cluster_key(cluster));
        }
        let was_reported = record.virtual_ips.is_some();
        let held = std::mem::replace(&mut record.virtual_ips, stated.virtual_ips);
        let (before, after) = (held.unwrap_or_default(), record.virtual_ips.as_ref());
        let differs = |service: &&ServiceName| {
            before.get(*service) != after.and_then(|after| after.get(*service))
        };
        let moved = before.keys().chain(after.into_iter().flat_map(BTreeMap::keys));
        let shown = moved.filter(differs).filter(|service| self.holders.contains_key(*service));
        effect.touched.extend(shown.cloned().map(service_key));
        if was_reported != record.virtual_ips.is_some() {
            // Every service gets, or gives up, a port on the cluster's gateways.
            effect.services.extend(self.holders.keys().cloned());
            if was_reported {
                self.gateway_ports.remove(cluster);
            } else {
                self.gateway_ports.insert(cluster.clone(), Default::default());
            }
        }
        let record = self.clusters.get_mut(cluster).expect("checked by the caller");
        let (mut upserted, mut removed) = (Vec::new(), Vec::new());
        for (service, said) in stated.upserts {
            let held = record.services.get(&service);
            if held.is_some_and(|held| held.service == said) {
                continue;
            }
            // Endpoints of headless services come and go all the time; that is not worth history.
            effect.audited |= held.is_none_or(|held| !is_same_definition(&held.service, &said));
            let since = held.and_then(|held| held.exported_since);
            let stated = said.export.as_ref().map(|export| export.since);
            let exported_since = said.exported.then(|| stated.or(since).unwrap_or(at.now));
            record.services.insert(service.clone(), Held { service: said, exported_since });
            self.holders.entry(service.clone()).or_default().insert(cluster.clone());
            upserted.push(service);
        }
        for service in stated.removals {
            if record.services.remove(&service).is_some() {
                effect.audited = true;
                removed.push(service);
            }
        }
        effect.summary = summary(cluster, &upserted, &removed);
        for service in removed.iter() {
            self.forget_holder(service, cluster);
        }
        for service in upserted.into_iter().chain(removed) {
            effect.touched.insert(service_key(service.clone()));
            effect.services.insert(service);
        }
        effect
    }
}

fn is_same_definition(held: &ReportedService, said: &ReportedService) -> bool {
    held.ports == said.ports
        && held.labels == said.labels
        && held.exported == said.exported
        && held.export == said.export
        && held.headless.is_some() == said.headless.is_some()
}

fn check_position(record: &Record, report: &ReportChange) -> Result<(), Refused> {
    let cluster = report.cluster.clone();
    let stated = Revision::new(report.epoch, report.revision);
    let base = report.base.map(|base| Revision::new(report.epoch, base));
    match (base, record.position) {
        (Some(base), held) if held != Some(base) => Err(Refused::NeedsFull { cluster, base, held }),
        (_, Some(held)) if stated < held => Err(Refused::ReportStale { cluster, stated, held }),
        (Some(_) | None, _) => Ok(()),
    }
}

fn resolve(record: &Record, report: ReportChange) -> Result<Stated, Refused> {
    let namespaces = report.namespaces.map(|namespaces| {
        let sorted: BTreeSet<Namespace> = namespaces.into_iter().collect();
        sorted.into_iter().collect()
    });
    let removals: BTreeSet<ServiceName> = match report.base {
        Some(_) => report.removed.into_iter().collect(),
        None => {
            let held = record.services.keys();
            held.filter(|name| !report.services.contains_key(*name)).cloned().collect()
        }
    };
    if let Some(both) = report.services.keys().find(|name| removals.contains(*name)) {
        let reason = "is both changed and removed".into();
        return Err(invalid(&report.cluster, &format!("service {both}"), "removed", reason));
    }
    let virtual_ips = report.virtual_ips.map(|changes| {
        let held = record.virtual_ips.clone().filter(|_| report.base.is_some());
        let mut all = held.unwrap_or_default();
        all.extend(changes);
        all.retain(|_, addresses| !addresses.is_empty());
        all
    });
    let (gateways, upserts) = (report.gateways, report.services);
    Ok(Stated { namespaces, gateways, upserts, removals, virtual_ips })
}

fn check(cluster: &ClusterName, record: &Record, stated: &Stated) -> Result<(), Refused> {
    let quota = |what: &str, count: usize, max: usize| {
        if count <= max {
            return Ok(());
        }
        Err(Refused::ReportTooLarge { cluster: cluster.clone(), what: what.into(), count, max })
    };
    let kept = record
        .services
        .keys()
        .filter(|name| !stated.removals.contains(*name) && !stated.upserts.contains_key(*name));
    let kept: Vec<&ServiceName> = kept.collect();
    let count = kept.len() + stated.upserts.len();
    quota("services", count, limits::SERVICES_PER_CLUSTER_MAX)?;
    quota("gateways", stated.gateways.len(), limits::GATEWAYS_PER_CLUSTER_MAX)?;
    let namespaces = stated.namespaces.as_ref().map_or(0, Vec::len);
    quota("namespaces", namespaces, limits::NAMESPACES_PER_CLUSTER_MAX)?;
    check_gateways(cluster, &stated.gateways)?;
    if let Some(virtual_ips) = &stated.virtual_ips {
        quota("virtual IPs", virtual_ips.len(), limits::SERVICES_PER_CLUSTER_MAX)?;
        check_virtual_ips(cluster, virtual_ips)?;
    }
    if let Some(namespaces) = &stated.namespaces {
        let mut services = kept.into_iter().chain(stated.upserts.keys());
        if let Some(service) =
            services.find(|name| namespaces.binary_search(&name.namespace).is_err())
        {
            let reason = format!("`{}` is not among the reported namespaces", service.namespace);
            let subject = format!("service {service}");
            return Err(invalid(cluster, &subject, "namespaces", reason));
        }
    }
    for (name, service) in &stated.upserts {
        let ports = service.ports.len();
        quota(&format!("ports of service {name}"), ports, limits::PORTS_PER_SERVICE_MAX)?;
        let labels = service.labels.iter().map(|(key, value)| key.len() + value.len()).sum();
        quota(&format!("bytes of labels of service {name}"), labels, limits::METADATA_BYTES_MAX)?;
        if let Some(export) = &service.export {
            let traits = &export.traits;
            let ports = traits.ports.len();
            quota(&format!("ports of service {name}"), ports, limits::PORTS_PER_SERVICE_MAX)?;
            let texts = traits.labels.iter().chain(&traits.annotations);
            let bytes = texts.map(|(key, value)| key.len() + value.len()).sum();
            let what = format!("bytes of exported labels and annotations of service {name}");
            quota(&what, bytes, limits::METADATA_BYTES_MAX)?;
        }
        let endpoints = service.headless.as_ref().map_or(0, Vec::len);
        let what = format!("endpoints of headless service {name}");
        quota(&what, endpoints, limits::HEADLESS_ENDPOINTS_MAX)?;
        check_service(cluster, name, service)?;
    }
    Ok(())
}

fn check_virtual_ips(cluster: &ClusterName, virtual_ips: &VirtualIps) -> Result<(), Refused> {
    let mut owners: BTreeMap<IpAddr, &ServiceName> = BTreeMap::new();
    for (service, addresses) in virtual_ips {
        for address in addresses {
            let subject = format!("service {service}");
            let refuse = |reason: String| {
                Err(invalid(cluster, &subject, "virtualIps", format!("{address} {reason}")))
            };
            if address.is_unspecified() || address.is_loopback() || address.is_multicast() {
                return refuse("is no address of a service".into());
            }
            if let Some(other) = owners.insert(*address, service) {
                return refuse(format!("is also the address of {other}"));
            }
        }
    }
    Ok(())
}

fn check_gateways(cluster: &ClusterName, gateways: &[GatewayAddress]) -> Result<(), Refused> {
    for (at, gateway) in gateways.iter().enumerate() {
        let earlier = &gateways[..at];
        if gateway.address.ip().is_unspecified() || gateway.address.port() == 0 {
            let reason = format!("other clusters cannot dial {}", gateway.address);
            return Err(invalid(cluster, &format!("gateway {}", gateway.id), "address", reason));
        }
        if earlier.iter().any(|other| other.id == gateway.id) {
            let reason = "a gateway of this id is named twice".into();
            return Err(invalid(cluster, &format!("gateway {}", gateway.id), "id", reason));
        }
        if let Some(other) = earlier.iter().find(|other| other.address == gateway.address) {
            let reason = format!("{} is also the address of {}", gateway.address, other.id);
            return Err(invalid(cluster, &format!("gateway {}", gateway.id), "address", reason));
        }
    }
    Ok(())
}

fn check_service(
    cluster: &ClusterName,
    name: &ServiceName,
    service: &ReportedService,
) -> Result<(), Refused> {
    let subject = format!("service {name}");
    for (at, port) in service.ports.iter().enumerate() {
        let earlier = &service.ports[..at];
        if earlier.iter().any(|other| other.port == port.port) {
            let reason = format!("port {} is stated twice", port.port);
            return Err(invalid(cluster, &subject, &format!("ports[{at}].port"), reason));
        }
        let field = format!("ports[{at}].name");
        match &port.name {
            None if service.ports.len() > 1 => {
                let reason = "a service of several ports names each of them".into();
                return Err(invalid(cluster, &subject, &field, reason));
            }
            Some(name) if earlier.iter().any(|other| other.name.as_ref() == Some(name)) => {
                let reason = format!("`{name}` names two ports");
                return Err(invalid(cluster, &subject, &field, reason));
            }
            Some(_) | None => {}
        }
    }
    let mut endpoints = service.headless.iter().flatten().enumerate();
    if let Some((at, endpoint)) = endpoints.find(|(_, endpoint)| endpoint.cluster != *cluster) {
        let reason = format!("`{}` is another cluster", endpoint.cluster);
        return Err(invalid(cluster, &subject, &format!("headless[{at}].cluster"), reason));
    }
    Ok(())
}

fn invalid(cluster: &ClusterName, subject: &str, field: &str, reason: String) -> Refused {
    let (subject, field) = (subject.into(), field.into());
    Refused::ReportInvalid { cluster: cluster.clone(), subject, field, reason }
}

fn summary(cluster: &ClusterName, upserted: &[ServiceName], removed: &[ServiceName]) -> String {
    match (upserted.is_empty(), removed.is_empty()) {
        (true, true) => format!("cluster {cluster} reported its gateways or namespaces"),
        (false, true) => format!("cluster {cluster} reported {}", some_of(upserted)),
        (true, false) => format!("cluster {cluster} gave up {}", some_of(removed)),
        (false, false) => {
            let (upserted, removed) = (some_of(upserted), some_of(removed));
            format!("cluster {cluster} reported {upserted} and gave up {removed}")
        }
    }
}
