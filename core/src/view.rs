//! What the page shows: levels, sentences, ranks and groups, decided from what one member knows.
//!
//! ```text
//!  State ────────── Catalog ──┐
//!  heard by all members ──────┼──▶ Picture ──▶ overview, services, clusters, topology
//!  gateways' figures ─────────┘       └── and the State ──▶ one service, one cluster
//! ```
//!
//! A catalog is made once per revision, a picture once per look; the views are small steps from
//! there. What must hold: nothing is healthy that nobody said is; proportions are counts, never
//! the worst member; every list has a bound and says what it left out.

mod access;
mod calls;
mod card;
mod catalog;
mod changes;
mod cluster;
mod failover;
mod figures;
mod level;
mod overview;
mod picture;
mod service;
mod services;
mod since;
mod text;
mod topology;

use rialto_types::api::MemberStatus;
use rialto_types::cluster::SubscriberStatus;
use rialto_types::traffic::Gap;

use crate::heard::AgentReport;

pub use catalog::Catalog;
pub use changes::changes;
pub use cluster::Cluster;
pub use figures::Figures;
pub use picture::Picture;
pub use since::Since;

/// What all members together hear, with ages.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Heard {
    pub agents: Vec<AgentReport>,
    pub subscribers: Vec<SubscriberStatus>,
    pub members: Vec<MemberStatus>,
    /// Members that do not answer.
    pub gaps: Vec<Gap>,
}

#[cfg(test)]
pub(crate) mod show;
#[cfg(test)]
mod tests;
