//! A request's head.

use std::mem::MaybeUninit;

use bytes::Bytes;
use rialto_types::limits;

use super::fields::{FieldKind, Fields, diagnose, is_token};
use super::{Framing, Span, Version};
use crate::http1::defect::Defect;
use crate::http1::target;

/// A request's head of which every reader makes the same.
#[derive(Debug)]
pub(crate) struct RequestHead {
    head: Bytes,
    method: Span,
    path: Span,
    query: Option<Span>,
    host: Option<Span>,
    version: Version,
    expects_continue: bool,
    fields: Fields,
}

impl RequestHead {
    /// `head` runs from the first byte of the request line to the empty line, as
    /// [`crate::http1::collect::Collector`] returns it.
    pub(crate) fn parse(head: Bytes) -> Result<Self, Defect> {
        if head.starts_with(b"PRI * HTTP/2.0\r\n") {
            return Err(Defect::Http2Preface);
        }
        let mut storage = [const { MaybeUninit::uninit() }; limits::HTTP_FIELDS_MAX];
        let mut parsed = httparse::Request::new(&mut []);
        let status = parsed
            .parse_with_uninit_headers(&head, &mut storage)
            .map_err(|error| defect_of(error, &head))?;
        let (Some(method), Some(target)) = (parsed.method, parsed.path) else {
            return Err(Defect::RequestLine);
        };
        if !matches!(status, httparse::Status::Complete(length) if length == head.len()) {
            return Err(Defect::RequestLine);
        }
        if method == "CONNECT" {
            return Err(Defect::Connect);
        }
        let version = Version::of(parsed.version);
        let fields = Fields::check(head.clone(), parsed.headers, version)?;
        if fields.of_kind(FieldKind::Upgrade).next().is_some() {
            return Err(Defect::Upgrade);
        }
        let target = target::parse(method.as_bytes(), target.as_bytes())?;
        let host = check_host(&fields, version, target.authority)?;
        Ok(Self {
            method: Span::of(method.as_bytes(), &head),
            path: Span::of(target.path, &head),
            query: target.query.map(|query| Span::of(query, &head)),
            host: host.map(|host| Span::of(host, &head)),
            version,
            expects_continue: expects_continue(&fields, version)?,
            fields,
            head,
        })
    }

    /// Bytes of the head as it came.
    pub(crate) fn size(&self) -> usize {
        self.head.len()
    }

    pub(crate) fn method(&self) -> &str {
        text(self.method, &self.head)
    }

    /// Starts with `/`, or is `*`.
    pub(crate) fn path(&self) -> &str {
        let path = text(self.path, &self.head);
        if !path.is_empty() {
            return path;
        }
        // An absolute form without a path asks OPTIONS about the server (RFC 9112 section 3.2.4).
        if self.method() == "OPTIONS" && self.query.is_none() { "*" } else { "/" }
    }

    pub(crate) fn query(&self) -> Option<&str> {
        self.query.map(|query| text(query, &self.head))
    }

    /// Absent only in HTTP/1.0.
    pub(crate) fn host(&self) -> Option<&[u8]> {
        self.host.map(|host| host.get(&self.head))
    }

    pub(crate) fn version(&self) -> Version {
        self.version
    }

    pub(crate) fn fields(&self) -> &Fields {
        &self.fields
    }

    pub(crate) fn framing(&self) -> Framing {
        match self.fields.content_length {
            _ if self.fields.chunked => Framing::Chunked,
            None | Some(0) => Framing::None,
            Some(length) => Framing::Length(length),
        }
    }

    /// The client waits for `100 Continue`, or for a moment, before it sends its content.
    pub(crate) fn expects_continue(&self) -> bool {
        self.expects_continue && self.framing() != Framing::None
    }

    /// Whether another request may follow on this connection. HTTP/1.0 connections end after one
    /// answer: keeping them open was never part of that version, and only few clients ask for it.
    pub(crate) fn is_persistent(&self) -> bool {
        self.version == Version::Http11 && !self.fields.close
    }

    /// RFC 9110 section 9.2.2: doing it twice has the effect of doing it once.
    pub(crate) fn is_idempotent(&self) -> bool {
        matches!(self.method(), "GET" | "HEAD" | "OPTIONS" | "TRACE" | "PUT" | "DELETE")
    }

    pub(crate) fn is_head_request(&self) -> bool {
        self.method() == "HEAD"
    }

    /// The W3C trace context, passed through as it came; absent if repeated, as that document says.
    pub(crate) fn trace_parent(&self) -> Option<&str> {
        let mut values = self.fields.of_kind(FieldKind::TraceParent);
        let value = std::str::from_utf8(values.next()?).ok()?;
        values.next().is_none().then_some(value)
    }
}

fn text(span: Span, head: &[u8]) -> &str {
    std::str::from_utf8(span.get(head)).expect("methods and targets were checked to be ASCII")
}

fn check_host<'a>(
    fields: &'a Fields,
    version: Version,
    authority: Option<&[u8]>,
) -> Result<Option<&'a [u8]>, Defect> {
    let mut hosts = fields.of_kind(FieldKind::Host);
    let Some(host) = hosts.next() else {
        // The authority of an absolute form would do, but RFC 9112 section 3.2 demands Host.
        return match version {
            Version::Http10 => Ok(None),
            Version::Http11 => Err(Defect::HostMissing),
        };
    };
    if hosts.next().is_some() {
        return Err(Defect::HostRepeated);
    }
    target::check_host(host)?;
    match authority {
        Some(authority) if !authority.eq_ignore_ascii_case(host) => Err(Defect::HostMismatch),
        Some(_) | None => Ok(Some(host)),
    }
}

/// HTTP/1.0 has no interim responses: there the expectation is ignored (RFC 9110 section 10.1.1).
fn expects_continue(fields: &Fields, version: Version) -> Result<bool, Defect> {
    let mut expected = false;
    for value in fields.of_kind(FieldKind::Expect) {
        if version == Version::Http10 {
            continue;
        }
        if !value.eq_ignore_ascii_case(b"100-continue") {
            return Err(Defect::Expectation);
        }
        expected = true;
    }
    Ok(expected)
}

fn defect_of(error: httparse::Error, head: &[u8]) -> Defect {
    let line = head.split(|&byte| byte == b'\r').next().unwrap_or(head);
    match error {
        httparse::Error::TooManyHeaders => Defect::TooManyFields,
        httparse::Error::HeaderName | httparse::Error::HeaderValue => diagnose(head),
        httparse::Error::Version
        | httparse::Error::Token
        | httparse::Error::Status
        | httparse::Error::NewLine => diagnose_request_line(line),
    }
}

fn diagnose_request_line(line: &[u8]) -> Defect {
    let mut words = line.split(|&byte| byte == b' ');
    let (Some(method), Some(target), Some(version), None) =
        (words.next(), words.next(), words.next(), words.next())
    else {
        return Defect::RequestLine;
    };
    let version_is_other = matches!(
        version,
        [b'H', b'T', b'T', b'P', b'/', major, b'.', minor]
            if major.is_ascii_digit() && minor.is_ascii_digit()
    );
    if !is_token(method) {
        Defect::RequestLine
    } else if target.is_empty() || !target.iter().all(u8::is_ascii_graphic) {
        Defect::Target
    } else if version_is_other {
        Defect::Version
    } else {
        Defect::RequestLine
    }
}
