//! The records of a service, a port, an endpoint.

use std::net::IpAddr;

use rialto_types::limits;
use rialto_types::service::dns_name;
use rialto_types::snapshot::HeadlessEndpoint;

use super::name::{Port, Service, label};
use super::{Data, Kind, Record};

/// The answer section and the additional section.
type Sections = (Vec<Record>, Vec<Record>);

pub(super) fn of_service(service: &Service<'_>, kind: Kind, owner: &str, draw: u64) -> Sections {
    if kind == Kind::Srv {
        let ports: Vec<Port<'_>> = service.ports().collect();
        return services(service, &ports, owner, draw);
    }
    match service.endpoints.as_deref() {
        None => {
            let records = service.entry.virtual_ips.iter();
            (records.filter_map(|ip| address(owner, *ip, kind)).collect(), Vec::new())
        }
        Some(endpoints) => {
            let of_kind = rotated(endpoints, draw);
            let mut records: Vec<Record> =
                of_kind.filter_map(|e| address(owner, e.address, kind)).collect();
            records.truncate(limits::DNS_RECORDS_MAX);
            (records, Vec::new())
        }
    }
}

/// SRV records of some ports; ports of one number are one record. Who asks a headless service dials
/// an endpoint itself, so that its records have the endpoint's own ports.
pub(super) fn services(
    service: &Service<'_>,
    ports: &[Port<'_>],
    owner: &str,
    draw: u64,
) -> Sections {
    let Some(endpoints) = service.endpoints.as_deref() else {
        let target = format!("{}.", dns_name(&service.entry.name));
        let records = ports.iter().map(|port| srv(owner, port.number(), &target)).collect();
        let addresses = service.entry.virtual_ips.iter().flat_map(|ip| both(&target, *ip));
        return (distinct(records), addresses.collect());
    };
    let (mut records, mut extra) = Sections::default();
    for endpoint in rotated(endpoints, draw) {
        let target = target(service, endpoint);
        let numbers = ports.iter().filter_map(|port| port.target(service.entry, endpoint));
        let of_endpoint = distinct(numbers.map(|port| srv(owner, port, &target)).collect());
        if records.len() + of_endpoint.len() > limits::DNS_RECORDS_MAX {
            break;
        }
        if !of_endpoint.is_empty() {
            extra.extend(both(&target, endpoint.address));
        }
        records.extend(of_endpoint);
    }
    // A host with addresses of both families is one target.
    (distinct(records), extra)
}

fn target(service: &Service<'_>, endpoint: &HeadlessEndpoint) -> String {
    format!("{}.{}.{}.", label(endpoint), endpoint.cluster, dns_name(&service.entry.name))
}

fn rotated(endpoints: &[HeadlessEndpoint], draw: u64) -> impl Iterator<Item = &HeadlessEndpoint> {
    let count = endpoints.len().max(1) as u64;
    let first = usize::try_from(draw % count).expect("less than a usize");
    let (left, right) = endpoints.split_at(first);
    right.iter().chain(left)
}

fn address(owner: &str, ip: IpAddr, kind: Kind) -> Option<Record> {
    let data = match (ip, kind) {
        (IpAddr::V4(ip), Kind::A) => Data::A(ip),
        (IpAddr::V6(ip), Kind::Aaaa) => Data::Aaaa(ip),
        (IpAddr::V4(_) | IpAddr::V6(_), _) => return None,
    };
    Some(record(owner, data))
}

fn both(owner: &str, ip: IpAddr) -> Vec<Record> {
    let kind = if ip.is_ipv4() { Kind::A } else { Kind::Aaaa };
    address(owner, ip, kind).into_iter().collect()
}

/// Priority 0 and weight 100, as the cluster's own DNS server gives them.
fn srv(owner: &str, port: u16, target: &str) -> Record {
    record(owner, Data::Srv { priority: 0, weight: 100, port, target: target.into() })
}

fn record(owner: &str, data: Data) -> Record {
    Record { name: owner.into(), ttl_s: limits::DNS_TTL_S, data }
}

fn distinct(records: Vec<Record>) -> Vec<Record> {
    let mut kept: Vec<Record> = Vec::with_capacity(records.len());
    for record in records {
        if !kept.contains(&record) {
            kept.push(record);
        }
    }
    kept
}
