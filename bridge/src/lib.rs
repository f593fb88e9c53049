//! The global control plane: Raft-replicated intent, certificate authority, publishing, REST.
//!
//! ```text
//!  REST ──▶ service ──propose──▶ raft ──apply──▶ store ──▶ publish ──▶ gateways, DNS proxies
//!  gRPC ──▶    │                                   │
//!              └── observed (soft state) ◀─────────┴── agents, subscribers, other members
//! ```
//!
//! - [`run`]: starts a member; [`config`]: its settings
//! - `start`: first, joining or again
//! - [`raft`]: the replicated log, from the node to its peers
//! - [`store`]: the applied state
//! - [`publish`]: snapshots and deltas
//! - [`observed`]: who is heard; [`members`]: what the other members hear
//! - `traffic`: what gateways count, from all members
//! - [`authority`]: issues certificates, seals issuer keys, makes the secrets of tokens
//! - `service`: what a member does for others
//! - `views`: what the page is shown
//! - `ui`: the page that this binary carries
//! - `session`: browsers that are signed in
//! - `metrics`: every metric
//! - `long`: work that nobody who accepts or answers may wait for

pub mod authority;
mod config;
mod long;
pub mod members;
mod metrics;
pub mod observed;
pub mod publish;
pub mod raft;
mod run;
mod service;
mod session;
mod start;
pub mod store;
mod traffic;
mod ui;
mod views;

pub use config::Config;
pub use run::run;
