//! What a name under `clusterset.local` means (MCS DNS specification 1.0.0).
//!
//! | name | answered |
//! |---|---|
//! | `SERVICE.NS.svc.clusterset.local` | A, AAAA: the virtual IPs, or a headless service's endpoints; SRV: one per port number |
//! | `_PORT._tcp.SERVICE.NS.svc.clusterset.local` | SRV of a named port; `_udp` of a headless service's, which no gateway has to carry |
//! | `HOST.CLUSTER.SERVICE.NS.svc.clusterset.local` | A, AAAA, SRV of one headless endpoint |
//! | `dns-version.clusterset.local` | TXT `1.0.0` |
//!
//! A name that exists without the type asked for, and a name that only has others below it, is
//! `NoData`; everything else in the zone is `NoSuchName` (RFC 2308, RFC 8020). The own cluster's
//! headless endpoints come from its agent, so that they are right without a control plane.

mod name;
mod records;

use std::net::{Ipv4Addr, Ipv6Addr};

use rialto_types::limits;
use rialto_types::local::LocalTable;
use rialto_types::service::CLUSTERSET_DOMAIN;
use rialto_types::snapshot::Snapshot;

use name::Name;

/// What a client asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Question<'a> {
    /// In presentation form, in any case, with or without the last dot.
    pub name: &'a str,
    pub kind: Kind,
}

/// The types of records that there are; all others are `Other`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    A,
    Aaaa,
    Srv,
    Txt,
    Soa,
    Other,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// Outside our zone: ask somebody else.
    NotOurs,
    /// NOERROR with these records; `extra` belongs in the additional section.
    Records { answers: Vec<Record>, extra: Vec<Record> },
    /// NOERROR without an answer; the SOA belongs in the authority section.
    NoData { soa: Record },
    /// NXDOMAIN; the SOA belongs in the authority section.
    NoSuchName { soa: Record },
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Record {
    /// Fully qualified, with the last dot; as the client wrote it where it is the name asked for.
    pub name: String,
    pub ttl_s: u32,
    pub data: Data,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Data {
    A(Ipv4Addr),
    Aaaa(Ipv6Addr),
    Srv { priority: u16, weight: u16, port: u16, target: String },
    Txt(String),
    Soa(Soa),
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Soa {
    pub primary: String,
    pub responsible: String,
    pub serial: u32,
    pub refresh_s: u32,
    pub retry_s: u32,
    pub expire_s: u32,
    /// How long a negative answer may be kept (RFC 2308, section 4).
    pub minimum_s: u32,
}

/// Whether a name is in our zone.
pub fn is_ours(name: &str) -> bool {
    let name = name.strip_suffix('.').unwrap_or(name);
    let Some(start) = name.len().checked_sub(CLUSTERSET_DOMAIN.len()) else { return false };
    let Some(end) = name.get(start..) else { return false };
    end.eq_ignore_ascii_case(CLUSTERSET_DOMAIN) && (start == 0 || name[..start].ends_with('.'))
}

/// Answers a question. `table` is the own agent's, if it was heard; of many records `draw` says
/// which come first.
pub fn answer(
    snapshot: &Snapshot,
    table: Option<&LocalTable>,
    question: &Question<'_>,
    draw: u64,
) -> Answer {
    if !is_ours(question.name) {
        return Answer::NotOurs;
    }
    let lower = question.name.to_ascii_lowercase();
    let Some(name) = name::find(snapshot, table, &lower) else {
        return Answer::NoSuchName { soa: soa_record(snapshot) };
    };
    let owner = qualified(question.name);
    let record = |data| Record { name: owner.clone(), ttl_s: limits::DNS_TTL_S, data };
    let (answers, extra) = match (name, question.kind) {
        (Name::Zone, Kind::Soa) => (vec![record(Data::Soa(soa(snapshot)))], Vec::new()),
        (Name::Version, Kind::Txt) => (vec![record(Data::Txt("1.0.0".into()))], Vec::new()),
        (Name::Service(service), kind) => records::of_service(&service, kind, &owner, draw),
        (Name::Port(service, port), Kind::Srv) => {
            records::services(&service, &[port], &owner, draw)
        }
        (Name::Zone | Name::Version | Name::Port(..) | Name::Between, _) => Default::default(),
    };
    if answers.is_empty() {
        return Answer::NoData { soa: soa_record(snapshot) };
    }
    Answer::Records { answers, extra }
}

fn qualified(name: &str) -> String {
    format!("{}.", name.strip_suffix('.').unwrap_or(name))
}

fn soa_record(snapshot: &Snapshot) -> Record {
    let data = Data::Soa(soa(snapshot));
    Record { name: format!("{CLUSTERSET_DOMAIN}."), ttl_s: limits::DNS_TTL_S, data }
}

fn soa(snapshot: &Snapshot) -> Soa {
    Soa {
        primary: format!("dns.{CLUSTERSET_DOMAIN}."),
        responsible: format!("hostmaster.{CLUSTERSET_DOMAIN}."),
        // The low bits: serial numbers wrap (RFC 1982).
        serial: (snapshot.revision.index & u64::from(u32::MAX)) as u32,
        refresh_s: 7_200,
        retry_s: 1_800,
        expire_s: 86_400,
        minimum_s: limits::DNS_TTL_S,
    }
}

#[cfg(test)]
mod tests;
