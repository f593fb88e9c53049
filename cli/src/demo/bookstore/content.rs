//! Bytes that anybody can make again, and their checksum.

use bytes::Bytes;

pub(crate) const CHECKSUM_HEADER: &str = "x-checksum";
const WORD: usize = 8;
pub(crate) const CHUNK_BYTES: usize = 64 * 1024;

/// The first `size` bytes of an endless sequence, in chunks.
#[derive(Debug)]
pub(crate) struct Content {
    left: u64,
    state: u64,
}

impl Content {
    pub(crate) fn new(size: u64) -> Self {
        Self { left: size, state: 0x0BAD_5EED_0BAD_5EED }
    }

    fn fill(&mut self, chunk: &mut Vec<u8>) {
        let size = CHUNK_BYTES.min(usize::try_from(self.left).unwrap_or(CHUNK_BYTES));
        chunk.clear();
        while chunk.len() < size {
            // xorshift64 (Marsaglia 2003).
            self.state ^= self.state << 13;
            self.state ^= self.state >> 7;
            self.state ^= self.state << 17;
            chunk.extend_from_slice(&self.state.to_le_bytes());
        }
        chunk.truncate(size);
        self.left -= size as u64;
    }
}

impl Iterator for Content {
    type Item = Bytes;

    fn next(&mut self) -> Option<Bytes> {
        if self.left == 0 {
            return None;
        }
        let mut chunk = Vec::with_capacity(CHUNK_BYTES + WORD);
        self.fill(&mut chunk);
        Some(Bytes::from(chunk))
    }
}

/// Depends on every byte, its place and the length; a check against accidents, not against malice.
#[derive(Debug, Default)]
pub(crate) struct Checksum {
    sum: u64,
    partial: [u8; WORD],
    partial_size: usize,
    size: u64,
}

impl Checksum {
    pub(crate) fn of_content(size: u64) -> u64 {
        let mut checksum = Self::default();
        let mut content = Content::new(size);
        let mut chunk = Vec::new();
        while content.left > 0 {
            content.fill(&mut chunk);
            checksum.update(&chunk);
        }
        checksum.finish()
    }

    pub(crate) fn update(&mut self, mut bytes: &[u8]) {
        self.size += bytes.len() as u64;
        if self.partial_size > 0 {
            let taken = bytes.len().min(WORD - self.partial_size);
            self.partial[self.partial_size..][..taken].copy_from_slice(&bytes[..taken]);
            self.partial_size += taken;
            bytes = &bytes[taken..];
            if self.partial_size < WORD {
                return;
            }
            self.add(u64::from_le_bytes(self.partial));
        }
        let (words, rest) = bytes.as_chunks::<WORD>();
        for word in words {
            self.add(u64::from_le_bytes(*word));
        }
        self.partial[..rest.len()].copy_from_slice(rest);
        self.partial_size = rest.len();
    }

    pub(crate) fn finish(mut self) -> u64 {
        self.partial[self.partial_size..].fill(0);
        self.add(u64::from_le_bytes(self.partial));
        self.add(self.size);
        self.sum
    }

    fn add(&mut self, word: u64) {
        self.sum = (self.sum.rotate_left(5) ^ word).wrapping_mul(0x517C_C1B7_2722_0A95);
    }
}

#[cfg(test)]
mod tests;
