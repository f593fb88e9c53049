//! `quinn`'s streams in our words.

use std::pin::{Pin, pin};
use std::sync::{Arc, PoisonError};
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use quinn::VarInt;
use tokio::io::ReadBuf;

use super::{Connection, convert_lost};
use crate::tunnel::{ResetCode, StreamError, Written};

/// `stream` is only taken out when the half is dropped.
#[derive(Debug)]
pub(in crate::tunnel) struct SendStream {
    stream: Option<quinn::SendStream>,
    connection: Arc<Connection>,
    ended: bool,
}

impl SendStream {
    pub(super) fn new(stream: quinn::SendStream, connection: Arc<Connection>) -> Self {
        Self { stream: Some(stream), connection, ended: false }
    }

    fn stream(&mut self) -> &mut quinn::SendStream {
        self.stream.as_mut().expect("the stream is there until drop")
    }

    pub(in crate::tunnel) fn poll_write_chunks(
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

    pub(in crate::tunnel) fn poll_write(
        &mut self,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<Result<usize, StreamError>> {
        let written = ready!(Pin::new(self.stream()).poll_write(context, bytes));
        Poll::Ready(written.map_err(|error| self.convert_write(&error)))
    }

    pub(in crate::tunnel) fn finish(&mut self) -> Result<(), StreamError> {
        self.ended = true;
        self.stream().finish().map_err(|_| StreamError::Closed)
    }

    pub(in crate::tunnel) fn reset(&mut self, code: ResetCode) {
        self.ended = true;
        // Already ended means that there is nothing left to break off.
        let _ = self.stream().reset(code.number().into());
    }

    pub(in crate::tunnel) fn stopped(
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
pub(in crate::tunnel) struct RecvStream {
    stream: quinn::RecvStream,
    connection: Arc<Connection>,
}

impl RecvStream {
    pub(super) fn new(stream: quinn::RecvStream, connection: Arc<Connection>) -> Self {
        Self { stream, connection }
    }

    pub(in crate::tunnel) fn poll_read_chunks(
        &mut self,
        context: &mut Context<'_>,
        chunks: &mut [Bytes],
    ) -> Poll<Result<Option<usize>, StreamError>> {
        let read = ready!(pin!(self.stream.read_chunks(chunks)).poll(context));
        Poll::Ready(read.map_err(|error| self.convert_read(&error)))
    }

    pub(in crate::tunnel) fn poll_read(
        &mut self,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<Result<(), StreamError>> {
        let read = ready!(self.stream.poll_read_buf(context, buffer));
        Poll::Ready(read.map_err(|error| self.convert_read(&error)))
    }

    pub(in crate::tunnel) fn stop(&mut self, code: ResetCode) {
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

fn convert_code(code: VarInt) -> ResetCode {
    ResetCode::from_number(code.into_inner())
}
