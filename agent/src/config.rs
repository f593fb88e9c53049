//! The agent's settings, with their defaults and reasons.

use std::fmt;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use rialto_types::id::InstanceId;
use serde::{Deserialize, Serialize};

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
    /// A file with the join token, needed until the agent has joined. `token` wins over it.
    #[serde(default)]
    pub token_file: Option<PathBuf>,
    /// The join token itself; for callers that got it by other ways than a file.
    #[serde(default, skip_serializing)]
    pub token: Option<Token>,
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
}

/// The text of a join token: a secret.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct Token(pub String);

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token")
    }
}

/// Why a configuration cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error(
        "`listen` is `{0}`, which gateways cannot dial; set `advertise` to the host and port by \
         which they reach this agent"
    )]
    Advertise(SocketAddr),
}

impl Config {
    pub fn check(&self) -> Result<(), Error> {
        if self.advertise.is_none() && self.listen.ip().is_unspecified() {
            return Err(Error::Advertise(self.listen));
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
