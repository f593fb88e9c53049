//! Heads on their way to the next hop: end-to-end fields as they came, hop-by-hop fields left out.
//!
//! What is deliberately not added:
//!
//! - `Via`. RFC 9110 section 7.6.3 asks a gateway for it, but nginx, in its default configuration,
//!   stops compressing for requests that carry it, and a bridge that nobody configured must not
//!   change what a service answers. It would guard against loops, which cannot arise: a gateway
//!   that got a request from another one hands it to an endpoint of its own cluster only.
//! - `X-Forwarded-For` and its kin. They pass as they came, because an ingress in front of the
//!   caller may have set them. A caller's address means nothing in another cluster, and who the
//!   caller is gets decided from its certificate, never from a field that it wrote itself.

use bytes::{BufMut, BytesMut};

use super::head::{FieldKind, Fields, Framing, RequestHead, ResponseHead};

/// Writes the request in origin form. `default_host` is for requests of HTTP/1.0 without Host.
pub(crate) fn write_request(request: &RequestHead, default_host: &[u8], out: &mut BytesMut) {
    const ADDED_BYTES_MAX: usize = 64;
    out.reserve(request.size() + default_host.len() + ADDED_BYTES_MAX);
    out.put_slice(request.method().as_bytes());
    out.put_u8(b' ');
    out.put_slice(request.path().as_bytes());
    if let Some(query) = request.query() {
        out.put_u8(b'?');
        out.put_slice(query.as_bytes());
    }
    out.put_slice(b" HTTP/1.1\r\n");
    if request.host().is_none() {
        write_field(b"host", default_host, out);
    }
    let expects_continue = request.expects_continue();
    write_fields(request.fields(), out, |kind| match kind {
        FieldKind::EndToEnd
        | FieldKind::Host
        | FieldKind::ContentLength
        | FieldKind::TransferEncoding
        | FieldKind::TraceParent => true,
        FieldKind::Expect => expects_continue,
        FieldKind::HopByHop | FieldKind::Connection | FieldKind::Upgrade => false,
    });
}

/// What the client's connection does behind this response.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ClientConnection {
    Stays,
    Closes,
}

/// Writes the response for a client that gets content framed as `framing`.
pub(crate) fn write_response(
    response: &ResponseHead,
    framing: Framing,
    connection: ClientConnection,
    out: &mut BytesMut,
) {
    const ADDED_BYTES_MAX: usize = 64;
    out.reserve(response.size() + ADDED_BYTES_MAX);
    out.put_slice(b"HTTP/1.1 ");
    put_decimal(response.status(), out);
    out.put_u8(b' ');
    out.put_slice(response.reason());
    out.put_slice(b"\r\n");
    if connection == ClientConnection::Closes && !response.is_interim() {
        write_field(b"connection", b"close", out);
    }
    let states_length = !response.is_interim() && response.status() != 204;
    let states_coding = states_length && framing != Framing::UntilClose;
    write_fields(response.fields(), out, |kind| match kind {
        FieldKind::EndToEnd | FieldKind::Host | FieldKind::Expect | FieldKind::TraceParent => true,
        FieldKind::ContentLength => states_length,
        FieldKind::TransferEncoding => states_coding,
        FieldKind::HopByHop | FieldKind::Connection | FieldKind::Upgrade => false,
    });
}

fn write_fields(fields: &Fields, out: &mut BytesMut, is_forwarded: impl Fn(FieldKind) -> bool) {
    for (kind, name, value) in fields.iter() {
        if is_forwarded(kind) {
            write_field(name, value, out);
        }
    }
    out.put_slice(b"\r\n");
}

fn write_field(name: &[u8], value: &[u8], out: &mut BytesMut) {
    out.put_slice(name);
    out.put_slice(b": ");
    out.put_slice(value);
    out.put_slice(b"\r\n");
}

fn put_decimal(status: u16, out: &mut BytesMut) {
    for place in [100, 10, 1] {
        let digit = u8::try_from(status / place % 10).expect("a digit fits into a byte");
        out.put_u8(b'0' + digit);
    }
}

#[cfg(test)]
mod tests;
