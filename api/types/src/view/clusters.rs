//! Clusters, with their gateways and DNS proxies.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::changes::ChangeLine;
use super::services::ServiceRow;
use super::topology::Link;
use super::{Level, Proportions};
use crate::cluster::{Contact, SubscriberStatus};
use crate::duration;
use crate::id::{ClusterName, InstanceId, Revision, Role, TrustDomain};
use crate::traffic::{Gap, Rates};

/// Of all clusters, and of one.
#[derive(
    Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Query {
    /// The time that rates are of, 2s to 5m; 30s by default.
    #[serde(skip_serializing_if = "Option::is_none", with = "duration::option")]
    #[schemars(with = "Option<String>")]
    pub over: Option<Duration>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Clusters {
    pub items: Vec<ClusterCard>,
    /// The time that rates are of.
    pub over_ms: u64,
    pub revision: Revision,
    pub gaps: Vec<Gap>,
}

/// A cluster at a glance.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ClusterCard {
    pub name: ClusterName,
    pub level: Level,
    /// What is wrong, or what there is, in one line.
    pub text: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub region: Option<String>,
    pub drained: bool,
    pub agent: Contact,
    pub gateways: Vec<PartLine>,
    pub dns: Vec<PartLine>,
    /// Of the services that it exports, as it has them.
    pub services: Proportions,
    /// What is served there; absent when unknown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rates: Option<Rates>,
}

/// A gateway or DNS proxy.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PartLine {
    pub id: InstanceId,
    pub role: Role,
    pub level: Level,
    /// What is wrong, or "serves revision 1.42".
    pub text: String,
    pub contact: Contact,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub acked: Option<Revision>,
    /// Whether it serves an older revision than there is.
    pub behind: bool,
    /// Why it refused a newer one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refused: Option<String>,
    /// Where other clusters reach it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
}

/// One cluster, with all that concerns it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ClusterPage {
    pub card: ClusterCard,
    pub trust_domain: TrustDomain,
    /// SHA-256 of the issuer certificate (the trust anchor), in hex.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub anchor_fingerprint: Option<String>,
    pub subscribers: Vec<SubscriberStatus>,
    pub exports: u32,
    /// The first ones, as all clusters together have them.
    pub services: Vec<ServiceRow>,
    pub services_omitted: u32,
    /// The time that rates are of.
    pub over_ms: u64,
    pub links: Vec<Link>,
    pub changes: Vec<ChangeLine>,
    pub revision: Revision,
    pub gaps: Vec<Gap>,
    /// The command that drains it, or brings its traffic back.
    pub drain_command: String,
}
