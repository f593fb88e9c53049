//! The east-west gateway: capture, tunnel, relay, balancing, enforcement.
//!
//! ```text
//!   workload ─> ingress ─> relay, http1 ─> tunnel ══ QUIC ══> tunnel ─> relay, http1 ─> endpoint
//!                   choose, authorize (core)                   authorize, choose (core)
//!                                 worker: snapshot, local table, health
//!                                 control: subscriptions, certificates, admin
//! ```

pub mod access_log;
pub mod config;
mod control;
mod http1;
mod ingress;
pub mod metrics;
mod observe;
mod relay;
mod scratch;
mod traffic;
pub mod tunnel;
pub mod worker;

pub use config::Config;
pub use control::{Gateway, run};
