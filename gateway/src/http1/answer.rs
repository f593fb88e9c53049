//! Answers of the gateway itself: short text with a code and what to do.

use bytes::{BufMut, Bytes, BytesMut};
use rialto_types::error::Code;

use super::defect::Defect;
use super::hop::ClientConnection;

/// Why the gateway answers in the service's place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) code: Code,
    /// The counter's label.
    pub(crate) reason: &'static str,
    pub(crate) text: String,
}

impl Answer {
    pub(crate) fn new(code: Code, reason: &'static str, text: impl Into<String>) -> Self {
        Self { status: code.status(), code, reason, text: text.into() }
    }

    /// For a request that is not valid.
    pub(crate) fn of_defect(defect: Defect) -> Self {
        let answer = Self::new(defect.code(), defect.label(), defect.to_string());
        Self { status: defect.status(), ..answer }
    }

    pub(crate) fn of_slow_request() -> Self {
        let text = "the request did not arrive in time; is the client's network all right?";
        Self { status: 408, ..Self::new(Code::RequestMalformed, "slow_request", text) }
    }

    pub(crate) fn encode(&self, connection: ClientConnection, answers_head_request: bool) -> Bytes {
        let content = format!("{} {}\n", self.code, self.text);
        let closing = match connection {
            ClientConnection::Stays => "",
            ClientConnection::Closes => "connection: close\r\n",
        };
        let head = format!(
            "HTTP/1.1 {} {}\r\n{closing}content-type: text/plain; charset=utf-8\r\n\
             cache-control: no-store\r\ncontent-length: {}\r\n\r\n",
            self.status,
            phrase(self.status),
            content.len(),
        );
        let mut bytes = BytesMut::with_capacity(head.len() + content.len());
        bytes.put_slice(head.as_bytes());
        if !answers_head_request {
            bytes.put_slice(content.as_bytes());
        }
        bytes.freeze()
    }
}

fn phrase(status: u16) -> &'static str {
    match status {
        400 => "Bad Request",
        403 => "Forbidden",
        404 => "Not Found",
        408 => "Request Timeout",
        417 => "Expectation Failed",
        431 => "Request Header Fields Too Large",
        500 => "Internal Server Error",
        501 => "Not Implemented",
        502 => "Bad Gateway",
        503 => "Service Unavailable",
        504 => "Gateway Timeout",
        505 => "HTTP Version Not Supported",
        _ => "Error",
    }
}

#[cfg(test)]
mod tests;
