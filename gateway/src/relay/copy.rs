//! Bytes both ways until both ends have ended, or one broke off.
//!
//! An end of one direction is passed on and leaves the other open; a break is passed on as a reset.

use std::cell::Cell;
use std::io::{self, IoSlice};
use std::pin::Pin;

use bytes::{Buf, Bytes, BytesMut};
use rialto_types::limits;
use tokio::io::{AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::net::tcp::{ReadHalf, WriteHalf};

use super::reset;
use crate::tunnel::{CHUNKS_PER_READ, RecvStream, ResetCode, SendStream, StreamError};

/// Payload bytes, as seen from the socket that is named first.
#[derive(Debug, Default)]
pub(crate) struct Counts<'a> {
    pub(crate) read: Passed<'a>,
    pub(crate) written: Passed<'a>,
}

/// Bytes of one direction, counted as they pass: a flow may live for days.
#[derive(Debug, Default)]
pub(crate) struct Passed<'a> {
    total: Cell<u64>,
    /// Whoever else counts them.
    also: Option<&'a Cell<u64>>,
}

impl<'a> Passed<'a> {
    pub(crate) fn told_to(also: &'a Cell<u64>) -> Self {
        Self { total: Cell::new(0), also: Some(also) }
    }

    pub(crate) fn total(&self) -> u64 {
        self.total.get()
    }

    fn add(&self, bytes: usize) {
        let bytes = bytes as u64;
        self.total.set(self.total.get() + bytes);
        if let Some(also) = self.also {
            also.set(also.get() + bytes);
        }
    }
}

/// Why a flow ended before both directions had.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Broken {
    #[error("a socket of the flow broke")]
    Socket(#[source] io::Error),
    #[error("the flow's tunnel stream broke")]
    Tunnel(#[source] StreamError),
}

impl Broken {
    /// The counter's label.
    pub(crate) fn label(&self) -> &'static str {
        match self {
            Self::Socket(_) => "socket_broke",
            Self::Tunnel(StreamError::Reset(_) | StreamError::Stopped(_)) => "reset_by_peer",
            Self::Tunnel(StreamError::ConnectionLost(_)) => "connection_lost",
            Self::Tunnel(StreamError::Closed) => "stream_closed",
        }
    }

    fn code(&self) -> ResetCode {
        match self {
            Self::Socket(_) => ResetCode::Reset,
            Self::Tunnel(error) => error.reset_code(),
        }
    }
}

/// Between a socket and a tunnel stream.
pub(crate) async fn through(
    socket: &mut TcpStream,
    send: &mut SendStream,
    recv: &mut RecvStream,
    counts: &Counts<'_>,
) -> Result<(), Broken> {
    let (socket_ended, tunnel_ended) = (Cell::new(false), Cell::new(false));
    let (mut read, mut write) = socket.split();
    let outcome = tokio::try_join!(
        async {
            to_tunnel(&mut read, send, &counts.read).await?;
            socket_ended.set(true);
            Ok::<_, Broken>(())
        },
        async {
            to_socket(recv, &mut write, &counts.written).await?;
            tunnel_ended.set(true);
            Ok(())
        },
    );
    let Err(broken) = outcome else { return Ok(()) };
    // What ended in order was handed over whole and must still arrive.
    if !socket_ended.get() {
        send.reset(broken.code());
    }
    if !tunnel_ended.get() {
        recv.stop(broken.code());
        reset(socket);
    }
    Err(broken)
}

/// Between two sockets.
pub(crate) async fn between(
    client: &mut TcpStream,
    endpoint: &mut TcpStream,
    counts: &Counts<'_>,
) -> Result<(), Broken> {
    let (mut client_read, mut client_write) = client.split();
    let (mut endpoint_read, mut endpoint_write) = endpoint.split();
    let outcome = tokio::try_join!(
        pass(&mut client_read, &mut endpoint_write, &counts.read),
        pass(&mut endpoint_read, &mut client_write, &counts.written),
    );
    let Err(error) = outcome else { return Ok(()) };
    reset(client);
    reset(endpoint);
    Err(Broken::Socket(error))
}

async fn to_tunnel(
    socket: &mut ReadHalf<'_>,
    send: &mut SendStream,
    count: &Passed<'_>,
) -> Result<(), Broken> {
    let mut reader = Reader::default();
    while let Some(chunk) = reader.read(socket).await.map_err(Broken::Socket)? {
        count.add(chunk.len());
        send.write_chunk(chunk).await.map_err(Broken::Tunnel)?;
    }
    send.finish().map_err(Broken::Tunnel)
}

async fn to_socket(
    recv: &mut RecvStream,
    socket: &mut WriteHalf<'_>,
    count: &Passed<'_>,
) -> Result<(), Broken> {
    let mut storage = vec![Bytes::new(); CHUNKS_PER_READ];
    while let Some(taken) = recv.read_chunks(&mut storage).await.map_err(Broken::Tunnel)? {
        let chunks = &mut storage[..taken];
        count.add(chunks.iter().map(Bytes::len).sum());
        write_all(socket, chunks).await.map_err(Broken::Socket)?;
    }
    socket.shutdown().await.map_err(Broken::Socket)
}

/// One call for all chunks: each by itself would cost a system call per packet.
async fn write_all(socket: &mut WriteHalf<'_>, mut chunks: &mut [Bytes]) -> io::Result<()> {
    while !chunks.is_empty() {
        let mut written = std::future::poll_fn(|context| {
            let mut slices = [IoSlice::new(&[]); CHUNKS_PER_READ];
            for (slice, chunk) in slices.iter_mut().zip(chunks.iter()) {
                *slice = IoSlice::new(chunk);
            }
            Pin::new(&mut *socket).poll_write_vectored(context, &slices[..chunks.len()])
        })
        .await?;
        if written == 0 {
            return Err(io::ErrorKind::WriteZero.into());
        }
        while let Some(first) = chunks.first_mut()
            && written >= first.len()
        {
            written -= first.len();
            // Given back at once: the carrier's credit and memory hang on it.
            *first = Bytes::new();
            chunks = &mut chunks[1..];
        }
        if let Some(first) = chunks.first_mut() {
            first.advance(written);
        }
    }
    Ok(())
}

async fn pass(
    from: &mut ReadHalf<'_>,
    to: &mut WriteHalf<'_>,
    count: &Passed<'_>,
) -> io::Result<()> {
    let mut reader = Reader::default();
    while let Some(chunk) = reader.read(from).await? {
        count.add(chunk.len());
        to.write_all(&chunk).await?;
    }
    to.shutdown().await
}

/// Reads a socket with a buffer that grows with the rate: an idle flow holds little.
#[derive(Debug, Default)]
struct Reader {
    buffer: BytesMut,
    size: usize,
}

impl Reader {
    async fn read(&mut self, socket: &mut ReadHalf<'_>) -> io::Result<Option<Bytes>> {
        self.size = self.size.clamp(limits::RELAY_READ_BYTES_MIN, limits::RELAY_READ_BYTES_MAX);
        self.buffer.reserve(self.size);
        let count = socket.read_buf(&mut self.buffer).await?;
        if count >= self.size {
            self.size *= 2;
        } else if count < self.size / 4 {
            self.size /= 2;
        }
        let chunk = self.buffer.split().freeze();
        Ok((count > 0).then_some(chunk))
    }
}
