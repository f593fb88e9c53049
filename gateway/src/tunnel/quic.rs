//! The QUIC carrier: only this module knows `quinn`.
//!
//! One endpoint per worker dials and accepts on one UDP socket. The settings are those measured as
//! variant A of our tunnel experiments: large socket buffers, a small send window on short paths,
//! chunks in and out.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError, Weak};
use std::time::Duration;

use quinn::{ConnectionError, VarInt};
use rialto_types::limits;
use rustls::pki_types::CertificateDer;
use tokio::time::{Instant, MissedTickBehavior};

use super::{ConnectionId, ConnectionLost, ConnectionStats, Load};

mod endpoint;
mod stray;
mod stream;

pub use endpoint::{BindError, Congestion, DialError, Endpoint, Incoming, Settings, Tls};
pub use stray::Strays;
pub(super) use stream::{RecvStream, SendStream};

/// Application close codes of a connection.
const CLOSE_NORMAL: VarInt = VarInt::from_u32(0);
const CLOSE_SILENT: VarInt = VarInt::from_u32(1);

/// RFC 9000 18.2: the default of `max_ack_delay`, part of the probe timeout.
const ACK_DELAY_MAX: Duration = Duration::from_millis(25);

/// One QUIC connection, its watch and its load.
#[derive(Debug)]
pub struct Connection {
    id: ConnectionId,
    connection: quinn::Connection,
    peer_certificates: Vec<CertificateDer<'static>>,
    load: Arc<Load>,
    silence_us: AtomicU64,
    lost: OnceLock<ConnectionLost>,
    /// Streams that were finished and dropped while the connection was retired: their last bytes
    /// may still be on their way.
    lingering: Mutex<Vec<quinn::SendStream>>,
    watch: OnceLock<tokio::task::AbortHandle>,
}

impl Connection {
    fn start(connection: quinn::Connection, send_window_bytes: u64) -> super::Connection {
        let peer_certificates = connection
            .peer_identity()
            .and_then(|identity| identity.downcast::<Vec<CertificateDer<'static>>>().ok())
            .map(|certificates| *certificates)
            .unwrap_or_default();
        let this = Arc::new(Self {
            id: ConnectionId::next(),
            connection,
            peer_certificates,
            load: Arc::default(),
            silence_us: AtomicU64::new(0),
            lost: OnceLock::new(),
            lingering: Mutex::default(),
            watch: OnceLock::new(),
        });
        let watch = tokio::spawn(watch(Arc::downgrade(&this), send_window_bytes));
        // Set once, here: the connection was made three lines above.
        let _ = this.watch.set(watch.abort_handle());
        super::Connection::quic(this)
    }

    pub(super) fn id(&self) -> ConnectionId {
        self.id
    }

    pub(super) fn peer_certificates(&self) -> &[CertificateDer<'static>] {
        &self.peer_certificates
    }

    pub(super) fn remote_address(&self) -> SocketAddr {
        self.connection.remote_address()
    }

    pub(super) fn load(&self) -> &Load {
        &self.load
    }

    pub(super) async fn open(
        self: &Arc<Self>,
    ) -> Result<(super::SendStream, super::RecvStream), ConnectionLost> {
        let (send, recv) = self.connection.open_bi().await.map_err(|error| self.lost(&error))?;
        Ok(self.wrap(send, recv))
    }

    pub(super) async fn accept(
        self: &Arc<Self>,
    ) -> Result<(super::SendStream, super::RecvStream), ConnectionLost> {
        let (send, recv) = self.connection.accept_bi().await.map_err(|error| self.lost(&error))?;
        Ok(self.wrap(send, recv))
    }

    pub(super) async fn open_control(
        self: &Arc<Self>,
    ) -> Result<super::SendStream, ConnectionLost> {
        let send = self.connection.open_uni().await.map_err(|error| self.lost(&error))?;
        // Counted on a load of its own: it lives as long as the connection and is no flow.
        let send = SendStream::new(send, Arc::clone(self));
        Ok(super::SendStream::quic(send, &Arc::default()))
    }

    pub(super) async fn accept_control(
        self: &Arc<Self>,
    ) -> Result<super::RecvStream, ConnectionLost> {
        let recv = self.connection.accept_uni().await.map_err(|error| self.lost(&error))?;
        Ok(super::RecvStream::quic(RecvStream::new(recv, Arc::clone(self)), &Arc::default()))
    }

    fn wrap(
        self: &Arc<Self>,
        send: quinn::SendStream,
        recv: quinn::RecvStream,
    ) -> (super::SendStream, super::RecvStream) {
        let send = SendStream::new(send, Arc::clone(self));
        let recv = RecvStream::new(recv, Arc::clone(self));
        (super::SendStream::quic(send, &self.load), super::RecvStream::quic(recv, &self.load))
    }

    pub(super) fn close(&self, reason: &str) {
        let _ = self.lost.set(ConnectionLost::ClosedHere);
        self.connection.close(CLOSE_NORMAL, reason.as_bytes());
    }

    pub(super) async fn closed(&self) -> ConnectionLost {
        let error = self.connection.closed().await;
        self.lost(&error)
    }

    pub(super) fn is_closed(&self) -> bool {
        self.connection.close_reason().is_some()
    }

    pub(super) fn silence(&self) -> Duration {
        Duration::from_micros(self.silence_us.load(Ordering::Relaxed))
    }

    /// The part of `stats` that each flow asks for, without the cost of the rest.
    pub(super) fn round_trip(&self) -> Duration {
        self.connection.rtt()
    }

    pub(super) fn stats(&self) -> ConnectionStats {
        let stats = self.connection.stats();
        ConnectionStats {
            round_trip: stats.path.rtt,
            probe_timeout: probe_timeout(stats.path.rtt),
            packets_sent: stats.path.sent_packets,
            packets_lost: stats.path.lost_packets,
            bytes_sent: stats.udp_tx.bytes,
            bytes_received: stats.udp_rx.bytes,
            mtu: stats.path.current_mtu,
        }
    }

    pub(super) async fn drained(&self) {
        self.load.idle().await;
        let lingering =
            std::mem::take(&mut *self.lingering.lock().unwrap_or_else(PoisonError::into_inner));
        for stream in &lingering {
            // An error here means that the connection is gone, and with it the wait.
            let _ = stream.stopped().await;
        }
        // Streams dropped just before `retire` are in nobody's list; what they left unacknowledged
        // is repeated within one probe timeout.
        let probe = probe_timeout(self.connection.rtt());
        let _ = tokio::time::timeout(3 * probe, self.connection.closed()).await;
    }

    /// The watch knows better than `quinn` why it closed the connection.
    fn lost(&self, error: &ConnectionError) -> ConnectionLost {
        self.lost.get().cloned().unwrap_or_else(|| convert_lost(error))
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        if let Some(watch) = self.watch.get() {
            watch.abort();
        }
    }
}

/// Ends the connection after max(1 s, 3 probe timeouts) in which nothing was received, and fits the
/// send window to the path.
async fn watch(connection: Weak<Connection>, send_window_bytes: u64) {
    let mut ticks = tokio::time::interval(limits::TUNNEL_WATCH_INTERVAL);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut received = 0;
    let mut silence = Duration::ZERO;
    let mut before = Instant::now();
    loop {
        let now = ticks.tick().await;
        let Some(connection) = connection.upgrade() else {
            return;
        };
        if connection.is_closed() {
            return;
        }
        let stats = connection.connection.stats();
        // A longer step means that this process did not run; that is not the peer's silence.
        silence += now.duration_since(before).min(2 * limits::TUNNEL_WATCH_INTERVAL);
        before = now;
        if stats.udp_rx.datagrams != received {
            received = stats.udp_rx.datagrams;
            silence = Duration::ZERO;
        }
        let silence_us = u64::try_from(silence.as_micros()).unwrap_or(u64::MAX);
        connection.silence_us.store(silence_us, Ordering::Relaxed);
        if silence >= silence_max(stats.path.rtt) {
            let _ = connection.lost.set(ConnectionLost::Silent(silence));
            connection.connection.close(CLOSE_SILENT, b"nothing received");
            return;
        }
        let window = send_window(stats.path.rtt, stats.path.cwnd, send_window_bytes);
        connection.connection.set_send_window(window);
    }
}

/// RFC 9002 6.2.1, with the variation taken as a quarter of the round trip, because `quinn` does
/// not show it.
fn probe_timeout(round_trip: Duration) -> Duration {
    2 * round_trip + ACK_DELAY_MAX
}

fn silence_max(round_trip: Duration) -> Duration {
    limits::PEER_SILENCE_MIN.max(limits::PEER_SILENCE_PTOS * probe_timeout(round_trip))
}

/// On a long path the sender must hold what is in flight and what may have to be repeated.
fn send_window(round_trip: Duration, congestion_window: u64, short: u64) -> u64 {
    if round_trip < limits::TUNNEL_SHORT_PATH {
        return short;
    }
    congestion_window
        .saturating_mul(2)
        .clamp(short, limits::TUNNEL_SEND_WINDOW_BYTES_MAX.max(short))
}

fn convert_lost(error: &ConnectionError) -> ConnectionLost {
    match error {
        ConnectionError::LocallyClosed => ConnectionLost::ClosedHere,
        ConnectionError::ApplicationClosed(close) => {
            ConnectionLost::ClosedByPeer(String::from_utf8_lossy(&close.reason).into_owned())
        }
        ConnectionError::TimedOut => {
            ConnectionLost::Silent(Duration::from_millis(u64::from(limits::TUNNEL_IDLE_TIMEOUT_MS)))
        }
        ConnectionError::VersionMismatch
        | ConnectionError::TransportError(_)
        | ConnectionError::ConnectionClosed(_)
        | ConnectionError::Reset
        | ConnectionError::CidsExhausted => ConnectionLost::Carrier(error.to_string()),
    }
}

#[cfg(test)]
mod tests;
