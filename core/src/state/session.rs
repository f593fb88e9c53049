//! The language of the transcripts about the state: one command, one answer (tests only).

use std::collections::BTreeMap;
use std::time::Duration;

use rialto_types::cluster::{GatewayAddress, JoinTokenSpec};
use rialto_types::duration;
use rialto_types::error::Problem;
use rialto_types::id::{ClusterName, Namespace, ResourceName, ServiceName, Timestamp};
use rialto_types::import::{Port, Traits};
use rialto_types::limits;
use rialto_types::object::{Document, Key, Kind};
use rialto_types::report::{ReportChange, ReportedExport, ReportedService};
use rialto_types::service::{AppProtocol, ServicePort, ServiceStatus};
use rialto_types::snapshot::HeadlessEndpoint;
use serde_json::Value;

use super::command::{Bootstrap, Put, RedeemToken};
use super::trust::{Issuer, Member};
use super::{Action, Applied, Command, Done, Precondition, State, codec};

/// A state and the hand that writes to it. Time stands at 1970-01-01 until `wait` moves it.
pub(crate) struct Session {
    pub(crate) state: State,
    pub(crate) now: Timestamp,
    index: u64,
    actor: String,
    reason: Option<String>,
}

impl Default for Session {
    fn default() -> Self {
        Self {
            state: State::default(),
            now: Timestamp::default(),
            index: 0,
            actor: "token:admin".into(),
            reason: None,
        }
    }
}

impl Session {
    pub(crate) fn apply(&mut self, action: Action) -> Applied {
        self.index += 1;
        let mut actor = self.actor.clone();
        if let Action::ApplyReport(report) = &action {
            actor = format!("agent:{}", report.cluster);
        }
        let command = Command { now: self.now, actor, reason: self.reason.take(), action };
        let command = Command::decode(&command.encode()).expect("a command survives the log");
        self.state.apply(self.index, command)
    }

    pub(crate) fn run(&mut self, line: &str) -> String {
        let (verb, rest) = line.split_once(' ').unwrap_or((line, ""));
        let words: Vec<&str> = rest.split_whitespace().collect();
        match verb {
            "wait" => {
                self.now = self.now.plus(time(words[0]));
                format!("it is {}", self.now)
            }
            "clock-back" => {
                self.now.unix_ms -= u64::try_from(time(words[0]).as_millis()).expect("short");
                format!("the proposer's clock is {}", self.now)
            }
            "as" => {
                self.actor = rest.into();
                String::new()
            }
            "because" => {
                self.reason = Some(rest.into());
                String::new()
            }
            "restart" => {
                let decoded = codec::decode(&codec::encode(&self.state)).expect("own bytes");
                assert_eq!(decoded, self.state, "a state survives its bytes");
                self.state = decoded;
                "the state is as it was".into()
            }
            "show" => self.show(&key(&words)),
            "list" => self.list(&words),
            "history" => self.history(words[0].parse().expect("a count")),
            "changed-since" => self.changed_since(words[0]),
            "drain-effect" => {
                let (moved, kept) = self.state.drain_effect(&words[0].parse().expect("a cluster"));
                format!("moved: {moved:?}\nkept: {kept:?}")
            }
            "compile" => self.compile(words[0]),
            "problems" => self.problems(words[0]),
            _ => {
                let action = action(verb, rest, &words, self.now);
                let applied = self.apply(action);
                report(applied)
            }
        }
    }

    fn show(&self, key: &Key) -> String {
        let Some(document) = self.state.get(key) else { return format!("no {key}") };
        let Document { metadata, spec, status, .. } = document;
        if let (Kind::Service, Some(status)) = (key.kind, status) {
            return service(&serde_json::from_value(status).expect("a ServiceStatus"));
        }
        let generation = metadata.generation.unwrap_or_default();
        let version = metadata.resource_version.unwrap_or_default();
        let created = metadata.created_at.unwrap_or_default();
        format!("generation {generation}, version {version}, created {created}\n{}", flow(&spec))
    }

    fn list(&self, words: &[&str]) -> String {
        let kind: Kind = words[0].parse().expect("a kind");
        let namespace: Option<Namespace> = words.get(1).map(|n| n.parse().expect("a namespace"));
        let keys = self.state.keys(kind, namespace.as_ref());
        keys.map(|key| format!("{key}\n")).collect()
    }

    fn history(&self, count: usize) -> String {
        let history = self.state.history(count);
        let mut text = String::new();
        for entry in history.items {
            let because = entry.reason.map(|r| format!(" because {r}")).unwrap_or_default();
            text += &format!("{} {}: {}{because}\n", entry.revision, entry.actor, entry.summary);
            if let Some(refused) = entry.refused {
                text += &format!("  refused: {refused}\n");
            }
            for change in entry.changes {
                let show = |document: Option<Document>| {
                    document.map_or_else(|| "nothing".into(), |document| flow(&document.spec))
                };
                text += &format!("  - {}\n  + {}\n", show(change.before), show(change.after));
            }
        }
        text + &format!("revert reaches back to {}", history.oldest)
    }

    fn changed_since(&self, revision: &str) -> String {
        match self.state.changed_since(revision.parse().expect("a revision")) {
            Some(keys) => keys.iter().map(|key| format!("{key}\n")).collect(),
            None => "no longer known: list again".into(),
        }
    }

    fn compile(&self, cluster: &str) -> String {
        let (entries, _) = crate::compile::compile(&self.state, &cluster.parse().expect("a name"));
        let mut text = String::new();
        for entry in entries {
            text += &format!("{}\n", entry.name());
            let value = serde_json::to_value(&entry).expect("text keys");
            let fields = value.as_object().and_then(|entry| entry.values().next());
            let fields: BTreeMap<_, _> =
                fields.and_then(Value::as_object).into_iter().flatten().collect();
            for (name, value) in fields {
                if let Value::Array(items) = value
                    && items.iter().any(Value::is_object)
                {
                    text += &format!("  {name}:\n");
                    let items = items.iter().map(|item| format!("    - {}\n", flow(item)));
                    text += &items.collect::<String>();
                } else if !value.is_null() {
                    text += &format!("  {name}: {}\n", flow(value));
                }
            }
        }
        text
    }

    fn problems(&self, cluster: &str) -> String {
        let (_, problems) = crate::compile::compile(&self.state, &cluster.parse().expect("name"));
        if problems.is_empty() {
            return "none".into();
        }
        problems.into_iter().map(|found| problem(&found)).collect()
    }
}

fn action(verb: &str, rest: &str, words: &[&str], now: Timestamp) -> Action {
    match verb {
        "bootstrap" => Action::Bootstrap(Bootstrap {
            epoch: words[0].parse().expect("an epoch"),
            federation: words[1].into(),
            issuer: issuer("rialto"),
            admin_token_hash: "hash".into(),
        }),
        "put" => put(rest),
        "delete" => Action::Delete { key: key(words), precondition: precondition(&words[2..]) },
        "token" => Action::CreateToken {
            name: words[0].parse().expect("a name"),
            spec: JoinTokenSpec {
                role: serde_json::from_value(words[1].into()).expect("a role"),
                cluster: words.get(3).map(|cluster| cluster.parse().expect("a cluster")),
                secret_hash: format!("hash-of-{}", words[0]),
                expires_at: now.plus(time(words[2])),
                used_at: None,
            },
        },
        "redeem" => Action::RedeemToken(RedeemToken {
            name: words[0].parse().expect("a name"),
            secret_hash: words[1].into(),
            instance: words[2].parse().expect("an instance"),
        }),
        "report" => Action::ApplyReport(Box::new(report_of(words))),
        "member" => Action::PutMember(Member {
            raft_id: words[0].parse().expect("a Raft id"),
            name: words[1].parse().expect("a name"),
            address: words[2].into(),
        }),
        "revert" => Action::Revert { to: words[0].parse().expect("a revision") },
        "shift" => Action::Shift {
            parent: words[0].parse().expect("a service"),
            weights: words[1..]
                .iter()
                .map(|word| word.split_once('=').expect("NAME=WEIGHT"))
                .map(|(n, w)| (n.parse().expect("a name"), w.parse().expect("a weight")))
                .collect(),
        },
        "drain" | "undrain" => Action::SetDrained {
            cluster: words[0].parse().expect("a cluster"),
            drained: verb == "drain",
        },
        other => panic!("`{other}` is not a command of these transcripts"),
    }
}

/// `put KIND NAME {SPEC} [if-match REVISION | if-none-match | without-issuer]`
fn put(rest: &str) -> Action {
    let start = rest.find('{').expect("a spec");
    let end = rest.rfind('}').expect("a spec");
    let words: Vec<&str> = rest[..start].split_whitespace().collect();
    let flags: Vec<&str> = rest[end + 1..].split_whitespace().collect();
    let Key { kind, namespace, name } = key(&words);
    let namespace = namespace.map(|n| format!(r#", "namespace": "{n}""#)).unwrap_or_default();
    let text = format!(
        r#"{{"apiVersion": "{}", "kind": "{kind}", "metadata": {{"name": "{name}"{namespace}}},
            "spec": {}}}"#,
        kind.api_version(),
        expand(&rest[start..=end]),
    );
    let document = Document::from_json(text.as_bytes()).unwrap_or_else(|e| panic!("{e}: {text}"));
    let resource = document.into_resource().unwrap_or_else(|error| panic!("{error}"));
    let wants_issuer = kind == Kind::Cluster && !flags.contains(&"without-issuer");
    let fresh_issuer = wants_issuer.then(|| issuer(name.as_str()));
    Action::Put(Box::new(Put { resource, precondition: precondition(&flags), fresh_issuer }))
}

/// Writes out `@NAME`, `@NAME:PORT` and `@NAME*WEIGHT`: references to a ServiceImport.
fn expand(text: &str) -> String {
    let mut parts = text.split('@');
    let mut out: String = parts.next().unwrap_or_default().into();
    for part in parts {
        let is_of_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | ':' | '*');
        let end = part.find(|c| !is_of_name(c)).unwrap_or(part.len());
        let (reference, weight) = match part[..end].split_once('*') {
            Some((reference, weight)) => (reference, format!(r#", "weight": {weight}"#)),
            None => (&part[..end], String::new()),
        };
        let (name, port) = match reference.split_once(':') {
            Some((name, port)) => (name, format!(r#", "port": {port}"#)),
            None => (reference, String::new()),
        };
        out += &format!(
            r#"{{"group": "multicluster.x-k8s.io", "kind": "ServiceImport",
                "name": "{name}"{port}{weight}}}"#
        );
        out += &part[end..];
    }
    out
}

/// `report CLUSTER EPOCH.REVISION [on BASE] [service NAME [PORT...] [exported] [headless
/// [HOST=]ADDRESS...]] [gateway ID ADDRESS] [namespaces NAME...] [remove NAME]
/// [vip [SERVICE ADDRESS]...]`
fn report_of(words: &[&str]) -> ReportChange {
    let cluster: ClusterName = words[0].parse().expect("a cluster");
    let (epoch, revision) = words[1].split_once('.').expect("EPOCH.REVISION");
    let mut report = ReportChange {
        cluster: cluster.clone(),
        epoch: epoch.parse().expect("an epoch"),
        base: None,
        revision: revision.parse().expect("a revision"),
        namespaces: None,
        gateways: Vec::new(),
        services: BTreeMap::new(),
        removed: Vec::new(),
        virtual_ips: None,
    };
    let keywords = ["on", "service", "gateway", "namespaces", "remove", "vip"];
    let starts: Vec<usize> = (2..words.len()).filter(|at| keywords.contains(&words[*at])).collect();
    for (at, start) in starts.iter().enumerate() {
        let end = starts.get(at + 1).copied().unwrap_or(words.len());
        let arguments = &words[start + 1..end];
        match words[*start] {
            "on" => report.base = Some(arguments[0].parse().expect("a base")),
            "service" => {
                let name: ServiceName = arguments[0].parse().expect("a service");
                report.services.insert(name, reported(&cluster, &arguments[1..]));
            }
            "gateway" => report.gateways.push(GatewayAddress {
                id: arguments[0].parse().expect("an id"),
                address: arguments[1].parse().expect("an address"),
            }),
            "vip" => {
                let mut vips = report.virtual_ips.take().unwrap_or_default();
                let mut words = arguments.iter();
                while let Some(name) = words.next() {
                    let name: ServiceName = name.parse().expect("a service");
                    let addresses = words.next().map(|it| it.parse().expect("an address"));
                    vips.insert(name, addresses.into_iter().collect());
                }
                report.virtual_ips = Some(vips);
            }
            "namespaces" => {
                let names = arguments.iter().map(|name| name.parse().expect("a namespace"));
                report.namespaces = Some(names.collect());
            }
            _ => report.removed.push(arguments[0].parse().expect("a service")),
        }
    }
    report
}

/// `[NAME:]PROTOCOL:NUMBER... [exported] [sticky] [headless [HOST=]ADDRESS...] [object TRAIT...]`
fn reported(cluster: &ClusterName, words: &[&str]) -> ReportedService {
    let (words, object) = match words.iter().position(|word| *word == "object") {
        Some(at) => (&words[..at], Some(&words[at + 1..])),
        None => (words, None),
    };
    let (ports, endpoints) = match words.iter().position(|word| *word == "headless") {
        Some(at) => (&words[..at], Some(&words[at + 1..])),
        None => (words, None),
    };
    let endpoint = |word: &&str| {
        let (hostname, address) = match word.split_once('=') {
            Some((host, address)) => (Some(host.parse().expect("a host")), address),
            None => (None, *word),
        };
        let address = address.parse().expect("an address");
        let (ports, udp_ports) = (BTreeMap::new(), BTreeMap::new());
        HeadlessEndpoint { cluster: cluster.clone(), hostname, address, ports, udp_ports }
    };
    let (exported, sticky) = (ports.contains(&"exported"), ports.contains(&"sticky"));
    let ports = ports.iter().filter(|word| !["exported", "sticky"].contains(word));
    let ports: Vec<ServicePort> = ports.map(|word| port(word)).collect();
    ReportedService {
        export: object.map(|traits| object_of(&ports, traits)),
        ports,
        labels: BTreeMap::new(),
        exported,
        headless: endpoints.map(|endpoints| endpoints.iter().map(endpoint).collect()),
        client_affinity_s: sticky.then_some(limits::KUBERNETES_AFFINITY_S_DEFAULT),
    }
}

/// The export's object: `since=SECONDS`, `port=[NAME:]PROTOCOL:NUMBER[:APP]` of what gateways do
/// not carry, `affinity=SECONDS`, `family=IPv4`, `label=KEY:VALUE`, `annotation=KEY:VALUE`,
/// `policy=TEXT`, `distribution=TEXT`.
fn object_of(ports: &[ServicePort], words: &[&str]) -> ReportedExport {
    let mut since = Timestamp::default();
    let mut traits = Traits { ports: ports.iter().map(Port::from).collect(), ..Traits::default() };
    for word in words {
        let (name, value) = word.split_once('=').expect("NAME=VALUE");
        let pair = || value.split_once(':').map(|(key, value)| (key.into(), value.into()));
        let pair = || -> (String, String) { pair().expect("KEY:VALUE") };
        match name {
            "since" => since = Timestamp::from_unix_ms(1_000 * number(value)),
            "port" => traits.ports.push(stated_port(value)),
            "affinity" => traits.client_affinity_s = value.parse().ok(),
            "family" => traits.ip_families.push(word_of(value)),
            "label" => traits.labels.extend([pair()]),
            "annotation" => traits.annotations.extend([pair()]),
            "policy" => traits.internal_traffic_policy = Some(value.into()),
            "distribution" => traits.traffic_distribution = Some(value.into()),
            other => panic!("`{other}` is no trait"),
        }
    }
    ReportedExport { since, traits }
}

fn stated_port(text: &str) -> Port {
    let parts: Vec<&str> = text.split(':').collect();
    let (name, protocol, number, app) = match parts[..] {
        [name, protocol, number] => (name, protocol, number, None),
        [name, protocol, number, app] => (name, protocol, number, Some(app.to_owned())),
        _ => panic!("`{text}` is not NAME:PROTOCOL:NUMBER[:APP]"),
    };
    Port {
        name: Some(name.parse().expect("a port name")),
        protocol: word_of(protocol),
        port: number.parse().expect("a port"),
        app_protocol: app,
    }
}

/// A word of the vocabulary, such as `UDP`.
fn word_of<T: serde::de::DeserializeOwned>(text: &str) -> T {
    serde_json::from_value(text.into()).expect("a word of the vocabulary")
}

fn number(text: &str) -> u64 {
    text.parse().expect("a number")
}

/// `[NAME:]PROTOCOL:NUMBER`
pub(crate) fn port(text: &str) -> ServicePort {
    let parts: Vec<&str> = text.split(':').collect();
    let (name, protocol, number) = match parts[..] {
        [name, protocol, number] => (Some(name.parse().expect("a port name")), protocol, number),
        [protocol, number] => (None, protocol, number),
        _ => panic!("`{text}` is not [NAME:]PROTOCOL:NUMBER"),
    };
    let app_protocol = if protocol == "http" { AppProtocol::Http } else { AppProtocol::Tcp };
    ServicePort { name, port: number.parse().expect("a port"), app_protocol }
}

fn key(words: &[&str]) -> Key {
    let kind: Kind = words[0].parse().expect("a kind");
    let name = |text: &str| -> ResourceName { text.parse().expect("a name") };
    match words[1].split_once('/') {
        Some((namespace, of)) => {
            Key { kind, namespace: Some(namespace.parse().expect("one")), name: name(of) }
        }
        None => Key { kind, namespace: None, name: name(words[1]) },
    }
}

fn precondition(flags: &[&str]) -> Precondition {
    match flags {
        ["if-match", revision] => Precondition::IfMatch(revision.parse().expect("a revision")),
        ["if-none-match"] => Precondition::IfNoneMatch,
        _ => Precondition::None,
    }
}

pub(crate) fn issuer(domain: &str) -> Issuer {
    Issuer { sealed_key: format!("sealed-{domain}"), certificate: format!("anchor-of-{domain}") }
}

fn time(text: &str) -> Duration {
    duration::parse(text).expect("a duration")
}

fn report(applied: Applied) -> String {
    let done = match applied.outcome {
        Err(refused) => return format!("refused {}", problem(&Problem::from(refused))),
        Ok(done) => done,
    };
    let mut text = match done {
        Done::Written(write) => format!("{:?}", write.outcome).to_lowercase(),
        Done::Redeemed(spec) => {
            let cluster = spec.cluster.map(|name| format!(" of {name}")).unwrap_or_default();
            format!("redeemed for {}{cluster}", spec.role)
        }
        Done::Reverted(changes) => format!("reverted {} objects", changes.len()),
        Done::Accepted => "accepted".into(),
    };
    text += &format!(" at {}\n", applied.revision);
    for key in applied.changed {
        text += &format!("  changes {key}\n");
    }
    for warning in applied.warnings {
        text += &format!("  warning: {warning}\n");
    }
    text
}

fn problem(problem: &Problem) -> String {
    let subject = problem.subject.as_ref().map(|s| format!(" [{s}]")).unwrap_or_default();
    let mut text = format!("{}{subject} {}\n", problem.code, problem.detail);
    for (name, value) in [("field", &problem.field), ("hint", &problem.hint)] {
        if let Some(value) = value {
            text += &format!("  {name}: {value}\n");
        }
    }
    text
}

fn service(status: &ServiceStatus) -> String {
    let port = |port: &ServicePort| {
        let name = port.name.as_ref().map(|name| format!("{name}:")).unwrap_or_default();
        format!("{name}{}:{}", port.app_protocol.as_str(), port.port)
    };
    let ports: Vec<String> = status.ports.iter().map(port).collect();
    let headless = if status.headless { ", headless" } else { "" };
    let sticky = if status.client_affinity { ", sticky" } else { "" };
    let mut text = format!("{} on {}{headless}{sticky}\n", status.dns_name, ports.join(", "));
    status.not_carried.iter().for_each(|port| text += &format!("  {port}\n"));
    for (cluster, held) in &status.clusters {
        match &held.exported_by {
            Some(owner) => text += &format!("  {cluster} exports it, says {owner}\n"),
            None => text += &format!("  {cluster} has it\n"),
        }
    }
    for (cluster, addresses) in &status.virtual_ips {
        let addresses: Vec<String> = addresses.iter().map(ToString::to_string).collect();
        text += &format!("  in {cluster} it is {}\n", addresses.join(" and "));
    }
    for conflict in &status.conflicts {
        text += &format!("  conflict: {conflict}\n");
    }
    text
}

/// A value as a person writes it, keys sorted whatever the map's order, nulls left out.
fn flow(value: &Value) -> String {
    match value {
        Value::Object(map) => {
            let sorted: BTreeMap<_, _> = map.iter().filter(|(_, value)| !value.is_null()).collect();
            let items: Vec<String> =
                sorted.into_iter().map(|(key, value)| format!("{key}: {}", flow(value))).collect();
            format!("{{{}}}", items.join(", "))
        }
        Value::Array(items) => {
            format!("[{}]", items.iter().map(flow).collect::<Vec<_>>().join(", "))
        }
        Value::String(text) => text.clone(),
        Value::Null | Value::Bool(_) | Value::Number(_) => value.to_string(),
    }
}
