//! Datagrams at the tunnel's port that belong to no connection and can open none. QUIC drops them
//! in silence; here they are counted on their way to it, by what no packet hides (RFC 8999).

use std::fmt;
use std::io::{self, IoSliceMut};
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, ready};

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric as _};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use quinn::udp::{RecvMeta, Transmit};
use quinn::{AsyncUdpSocket, ConnectionId, ConnectionIdGenerator, UdpPoller};
use quinn_proto::HashedConnectionIdGenerator;

/// RFC 9000 15: the one version that gateways speak.
pub(super) const VERSION: u32 = 1;

/// RFC 9000 14.1: the smallest datagram that may open a connection.
const FIRST_DATAGRAM_BYTES: usize = 1_200;

/// RFC 9000 17.2: a long header up to its connection ID.
const LONG_HEADER_BYTES: usize = 6;

/// Why a datagram is nobody's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reason {
    /// No packet of QUIC has this form.
    NotQuic,
    /// A version of QUIC that gateways do not speak.
    Version,
    /// Of a connection that is not, or no longer, known here.
    UnknownConnection,
    /// Too short for the first datagram of a connection, which must not be answered with more.
    ShortInitial,
}

impl Reason {
    const ALL: [Self; 4] =
        [Self::NotQuic, Self::Version, Self::UnknownConnection, Self::ShortInitial];

    fn label(self) -> &'static str {
        match self {
            Self::NotQuic => "not_quic",
            Self::Version => "version",
            Self::UnknownConnection => "unknown_connection",
            Self::ShortInitial => "short_initial",
        }
    }
}

/// Stray datagrams since the start, as a counter `stray_datagrams` by reason.
#[derive(Debug, Default)]
pub struct Strays([AtomicU64; Reason::ALL.len()]);

impl Strays {
    fn count(&self, reason: Reason) {
        self.0[reason as usize].fetch_add(1, Ordering::Relaxed);
    }
}

impl Collector for Strays {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let help = "datagrams at the tunnel's port that belong to no connection and open none";
        let mut metric =
            encoder.encode_descriptor("stray_datagrams", help, None, MetricType::Counter)?;
        for reason in Reason::ALL {
            let count = self.0[reason as usize].load(Ordering::Relaxed);
            let labels = [("reason", reason.label())];
            ConstCounter::new(count).encode(metric.encode_family(&labels)?)?;
        }
        Ok(())
    }
}

/// The connection IDs of one endpoint, which it knows again by a key of its own.
#[derive(Debug, Clone, Copy)]
pub(super) struct OwnIds {
    key: u64,
}

impl OwnIds {
    pub(super) fn new(key: u64) -> Self {
        Self { key }
    }

    pub(super) fn generator(self) -> HashedConnectionIdGenerator {
        HashedConnectionIdGenerator::from_key(self.key)
    }
}

/// The tunnel's socket, as `quinn` sees it.
pub(super) struct CountingSocket {
    socket: Arc<dyn AsyncUdpSocket>,
    ids: HashedConnectionIdGenerator,
    strays: Arc<Strays>,
}

impl CountingSocket {
    pub(super) fn new(socket: Arc<dyn AsyncUdpSocket>, ids: OwnIds, strays: Arc<Strays>) -> Self {
        Self { socket, ids: ids.generator(), strays }
    }

    fn inspect(&self, received: &[u8], segment: usize) {
        if received.is_empty() {
            self.strays.count(Reason::NotQuic);
            return;
        }
        for datagram in received.chunks(segment.max(1)) {
            if let Some(reason) = stray(datagram, &self.ids) {
                self.strays.count(reason);
            }
        }
    }
}

impl fmt::Debug for CountingSocket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CountingSocket").field("socket", &self.socket).finish_non_exhaustive()
    }
}

impl AsyncUdpSocket for CountingSocket {
    fn create_io_poller(self: Arc<Self>) -> Pin<Box<dyn UdpPoller>> {
        Arc::clone(&self.socket).create_io_poller()
    }

    fn try_send(&self, transmit: &Transmit<'_>) -> io::Result<()> {
        self.socket.try_send(transmit)
    }

    fn poll_recv(
        &self,
        context: &mut Context<'_>,
        buffers: &mut [IoSliceMut<'_>],
        meta: &mut [RecvMeta],
    ) -> Poll<io::Result<usize>> {
        let count = ready!(self.socket.poll_recv(context, buffers, meta))?;
        for (buffer, meta) in buffers.iter().zip(&*meta).take(count) {
            self.inspect(&buffer[..meta.len], meta.stride);
        }
        Poll::Ready(Ok(count))
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.socket.local_addr()
    }

    fn max_transmit_segments(&self) -> usize {
        self.socket.max_transmit_segments()
    }

    fn max_receive_segments(&self) -> usize {
        self.socket.max_receive_segments()
    }

    fn may_fragment(&self) -> bool {
        self.socket.may_fragment()
    }
}

/// Why nobody will take the datagram; `None` if it is of a connection or may open one.
fn stray(datagram: &[u8], ids: &dyn ConnectionIdGenerator) -> Option<Reason> {
    let is_own =
        |id: &[u8]| id.len() == ids.cid_len() && ids.validate(&ConnectionId::new(id)).is_ok();
    let (&first, rest) = datagram.split_first()?;
    // Both headers have the fixed bit; gateways do not grease it (RFC 9287).
    if first & 0x40 == 0 {
        return Some(Reason::NotQuic);
    }
    // RFC 9000 17.3: the connection ID follows at once, of the length that this endpoint chose.
    if first & 0x80 == 0 {
        let id = rest.get(..ids.cid_len());
        return id.map_or(Some(Reason::NotQuic), |id| {
            (!is_own(id)).then_some(Reason::UnknownConnection)
        });
    }
    let Some((header, rest)) = datagram.split_at_checked(LONG_HEADER_BYTES) else {
        return Some(Reason::NotQuic);
    };
    if header[1..5] != VERSION.to_be_bytes() {
        return Some(Reason::Version);
    }
    let Some(id) = rest.get(..usize::from(header[5])) else {
        return Some(Reason::NotQuic);
    };
    let is_initial = first & 0x30 == 0;
    match is_own(id) {
        true => None,
        false if !is_initial => Some(Reason::UnknownConnection),
        false if datagram.len() < FIRST_DATAGRAM_BYTES => Some(Reason::ShortInitial),
        false => None,
    }
}

#[cfg(test)]
mod tests;
