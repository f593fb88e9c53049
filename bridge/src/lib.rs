//! The global control plane: Raft-replicated intent, certificate authority, publishing, REST.

pub mod raft;
