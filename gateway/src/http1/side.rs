//! One side of an exchange, as chunks in and chunks out: a TCP connection, or a tunnel stream.

use std::collections::VecDeque;
use std::io::{self, IoSlice};

use bytes::{Buf, BufMut, Bytes, BytesMut};
use futures::FutureExt;
use rialto_types::limits;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{ReadHalf, WriteHalf};

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

/// Chunks on their way, written together without joining.
#[derive(Debug, Default)]
pub(crate) struct Chunks {
    queue: VecDeque<Bytes>,
    bytes: usize,
}

impl Chunks {
    pub(crate) fn push(&mut self, chunk: Bytes) {
        if !chunk.is_empty() {
            self.bytes += chunk.len();
            self.queue.push_back(chunk);
        }
    }

    pub(crate) fn push_front(&mut self, chunk: Bytes) {
        if !chunk.is_empty() {
            self.bytes += chunk.len();
            self.queue.push_front(chunk);
        }
    }

    pub(crate) fn pop(&mut self) -> Option<Bytes> {
        let chunk = self.queue.pop_front()?;
        self.bytes -= chunk.len();
        Some(chunk)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }

    fn take_all(&mut self) -> VecDeque<Bytes> {
        self.bytes = 0;
        std::mem::take(&mut self.queue)
    }
}

impl Buf for Chunks {
    fn remaining(&self) -> usize {
        self.bytes
    }

    fn chunk(&self) -> &[u8] {
        self.queue.front().map_or(&[], |chunk| chunk)
    }

    fn chunks_vectored<'a>(&'a self, slices: &mut [IoSlice<'a>]) -> usize {
        for (slice, chunk) in slices.iter_mut().zip(&self.queue) {
            *slice = IoSlice::new(chunk);
        }
        slices.len().min(self.queue.len())
    }

    fn advance(&mut self, mut count: usize) {
        self.bytes -= count;
        while let Some(front) = self.queue.front_mut() {
            if count < front.len() {
                front.advance(count);
                return;
            }
            count -= front.len();
            self.queue.pop_front();
        }
    }
}

/// The reading half of a TCP connection.
#[derive(Debug)]
pub(crate) struct TcpSource<'a> {
    half: ReadHalf<'a>,
    buffer: BytesMut,
    unread: Chunks,
    read_bytes: usize,
}

impl<'a> TcpSource<'a> {
    pub(crate) fn new(half: ReadHalf<'a>) -> Self {
        let read_bytes = limits::HTTP_READ_BYTES_MIN;
        Self { half, buffer: BytesMut::new(), unread: Chunks::default(), read_bytes }
    }

    /// Waits, without a buffer, until a read is likely to find something: most connections are idle
    /// most of the time.
    pub(crate) async fn rest(&mut self) {
        if self.unread.is_empty() {
            self.read_bytes = limits::HTTP_READ_BYTES_MIN;
            self.buffer = BytesMut::new();
            // If the connection broke, the read that follows says so.
            let _ = self.half.readable().await;
        }
    }
}

impl Source for TcpSource<'_> {
    async fn read(&mut self, chunks: &mut Chunks) -> io::Result<bool> {
        if let Some(chunk) = self.unread.pop() {
            chunks.push(chunk);
            return Ok(true);
        }
        self.buffer.reserve(self.read_bytes);
        let count = self.half.read_buf(&mut (&mut self.buffer).limit(self.read_bytes)).await?;
        if count == self.read_bytes {
            self.read_bytes = (2 * self.read_bytes).min(limits::HTTP_READ_BYTES_MAX);
        }
        chunks.push(self.buffer.split().freeze());
        Ok(count > 0)
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
    storage: Vec<Bytes>,
}

impl TunnelSource {
    pub(crate) fn new(stream: RecvStream) -> Self {
        // Most messages are one chunk or two; storage grows with those that come in bulk.
        let storage = vec![Bytes::new(); 4];
        Self { stream, unread: Chunks::default(), storage }
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
        let Some(count) = self.stream.read_chunks(&mut self.storage).await? else {
            return Ok(false);
        };
        for chunk in &mut self.storage[..count] {
            chunks.push(std::mem::take(chunk));
        }
        if count == self.storage.len() && count < CHUNKS_PER_READ {
            self.storage.resize(2 * count, Bytes::new());
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

    /// Whether the reader has said that it wants nothing more.
    pub(crate) fn is_stopped(&self) -> bool {
        self.stream.stopped().now_or_never().is_some()
    }
}

impl Sink for TunnelSink {
    async fn write(&mut self, chunks: &mut Chunks) -> io::Result<()> {
        let mut queue = chunks.take_all();
        self.stream.write_all_chunks(queue.make_contiguous()).await?;
        Ok(())
    }

    fn finish(&mut self) {
        // A stream that is already broken has told its reader more than this could.
        let _ = self.stream.finish();
    }
}

#[cfg(test)]
mod tests;
