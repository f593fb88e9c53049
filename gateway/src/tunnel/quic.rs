//! The QUIC carrier: the only file that knows `quinn`.
//!
//! One endpoint per worker dials and accepts on one UDP socket. The settings are those measured as
//! variant A of our tunnel experiments: large socket buffers, a small send window on short paths,
//! chunks in and out.

use std::io;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError, Weak};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use arc_swap::ArcSwap;
use bytes::Bytes;
use nix::sys::socket::{setsockopt, sockopt};
use quinn::crypto::rustls::{QuicClientConfig, QuicServerConfig};
use quinn::{ConnectionError, TransportConfig, VarInt};
use rialto_types::limits;
use rustls::pki_types::CertificateDer;
use tokio::io::ReadBuf;
use tokio::time::{Instant, MissedTickBehavior};

use super::{ConnectionId, ConnectionLost, ConnectionStats, Load, ResetCode, StreamError, Written};

/// The application protocol of the tunnel; a change to the stream header's meaning changes it.
const ALPN: &[u8] = b"rialto/1";

/// Application close codes of a connection.
const CLOSE_NORMAL: VarInt = VarInt::from_u32(0);
const CLOSE_SILENT: VarInt = VarInt::from_u32(1);

/// How often a connection is looked at for silence and its window set to the path.
const WATCH_INTERVAL: Duration = Duration::from_millis(100);

/// A quarter of the silence bound, so that three probes are lost before a peer counts as dead.
const KEEP_ALIVE: Duration = Duration::from_millis(250);

/// `quinn`'s own timer is only the net below the watch, which knows when this process was stopped.
const IDLE_TIMEOUT_MS: u32 = 10_000;

/// RFC 9002 6.2.2 recommends 333 ms for a path of which nothing is known. Rialto's paths are
/// shorter, and a lost first packet waits three times this.
const INITIAL_ROUND_TRIP: Duration = Duration::from_millis(100);

/// RFC 9000 18.2: the default of `max_ack_delay`, part of the probe timeout.
const ACK_DELAY_MAX: Duration = Duration::from_millis(25);

/// Paths shorter than this keep the small send window: a large one only costs cache.
const SHORT_PATH: Duration = Duration::from_millis(3);

/// What may be set about the carrier; the defaults are the measured ones.
#[derive(Debug, Clone)]
pub struct Settings {
    pub listen: SocketAddr,
    /// The largest UDP payload that is probed for: 1,472 on Ethernet, up to 6,500 with jumbo
    /// frames. Above that ten segments no longer fit one call and are lost (`EMSGSIZE`).
    pub mtu_max: u16,
    pub send_window_bytes: u64,
    pub congestion: Congestion,
}

impl Settings {
    pub fn new(listen: SocketAddr) -> Self {
        Self {
            listen,
            mtu_max: limits::TUNNEL_MTU_MAX,
            send_window_bytes: limits::TUNNEL_SEND_WINDOW_BYTES,
            congestion: Congestion::Cubic,
        }
    }
}

/// The seam for congestion control: a controller of our own becomes a variant here and is adapted
/// to `quinn`'s trait below.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Congestion {
    Cubic,
}

impl Congestion {
    fn factory(self) -> Arc<dyn quinn::congestion::ControllerFactory + Send + Sync> {
        match self {
            Self::Cubic => Arc::new(quinn::congestion::CubicConfig::default()),
        }
    }
}

/// The two sides' TLS settings. Verifiers and certificates are the caller's; protocol name and
/// resumption are set here, because a resumed handshake would skip the verifiers.
#[derive(Debug, Clone)]
pub struct Tls {
    pub client: Arc<rustls::ClientConfig>,
    pub server: Arc<rustls::ServerConfig>,
}

#[derive(Debug, thiserror::Error)]
pub enum BindError {
    #[error("cannot open the tunnel's UDP socket on {address}; is another gateway using it?")]
    Socket {
        address: SocketAddr,
        #[source]
        source: io::Error,
    },
    #[error("the TLS settings cannot be used for QUIC: TLS 1.3 with AES-128-GCM is needed")]
    Tls,
}

#[derive(Debug, thiserror::Error)]
pub enum DialError {
    #[error("cannot dial {address}: {reason}")]
    Start { address: SocketAddr, reason: String },
    #[error("handshake with {address} failed")]
    Handshake {
        address: SocketAddr,
        #[source]
        source: ConnectionLost,
    },
}

/// The UDP socket and everything that runs over it.
#[derive(Debug)]
pub struct Endpoint {
    endpoint: quinn::Endpoint,
    transport: Arc<TransportConfig>,
    client: ArcSwap<quinn::ClientConfig>,
    send_window_bytes: u64,
}

impl Endpoint {
    /// Must be called on the runtime that will drive the endpoint.
    pub fn bind(settings: &Settings, tls: &Tls) -> Result<Self, BindError> {
        let socket_error = |source| BindError::Socket { address: settings.listen, source };
        let socket = open_socket(settings.listen).map_err(socket_error)?;
        let transport = Arc::new(transport(settings));
        let endpoint = quinn::Endpoint::new(
            quinn::EndpointConfig::default(),
            Some(server_config(&tls.server, &transport)?),
            socket,
            Arc::new(quinn::TokioRuntime),
        )
        .map_err(socket_error)?;
        let client = ArcSwap::from_pointee(client_config(&tls.client, &transport)?);
        Ok(Self { endpoint, transport, client, send_window_bytes: settings.send_window_bytes })
    }

    /// New connections use these settings; the old ones keep theirs until they are retired.
    pub fn set_tls(&self, tls: &Tls) -> Result<(), BindError> {
        let server = server_config(&tls.server, &self.transport)?;
        let client = client_config(&tls.client, &self.transport)?;
        self.endpoint.set_server_config(Some(server));
        self.client.store(Arc::new(client));
        Ok(())
    }

    pub fn local_address(&self) -> io::Result<SocketAddr> {
        self.endpoint.local_addr()
    }

    pub async fn dial(
        &self,
        address: SocketAddr,
        server_name: &str,
    ) -> Result<super::Connection, DialError> {
        let client = quinn::ClientConfig::clone(&self.client.load());
        let connecting = self
            .endpoint
            .connect_with(client, address, server_name)
            .map_err(|error| DialError::Start { address, reason: error.to_string() })?;
        let connection = connecting
            .await
            .map_err(|error| DialError::Handshake { address, source: convert_lost(&error) })?;
        Ok(Connection::start(connection, self.send_window_bytes))
    }

    /// The next peer that dials; `None` once the endpoint is closed.
    pub async fn accept(&self) -> Option<Incoming> {
        let incoming = self.endpoint.accept().await?;
        Some(Incoming { incoming, send_window_bytes: self.send_window_bytes })
    }

    /// Accepts nobody from here on. Standing connections are untouched.
    pub fn stop_accepting(&self) {
        self.endpoint.set_server_config(None);
    }

    /// Cuts what is left and waits until the peers have been told.
    pub async fn close(&self, reason: &str) {
        self.endpoint.close(CLOSE_NORMAL, reason.as_bytes());
        self.endpoint.wait_idle().await;
    }
}

/// A peer that has sent its first packet and proved nothing yet.
#[derive(Debug)]
pub struct Incoming {
    incoming: quinn::Incoming,
    send_window_bytes: u64,
}

impl Incoming {
    pub fn remote_address(&self) -> SocketAddr {
        self.incoming.remote_address()
    }

    /// Whether the peer has shown that it receives at the address it claims.
    pub fn is_validated(&self) -> bool {
        self.incoming.remote_address_validated()
    }

    /// Asks the peer to come again with proof of its address; costs us no state.
    pub fn ask_for_validation(self) {
        // Refused only where validation was already done, and then the peer simply tries again.
        let _ = self.incoming.retry();
    }

    pub fn refuse(self) {
        self.incoming.refuse();
    }

    pub async fn handshake(self) -> Result<super::Connection, ConnectionLost> {
        let connecting = self.incoming.accept().map_err(|error| convert_lost(&error))?;
        let connection = connecting.await.map_err(|error| convert_lost(&error))?;
        Ok(Connection::start(connection, self.send_window_bytes))
    }
}

fn server_config(
    tls: &rustls::ServerConfig,
    transport: &Arc<TransportConfig>,
) -> Result<quinn::ServerConfig, BindError> {
    let mut tls = tls.clone();
    tls.alpn_protocols = vec![ALPN.to_vec()];
    tls.send_tls13_tickets = 0;
    tls.session_storage = Arc::new(rustls::server::NoServerSessionStorage {});
    tls.max_early_data_size = 0;
    let crypto = QuicServerConfig::try_from(tls).map_err(|_| BindError::Tls)?;
    let mut config = quinn::ServerConfig::with_crypto(Arc::new(crypto));
    config.transport_config(Arc::clone(transport));
    config.max_incoming(limits::TUNNEL_HANDSHAKES_MAX);
    Ok(config)
}

fn client_config(
    tls: &rustls::ClientConfig,
    transport: &Arc<TransportConfig>,
) -> Result<quinn::ClientConfig, BindError> {
    let mut tls = tls.clone();
    tls.alpn_protocols = vec![ALPN.to_vec()];
    tls.resumption = rustls::client::Resumption::disabled();
    tls.enable_early_data = false;
    let crypto = QuicClientConfig::try_from(tls).map_err(|_| BindError::Tls)?;
    let mut config = quinn::ClientConfig::new(Arc::new(crypto));
    config.transport_config(Arc::clone(transport));
    Ok(config)
}

fn transport(settings: &Settings) -> TransportConfig {
    let mut discovery = quinn::MtuDiscoveryConfig::default();
    discovery.upper_bound(settings.mtu_max);
    let mut transport = TransportConfig::default();
    transport
        .max_concurrent_bidi_streams(limits::TUNNEL_STREAMS_MAX.into())
        .max_concurrent_uni_streams(1u32.into())
        .stream_receive_window(limits::TUNNEL_STREAM_WINDOW_BYTES.into())
        .receive_window(limits::TUNNEL_CONNECTION_WINDOW_BYTES.into())
        .send_window(settings.send_window_bytes)
        .max_idle_timeout(Some(VarInt::from_u32(IDLE_TIMEOUT_MS).into()))
        .keep_alive_interval(Some(KEEP_ALIVE))
        .initial_rtt(INITIAL_ROUND_TRIP)
        .mtu_discovery_config(Some(discovery))
        .datagram_receive_buffer_size(None)
        .congestion_controller_factory(settings.congestion.factory());
    transport
}

/// Default socket buffers lose packets under bursts, and each loss costs the connection its window.
fn open_socket(address: SocketAddr) -> io::Result<std::net::UdpSocket> {
    let socket = socket2::Socket::new(
        socket2::Domain::for_address(address),
        socket2::Type::DGRAM,
        Some(socket2::Protocol::UDP),
    )?;
    socket.set_nonblocking(true)?;
    let wanted = limits::TUNNEL_SOCKET_BUFFER_BYTES;
    // The forced form passes over the system's bound and needs CAP_NET_ADMIN.
    if setsockopt(&socket, sockopt::RcvBufForce, &wanted).is_err() {
        socket.set_recv_buffer_size(wanted)?;
    }
    if setsockopt(&socket, sockopt::SndBufForce, &wanted).is_err() {
        socket.set_send_buffer_size(wanted)?;
    }
    // The kernel reports twice what was asked for, because it counts its own overhead.
    let granted_receive = socket.recv_buffer_size()? / 2;
    let granted_send = socket.send_buffer_size()? / 2;
    if granted_receive < wanted || granted_send < wanted {
        tracing::warn!(
            wanted,
            granted_receive,
            granted_send,
            "tunnel socket buffers are smaller than asked; raise net.core.rmem_max and wmem_max"
        );
    }
    socket.bind(&address.into())?;
    Ok(socket.into())
}

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
    let mut ticks = tokio::time::interval(WATCH_INTERVAL);
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
        silence += now.duration_since(before).min(2 * WATCH_INTERVAL);
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
    if round_trip < SHORT_PATH {
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
            ConnectionLost::Silent(Duration::from_millis(u64::from(IDLE_TIMEOUT_MS)))
        }
        ConnectionError::VersionMismatch
        | ConnectionError::TransportError(_)
        | ConnectionError::ConnectionClosed(_)
        | ConnectionError::Reset
        | ConnectionError::CidsExhausted => ConnectionLost::Carrier(error.to_string()),
    }
}

fn convert_code(code: VarInt) -> ResetCode {
    ResetCode::from_number(code.into_inner())
}

/// `stream` is only taken out when the half is dropped.
#[derive(Debug)]
pub(super) struct SendStream {
    stream: Option<quinn::SendStream>,
    connection: Arc<Connection>,
    ended: bool,
}

impl SendStream {
    fn new(stream: quinn::SendStream, connection: Arc<Connection>) -> Self {
        Self { stream: Some(stream), connection, ended: false }
    }

    fn stream(&mut self) -> &mut quinn::SendStream {
        self.stream.as_mut().expect("the stream is there until drop")
    }

    pub(super) fn poll_write_chunks(
        &mut self,
        context: &mut Context<'_>,
        chunks: &mut [Bytes],
    ) -> Poll<Result<Written, StreamError>> {
        // The future keeps nothing between polls; the waker is stored by stream.
        let written = ready!(pin!(self.stream().write_chunks(chunks)).poll(context));
        Poll::Ready(match written {
            Ok(written) => Ok(Written { bytes: written.bytes, chunks: written.chunks }),
            Err(error) => Err(self.convert_write(&error)),
        })
    }

    pub(super) fn poll_write(
        &mut self,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<Result<usize, StreamError>> {
        let written = ready!(Pin::new(self.stream()).poll_write(context, bytes));
        Poll::Ready(written.map_err(|error| self.convert_write(&error)))
    }

    pub(super) fn finish(&mut self) -> Result<(), StreamError> {
        self.ended = true;
        self.stream().finish().map_err(|_| StreamError::Closed)
    }

    pub(super) fn reset(&mut self, code: ResetCode) {
        self.ended = true;
        // Already ended means that there is nothing left to break off.
        let _ = self.stream().reset(code.number().into());
    }

    pub(super) fn stopped(
        &self,
    ) -> impl Future<Output = Result<Option<ResetCode>, StreamError>> + Send + 'static {
        let stopped = self.stream.as_ref().expect("the stream is there until drop").stopped();
        let connection = Arc::downgrade(&self.connection);
        async move {
            match stopped.await {
                Ok(code) => Ok(code.map(convert_code)),
                Err(quinn::StoppedError::ConnectionLost(error)) => {
                    Err(StreamError::ConnectionLost(match connection.upgrade() {
                        Some(connection) => connection.lost(&error),
                        None => convert_lost(&error),
                    }))
                }
                Err(quinn::StoppedError::ZeroRttRejected) => Err(StreamError::Closed),
            }
        }
    }

    fn convert_write(&self, error: &quinn::WriteError) -> StreamError {
        match error {
            quinn::WriteError::Stopped(code) => StreamError::Stopped(convert_code(*code)),
            quinn::WriteError::ConnectionLost(error) => {
                StreamError::ConnectionLost(self.connection.lost(error))
            }
            quinn::WriteError::ClosedStream | quinn::WriteError::ZeroRttRejected => {
                StreamError::Closed
            }
        }
    }
}

impl Drop for SendStream {
    fn drop(&mut self) {
        if !self.ended {
            // `quinn` would finish it, and a flow cut short would look complete.
            self.reset(ResetCode::Cancelled);
        }
        if self.connection.load.is_retired()
            && let Some(stream) = self.stream.take()
        {
            let mut lingering =
                self.connection.lingering.lock().unwrap_or_else(PoisonError::into_inner);
            lingering.push(stream);
        }
    }
}

#[derive(Debug)]
pub(super) struct RecvStream {
    stream: quinn::RecvStream,
    connection: Arc<Connection>,
}

impl RecvStream {
    fn new(stream: quinn::RecvStream, connection: Arc<Connection>) -> Self {
        Self { stream, connection }
    }

    pub(super) fn poll_read_chunks(
        &mut self,
        context: &mut Context<'_>,
        chunks: &mut [Bytes],
    ) -> Poll<Result<Option<usize>, StreamError>> {
        let read = ready!(pin!(self.stream.read_chunks(chunks)).poll(context));
        Poll::Ready(read.map_err(|error| self.convert_read(&error)))
    }

    pub(super) fn poll_read(
        &mut self,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<Result<(), StreamError>> {
        let read = ready!(self.stream.poll_read_buf(context, buffer));
        Poll::Ready(read.map_err(|error| self.convert_read(&error)))
    }

    pub(super) fn stop(&mut self, code: ResetCode) {
        // Already ended means that the peer has nothing left to stop.
        let _ = self.stream.stop(code.number().into());
    }

    fn convert_read(&self, error: &quinn::ReadError) -> StreamError {
        match error {
            quinn::ReadError::Reset(code) => StreamError::Reset(convert_code(*code)),
            quinn::ReadError::ConnectionLost(error) => {
                StreamError::ConnectionLost(self.connection.lost(error))
            }
            quinn::ReadError::ClosedStream
            | quinn::ReadError::IllegalOrderedRead
            | quinn::ReadError::ZeroRttRejected => StreamError::Closed,
        }
    }
}

#[cfg(test)]
mod tests;
