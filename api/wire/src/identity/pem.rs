//! PEM text (RFC 7468).

use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// Appends one section to `out`.
pub(super) fn write(label: &str, der: &[u8], out: &mut String) {
    let text = STANDARD.encode(der);
    let _ = writeln!(out, "-----BEGIN {label}-----");
    for line in text.as_bytes().chunks(64) {
        // Base64 is ASCII, so that any cut is a character border.
        out.push_str(&String::from_utf8_lossy(line));
        out.push('\n');
    }
    let _ = writeln!(out, "-----END {label}-----");
}
