//! The static registry file: its form, and all that is checked when it is read.
//!
//! ```yaml
//! namespaces: [books]              # optional; without it every namespace exists here
//! allowLoopback: false             # true on a laptop, where the gateway is on the same machine
//! services:
//! - namespace: books
//!   name: details
//!   export: true                   # offered to the other clusters; default false
//!   headless: false
//!   sessionAffinity: ClientIP      # a caller stays with its endpoint; default None
//!   labels: {tier: backend}
//!   ports:
//!   - {name: http, port: 9080, targetPort: 8080, protocol: http}
//!   check: {type: http, path: /healthz, interval: 2s, timeout: 1s}
//!   endpoints:
//!   - {address: 10.0.0.5}
//!   - {address: 10.0.0.6, hostname: details-1, ports: {9080: 8081}}
//! callers:
//! - {address: 10.0.0.7, namespace: books, account: productpage}
//! ```
//!
//! Write a change aside and rename it into place: what is half-written may be a good file too.
//!
//! Addresses of endpoints are dialled by gateways on behalf of strangers, so that some are refused
//! always (link-local, which holds the clouds' metadata services; multicast, unspecified and
//! reserved ones, where virtual IPs are), and loopback unless `allowLoopback` says that the
//! gateway's own machine is meant.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::num::NonZeroU16;
use std::sync::Arc;
use std::time::Duration;

use rialto_types::id::{Namespace, PortName, ResourceName, ServiceName};
use rialto_types::local::Caller;
use rialto_types::service::AppProtocol;
use rialto_types::{duration, limits};
use serde::Deserialize;
use serde_saphyr::Spanned;

use crate::provider::address::{self, Loopback};
use crate::provider::{CheckSpec, Endpoint, Fault, Port, Probe, Registry, Service};

/// Reads the whole file, or says all that is wrong with it.
pub fn parse(place: &str, text: &str) -> Result<Registry, Vec<Fault>> {
    let document = deserialize(place, text).map_err(|fault| vec![fault])?;
    let loopback = if document.allow_loopback { Loopback::Allowed } else { Loopback::Refused };
    let mut reader = Reader { place, loopback, faults: Vec::new() };
    let registry = reader.registry(document);
    if reader.faults.is_empty() {
        return Ok(registry);
    }
    reader.faults.truncate(limits::STATIC_FILE_FAULTS_MAX);
    Err(reader.faults)
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Document {
    #[serde(default)]
    namespaces: Option<BTreeSet<Namespace>>,
    #[serde(default)]
    allow_loopback: bool,
    /// Required, so that a file that was cut to nothing does not withdraw every service.
    services: Vec<ServiceItem>,
    #[serde(default)]
    callers: Vec<CallerItem>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct ServiceItem {
    namespace: Spanned<Namespace>,
    name: Spanned<ResourceName>,
    #[serde(default)]
    export: bool,
    #[serde(default)]
    headless: bool,
    #[serde(default)]
    session_affinity: SessionAffinity,
    #[serde(default)]
    labels: BTreeMap<String, String>,
    ports: Spanned<Vec<PortItem>>,
    #[serde(default)]
    check: Option<Spanned<CheckItem>>,
    #[serde(default)]
    endpoints: Vec<EndpointItem>,
}

/// As a Service of Kubernetes says it.
#[derive(Default, Deserialize)]
enum SessionAffinity {
    #[default]
    None,
    #[serde(rename = "ClientIP")]
    ClientIp,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct PortItem {
    #[serde(default)]
    name: Option<Spanned<PortName>>,
    port: Spanned<NonZeroU16>,
    #[serde(default)]
    target_port: Option<NonZeroU16>,
    #[serde(default)]
    protocol: AppProtocol,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct EndpointItem {
    address: Spanned<IpAddr>,
    #[serde(default)]
    hostname: Option<Spanned<ResourceName>>,
    /// By service port, where this endpoint listens instead.
    #[serde(default)]
    ports: Option<Spanned<BTreeMap<NonZeroU16, NonZeroU16>>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct CheckItem {
    #[serde(rename = "type", default)]
    kind: CheckKind,
    #[serde(default)]
    path: Option<String>,
    /// The service port to check; by default the first.
    #[serde(default)]
    port: Option<NonZeroU16>,
    #[serde(default = "interval_default", with = "duration")]
    interval: Duration,
    #[serde(default, with = "duration::option")]
    timeout: Option<Duration>,
    #[serde(default = "unhealthy_after_default")]
    unhealthy_after: u32,
    #[serde(default = "healthy_after_default")]
    healthy_after: u32,
}

/// A service without `check` gets a TCP check: what is not checked is never known to be dead.
#[derive(Default, Deserialize)]
#[serde(rename_all = "lowercase")]
enum CheckKind {
    #[default]
    Tcp,
    Http,
    None,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct CallerItem {
    address: Spanned<IpAddr>,
    namespace: Namespace,
    /// The workload's identity in its namespace, as a ServiceAccount of Kubernetes.
    account: ResourceName,
}

fn interval_default() -> Duration {
    limits::CHECK_INTERVAL_DEFAULT
}

fn unhealthy_after_default() -> u32 {
    limits::CHECK_UNHEALTHY_AFTER_DEFAULT
}

fn healthy_after_default() -> u32 {
    limits::CHECK_HEALTHY_AFTER_DEFAULT
}

fn deserialize(place: &str, text: &str) -> Result<Document, Fault> {
    // Anchors and aliases have no use here, so that the smallest bomb is already too large.
    let options = serde_saphyr::options! {
        budget: serde_saphyr::budget! {
            max_depth: 16,
            max_documents: 1,
            max_aliases: 0,
            max_anchors: 0,
            max_merge_keys: 0,
        },
        with_snippet: false,
        strict_booleans: true,
    };
    let mut field = String::new();
    let parsed = serde_saphyr::with_deserializer_from_str_with_options(text, options, |yaml| {
        serde_path_to_error::deserialize(yaml).map_err(|error| {
            field = field_path(error.path());
            error.into_inner()
        })
    });
    parsed.map_err(|error| {
        let position = error.location().map(|at| (at.line(), at.column()));
        let message = error.render_with_formatter(&serde_saphyr::UserMessageFormatter);
        let message = in_our_words(message.split(" at line ").next().unwrap_or_default().trim());
        Fault { place: place.to_owned(), position, field, message }
    })
}

/// Says what a person should write, where the parser names its own types.
fn in_our_words(message: &str) -> String {
    let words = match message {
        "invalid u16" | "invalid value: integer `0`, expected a nonzero u16" => {
            "expected a port number, 1 to 65535"
        }
        "invalid u32" => "expected a whole number",
        "invalid IP address syntax" => "expected an IPv4 or IPv6 address, such as `10.0.0.5`",
        "expected sequence start" => "expected a list: lines that start with `- `, or `[]`",
        "unexpected end of file" => "the file is empty; write `services: []` if there are none",
        "expected mapping start" => "expected fields, `name: value`",
        other => other,
    };
    words.to_owned()
}

/// The path without the steps that `Spanned` adds.
fn field_path(path: &serde_path_to_error::Path) -> String {
    use serde_path_to_error::Segment;
    let mut text = String::new();
    for segment in path.iter() {
        match segment {
            Segment::Seq { index } => text += &format!("[{index}]"),
            Segment::Map { key } if key == "value" => {}
            Segment::Map { key } | Segment::Enum { variant: key } => {
                let dot = if text.is_empty() { "" } else { "." };
                text += &format!("{dot}{key}");
            }
            Segment::Unknown => {}
        }
    }
    text
}

/// Turns the document into a registry and collects what is wrong.
struct Reader<'a> {
    place: &'a str,
    loopback: Loopback,
    faults: Vec<Fault>,
}

impl Reader<'_> {
    fn registry(&mut self, document: Document) -> Registry {
        let mut registry = Registry { namespaces: document.namespaces, ..Registry::default() };
        let mut endpoints = 0;
        for (at, item) in document.services.into_iter().enumerate() {
            let place = item.name.referenced;
            endpoints += item.endpoints.len();
            let name = ServiceName::new(item.namespace.value.clone(), item.name.value.clone());
            let known = registry.namespaces.as_ref();
            if known.is_some_and(|known| !known.contains(&name.namespace)) {
                let message = format!(
                    "namespace `{}` is not in `namespaces`; add it there, or leave the list out",
                    name.namespace
                );
                self.fault(item.namespace.referenced, format!("services[{at}].namespace"), message);
            }
            let service = self.service(at, item);
            if registry.services.contains_key(&name) {
                let message = format!(
                    "service `{name}` is there already; merge the two, a service has one definition"
                );
                self.fault(place, format!("services[{at}].name"), message);
                continue;
            }
            registry.services.insert(name, Arc::new(service));
        }
        self.callers(document.callers, &mut registry);
        let bounds = [
            ("services", registry.services.len(), limits::SERVICES_PER_CLUSTER_MAX),
            ("services[].endpoints", endpoints, limits::ENDPOINTS_PER_CLUSTER_MAX),
            ("callers", registry.callers.len(), limits::CALLERS_PER_CLUSTER_MAX),
        ];
        for (field, count, limit) in bounds {
            if count > limit {
                let message = format!("{count} are too many, at most {limit}; split the fleet");
                self.fault_of_file(field.into(), message);
            }
        }
        registry
    }

    fn service(&mut self, at: usize, item: ServiceItem) -> Service {
        let ports = self.ports(at, item.ports);
        let check = self.check(at, item.check, &ports);
        let mut endpoints: Vec<Endpoint> = Vec::with_capacity(item.endpoints.len());
        let (mut hostnames, mut listeners) = (BTreeSet::new(), BTreeSet::new());
        for (number, item) in item.endpoints.into_iter().enumerate() {
            let field = format!("services[{at}].endpoints[{number}]");
            if let Some(hostname) = &item.hostname
                && !hostnames.insert(hostname.value.clone())
            {
                let message = format!("hostname `{}` is there already", hostname.value);
                self.fault(hostname.referenced, format!("{field}.hostname"), message);
            }
            let place = item.address.referenced;
            let endpoint = self.endpoint(&field, item, &ports);
            let unique: BTreeSet<u16> = endpoint.ports.values().copied().collect();
            let count = listeners.len() + unique.len();
            listeners.extend(unique.into_iter().map(|target| (endpoint.address, target)));
            if listeners.len() < count {
                let message = format!(
                    "endpoint `{}` is there already; remove one, or give them different `ports`",
                    endpoint.address
                );
                self.fault(place, format!("{field}.address"), message);
            }
            endpoints.push(endpoint);
        }
        let (labels, exported, headless) = (item.labels, item.export, item.headless);
        if headless && endpoints.len() > limits::HEADLESS_ENDPOINTS_MAX {
            let limit = limits::HEADLESS_ENDPOINTS_MAX;
            let message = format!("a headless service has at most {limit} endpoints");
            self.fault_of_file(format!("services[{at}].endpoints"), message);
        }
        let client_affinity_s = match item.session_affinity {
            SessionAffinity::None => None,
            SessionAffinity::ClientIp => Some(limits::KUBERNETES_AFFINITY_S_DEFAULT),
        };
        Service {
            ports,
            labels,
            exported,
            export: None,
            headless,
            client_affinity_s,
            endpoints,
            check,
        }
    }

    fn ports(&mut self, service: usize, items: Spanned<Vec<PortItem>>) -> Vec<Port> {
        let field = format!("services[{service}].ports");
        let count = items.value.len();
        if count == 0 || count > limits::PORTS_PER_SERVICE_MAX {
            let limit = limits::PORTS_PER_SERVICE_MAX;
            let message = format!("{count} ports: expected 1 to {limit}");
            self.fault(items.referenced, field.clone(), message);
        }
        let (mut numbers, mut names) = (BTreeSet::new(), BTreeSet::new());
        let mut ports = Vec::with_capacity(count);
        for (at, item) in items.value.into_iter().enumerate() {
            let number = item.port.value.get();
            if !numbers.insert(number) {
                let message = format!("port {number} is there already; a port is listed once");
                self.fault(item.port.referenced, format!("{field}[{at}].port"), message);
            }
            match &item.name {
                Some(name) if !names.insert(name.value.clone()) => {
                    let message = format!("port name `{}` is there already", name.value);
                    self.fault(name.referenced, format!("{field}[{at}].name"), message);
                }
                None if count > 1 => {
                    let message = "a name is needed where a service has several ports; add `name`";
                    self.fault(item.port.referenced, format!("{field}[{at}].name"), message.into());
                }
                Some(_) | None => {}
            }
            ports.push(Port {
                name: item.name.map(|name| name.value),
                number,
                target: item.target_port.map_or(number, NonZeroU16::get),
                protocol: item.protocol,
            });
        }
        ports
    }

    fn endpoint(&mut self, field: &str, item: EndpointItem, ports: &[Port]) -> Endpoint {
        let address = item.address.value.to_canonical();
        if let Err(message) = address::check(address, self.loopback) {
            self.fault(item.address.referenced, format!("{field}.address"), message);
        }
        let mut targets: BTreeMap<u16, u16> =
            ports.iter().map(|port| (port.number, port.target)).collect();
        if let Some(overrides) = item.ports {
            for (number, target) in overrides.value {
                if targets.insert(number.get(), target.get()).is_none() {
                    let message = format!(
                        "the service has no port {number}; use a number of its `ports` as the key"
                    );
                    self.fault(overrides.referenced, format!("{field}.ports"), message);
                }
            }
        }
        let hostname = item.hostname.map(|hostname| hostname.value);
        Endpoint { address, hostname, ports: targets, udp_ports: BTreeMap::new() }
    }

    fn check(
        &mut self,
        service: usize,
        item: Option<Spanned<CheckItem>>,
        ports: &[Port],
    ) -> Option<CheckSpec> {
        let first = ports.first()?.number;
        let Some(item) = item else { return Some(CheckSpec::tcp(first)) };
        let (place, item) = (item.referenced, item.value);
        let mut fault = |name: &str, message: String| {
            self.fault(place, format!("services[{service}].check.{name}"), message);
        };
        let probe = match (item.kind, item.path) {
            (CheckKind::None, None) => return None,
            (CheckKind::Tcp, None) => Probe::Tcp,
            (CheckKind::Http, path) => Probe::Http { path: path.unwrap_or_else(|| "/".into()) },
            (CheckKind::None | CheckKind::Tcp, Some(_)) => {
                fault("path", "only a check of `type: http` has a path".into());
                Probe::Tcp
            }
        };
        if let Probe::Http { path } = &probe
            && (!path.starts_with('/') || path.parse::<http::uri::PathAndQuery>().is_err())
        {
            fault("path", format!("{path:?} is not a path; expected one that starts with `/`"));
        }
        let port = item.port.map_or(first, NonZeroU16::get);
        if ports.iter().all(|known| known.number != port) {
            fault("port", format!("the service has no port {port}; use a number of its `ports`"));
        }
        let (least, most) = (limits::CHECK_INTERVAL_MIN, limits::CHECK_INTERVAL_MAX);
        if !(least..=most).contains(&item.interval) {
            let (least, most) = (duration::format(least), duration::format(most));
            fault("interval", format!("expected {least} to {most}"));
        }
        let timeout = item.timeout.unwrap_or(limits::CHECK_TIMEOUT_DEFAULT.min(item.interval));
        if timeout.is_zero() || timeout > item.interval {
            fault("timeout", "expected more than 0 and not more than `interval`".into());
        }
        let thresholds =
            [("unhealthyAfter", item.unhealthy_after), ("healthyAfter", item.healthy_after)];
        for (name, value) in thresholds {
            if !(1..=limits::CHECK_THRESHOLD_MAX).contains(&value) {
                fault(name, format!("{value}: expected 1 to {}", limits::CHECK_THRESHOLD_MAX));
            }
        }
        let (unhealthy_after, healthy_after) = (item.unhealthy_after, item.healthy_after);
        Some(CheckSpec {
            probe,
            port,
            interval: item.interval,
            timeout,
            unhealthy_after,
            healthy_after,
        })
    }

    fn callers(&mut self, items: Vec<CallerItem>, registry: &mut Registry) {
        for (at, item) in items.into_iter().enumerate() {
            let address = item.address.value.to_canonical();
            let field = format!("callers[{at}].address");
            if let Err(message) = address::check(address, self.loopback) {
                self.fault(item.address.referenced, field.clone(), message);
            }
            let caller = Caller { namespace: item.namespace, account: item.account };
            if Arc::make_mut(&mut registry.callers).insert(address, caller).is_some() {
                let message = format!(
                    "caller `{address}` is there already; an address is one workload's identity"
                );
                self.fault(item.address.referenced, field, message);
            }
        }
    }

    fn fault(&mut self, at: serde_saphyr::Location, field: String, message: String) {
        let position = Some((at.line(), at.column()));
        self.faults.push(Fault { place: self.place.to_owned(), position, field, message });
    }

    fn fault_of_file(&mut self, field: String, message: String) {
        self.faults.push(Fault { place: self.place.to_owned(), position: None, field, message });
    }
}

#[cfg(test)]
mod tests;
