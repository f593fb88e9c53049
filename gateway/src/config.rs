//! The gateway's settings, with their defaults and reasons.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use rialto_types::duration;
use rialto_types::id::InstanceId;
use rialto_types::limits;
use rialto_wire::enroll::{AgentService, Introducer, NoAgent};
use serde::{Deserialize, Serialize};

use crate::tunnel::quic;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Config {
    /// This gateway's name, unique among the gateways of its cluster; or `--id`, `RIALTO_ID`.
    #[serde(default)]
    pub id: Option<InstanceId>,
    /// Certificate, last good snapshot and last good local table.
    pub data_folder: PathBuf,
    /// The agent's Unix socket, where the first certificate comes from.
    #[serde(default)]
    pub agent_socket: Option<PathBuf>,
    /// Instead: the agent by the network, in Kubernetes.
    #[serde(default)]
    pub agent: Option<AgentService>,
    pub tunnel: Tunnel,
    #[serde(default)]
    pub capture: Capture,
    /// Health and metrics; on loopback, because they are not protected.
    #[serde(default = "admin_default")]
    pub admin: SocketAddr,
    #[serde(default)]
    pub access_log: AccessLogTarget,
    /// After a request to stop, open flows may end by themselves for this long. Kubernetes grants a
    /// pod 30 s by default; five are left to close.
    #[serde(default = "drain_default", with = "duration")]
    pub drain_time_max: Duration,
}

/// The listener for other gateways.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Tunnel {
    /// UDP address to listen on.
    pub listen: SocketAddr,
    /// The same as other clusters see it; `listen` by default.
    #[serde(default)]
    pub advertise: Option<SocketAddr>,
    #[serde(default = "mtu_default")]
    pub mtu_max: u16,
    #[serde(default = "send_window_default")]
    pub send_window_bytes: u64,
}

/// How connections of local workloads reach the gateway.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Capture {
    /// The gateway listens on every virtual IP itself; gateways on one host share them.
    #[default]
    Bind,
    /// The gateway listens on ports of its own that the bridge gave to services: in Kubernetes,
    /// where a Service leads its cluster IP there.
    Ports,
    /// Only the far side is served.
    Off,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum AccessLogTarget {
    #[default]
    Stdout,
    File(PathBuf),
    Off,
}

/// Why a configuration cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("`id` is not set; name this gateway there, or by `--id`")]
    NoId,
    #[error(transparent)]
    NoAgent(#[from] NoAgent),
    #[error(
        "tunnel.mtuMax is {0}; it must be from 1,200 (RFC 9000) to 6,500 (ten segments per call)"
    )]
    Mtu(u16),
    #[error("tunnel.sendWindowBytes is {0}; it must be at least 65,536")]
    SendWindow(u64),
    #[error(
        "tunnel.listen is `{0}`, which other clusters cannot dial; set tunnel.advertise to the \
         address and port by which they reach this gateway"
    )]
    Advertise(SocketAddr),
}

impl Config {
    pub fn check(&self) -> Result<(), Error> {
        let Tunnel { listen, mtu_max, send_window_bytes, .. } = self.tunnel;
        if !(1_200..=6_500).contains(&mtu_max) {
            return Err(Error::Mtu(mtu_max));
        }
        if send_window_bytes < 65_536 {
            return Err(Error::SendWindow(send_window_bytes));
        }
        // In Kubernetes the agent knows by which address the platform leads here.
        let advertised = self.tunnel.advertise.unwrap_or(listen);
        if self.agent.is_none() && advertised.ip().is_unspecified() {
            return Err(Error::Advertise(listen));
        }
        self.introducer()?;
        self.id()?;
        Ok(())
    }

    pub fn id(&self) -> Result<&InstanceId, Error> {
        self.id.as_ref().ok_or(Error::NoId)
    }

    pub(crate) fn introducer(&self) -> Result<Introducer<'_>, NoAgent> {
        Introducer::of(self.agent_socket.as_ref(), self.agent.as_ref())
    }

    /// What the agent is told of the tunnel's address; `None` leaves it to the agent.
    pub(crate) fn advertised(&self) -> Option<SocketAddr> {
        let address = self.tunnel.advertise.unwrap_or(self.tunnel.listen);
        (!address.ip().is_unspecified()).then_some(address)
    }

    pub(crate) fn carrier(&self, strays: &Arc<quic::Strays>) -> quic::Settings {
        quic::Settings {
            strays: Arc::clone(strays),
            mtu_max: self.tunnel.mtu_max,
            send_window_bytes: self.tunnel.send_window_bytes,
            ..quic::Settings::new(self.tunnel.listen)
        }
    }
}

fn admin_default() -> SocketAddr {
    SocketAddr::from((Ipv4Addr::LOCALHOST, 9_903))
}

fn drain_default() -> Duration {
    Duration::from_secs(25)
}

fn mtu_default() -> u16 {
    limits::TUNNEL_MTU_MAX
}

fn send_window_default() -> u64 {
    limits::TUNNEL_SEND_WINDOW_BYTES
}

#[cfg(test)]
mod tests;
