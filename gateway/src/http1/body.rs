//! The content of a message on its way through: where it ends, found without joining or copying.
//!
//! ```text
//!   chunks from one side --> Body::take --> the same bytes, cut, for the other side
//!                                 |
//!                                 +--> complete? anything behind it belongs to the next message
//! ```

use bytes::{Buf, Bytes, BytesMut};
use rialto_types::limits;

use super::defect::Defect;
use super::head::Framing;

mod trailers;

/// What the other side gets of a chunked content.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ChunkedOutput {
    /// The chunks as they came, verified.
    AsReceived,
    /// The data without sizes and trailers: for clients of HTTP/1.0.
    DataOnly,
}

/// Follows one content to its end.
#[derive(Debug)]
pub(crate) struct Body {
    state: State,
    output: ChunkedOutput,
    trailers: BytesMut,
    extension_bytes: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Length(u64),
    UntilClose,
    ChunkSize {
        size: u64,
        digits: u8,
    },
    ChunkExtension {
        size: u64,
    },
    ChunkSizeReturn {
        size: u64,
    },
    ChunkData(u64),
    ChunkDataEnd,
    ChunkDataReturn,
    /// Between the last chunk and the empty line that ends the trailer section.
    Trailers,
    Complete,
}

const NEXT_CHUNK: State = State::ChunkSize { size: 0, digits: 0 };

impl Body {
    pub(crate) fn new(framing: Framing, output: ChunkedOutput) -> Self {
        let state = match framing {
            Framing::None | Framing::Length(0) => State::Complete,
            Framing::Length(length) => State::Length(length),
            Framing::Chunked => NEXT_CHUNK,
            Framing::UntilClose => State::UntilClose,
        };
        Self { state, output, trailers: BytesMut::new(), extension_bytes: 0 }
    }

    pub(crate) fn is_complete(&self) -> bool {
        self.state == State::Complete
    }

    /// Takes content from the front of `input` and returns what the other side gets of it, which
    /// can be empty. Each call takes at least one byte, unless the content is complete; call it
    /// until `input` is empty or the content is complete.
    ///
    /// Trailers are held back until all of them are verified, so that the other side never sees a
    /// part of a section that is refused.
    pub(crate) fn take(&mut self, input: &mut Bytes) -> Result<Bytes, Defect> {
        match self.state {
            State::Complete => Ok(Bytes::new()),
            State::UntilClose => Ok(std::mem::take(input)),
            State::Length(remaining) => {
                let (part, left) = cut(input, remaining);
                self.state = if left == 0 { State::Complete } else { State::Length(left) };
                Ok(part)
            }
            State::Trailers => self.take_trailers(input),
            State::ChunkSize { .. }
            | State::ChunkExtension { .. }
            | State::ChunkSizeReturn { .. }
            | State::ChunkData(_)
            | State::ChunkDataEnd
            | State::ChunkDataReturn => match self.output {
                ChunkedOutput::AsReceived => self.take_chunks(input),
                ChunkedOutput::DataOnly => self.take_data(input),
            },
        }
    }

    /// The sender has closed its side. Only content that ends so is whole then.
    pub(crate) fn end(&mut self) -> Result<(), Defect> {
        match self.state {
            State::Complete => Ok(()),
            State::UntilClose => {
                self.state = State::Complete;
                Ok(())
            }
            State::Length(_)
            | State::ChunkSize { .. }
            | State::ChunkExtension { .. }
            | State::ChunkSizeReturn { .. }
            | State::ChunkData(_)
            | State::ChunkDataEnd
            | State::ChunkDataReturn
            | State::Trailers => Err(Defect::Truncated),
        }
    }

    fn take_chunks(&mut self, input: &mut Bytes) -> Result<Bytes, Defect> {
        let mut position = 0;
        while position < input.len() && self.state != State::Trailers {
            if let State::ChunkData(remaining) = self.state {
                let (length, left) = split_length(input.len() - position, remaining);
                position += length;
                self.state = after_data(left);
            } else {
                self.step(input[position])?;
                position += 1;
            }
        }
        // Nearly every content ends without trailers: its last bytes stay in one piece.
        if self.state == State::Trailers && input[position..].starts_with(b"\r\n") {
            position += 2;
            self.state = State::Complete;
        }
        Ok(input.split_to(position))
    }

    fn take_data(&mut self, input: &mut Bytes) -> Result<Bytes, Defect> {
        let mut position = 0;
        while position < input.len() && self.state != State::Trailers {
            if let State::ChunkData(remaining) = self.state {
                input.advance(position);
                let (part, left) = cut(input, remaining);
                self.state = after_data(left);
                return Ok(part);
            }
            self.step(input[position])?;
            position += 1;
        }
        input.advance(position);
        Ok(Bytes::new())
    }

    /// One byte of the lines between the data. Sizes are plain hexadecimal digits, directly
    /// followed by CR LF or an extension; extensions are passed on unread, within limits.
    fn step(&mut self, byte: u8) -> Result<(), Defect> {
        self.state = match (self.state, byte) {
            (State::ChunkSize { size, digits: 1.. }, b'\r') => State::ChunkSizeReturn { size },
            (State::ChunkSize { size, digits: 1.. }, b';') => State::ChunkExtension { size },
            (State::ChunkSize { size, digits }, byte) => next_digit(size, digits, byte)?,
            (State::ChunkExtension { size }, b'\r') => State::ChunkSizeReturn { size },
            (State::ChunkExtension { size }, b'\t' | b' '..=b'~') => {
                self.extension_bytes += 1;
                if self.extension_bytes > limits::HTTP_CHUNK_EXTENSION_BYTES_MAX {
                    return Err(Defect::ChunkExtension);
                }
                State::ChunkExtension { size }
            }
            (State::ChunkExtension { .. }, _) => return Err(Defect::ChunkExtension),
            (State::ChunkSizeReturn { size: 0 }, b'\n') => State::Trailers,
            (State::ChunkSizeReturn { size }, b'\n') => State::ChunkData(size),
            (State::ChunkDataEnd, b'\r') => State::ChunkDataReturn,
            (State::ChunkDataReturn, b'\n') => NEXT_CHUNK,
            (State::ChunkSizeReturn { .. } | State::ChunkDataEnd | State::ChunkDataReturn, _) => {
                return Err(Defect::ChunkEnd);
            }
            (
                State::Length(_)
                | State::UntilClose
                | State::ChunkData(_)
                | State::Trailers
                | State::Complete,
                _,
            ) => unreachable!("these states take whole slices, not single bytes"),
        };
        Ok(())
    }

    fn take_trailers(&mut self, input: &mut Bytes) -> Result<Bytes, Defect> {
        let mut taken = 0;
        for &byte in input.iter() {
            taken += 1;
            self.trailers.extend_from_slice(&[byte]);
            if trailers::is_complete(&self.trailers)? {
                self.state = State::Complete;
                break;
            }
            if self.trailers.len() >= limits::HTTP_TRAILER_BYTES_MAX {
                return Err(Defect::TrailerTooLarge);
            }
        }
        input.advance(taken);
        if self.state == State::Complete && self.output == ChunkedOutput::AsReceived {
            return Ok(self.trailers.split().freeze());
        }
        Ok(Bytes::new())
    }
}

fn next_digit(size: u64, digits: u8, byte: u8) -> Result<State, Defect> {
    const DIGITS_MAX: u8 = 15;
    let digit = char::from(byte).to_digit(16).ok_or(Defect::ChunkSize)?;
    if digits == DIGITS_MAX {
        return Err(Defect::ChunkSize);
    }
    Ok(State::ChunkSize { size: size * 16 + u64::from(digit), digits: digits + 1 })
}

fn after_data(left: u64) -> State {
    if left == 0 { State::ChunkDataEnd } else { State::ChunkData(left) }
}

fn cut(input: &mut Bytes, remaining: u64) -> (Bytes, u64) {
    let (length, left) = split_length(input.len(), remaining);
    (input.split_to(length), left)
}

fn split_length(available: usize, remaining: u64) -> (usize, u64) {
    match usize::try_from(remaining) {
        Ok(remaining) if remaining <= available => (remaining, 0),
        _ => (available, remaining - available as u64),
    }
}

#[cfg(test)]
mod tests;
