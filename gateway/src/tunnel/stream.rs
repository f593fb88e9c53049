//! The two halves of a stream, whatever carries them.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::{Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::load::{Half, Load};
use super::{ResetCode, StreamError, quic};

/// Chunks taken from a stream in one call; one `writev` carries as many.
pub const CHUNKS_PER_READ: usize = 128;

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
    pub(super) fn quic(stream: quic::SendStream, load: &Arc<Load>) -> Self {
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
    pub(super) unread: Bytes,
    _half: Half,
}

#[derive(Debug)]
enum RecvCarrier {
    Quic(quic::RecvStream),
}

impl RecvStream {
    pub(super) fn quic(stream: quic::RecvStream, load: &Arc<Load>) -> Self {
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
    pub(super) async fn gather(&mut self) -> Result<bool, StreamError> {
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
