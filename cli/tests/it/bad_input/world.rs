//! Cluster `east`, run from files alone: what a bridge and an agent would have sent its parts. The
//! keys of all issuers are the test's, so that it can forge what nobody issues.
//!
//! Workloads listen on 127.0.0.1, on a port of the kernel's choice; the virtual IP of their service
//! has the same port, so that no two tests want the same.

use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::net::{IpAddr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::num::NonZeroU16;
use std::path::{Path, PathBuf};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use prost::Message as _;
use rialto_types::cluster::trust_domain;
use rialto_types::id::{ClusterName, Revision, Role, ServiceName, SpiffeId, Timestamp};
use rialto_types::limits;
use rialto_types::local::{Endpoint, EndpointHealth, LocalTable};
use rialto_types::service::{AppProtocol, ServicePort};
use rialto_types::snapshot::{ClusterEntry, Entry, FailoverEntry, NamesEntry, ServiceEntry};
use rialto_wire::enroll::{Contacts, Enrolled, Folder};
use rialto_wire::grpc::{Delta, Table, delta_entry};
use rialto_wire::identity::{Issuer, KeyRequest, Svid, TrustBundle, now};
use rialto_wire::subscribe::Disk;
use serde_json::Value;

use crate::process::Process;

/// Nobody listens there: a part that has its documents needs nobody.
const NOBODY: &str = "127.0.0.1:1";
/// How old the issuers are.
const PAST: Duration = Duration::from_secs(24 * 3600);

pub(super) struct World {
    folder: tempfile::TempDir,
    pub(super) east: Issuer,
    pub(super) west: Issuer,
    /// Of a cluster that nobody in `east` has heard of.
    pub(super) north: Issuer,
    services: Vec<Home>,
    /// Where the parts find their agent.
    pub(super) agent: String,
}

/// A service of `east`.
pub(super) struct Home {
    pub(super) name: &'static str,
    pub(super) virtual_ip: IpAddr,
    pub(super) port: u16,
    pub(super) protocol: AppProtocol,
    pub(super) endpoint: SocketAddr,
}

impl World {
    pub(super) fn new(services: Vec<Home>) -> Self {
        let past = before(PAST);
        let issuer = |cluster: &str| {
            let cluster: ClusterName = cluster.parse().expect("a name");
            Issuer::create(&trust_domain(&cluster), rand::random(), past).expect("an issuer")
        };
        let folder = tempfile::tempdir().expect("a folder");
        let [east, west, north] = ["east", "west", "north"].map(issuer);
        Self { folder, east, west, north, services, agent: NOBODY.to_owned() }
    }

    /// Whom the parts of `east` believe.
    pub(super) fn bundle(&self) -> TrustBundle {
        let mut bundle = TrustBundle::default();
        for issuer in [&self.east, &self.west] {
            bundle.insert(issuer.domain(), issuer.certificate()).expect("an anchor");
        }
        bundle
    }

    /// A certificate as the bridge issues it, from this moment on.
    pub(super) fn svid(&self, issuer: &Issuer, role: Role, id: &str, from: Timestamp) -> Svid {
        let id = SpiffeId::part(issuer.domain(), role, &id.parse().expect("a label"));
        let request = KeyRequest::new().expect("a key");
        let life = limits::CERTIFICATE_TTL / 2;
        let chain = issuer.sign(request.csr(), &id, rand::random(), life, from).expect("signed");
        request.into_svid(chain).expect("an SVID")
    }

    /// Starts a part of `east`, and gives what it logs as `up`. `extra` are settings.
    pub(super) fn start(&self, role: Role, extra: &Value, up: &str) -> (Process, Value) {
        let data = self.path(role.as_str());
        self.write_identity(&data.join("identity"), role);
        self.write_documents(&data);
        let mut settings =
            serde_json::json!({ "id": "one", "dataFolder": data, "admin": "127.0.0.1:0" });
        if role != Role::Agent {
            settings["agentSocket"] = self.path("nobody.sock").display().to_string().into();
        }
        let extra = extra.as_object().expect("settings are an object").clone();
        settings.as_object_mut().expect("as written").extend(extra);
        let file = self.path(&format!("{role}.yaml"));
        let text = serde_saphyr::to_string(&settings).expect("plain data");
        std::fs::write(&file, text).expect("the folder takes a file");
        Process::start(role.as_str(), &file, up)
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn write_identity(&self, folder: &Path, role: Role) {
        let contacts = Contacts {
            cluster: Some(east()),
            bridges: vec![NOBODY.to_owned()],
            agent: Some(self.agent.clone()),
        };
        let svid = self.svid(&self.east, role, "one", now());
        let enrolled = Enrolled { svid, bundle: self.bundle(), contacts };
        Folder::new(folder).store(&enrolled).expect("kept");
    }

    fn write_documents(&self, data: &Path) {
        let cluster = |issuer: &Issuer, name: &str| {
            Entry::Cluster(ClusterEntry {
                name: name.parse().expect("a name"),
                trust_domain: issuer.domain().clone(),
                anchors: vec![STANDARD.encode(issuer.certificate())],
                gateways: Vec::new(),
                drained: false,
                region: None,
            })
        };
        let mut entries = vec![
            cluster(&self.east, "east"),
            cluster(&self.west, "west"),
            Entry::Names(NamesEntry { cluster: east(), namespaces: None }),
        ];
        entries.extend(self.services.iter().map(|home| Entry::Service(home.entry())));
        let delta = Delta {
            revision: Some(Revision { epoch: 1, index: 1 }.into()),
            entries: entries.iter().map(delta_entry).collect(),
            removed: Vec::new(),
            last: true,
        };
        Disk::new(data, "snapshot").store(&delta.encode_to_vec()).expect("kept");
        let services = self.services.iter().map(|home| (home.name(), [home.endpoint()].into()));
        let table = LocalTable {
            cluster: east(),
            epoch: 1,
            revision: 1,
            services: services.collect(),
            callers: Default::default(),
        };
        Disk::new(data, "local").store(&Table::of(&table).encode_to_vec()).expect("kept");
    }
}

impl Home {
    /// A service whose only endpoint is this listener.
    pub(super) fn of(name: &'static str, protocol: AppProtocol, workload: &TcpListener) -> Self {
        let endpoint = workload.local_addr().expect("it listens");
        let virtual_ip = IpAddr::from([127, 66, 0, 1]);
        Self { name, virtual_ip, port: endpoint.port(), protocol, endpoint }
    }

    /// What a workload dials.
    pub(super) fn address(&self) -> SocketAddr {
        SocketAddr::new(self.virtual_ip, self.port)
    }

    fn name(&self) -> ServiceName {
        self.name.parse().expect("a name")
    }

    fn entry(&self) -> ServiceEntry {
        let port = NonZeroU16::new(self.port).expect("not 0");
        ServiceEntry {
            name: self.name(),
            ports: vec![ServicePort { name: None, port, app_protocol: self.protocol }],
            clusters: [(east(), vec![self.port])].into(),
            virtual_ips: vec![self.virtual_ip],
            gateway_ports: Default::default(),
            headless: None,
            udp_ports: Vec::new(),
            client_affinity: false,
            failover: FailoverEntry {
                policy: None,
                order: Vec::new(),
                overprovisioning_percent: limits::OVERPROVISIONING_PERCENT_DEFAULT,
            },
        }
    }

    fn endpoint(&self) -> Endpoint {
        Endpoint {
            address: self.endpoint.ip(),
            ports: [(self.port, self.endpoint.port())].into(),
            udp_ports: BTreeMap::new(),
            health: EndpointHealth::Healthy,
            hostname: None,
        }
    }
}

/// A workload that sends back what it gets, on each connection until its end.
pub(super) fn echo() -> TcpListener {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let accepting = listener.try_clone().expect("a second handle");
    std::thread::spawn(move || {
        for stream in accepting.incoming().map_while(Result::ok) {
            std::thread::spawn(move || {
                let mut writing = stream.try_clone().expect("a second handle");
                // Who is gone needs no echo.
                let _ = std::io::copy(&mut { stream }, &mut writing);
                let _ = writing.shutdown(Shutdown::Write);
            });
        }
    });
    listener
}

/// What the workload behind an address sends back, or why it does not.
pub(super) fn call(address: SocketAddr, text: &str) -> std::io::Result<String> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(Duration::from_secs(10)))?;
    stream.write_all(text.as_bytes())?;
    stream.shutdown(Shutdown::Write)?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer)
}

/// So long ago.
pub(super) fn before(age: Duration) -> Timestamp {
    let age_ms = u64::try_from(age.as_millis()).expect("not long");
    Timestamp::from_unix_ms(now().unix_ms - age_ms)
}

fn east() -> ClusterName {
    "east".parse().expect("a name")
}
