//! The agent's settings, with their defaults and reasons.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use rialto_types::id::InstanceId;
use serde::{Deserialize, Serialize};

use crate::kubernetes::api::Server;
use crate::kubernetes::review::Accounts;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Config {
    /// This agent's name; a cluster has one agent.
    #[serde(default = "id_default")]
    pub id: InstanceId,
    /// Certificate, anchors, and the gateways that were last seen.
    pub data_folder: PathBuf,
    pub registry: RegistrySource,
    /// The Unix socket where gateways and DNS proxies of this machine ask for their first
    /// certificate. Only this agent's user and root are answered.
    pub socket: PathBuf,
    /// Where gateways and DNS proxies get the local table, by mutual TLS. Loopback by default: one
    /// machine with all parts on it.
    #[serde(default = "listen_default")]
    pub listen: SocketAddr,
    /// The same as they reach it, `HOST:PORT`; `listen` by default.
    #[serde(default)]
    pub advertise: Option<String>,
    /// A file with the join token, needed until the agent has joined.
    #[serde(default)]
    pub token_file: Option<PathBuf>,
    /// Health and metrics; on loopback, because they are not protected.
    #[serde(default = "admin_default")]
    pub admin: SocketAddr,
}

/// Where the cluster's services and workloads are known.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum RegistrySource {
    /// A YAML file (`provider::static_file::document`).
    Static(PathBuf),
    /// The Kubernetes cluster that this agent runs in.
    Kubernetes(Box<Kubernetes>),
}

/// How the agent uses the cluster that it runs in. The chart `deploy/helm/rialto` makes all that is
/// named here.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Kubernetes {
    /// Where our own parts run.
    pub namespace: String,
    #[serde(default)]
    pub mode: Mode,
    /// The labels of our gateways' pods: what is imported leads there. Needed to control.
    #[serde(default)]
    pub gateway_selector: BTreeMap<String, String>,
    /// This process's name in the Lease, the pod's; the environment's `HOSTNAME` by default.
    #[serde(default)]
    pub pod: Option<String>,
    /// The Secret in which the identity is kept.
    #[serde(default = "agent_object")]
    pub identity_secret: String,
    /// The Lease by which one agent works at a time.
    #[serde(default = "agent_object")]
    pub lease: String,
    /// The ClusterRole that owns what is written outside of `namespace`, so that it goes with the
    /// release.
    #[serde(default)]
    pub cluster_role: Option<String>,
    /// The service accounts whose pods may become a gateway or a DNS proxy.
    #[serde(default)]
    pub accounts: Accounts,
    /// `HOST:PORT` of a Service that leads to the admin listeners of our gateways: tells whether
    /// the platform keeps the pods' source addresses. Not looked at without.
    #[serde(default)]
    pub gateway_probe: Option<String>,
    #[serde(default)]
    pub server: Server,
}

/// What an agent does to its cluster.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Mode {
    /// It shows all and writes nothing.
    #[default]
    Observe,
    /// It makes what the cluster's workloads need to reach services of other clusters.
    Control,
}

impl Kubernetes {
    /// Who this process is among the agents of the cluster.
    pub(crate) fn holder(&self) -> Result<String, Error> {
        let pod = self.pod.clone().or_else(|| std::env::var("HOSTNAME").ok());
        pod.filter(|pod| !pod.is_empty()).ok_or(Error::NoPod)
    }
}

fn agent_object() -> String {
    "rialto-agent".into()
}

/// Why a configuration cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error(
        "`listen` is `{0}`, which gateways cannot dial; set `advertise` to the host and port by \
         which they reach this agent"
    )]
    Advertise(SocketAddr),
    #[error(
        "`registry.kubernetes.pod` is not set and neither is HOSTNAME; name this pod, so that two \
         agents are told apart"
    )]
    NoPod,
    #[error(
        "`registry.kubernetes.gatewaySelector` is empty, so that imports would lead nowhere; set \
         it to the labels of the gateways' pods"
    )]
    NoSelector,
}

impl Config {
    pub fn check(&self) -> Result<(), Error> {
        if self.advertise.is_none() && self.listen.ip().is_unspecified() {
            return Err(Error::Advertise(self.listen));
        }
        if let RegistrySource::Kubernetes(settings) = &self.registry
            && settings.mode == Mode::Control
            && settings.gateway_selector.is_empty()
        {
            return Err(Error::NoSelector);
        }
        Ok(())
    }
}

fn id_default() -> InstanceId {
    "agent".parse().expect("a label")
}

fn listen_default() -> SocketAddr {
    SocketAddr::from((Ipv4Addr::LOCALHOST, 9_905))
}

fn admin_default() -> SocketAddr {
    SocketAddr::from((Ipv4Addr::LOCALHOST, 9_902))
}

#[cfg(test)]
mod tests;
