//! Chunks on their way, written together without joining.

use std::collections::VecDeque;
use std::io::IoSlice;

use bytes::{Buf, Bytes};

/// Most messages are a head and one or two pieces of content. A queue on the heap for each
/// direction of each request would be a large part of what the allocator has to do.
pub(super) const CHUNKS_IN_PLACE: usize = 4;

#[derive(Debug, Default)]
pub(crate) struct Chunks {
    /// The first chunks, from `start` on.
    few: [Bytes; CHUNKS_IN_PLACE],
    start: usize,
    few_count: usize,
    /// What comes behind them.
    more: VecDeque<Bytes>,
    bytes: usize,
}

impl Chunks {
    pub(crate) fn push(&mut self, chunk: Bytes) {
        if chunk.is_empty() {
            return;
        }
        self.bytes += chunk.len();
        let end = self.start + self.few_count;
        if end < CHUNKS_IN_PLACE && self.more.is_empty() {
            self.few[end] = chunk;
            self.few_count += 1;
        } else {
            self.more.push_back(chunk);
        }
    }

    pub(crate) fn push_front(&mut self, chunk: Bytes) {
        if chunk.is_empty() {
            return;
        }
        self.bytes += chunk.len();
        if self.start > 0 {
            self.start -= 1;
        } else {
            if self.few_count == CHUNKS_IN_PLACE {
                self.few_count -= 1;
                self.more.push_front(std::mem::take(&mut self.few[self.few_count]));
            }
            self.few.rotate_right(1);
        }
        self.few[self.start] = chunk;
        self.few_count += 1;
    }

    pub(crate) fn pop(&mut self) -> Option<Bytes> {
        let chunk = if self.few_count > 0 {
            let chunk = std::mem::take(&mut self.few[self.start]);
            self.few_count -= 1;
            self.start = if self.few_count > 0 { self.start + 1 } else { 0 };
            chunk
        } else {
            self.more.pop_front()?
        };
        self.bytes -= chunk.len();
        Some(chunk)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.bytes == 0
    }

    /// All chunks in two pieces, to be taken out; call `clear` then.
    pub(crate) fn parts(&mut self) -> (&mut [Bytes], &mut [Bytes]) {
        let few = &mut self.few[self.start..self.start + self.few_count];
        (few, self.more.make_contiguous())
    }

    pub(crate) fn clear(&mut self) {
        *self = Self { more: std::mem::take(&mut self.more), ..Self::default() };
        self.more.clear();
    }

    fn iter(&self) -> impl Iterator<Item = &Bytes> {
        self.few[self.start..self.start + self.few_count].iter().chain(&self.more)
    }
}

impl Buf for Chunks {
    fn remaining(&self) -> usize {
        self.bytes
    }

    fn chunk(&self) -> &[u8] {
        self.iter().next().map_or(&[], |chunk| chunk)
    }

    fn chunks_vectored<'a>(&'a self, slices: &mut [IoSlice<'a>]) -> usize {
        let mut count = 0;
        for (slice, chunk) in slices.iter_mut().zip(self.iter()) {
            *slice = IoSlice::new(chunk);
            count += 1;
        }
        count
    }

    fn advance(&mut self, mut count: usize) {
        while count > 0 {
            let mut chunk = self.pop().expect("no more is taken than there is");
            if count < chunk.len() {
                chunk.advance(count);
                self.push_front(chunk);
                return;
            }
            count -= chunk.len();
        }
    }
}

#[cfg(test)]
mod tests;
