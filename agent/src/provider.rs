//! What a cluster's registry says, whatever kind of registry it is.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::future::Future;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use rialto_types::id::{InstanceId, Namespace, ResourceName, ServiceName};
use rialto_types::limits;
use rialto_types::local::Caller;
use rialto_types::report::{ReportedExport, VirtualIps};
use rialto_types::service::{AppProtocol, ServicePort};

pub mod address;
pub mod kubernetes;
pub mod static_file;

/// A registry, as a stream of events that never ends.
pub trait Provider: Send + 'static {
    /// Waits for the next event. Dropping the future loses nothing.
    fn next(&mut self) -> impl Future<Output = Event> + Send;
}

/// What a registry tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// Everything that the registry holds; it replaces what was known.
    Replaced(Registry),
    /// The registry cannot be read; what was known stays.
    Failed(Vec<Fault>),
}

/// Everything that a registry holds.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Registry {
    /// The namespaces that exist in the cluster; `None` means all.
    pub namespaces: Option<BTreeSet<Namespace>>,
    /// Shared with what the provider keeps, as a change is of few of them.
    pub services: BTreeMap<ServiceName, Arc<Service>>,
    pub callers: Arc<BTreeMap<IpAddr, Caller>>,
    /// Where other clusters reach gateways that do not know it themselves.
    pub gateways: BTreeMap<InstanceId, SocketAddr>,
    /// The virtual IPs that the platform gave; `None` where it gives none.
    pub virtual_ips: Option<VirtualIps>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Service {
    pub ports: Vec<Port>,
    pub labels: BTreeMap<String, String>,
    pub exported: bool,
    /// What the object by which it is exported says, where the registry has such objects.
    pub export: Option<ReportedExport>,
    pub headless: bool,
    /// How many seconds a caller stays with an endpoint; `None` if it does not.
    pub client_affinity_s: Option<u32>,
    pub endpoints: Vec<Endpoint>,
    /// How its endpoints are checked; `None` leaves their health Unknown.
    pub check: Option<CheckSpec>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Port {
    pub name: Option<rialto_types::id::PortName>,
    /// What clients dial.
    pub number: u16,
    /// Where endpoints listen that do not say otherwise.
    pub target: u16,
    pub protocol: AppProtocol,
}

impl Port {
    /// The port as other clusters know it.
    pub fn as_service_port(&self) -> ServicePort {
        ServicePort {
            name: self.name.clone(),
            port: self.number.try_into().expect("a port that was read is not 0"),
            app_protocol: self.protocol,
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    pub address: IpAddr,
    pub hostname: Option<ResourceName>,
    /// By service port, where this endpoint listens.
    pub ports: BTreeMap<u16, u16>,
    /// The same of UDP ports, of headless services.
    pub udp_ports: BTreeMap<u16, u16>,
}

/// An active health check.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckSpec {
    pub probe: Probe,
    /// The service port that is checked.
    pub port: u16,
    pub interval: Duration,
    pub timeout: Duration,
    pub unhealthy_after: u32,
    pub healthy_after: u32,
}

impl CheckSpec {
    /// A TCP connection to `port`, with every number at its default.
    pub fn tcp(port: u16) -> Self {
        Self {
            probe: Probe::Tcp,
            port,
            interval: limits::CHECK_INTERVAL_DEFAULT,
            timeout: limits::CHECK_TIMEOUT_DEFAULT,
            unhealthy_after: limits::CHECK_UNHEALTHY_AFTER_DEFAULT,
            healthy_after: limits::CHECK_HEALTHY_AFTER_DEFAULT,
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Probe {
    /// Healthy if it accepts a connection.
    Tcp,
    /// Healthy if `GET` of this path answers 200 to 399.
    Http { path: String },
}

/// One thing that is wrong with a registry, for a person to put right.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// Where: a file, or an object of the registry.
    pub place: String,
    /// Line and column, from 1, where the registry is a file and they are known.
    pub position: Option<(u64, u64)>,
    /// The path of the field, such as `services[2].ports[0].port`.
    pub field: String,
    /// What is wrong, what was expected, and what to do.
    pub message: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.place)?;
        if let Some((line, column)) = self.position {
            write!(f, ":{line}:{column}")?;
        }
        f.write_str(": ")?;
        if !self.field.is_empty() {
            write!(f, "`{}`: ", self.field)?;
        }
        f.write_str(&self.message)
    }
}
