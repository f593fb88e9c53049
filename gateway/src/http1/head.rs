//! Heads of requests and responses: parsed once by `httparse`, checked, and kept as the bytes that
//! came plus positions, so that forwarding copies each field once and allocates nothing per field.

mod fields;
mod request;
mod response;

pub(crate) use fields::{FieldKind, Fields, is_token};
pub(crate) use request::RequestHead;
pub(crate) use response::ResponseHead;

/// Positions in the bytes of a head; its size is bounded far below `u32::MAX`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Span {
    start: u32,
    end: u32,
}

impl Span {
    /// `part` must be a slice of `whole`, or empty.
    fn of(part: &[u8], whole: &[u8]) -> Self {
        if part.is_empty() {
            return Self::default();
        }
        let start = part.as_ptr().addr().wrapping_sub(whole.as_ptr().addr());
        assert!(start + part.len() <= whole.len(), "a span lies inside its head");
        let narrow = |position: usize| u32::try_from(position).expect("heads are below 4 GiB");
        Self { start: narrow(start), end: narrow(start + part.len()) }
    }

    fn get(self, whole: &[u8]) -> &[u8] {
        &whole[self.start as usize..self.end as usize]
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Version {
    Http10,
    Http11,
}

impl Version {
    fn of(minor: Option<u8>) -> Self {
        if minor == Some(0) { Self::Http10 } else { Self::Http11 }
    }
}

/// How the end of a message's content is found (RFC 9112 section 6.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Framing {
    None,
    Length(u64),
    Chunked,
    /// Responses only: the content ends when the connection does.
    UntilClose,
}

#[cfg(test)]
mod tests;
