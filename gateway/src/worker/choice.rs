//! What flows ask `core` for, and what it chose, in forms that outlive the tables.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use rialto_core::choose::{self, Choice, Excluded};
use rialto_types::id::{ClusterName, ServiceName};

use crate::tunnel::pool::PeerId;

/// What a retry leaves out, in a form that outlives the tables.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Tried {
    Endpoint(SocketAddr),
    Gateway(PeerId),
    Cluster(ClusterName),
}

impl Tried {
    pub(super) fn as_excluded(&self) -> Excluded<'_> {
        match self {
            Self::Endpoint(address) => Excluded::Endpoint(*address),
            Self::Gateway(peer) => {
                Excluded::Gateway { cluster: &peer.cluster, gateway: &peer.gateway }
            }
            Self::Cluster(cluster) => Excluded::Cluster(cluster),
        }
    }
}

/// `core`'s choice, in a form that outlives the tables.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chosen {
    pub backend: ServiceName,
    pub port: u16,
    pub target: Target,
    pub route: Option<String>,
    pub timeout: Option<Duration>,
    pub affinity: Option<choose::affinity::Key>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    Local(SocketAddr),
    Remote(PeerId),
}

impl Target {
    /// The exclusion that makes a retry go elsewhere.
    pub fn as_tried(&self) -> Tried {
        match self {
            Self::Local(address) => Tried::Endpoint(*address),
            Self::Remote(peer) => Tried::Gateway(peer.clone()),
        }
    }
}

impl From<Choice<'_>> for Chosen {
    fn from(choice: Choice<'_>) -> Self {
        let target = match choice.target {
            choose::Target::Local { endpoint } => Target::Local(endpoint),
            choose::Target::Remote { cluster, gateway, address: _ } => {
                Target::Remote(PeerId { cluster: cluster.clone(), gateway: gateway.clone() })
            }
        };
        Self {
            backend: choice.backend.clone(),
            port: choice.port,
            target,
            route: choice.route.map(str::to_owned),
            timeout: choice.timeout,
            affinity: choice.affinity,
        }
    }
}

/// What a near flow asks for; `http` as in [`choose::Request`].
#[derive(Debug, Clone, Copy)]
pub struct Ask<'a> {
    pub service: &'a ServiceName,
    pub port: u16,
    pub http: Option<choose::HttpRequest<'a>>,
    /// The caller's address.
    pub caller: IpAddr,
    pub tried: &'a [Tried],
    /// The same for all attempts of one flow or request.
    pub draw: u64,
}
