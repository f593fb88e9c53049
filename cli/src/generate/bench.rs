//! State on disk for one of two gateways that are measured without a control plane: what a bridge
//! and an agent would have sent them.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::num::NonZeroU16;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use prost::Message as _;
use rialto_types::cluster::{GatewayAddress, trust_domain};
use rialto_types::id::{ClusterName, Revision, Role, ServiceName, SpiffeId};
use rialto_types::limits;
use rialto_types::local::{Endpoint, EndpointHealth, LocalTable};
use rialto_types::service::{AppProtocol, ServicePort};
use rialto_types::snapshot::{ClusterEntry, Entry, FailoverEntry, NamesEntry, ServiceEntry};
use rialto_wire::enroll::{Contacts, Enrolled, Folder};
use rialto_wire::grpc::{Delta, Table, delta_entry};
use rialto_wire::identity::{Issuer, KeyRequest, TrustBundle, now};
use rialto_wire::subscribe::Disk;

const FAR: &str = "far";
const NEAR: &str = "near";
/// Nobody listens there: a gateway that has its documents needs nobody.
const NOBODY: &str = "127.0.0.1:1";

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// The folder of the pair; each gateway's data folder is made in it
    #[arg(long)]
    folder: PathBuf,
    #[arg(long, value_enum)]
    side: Side,
    /// Near: the address of the service; far: the address of the tunnel
    #[arg(long)]
    listen: SocketAddr,
    /// Near: the far gateway; far: the origin
    #[arg(long)]
    upstream: SocketAddr,
    #[arg(long, value_enum)]
    protocol: Protocol,
    /// The service's port, the same on both sides
    #[arg(long)]
    port: NonZeroU16,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Side {
    Near,
    Far,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Protocol {
    Tcp,
    Http,
}

/// Not to be run twice at once for one folder.
pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let folder = &arguments.folder;
    let near_folder = folder.join(NEAR);
    if Folder::new(near_folder.join("identity")).load()?.is_none() {
        make_identities(folder)?;
    }
    let kept = Folder::new(near_folder.join("identity")).load()?;
    let anchors = kept.context("the identity that was made is not there")?.bundle;
    let side = match arguments.side {
        Side::Near => NEAR,
        Side::Far => FAR,
    };
    let data = folder.join(side);
    let delta = Delta {
        revision: Some(Revision { epoch: 1, index: 1 }.into()),
        entries: entries(arguments, &anchors).iter().map(delta_entry).collect(),
        removed: Vec::new(),
        last: true,
    };
    Disk::new(&data, "snapshot").store(&delta.encode_to_vec())?;
    let table = Table::of(&table(arguments));
    Disk::new(&data, "local").store(&table.encode_to_vec())?;
    Ok(())
}

fn make_identities(folder: &Path) -> anyhow::Result<()> {
    let names = [NEAR, FAR].map(name);
    let mut bundle = TrustBundle::default();
    let mut issuers = Vec::new();
    for cluster in &names {
        let issuer = Issuer::create(&trust_domain(cluster), rand::random(), now())?;
        bundle.insert(issuer.domain(), issuer.certificate())?;
        issuers.push(issuer);
    }
    // The near one comes last: its presence says that all is there.
    for (cluster, issuer) in names.iter().zip(&issuers).rev() {
        let id = SpiffeId::part(issuer.domain(), Role::Gateway, &gateway());
        let request = KeyRequest::new()?;
        let life: Duration = limits::CERTIFICATE_TTL;
        let chain = issuer.sign(request.csr(), &id, rand::random(), life, now())?;
        let contacts = Contacts {
            cluster: Some(cluster.clone()),
            bridges: vec![NOBODY.to_owned()],
            agent: Some(NOBODY.to_owned()),
        };
        let enrolled =
            Enrolled { svid: request.into_svid(chain)?, bundle: bundle.clone(), contacts };
        Folder::new(folder.join(cluster.as_str()).join("identity")).store(&enrolled)?;
    }
    Ok(())
}

fn entries(arguments: &Arguments, anchors: &TrustBundle) -> Vec<Entry> {
    let near = arguments.side == Side::Near;
    let far_address = if near { arguments.upstream } else { arguments.listen };
    let cluster = |side: &str, gateways| {
        let name = name(side);
        let domain = trust_domain(&name);
        let anchors =
            anchors.anchors(&domain).iter().map(|anchor| STANDARD.encode(anchor.der())).collect();
        let (drained, region) = (false, None);
        Entry::Cluster(ClusterEntry {
            name,
            trust_domain: domain,
            anchors,
            gateways,
            drained,
            region,
        })
    };
    let far_gateway = GatewayAddress { id: gateway(), address: far_address };
    let virtual_ips: Vec<IpAddr> = if near { vec![arguments.listen.ip()] } else { Vec::new() };
    let app_protocol = match arguments.protocol {
        Protocol::Tcp => AppProtocol::Tcp,
        Protocol::Http => AppProtocol::Http,
    };
    let service = ServiceEntry {
        name: service(),
        ports: vec![ServicePort { name: None, port: arguments.port, app_protocol }],
        clusters: [(name(FAR), vec![arguments.port.get()])].into(),
        virtual_ips,
        gateway_ports: BTreeMap::new(),
        headless: None,
        udp_ports: Vec::new(),
        client_affinity: false,
        failover: FailoverEntry {
            policy: None,
            order: Vec::new(),
            overprovisioning_percent: limits::OVERPROVISIONING_PERCENT_DEFAULT,
        },
    };
    let own = name(if near { NEAR } else { FAR });
    vec![
        cluster(NEAR, Vec::new()),
        cluster(FAR, vec![far_gateway]),
        Entry::Names(NamesEntry { cluster: own, namespaces: None }),
        Entry::Service(service),
    ]
}

fn table(arguments: &Arguments) -> LocalTable {
    let origin = Endpoint {
        address: arguments.upstream.ip(),
        ports: [(arguments.port.get(), arguments.upstream.port())].into(),
        udp_ports: BTreeMap::new(),
        health: EndpointHealth::Healthy,
        hostname: None,
    };
    let (side, services) = match arguments.side {
        Side::Near => (NEAR, BTreeMap::new()),
        Side::Far => (FAR, [(service(), [origin].into())].into()),
    };
    let callers = Arc::default();
    LocalTable { cluster: name(side), epoch: 1, revision: 1, services, callers }
}

fn name(side: &str) -> ClusterName {
    side.parse().expect("a cluster name")
}

fn gateway() -> rialto_types::id::InstanceId {
    "one".parse().expect("a label")
}

fn service() -> ServiceName {
    "bench/origin".parse().expect("a service name")
}
