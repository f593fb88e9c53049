//! What Kubernetes' objects mean to a federation. Pure; `testdata/kubernetes` has the rules as
//! transcripts.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use rialto_types::id::{InstanceId, ServiceName};
use rialto_types::import;
use rialto_types::limits;
use rialto_types::local::Caller;
use rialto_types::report::{ReportedExport, VirtualIps};
use rialto_types::service::AppProtocol;

use super::hosts::Hosts;
use crate::config::Mode;
use crate::kubernetes::import::IMPORT;
use crate::kubernetes::mcs::{ExportState, Exports, Validity};
use crate::kubernetes::object::{
    EndpointSlice, Namespace, ObjectKey, Service as Object, ServiceExport, ServicePort,
    SessionAffinityConfig, SliceEndpoint,
};
use crate::provider::address::{self, Loopback};
use crate::provider::{Endpoint, Fault, Port, Registry, Service};

/// The label by which the chart marks the Service of one gateway; its value is the gateway's id.
const GATEWAY: &str = "rialto.dev/gateway";
/// All objects that count.
#[derive(Debug)]
pub(super) struct Sources<'a> {
    pub(super) home: &'a Home,
    pub(super) namespaces: &'a HashMap<ObjectKey, Namespace>,
    pub(super) services: &'a HashMap<ObjectKey, Object>,
    pub(super) slices: &'a HashMap<ObjectKey, EndpointSlice>,
    pub(super) exports: &'a HashMap<ObjectKey, ServiceExport>,
    /// The addresses of the host names that load balancers have.
    pub(super) hosts: &'a Hosts,
    /// The addresses of pods that may serve although they are called not ready.
    pub(super) vouched: &'a BTreeSet<IpAddr>,
}

/// Who we are in the cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Home {
    /// Where our own parts run.
    pub namespace: String,
    /// The pod that we are.
    pub pod: String,
    /// Whether the platform's addresses of imported services are used.
    pub mode: Mode,
}

impl Home {
    pub(super) fn key(&self) -> ObjectKey {
        (self.namespace.as_str().into(), self.pod.as_str().into())
    }
}

/// What of the last registry may differ by now.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Stale {
    All,
    /// These Services, with their slices and exports.
    Services(BTreeSet<ObjectKey>),
}

impl Default for Stale {
    fn default() -> Self {
        Self::Services(BTreeSet::new())
    }
}

impl Stale {
    pub(super) fn insert(&mut self, key: ObjectKey) {
        if let Self::Services(keys) = self {
            keys.insert(key);
        }
    }
}

/// What Services became, kept so that a change costs as much as the Services that it is of.
#[derive(Debug, Default)]
pub(super) struct Services(BTreeMap<ServiceName, Arc<Service>>);

impl Services {
    pub(super) fn refresh(&mut self, sources: &Sources<'_>, stale: &Stale) {
        let slices = slices_by_service(sources, stale);
        let made = |key: &ObjectKey| {
            let object = sources.services.get(key)?;
            let is_known = sources.namespaces.contains_key(&(Box::default(), key.0.clone()));
            if !is_known || is_import(sources, object) {
                return None;
            }
            let slices = slices.get(&(&*key.0, &*key.1)).map(Vec::as_slice).unwrap_or_default();
            service(object, slices, sources.exports.get(key), sources.vouched).map(Arc::new)
        };
        if *stale == Stale::All {
            self.0.clear();
        }
        let replace = |key: &ObjectKey| {
            let Some(name) = service_name(key) else { return };
            match made(key) {
                Some(service) => self.0.insert(name, service),
                None => self.0.remove(&name),
            };
        };
        match stale {
            Stale::All => sources.services.keys().for_each(replace),
            Stale::Services(keys) => keys.iter().for_each(replace),
        }
    }
}

/// The registry, or why there is none. What one object has that we cannot carry is left out, so
/// that it never costs the cluster the rest.
pub(super) fn build(
    sources: &Sources<'_>,
    services: &Services,
    callers: Arc<BTreeMap<IpAddr, Caller>>,
) -> Result<Registry, Vec<Fault>> {
    let namespaces = sources.namespaces.values().filter_map(|it| it.metadata.name.parse().ok());
    let registry = Registry {
        namespaces: Some(namespaces.collect()),
        services: services.0.clone(),
        callers,
        gateways: sources.services.values().filter_map(|it| gateway(sources, it)).collect(),
        virtual_ips: (sources.home.mode == Mode::Control).then(|| virtual_ips(sources)),
    };
    let endpoints = registry.services.values().map(|service| service.endpoints.len()).sum();
    let bounds = [
        ("Services", registry.services.len(), limits::SERVICES_PER_CLUSTER_MAX),
        ("endpoints", endpoints, limits::ENDPOINTS_PER_CLUSTER_MAX),
        ("Pods", registry.callers.len(), limits::CALLERS_PER_CLUSTER_MAX),
    ];
    let exceeded = bounds.into_iter().filter(|(_, count, max)| count > max);
    let faults: Vec<Fault> =
        exceeded.map(|(what, count, max)| too_many(what, count, max)).collect();
    if faults.is_empty() { Ok(registry) } else { Err(faults) }
}

fn too_many(what: &str, count: usize, max: usize) -> Fault {
    Fault {
        place: format!("Kubernetes {what}"),
        position: None,
        field: String::new(),
        message: format!("{count} are too many, at most {max}; split the cluster"),
    }
}

fn service_name((namespace, name): &ObjectKey) -> Option<ServiceName> {
    Some(ServiceName::new(namespace.parse().ok()?, name.parse().ok()?))
}

/// Slices of imports belong to no Service of the cluster and have no such label.
fn slices_by_service<'a>(
    sources: &Sources<'a>,
    stale: &'a Stale,
) -> HashMap<(&'a str, &'a str), Vec<&'a EndpointSlice>> {
    let mut slices: HashMap<(&str, &str), Vec<&EndpointSlice>> = HashMap::new();
    if let Stale::Services(keys) = stale {
        slices.extend(keys.iter().map(|(namespace, name)| ((&**namespace, &**name), Vec::new())));
    }
    for slice in sources.slices.values() {
        let Some(name) = &slice.metadata.labels.service else { continue };
        let key = (&*slice.metadata.namespace, &**name);
        match stale {
            Stale::All => slices.entry(key).or_default().push(slice),
            Stale::Services(_) => {
                if let Some(of_service) = slices.get_mut(&key) {
                    of_service.push(slice);
                }
            }
        }
    }
    slices
}

/// The Service that a slice belongs to.
pub(super) fn service_of(slice: &EndpointSlice) -> Option<ObjectKey> {
    Some((slice.metadata.namespace.clone(), slice.metadata.labels.service.clone()?))
}

/// The exports, for their status.
pub(super) fn exports(
    services: &HashMap<ObjectKey, Object>,
    exports: &HashMap<ObjectKey, ServiceExport>,
) -> Exports {
    let state = |(key, export): (&ObjectKey, &ServiceExport)| {
        let validity = match services.get(key) {
            None => Validity::NoService,
            Some(service) if is_external(service) => Validity::InvalidServiceType,
            Some(_) => Validity::Valid,
        };
        let (generation, conditions) =
            (export.metadata.generation, export.status.conditions.clone());
        Some((service_name(key)?, ExportState { validity, generation, conditions }))
    };
    exports.iter().filter_map(state).collect()
}

fn is_external(object: &Object) -> bool {
    &*object.spec.kind == "ExternalName"
}

/// `None` for what cannot be a service of a federation: an ExternalName, or no TCP port unless it
/// is exported, because imports list all ports.
fn service(
    object: &Object,
    slices: &[&EndpointSlice],
    export: Option<&ServiceExport>,
    vouched: &BTreeSet<IpAddr>,
) -> Option<Service> {
    if is_external(object) {
        return None;
    }
    let is_tcp = |port: &&ServicePort| protocol(&port.protocol) == "TCP";
    let carried: Vec<&ServicePort> = object.spec.ports.iter().filter(is_tcp).collect();
    let carried = &carried[..carried.len().min(limits::PORTS_PER_SERVICE_MAX)];
    let ports: Vec<Port> = carried.iter().filter_map(|port| self::port(port)).collect();
    if ports.is_empty() && export.is_none() {
        return None;
    }
    let headless = &*object.spec.cluster_ip == "None";
    // Pods that are dialled themselves are found by UDP ports, too.
    let is_named = |port: &&ServicePort| headless && protocol(&port.protocol) == "UDP";
    let named = object.spec.ports.iter().filter(is_named).take(limits::PORTS_PER_SERVICE_MAX);
    let named: Vec<&ServicePort> = named.collect();
    let ports_of = PortsOf { carried, named: &named };
    let mut endpoints = endpoints(ports_of, slices, headless, vouched);
    if headless {
        endpoints.truncate(limits::HEADLESS_ENDPOINTS_MAX);
    }
    let labels = object.metadata.labels.clone();
    let (exported, export) = (export.is_some(), export.map(|export| stated(object, export)));
    Some(Service {
        ports,
        labels,
        exported,
        export,
        headless,
        client_affinity_s: client_affinity_s(object),
        endpoints,
        // Kubernetes' readiness is the check.
        check: None,
    })
}

/// What the export and its Service state for imports.
fn stated(object: &Object, export: &ServiceExport) -> ReportedExport {
    let Object { spec, .. } = object;
    let ports = spec.ports.iter().filter_map(stated_port).take(limits::PORTS_PER_SERVICE_MAX);
    let text = |text: &Option<Box<str>>| text.as_deref().map(str::to_owned);
    ReportedExport {
        since: export.metadata.creation_timestamp.parse().unwrap_or_default(),
        traits: import::Traits {
            ports: ports.collect(),
            ip_families: spec.ip_families.clone(),
            client_affinity_s: client_affinity_s(object),
            internal_traffic_policy: text(&spec.internal_traffic_policy),
            traffic_distribution: text(&spec.traffic_distribution),
            labels: export.spec.exported_labels.clone(),
            annotations: export.spec.exported_annotations.clone(),
        },
    }
}

fn client_affinity_s(object: &Object) -> Option<u32> {
    let config = object.spec.session_affinity_config.as_ref();
    let timeout = |config: &SessionAffinityConfig| config.client_ip.as_ref()?.timeout_seconds;
    let timeout_s = config.and_then(timeout).unwrap_or(limits::KUBERNETES_AFFINITY_S_DEFAULT);
    (&*object.spec.session_affinity == "ClientIP").then_some(timeout_s)
}

fn stated_port(port: &ServicePort) -> Option<import::Port> {
    let protocol = match &*port.protocol {
        "TCP" | "" => import::Protocol::Tcp,
        "UDP" => import::Protocol::Udp,
        "SCTP" => import::Protocol::Sctp,
        _ => return None,
    };
    let name = (!port.name.is_empty()).then(|| port.name.parse().ok()).flatten();
    let app_protocol = (!port.app_protocol.is_empty()).then(|| port.app_protocol.to_string());
    Some(import::Port { name, protocol, port: port.port.try_into().ok()?, app_protocol })
}

fn port(port: &ServicePort) -> Option<Port> {
    let name = (!port.name.is_empty()).then(|| port.name.parse().ok()).flatten();
    let protocol = match &*port.app_protocol {
        "http" => AppProtocol::Http,
        _ => AppProtocol::Tcp,
    };
    (port.port > 0).then_some(Port { name, number: port.port, target: port.port, protocol })
}

/// The ports of a Service.
#[derive(Clone, Copy)]
struct PortsOf<'a> {
    carried: &'a [&'a ServicePort],
    /// UDP ports that only names tell of.
    named: &'a [&'a ServicePort],
}

/// Kubernetes' default is not written everywhere.
fn protocol(stated: &str) -> &str {
    if stated.is_empty() { "TCP" } else { stated }
}

/// Ready endpoints; where none is ready, those that end and still serve (as kube-proxy); where
/// there is none of these either, those that are vouched for. Where each is dialled by itself,
/// those that are ready or vouched for.
fn endpoints(
    ports: PortsOf<'_>,
    slices: &[&EndpointSlice],
    headless: bool,
    vouched: &BTreeSet<IpAddr>,
) -> Vec<Endpoint> {
    let ready = |endpoint: &SliceEndpoint| endpoint.conditions.ready.unwrap_or(true);
    let serving = |endpoint: &SliceEndpoint| {
        let conditions = endpoint.conditions;
        conditions.terminating == Some(true) && conditions.serving == Some(true)
    };
    let is_vouched = |endpoint: &SliceEndpoint| {
        let address = endpoint.addresses.first().and_then(|text| text.parse().ok());
        let is_ending = endpoint.conditions.terminating == Some(true);
        address.is_some_and(|address| vouched.contains(&address)) && !is_ending
    };
    if headless {
        return collect(ports, slices, headless, |it| ready(it) || is_vouched(it));
    }
    let mut found = collect(ports, slices, headless, ready);
    if found.is_empty() {
        found = collect(ports, slices, headless, serving);
    }
    if found.is_empty() {
        found = collect(ports, slices, headless, is_vouched);
    }
    found
}

fn collect(
    ports: PortsOf<'_>,
    slices: &[&EndpointSlice],
    headless: bool,
    is_fit: impl Fn(&SliceEndpoint) -> bool,
) -> Vec<Endpoint> {
    // An endpoint may stand in several slices, each with some of its ports.
    let mut found: BTreeMap<(IpAddr, Option<&str>), Endpoint> = BTreeMap::new();
    for slice in slices {
        let udp_targets = targets(ports.named, slice, "UDP");
        let targets = targets(ports.carried, slice, "TCP");
        let endpoints = slice.endpoints.iter().flatten().filter(|endpoint| is_fit(endpoint));
        for endpoint in endpoints {
            // Kubernetes: the addresses of one endpoint are alike, the first is to be used.
            let address = endpoint.addresses.first().and_then(|text| text.parse().ok());
            let usable = address.filter(|it| address::check(*it, Loopback::Refused).is_ok());
            // Pods that are dialled themselves need no port that we carry.
            let is_reached = headless || !targets.is_empty();
            let (Some(address), true) = (usable, is_reached) else { continue };
            let hostname = endpoint.hostname.as_deref();
            let endpoint = found.entry((address, hostname)).or_insert_with(|| Endpoint {
                address,
                hostname: hostname.and_then(|hostname| hostname.parse().ok()),
                ports: BTreeMap::new(),
                udp_ports: BTreeMap::new(),
            });
            endpoint.ports.extend(&targets);
            endpoint.udp_ports.extend(&udp_targets);
        }
    }
    found.into_values().collect()
}

/// A slice's ports belong to the Service's ports of the same name.
fn targets(ports: &[&ServicePort], slice: &EndpointSlice, of: &str) -> BTreeMap<u16, u16> {
    let mut targets = BTreeMap::new();
    for port in slice.ports.iter().flatten() {
        let name = port.name.as_deref().unwrap_or_default();
        let is_of = protocol(port.protocol.as_deref().unwrap_or_default()) == of;
        let of_service = ports.iter().find(|it| &*it.name == name);
        if let (Some(of_service), Some(target), true) = (of_service, port.port, is_of) {
            targets.insert(of_service.port, target);
        }
    }
    targets
}

/// Whether we made the Service for an import.
fn is_import(sources: &Sources<'_>, object: &Object) -> bool {
    *object.metadata.namespace == *sources.home.namespace
        && object.metadata.labels.contains_key(IMPORT)
}

/// The cluster IPs of the Services that we made for imports.
fn virtual_ips(sources: &Sources<'_>) -> VirtualIps {
    let mut virtual_ips = VirtualIps::new();
    for object in sources.services.values() {
        if !is_import(sources, object) {
            continue;
        }
        let service = object.metadata.annotations.service.as_ref();
        let service = service.and_then(|service| service.parse().ok());
        let addresses = object.spec.cluster_ips.iter().filter_map(|ip| ip.parse().ok());
        let addresses: Vec<IpAddr> = addresses.collect();
        if let (Some(service), false) = (service, addresses.is_empty()) {
            virtual_ips.insert(service, addresses);
        }
    }
    virtual_ips
}

/// Where other clusters reach one of our gateways: by what its Service says, or as the platform
/// assigned it.
fn gateway(sources: &Sources<'_>, object: &Object) -> Option<(InstanceId, SocketAddr)> {
    if *object.metadata.namespace != *sources.home.namespace {
        return None;
    }
    let id = object.metadata.labels.get(GATEWAY)?.parse().ok()?;
    let (host, port) = place(object)?;
    let ip = match host {
        Host::Address(ip) => ip,
        Host::Name(name) => *sources.hosts.get(name)?,
    };
    Some((id, SocketAddr::new(ip, port)))
}

/// The host names among the places of our gateways, to be looked up.
pub(super) fn hosts(namespace: &str, services: &HashMap<ObjectKey, Object>) -> BTreeSet<Box<str>> {
    let own = services.values().filter(|object| {
        let metadata = &object.metadata;
        *metadata.namespace == *namespace && metadata.labels.contains_key(GATEWAY)
    });
    let named = own.filter_map(|object| match place(object)?.0 {
        Host::Address(_) => None,
        Host::Name(name) => Some(name.into()),
    });
    named.collect()
}

enum Host<'a> {
    Address(IpAddr),
    Name(&'a str),
}

fn place(object: &Object) -> Option<(Host<'_>, u16)> {
    if let Some(stated) = &object.metadata.annotations.advertise {
        if let Ok(address) = stated.parse::<SocketAddr>() {
            return Some((Host::Address(address.ip()), address.port()));
        }
        let (name, port) = stated.rsplit_once(':')?;
        return Some((Host::Name(name), port.parse().ok()?));
    }
    let port = object.spec.ports.first()?.port;
    let ingress = &object.status.load_balancer.ingress;
    if let Some(ip) = ingress.iter().find_map(|ingress| ingress.ip) {
        return Some((Host::Address(ip), port));
    }
    let name = ingress.iter().find_map(|ingress| ingress.hostname.as_deref())?;
    Some((Host::Name(name), port))
}

#[cfg(test)]
mod tests;
