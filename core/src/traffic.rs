//! The gateways' figures: kept for five minutes, merged from all members, and asked.
//!
//! ```text
//!   report of a gateway ──> Rings of the member that it talks to ──┐
//!   other members' Rings, mirrored ────────────────────────────────┼──> Window ──> rates, series,
//!   gateways that should report, members that do not answer ───────┘               links, gaps
//! ```
//!
//! What must hold: nothing that was not reported is shown as zero. A gateway that should report and
//! does not, and a member that does not answer, are gaps with a name; a step in which nobody who
//! carries the traffic reported has no value. Figures are kept in bounds: what does not fit makes
//! the past shorter, never wrong.

mod ring;
mod tally;
mod window;

use rialto_types::id::{ClusterName, InstanceId, ServiceName, SpiffeId};

pub use ring::{Page, Refused, Rings, Told};
pub use window::{Silent, Sources, Window};

/// Which gateway of the federation.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Gateway {
    pub cluster: ClusterName,
    pub id: InstanceId,
}

/// What a query looks at: between whom some traffic went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Flow<'a> {
    /// The caller's cluster.
    pub from: &'a ClusterName,
    /// The gateway near the caller, which counted.
    pub gateway: &'a InstanceId,
    /// What was dialled; `None` for what the gateway had to sum up.
    pub service: Option<&'a ServiceName>,
    /// What the route chose; `None` if no choice was possible.
    pub backend: Option<&'a ServiceName>,
    /// The cluster that served, or was tried last; `None` if none was tried.
    pub to: Option<&'a ClusterName>,
    /// `None` if the agent does not know the caller.
    pub caller: Option<&'a SpiffeId>,
}

#[cfg(test)]
mod tests;
