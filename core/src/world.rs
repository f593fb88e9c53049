//! A made-up federation as one gateway sees it, for transcripts: a few words per line build it, the
//! other words ask it.

mod ask;
mod words;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rialto_types::cluster::{GatewayAddress, trust_domain};
use rialto_types::duration;
use rialto_types::id::{ClusterName, Revision, ServiceName};
use rialto_types::limits;
use rialto_types::local::{Caller, Endpoint, EndpointHealth, LocalTable};
use rialto_types::policy::{AccessOperation, Action};
use rialto_types::report::HealthSummary;
use rialto_types::route::{HeaderMatch, HttpMatch, PathMatch, PathMatchKind, ValueMatchKind};
use rialto_types::service::ServicePort;
use rialto_types::snapshot::{
    Access, AccessEntry, ClusterEntry, CompiledPolicy, CompiledRule, CompiledSource, Entry,
    FailoverEntry, HeadlessEndpoint, NamesEntry, RouteEntry, RouteRule, ServiceEntry, Snapshot,
    WeightedBackend,
};

use crate::health::check::Check;
use crate::health::{Event, Health, Outcome, Path, PeerRef};
use words::Words;

pub(crate) struct World {
    pub(crate) snapshot: Snapshot,
    pub(crate) table: LocalTable,
    pub(crate) health: Health,
    check: Option<Check>,
    start: Instant,
    pub(crate) now: Instant,
}

impl World {
    #[expect(clippy::disallowed_methods, reason = "an Instant cannot be made up otherwise")]
    pub(crate) fn new() -> Self {
        let start = Instant::now();
        let table = LocalTable {
            cluster: parse("east"),
            epoch: 1,
            revision: 1,
            services: BTreeMap::new(),
            callers: Arc::default(),
        };
        let snapshot = Snapshot::from_entries(Revision::new(1, 7), []);
        Self { snapshot, table, health: Health::default(), check: None, start, now: start }
    }

    /// A world that the lines build.
    pub(crate) fn of(lines: &str) -> Self {
        let mut world = Self::new();
        for line in lines.lines().filter(|line| !line.trim().is_empty()) {
            assert_eq!(world.run(line.trim()), "", "{line}");
        }
        world
    }

    /// Does what the line says; what it answers.
    pub(crate) fn run(&mut self, line: &str) -> String {
        let mut words = Words::new(line);
        match words.next() {
            "own" => self.own(&mut words),
            "cluster" => self.cluster(&mut words),
            "service" => self.service(&mut words),
            "headless" => self.headless(&mut words),
            "endpoint" => self.endpoint(&mut words),
            "caller" => self.caller(&mut words),
            "route" => self.route(&mut words),
            "access" => self.access(&mut words),
            "at" => self.now = self.start + duration(words.next()),
            "summary" => self.summary(&mut words),
            "peer" => self.peer(&mut words),
            "outcome" => self.outcome(&mut words),
            other => return self.ask(other, &mut words),
        }
        words.end();
        String::new()
    }

    /// `own CLUSTER [namespaces=A,B]`
    fn own(&mut self, words: &mut Words<'_>) {
        self.table.cluster = parse(words.next());
        let namespaces = words.option("namespaces");
        let namespaces = namespaces.map(|list| list.split(',').map(parse).collect());
        let cluster = self.table.cluster.clone();
        self.snapshot.insert(Entry::Names(NamesEntry { cluster, namespaces }));
    }

    /// `cluster NAME [region=R] [gateways=ID@ADDRESS,...] [drained]`
    fn cluster(&mut self, words: &mut Words<'_>) {
        let name: ClusterName = parse(words.next());
        let gateways = words.list("gateways").map(|text| {
            let (id, address) = text.split_once('@').expect("ID@ADDRESS");
            GatewayAddress { id: parse(id), address: parse(address) }
        });
        self.snapshot.insert(Entry::Cluster(ClusterEntry {
            trust_domain: trust_domain(&name),
            anchors: Vec::new(),
            gateways: gateways.collect(),
            drained: words.flag("drained"),
            region: words.option("region").map(Into::into),
            name,
        }));
        self.health.handle_snapshot(&self.snapshot);
    }

    /// `service NS/NAME ports=[NAME:]PORT/PROTOCOL,... clusters=NAME[:PORT+PORT],... [vips=IP,...]
    /// [order=A,B] [policy=NAME] [factor=PERCENT] [headless] [udp=NAME:PORT@A+B,...] [sticky]`
    fn service(&mut self, words: &mut Words<'_>) {
        let name: ServiceName = parse(words.next());
        let ports: Vec<ServicePort> = words.list("ports").map(words::port).collect();
        let all: Vec<u16> = ports.iter().map(|port| port.port.get()).collect();
        let clusters = words.list("clusters").map(|text| match text.split_once(':') {
            Some((cluster, ports)) => (parse(cluster), ports.split('+').map(parse).collect()),
            None => (parse(text), all.clone()),
        });
        let factor = words.option("factor").map(parse);
        self.snapshot.insert(Entry::Service(ServiceEntry {
            name,
            clusters: clusters.collect(),
            ports,
            virtual_ips: words.list("vips").map(parse).collect(),
            gateway_ports: BTreeMap::new(),
            headless: words.flag("headless").then(Vec::new),
            udp_ports: words.list("udp").map(words::udp_port).collect(),
            client_affinity: words.flag("sticky"),
            failover: FailoverEntry {
                policy: words.option("policy").map(parse),
                order: words.list("order").map(parse).collect(),
                overprovisioning_percent: factor
                    .unwrap_or(limits::OVERPROVISIONING_PERCENT_DEFAULT),
            },
        }));
    }

    /// `headless NS/NAME CLUSTER ADDRESS [host=NAME] [ports=PORT=PORT,...] [udp=PORT=PORT,...]`
    fn headless(&mut self, words: &mut Words<'_>) {
        let service: ServiceName = parse(words.next());
        let cluster = parse(words.next());
        let address = parse(words.next());
        let hostname = words.option("host").map(parse);
        let ports = words.list("ports").map(words::target).collect();
        let udp_ports = words.list("udp").map(words::target).collect();
        let entry = self.snapshot.services.get_mut(&service).expect("a service");
        let endpoints = entry.headless.as_mut().expect("a headless service");
        endpoints.push(HeadlessEndpoint { cluster, hostname, address, ports, udp_ports });
    }

    /// `endpoint NS/NAME ADDRESS PORT=PORT,... [udp=PORT=PORT,...] [healthy | unhealthy] [host=NAME]`
    fn endpoint(&mut self, words: &mut Words<'_>) {
        let service: ServiceName = parse(words.next());
        let address = parse(words.next());
        let ports = words.next().split(',').map(words::target).collect();
        let udp_ports = words.list("udp").map(words::target).collect();
        let health = match (words.flag("healthy"), words.flag("unhealthy")) {
            (true, _) => EndpointHealth::Healthy,
            (false, true) => EndpointHealth::Unhealthy,
            (false, false) => EndpointHealth::Unknown,
        };
        let hostname = words.option("host").map(parse);
        let held = self.table.services.entry(service).or_default();
        let others = held.iter().filter(|endpoint| endpoint.address != address).cloned();
        let own = Endpoint { address, ports, udp_ports, health, hostname };
        let mut endpoints: Vec<Endpoint> = others.chain([own]).collect();
        endpoints.sort();
        *held = endpoints.into();
    }

    /// `caller ADDRESS NAMESPACE/ACCOUNT`
    fn caller(&mut self, words: &mut Words<'_>) {
        let address = parse(words.next());
        let (namespace, account) = words.next().split_once('/').expect("NAMESPACE/ACCOUNT");
        let caller = Caller { namespace: parse(namespace), account: parse(account) };
        Arc::make_mut(&mut self.table.callers).insert(address, caller);
    }

    /// `route NS/NAME http|tcp [port=P] [path=/A | prefix=/A] [method=M] [header=N:V] [query=N:V]
    /// [timeout=T] [to=NS/NAME[:PORT]*WEIGHT,...]`
    fn route(&mut self, words: &mut Words<'_>) {
        let service: ServiceName = parse(words.next());
        let http = words.next() == "http";
        let path = |kind| move |value: &str| PathMatch { kind, value: value.into() };
        let exact = words.option("path").map(path(PathMatchKind::Exact));
        let prefix = words.option("prefix").map(path(PathMatchKind::PathPrefix));
        let condition = HttpMatch {
            path: exact.or(prefix),
            headers: words.list("header").map(value_match).collect(),
            query_params: words.list("query").map(value_match).collect(),
            method: words.option("method").map(Into::into),
        };
        let backends = words.list("to").map(|text| {
            let (target, weight) = text.split_once('*').expect("SERVICE*WEIGHT");
            let (service, port) = target.split_once(':').unwrap_or((target, ""));
            let port = (!port.is_empty()).then(|| parse(port));
            WeightedBackend { service: parse(service), port, weight: parse(weight) }
        });
        let entry = self.snapshot.routes.entry(service.clone());
        let entry = entry.or_insert_with(|| RouteEntry { service, rules: Vec::new() });
        let kind = if http { "HTTPRoute" } else { "TCPRoute" };
        entry.rules.push(RouteRule {
            source: format!("{kind} {} rule {}", entry.service, entry.rules.len()),
            port: words.option("port").map(parse),
            http,
            condition: (condition != HttpMatch::default()).then_some(condition),
            backends: backends.collect(),
            timeout: words.option("timeout").map(duration),
        });
    }

    /// `access NS/NAME unreadable`, or `access NS/NAME allow|deny POLICY [norules]
    /// [from=SOURCE,...] [to=METHOD|METHOD:PATH|PATH,...]`, one rule each; a source is
    /// `identity:PATTERN`, `cluster:NAME` and `workspace:NS|NS` joined by `+`.
    fn access(&mut self, words: &mut Words<'_>) {
        let service: ServiceName = parse(words.next());
        let action = match words.next() {
            "allow" => Action::Allow,
            "deny" => Action::Deny,
            "unreadable" => {
                self.snapshot.access.insert(service, Access::Unreadable);
                return;
            }
            other => panic!("`{other}` is no action"),
        };
        let name = parse(words.next());
        let from = words.list("from").map(source).collect();
        let to = words.list("to").map(operation).collect();
        let access = self.snapshot.access.entry(service.clone());
        let access = access
            .or_insert_with(|| Access::Policies(AccessEntry { service, policies: Vec::new() }));
        let Access::Policies(entry) = access else { panic!("the policies are unreadable") };
        let known = entry.policies.iter().position(|policy| policy.name == name);
        let at = known.unwrap_or_else(|| {
            entry.policies.push(CompiledPolicy { name, action, rules: Vec::new() });
            entry.policies.len() - 1
        });
        if !words.flag("norules") {
            entry.policies[at].rules.push(CompiledRule { from, to });
        }
    }

    /// `summary CLUSTER NS/NAME PORT HEALTHY/TOTAL`
    fn summary(&mut self, words: &mut Words<'_>) {
        let cluster: ClusterName = parse(words.next());
        let (service, port) = (parse(words.next()), parse(words.next()));
        let (healthy, total) = words.next().split_once('/').expect("HEALTHY/TOTAL");
        let summary = HealthSummary { service, port, healthy: parse(healthy), total: parse(total) };
        let event = Event::Summaries { cluster: &cluster, summaries: &[summary] };
        self.health.observe(event, self.now);
    }

    /// `peer CLUSTER GATEWAY connected|heard|lost|draining [rtt=T] [pto=T]`
    fn peer(&mut self, words: &mut Words<'_>) {
        let (cluster, gateway) = (parse(words.next()), parse(words.next()));
        let peer = PeerRef { cluster: &cluster, gateway: &gateway };
        let what = words.next();
        let rtt = words.option("rtt").map_or(Duration::from_millis(20), duration);
        let pto = words.option("pto").map_or(3 * rtt, duration);
        let path = Path { rtt, pto };
        let event = match what {
            "connected" => Event::PeerConnected { peer, path },
            "heard" => Event::PeerHeard { peer, path },
            "lost" => Event::PeerLost { peer },
            "draining" => Event::PeerDraining { peer },
            other => panic!("`{other}` is no event of a peer"),
        };
        self.health.observe(event, self.now);
    }

    /// `outcome ADDRESS ok|5xx|refused|reset [times=N]`
    fn outcome(&mut self, words: &mut Words<'_>) {
        let address = parse(words.next());
        let outcome = match words.next() {
            "ok" => Outcome::Success,
            "5xx" => Outcome::ServerError,
            "refused" => Outcome::ConnectFailure,
            "reset" => Outcome::Reset,
            other => panic!("`{other}` is no outcome"),
        };
        for _ in 0..words.option("times").map_or(1, parse) {
            self.health.observe(Event::Endpoint { address, outcome }, self.now);
        }
    }
}

pub(crate) fn parse<T: std::str::FromStr<Err: std::fmt::Debug>>(text: &str) -> T {
    text.parse().unwrap_or_else(|error| panic!("`{text}`: {error:?}"))
}

fn duration(text: &str) -> Duration {
    duration::parse(text).expect("a duration")
}

fn value_match(text: &str) -> HeaderMatch {
    let (name, value) = text.split_once(':').expect("NAME:VALUE");
    HeaderMatch { kind: ValueMatchKind::Exact, name: name.into(), value: value.into() }
}

fn source(text: &str) -> CompiledSource {
    let mut source =
        CompiledSource { identities: Vec::new(), clusters: Vec::new(), namespaces: None };
    for part in text.split('+').filter(|part| *part != "any") {
        match part.split_once(':').expect("KIND:VALUE") {
            ("identity", value) => {
                let pattern = value.to_owned().try_into().expect("an identity pattern");
                source.identities.push(pattern);
            }
            ("cluster", value) => source.clusters.push(parse(value)),
            ("workspace", value) => {
                let namespaces = value.split('|').filter(|name| !name.is_empty());
                source.namespaces = Some(namespaces.map(parse).collect());
            }
            (other, _) => panic!("`{other}` is no kind of source"),
        }
    }
    source
}

fn operation(text: &str) -> AccessOperation {
    let (methods, paths) = text.split_once(':').expect("METHODS:PATHS");
    let list = |text: &str| {
        text.split('|').filter(|item| !item.is_empty()).map(Into::into).collect::<Vec<String>>()
    };
    AccessOperation { methods: list(methods), paths: list(paths) }
}
