//! Member clusters and the tokens by which they join.

use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::duration;
use crate::finding::Examined;
use crate::id::{ClusterName, InstanceId, Revision, Role, Timestamp, TrustDomain};
use crate::limits;

/// A cluster or VM fleet of the federation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct ClusterSpec {
    /// Where the cluster is, for people and for preference among equals.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub region: Option<String>,
    /// The range that this cluster's virtual IPs are taken from. Default `246.0.0.0/16`: no known
    /// mesh uses it (features.md 5.7).
    #[schemars(with = "String")]
    pub vip_range: Ipv4Net,
    /// The IPv6 range of virtual IPs, a ULA /64 by default.
    #[schemars(with = "String")]
    pub vip_range6: Ipv6Net,
    /// The cluster's own ranges (pods, services, hosts): virtual IPs must not lie in them.
    #[schemars(with = "Vec<String>")]
    pub reserved_ranges: Vec<IpNet>,
    /// A drained cluster gets traffic only for services that live nowhere else.
    pub drained: bool,
}

impl Default for ClusterSpec {
    fn default() -> Self {
        let v4 = Ipv4Net::new(Ipv4Addr::new(246, 0, 0, 0), 16).expect("16 is a prefix length");
        let base = Ipv6Addr::new(0xfd52, 0x6961, 0x6c74, 0x6f00, 0, 0, 0, 0);
        let v6 = Ipv6Net::new(base, 64).expect("64 is a prefix length");
        Self {
            region: None,
            vip_range: v4,
            vip_range6: v6,
            reserved_ranges: Vec::new(),
            drained: false,
        }
    }
}

impl ClusterSpec {
    pub(crate) fn check(&self) -> Result<(), (String, String)> {
        if !(8..=28).contains(&self.vip_range.prefix_len()) {
            let reason = format!("`{}` must be between /8 and /28", self.vip_range);
            return Err(("spec.vipRange".into(), reason));
        }
        if !(48..=112).contains(&self.vip_range6.prefix_len()) {
            let reason = format!("`{}` must be between /48 and /112", self.vip_range6);
            return Err(("spec.vipRange6".into(), reason));
        }
        let (v4, v6) = (IpNet::V4(self.vip_range), IpNet::V6(self.vip_range6));
        for (at, range) in self.reserved_ranges.iter().enumerate() {
            let overlaps = |vip: &IpNet| vip.contains(range) || range.contains(vip);
            if overlaps(&v4) || overlaps(&v6) {
                let reason = format!("`{range}` overlaps the range of virtual IPs; choose another");
                return Err((format!("spec.reservedRanges[{at}]"), reason));
            }
        }
        Ok(())
    }
}

/// The trust domain of a cluster.
pub fn trust_domain(cluster: &ClusterName) -> TrustDomain {
    format!("{cluster}.rialto").parse().expect("a cluster name is valid in a trust domain")
}

/// The trust domain of the control plane's members; no cluster can be named so.
pub fn bridge_trust_domain() -> TrustDomain {
    "rialto".parse().expect("a valid trust domain")
}

/// A gateway that other clusters can dial.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct GatewayAddress {
    pub id: InstanceId,
    /// UDP address of the gateway's QUIC endpoint, as other clusters see it.
    #[schemars(with = "String")]
    pub address: SocketAddr,
}

/// What is observed of a cluster.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ClusterStatus {
    pub trust_domain: TrustDomain,
    /// SHA-256 of the issuer certificate (the trust anchor), in hex.
    pub anchor_fingerprint: Option<String>,
    /// Whether the agent holds a live lease, and since when it was last heard.
    pub agent: Contact,
    pub gateways: Vec<GatewayAddress>,
    /// Gateways and DNS proxies that subscribe to the snapshot.
    pub subscribers: Vec<SubscriberStatus>,
    pub services: u32,
    pub exports: u32,
    /// What the agent says of itself and its cluster; absent if it never did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub examined: Option<Examined>,
}

/// Whether a part is heard from. Never "connected" by default.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Contact {
    pub state: ContactState,
    /// Time since the part was last heard, in milliseconds; absent if it never was.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub age_ms: Option<u64>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum ContactState {
    Connected,
    /// Nobody who can answer knows.
    Unknown,
    /// Its lease ended.
    Silent,
}

/// One gateway or DNS proxy that receives the cluster's snapshot.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SubscriberStatus {
    pub cluster: ClusterName,
    pub role: Role,
    pub id: InstanceId,
    pub contact: Contact,
    /// The newest revision that it acknowledged.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub acked: Option<Revision>,
    /// Why it refused a newer one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refused: Option<String>,
    /// Its release.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
}

/// What joins by a token. Gateways and DNS proxies get their certificates through their agent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Joiner {
    Agent,
    /// A member of the control plane.
    Member,
}

impl Joiner {
    pub fn role(self) -> Role {
        match self {
            Self::Agent => Role::Agent,
            Self::Member => Role::Member,
        }
    }
}

impl fmt::Display for Joiner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.role().fmt(f)
    }
}

/// A one-use token by which an agent or a member joins.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct JoinTokenSpec {
    /// What joins: an agent of `cluster`, or a member of the control plane.
    pub role: Joiner,
    /// Required unless `role` is `member`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cluster: Option<ClusterName>,
    /// SHA-256 of the token's secret, in hex; the secret itself is shown once and never stored.
    pub secret_hash: String,
    pub expires_at: Timestamp,
    /// Set when the token was redeemed; a used token is refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub used_at: Option<Timestamp>,
}

/// A wish for a join token.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct JoinTokenRequest {
    pub role: Joiner,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cluster: Option<ClusterName>,
    /// How long the token can be redeemed; 15 minutes by default, at most a day.
    #[serde(default = "token_ttl_default", with = "duration")]
    #[schemars(with = "String")]
    pub ttl: Duration,
    /// Where the agent will run: decides the command of the answer.
    #[serde(default)]
    pub platform: Platform,
}

/// Where a part runs.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Platform {
    /// A machine, with the binary and a file of settings.
    #[default]
    Machine,
    /// A Kubernetes cluster, with the Helm chart.
    Kubernetes,
}

fn token_ttl_default() -> Duration {
    limits::JOIN_TOKEN_TTL_DEFAULT
}

/// The answer to a wish for a join token.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct JoinTokenIssued {
    /// The token, shown once: `rialto1.` and base64url of its parts (`types::token`).
    pub token: String,
    pub expires_at: Timestamp,
    /// The command that redeems it, to paste on the machine that joins.
    pub command: String,
}
