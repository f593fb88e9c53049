//! Queries and answers between hickory's messages and ours.

use hickory_proto::op::{Edns, Message, MessageType, OpCode, Query as HickoryQuery, ResponseCode};
use hickory_proto::rr::rdata::{A, AAAA, SOA, SRV, TXT};
use hickory_proto::rr::{DNSClass, Name, RData, Record as HickoryRecord, RecordType};
use rialto_core::answer::{Answer, Data, Kind, Question, Record};
use rialto_types::limits;

use crate::packet::{self, Header, code};

/// A query that may be answered: one question of class IN, for a type of data.
#[derive(Debug, Clone)]
pub(crate) struct Query {
    pub(crate) header: Header,
    query: HickoryQuery,
    name: String,
    /// The question in wire form, in the client's case.
    pub(crate) question: Vec<u8>,
    pub(crate) edns: Option<ClientEdns>,
}

/// What the client's OPT record says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ClientEdns {
    pub(crate) payload: u16,
    pub(crate) dnssec_ok: bool,
}

/// Why a packet gets no real answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Refusal {
    /// For the counter: a fixed set of words.
    pub(crate) reason: &'static str,
    /// What the client is told; `None` is silence.
    pub(crate) reply: Option<Vec<u8>>,
}

/// Reads a packet as far as needed to say what it is.
pub(crate) fn read(bytes: &[u8]) -> Result<Query, Refusal> {
    let silent = |reason| Refusal { reason, reply: None };
    let header = packet::header(bytes).ok_or(silent("short"))?;
    // Two servers that answer each other's answers would never end.
    if header.is_answer {
        return Err(silent("answer"));
    }
    let bare = |reason, code| {
        let reply = Some(packet::bare_error(&header, code));
        Refusal { reason, reply }
    };
    if header.operation != 0 {
        return Err(bare("operation", code::NOT_IMPLEMENTED));
    }
    if header.counts[0] != 1 {
        return Err(bare("questions", code::FORMAT_ERROR));
    }
    if header.counts[1] != 0 || header.counts[2] != 0 {
        return Err(bare("sections", code::FORMAT_ERROR));
    }
    let malformed = || bare("malformed", code::FORMAT_ERROR);
    let question = packet::question(bytes).ok_or_else(malformed)?;
    // The layout is checked too, because the decoder does not mind what follows the message.
    packet::layout(bytes).ok_or_else(malformed)?;
    let message = Message::from_vec(bytes).map_err(|_| malformed())?;
    let first = message.queries.into_iter().next().ok_or_else(malformed)?;

    let edns = message.edns.map(|edns| {
        let client = ClientEdns { payload: edns.max_payload(), dnssec_ok: edns.flags().dnssec_ok };
        (client, edns.version())
    });
    let query = Query {
        header,
        name: first.name().to_ascii(),
        question: bytes[packet::HEADER..question.end].to_vec(),
        query: first,
        edns: edns.map(|(edns, _)| edns),
    };
    let refused = |reason, code| {
        let reply = Some(query.error(code));
        Refusal { reason, reply }
    };
    if edns.is_some_and(|(_, version)| version != 0) {
        return Err(refused("edns-version", ResponseCode::BADVERS));
    }
    if query.query.query_class() != DNSClass::IN {
        return Err(refused("class", ResponseCode::Refused));
    }
    // 128 to 255 are questions and meta types (RFC 6895, 3.1): ANY, AXFR, IXFR, TSIG and others.
    let kind = question.kind;
    if kind == 0 || kind == packet::TYPE_OPT || (128..=255).contains(&kind) {
        return Err(refused("type", ResponseCode::Refused));
    }
    Ok(query)
}

impl Query {
    /// The question as `core` asks it.
    pub(crate) fn as_question(&self) -> Question<'_> {
        let kind = match u16::from(self.query.query_type()) {
            1 => Kind::A,
            28 => Kind::Aaaa,
            33 => Kind::Srv,
            16 => Kind::Txt,
            6 => Kind::Soa,
            _ => Kind::Other,
        };
        Question { name: &self.name, kind }
    }

    /// The question as the packet has it.
    pub(crate) fn wire_question(&self) -> packet::Question<'_> {
        let (name, fixed) = self.question.split_at(self.question.len() - packet::QUESTION_FIXED);
        packet::Question {
            name,
            kind: u16::from_be_bytes([fixed[0], fixed[1]]),
            class: u16::from_be_bytes([fixed[2], fixed[3]]),
            end: packet::HEADER + self.question.len(),
        }
    }

    /// The question by which equal ones are known. Only the name has a case: the type HTTPS is 65,
    /// which would else become 97.
    pub(crate) fn question_in_lower_case(&self) -> Vec<u8> {
        let mut question = self.question.clone();
        let name = question.len() - packet::QUESTION_FIXED;
        question[..name].make_ascii_lowercase();
        question
    }

    /// Bytes that the client takes by UDP.
    pub(crate) fn udp_limit(&self) -> usize {
        let payload = self.edns.map_or(limits::DNS_UDP_BYTES_PLAIN, |edns| edns.payload);
        payload.clamp(limits::DNS_UDP_BYTES_PLAIN, limits::DNS_UDP_BYTES_MAX).into()
    }

    /// An answer without records.
    pub(crate) fn error(&self, code: ResponseCode) -> Vec<u8> {
        let mut message = self.message();
        message.metadata.response_code = code;
        encode(&message, self)
    }

    /// SERVFAIL: something of ours or upstream of us is not there.
    pub(crate) fn failure(&self) -> Vec<u8> {
        self.error(ResponseCode::ServFail)
    }

    /// REFUSED: it is there, and not for this client.
    pub(crate) fn refused(&self) -> Vec<u8> {
        self.error(ResponseCode::Refused)
    }

    /// The answer for a name that is ours; `None` for one that is not.
    pub(crate) fn answer(&self, answer: &Answer, limit: usize) -> Option<Vec<u8>> {
        let mut message = self.message();
        message.metadata.authoritative = true;
        match answer {
            Answer::NotOurs => return None,
            Answer::Records { answers, extra } => {
                message.answers = answers.iter().filter_map(record).collect();
                message.additionals = extra.iter().filter_map(record).collect();
            }
            Answer::NoData { soa } => message.authorities.extend(record(soa)),
            Answer::NoSuchName { soa } => {
                message.metadata.response_code = ResponseCode::NXDomain;
                message.authorities.extend(record(soa));
            }
        }
        let bytes = encode(&message, self);
        if bytes.len() <= limit {
            return Some(bytes);
        }
        // Addresses beside a SRV record are a courtesy (RFC 2782), and no reason to truncate.
        message.additionals.clear();
        let bytes = encode(&message, self);
        if bytes.len() <= limit {
            return Some(bytes);
        }
        Some(encode(&message.truncate(), self))
    }

    /// Makes what an upstream said, to whoever asked, the answer to this query.
    pub(crate) fn forwarded(&self, upstream: &[u8], limit: usize) -> Vec<u8> {
        let mut bytes = upstream.to_vec();
        bytes[..2].copy_from_slice(&self.header.id.to_be_bytes());
        let end = packet::HEADER + self.question.len();
        bytes[packet::HEADER..end].copy_from_slice(&self.question);
        // Not authoritative, never AD: nothing was validated here.
        bytes[2] = bytes[2] & !0x05 | u8::from(self.header.recursion_desired);
        bytes[3] = bytes[3] & !0x30 | 0x80 | u8::from(self.header.checking_disabled) << 4;
        if bytes.len() <= limit {
            return bytes;
        }
        let mut message = self.message();
        message.metadata.truncation = true;
        message.metadata.response_code = ResponseCode::from_low(bytes[3] & 0x0f);
        encode(&message, self)
    }

    fn message(&self) -> Message {
        let mut message = Message::new(self.header.id, MessageType::Response, OpCode::Query);
        message.metadata.recursion_desired = self.header.recursion_desired;
        message.metadata.recursion_available = true;
        message.metadata.checking_disabled = self.header.checking_disabled;
        message.add_query(self.query.clone());
        if let Some(client) = self.edns {
            let mut edns = Edns::new();
            edns.set_max_payload(limits::DNS_UDP_BYTES_MAX).set_dnssec_ok(client.dnssec_ok);
            message.set_edns(edns);
        }
        message
    }
}

fn encode(message: &Message, query: &Query) -> Vec<u8> {
    // What cannot be encoded is a bug of ours; the client shall not wait for it.
    message.to_vec().unwrap_or_else(|_| packet::bare_error(&query.header, code::SERVER_FAILURE))
}

fn record(record: &Record) -> Option<HickoryRecord> {
    let name = Name::from_ascii(&record.name).ok()?;
    let data = match &record.data {
        Data::A(address) => RData::A(A(*address)),
        Data::Aaaa(address) => RData::AAAA(AAAA(*address)),
        Data::Srv { priority, weight, port, target } => {
            RData::SRV(SRV::new(*priority, *weight, *port, Name::from_ascii(target).ok()?))
        }
        Data::Txt(text) => RData::TXT(TXT::new(vec![text.clone()])),
        Data::Soa(soa) => {
            let signed = |seconds: u32| i32::try_from(seconds).unwrap_or(i32::MAX);
            RData::SOA(SOA::new(
                Name::from_ascii(&soa.primary).ok()?,
                Name::from_ascii(&soa.responsible).ok()?,
                soa.serial,
                signed(soa.refresh_s),
                signed(soa.retry_s),
                signed(soa.expire_s),
                soa.minimum_s,
            ))
        }
    };
    Some(HickoryRecord::from_rdata(name, record.ttl_s, data))
}

/// A query of our own to an upstream: the client's question, and nothing else of the client's.
pub(crate) fn upstream_query(id: u16, query: &Query) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(packet::HEADER + query.question.len() + 11);
    bytes.extend(id.to_be_bytes());
    let checking_disabled = u8::from(query.header.checking_disabled) << 4;
    let additionals = u8::from(query.edns.is_some());
    bytes.extend([0x01, checking_disabled, 0, 1, 0, 0, 0, 0, 0, additionals]);
    bytes.extend(&query.question);
    // Asked as the client asked, so that the answer has an OPT record exactly if it may have one.
    if let Some(client) = query.edns {
        bytes.push(0);
        bytes.extend(u16::from(RecordType::OPT).to_be_bytes());
        bytes.extend(limits::DNS_UDP_BYTES_MAX.to_be_bytes());
        bytes.extend([0, 0, u8::from(client.dnssec_ok) << 7, 0, 0, 0]);
    }
    bytes
}

#[cfg(test)]
mod tests;
