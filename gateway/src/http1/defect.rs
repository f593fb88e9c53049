//! What is wrong with an HTTP/1.1 message: each finding with its status, its metric label and the
//! sentence that the sender gets.

use rialto_types::error::Code;

/// A message that two readers could understand differently, or that we do not serve.
///
/// Nothing in this list is ever repaired: a repaired message is what request smuggling lives on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
pub(crate) enum Defect {
    #[error("a line ends with a line feed alone; end every line with CR LF")]
    BareLineFeed,
    #[error("a carriage return stands without a line feed; end every line with CR LF")]
    BareCarriageReturn,
    #[error("the head contains a NUL byte")]
    Nul,
    #[error("the head contains a control character; send HTTP/1.1 in clear text on this port")]
    ControlCharacter,
    #[error("the message starts with empty lines")]
    EmptyStartLine,
    #[error("a field is continued on the next line; send each field on one line")]
    FoldedField,
    #[error("the head is too large; send fewer or shorter fields")]
    HeadTooLarge,
    #[error("the head has too many fields; send fewer")]
    TooManyFields,
    #[error("the request line is not `METHOD TARGET HTTP/1.1`")]
    RequestLine,
    #[error("the status line is not `HTTP/1.1 CODE REASON`")]
    StatusLine,
    #[error("the request target is neither a path that starts with `/` nor an `http://` URL")]
    Target,
    #[error("the HTTP version is not supported here; send HTTP/1.1")]
    Version,
    #[error("HTTP/2 is not supported on this port; send HTTP/1.1")]
    Http2Preface,
    #[error("CONNECT is not supported; connect to the service itself")]
    Connect,
    #[error("Upgrade is not supported; declare the service's protocol as TCP")]
    Upgrade,
    #[error("a field has white space before its colon")]
    SpaceBeforeColon,
    #[error("a field's name is empty or has a character that names cannot have")]
    FieldName,
    #[error("a field's value has a character that values cannot have")]
    FieldValue,
    #[error("Host is missing; send the name of the service")]
    HostMissing,
    #[error("Host is given more than once")]
    HostRepeated,
    #[error("Host is empty or is not `NAME` or `NAME:PORT`")]
    HostInvalid,
    #[error("the request target names another host than Host does")]
    HostMismatch,
    #[error("Content-Length is not one decimal number")]
    ContentLength,
    #[error("Content-Length is given more than once")]
    ContentLengthRepeated,
    #[error("both Content-Length and Transfer-Encoding are given; send one of them")]
    LengthWithChunked,
    #[error("Transfer-Encoding is not exactly `chunked`")]
    TransferEncoding,
    #[error("Transfer-Encoding is given in HTTP/1.0, which does not have it")]
    TransferEncodingInHttp10,
    #[error("Connection is not a short list of names, or names a field that must arrive")]
    Connection,
    #[error("Expect asks for something other than `100-continue`")]
    Expectation,
    #[error("a response without content states a length or a transfer coding")]
    ContentNotAllowed,
    #[error("the answer switches protocols although nobody asked for it")]
    UnaskedSwitch,
    #[error("too many interim responses came before the final one")]
    TooManyInterim,
    #[error("a chunk's size is not a hexadecimal number of 1 to 15 digits")]
    ChunkSize,
    #[error("a chunk's extension is too long or has a control character")]
    ChunkExtension,
    #[error("a chunk's line or data does not end with CR LF")]
    ChunkEnd,
    #[error("the trailer section is too large")]
    TrailerTooLarge,
    #[error("a trailer is not `NAME: VALUE` on one line")]
    TrailerSyntax,
    #[error("a trailer repeats a field that belongs in the head")]
    TrailerField,
    #[error("the sender stopped before the end of its message")]
    Truncated,
}

impl Defect {
    /// The status for a request with this defect (RFC 9110 section 15).
    pub(crate) fn status(self) -> u16 {
        match self {
            Self::HeadTooLarge | Self::TooManyFields | Self::TrailerTooLarge => 431,
            Self::Version | Self::Http2Preface => 505,
            Self::Connect | Self::Upgrade => 501,
            Self::Expectation => 417,
            Self::BareLineFeed
            | Self::BareCarriageReturn
            | Self::Nul
            | Self::ControlCharacter
            | Self::EmptyStartLine
            | Self::FoldedField
            | Self::RequestLine
            | Self::StatusLine
            | Self::Target
            | Self::SpaceBeforeColon
            | Self::FieldName
            | Self::FieldValue
            | Self::HostMissing
            | Self::HostRepeated
            | Self::HostInvalid
            | Self::HostMismatch
            | Self::ContentLength
            | Self::ContentLengthRepeated
            | Self::LengthWithChunked
            | Self::TransferEncoding
            | Self::TransferEncodingInHttp10
            | Self::Connection
            | Self::ContentNotAllowed
            | Self::UnaskedSwitch
            | Self::TooManyInterim
            | Self::ChunkSize
            | Self::ChunkExtension
            | Self::ChunkEnd
            | Self::TrailerSyntax
            | Self::TrailerField
            | Self::Truncated => 400,
        }
    }

    /// The stable code that goes with the status.
    pub(crate) fn code(self) -> Code {
        match self.status() {
            431 => Code::RequestTooLarge,
            501 | 505 => Code::NotSupported,
            _ => Code::RequestMalformed,
        }
    }

    /// The value of the label `reason` of the refusal counter and of the access log.
    pub(crate) fn label(self) -> &'static str {
        match self {
            Self::BareLineFeed => "bare_line_feed",
            Self::BareCarriageReturn => "bare_carriage_return",
            Self::Nul => "nul",
            Self::ControlCharacter => "control_character",
            Self::EmptyStartLine => "empty_start_line",
            Self::FoldedField => "folded_field",
            Self::HeadTooLarge => "head_too_large",
            Self::TooManyFields => "too_many_fields",
            Self::RequestLine => "request_line",
            Self::StatusLine => "status_line",
            Self::Target => "target",
            Self::Version => "version",
            Self::Http2Preface => "http2_preface",
            Self::Connect => "connect",
            Self::Upgrade => "upgrade",
            Self::SpaceBeforeColon => "space_before_colon",
            Self::FieldName => "field_name",
            Self::FieldValue => "field_value",
            Self::HostMissing => "host_missing",
            Self::HostRepeated => "host_repeated",
            Self::HostInvalid => "host_invalid",
            Self::HostMismatch => "host_mismatch",
            Self::ContentLength => "content_length",
            Self::ContentLengthRepeated => "content_length_repeated",
            Self::LengthWithChunked => "length_with_chunked",
            Self::TransferEncoding => "transfer_encoding",
            Self::TransferEncodingInHttp10 => "transfer_encoding_in_http10",
            Self::Connection => "connection",
            Self::Expectation => "expectation",
            Self::ContentNotAllowed => "content_not_allowed",
            Self::UnaskedSwitch => "unasked_switch",
            Self::TooManyInterim => "too_many_interim",
            Self::ChunkSize => "chunk_size",
            Self::ChunkExtension => "chunk_extension",
            Self::ChunkEnd => "chunk_end",
            Self::TrailerTooLarge => "trailer_too_large",
            Self::TrailerSyntax => "trailer_syntax",
            Self::TrailerField => "trailer_field",
            Self::Truncated => "truncated",
        }
    }
}
