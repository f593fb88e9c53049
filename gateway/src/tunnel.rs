//! The stream interface between flows and whatever carries them to another gateway.
//!
//! ```text
//!  relay, http1 ──> SendStream / RecvStream ──> Connection ──> carrier (QUIC; later TLS over TCP)
//!       pool ─────────────────────────────────────┘
//! ```
//!
//! Carriers are a closed enum, not a trait: there will be two, both ours, every call on the hot
//! path is dispatched without a pointer, and the compiler lists each place that a new carrier has
//! to fill. Another QUIC driver replaces the inside of `quic` and nothing else.

mod error;
pub mod header;
mod load;
pub mod message;
pub mod pool;
pub mod quic;
mod stream;

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use rialto_types::limits;
use tokio::time::{Instant, sleep};

pub use error::{ConnectionLost, ResetCode, StreamError};
pub use load::Load;
pub use stream::{CHUNKS_PER_READ, RecvStream, SendStream, Written};

/// One connection to a peer gateway. Clones are handles on the same connection.
#[derive(Debug, Clone)]
pub struct Connection {
    carrier: Carrier,
}

#[derive(Debug, Clone)]
enum Carrier {
    Quic(Arc<quic::Connection>),
}

/// A number for logs, unique in the process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConnectionId(u64);

impl ConnectionId {
    pub(crate) fn next() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        Self(NEXT.fetch_add(1, Ordering::Relaxed))
    }
}

impl fmt::Display for ConnectionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// What the carrier knows of the path, for choice, timeouts and metrics.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ConnectionStats {
    pub round_trip: Duration,
    /// The probe timeout (RFC 9002 6.2.1), or what comes near it on another carrier.
    pub probe_timeout: Duration,
    pub packets_sent: u64,
    pub packets_lost: u64,
    pub bytes_sent: u64,
    pub bytes_received: u64,
    pub mtu: u16,
}

impl Connection {
    fn quic(connection: Arc<quic::Connection>) -> Self {
        Self { carrier: Carrier::Quic(connection) }
    }

    pub fn id(&self) -> ConnectionId {
        match &self.carrier {
            Carrier::Quic(connection) => connection.id(),
        }
    }

    /// The certificates that the peer proved at the handshake, its own first.
    pub fn peer_certificates(&self) -> &[rustls::pki_types::CertificateDer<'static>] {
        match &self.carrier {
            Carrier::Quic(connection) => connection.peer_certificates(),
        }
    }

    pub fn remote_address(&self) -> SocketAddr {
        match &self.carrier {
            Carrier::Quic(connection) => connection.remote_address(),
        }
    }

    /// Opens a stream. The peer learns of it with the first bytes, so write the header at once:
    /// a stream opened and not written would be accepted out of turn.
    pub async fn open(&self) -> Result<(SendStream, RecvStream), ConnectionLost> {
        match &self.carrier {
            Carrier::Quic(connection) => connection.open().await,
        }
    }

    /// The next stream that the peer opened.
    pub async fn accept(&self) -> Result<(SendStream, RecvStream), ConnectionLost> {
        match &self.carrier {
            Carrier::Quic(connection) => connection.accept().await,
        }
    }

    /// Opens the one stream for messages about the connection itself.
    pub async fn open_control(&self) -> Result<SendStream, ConnectionLost> {
        match &self.carrier {
            Carrier::Quic(connection) => connection.open_control().await,
        }
    }

    pub async fn accept_control(&self) -> Result<RecvStream, ConnectionLost> {
        match &self.carrier {
            Carrier::Quic(connection) => connection.accept_control().await,
        }
    }

    /// Cuts the connection and all its streams at once.
    pub fn close(&self, reason: &str) {
        match &self.carrier {
            Carrier::Quic(connection) => connection.close(reason),
        }
    }

    /// Resolves when the connection has ended, whoever ended it.
    pub async fn closed(&self) -> ConnectionLost {
        match &self.carrier {
            Carrier::Quic(connection) => connection.closed().await,
        }
    }

    pub fn is_closed(&self) -> bool {
        match &self.carrier {
            Carrier::Quic(connection) => connection.is_closed(),
        }
    }

    pub fn stats(&self) -> ConnectionStats {
        match &self.carrier {
            Carrier::Quic(connection) => connection.stats(),
        }
    }

    fn round_trip(&self) -> Duration {
        match &self.carrier {
            Carrier::Quic(connection) => connection.round_trip(),
        }
    }

    /// How long an answer may take before another gateway is tried (design.md 7).
    pub fn answer_time_max(&self) -> Duration {
        limits::SILENCE_MIN.max(limits::SILENCE_ROUND_TRIPS * self.round_trip())
    }

    /// Resolves when it is time to look elsewhere for an answer: after `answer_time_max` if the
    /// peer was not heard at all in its second half. A peer that is heard is only busy and gets
    /// longer, or a burst of flows would be tried everywhere at once.
    pub async fn unanswered(&self) {
        let half = self.answer_time_max() / 2;
        let latest = Instant::now() + limits::SLOW_ANSWER_TIME_MAX;
        loop {
            sleep(half).await;
            let heard = self.stats().bytes_received;
            sleep(half).await;
            if self.stats().bytes_received == heard || Instant::now() >= latest {
                return;
            }
        }
    }

    /// How long nothing has been received, in steps of the watch.
    pub fn silence(&self) -> Duration {
        match &self.carrier {
            Carrier::Quic(connection) => connection.silence(),
        }
    }

    pub fn load(&self) -> &Load {
        match &self.carrier {
            Carrier::Quic(connection) => connection.load(),
        }
    }

    /// Resolves when every stream has ended and its last byte was acknowledged by the peer.
    /// Call it after `Load::retire`.
    pub async fn drained(&self) {
        match &self.carrier {
            Carrier::Quic(connection) => connection.drained().await,
        }
    }
}

#[cfg(test)]
mod tests;
