//! The global control plane: Raft-replicated intent, certificate authority, publishing, REST.
//!
//! - [`authority`]: issues certificates, seals issuer keys, makes the secrets of tokens
//! - [`raft`]: the replicated log, from the node to its peers

pub mod authority;
pub mod raft;
