//! The fields of a head: classified by name, those about framing read and checked.

use bytes::Bytes;
use rialto_types::limits;

use super::{Span, Version};
use crate::http1::defect::Defect;

/// What forwarding does with a field, decided once when the head is parsed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FieldKind {
    EndToEnd,
    /// Ends at this connection (RFC 9110 section 7.6.1): its kind, or named in Connection.
    HopByHop,
    Host,
    ContentLength,
    TransferEncoding,
    Expect,
    TraceParent,
    Connection,
    Upgrade,
}

#[derive(Debug, Clone, Copy)]
pub(crate) struct Field {
    name: Span,
    value: Span,
    kind: FieldKind,
}

/// The fields of one head in the order in which they came.
#[derive(Debug)]
pub(crate) struct Fields {
    head: Bytes,
    list: Vec<Field>,
    pub(super) content_length: Option<u64>,
    pub(super) chunked: bool,
    pub(super) close: bool,
}

impl Fields {
    pub(super) fn check(
        head: Bytes,
        parsed: &[httparse::Header<'_>],
        version: Version,
    ) -> Result<Self, Defect> {
        let mut list = Vec::with_capacity(parsed.len());
        for header in parsed {
            let name = header.name.as_bytes();
            list.push(Field {
                name: Span::of(name, &head),
                value: Span::of(header.value, &head),
                kind: classify(name),
            });
        }
        let mut fields = Self { head, list, content_length: None, chunked: false, close: false };
        fields.read_framing(version)?;
        fields.read_connection()?;
        Ok(fields)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (FieldKind, &[u8], &[u8])> {
        self.list
            .iter()
            .map(|field| (field.kind, field.name.get(&self.head), field.value.get(&self.head)))
    }

    /// Names and values of the fields that the other end gets.
    pub(crate) fn end_to_end(&self) -> impl Iterator<Item = (&str, &[u8])> {
        self.iter()
            .filter(|(kind, _, _)| !matches!(kind, FieldKind::HopByHop | FieldKind::Connection))
            .filter_map(|(_, name, value)| Some((std::str::from_utf8(name).ok()?, value)))
    }

    pub(super) fn of_kind(&self, wanted: FieldKind) -> impl Iterator<Item = &[u8]> {
        self.iter().filter(move |(kind, _, _)| *kind == wanted).map(|(_, _, value)| value)
    }

    /// One Content-Length of digits, or one Transfer-Encoding of `chunked`, or neither. RFC 9112
    /// lets a recipient fold equal repeated lengths into one; refusing them leaves nothing to
    /// disagree about.
    fn read_framing(&mut self, version: Version) -> Result<(), Defect> {
        let (length, length_repeated) = self.first_of_kind(FieldKind::ContentLength);
        let (coding, coding_repeated) = self.first_of_kind(FieldKind::TransferEncoding);
        if length_repeated {
            return Err(Defect::ContentLengthRepeated);
        }
        if coding.is_some() {
            if version == Version::Http10 {
                return Err(Defect::TransferEncodingInHttp10);
            }
            if length.is_some() {
                return Err(Defect::LengthWithChunked);
            }
        }
        if coding_repeated || coding.is_some_and(|coding| !coding.eq_ignore_ascii_case(b"chunked"))
        {
            return Err(Defect::TransferEncoding);
        }
        let content_length = length.map(parse_length).transpose()?;
        self.chunked = coding.is_some();
        self.content_length = content_length;
        Ok(())
    }

    fn first_of_kind(&self, wanted: FieldKind) -> (Option<&[u8]>, bool) {
        let mut values = self.of_kind(wanted);
        let first = values.next();
        (first, values.next().is_some())
    }

    fn read_connection(&mut self) -> Result<(), Defect> {
        let head = self.head.clone();
        let mut option_count = 0;
        for index in 0..self.list.len() {
            if self.list[index].kind != FieldKind::Connection {
                continue;
            }
            let value = self.list[index].value.get(&head);
            for option in value.split(|&byte| byte == b',').map(<[u8]>::trim_ascii) {
                if option.is_empty() {
                    continue;
                }
                option_count += 1;
                if option_count > limits::HTTP_CONNECTION_OPTIONS_MAX {
                    return Err(Defect::Connection);
                }
                self.apply_option(option, &head)?;
            }
        }
        Ok(())
    }

    /// A field that decides where a message goes or who sent it cannot be made to disappear by
    /// naming it in Connection: what a rule saw must be what the origin gets.
    fn apply_option(&mut self, option: &[u8], head: &[u8]) -> Result<(), Defect> {
        const MUST_ARRIVE: [&[u8]; 4] =
            [b"authorization", b"cookie", b"content-type", b"set-cookie"];
        if option.eq_ignore_ascii_case(b"close") {
            self.close = true;
            return Ok(());
        }
        match classify(option) {
            FieldKind::Host
            | FieldKind::ContentLength
            | FieldKind::TransferEncoding
            | FieldKind::TraceParent
            | FieldKind::Expect => return Err(Defect::Connection),
            FieldKind::Connection | FieldKind::Upgrade | FieldKind::HopByHop => return Ok(()),
            FieldKind::EndToEnd => {}
        }
        if MUST_ARRIVE.iter().any(|name| option.eq_ignore_ascii_case(name)) {
            return Err(Defect::Connection);
        }
        for field in &mut self.list {
            if field.name.get(head).eq_ignore_ascii_case(option) {
                field.kind = FieldKind::HopByHop;
            }
        }
        Ok(())
    }
}

fn classify(name: &[u8]) -> FieldKind {
    const KNOWN: [(&[u8], FieldKind); 11] = [
        (b"host", FieldKind::Host),
        (b"connection", FieldKind::Connection),
        (b"content-length", FieldKind::ContentLength),
        (b"transfer-encoding", FieldKind::TransferEncoding),
        (b"expect", FieldKind::Expect),
        (b"upgrade", FieldKind::Upgrade),
        (b"traceparent", FieldKind::TraceParent),
        (b"te", FieldKind::HopByHop),
        (b"trailer", FieldKind::HopByHop),
        (b"keep-alive", FieldKind::HopByHop),
        (b"http2-settings", FieldKind::HopByHop),
    ];
    const PROXY: &[u8] = b"proxy-";
    for (known, kind) in KNOWN {
        if name.len() == known.len() && name.eq_ignore_ascii_case(known) {
            return kind;
        }
    }
    match name.get(..PROXY.len()) {
        Some(prefix) if prefix.eq_ignore_ascii_case(PROXY) => FieldKind::HopByHop,
        _ => FieldKind::EndToEnd,
    }
}

/// Digits only, and small enough for readers that use signed numbers.
fn parse_length(value: &[u8]) -> Result<u64, Defect> {
    const DIGITS_MAX: usize = 18;
    if value.is_empty() || value.len() > DIGITS_MAX || !value.iter().all(u8::is_ascii_digit) {
        return Err(Defect::ContentLength);
    }
    Ok(value.iter().fold(0, |length, digit| length * 10 + u64::from(digit - b'0')))
}

/// Names the defect of the first bad line of a head that `httparse` refused.
pub(super) fn diagnose(head: &[u8]) -> Defect {
    for line in head.split(|&byte| byte == b'\n').skip(1) {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        if line.is_empty() {
            break;
        }
        let Some(colon) = line.iter().position(|&byte| byte == b':') else {
            return Defect::FieldName;
        };
        let name = &line[..colon];
        if !is_token(name) {
            let trimmed = name.trim_ascii_end();
            let only_space = trimmed.len() < name.len() && is_token(trimmed);
            return if only_space { Defect::SpaceBeforeColon } else { Defect::FieldName };
        }
    }
    Defect::FieldValue
}

/// RFC 9110 section 5.6.2.
pub(crate) fn is_token(name: &[u8]) -> bool {
    !name.is_empty()
        && name.iter().all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(byte))
}
