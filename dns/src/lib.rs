//! The DNS proxy: federated names to virtual IPs, everything else forwarded.
//!
//! ```text
//!   query ─> server ─> convert ─> names (core::answer) ─> answer
//!                         └─ not ours ─> forward ─> cache, upstream resolvers
//!   control: identity, subscriptions, admin endpoints
//! ```

pub mod config;
mod control;
mod convert;
mod forward;
mod listen;
mod metrics;
mod names;
mod packet;
mod server;
mod sources;

pub use config::Config;
pub use control::run;

#[cfg(test)]
mod testing;
