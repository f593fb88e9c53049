//! The cluster's API server, as far as the agent needs it. Its shapes do not leave this folder and
//! `provider/kubernetes`.
//!
//! - [`api`]: sessions, requests, watches, refusals
//! - [`object`]: the kinds, trimmed to what is used
//! - [`import`]: the Services by which pods reach what other clusters export
//! - [`identity`]: the agent's identity, kept in one Secret
//! - [`examine`]: what a person has to put right in the cluster
//! - [`mcs`]: ServiceImports, their EndpointSlices, and the conditions of ServiceExports
//! - [`lease`]: one agent at a time
//! - [`review`]: whose service account's token it is

pub mod api;
pub mod examine;
pub mod identity;
pub mod import;
pub mod lease;
pub mod mcs;
pub mod object;
pub mod review;
