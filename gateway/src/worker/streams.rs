//! The tasks that serve peers' streams. Each is kept for the next stream: to make and free some KiB
//! for every request is most of what a stream would cost.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;

use rialto_types::limits;
use tokio::sync::Notify;

use super::Worker;
use crate::relay;
use crate::tunnel::pool::PeerId;
use crate::tunnel::{RecvStream, SendStream};

/// A stream that a peer opened.
#[derive(Debug)]
pub(super) struct Stream {
    pub(super) peer: PeerId,
    pub(super) send: SendStream,
    pub(super) recv: RecvStream,
}

/// Streams that wait for a server, and servers that wait for a stream; never both for long.
#[derive(Debug, Default)]
pub(super) struct Waiting {
    streams: RefCell<VecDeque<Stream>>,
    /// Servers that wait and that no stream is meant for yet.
    idle: Cell<usize>,
    arrived: Notify,
}

impl Worker {
    /// Hands the stream to a server that waits, or to a new one.
    pub(super) fn serve(&self, stream: Stream) {
        let waiting = &self.inner.streams;
        waiting.streams.borrow_mut().push_back(stream);
        match waiting.idle.get().checked_sub(1) {
            Some(idle) => {
                waiting.idle.set(idle);
                waiting.arrived.notify_one();
            }
            None => self.spawn(self.clone().serve_streams()),
        }
    }

    async fn serve_streams(self) {
        let waiting = &self.inner.streams;
        loop {
            let stream = waiting.streams.borrow_mut().pop_front();
            if let Some(Stream { peer, send, recv }) = stream {
                relay::serve_stream(self.clone(), peer, send, recv).await;
                continue;
            }
            let idle = waiting.idle.get();
            if idle == limits::STREAM_SERVERS_IDLE_MAX {
                return;
            }
            waiting.idle.set(idle + 1);
            waiting.arrived.notified().await;
        }
    }
}
