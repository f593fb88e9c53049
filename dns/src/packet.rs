//! DNS messages as bytes (RFC 1035, 4.1): what a forwarder must read and change without decoding
//! records that it need not understand.

/// Bytes of a message's header.
pub(crate) const HEADER: usize = 12;
/// Bytes of a question's type and class.
pub(crate) const QUESTION_FIXED: usize = 4;

/// Response codes (RFC 1035, 4.1.1; RFC 6891, 9).
pub(crate) mod code {
    pub(crate) const NO_ERROR: u8 = 0;
    pub(crate) const FORMAT_ERROR: u8 = 1;
    pub(crate) const SERVER_FAILURE: u8 = 2;
    pub(crate) const NO_SUCH_NAME: u8 = 3;
    pub(crate) const NOT_IMPLEMENTED: u8 = 4;
    pub(crate) const REFUSED: u8 = 5;
}

const TYPE_SOA: u16 = 6;
pub(crate) const TYPE_OPT: u16 = 41;

/// The fixed part of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Header {
    pub(crate) id: u16,
    pub(crate) is_answer: bool,
    pub(crate) operation: u8,
    pub(crate) is_truncated: bool,
    pub(crate) recursion_desired: bool,
    pub(crate) checking_disabled: bool,
    pub(crate) code: u8,
    /// Questions, answers, authorities, additionals.
    pub(crate) counts: [u16; 4],
}

/// The header, unless the message is too short to have one.
pub(crate) fn header(packet: &[u8]) -> Option<Header> {
    let fixed = packet.get(..HEADER)?;
    let number = |at: usize| u16::from_be_bytes([fixed[at], fixed[at + 1]]);
    Some(Header {
        id: number(0),
        is_answer: fixed[2] & 0x80 != 0,
        operation: fixed[2] >> 3 & 0x0f,
        is_truncated: fixed[2] & 0x02 != 0,
        recursion_desired: fixed[2] & 0x01 != 0,
        checking_disabled: fixed[3] & 0x10 != 0,
        code: fixed[3] & 0x0f,
        counts: [number(4), number(6), number(8), number(10)],
    })
}

/// The first question.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Question<'a> {
    /// In wire form, with the root label.
    pub(crate) name: &'a [u8],
    pub(crate) kind: u16,
    pub(crate) class: u16,
    /// Where the message goes on.
    pub(crate) end: usize,
}

impl Question<'_> {
    /// Names are equal in any case (RFC 1035, 2.3.3; RFC 4343).
    pub(crate) fn is_same(&self, other: &Question<'_>) -> bool {
        // Length bytes are below 64 and so not letters.
        self.name.eq_ignore_ascii_case(other.name)
            && (self.kind, self.class) == (other.kind, other.class)
    }
}

/// Reads the first question. There is nothing before it that a pointer could lead to.
pub(crate) fn question(packet: &[u8]) -> Option<Question<'_>> {
    let mut at = HEADER;
    loop {
        let length = usize::from(*packet.get(at)?);
        at += 1;
        if length == 0 {
            break;
        }
        if length > 63 {
            return None;
        }
        at += length;
        // 255 octets with the root label (RFC 1035, 2.3.4).
        if at - HEADER > 254 {
            return None;
        }
    }
    let end = at + QUESTION_FIXED;
    let fixed = packet.get(at..end)?;
    Some(Question {
        name: &packet[HEADER..at],
        kind: u16::from_be_bytes([fixed[0], fixed[1]]),
        class: u16::from_be_bytes([fixed[2], fixed[3]]),
        end,
    })
}

/// Where things are in an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Layout {
    pub(crate) question_end: usize,
    /// Where times to live are, and what they are, without that of OPT.
    pub(crate) ttls: Vec<(usize, u32)>,
    /// How long "there is no such thing" may be kept (RFC 2308, 5): of the SOA, the smaller of its
    /// time to live and its minimum.
    pub(crate) negative_ttl: Option<u32>,
    pub(crate) has_opt: bool,
}

impl Layout {
    pub(crate) fn ttl_min(&self) -> Option<u32> {
        self.ttls.iter().map(|(_, ttl)| *ttl).min()
    }
}

/// Walks a message with one question; `None` if it is not whole.
pub(crate) fn layout(packet: &[u8]) -> Option<Layout> {
    let [questions, answers, authorities, additionals] = header(packet)?.counts;
    if questions != 1 {
        return None;
    }
    let question_end = question(packet)?.end;
    let mut layout = Layout { question_end, ttls: Vec::new(), negative_ttl: None, has_opt: false };
    let mut at = question_end;
    let before_additionals = u32::from(answers) + u32::from(authorities);
    for number in 0..before_additionals + u32::from(additionals) {
        at = skip_name(packet, at)?;
        let fixed = packet.get(at..at + 10)?;
        let kind = u16::from_be_bytes([fixed[0], fixed[1]]);
        let ttl = u32::from_be_bytes([fixed[4], fixed[5], fixed[6], fixed[7]]);
        let data = at + 10;
        let end = data + usize::from(u16::from_be_bytes([fixed[8], fixed[9]]));
        let bytes = packet.get(data..end)?;
        if kind == TYPE_OPT {
            layout.has_opt = true;
        } else {
            // The highest bit makes it 0 (RFC 2181, 8).
            layout.ttls.push((at + 4, if ttl >> 31 == 1 { 0 } else { ttl }));
        }
        let is_authority = number >= u32::from(answers) && number < before_additionals;
        if kind == TYPE_SOA
            && is_authority
            && let Some(minimum) = bytes.last_chunk::<4>()
        {
            layout.negative_ttl = Some(ttl.min(u32::from_be_bytes(*minimum)));
        }
        at = end;
    }
    (at == packet.len()).then_some(layout)
}

/// The end of a name in place; where its pointers lead is the reader's business.
fn skip_name(packet: &[u8], mut at: usize) -> Option<usize> {
    let start = at;
    loop {
        let length = *packet.get(at)?;
        match length >> 6 {
            0 if length == 0 => return Some(at + 1),
            0 => at += 1 + usize::from(length),
            3 => {
                packet.get(at + 1)?;
                return Some(at + 2);
            }
            _ => return None,
        }
        if at - start > 255 {
            return None;
        }
    }
}

/// A query without a message: header and nothing else, for what could not be read further.
pub(crate) fn bare_error(query: &Header, code: u8) -> Vec<u8> {
    let [high, low] = query.id.to_be_bytes();
    let flags = 0x80 | (query.operation & 0x0f) << 3 | u8::from(query.recursion_desired);
    vec![high, low, flags, 0x80 | code & 0x0f, 0, 0, 0, 0, 0, 0, 0, 0]
}

#[cfg(test)]
mod tests;
