//! Where the sockets of a worker are read into: one buffer for all, because most connections wait
//! most of the time, and a buffer for each would wait with them.

use std::cell::RefCell;
use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{BufMut, Bytes, BytesMut};
use rialto_types::limits;
use tokio::io::AsyncRead;
use tokio_util::io::poll_read_buf;

#[derive(Debug, Default)]
pub(crate) struct Scratch {
    buffer: RefCell<BytesMut>,
}

impl Scratch {
    /// Reads what has arrived, at most so many bytes; none is the end. A little is copied out, much
    /// is handed over as it is: whoever sends it on holds what it needs, and no more.
    pub(crate) async fn read(
        &self,
        socket: &mut (impl AsyncRead + Unpin),
        bytes_max: usize,
    ) -> io::Result<Bytes> {
        poll_fn(|context| self.poll_read(Pin::new(socket), context, bytes_max)).await
    }

    fn poll_read(
        &self,
        socket: Pin<&mut impl AsyncRead>,
        context: &mut Context<'_>,
        bytes_max: usize,
    ) -> Poll<io::Result<Bytes>> {
        let mut buffer = self.buffer.borrow_mut();
        buffer.reserve(bytes_max);
        let count = ready!(poll_read_buf(socket, context, &mut (&mut *buffer).limit(bytes_max)))?;
        let chunk = if count <= limits::READ_COPIED_BYTES_MAX {
            let chunk = Bytes::copy_from_slice(&buffer);
            buffer.clear();
            chunk
        } else {
            buffer.split().freeze()
        };
        Poll::Ready(Ok(chunk))
    }
}

#[cfg(test)]
mod tests;
