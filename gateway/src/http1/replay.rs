//! What of a request was read from the client, kept for as long as it may have to be sent again.

use bytes::Bytes;
use rialto_types::limits;

/// The content of a request so far, bounded.
#[derive(Debug, Default)]
pub(crate) struct Replay {
    chunks: Vec<Bytes>,
    bytes: usize,
    discarded: bool,
}

impl Replay {
    /// Remembers a chunk, or gives up on sending again if it does not fit.
    pub(crate) fn record(&mut self, chunk: &Bytes) {
        if self.discarded {
            return;
        }
        if self.bytes + chunk.len() > limits::REPLAY_BYTES_MAX {
            *self = Self { discarded: true, ..Self::default() };
            return;
        }
        self.bytes += chunk.len();
        self.chunks.push(chunk.clone());
    }

    /// Whether another read could overrun the bound: until the peer has accepted, wait.
    pub(crate) fn is_full(&self) -> bool {
        self.bytes + limits::HTTP_READ_BYTES_MAX > limits::REPLAY_BYTES_MAX
    }

    /// Everything so far, for another attempt; `None` if it was too much to keep.
    pub(crate) fn chunks(&self) -> Option<&[Bytes]> {
        (!self.discarded).then_some(&self.chunks)
    }

    pub(crate) fn is_whole(&self) -> bool {
        !self.discarded
    }
}

#[cfg(test)]
mod tests;
