//! One per cluster or VM fleet: reads the local registry, reports up, feeds gateways and DNS.
//!
//! - [`provider`]: what a registry says; the static file, Kubernetes
//! - [`kubernetes`]: the API server of the cluster that the agent runs in
//! - [`check`]: active health checks
//! - [`fold`]: both of these into the local table and the report
//! - [`gateways`]: the own cluster's gateways
//! - `documents`: the task that owns table and report; `control`: the whole
//! - [`link`]: the session with the bridge
//! - [`feed`]: certificates and the local table for gateways and DNS proxies

pub mod check;
pub mod config;
mod control;
mod documents;
pub mod feed;
pub mod fold;
pub mod gateways;
pub mod kubernetes;
pub mod link;
pub mod metrics;
pub mod provider;

pub use config::Config;
pub use control::run;
