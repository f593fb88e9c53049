//! How messages leave for the other members; the raft thread never waits for a peer.

use std::path::PathBuf;

use bytes::Bytes;

use super::MemberId;

pub mod client;
mod convert;
pub mod forward;
pub mod server;
#[cfg(test)]
mod tests;

/// The way to the other members. Must not block: a queue per peer, bounded, and what does not fit
/// is dropped, which raft repairs.
pub trait Peers: Send {
    /// An error says that the message was dropped; raft then probes before it sends more.
    fn send(&self, to: MemberId, message: Bytes) -> Result<(), Unreachable>;

    /// Sends the file, then the message that announces it. However it ends,
    /// `Raft::report_snapshot` must be called, or `to` never gets another entry.
    fn send_snapshot(&self, to: MemberId, message: Bytes, file: PathBuf);
}

#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("member {0} cannot be reached now")]
pub struct Unreachable(pub MemberId);

/// For a federation with one member.
#[derive(Debug)]
pub struct NoPeers;

impl Peers for NoPeers {
    fn send(&self, to: MemberId, _message: Bytes) -> Result<(), Unreachable> {
        Err(Unreachable(to))
    }

    fn send_snapshot(&self, _to: MemberId, _message: Bytes, _file: PathBuf) {}
}
