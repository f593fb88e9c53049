//! The receiving side of the snapshot stream and of the local table.
//!
//! ```text
//! bridge ──Delta(parts)──▶ Assembly ──whole, hashes checked──▶ Receiver::apply ──▶ ack | refused
//!                             │
//!                             └─▶ last good on disk (two generations), served after a restart
//! ```
//!
//! A stream that breaks is dialled again with backoff; an older revision is never taken.

mod assembly;
mod backoff;
mod disk;
mod snapshot;
mod table;

use std::future::Future;
use std::sync::Arc;

use rialto_types::api::{ExplainRequest, Explanation};
use rialto_types::error::Problem;
use rialto_types::local::LocalTable;
use rialto_types::snapshot::Snapshot;
use rialto_types::traffic;

pub use assembly::{Assembled, Assembly, Refusal};
pub use backoff::Backoff;
pub use disk::{Disk, Error as DiskError};
pub use snapshot::{Config, Dial, State, follow_snapshot};
pub use table::{TableConfig, follow_table, restore_table};

/// What a gateway or DNS proxy does with what it receives.
pub trait Receiver: Send + Sync + 'static {
    /// Puts the snapshot into service; returns when every worker serves it. An error is sent to
    /// the bridge as a refusal, and the one before stays in service.
    fn apply(&self, snapshot: Arc<Snapshot>) -> impl Future<Output = Result<(), String>> + Send;

    /// Puts the local table into service.
    fn apply_table(&self, table: Arc<LocalTable>) -> impl Future<Output = ()> + Send;

    /// Explains a made-up request with the health that this part itself sees.
    fn explain(
        &self,
        request: ExplainRequest,
    ) -> impl Future<Output = Result<Explanation, Problem>> + Send;

    /// What to tell the bridge of traffic next, once there is something. A future that is dropped
    /// takes nothing with it. A part that carries no traffic has nothing to tell.
    fn next_traffic(&self) -> impl Future<Output = traffic::Report> + Send {
        std::future::pending()
    }
}
