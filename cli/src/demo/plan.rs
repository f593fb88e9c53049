//! Who has which address and port in the demo.
//!
//! `S` is the site's number: control 0, east 1, west 2, vms 3.
//!
//! | what | in namespaces | on loopback (namespaces forbidden) |
//! |---|---|---|
//! | bridges 1 to 3, on the inter-cluster link | `10.88.0.11` to `.13` | `127.88.0.11` to `.13` |
//! | a cluster's gateways, on the link | `10.88.S.11`, `.12` | `127.88.S.11`, `.12` |
//! | a cluster's node: agent, DNS proxy | `10.89.S.1`, names on port 53 | `127.89.S.1`, names on 5353 |
//! | a workload, by its host number | `10.89.S.H` | `127.89.S.H` |
//! | what only the node itself reaches: REST, admin pages, the agent | `127.88.S.H` | the same |
//! | virtual IPs | `246.0.0.0/16` in each cluster | `127.(240+S).0.0/16` |
//!
//! In namespaces, a cluster is a "node" namespace (gateways, agent, DNS proxy) and one namespace
//! per workload behind it, so that a program's source address is its workload's whatever it dials.
//! Only `10.88` is routed between sites: workloads of two clusters cannot reach each other except
//! through the gateways.

use std::fmt;
use std::net::{Ipv4Addr, SocketAddr};
use std::str::FromStr;

use ipnet::Ipv4Net;
use serde::{Deserialize, Serialize};

/// What separates the clusters of the demo.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Network {
    Namespaces,
    Loopback,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Site {
    /// Where the bridges are.
    Control,
    East,
    West,
    Vms,
}

impl Site {
    pub(crate) const ALL: [Self; 4] = [Self::Control, Self::East, Self::West, Self::Vms];
    pub(crate) const CLUSTERS: [Self; 3] = [Self::East, Self::West, Self::Vms];

    pub(crate) fn number(self) -> u8 {
        match self {
            Self::Control => 0,
            Self::East => 1,
            Self::West => 2,
            Self::Vms => 3,
        }
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Control => "control",
            Self::East => "east",
            Self::West => "west",
            Self::Vms => "vms",
        }
    }
}

impl fmt::Display for Site {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.name())
    }
}

impl FromStr for Site {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL.into_iter().find(|site| site.name() == text).ok_or_else(|| {
            format!("`{text}` is no site of the demo; use `east`, `west`, `vms` or `control`")
        })
    }
}

/// A place where a process of the demo runs: a site's node, or one of its workloads.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place {
    pub(crate) site: Site,
    pub(crate) workload: Option<String>,
}

impl Place {
    pub(crate) fn node(site: Site) -> Self {
        Self { site, workload: None }
    }

    pub(crate) fn workload(site: Site, name: &str) -> Self {
        Self { site, workload: Some(name.to_owned()) }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.workload {
            None => write!(out, "{}", self.site),
            Some(workload) => write!(out, "{}.{workload}", self.site),
        }
    }
}

impl FromStr for Place {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(match text.split_once('.') {
            None => Self::node(text.parse()?),
            Some((site, workload)) => Self::workload(site.parse()?, workload),
        })
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum App {
    ProductPage,
    Details,
    Reviews(&'static str),
    Ratings,
    /// Runs nothing of ours: what `demo exec` runs without `--as`.
    Console,
    /// The load generator and the story's measuring client.
    Client,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Workload {
    pub(crate) site: Site,
    pub(crate) name: &'static str,
    pub(crate) host: u8,
    pub(crate) app: App,
}

const fn workload(site: Site, name: &'static str, host: u8, app: App) -> Workload {
    Workload { site, name, host, app }
}

pub(crate) const CONSOLE: &str = "console";

/// `reviews-v2` lives only in west and `ratings` only in vms; every other service has two homes.
pub(crate) const WORKLOADS: &[Workload] = &[
    workload(Site::East, CONSOLE, 9, App::Console),
    workload(Site::East, "client", 10, App::Client),
    workload(Site::East, "productpage-1", 21, App::ProductPage),
    workload(Site::East, "details-1", 31, App::Details),
    workload(Site::East, "reviews-v1-1", 41, App::Reviews("v1")),
    workload(Site::West, CONSOLE, 9, App::Console),
    workload(Site::West, "client", 10, App::Client),
    workload(Site::West, "productpage-1", 21, App::ProductPage),
    workload(Site::West, "details-1", 31, App::Details),
    workload(Site::West, "details-2", 32, App::Details),
    workload(Site::West, "reviews-v1-1", 41, App::Reviews("v1")),
    workload(Site::West, "reviews-v2-1", 42, App::Reviews("v2")),
    workload(Site::West, "reviews-v3-1", 43, App::Reviews("v3")),
    workload(Site::Vms, CONSOLE, 9, App::Console),
    workload(Site::Vms, "client", 10, App::Client),
    workload(Site::Vms, "reviews-v3-1", 43, App::Reviews("v3")),
    workload(Site::Vms, "ratings-1", 51, App::Ratings),
];

/// Of the bookstore, and of its services.
pub(crate) const BOOKSTORE_PORT: u16 = 9080;
/// UDP, where a cluster's gateways listen for those of others.
const TUNNEL_PORT: u16 = 7443;
const BRIDGE_PORT: u16 = 7600;
pub(crate) const REST_PORT: u16 = 7601;
const MEMBER_ADMIN_PORT: u16 = 7602;
const AGENT_ADMIN_PORT: u16 = 9902;
const GATEWAY_ADMIN_PORT: u16 = 9903;
const DNS_ADMIN_PORT: u16 = 9904;
const AGENT_PORT: u16 = 9905;
/// The node's own host number.
const NODE_HOST: u8 = 1;

pub(crate) const GATEWAY_HOSTS: [u8; 2] = [11, 12];
pub(crate) const BRIDGE_HOSTS: [u8; 3] = [11, 12, 13];

/// Every address of the demo, from the kind of network alone.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Plan {
    pub(crate) network: Network,
}

impl Plan {
    fn first_octet(self) -> u8 {
        match self.network {
            Network::Namespaces => 10,
            Network::Loopback => 127,
        }
    }

    /// An address on the link between the sites.
    pub(crate) fn link(self, site: Site, host: u8) -> Ipv4Addr {
        Ipv4Addr::new(self.first_octet(), 88, site.number(), host)
    }

    pub(crate) fn node(self, site: Site) -> Ipv4Addr {
        self.workload(site, NODE_HOST)
    }

    pub(crate) fn workload(self, site: Site, host: u8) -> Ipv4Addr {
        Ipv4Addr::new(self.first_octet(), 89, site.number(), host)
    }

    pub(crate) fn bridge(self, host: u8) -> SocketAddr {
        SocketAddr::from((self.link(Site::Control, host), BRIDGE_PORT))
    }

    /// Plain HTTP, so only on loopback.
    pub(crate) fn rest(self, host: u8) -> SocketAddr {
        SocketAddr::from((own(Site::Control, host), REST_PORT))
    }

    pub(crate) fn bridge_admin(self, host: u8) -> SocketAddr {
        SocketAddr::from((own(Site::Control, host), MEMBER_ADMIN_PORT))
    }

    pub(crate) fn tunnel(self, site: Site, host: u8) -> SocketAddr {
        SocketAddr::from((self.link(site, host), TUNNEL_PORT))
    }

    pub(crate) fn gateway_admin(self, site: Site, host: u8) -> SocketAddr {
        SocketAddr::from((own(site, host), GATEWAY_ADMIN_PORT))
    }

    pub(crate) fn agent(self, site: Site) -> SocketAddr {
        SocketAddr::from((own(site, NODE_HOST), AGENT_PORT))
    }

    pub(crate) fn agent_admin(self, site: Site) -> SocketAddr {
        SocketAddr::from((own(site, NODE_HOST), AGENT_ADMIN_PORT))
    }

    pub(crate) fn dns_admin(self, site: Site) -> SocketAddr {
        SocketAddr::from((own(site, NODE_HOST), DNS_ADMIN_PORT))
    }

    pub(crate) fn resolver(self, site: Site) -> SocketAddr {
        let port = match self.network {
            Network::Namespaces => 53,
            Network::Loopback => 5353,
        };
        SocketAddr::from((self.node(site), port))
    }

    pub(crate) fn vip_range(self, site: Site) -> Ipv4Net {
        let network = match self.network {
            Network::Namespaces => Ipv4Addr::new(246, 0, 0, 0),
            Network::Loopback => Ipv4Addr::new(127, 240 + site.number(), 0, 0),
        };
        Ipv4Net::new_assert(network, 16)
    }
}

/// A loopback address that no other part of the demo has, on the node's own loopback.
fn own(site: Site, host: u8) -> Ipv4Addr {
    Ipv4Addr::new(127, 88, site.number(), host)
}

pub(crate) fn link_hosts(site: Site) -> &'static [u8] {
    match site {
        Site::Control => &BRIDGE_HOSTS,
        Site::East | Site::West => &GATEWAY_HOSTS,
        Site::Vms => &GATEWAY_HOSTS[..1],
    }
}

pub(crate) fn workloads(site: Site) -> impl Iterator<Item = &'static Workload> {
    WORKLOADS.iter().filter(move |workload| workload.site == site)
}

#[cfg(test)]
mod tests;
