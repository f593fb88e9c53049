//! Packets and servers for this package's tests.

use std::net::SocketAddr;
use std::sync::Arc;

use rialto_types::id::Revision;
use rialto_types::snapshot::{
    Entry, FailoverEntry, HeadlessEndpoint, ServiceEntry, Snapshot, UdpPort,
};

use crate::config::Config;
use crate::forward::Forwarder;
use crate::metrics::Metrics;
use crate::names::Names;
use crate::server::Server;

/// A query: RD set, one question of class IN.
pub(crate) fn query(name: &str, kind: u16) -> Vec<u8> {
    packet(0x0100, [1, 0, 0, 0], &[&question(name, kind, 1)])
}

/// A query with an OPT record.
pub(crate) fn query_edns(name: &str, kind: u16, payload: u16) -> Vec<u8> {
    packet(0x0100, [1, 0, 0, 1], &[&question(name, kind, 1), &opt(payload, 0, 0, &[])])
}

pub(crate) fn packet(flags: u16, counts: [u16; 4], parts: &[&[u8]]) -> Vec<u8> {
    let mut bytes = vec![0xab, 0xcd];
    bytes.extend(flags.to_be_bytes());
    counts.iter().for_each(|count| bytes.extend(count.to_be_bytes()));
    parts.iter().for_each(|part| bytes.extend(*part));
    bytes
}

pub(crate) fn name(text: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    for label in text.split('.').filter(|label| !label.is_empty()) {
        bytes.push(u8::try_from(label.len()).expect("a label"));
        bytes.extend(label.as_bytes());
    }
    bytes.push(0);
    bytes
}

pub(crate) fn question(text: &str, kind: u16, class: u16) -> Vec<u8> {
    [&name(text)[..], &kind.to_be_bytes(), &class.to_be_bytes()].concat()
}

pub(crate) fn record(owner: &[u8], kind: u16, ttl: u32, data: &[u8]) -> Vec<u8> {
    let length = u16::try_from(data.len()).expect("short data");
    let fixed = [&kind.to_be_bytes()[..], &[0, 1], &ttl.to_be_bytes(), &length.to_be_bytes()];
    [owner, &fixed.concat(), data].concat()
}

pub(crate) fn opt(payload: u16, version: u8, flags: u16, data: &[u8]) -> Vec<u8> {
    let length = u16::try_from(data.len()).expect("short data");
    let mut bytes = vec![0, 0, 41];
    bytes.extend(payload.to_be_bytes());
    bytes.extend([0, version]);
    bytes.extend(flags.to_be_bytes());
    bytes.extend(length.to_be_bytes());
    bytes.extend(data);
    bytes
}

/// `details.books` with one address, headless `db.books` with many, `big.books` with many ports,
/// headless `names.books` with a UDP port.
pub(crate) fn snapshot() -> Snapshot {
    let east: rialto_types::id::ClusterName = "east".parse().expect("a cluster name");
    let service = |name: &str, ports: u16, virtual_ips: &[&str], endpoints: u8| ServiceEntry {
        name: format!("books/{name}").parse().expect("a service name"),
        ports: (1..=ports)
            .map(|number| rialto_types::service::ServicePort {
                name: Some(format!("port-{number}").parse().expect("a port name")),
                port: (9_000 + number).try_into().expect("not 0"),
                app_protocol: rialto_types::service::AppProtocol::Tcp,
            })
            .collect(),
        clusters: [(east.clone(), (9_001..=9_000 + ports).collect())].into(),
        virtual_ips: virtual_ips.iter().map(|ip| ip.parse().expect("an address")).collect(),
        gateway_ports: Default::default(),
        headless: (endpoints > 0).then(|| {
            (1..=endpoints)
                .map(|number| HeadlessEndpoint {
                    cluster: east.clone(),
                    hostname: Some(format!("db-{number}").parse().expect("a host name")),
                    address: [10, 0, 0, number].into(),
                    ports: Default::default(),
                    udp_ports: [(53, 5353)].into(),
                })
                .collect()
        }),
        udp_ports: Vec::new(),
        client_affinity: false,
        failover: FailoverEntry {
            policy: None,
            order: vec![east.clone()],
            overprovisioning_percent: 140,
        },
    };
    let udp_port = UdpPort {
        name: Some("dns".parse().expect("a port name")),
        port: 53.try_into().expect("not 0"),
        clusters: vec![east.clone()],
    };
    let services = [
        ServiceEntry { udp_ports: vec![udp_port], ..service("names", 1, &[], 2) },
        service("details", 1, &["246.0.0.1", "fd52::1"], 0),
        service("four", 1, &["246.0.0.4"], 0),
        service("big", 40, &["246.0.0.2"], 0),
        service("db", 1, &[], 60),
    ];
    let names = rialto_types::snapshot::NamesEntry { cluster: east.clone(), namespaces: None };
    let entries = services.into_iter().map(Entry::Service).chain([Entry::Names(names)]);
    Snapshot::from_entries(Revision::new(1, 7), entries)
}

/// A server with the services above, for the default clients.
pub(crate) fn server(upstreams: &[SocketAddr]) -> Arc<Server> {
    let names = Arc::new(Names::default());
    names.set_snapshot(Arc::new(snapshot()));
    server_of(names, upstreams, &[])
}

pub(crate) fn server_of(
    names: Arc<Names>,
    upstreams: &[SocketAddr],
    own: &[SocketAddr],
) -> Arc<Server> {
    let least = "{id: one, dataFolder: /d, agentSocket: /s}";
    let config: Config = serde_saphyr::from_str(least).expect("a configuration");
    let metrics = Arc::new(Metrics::default());
    let forwarder = Forwarder::new(upstreams, own, metrics.clone());
    Arc::new(Server { names, forwarder, clients: config.clients, metrics })
}
