//! Which of our names a name is.

use std::borrow::Cow;

use rialto_types::id::{ClusterName, Namespace, PortName, ServiceName};
use rialto_types::local::{EndpointHealth, LocalTable};
use rialto_types::service::{CLUSTERSET_DOMAIN, ServicePort};
use rialto_types::snapshot::{HeadlessEndpoint, ServiceEntry, Snapshot, UdpPort};

/// A name that exists.
pub(super) enum Name<'a> {
    /// `clusterset.local`
    Zone,
    /// `dns-version.clusterset.local`
    Version,
    /// `SERVICE.NAMESPACE.svc`, or `HOST.CLUSTER.SERVICE...`: then with that host's endpoints only.
    Service(Service<'a>),
    /// `_PORT._tcp.SERVICE...`, `_PORT._udp.SERVICE...`
    Port(Service<'a>, Port<'a>),
    /// A name that exists only because others are below it (RFC 8020).
    Between,
}

/// A port of a service, by protocol.
#[derive(Clone, Copy)]
pub(super) enum Port<'a> {
    Tcp(&'a ServicePort),
    Udp(&'a UdpPort),
}

/// A service, with the endpoints that DNS answers by name.
pub(super) struct Service<'a> {
    pub(super) entry: &'a ServiceEntry,
    /// `None` unless the service is headless.
    pub(super) endpoints: Option<Cow<'a, [HeadlessEndpoint]>>,
}

/// Finds a lower-case name of our zone; `None` if it does not exist.
pub(super) fn find<'a>(
    snapshot: &'a Snapshot,
    table: Option<&LocalTable>,
    name: &str,
) -> Option<Name<'a>> {
    let name = name.strip_suffix('.').unwrap_or(name);
    let Some(name) = name.strip_suffix(CLUSTERSET_DOMAIN)?.strip_suffix('.') else {
        return Some(Name::Zone);
    };
    if name == "dns-version" {
        return Some(Name::Version);
    }
    let mut labels = name.rsplit('.');
    if labels.next() != Some("svc") {
        return None;
    }
    let Some(namespace) = labels.next() else { return Some(Name::Between) };
    let namespace: Namespace = namespace.parse().ok()?;
    if !is_visible(snapshot, &namespace) {
        return None;
    }
    let Some(service) = labels.next() else {
        let mut services = snapshot.services.values();
        let exists = services.any(|entry| {
            entry.name.namespace == namespace && !Service::new(entry, table).is_absent()
        });
        return exists.then_some(Name::Between);
    };
    let service = ServiceName::new(namespace, service.parse().ok()?);
    let service = Service::new(snapshot.services.get(&service)?, table);
    if service.is_absent() {
        return None;
    }
    let below = (labels.next(), labels.next(), labels.next());
    match below {
        (None, ..) => Some(Name::Service(service)),
        (Some(protocol @ ("_tcp" | "_udp")), port, None) => service.find_port(protocol, port),
        (Some(cluster), host, None) => service.find_endpoint(cluster, host),
        (Some(_), _, Some(_)) => None,
    }
}

/// A cluster resolves only the namespaces that it has (MCS: namespace sameness).
fn is_visible(snapshot: &Snapshot, namespace: &Namespace) -> bool {
    let Some(names) = &snapshot.names else { return true };
    names.namespaces.as_ref().is_none_or(|namespaces| namespaces.contains(namespace))
}

impl<'a> Service<'a> {
    fn new(entry: &'a ServiceEntry, table: Option<&LocalTable>) -> Self {
        let exported = entry.headless.as_deref();
        let endpoints = exported.map(|exported| with_own(entry, exported, table));
        Self { entry, endpoints }
    }

    /// A headless service without a ready endpoint has no name (MCS DNS specification, 2.4).
    fn is_absent(&self) -> bool {
        self.endpoints.as_ref().is_some_and(|endpoints| endpoints.is_empty())
    }

    /// Those of TCP come first.
    pub(super) fn ports(&self) -> impl Iterator<Item = Port<'a>> + use<'a> {
        let tcp = self.entry.ports.iter().map(Port::Tcp);
        tcp.chain(self.entry.udp_ports.iter().map(Port::Udp))
    }

    fn find_port(self, protocol: &str, name: Option<&str>) -> Option<Name<'a>> {
        let of_protocol = self.ports().filter(|port| port.label() == protocol);
        let mut named = of_protocol.filter_map(|port| Some((port.name()?, port)));
        let Some(wanted) = name else { return named.next().map(|_| Name::Between) };
        let wanted = wanted.strip_prefix('_')?;
        let (_, port) = named.find(|(name, _)| name.as_str() == wanted)?;
        Some(Name::Port(self, port))
    }

    fn find_endpoint(self, cluster: &str, host: Option<&str>) -> Option<Name<'a>> {
        let endpoints = self.endpoints.as_ref()?;
        let of_cluster = |endpoint: &HeadlessEndpoint| endpoint.cluster.as_str() == cluster;
        let Some(host) = host else {
            return endpoints.iter().any(of_cluster).then_some(Name::Between);
        };
        // Several, if the host has addresses of both families.
        let of_host = endpoints.iter().filter(|e| of_cluster(e) && label(e) == host);
        let of_host: Vec<HeadlessEndpoint> = of_host.cloned().collect();
        let service = Self { entry: self.entry, endpoints: Some(Cow::Owned(of_host)) };
        (!service.is_absent()).then_some(Name::Service(service))
    }
}

impl<'a> Port<'a> {
    fn label(self) -> &'static str {
        match self {
            Port::Tcp(_) => "_tcp",
            Port::Udp(_) => "_udp",
        }
    }

    fn name(self) -> Option<&'a PortName> {
        match self {
            Port::Tcp(port) => port.name.as_ref(),
            Port::Udp(port) => port.name.as_ref(),
        }
    }

    pub(super) fn number(self) -> u16 {
        match self {
            Port::Tcp(port) => port.port.get(),
            Port::Udp(port) => port.port.get(),
        }
    }

    /// Where an endpoint listens for it; `None` if its cluster does not export it.
    pub(super) fn target(self, entry: &ServiceEntry, endpoint: &HeadlessEndpoint) -> Option<u16> {
        let number = self.number();
        match self {
            Port::Tcp(_) => {
                let exported = entry.clusters.get(&endpoint.cluster)?;
                exported.contains(&number).then(|| endpoint.target(number))
            }
            Port::Udp(port) => {
                let is_exported = port.clusters.contains(&endpoint.cluster);
                is_exported.then(|| endpoint.udp_target(number))
            }
        }
    }
}

/// The exported endpoints, those of the own cluster as its agent knows them.
fn with_own<'a>(
    entry: &ServiceEntry,
    exported: &'a [HeadlessEndpoint],
    table: Option<&LocalTable>,
) -> Cow<'a, [HeadlessEndpoint]> {
    let own = table.filter(|table| entry.clusters.contains_key(&table.cluster));
    let Some((table, endpoints)) =
        own.and_then(|table| Some((table, table.services.get(&entry.name)?)))
    else {
        return Cow::Borrowed(exported);
    };
    let is_own = |cluster: &ClusterName| *cluster == table.cluster;
    let others = exported.iter().filter(|endpoint| !is_own(&endpoint.cluster)).cloned();
    let ready = endpoints.iter().filter(|endpoint| endpoint.health != EndpointHealth::Unhealthy);
    let own = ready.map(|endpoint| HeadlessEndpoint::new(&table.cluster, endpoint));
    Cow::Owned(own.chain(others).collect())
}

/// The endpoint's own label, or its address with dashes (the MCS conformance suite asks for it).
pub(super) fn label(endpoint: &HeadlessEndpoint) -> Cow<'_, str> {
    match &endpoint.hostname {
        Some(hostname) => Cow::Borrowed(hostname.as_str()),
        None => Cow::Owned(endpoint.address.to_string().replace(['.', ':'], "-")),
    }
}
