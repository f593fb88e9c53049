//! Two clusters on loopback: real tunnel, real certificates, real sockets.

use std::net::{IpAddr, Ipv4Addr};

use rialto_types::cluster::{GatewayAddress, trust_domain};
use rialto_types::id::{Revision, ServiceName, SpiffeId};
use rialto_types::local::{Caller, Endpoint, EndpointHealth};
use rialto_types::policy::{AccessOperation, Action};
use rialto_types::service::{AppProtocol, ServicePort};
use rialto_types::snapshot::{
    Access, AccessEntry, ClusterEntry, CompiledPolicy, CompiledRule, CompiledSource, FailoverEntry,
    RouteEntry, RouteRule, ServiceEntry,
};
use rialto_wire::identity::{Issuer, KeyRequest, TrustBundle};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::mpsc;
use tokio::task::LocalSet;

use super::*;
use crate::config::Capture;
use crate::ingress::Near;
use crate::metrics::ReasonLabel;

pub(crate) const PORT: u16 = 9080;

#[tokio::test]
async fn a_flow_reaches_the_other_cluster_and_half_closes() {
    local(async {
        let mut world = World::new(&["east", "west"]);
        let echo = Origin::echo().await;
        world.serve("west", &echo);
        world.start().await;
        let mut client = world.connect("east").await;
        client.write_all(b"a question").await.expect("writes");
        client.shutdown().await.expect("half-closes");
        assert_eq!(read_all(&mut client).await.expect("an end"), b"a question");
    })
    .await;
}

#[tokio::test]
async fn the_own_cluster_comes_first_and_takes_over_nothing_it_does_not_have() {
    local(async {
        let mut world = World::new(&["east", "west"]);
        let (near, far) = (Origin::saying("near").await, Origin::saying("far").await);
        world.serve("east", &near);
        world.serve("west", &far);
        world.start().await;
        assert_eq!(world.ask("east").await.expect("served"), b"near");
        world.unserve("east");
        world.apply();
        assert_eq!(world.ask("east").await.expect("served"), b"far");
    })
    .await;
}

#[tokio::test]
async fn an_endpoint_that_refuses_is_passed_over_without_the_client_noticing() {
    local(async {
        let mut world = World::new(&["east", "west", "vms"]);
        // Bound and closed again: nobody listens there.
        let gone = Origin::saying("gone").await;
        gone.task.abort();
        let gone = Origin { address: gone.address, task: tokio::spawn(async {}) };
        tokio::task::yield_now().await;
        world.serve("west", &gone);
        let here = Origin::saying("here").await;
        world.serve("vms", &here);
        world.start().await;
        for _ in 0..10 {
            assert_eq!(world.ask("east").await.expect("served"), b"here");
        }
    })
    .await;
}

#[tokio::test]
async fn a_caller_stays_with_its_endpoint_near_and_far_until_that_is_gone() {
    local(async {
        let mut world = World::new(&["east", "west"]);
        world.client_affinity = true;
        let mut origins = Vec::new();
        for text in ["0", "1", "2", "3"] {
            origins.push(Origin::saying(text).await);
        }
        world.serve_all("west", &origins);
        world.start().await;
        let before = world.told_all("east").await;
        for text in [b"0", b"1", b"2", b"3"] {
            assert!(before.iter().any(|told| told == text), "{before:?}");
        }
        // The far gateway's own callers of the same addresses come to the same.
        assert_eq!(world.told_all("west").await, before);

        origins[1].task.abort();
        let after = world.told_all("east").await;
        for (before, after) in before.iter().zip(&after) {
            assert_eq!(before == after, before != b"1", "{before:?}, then {after:?}");
        }
    })
    .await;
}

#[tokio::test]
async fn a_dead_gateway_costs_a_flow_the_silence_bound_and_no_more() {
    local(async {
        let mut world = World::new(&["east", "west", "vms"]);
        let (west, vms) = (Origin::saying("west").await, Origin::saying("vms").await);
        world.serve("west", &west);
        world.serve("vms", &vms);
        world.start().await;
        // From here on west answers nothing, as if its host had lost power.
        world.gateways.get_mut("west").expect("there").halt();
        let before = Instant::now();
        for _ in 0..10 {
            assert_eq!(world.ask("east").await.expect("served"), b"vms");
        }
        assert!(before.elapsed() < limits::FLOW_OPEN_TIME_MAX, "{:?}", before.elapsed());
    })
    .await;
}

#[tokio::test]
async fn a_gateway_that_was_silent_is_waited_for_when_nobody_else_can_serve() {
    local(async {
        let mut world = World::new(&["east", "west", "vms"]);
        let (west, gone) = (Origin::saying("west").await, Origin::saying("gone").await);
        world.serve("west", &west);
        world.serve("vms", &gone);
        world.order = vec![name("west"), name("vms")];
        world.start().await;
        gone.task.abort();
        let power = world.gateways["west"].power();
        power.cut();
        let refused = world.gateways["east"].metrics.retries.clone();
        let comes_back = async {
            let reason = ReasonLabel { reason: "connect_failed" };
            while refused.get_or_create(&reason).get() == 0 {
                tokio::task::yield_now().await;
            }
            power.restore();
        };
        let (said, ()) = tokio::join!(world.ask("east"), comes_back);
        assert_eq!(said.expect("served"), b"west");
    })
    .await;
}

#[tokio::test]
async fn a_flow_waits_for_a_peer_that_is_dialled_for_the_first_time() {
    local(async {
        let mut world = World::new(&["east", "west", "vms"]);
        let (west, vms) = (Origin::saying("west").await, Origin::saying("vms").await);
        world.serve("west", &west);
        world.serve("vms", &vms);
        world.begin();
        // Dead before anybody reached it: the one that comes up is taken, in whatever order.
        world.gateways.get_mut("west").expect("there").halt();
        let asked = futures::future::join_all((0..10).map(|_| world.ask("east"))).await;
        for said in asked {
            assert_eq!(said.expect("served"), b"vms");
        }
    })
    .await;
}

#[tokio::test]
async fn what_no_rule_allows_is_refused_with_a_reset_and_counted() {
    local(async {
        let mut world = World::new(&["east", "west"]);
        let echo = Origin::saying("secret").await;
        world.serve("west", &echo);
        world.start().await;
        world.allow("spiffe://east.rialto/ns/books/sa/productpage");
        world.apply();
        assert_eq!(world.ask("east").await.expect("the caller is known"), b"secret");
        world.allow("spiffe://east.rialto/ns/books/sa/someone-else");
        world.apply();
        let error = world.ask("east").await.expect_err("refused");
        assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset);
        let far = &world.gateways["west"].metrics;
        let labels = crate::metrics::SideReason { side: Side::Far, reason: "denied" };
        assert_eq!(far.refusals.get_or_create(&labels).get(), 1);
    })
    .await;
}

#[tokio::test]
async fn a_flow_waits_for_its_caller_to_be_known_and_no_longer_than_the_bound() {
    local(async {
        let mut world = World::new(&["east"]);
        world.begin();
        let worker = &world.gateways["east"].worker;
        let (known, stranger) = (Ipv4Addr::new(10, 1, 0, 2), Ipv4Addr::new(10, 1, 0, 3));
        tokio::time::pause();
        let told = async {
            let never = std::future::pending::<()>();
            timeout(limits::CALLER_WAIT_MAX / 2, never).await.expect_err("it never comes");
            let mut table = world.table("east");
            let caller = table.callers[&IpAddr::V4(Ipv4Addr::LOCALHOST)].clone();
            Arc::make_mut(&mut table.callers).insert(known.into(), caller);
            worker.serve_tables(Tables { local: Arc::new(table), ..worker.tables() });
        };
        let began = Instant::now();
        tokio::join!(worker.caller_known(known.into()), told);
        assert!(began.elapsed() < limits::CALLER_WAIT_MAX, "{:?}", began.elapsed());

        let began = Instant::now();
        worker.caller_known(stranger.into()).await;
        let waited = began.elapsed();
        assert!(waited >= limits::CALLER_WAIT_MAX, "{waited:?}");
        assert!(waited < 2 * limits::CALLER_WAIT_MAX, "{waited:?}");
        // The next connection of the same address does not wait again.
        let began = Instant::now();
        worker.caller_known(stranger.into()).await;
        assert_eq!(began.elapsed(), Duration::ZERO);
    })
    .await;
}

#[tokio::test]
async fn a_caller_of_another_cluster_is_not_believed() {
    local(async {
        let mut world = World::new(&["east", "west"]);
        let echo = Origin::echo().await;
        world.serve("west", &echo);
        world.start().await;
        let forged: SpiffeId = "spiffe://west.rialto/ns/books/sa/admin".parse().expect("valid");
        let header = Open {
            mode: crate::tunnel::header::Mode::Tcp,
            service: service(),
            port: PORT,
            backend: None,
            caller: Some(forged),
            hops: 1,
            flow: 1,
            offset: 0,
            trace: None,
            deadline_ms: None,
            affinity: None,
        };
        let east = &world.gateways["east"].worker;
        let peer = PeerId { cluster: name("west"), gateway: "g1".parse().expect("valid") };
        let mut opened = east.open(&peer, &header).await.expect("opens");
        let answer = crate::tunnel::header::read_answer(&mut opened.recv).await;
        let Ok(crate::tunnel::header::Answer::Refused(refusal)) = answer else {
            panic!("{answer:?}");
        };
        assert_eq!(refusal.code, crate::tunnel::header::RefusalCode::BadCaller);
    })
    .await;
}

#[tokio::test]
async fn a_reset_of_the_endpoint_arrives_as_a_reset() {
    local(async {
        let mut world = World::new(&["east", "west"]);
        let rude = Origin::resetting().await;
        world.serve("west", &rude);
        world.start().await;
        let mut client = world.connect("east").await;
        client.write_all(b"x").await.expect("writes");
        let error = read_all(&mut client).await.expect_err("a reset is no end");
        assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset);
    })
    .await;
}

#[tokio::test]
async fn a_drain_waits_for_the_flows_and_loses_nothing() {
    local(async {
        let mut world = World::new(&["east", "west"]);
        let echo = Origin::echo().await;
        world.serve("west", &echo);
        world.start().await;
        let mut client = world.connect("east").await;
        client.write_all(b"begun").await.expect("writes");
        let mut begun = [0; 5];
        client.read_exact(&mut begun).await.expect("echoed");
        let stopping = world.gateways.get_mut("west").expect("there").stop();
        client.write_all(b" and ended").await.expect("writes");
        client.shutdown().await.expect("half-closes");
        assert_eq!(read_all(&mut client).await.expect("an end"), b" and ended");
        stopping.await.expect("stops by itself");
    })
    .await;
}

#[tokio::test]
async fn bytes_of_a_flow_are_counted_as_they_pass_and_the_flow_when_it_ends() {
    local(async {
        let mut world = World::new(&["east", "west"]);
        let echo = Origin::echo().await;
        world.serve("west", &echo);
        world.start().await;
        let mut client = world.connect("east").await;
        client.write_all(b"begun").await.expect("writes");
        let mut begun = [0; 5];
        client.read_exact(&mut begun).await.expect("echoed");
        let east = &world.gateways["east"];
        let counted = || {
            let now = std::time::Instant::now();
            let report = east.worker.traffic().report(&[], &east.metrics.traffic, now);
            let mut counts = rialto_types::traffic::Counts::default();
            report.entries.iter().for_each(|entry| counts.merge(&entry.counts));
            (counts.requests, counts.bytes_from_client, counts.bytes_to_client)
        };
        assert_eq!(counted(), (0, 5, 5), "the flow goes on");
        assert_eq!(counted(), (0, 0, 0), "each byte is counted once");
        client.shutdown().await.expect("half-closes");
        read_all(&mut client).await.expect("an end");
        let mut ended = counted();
        while ended.0 == 0 {
            tokio::task::yield_now().await;
            ended = counted();
        }
        assert_eq!(ended, (1, 0, 0));
    })
    .await;
}

#[tokio::test]
async fn a_virtual_ip_is_listened_on_and_leads_to_the_service() {
    local(async {
        let mut world = World::new(&["east", "west"]);
        let far = Origin::saying("far").await;
        world.serve("west", &far);
        let [.., high, low] = std::process::id().to_be_bytes();
        let vip = Ipv4Addr::new(127, high.max(1), low.max(1), 77);
        world.virtual_ips = vec![IpAddr::V4(vip)];
        world.start().await;
        let mut client = TcpStream::connect((vip, PORT)).await.expect("somebody listens");
        assert_eq!(read_all(&mut client).await.expect("served"), b"far");
        drop(client);
        world.virtual_ips.clear();
        world.apply();
        assert!(TcpStream::connect((vip, PORT)).await.is_err());
    })
    .await;
}

/// What answers behind a gateway.
pub(crate) struct Origin {
    pub(crate) address: SocketAddr,
    pub(crate) task: tokio::task::JoinHandle<()>,
}

impl Origin {
    pub(crate) async fn start<F: Future<Output = ()>>(
        serve: impl Fn(TcpStream) -> F + 'static,
    ) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("binds");
        let address = listener.local_addr().expect("bound");
        let task = tokio::task::spawn_local(async move {
            while let Ok((stream, _)) = listener.accept().await {
                serve(stream).await;
            }
        });
        Self { address, task }
    }

    async fn echo() -> Self {
        Self::start(async |mut stream| {
            tokio::task::spawn_local(async move {
                let (mut read, mut write) = stream.split();
                tokio::io::copy(&mut read, &mut write).await.expect("copies");
                write.shutdown().await.expect("ends");
            });
        })
        .await
    }

    async fn saying(text: &'static str) -> Self {
        Self::start(async |mut stream| {
            // Who asks may be gone already.
            let _ = stream.write_all(text.as_bytes()).await;
        })
        .await
    }

    async fn resetting() -> Self {
        Self::start(async |mut stream| {
            let mut byte = [0];
            stream.read_exact(&mut byte).await.expect("reads");
            crate::relay::reset(&stream);
        })
        .await
    }
}

/// A federation of clusters with one gateway each, and one service.
pub(crate) struct World {
    issuers: BTreeMap<&'static str, Issuer>,
    pub(crate) gateways: BTreeMap<&'static str, Gateway>,
    endpoints: BTreeMap<&'static str, Vec<SocketAddr>>,
    allowed: Option<String>,
    virtual_ips: Vec<IpAddr>,
    client_affinity: bool,
    pub(crate) protocol: AppProtocol,
    /// What the caller that is allowed may do; empty for everything.
    pub(crate) operations: Vec<AccessOperation>,
    pub(crate) rules: Vec<RouteRule>,
    pub(crate) order: Vec<ClusterName>,
}

pub(crate) struct Gateway {
    pub(crate) worker: Worker,
    pub(crate) metrics: Arc<Metrics>,
    address: SocketAddr,
    commands: mpsc::Sender<Command>,
    task: tokio::task::JoinHandle<()>,
}

impl Gateway {
    /// Stops in order.
    pub(crate) fn stop(&mut self) -> tokio::task::JoinHandle<()> {
        let within = Duration::from_secs(20);
        self.commands.try_send(Command::Stop { within }).expect("runs");
        std::mem::replace(&mut self.task, tokio::task::spawn_local(async {}))
    }

    /// Stops as if the host had lost power: no packet leaves, none is answered.
    pub(crate) fn halt(&mut self) {
        self.task.abort();
        self.power().cut();
    }

    pub(crate) fn power(&self) -> Power {
        Power(self.worker.clone())
    }
}

/// What a gateway's tunnel hangs on.
#[derive(Debug)]
pub(crate) struct Power(Worker);

impl Power {
    /// From here on no packet leaves, and none arrives.
    pub(crate) fn cut(&self) {
        self.0.inner.pool.endpoint().freeze();
    }

    /// It was only away for a while.
    pub(crate) fn restore(&self) {
        self.0.inner.pool.endpoint().thaw();
    }
}

impl World {
    pub(crate) fn new(clusters: &[&'static str]) -> Self {
        let issuer = |(serial, cluster): (u8, &&'static str)| {
            let domain = trust_domain(&name(cluster));
            let issuer = Issuer::create(&domain, [serial; 16], identity::now());
            (*cluster, issuer.expect("an issuer"))
        };
        Self {
            issuers: (1..).zip(clusters).map(issuer).collect(),
            gateways: BTreeMap::new(),
            endpoints: BTreeMap::new(),
            allowed: None,
            virtual_ips: Vec::new(),
            client_affinity: false,
            protocol: AppProtocol::Tcp,
            operations: Vec::new(),
            rules: Vec::new(),
            order: Vec::new(),
        }
    }

    pub(crate) fn serve(&mut self, cluster: &'static str, origin: &Origin) {
        self.serve_all(cluster, std::slice::from_ref(origin));
    }

    fn serve_all(&mut self, cluster: &'static str, origins: &[Origin]) {
        let addresses = origins.iter().map(|origin| origin.address);
        self.endpoints.insert(cluster, addresses.collect());
    }

    pub(crate) fn unserve(&mut self, cluster: &'static str) {
        self.endpoints.remove(cluster);
    }

    pub(crate) fn allow(&mut self, identity: &str) {
        self.allowed = Some(identity.to_owned());
    }

    /// Starts every gateway and waits until all are connected with all.
    pub(crate) async fn start(&mut self) {
        self.begin();
        for gateway in self.gateways.values() {
            while gateway.worker.inner.pool.members().len() < 4 * (self.gateways.len() - 1)
                || !self.is_informed(gateway)
            {
                tokio::task::yield_now().await;
            }
        }
    }

    /// Starts every gateway; nobody is connected yet.
    fn begin(&mut self) {
        let clusters: Vec<&'static str> = self.issuers.keys().copied().collect();
        for cluster in clusters {
            let gateway = self.start_gateway(cluster);
            self.gateways.insert(cluster, gateway);
        }
        self.apply();
    }

    /// Whether the gateway has heard how the service is everywhere else.
    fn is_informed(&self, gateway: &Gateway) -> bool {
        let own = gateway.worker.tables().local.cluster.clone();
        let health = gateway.worker.inner.health.borrow();
        let now = std::time::Instant::now();
        self.endpoints.keys().all(|cluster| {
            let cluster = name(cluster);
            cluster == own || health.summary(&cluster, &service(), PORT, now).is_some()
        })
    }

    fn start_gateway(&self, cluster: &'static str) -> Gateway {
        let gateway: InstanceId = "g1".parse().expect("valid");
        let issuer = &self.issuers[cluster];
        let id = SpiffeId::part(issuer.domain(), GATEWAY, &gateway);
        let request = KeyRequest::new().expect("a key");
        let day = Duration::from_secs(86_400);
        let chain = issuer.sign(request.csr(), &id, [9; 16], day, identity::now());
        let svid = request.into_svid(chain.expect("signs")).expect("fits");
        let mut bundle = TrustBundle::default();
        for issuer in self.issuers.values() {
            bundle.insert(issuer.domain(), issuer.certificate()).expect("an anchor");
        }
        let metrics = Arc::<Metrics>::default();
        let worker = Worker::new(Parts {
            gateway,
            identity: Identity::new(svid, bundle),
            carrier: Settings::new((Ipv4Addr::LOCALHOST, 0).into()),
            tables: Tables::empty(name(cluster)),
            metrics: Arc::clone(&metrics),
            access_log: AccessLog::off(),
            listeners: Listeners::new(Capture::Bind),
        })
        .expect("starts");
        let address = worker.inner.pool.endpoint().local_address().expect("bound");
        let (commands, received) = mpsc::channel(4);
        let task = tokio::task::spawn_local(worker.clone().run(received));
        Gateway { worker, metrics, address, commands, task }
    }

    /// Puts the present state into service everywhere.
    pub(crate) fn apply(&self) {
        for (cluster, gateway) in &self.gateways {
            let tables = Tables {
                snapshot: Arc::new(self.snapshot()),
                local: Arc::new(self.table(cluster)),
            };
            gateway.worker.serve_tables(tables);
        }
    }

    fn snapshot(&self) -> Snapshot {
        let mut snapshot = Snapshot { revision: Revision::default(), ..Snapshot::default() };
        for (cluster, gateway) in &self.gateways {
            let id = "g1".parse().expect("valid");
            let entry = ClusterEntry {
                name: name(cluster),
                trust_domain: trust_domain(&name(cluster)),
                anchors: Vec::new(),
                gateways: vec![GatewayAddress { id, address: gateway.address }],
                drained: false,
                region: None,
            };
            snapshot.clusters.insert(name(cluster), entry);
        }
        let port = ServicePort {
            name: None,
            port: PORT.try_into().expect("not 0"),
            app_protocol: self.protocol,
        };
        let entry = ServiceEntry {
            name: service(),
            ports: vec![port],
            clusters: self.endpoints.keys().map(|c| (name(c), vec![PORT])).collect(),
            virtual_ips: self.virtual_ips.clone(),
            gateway_ports: BTreeMap::new(),
            headless: None,
            udp_ports: Vec::new(),
            client_affinity: self.client_affinity,
            failover: FailoverEntry {
                policy: None,
                order: self.order.clone(),
                overprovisioning_percent: limits::OVERPROVISIONING_PERCENT_DEFAULT,
            },
        };
        snapshot.services.insert(service(), entry);
        if let Some(identity) = &self.allowed {
            let source = CompiledSource {
                identities: vec![identity.clone().try_into().expect("a pattern")],
                clusters: Vec::new(),
                namespaces: None,
            };
            let policy = CompiledPolicy {
                name: "who".parse().expect("valid"),
                action: Action::Allow,
                rules: vec![CompiledRule { from: vec![source], to: self.operations.clone() }],
            };
            let access = AccessEntry { service: service(), policies: vec![policy] };
            snapshot.access.insert(service(), Access::Policies(access));
        }
        if !self.rules.is_empty() {
            let routes = RouteEntry { service: service(), rules: self.rules.clone() };
            snapshot.routes.insert(service(), routes);
        }
        snapshot
    }

    fn table(&self, cluster: &str) -> LocalTable {
        let mut table = (*Tables::empty(name(cluster)).local).clone();
        let endpoint = |address: &SocketAddr| Endpoint {
            address: address.ip(),
            ports: BTreeMap::from([(PORT, address.port())]),
            udp_ports: BTreeMap::new(),
            health: EndpointHealth::Healthy,
            hostname: None,
        };
        let endpoints = self.endpoints.get(cluster).into_iter().flatten().map(endpoint);
        table.services.insert(service(), endpoints.collect());
        let caller = Caller {
            namespace: "books".parse().expect("valid"),
            account: "productpage".parse().expect("valid"),
        };
        Arc::make_mut(&mut table.callers).insert(IpAddr::V4(Ipv4Addr::LOCALHOST), caller);
        table
    }

    /// A workload of the cluster connects to the service.
    pub(crate) async fn connect(&self, cluster: &str) -> TcpStream {
        self.connect_from(cluster, Ipv4Addr::LOCALHOST).await
    }

    async fn connect_from(&self, cluster: &str, caller: Ipv4Addr) -> TcpStream {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("binds");
        let address = listener.local_addr().expect("bound");
        let socket = TcpSocket::new_v4().expect("a socket");
        socket.bind((caller, 0).into()).expect("all of 127.0.0.0/8 is this machine");
        let (client, accepted) = tokio::join!(socket.connect(address), listener.accept());
        let (stream, source) = accepted.expect("accepts");
        let worker = &self.gateways[cluster].worker;
        let near = Near { stream, source, service: service(), port: PORT };
        let guard = worker.enter(Side::Near).expect("there is room");
        let (flows, protocol) = (worker.clone(), self.protocol);
        worker.spawn(async move {
            let _guard = guard;
            match protocol {
                AppProtocol::Tcp => crate::relay::serve_near(flows, near).await,
                AppProtocol::Http => crate::http1::near::serve(flows, near).await,
            }
        });
        client.expect("connects")
    }

    /// What each of many callers is told, who asks more than once and is told the same.
    async fn told_all(&self, cluster: &str) -> Vec<Vec<u8>> {
        let mut all = Vec::new();
        for caller in 2..42 {
            let caller = Ipv4Addr::new(127, 0, 0, caller);
            let ask = async || read_all(&mut self.connect_from(cluster, caller).await).await;
            let told = ask().await.expect("served");
            for _ in 0..3 {
                assert_eq!(ask().await.expect("served"), told, "{caller} in {cluster}");
            }
            all.push(told);
        }
        all
    }

    async fn ask(&self, cluster: &str) -> std::io::Result<Vec<u8>> {
        read_all(&mut self.connect(cluster).await).await
    }
}

fn name(cluster: &str) -> ClusterName {
    cluster.parse().expect("valid")
}

pub(crate) fn service() -> ServiceName {
    "books/reviews".parse().expect("valid")
}

pub(crate) async fn read_all(stream: &mut TcpStream) -> std::io::Result<Vec<u8>> {
    let mut all = Vec::new();
    stream.read_to_end(&mut all).await?;
    Ok(all)
}

pub(crate) async fn local(test: impl Future<Output = ()>) {
    let bounded = timeout(Duration::from_secs(60), test);
    LocalSet::new().run_until(bounded).await.expect("the test ends in its time");
}
