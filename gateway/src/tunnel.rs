//! The stream interface between flows and whatever carries them to another gateway.
//!
//! ```text
//!  relay, http1 ──> SendStream / RecvStream ──> Connection ──> carrier (QUIC; later TLS over TCP)
//!       pool ─────────────────────────────────────┘
//! ```
//!
//! Carriers are a closed enum, not a trait: there will be two, both ours, every call on the hot
//! path is dispatched without a pointer, and the compiler lists each place that a new carrier has
//! to fill. Another QUIC driver replaces the inside of `quic.rs` and nothing else.

pub mod header;
pub mod message;
pub mod pool;
pub mod quic;

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use rialto_types::limits;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, sleep};

/// Chunks taken from a stream in one call; one `writev` carries as many.
pub const CHUNKS_PER_READ: usize = 128;

/// Why one half of a stream, or both, was broken off. The numbers are the wire form.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ResetCode {
    /// The sender gave the flow up without a fault, or dropped it.
    Cancelled,
    /// The TCP connection behind the sender was reset, or broke.
    Reset,
    /// The peer did not keep to the stream protocol.
    Protocol,
    /// A bound on time ran out.
    TimedOut,
    /// The gateway is stopping and the flow outlived its grace.
    ShuttingDown,
    /// A bound on memory or number was met.
    Overloaded,
    /// A code of a newer peer.
    Other(u32),
}

impl ResetCode {
    pub fn number(self) -> u32 {
        match self {
            Self::Cancelled => 0,
            Self::Reset => 1,
            Self::Protocol => 2,
            Self::TimedOut => 3,
            Self::ShuttingDown => 4,
            Self::Overloaded => 5,
            Self::Other(number) => number,
        }
    }

    pub fn from_number(number: u64) -> Self {
        match number {
            0 => Self::Cancelled,
            1 => Self::Reset,
            2 => Self::Protocol,
            3 => Self::TimedOut,
            4 => Self::ShuttingDown,
            5 => Self::Overloaded,
            other => Self::Other(u32::try_from(other).unwrap_or(u32::MAX)),
        }
    }
}

impl fmt::Display for ResetCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cancelled => f.write_str("cancelled"),
            Self::Reset => f.write_str("connection reset"),
            Self::Protocol => f.write_str("protocol error"),
            Self::TimedOut => f.write_str("timed out"),
            Self::ShuttingDown => f.write_str("shutting down"),
            Self::Overloaded => f.write_str("overloaded"),
            Self::Other(number) => write!(f, "code {number}"),
        }
    }
}

/// Why a read or write on a stream failed.
#[derive(Debug, Clone, thiserror::Error)]
pub enum StreamError {
    #[error("peer reset the stream ({0})")]
    Reset(ResetCode),
    #[error("peer stopped reading the stream ({0})")]
    Stopped(ResetCode),
    #[error("connection to the peer was lost")]
    ConnectionLost(#[source] ConnectionLost),
    #[error("this half of the stream was already closed on this side")]
    Closed,
}

impl StreamError {
    /// The code with which the failure is handed on to the other side of a relay.
    pub fn reset_code(&self) -> ResetCode {
        match self {
            Self::Reset(code) | Self::Stopped(code) => *code,
            Self::ConnectionLost(_) => ResetCode::Reset,
            Self::Closed => ResetCode::Cancelled,
        }
    }
}

impl From<StreamError> for io::Error {
    fn from(error: StreamError) -> Self {
        let kind = match error {
            StreamError::Reset(_) | StreamError::Stopped(_) => io::ErrorKind::ConnectionReset,
            StreamError::ConnectionLost(_) => io::ErrorKind::ConnectionAborted,
            StreamError::Closed => io::ErrorKind::NotConnected,
        };
        Self::new(kind, error)
    }
}

/// Why a connection to a peer gateway ended.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConnectionLost {
    #[error(
        "nothing was received for {} ms; look at the path and at the peer's health",
        .0.as_millis()
    )]
    Silent(Duration),
    #[error("peer closed the connection: {0}")]
    ClosedByPeer(String),
    #[error("this gateway closed the connection")]
    ClosedHere,
    #[error("the carrier failed: {0}")]
    Carrier(String),
}

impl ConnectionLost {
    /// The value of the `reason` label in metrics.
    pub fn label(&self) -> &'static str {
        match self {
            Self::Silent(_) => "silent",
            Self::ClosedByPeer(_) => "closed_by_peer",
            Self::ClosedHere => "closed_here",
            Self::Carrier(_) => "carrier",
        }
    }
}

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

/// What a connection carries at the moment: the pool's measure for where a new flow goes.
#[derive(Debug, Default)]
pub struct Load {
    halves: AtomicUsize,
    blocked: AtomicUsize,
    retired: AtomicBool,
    changed: tokio::sync::Notify,
}

impl Load {
    /// Stream halves that are open, ours and the peer's.
    pub fn halves(&self) -> usize {
        self.halves.load(Ordering::Relaxed)
    }

    /// Streams whose last write had to wait for room: each has a queue in front of a new flow.
    pub fn blocked(&self) -> usize {
        self.blocked.load(Ordering::Relaxed)
    }

    /// From here on the connection takes no new flow and ends with those it has.
    pub fn retire(&self) {
        self.retired.store(true, Ordering::Release);
        self.changed.notify_waiters();
    }

    pub fn is_retired(&self) -> bool {
        self.retired.load(Ordering::Acquire)
    }

    /// Resolves when `retire` was called.
    pub async fn retired(&self) {
        loop {
            let changed = self.changed.notified();
            if self.is_retired() {
                return;
            }
            changed.await;
        }
    }

    /// Resolves when no half is open.
    pub async fn idle(&self) {
        loop {
            let changed = self.changed.notified();
            if self.halves() == 0 {
                return;
            }
            changed.await;
        }
    }

    fn open_half(self: &Arc<Self>) -> Half {
        self.halves.fetch_add(1, Ordering::Relaxed);
        Half { load: Arc::clone(self), blocked: false }
    }
}

/// Counts one open stream half for as long as it lives.
#[derive(Debug)]
struct Half {
    load: Arc<Load>,
    blocked: bool,
}

impl Half {
    fn set_blocked(&mut self, blocked: bool) {
        if self.blocked == blocked {
            return;
        }
        self.blocked = blocked;
        if blocked {
            self.load.blocked.fetch_add(1, Ordering::Relaxed);
        } else {
            self.load.blocked.fetch_sub(1, Ordering::Relaxed);
        }
    }
}

impl Drop for Half {
    fn drop(&mut self) {
        self.set_blocked(false);
        if self.load.halves.fetch_sub(1, Ordering::Relaxed) == 1 {
            self.load.changed.notify_waiters();
        }
    }
}

/// How much one call of `write_chunks` took: so many whole chunks were taken from the front, and
/// the chunk after them was shortened if it was taken in part.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Written {
    pub bytes: usize,
    pub chunks: usize,
}

/// The writing half of a stream. Dropped without `finish`, it resets the stream: a flow cut short
/// must never look like one that ended.
#[derive(Debug)]
pub struct SendStream {
    inner: SendCarrier,
    half: Half,
}

#[derive(Debug)]
enum SendCarrier {
    Quic(quic::SendStream),
}

impl SendStream {
    fn quic(stream: quic::SendStream, load: &Arc<Load>) -> Self {
        Self { inner: SendCarrier::Quic(stream), half: load.open_half() }
    }

    /// Takes what there is room for, without copying. `chunks` must not be empty.
    pub fn poll_write_chunks(
        &mut self,
        context: &mut Context<'_>,
        chunks: &mut [Bytes],
    ) -> Poll<Result<Written, StreamError>> {
        let poll = match &mut self.inner {
            SendCarrier::Quic(stream) => stream.poll_write_chunks(context, chunks),
        };
        self.half.set_blocked(poll.is_pending());
        poll
    }

    pub async fn write_chunks(&mut self, chunks: &mut [Bytes]) -> Result<Written, StreamError> {
        std::future::poll_fn(|context| self.poll_write_chunks(context, chunks)).await
    }

    pub async fn write_all_chunks(&mut self, mut chunks: &mut [Bytes]) -> Result<(), StreamError> {
        while !chunks.is_empty() {
            let written = self.write_chunks(chunks).await?;
            chunks = &mut chunks[written.chunks..];
        }
        Ok(())
    }

    pub async fn write_chunk(&mut self, chunk: Bytes) -> Result<(), StreamError> {
        self.write_all_chunks(&mut [chunk]).await
    }

    /// States the end of this direction; the other stays open.
    pub fn finish(&mut self) -> Result<(), StreamError> {
        match &mut self.inner {
            SendCarrier::Quic(stream) => stream.finish(),
        }
    }

    /// Breaks this direction off; what was written and not yet received may be lost.
    pub fn reset(&mut self, code: ResetCode) {
        match &mut self.inner {
            SendCarrier::Quic(stream) => stream.reset(code),
        }
    }

    /// Resolves when the peer stopped reading (its code), or has everything after `finish`
    /// (`None`).
    pub fn stopped(
        &self,
    ) -> impl Future<Output = Result<Option<ResetCode>, StreamError>> + Send + 'static {
        match &self.inner {
            SendCarrier::Quic(stream) => stream.stopped(),
        }
    }
}

impl AsyncWrite for SendStream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let poll = match &mut self.inner {
            SendCarrier::Quic(stream) => stream.poll_write(context, bytes),
        };
        self.half.set_blocked(poll.is_pending());
        poll.map_err(Into::into)
    }

    fn poll_flush(self: Pin<&mut Self>, _context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, _context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(self.finish().map_err(Into::into))
    }
}

/// The reading half of a stream. Dropped before its end, it tells the peer to stop.
#[derive(Debug)]
pub struct RecvStream {
    inner: RecvCarrier,
    /// What comes before what the carrier has.
    unread: Bytes,
    _half: Half,
}

#[derive(Debug)]
enum RecvCarrier {
    Quic(quic::RecvStream),
}

impl RecvStream {
    fn quic(stream: quic::RecvStream, load: &Arc<Load>) -> Self {
        Self { inner: RecvCarrier::Quic(stream), unread: Bytes::new(), _half: load.open_half() }
    }

    /// Moves what has arrived into `chunks`, without copying, and says how many there are.
    /// `None` is the end of this direction.
    pub fn poll_read_chunks(
        &mut self,
        context: &mut Context<'_>,
        chunks: &mut [Bytes],
    ) -> Poll<Result<Option<usize>, StreamError>> {
        if let Some(first) = chunks.first_mut()
            && !self.unread.is_empty()
        {
            *first = std::mem::take(&mut self.unread);
            return Poll::Ready(Ok(Some(1)));
        }
        match &mut self.inner {
            RecvCarrier::Quic(stream) => stream.poll_read_chunks(context, chunks),
        }
    }

    pub async fn read_chunks(
        &mut self,
        chunks: &mut [Bytes],
    ) -> Result<Option<usize>, StreamError> {
        std::future::poll_fn(|context| self.poll_read_chunks(context, chunks)).await
    }

    pub async fn read_chunk(&mut self) -> Result<Option<Bytes>, StreamError> {
        let mut chunk = [Bytes::new()];
        let count = self.read_chunks(&mut chunk).await?;
        Ok(count.map(|_| std::mem::take(&mut chunk[0])))
    }

    /// Puts back, in front of everything else, what was read too far.
    pub fn unread(&mut self, chunk: Bytes) {
        self.unread = join(chunk, std::mem::take(&mut self.unread));
    }

    /// Waits for one more chunk and keeps it unread; `false` at the end of this direction.
    async fn gather(&mut self) -> Result<bool, StreamError> {
        let mut chunk = [Bytes::new()];
        let count = std::future::poll_fn(|context| match &mut self.inner {
            RecvCarrier::Quic(stream) => stream.poll_read_chunks(context, &mut chunk),
        });
        let is_open = count.await?.is_some();
        let [chunk] = chunk;
        self.unread = join(std::mem::take(&mut self.unread), chunk);
        Ok(is_open)
    }

    /// Tells the peer that nothing more will be read, and why.
    pub fn stop(&mut self, code: ResetCode) {
        self.unread.clear();
        match &mut self.inner {
            RecvCarrier::Quic(stream) => stream.stop(code),
        }
    }
}

/// Headers are small, and seldom come in more than one piece.
fn join(first: Bytes, second: Bytes) -> Bytes {
    if second.is_empty() {
        return first;
    }
    if first.is_empty() {
        return second;
    }
    let mut joined = BytesMut::with_capacity(first.len() + second.len());
    joined.extend_from_slice(&first);
    joined.extend_from_slice(&second);
    joined.freeze()
}

impl AsyncRead for RecvStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        if !this.unread.is_empty() {
            let count = this.unread.len().min(buffer.remaining());
            buffer.put_slice(&this.unread.split_to(count));
            return Poll::Ready(Ok(()));
        }
        ready!(match &mut this.inner {
            RecvCarrier::Quic(stream) => stream.poll_read(context, buffer),
        })?;
        Poll::Ready(Ok(()))
    }
}

#[cfg(test)]
mod tests;
