//! What is said at the start of a stream, before any payload: the open header, and its answer.
//!
//! ```text
//! open, answer:  kind u8 | length u16 | fields
//! field:         type u8 (top bit: must be understood) | length u16 | value
//! ```
//!
//! Numbers are big-endian. A field that is not known is skipped, or refused if its top bit is set.
//! Every field appears at most once. In HTTP mode the request's head follows the open header as
//! ordinary stream bytes.

use std::str::FromStr;

use bytes::{Buf, BufMut, Bytes, BytesMut};
use rialto_types::id::{ServiceName, SpiffeId};
use rialto_types::limits;

use super::{RecvStream, StreamError};

mod refusal;

pub use refusal::{Refusal, RefusalCode, Retry};

const KIND_OPEN: u8 = 1;
const KIND_ACCEPTED: u8 = 2;
const KIND_REFUSED: u8 = 3;

/// Bytes before the fields.
const PREFIX_BYTES: usize = 3;
const FIELD_PREFIX_BYTES: usize = 3;

/// The top bit of a field's type: whoever does not know the field must refuse.
const MUST: u8 = 0x80;

const FIELD_MODE: u8 = 1 | MUST;
const FIELD_SERVICE: u8 = 2 | MUST;
const FIELD_PORT: u8 = 3 | MUST;
const FIELD_BACKEND: u8 = 4 | MUST;
const FIELD_CALLER: u8 = 5 | MUST;
const FIELD_HOPS: u8 = 6 | MUST;
const FIELD_OFFSET: u8 = 7 | MUST;
const FIELD_FLOW: u8 = 8;
const FIELD_TRACE: u8 = 9;
const FIELD_DEADLINE: u8 = 10;
const FIELD_AFFINITY: u8 = 11;

const FIELD_CODE: u8 = 1 | MUST;
const FIELD_REASON: u8 = 2;

/// What flows on the stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Bytes, both ways, until both ends have ended.
    Tcp,
    /// One HTTP/1.1 request and its response.
    Http,
}

impl Mode {
    fn number(self) -> u8 {
        match self {
            Self::Tcp => 1,
            Self::Http => 2,
        }
    }
}

/// A service port that a route chose.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Backend {
    pub service: ServiceName,
    pub port: u16,
}

/// The request to open a flow.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Open {
    pub mode: Mode,
    /// What the caller dialled.
    pub service: ServiceName,
    pub port: u16,
    /// Where the near gateway's routes sent it; absent when that is what was dialled.
    pub backend: Option<Backend>,
    /// Who calls, as the near gateway knows it; absent when it does not.
    pub caller: Option<SpiffeId>,
    /// Gateways passed so far; a loop ends at the bound.
    pub hops: u8,
    /// One number per flow, the same on every gateway, for logs.
    pub flow: u128,
    /// Bytes of the flow that went over an earlier stream.
    pub offset: u64,
    /// `traceparent` of W3C Trace Context.
    pub trace: Option<String>,
    /// Milliseconds that are left to answer.
    pub deadline_ms: Option<u32>,
    /// Stands for the caller, where it is to stay with one endpoint. A gateway that does not know
    /// the field picks as without affinity.
    pub affinity: Option<u64>,
}

impl Open {
    /// Where the flow goes: the backend, or what was dialled.
    pub fn target(&self) -> (&ServiceName, u16) {
        match &self.backend {
            Some(backend) => (&backend.service, backend.port),
            None => (&self.service, self.port),
        }
    }

    pub fn encode(&self) -> Bytes {
        let mut writer = Writer::new(KIND_OPEN);
        writer.field(FIELD_MODE, &[self.mode.number()]);
        writer.field(FIELD_SERVICE, self.service.to_string().as_bytes());
        writer.field(FIELD_PORT, &self.port.to_be_bytes());
        if let Some(backend) = &self.backend {
            let mut value = backend.port.to_be_bytes().to_vec();
            value.extend_from_slice(backend.service.to_string().as_bytes());
            writer.field(FIELD_BACKEND, &value);
        }
        if let Some(caller) = &self.caller {
            writer.field(FIELD_CALLER, caller.as_str().as_bytes());
        }
        writer.field(FIELD_HOPS, &[self.hops]);
        if self.offset != 0 {
            writer.field(FIELD_OFFSET, &self.offset.to_be_bytes());
        }
        writer.field(FIELD_FLOW, &self.flow.to_be_bytes());
        if let Some(trace) = self.trace.as_deref().filter(|trace| is_trace(trace)) {
            writer.field(FIELD_TRACE, trace.as_bytes());
        }
        if let Some(deadline_ms) = self.deadline_ms {
            writer.field(FIELD_DEADLINE, &deadline_ms.to_be_bytes());
        }
        if let Some(affinity) = self.affinity {
            writer.field(FIELD_AFFINITY, &affinity.to_be_bytes());
        }
        writer.finish()
    }

    /// Reads the fields of an open header; `decode_prefix` has said where they are.
    fn decode(mut fields: &[u8]) -> Result<Self, Error> {
        let mut seen = 0u128;
        let (mut mode, mut service, mut port) = (None, None, None);
        let (mut backend, mut caller, mut trace) = (None, None, None);
        let (mut deadline_ms, mut affinity) = (None, None);
        let (mut hops, mut flow, mut offset) = (0, 0, 0);
        while let Some((field, value)) = next_field(&mut fields, &mut seen)? {
            match field {
                FIELD_MODE => mode = Some(parse_mode(u8_value("mode", value)?)?),
                FIELD_SERVICE => service = Some(name_value("service", value)?),
                FIELD_PORT => port = Some(port_value("port", value)?),
                FIELD_BACKEND => backend = Some(parse_backend(value)?),
                FIELD_CALLER => caller = Some(name_value("caller", value)?),
                FIELD_HOPS => hops = u8_value("hops", value)?,
                FIELD_OFFSET => offset = u64::from_be_bytes(exact("offset", value)?),
                FIELD_FLOW => flow = u128::from_be_bytes(exact("flow", value)?),
                FIELD_TRACE => trace = Some(parse_trace(value)?),
                FIELD_DEADLINE => {
                    deadline_ms = Some(u32::from_be_bytes(exact("deadline", value)?));
                }
                FIELD_AFFINITY => affinity = Some(u64::from_be_bytes(exact("affinity", value)?)),
                unknown if unknown & MUST != 0 => return Err(Error::NotUnderstood(unknown)),
                _ => {}
            }
        }
        if hops > limits::TUNNEL_HOPS_MAX {
            return Err(Error::TooManyHops(hops));
        }
        Ok(Self {
            mode: mode.ok_or(Error::Missing("mode"))?,
            service: service.ok_or(Error::Missing("service"))?,
            port: port.ok_or(Error::Missing("port"))?,
            backend,
            caller,
            hops,
            flow,
            offset,
            trace,
            deadline_ms,
            affinity,
        })
    }
}

/// What the far gateway answers before any payload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// The endpoint is connected; payload flows from here on.
    Accepted,
    Refused(Refusal),
}

impl Answer {
    pub fn encode(&self) -> Bytes {
        match self {
            Self::Accepted => Writer::new(KIND_ACCEPTED).finish(),
            Self::Refused(refusal) => {
                let mut writer = Writer::new(KIND_REFUSED);
                writer.field(FIELD_CODE, &refusal.code.number().to_be_bytes());
                writer.field(FIELD_REASON, truncate(&refusal.reason).as_bytes());
                writer.finish()
            }
        }
    }

    fn decode(kind: u8, mut fields: &[u8]) -> Result<Self, Error> {
        let mut seen = 0u128;
        let (mut code, mut reason) = (None, String::new());
        while let Some((field, value)) = next_field(&mut fields, &mut seen)? {
            match field {
                FIELD_CODE if kind == KIND_REFUSED => {
                    code = Some(u16::from_be_bytes(exact("code", value)?));
                }
                FIELD_REASON if kind == KIND_REFUSED => {
                    reason = truncate(text_value("reason", value)?).to_owned();
                }
                unknown if unknown & MUST != 0 => return Err(Error::NotUnderstood(unknown)),
                _ => {}
            }
        }
        if kind == KIND_ACCEPTED {
            return Ok(Self::Accepted);
        }
        let code = RefusalCode::from_number(code.ok_or(Error::Missing("code"))?);
        Ok(Self::Refused(Refusal { code, reason }))
    }
}

/// Why the bytes at the start of a stream are not a header.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    #[error("a header of kind {0} was not expected here")]
    Kind(u8),
    #[error(
        "header has {0} bytes of fields, at most {max} are allowed",
        max = limits::TUNNEL_HEADER_BYTES_MAX
    )]
    TooLong(usize),
    #[error("the stream ended inside the header")]
    Truncated,
    #[error("a field is cut off at the end of the header")]
    FieldTruncated,
    #[error("field {0} appears twice")]
    Duplicate(u8),
    #[error("field {0} must be understood and is not known; is the peer newer?")]
    NotUnderstood(u8),
    #[error("field `{0}` is missing")]
    Missing(&'static str),
    #[error("field `{field}` has {length} bytes, which is not its length")]
    Length { field: &'static str, length: usize },
    #[error("field `{0}` is not UTF-8")]
    NotText(&'static str),
    #[error("field `{0}` is not a valid name")]
    Name(&'static str, #[source] rialto_types::id::Error),
    #[error("field `{0}` is port 0")]
    PortZero(&'static str),
    #[error("mode {0} is not known; is the peer newer?")]
    Mode(u8),
    #[error("field `trace` is not a traceparent")]
    Trace,
    #[error(
        "the flow has passed {0} gateways, at most {max} are allowed",
        max = limits::TUNNEL_HOPS_MAX
    )]
    TooManyHops(u8),
}

impl Error {
    /// What the peer is told.
    pub fn refusal(&self) -> Refusal {
        let code = match self {
            Self::NotUnderstood(_) | Self::Mode(_) => RefusalCode::NotUnderstood,
            Self::TooManyHops(_) => RefusalCode::Loop,
            Self::Kind(_)
            | Self::TooLong(_)
            | Self::Truncated
            | Self::FieldTruncated
            | Self::Duplicate(_)
            | Self::Missing(_)
            | Self::Length { .. }
            | Self::NotText(_)
            | Self::Name(..)
            | Self::PortZero(_)
            | Self::Trace => RefusalCode::BadHeader,
        };
        Refusal::new(code, self.to_string())
    }
}

/// Why no header was read from a stream.
#[derive(Debug, Clone, thiserror::Error)]
pub enum ReadError {
    #[error("the stream broke before its header was complete")]
    Stream(#[source] StreamError),
    #[error("the stream's header is not valid")]
    Header(#[source] Error),
}

/// Reads the open header; what follows it stays in the stream.
pub async fn read_open(stream: &mut RecvStream) -> Result<Open, ReadError> {
    let (kind, fields) = read_frame(stream).await?;
    if kind != KIND_OPEN {
        return Err(ReadError::Header(Error::Kind(kind)));
    }
    Open::decode(&fields).map_err(ReadError::Header)
}

/// Reads the answer; what follows it stays in the stream.
pub async fn read_answer(stream: &mut RecvStream) -> Result<Answer, ReadError> {
    let (kind, fields) = read_frame(stream).await?;
    if kind != KIND_ACCEPTED && kind != KIND_REFUSED {
        return Err(ReadError::Header(Error::Kind(kind)));
    }
    Answer::decode(kind, &fields).map_err(ReadError::Header)
}

/// What was read of an unfinished header stays in the stream: the caller may give up waiting and
/// come back.
async fn read_frame(stream: &mut RecvStream) -> Result<(u8, Bytes), ReadError> {
    loop {
        let waiting = &mut stream.unread;
        if let Some((kind, length)) = decode_prefix(waiting).map_err(ReadError::Header)?
            && waiting.len() >= PREFIX_BYTES + length
        {
            waiting.advance(PREFIX_BYTES);
            return Ok((kind, waiting.split_to(length)));
        }
        match stream.gather().await {
            Ok(true) => {}
            Ok(false) => return Err(ReadError::Header(Error::Truncated)),
            Err(error) => return Err(ReadError::Stream(error)),
        }
    }
}

/// The kind and the length of the fields, once three bytes are there.
fn decode_prefix(bytes: &[u8]) -> Result<Option<(u8, usize)>, Error> {
    let &[kind, high, low, ..] = bytes else {
        return Ok(None);
    };
    let length = usize::from(u16::from_be_bytes([high, low]));
    if length > limits::TUNNEL_HEADER_BYTES_MAX {
        return Err(Error::TooLong(length));
    }
    Ok(Some((kind, length)))
}

/// Takes the next field off the front and notes its number as seen.
fn next_field<'a>(bytes: &mut &'a [u8], seen: &mut u128) -> Result<Option<(u8, &'a [u8])>, Error> {
    if bytes.is_empty() {
        return Ok(None);
    }
    if bytes.len() < FIELD_PREFIX_BYTES {
        return Err(Error::FieldTruncated);
    }
    let field = bytes.get_u8();
    let length = usize::from(bytes.get_u16());
    if bytes.len() < length {
        return Err(Error::FieldTruncated);
    }
    let bit = 1u128 << (field & !MUST);
    if *seen & bit != 0 {
        return Err(Error::Duplicate(field));
    }
    *seen |= bit;
    let (value, rest) = bytes.split_at(length);
    *bytes = rest;
    Ok(Some((field, value)))
}

fn exact<const N: usize>(field: &'static str, value: &[u8]) -> Result<[u8; N], Error> {
    value.try_into().map_err(|_| Error::Length { field, length: value.len() })
}

fn u8_value(field: &'static str, value: &[u8]) -> Result<u8, Error> {
    Ok(exact::<1>(field, value)?[0])
}

fn port_value(field: &'static str, value: &[u8]) -> Result<u16, Error> {
    match u16::from_be_bytes(exact(field, value)?) {
        0 => Err(Error::PortZero(field)),
        port => Ok(port),
    }
}

fn text_value<'a>(field: &'static str, value: &'a [u8]) -> Result<&'a str, Error> {
    std::str::from_utf8(value).map_err(|_| Error::NotText(field))
}

fn name_value<T>(field: &'static str, value: &[u8]) -> Result<T, Error>
where
    T: FromStr<Err = rialto_types::id::Error>,
{
    text_value(field, value)?.parse().map_err(|source| Error::Name(field, source))
}

fn parse_mode(number: u8) -> Result<Mode, Error> {
    match number {
        1 => Ok(Mode::Tcp),
        2 => Ok(Mode::Http),
        other => Err(Error::Mode(other)),
    }
}

fn parse_backend(value: &[u8]) -> Result<Backend, Error> {
    let Some((port, service)) = value.split_at_checked(2) else {
        return Err(Error::Length { field: "backend", length: value.len() });
    };
    Ok(Backend { service: name_value("backend", service)?, port: port_value("backend", port)? })
}

fn parse_trace(value: &[u8]) -> Result<String, Error> {
    let trace = text_value("trace", value)?;
    if is_trace(trace) { Ok(trace.to_owned()) } else { Err(Error::Trace) }
}

/// W3C Trace Context 3.2: lower-case hex in groups; later versions may be longer.
fn is_trace(text: &str) -> bool {
    (55..=128).contains(&text.len())
        && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f' | b'-'))
}

fn truncate(text: &str) -> &str {
    let mut end = text.len().min(limits::REFUSAL_REASON_BYTES_MAX);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

struct Writer {
    bytes: BytesMut,
}

impl Writer {
    fn new(kind: u8) -> Self {
        let mut bytes = BytesMut::with_capacity(256);
        bytes.put_u8(kind);
        bytes.put_u16(0);
        Self { bytes }
    }

    fn field(&mut self, field: u8, value: &[u8]) {
        let length = u16::try_from(value.len()).expect("every value is bounded by its type");
        self.bytes.put_u8(field);
        self.bytes.put_u16(length);
        self.bytes.put_slice(value);
    }

    fn finish(mut self) -> Bytes {
        let length = self.bytes.len() - PREFIX_BYTES;
        assert!(length <= limits::TUNNEL_HEADER_BYTES_MAX, "a header exceeds its own bound");
        let length = u16::try_from(length).expect("the bound is below 64 KiB");
        self.bytes[1..PREFIX_BYTES].copy_from_slice(&length.to_be_bytes());
        self.bytes.freeze()
    }
}

#[cfg(test)]
mod tests;
