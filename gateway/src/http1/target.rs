//! Request targets (RFC 9112 section 3.2) and Host.
//!
//! Whether a path can be compared with a rule is `rialto_core::authorize`'s question.

use super::defect::Defect;

/// The parts of a request target, borrowed from the head.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Target<'a> {
    /// From an absolute-form target.
    pub(crate) authority: Option<&'a [u8]>,
    /// Starts with `/`, or is `*`, or is empty: an absolute form may leave out the path.
    pub(crate) path: &'a [u8],
    /// Without the question mark.
    pub(crate) query: Option<&'a [u8]>,
}

/// Takes origin-form, absolute-form with `http`, and `*` for OPTIONS.
pub(crate) fn parse<'a>(method: &[u8], target: &'a [u8]) -> Result<Target<'a>, Defect> {
    if target == b"*" {
        if method != b"OPTIONS" {
            return Err(Defect::Target);
        }
        return Ok(Target { authority: None, path: target, query: None });
    }
    let (authority, rest) = if target.starts_with(b"/") {
        (None, target)
    } else {
        let (authority, rest) = split_authority(target)?;
        (Some(authority), rest)
    };
    let (path, query) = match rest.iter().position(|&byte| byte == b'?') {
        Some(mark) => (&rest[..mark], Some(&rest[mark + 1..])),
        None => (rest, None),
    };
    let query_is_plain = query.is_none_or(|query| query.iter().all(|&byte| is_query_byte(byte)));
    if !query_is_plain || !path.iter().all(|&byte| is_path_byte(byte)) {
        return Err(Defect::Target);
    }
    Ok(Target { authority, path, query })
}

fn split_authority(target: &[u8]) -> Result<(&[u8], &[u8]), Defect> {
    const SCHEME: &[u8] = b"http://";
    let scheme = target.get(..SCHEME.len()).ok_or(Defect::Target)?;
    if !scheme.eq_ignore_ascii_case(SCHEME) {
        return Err(Defect::Target);
    }
    let rest = &target[SCHEME.len()..];
    let end = rest.iter().position(|byte| matches!(byte, b'/' | b'?')).unwrap_or(rest.len());
    check_host(&rest[..end])?;
    Ok(rest.split_at(end))
}

/// Host is `NAME`, `NAME:PORT`, `ADDRESS:PORT` or `[ADDRESS]:PORT`; never empty, never with a user.
pub(crate) fn check_host(host: &[u8]) -> Result<(), Defect> {
    let (name, port) = match host {
        [b'[', inside @ ..] => {
            let close = inside.iter().position(|&byte| byte == b']').ok_or(Defect::HostInvalid)?;
            let address = &inside[..close];
            if !address.iter().all(|byte| byte.is_ascii_hexdigit() || matches!(byte, b':' | b'.')) {
                return Err(Defect::HostInvalid);
            }
            (address, &inside[close + 1..])
        }
        plain => {
            let colon = plain.iter().position(|&byte| byte == b':').unwrap_or(plain.len());
            let name = &plain[..colon];
            if !name.iter().all(|byte| byte.is_ascii_alphanumeric() || b"-._~".contains(byte)) {
                return Err(Defect::HostInvalid);
            }
            (name, &plain[colon..])
        }
    };
    let port_is_number = match port {
        [] => true,
        [b':', digits @ ..] => digits.len() <= 5 && digits.iter().all(u8::is_ascii_digit),
        _ => false,
    };
    if name.is_empty() || !port_is_number {
        return Err(Defect::HostInvalid);
    }
    Ok(())
}

/// Browsers send `[`, `]`, `^` and `|` as they are, against RFC 3986; all readers agree on them.
/// A backslash is refused because some readers take it for a slash.
fn is_path_byte(byte: u8) -> bool {
    byte.is_ascii_graphic()
        && !matches!(byte, b'"' | b'#' | b'<' | b'>' | b'\\' | b'`' | b'{' | b'}')
}

fn is_query_byte(byte: u8) -> bool {
    byte.is_ascii_graphic() && byte != b'#'
}
