//! Rialto's vocabulary: what every part and every outsider calls things.
//!
//! - [`id`]: names that are valid because they exist
//! - [`object`]: the one shape of every resource, and the kinds
//! - [`owner`]: who may change one
//! - [`cluster`], [`service`], [`route`], [`policy`]: specs and status, by subject
//! - [`api`]: what REST answers besides resources
//! - [`import`]: what the Multi-Cluster Services API says of a service
//! - [`report`]: what a cluster says upward
//! - [`finding`]: what an agent found out about its cluster, for people
//! - [`snapshot`], [`local`]: what a gateway or DNS proxy gets from the bridge and from its agent
//! - [`traffic`]: what gateways count of what they carry, and what is told of it
//! - [`token`]: what a join token carries
//! - [`session`]: how a person's browser signs in
//! - [`view`]: what the web page shows
//! - [`error`]: the table of error codes
//! - [`limits`]: every bound, with unit and reason
//! - [`duration`]: durations as text
//! - [`command`]: the command line that does the same

pub mod api;
pub mod cluster;
pub mod command;
pub mod duration;
pub mod error;
pub mod finding;
pub mod id;
pub mod import;
pub mod limits;
pub mod local;
pub mod object;
pub mod owner;
pub mod policy;
pub mod report;
pub mod route;
pub mod service;
pub mod session;
pub mod snapshot;
pub mod token;
pub mod traffic;
pub mod view;
