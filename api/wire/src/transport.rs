//! gRPC connections: mutual TLS between machines, Unix sockets on one machine.
//!
//! ```text
//!   accept --> handshake (own task, bounded, timed) --> HTTP/2 --> Routes
//!                                                         \__ request extension: PeerIdentity
//! ```
//!
//! TLS is ours on both sides, because tonic's own takes no verifier. Message limits belong to each
//! tonic service: set `max_decoding_message_size` to `limits::GRPC_MESSAGE_BYTES_MAX`.

mod client;
mod server;

use rialto_types::id::SpiffeId;

pub use client::{Error, connect, connect_local, connect_pinned};
pub use server::{bind_local, serve, serve_local};

/// HTTP/2, the only protocol of the control listeners.
pub const ALPN: &[u8] = b"h2";

/// Request extension: who sent the request over mutual TLS; `None` is a client without certificate,
/// whom only a service that says so may answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PeerIdentity(pub Option<SpiffeId>);

/// Request extension: which user's process sent the request over a Unix socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PeerUser {
    pub uid: u32,
}

#[cfg(test)]
mod tests;
