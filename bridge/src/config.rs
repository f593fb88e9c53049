//! The settings of a member, checked once at the start.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use rialto_types::id::InstanceId;
use rialto_types::{duration, limits};
use serde::{Deserialize, Serialize};

/// A member of the control plane.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Config {
    /// The member's name, unique in the federation.
    #[serde(default = "id_default")]
    pub id: InstanceId,
    /// Where agents, gateways, DNS proxies and other members connect (gRPC, mutual TLS).
    #[serde(default = "listen_default")]
    pub listen: SocketAddr,
    /// `HOST:PORT` by which others reach `listen`; `listen` itself by default.
    #[serde(default)]
    pub advertise: Option<String>,
    /// The REST API: plain HTTP on loopback, TLS elsewhere.
    #[serde(default = "rest_default")]
    pub rest: SocketAddr,
    /// `/livez`, `/readyz`, `/metrics`; loopback by default, because it asks for no token.
    #[serde(default = "admin_default")]
    pub admin: SocketAddr,
    /// Everything that must survive a restart.
    #[serde(default = "data_default")]
    pub data: PathBuf,
    /// A file with the join token of a further member; the first one has none. Read once.
    #[serde(default)]
    pub join_token_file: Option<PathBuf>,
    /// Where the first start also writes the administrator's token (mode 0600), which is else only
    /// printed.
    #[serde(default)]
    pub admin_token_file: Option<PathBuf>,
    /// How long the certificates live that this member issues; they are renewed at half of it. Set
    /// it alike on every member.
    #[serde(default = "certificate_lifetime_default", with = "duration")]
    pub certificate_lifetime: Duration,
}

/// Why a configuration cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error(
        "`certificateLifetime` is {}; it must be from {} to {}",
        duration::format(*.0),
        duration::format(limits::CERTIFICATE_TTL_MIN),
        duration::format(limits::CERTIFICATE_TTL_MAX)
    )]
    CertificateLifetime(Duration),
}

impl Config {
    pub fn check(&self) -> Result<(), Error> {
        let lifetime = self.certificate_lifetime;
        if !(limits::CERTIFICATE_TTL_MIN..=limits::CERTIFICATE_TTL_MAX).contains(&lifetime) {
            return Err(Error::CertificateLifetime(lifetime));
        }
        Ok(())
    }

    pub(crate) fn advertised(&self) -> String {
        self.advertise.clone().unwrap_or_else(|| self.listen.to_string())
    }
}

fn id_default() -> InstanceId {
    "bridge-1".parse().expect("a label")
}

fn listen_default() -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], 7600))
}

fn rest_default() -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], 7601))
}

fn admin_default() -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], 7602))
}

fn data_default() -> PathBuf {
    PathBuf::from("/var/lib/rialto/bridge")
}

fn certificate_lifetime_default() -> Duration {
    limits::CERTIFICATE_TTL
}

#[cfg(test)]
mod tests;
