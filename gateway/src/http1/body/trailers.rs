//! The trailer section behind the last chunk (RFC 9112 section 7.1.2).

use crate::http1::defect::Defect;
use crate::http1::head::is_token;

/// Whether `section`, which grew by one byte since the last call, ends with its empty line. Each
/// line is checked when it is whole.
pub(super) fn is_complete(section: &[u8]) -> Result<bool, Defect> {
    if !section.ends_with(b"\n") {
        return Ok(false);
    }
    let Some(lines) = section.strip_suffix(b"\r\n") else { return Err(Defect::BareLineFeed) };
    let start = lines.iter().rposition(|&byte| byte == b'\n').map_or(0, |feed| feed + 1);
    let line = &lines[start..];
    if line.is_empty() {
        return Ok(true);
    }
    check_line(line)?;
    Ok(false)
}

fn check_line(line: &[u8]) -> Result<(), Defect> {
    let colon = line.iter().position(|&byte| byte == b':').ok_or(Defect::TrailerSyntax)?;
    let (name, value) = (&line[..colon], &line[colon + 1..]);
    let value_is_plain = value.iter().all(|&byte| byte == b'\t' || (byte >= b' ' && byte != 0x7f));
    if !is_token(name) || !value_is_plain {
        return Err(Defect::TrailerSyntax);
    }
    if belongs_in_head(name) {
        return Err(Defect::TrailerField);
    }
    Ok(())
}

/// RFC 9110 section 6.5.1: framing, routing, request modifiers, authentication and content format
/// are decided before the content; a reader that merges trailers would decide again.
fn belongs_in_head(name: &[u8]) -> bool {
    const NAMES: [&[u8]; 20] = [
        b"authorization",
        b"cache-control",
        b"connection",
        b"content-encoding",
        b"content-length",
        b"content-range",
        b"content-type",
        b"cookie",
        b"expect",
        b"host",
        b"keep-alive",
        b"max-forwards",
        b"range",
        b"set-cookie",
        b"te",
        b"traceparent",
        b"trailer",
        b"transfer-encoding",
        b"upgrade",
        b"www-authenticate",
    ];
    let prefixes: [&[u8]; 3] = [b"proxy-", b"if-", b"x-forwarded-"];
    NAMES.iter().any(|known| name.eq_ignore_ascii_case(known))
        || prefixes.iter().any(|prefix| {
            name.get(..prefix.len()).is_some_and(|start| start.eq_ignore_ascii_case(prefix))
        })
}
