//! A response's head. Its origin is as little trusted as a client: what is ambiguous becomes 502.

use std::mem::MaybeUninit;

use bytes::Bytes;
use rialto_types::limits;

use super::fields::{Fields, diagnose};
use super::{Framing, Span, Version};
use crate::http1::defect::Defect;

#[derive(Debug)]
pub(crate) struct ResponseHead {
    head: Bytes,
    reason: Span,
    status: u16,
    version: Version,
    fields: Fields,
}

impl ResponseHead {
    /// `head` is what [`crate::http1::collect::Collector`] returned.
    pub(crate) fn parse(head: Bytes) -> Result<Self, Defect> {
        let mut storage = [const { MaybeUninit::uninit() }; limits::HTTP_FIELDS_MAX];
        let mut parsed = httparse::Response::new(&mut []);
        let outcome = httparse::ParserConfig::default()
            .parse_response_with_uninit_headers(&mut parsed, &head, &mut storage)
            .map_err(|error| defect_of(error, &head))?;
        let Some(status) = parsed.code else { return Err(Defect::StatusLine) };
        if !matches!(outcome, httparse::Status::Complete(length) if length == head.len())
            || !(100..=599).contains(&status)
        {
            return Err(Defect::StatusLine);
        }
        if status == 101 {
            return Err(Defect::UnaskedSwitch);
        }
        let version = Version::of(parsed.version);
        let fields = Fields::check(head.clone(), parsed.headers, version)?;
        let has_content = fields.chunked || fields.content_length.is_some_and(|length| length > 0);
        if (status < 200 || status == 204) && has_content {
            return Err(Defect::ContentNotAllowed);
        }
        Ok(Self { reason: Span::of(reason(&head), &head), status, version, fields, head })
    }

    /// Bytes of the head as it came.
    pub(crate) fn size(&self) -> usize {
        self.head.len()
    }

    pub(crate) fn status(&self) -> u16 {
        self.status
    }

    pub(crate) fn reason(&self) -> &[u8] {
        self.reason.get(&self.head)
    }

    /// 1xx: another response to the same request follows.
    pub(crate) fn is_interim(&self) -> bool {
        self.status < 200
    }

    pub(crate) fn fields(&self) -> &Fields {
        &self.fields
    }

    /// RFC 9112 section 6.3; the answer to HEAD and 304 may state the length that GET would have.
    pub(crate) fn framing(&self, answers_head_request: bool) -> Framing {
        if answers_head_request || self.status < 200 || matches!(self.status, 204 | 304) {
            return Framing::None;
        }
        match self.fields.content_length {
            _ if self.fields.chunked => Framing::Chunked,
            Some(0) => Framing::None,
            Some(length) => Framing::Length(length),
            None => Framing::UntilClose,
        }
    }

    /// Whether its connection may carry another request once the content has been read to its end.
    pub(crate) fn keeps_connection(&self) -> bool {
        self.version == Version::Http11 && !self.fields.close
    }
}

/// The rest of the status line, whatever its characters; `httparse` returns none of a reason that
/// is not ASCII.
fn reason(head: &[u8]) -> &[u8] {
    const CODE_END: usize = b"HTTP/1.1 200".len();
    let line = head.split(|&byte| byte == b'\r').next().unwrap_or(head);
    line.get(CODE_END + 1..).unwrap_or_default()
}

fn defect_of(error: httparse::Error, head: &[u8]) -> Defect {
    match error {
        httparse::Error::TooManyHeaders => Defect::TooManyFields,
        httparse::Error::HeaderName | httparse::Error::HeaderValue => diagnose(head),
        httparse::Error::Version
        | httparse::Error::Token
        | httparse::Error::Status
        | httparse::Error::NewLine => Defect::StatusLine,
    }
}
