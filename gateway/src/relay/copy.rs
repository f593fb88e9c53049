//! Bytes both ways until both ends have ended, or one broke off.
//!
//! An end of one direction is passed on and leaves the other open; a break is passed on as a reset.

use std::cell::Cell;
use std::io::{self, IoSlice};
use std::pin::Pin;

use bytes::{Buf, Bytes};
use rialto_types::limits;
use tokio::io::{AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::net::tcp::{ReadHalf, WriteHalf};

use super::reset;
use crate::scratch::Scratch;
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
    scratch: &Scratch,
    socket: &mut TcpStream,
    send: &mut SendStream,
    recv: &mut RecvStream,
    counts: &Counts<'_>,
) -> Result<(), Broken> {
    let (socket_ended, tunnel_ended) = (Cell::new(false), Cell::new(false));
    let (mut read, mut write) = socket.split();
    let outcome = tokio::try_join!(
        async {
            to_tunnel(scratch, &mut read, send, &counts.read).await?;
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
    scratch: &Scratch,
    client: &mut TcpStream,
    endpoint: &mut TcpStream,
    counts: &Counts<'_>,
) -> Result<(), Broken> {
    let (mut client_read, mut client_write) = client.split();
    let (mut endpoint_read, mut endpoint_write) = endpoint.split();
    let outcome = tokio::try_join!(
        pass(scratch, &mut client_read, &mut endpoint_write, &counts.read),
        pass(scratch, &mut endpoint_read, &mut client_write, &counts.written),
    );
    let Err(error) = outcome else { return Ok(()) };
    reset(client);
    reset(endpoint);
    Err(Broken::Socket(error))
}

async fn to_tunnel(
    scratch: &Scratch,
    socket: &mut ReadHalf<'_>,
    send: &mut SendStream,
    count: &Passed<'_>,
) -> Result<(), Broken> {
    loop {
        let read = scratch.read(socket, limits::RELAY_READ_BYTES_MAX).await;
        let chunk = read.map_err(Broken::Socket)?;
        if chunk.is_empty() {
            return send.finish().map_err(Broken::Tunnel);
        }
        count.add(chunk.len());
        send.write_chunk(chunk).await.map_err(Broken::Tunnel)?;
    }
}

async fn to_socket(
    recv: &mut RecvStream,
    socket: &mut WriteHalf<'_>,
    count: &Passed<'_>,
) -> Result<(), Broken> {
    // Most flows wait most of the time, with little; there is more room where they come in bulk.
    let mut room = vec![Bytes::new(); 4];
    while let Some(taken) = recv.read_chunks(&mut room).await.map_err(Broken::Tunnel)? {
        let chunks = &mut room[..taken];
        count.add(chunks.iter().map(Bytes::len).sum());
        write_all(socket, chunks).await.map_err(Broken::Socket)?;
        if taken == room.len() && taken < CHUNKS_PER_READ {
            room.resize(2 * taken, Bytes::new());
        }
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
    scratch: &Scratch,
    from: &mut ReadHalf<'_>,
    to: &mut WriteHalf<'_>,
    count: &Passed<'_>,
) -> io::Result<()> {
    loop {
        let chunk = scratch.read(from, limits::RELAY_READ_BYTES_MAX).await?;
        if chunk.is_empty() {
            return to.shutdown().await;
        }
        count.add(chunk.len());
        to.write_all(&chunk).await?;
    }
}
