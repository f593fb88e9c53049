//! The DNS proxy's settings, with their defaults and reasons.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

use ipnet::IpNet;
use rialto_types::id::InstanceId;
use rialto_types::limits;
use rialto_wire::enroll::{AgentService, Introducer, NoAgent};
use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Config {
    /// This proxy's name, unique among the DNS proxies of its cluster; or `--id`, `RIALTO_ID`.
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
    /// UDP and TCP addresses to answer on. Loopback by default: any other address is a decision.
    #[serde(default = "listen_default")]
    pub listen: Vec<SocketAddr>,
    /// Resolvers for names that are not ours, in order; those of `/etc/resolv.conf` by default,
    /// without this proxy's own addresses.
    #[serde(default)]
    pub upstreams: Option<Vec<SocketAddr>>,
    /// Who is answered; others get REFUSED. By default loopback and the private ranges (RFC 1918,
    /// RFC 4193): workloads have such addresses, strangers of the internet do not.
    #[serde(default = "clients_default")]
    pub clients: Vec<IpNet>,
    /// Health and metrics; on loopback, because they are not protected.
    #[serde(default = "admin_default")]
    pub admin: SocketAddr,
}

/// Why a configuration cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("`id` is not set; name this DNS proxy there, or by `--id`")]
    NoId,
    #[error(transparent)]
    NoAgent(#[from] NoAgent),
    #[error("`listen` is empty; give an address, such as `127.0.0.1:53`")]
    NoListener,
    #[error("`clients` is empty, so nobody would be answered; give a range, such as `10.0.0.0/8`")]
    NoClients,
    #[error(
        "`clients` has `{0}`, which makes this an open resolver that strangers use against others; \
         give the ranges of your workloads"
    )]
    Open(IpNet),
    #[error(
        "`upstreams` has {0} addresses, at most {max} are used",
        max = limits::DNS_UPSTREAMS_MAX
    )]
    Upstreams(usize),
}

impl Config {
    pub fn check(&self) -> Result<(), Error> {
        if self.listen.is_empty() {
            return Err(Error::NoListener);
        }
        if self.clients.is_empty() {
            return Err(Error::NoClients);
        }
        if let Some(open) = self.clients.iter().find(|range| range.prefix_len() == 0) {
            return Err(Error::Open(*open));
        }
        self.introducer()?;
        self.id()?;
        match &self.upstreams {
            Some(upstreams) if upstreams.len() > limits::DNS_UPSTREAMS_MAX => {
                Err(Error::Upstreams(upstreams.len()))
            }
            Some(_) | None => Ok(()),
        }
    }

    pub fn id(&self) -> Result<&InstanceId, Error> {
        self.id.as_ref().ok_or(Error::NoId)
    }

    pub(crate) fn introducer(&self) -> Result<Introducer<'_>, NoAgent> {
        Introducer::of(self.agent_socket.as_ref(), self.agent.as_ref())
    }

    /// The resolvers to ask, in order.
    pub(crate) fn upstreams(&self) -> Vec<SocketAddr> {
        match &self.upstreams {
            Some(upstreams) => upstreams.clone(),
            None => system_resolvers(Path::new("/etc/resolv.conf")),
        }
    }
}

/// `nameserver` lines (resolv.conf(5)); a machine without the file has no resolver.
fn system_resolvers(path: &Path) -> Vec<SocketAddr> {
    let text = std::fs::read_to_string(path).unwrap_or_default();
    let address = |line: &str| {
        let address: IpAddr = line.strip_prefix("nameserver")?.trim().parse().ok()?;
        Some(SocketAddr::new(address, 53))
    };
    text.lines().filter_map(address).take(limits::DNS_UPSTREAMS_MAX).collect()
}

fn listen_default() -> Vec<SocketAddr> {
    vec![SocketAddr::from((Ipv4Addr::LOCALHOST, 53))]
}

fn clients_default() -> Vec<IpNet> {
    ["127.0.0.0/8", "::1/128", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7"]
        .map(|range| range.parse().expect("a range"))
        .to_vec()
}

fn admin_default() -> SocketAddr {
    SocketAddr::from((Ipv4Addr::LOCALHOST, 9_904))
}

#[cfg(test)]
mod tests;
