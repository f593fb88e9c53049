//! Finds the end of a head in the chunks of a connection, strictly, without joining body bytes.

use bytes::{Buf, Bytes, BytesMut};
use rialto_types::limits;

use super::defect::Defect;

/// Gathers one head. A head that lies in one chunk is returned as a slice of it; only a head that
/// spans chunks is copied together.
///
/// Everything that makes line ends ambiguous is found here, at the first offending byte, so that a
/// hostile or foreign sender is refused before it has filled the buffer.
#[derive(Debug)]
pub(crate) struct Collector {
    held: BytesMut,
    state: State,
    scanned: usize,
    empty_line_allowed: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Before the first byte of the start line.
    Start,
    /// After the carriage return of an empty line before the start line.
    StartReturn,
    /// Inside a line.
    Line,
    /// After a carriage return that ends a line.
    LineReturn,
    /// Before the first byte of a field line.
    FieldStart,
    /// After the carriage return of the empty line that ends the head.
    LastReturn,
}

enum Step {
    Continue,
    SkipEmptyLine,
    Complete,
}

impl Collector {
    /// For requests: one empty line before the request line is passed over (RFC 9112 section 2.2).
    pub(crate) fn for_request() -> Self {
        Self::new(true)
    }

    pub(crate) fn for_response() -> Self {
        Self::new(false)
    }

    fn new(empty_line_allowed: bool) -> Self {
        Self { held: BytesMut::new(), state: State::Start, scanned: 0, empty_line_allowed }
    }

    /// Whether no byte of a message has arrived: a connection that ends here ends in order.
    pub(crate) fn is_idle(&self) -> bool {
        self.state == State::Start
    }

    /// Takes bytes of the head from the front of `chunk`; what follows the head stays in it.
    pub(crate) fn push(&mut self, chunk: &mut Bytes) -> Result<Option<Bytes>, Defect> {
        let mut position = 0;
        while let Some(&byte) = chunk.get(position) {
            if self.scanned == limits::HTTP_HEAD_BYTES_MAX {
                return Err(Defect::HeadTooLarge);
            }
            let step = self.step(byte)?;
            position += 1;
            self.scanned += 1;
            match step {
                Step::Continue => {}
                Step::SkipEmptyLine => {
                    chunk.advance(position);
                    position = 0;
                    self.held.clear();
                }
                Step::Complete => return Ok(Some(self.finish(chunk.split_to(position)))),
            }
            if self.state == State::Line {
                let plain = self.plain_run(&chunk[position..]);
                position += plain;
                self.scanned += plain;
            }
        }
        if self.state != State::Start {
            self.held.extend_from_slice(chunk);
        }
        chunk.clear();
        Ok(None)
    }

    fn plain_run(&self, rest: &[u8]) -> usize {
        let room = limits::HTTP_HEAD_BYTES_MAX - self.scanned;
        let rest = &rest[..rest.len().min(room)];
        rest.iter().position(|&byte| is_special(byte)).unwrap_or(rest.len())
    }

    fn step(&mut self, byte: u8) -> Result<Step, Defect> {
        match (self.state, byte) {
            (State::StartReturn, b'\n') => {
                if !self.empty_line_allowed {
                    return Err(Defect::EmptyStartLine);
                }
                self.empty_line_allowed = false;
                self.state = State::Start;
                return Ok(Step::SkipEmptyLine);
            }
            (State::LastReturn, b'\n') => return Ok(Step::Complete),
            (State::LineReturn, b'\n') => self.state = State::FieldStart,
            (State::StartReturn | State::LineReturn | State::LastReturn, _) => {
                return Err(Defect::BareCarriageReturn);
            }
            (State::Start, b'\r') => self.state = State::StartReturn,
            (State::Line, b'\r') => self.state = State::LineReturn,
            (State::FieldStart, b'\r') => self.state = State::LastReturn,
            (State::FieldStart, b' ' | b'\t') => return Err(Defect::FoldedField),
            (_, b'\n') => return Err(Defect::BareLineFeed),
            (_, 0) => return Err(Defect::Nul),
            (_, b'\t') => self.state = State::Line,
            (_, byte) if is_special(byte) => return Err(Defect::ControlCharacter),
            (State::Start | State::Line | State::FieldStart, _) => self.state = State::Line,
        }
        Ok(Step::Continue)
    }

    fn finish(&mut self, tail: Bytes) -> Bytes {
        if self.held.is_empty() {
            return tail;
        }
        self.held.extend_from_slice(&tail);
        self.held.split().freeze()
    }
}

fn is_special(byte: u8) -> bool {
    byte < 0x20 || byte == 0x7f
}

#[cfg(test)]
mod tests;
