//! One side of an exchange, as chunks in and chunks out: a TCP connection, or a tunnel stream.

use std::io;

use bytes::Bytes;
use rialto_types::limits;
use tokio::io::AsyncWriteExt;
use tokio::net::tcp::{ReadHalf, WriteHalf};

use super::chunks::{CHUNKS_IN_PLACE, Chunks};
use crate::scratch::Scratch;
use crate::tunnel::header::{self, Answer, ReadError, Refusal};
use crate::tunnel::{CHUNKS_PER_READ, RecvStream, ResetCode, SendStream, StreamError};

/// Where bytes come from.
pub(crate) trait Source {
    /// Waits for bytes and appends them to `chunks`; `false` if the sender has ended in order.
    async fn read(&mut self, chunks: &mut Chunks) -> io::Result<bool>;

    /// Puts back what was read too far.
    fn unread(&mut self, chunk: Bytes);

    /// Whether a read returns at once, with what was put back.
    fn has_unread(&self) -> bool;

    /// Whether the sender ends with each message, as on a stream of its own.
    fn ends_with_message(&self) -> bool {
        false
    }

    /// Waits until the other side has taken on the request, or has refused it undelivered.
    async fn accepted(&mut self) -> Result<(), NotAccepted> {
        Ok(())
    }
}

#[derive(Debug)]
pub(crate) enum NotAccepted {
    Refused(Refusal),
    /// The carrier broke first.
    Broken,
    /// The peer broke off. It refuses what it does not take on, so it must have accepted: the reset
    /// has overtaken that, and with it the request may have been delivered.
    Reset,
}

/// Where bytes go.
pub(crate) trait Sink {
    /// Writes all of `chunks` and leaves it empty.
    async fn write(&mut self, chunks: &mut Chunks) -> io::Result<()>;

    /// States the end of a whole message, on carriers of one message.
    fn finish(&mut self);
}

/// The reading half of a TCP connection.
#[derive(Debug)]
pub(crate) struct TcpSource<'a> {
    half: ReadHalf<'a>,
    scratch: &'a Scratch,
    unread: Chunks,
}

impl<'a> TcpSource<'a> {
    pub(crate) fn new(half: ReadHalf<'a>, scratch: &'a Scratch) -> Self {
        Self { half, scratch, unread: Chunks::default() }
    }
}

impl Source for TcpSource<'_> {
    async fn read(&mut self, chunks: &mut Chunks) -> io::Result<bool> {
        if let Some(chunk) = self.unread.pop() {
            chunks.push(chunk);
            return Ok(true);
        }
        let chunk = self.scratch.read(&mut self.half, limits::HTTP_READ_BYTES_MAX).await?;
        let is_open = !chunk.is_empty();
        chunks.push(chunk);
        Ok(is_open)
    }

    fn unread(&mut self, chunk: Bytes) {
        self.unread.push(chunk);
    }

    fn has_unread(&self) -> bool {
        !self.unread.is_empty()
    }
}

/// The writing half of a TCP connection.
#[derive(Debug)]
pub(crate) struct TcpSink<'a> {
    half: WriteHalf<'a>,
}

impl<'a> TcpSink<'a> {
    pub(crate) fn new(half: WriteHalf<'a>) -> Self {
        Self { half }
    }
}

impl Sink for TcpSink<'_> {
    async fn write(&mut self, chunks: &mut Chunks) -> io::Result<()> {
        self.half.write_all_buf(chunks).await
    }

    /// A connection carries many messages; each says where it ends.
    fn finish(&mut self) {}
}

/// The reading half of a tunnel stream.
#[derive(Debug)]
pub(crate) struct TunnelSource {
    stream: RecvStream,
    unread: Chunks,
    /// Room for the chunks of one read, once they come in bulk.
    room: Vec<Bytes>,
}

impl TunnelSource {
    pub(crate) fn new(stream: RecvStream) -> Self {
        Self { stream, unread: Chunks::default(), room: Vec::new() }
    }

    pub(crate) fn stop(&mut self, code: ResetCode) {
        self.stream.stop(code);
    }
}

impl Source for TunnelSource {
    async fn read(&mut self, chunks: &mut Chunks) -> io::Result<bool> {
        if let Some(chunk) = self.unread.pop() {
            chunks.push(chunk);
            return Ok(true);
        }
        if self.room.is_empty() {
            let mut few = [const { Bytes::new() }; CHUNKS_IN_PLACE];
            let Some(count) = self.stream.read_chunks(&mut few).await? else { return Ok(false) };
            few.into_iter().take(count).for_each(|chunk| chunks.push(chunk));
            if count == CHUNKS_IN_PLACE {
                self.room.resize(2 * count, Bytes::new());
            }
            return Ok(true);
        }
        let Some(count) = self.stream.read_chunks(&mut self.room).await? else {
            return Ok(false);
        };
        for chunk in &mut self.room[..count] {
            chunks.push(std::mem::take(chunk));
        }
        if count == self.room.len() && count < CHUNKS_PER_READ {
            self.room.resize(2 * count, Bytes::new());
        }
        Ok(true)
    }

    fn unread(&mut self, chunk: Bytes) {
        self.unread.push(chunk);
    }

    fn has_unread(&self) -> bool {
        !self.unread.is_empty()
    }

    fn ends_with_message(&self) -> bool {
        true
    }

    async fn accepted(&mut self) -> Result<(), NotAccepted> {
        match header::read_answer(&mut self.stream).await {
            Ok(Answer::Accepted) => Ok(()),
            Ok(Answer::Refused(refusal)) => Err(NotAccepted::Refused(refusal)),
            Err(ReadError::Stream(StreamError::Reset(_))) => Err(NotAccepted::Reset),
            Err(_) => Err(NotAccepted::Broken),
        }
    }
}

/// The writing half of a tunnel stream.
#[derive(Debug)]
pub(crate) struct TunnelSink {
    stream: SendStream,
}

impl TunnelSink {
    pub(crate) fn new(stream: SendStream) -> Self {
        Self { stream }
    }

    pub(crate) fn reset(&mut self, code: ResetCode) {
        self.stream.reset(code);
    }
}

impl Sink for TunnelSink {
    async fn write(&mut self, chunks: &mut Chunks) -> io::Result<()> {
        let (first, rest) = chunks.parts();
        self.stream.write_all_chunks(first).await?;
        self.stream.write_all_chunks(rest).await?;
        chunks.clear();
        Ok(())
    }

    fn finish(&mut self) {
        // A stream that is already broken has told its reader more than this could.
        let _ = self.stream.finish();
    }
}
