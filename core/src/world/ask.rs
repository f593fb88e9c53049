//! The words that ask: each calls one decision and prints what it said.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use rialto_types::api::ExplainRequest;
use rialto_types::duration;
use rialto_types::id::{ClusterName, InstanceId, ServiceName};

use super::words::Words;
use super::{World, parse};
use crate::answer::{self, Answer, Data, Kind, Question, Record};
use crate::authorize::{self, Operation};
use crate::choose::affinity::Key;
use crate::choose::{self, Choice, EndpointRequest, Excluded, HttpRequest, Refusal, Request};
use crate::explain::{View, explain};
use crate::health::check::{Check, Config, Event};
use crate::health::{Notice, PeerRef};

/// A request as a line states it.
struct Asked<'a> {
    service: ServiceName,
    port: u16,
    head: Option<(&'a str, &'a str)>,
    headers: Vec<(&'a str, &'a str)>,
    excluded: Vec<OwnedExcluded>,
    caller: Option<IpAddr>,
    draw: u64,
}

enum OwnedExcluded {
    Endpoint(std::net::SocketAddr),
    Gateway(ClusterName, InstanceId),
    Cluster(ClusterName),
}

impl World {
    pub(super) fn ask(&mut self, verb: &str, words: &mut Words<'_>) -> String {
        match verb {
            "choose" => self.choose(words),
            "spread" => self.spread(words),
            "arrive" => self.arrive(words),
            "explain" => self.explain(words),
            "authorize" => self.authorize(words),
            "believe" => self.believe(words),
            "ask" => self.name(words),
            "timeout" => self.timeout(),
            "gateways" => self.gateways(),
            "summaries" => self.summaries(),
            "check" => self.check(words),
            other => panic!("`{other}` is no command"),
        }
    }

    /// `choose NS/NAME PORT [METHOD PATH] [header=N:V,...] [from=IP] [draw=N] [not=TRIED,...]`
    fn choose(&self, words: &mut Words<'_>) -> String {
        let asked = Asked::read(words);
        asked.with(|request| {
            let (table, health) = (&self.table, &self.health);
            let choice =
                choose::choose(&self.snapshot, table, health, request, self.now, asked.draw);
            show_choice(choice)
        })
    }

    /// As `choose`, over `draws=N` draws, or over `callers=N` callers: how often each answer came.
    fn spread(&self, words: &mut Words<'_>) -> String {
        let callers: Option<u32> = words.option("callers").map(parse);
        let draws: u64 = words.option("draws").map_or(1_000, parse);
        let asked = Asked::read(words);
        let mut counts: BTreeMap<String, u64> = BTreeMap::new();
        asked.with(|request| {
            for draw in 0..callers.map_or(draws, u64::from) {
                let (table, health) = (&self.table, &self.health);
                let nth = u32::try_from(draw).unwrap_or(u32::MAX);
                let caller = callers.map(|_| Ipv4Addr::from_bits(0x0a01_0000 + nth).into());
                let request = Request { caller: caller.or(request.caller), ..*request };
                let choice =
                    choose::choose(&self.snapshot, table, health, &request, self.now, draw);
                *counts.entry(show_choice(choice)).or_default() += 1;
            }
        });
        counts.iter().map(|(answer, count)| format!("{count:5} {answer}\n")).collect()
    }

    /// `arrive NS/NAME PORT [from=IP] [draw=N] [not=TRIED,...]`
    fn arrive(&self, words: &mut Words<'_>) -> String {
        let asked = Asked::read(words);
        asked.with(|request| {
            let Request { service, port, caller, excluded, .. } = *request;
            let affinity = caller.map(|caller| Key::of(caller, service));
            let dialled = service;
            let request = EndpointRequest { dialled, service, port, affinity, excluded };
            let (table, health) = (&self.table, &self.health);
            match choose::choose_endpoint(
                &self.snapshot,
                table,
                health,
                &request,
                self.now,
                asked.draw,
            ) {
                Ok(address) => address.to_string(),
                Err(refusal) => show_refusal(&refusal),
            }
        })
    }

    /// `explain NS/NAME [PORT] [METHOD PATH] [header=N:V] [caller=ID] [draw=N] [blind]`
    fn explain(&self, words: &mut Words<'_>) -> String {
        let is_blind = words.flag("blind");
        let caller = words.option("caller").map(parse);
        let headers = words.list("header").filter_map(|text| text.split_once(':'));
        let headers = headers.map(|(name, value)| (name.into(), value.into())).collect();
        let draw = words.option("draw").map_or(0, parse);
        let service = parse(words.next());
        let port = words.next_if_any().map(parse);
        let request = ExplainRequest {
            from_cluster: self.table.cluster.clone(),
            caller,
            service,
            port,
            method: words.next_if_any().map(Into::into),
            path: words.next_if_any().map(Into::into),
            headers,
            gateway: None,
        };
        words.end();
        let view = View { table: &self.table, health: &self.health };
        let view = (!is_blind).then_some(view);
        let explanation = explain(&self.snapshot, view, &request, self.now, draw);
        let mut text = String::new();
        for step in &explanation.steps {
            writeln!(text, "{:8} {}", step.stage, step.text).expect("a String takes all");
        }
        let may = if explanation.allowed { "allowed" } else { "not allowed" };
        write!(text, "{may}, {}", explanation.outcome).expect("a String takes all");
        text
    }

    /// `authorize NS/NAME [METHOD PATH] caller=ID|none [from=CLUSTER] [backend=NS/NAME]`
    fn authorize(&self, words: &mut Words<'_>) -> String {
        let service: ServiceName = parse(words.next());
        let backend = words.option("backend").map_or_else(|| service.clone(), parse);
        let head = words.next_if_any().map(|method| (method, words.next()));
        let http =
            head.map(|(method, path)| HttpRequest { method, path, query: None, headers: &[] });
        let caller = authorize::Caller {
            identity: words.option("caller").filter(|id| *id != "none").map(parse),
            cluster: words.option("from").map_or_else(|| parse("east"), parse),
        };
        words.end();
        let operation = Operation { service: &service, backend: &backend, http };
        let verdict = authorize::authorize(&self.snapshot, &caller, &operation);
        assert_eq!(verdict.allowed, verdict.code().is_none());
        match verdict.code() {
            None => format!("yes [{}] {verdict}", verdict.reason.label()),
            Some(code) => format!("no {code} [{}] {verdict}", verdict.reason.label()),
        }
    }

    /// `believe CLUSTER ID`, what a peer's gateway states; `believe ADDRESS`, a local source.
    fn believe(&self, words: &mut Words<'_>) -> String {
        let first = words.next();
        let caller = match words.next_if_any() {
            Some("none") => authorize::check_caller(&self.snapshot, &parse(first), None),
            Some(id) => authorize::check_caller(&self.snapshot, &parse(first), Some(parse(id))),
            None => Ok(authorize::local_caller(&self.snapshot, &self.table, parse(first))),
        };
        match caller {
            Ok(caller) => {
                let identity = caller.identity.map_or("unknown".into(), |id| id.to_string());
                format!("{identity} in {}", caller.cluster)
            }
            Err(refusal) => show_refusal(&refusal),
        }
    }

    /// `ask NAME TYPE [draw=N]`
    fn name(&self, words: &mut Words<'_>) -> String {
        let name = words.next();
        let kind = match words.next() {
            "A" => Kind::A,
            "AAAA" => Kind::Aaaa,
            "SRV" => Kind::Srv,
            "TXT" => Kind::Txt,
            "SOA" => Kind::Soa,
            "MX" => Kind::Other,
            other => panic!("`{other}` is no type"),
        };
        let draw = words.option("draw").map_or(0, parse);
        words.end();
        let question = Question { name, kind };
        match answer::answer(&self.snapshot, Some(&self.table), &question, draw) {
            Answer::NotOurs => "NOT OURS".into(),
            Answer::NoData { soa } => format!("NODATA\n  {}", show_record(&soa)),
            Answer::NoSuchName { soa } => format!("NXDOMAIN\n  {}", show_record(&soa)),
            Answer::Records { answers, extra } => {
                let mut text = String::from("NOERROR");
                for record in answers {
                    write!(text, "\n  {}", show_record(&record)).expect("a String takes all");
                }
                for record in extra {
                    write!(text, "\n  + {}", show_record(&record)).expect("a String takes all");
                }
                text
            }
        }
    }

    /// `timeout`: lets time pass until now; what was noticed, and when the next is due.
    fn timeout(&mut self) -> String {
        self.health.handle_timeout(self.now);
        let mut text = String::new();
        while let Some(notice) = self.health.poll_notice() {
            let line = match notice {
                Notice::EndpointEjected { address, duration: time } => {
                    format!("{address} ejected for {}", duration::format(time))
                }
                Notice::EndpointReturned { address } => format!("{address} returned"),
                Notice::PeerUp { cluster, gateway } => format!("{cluster} {gateway} up"),
                Notice::PeerDown { cluster, gateway } => format!("{cluster} {gateway} down"),
                Notice::PeerDraining { cluster, gateway } => {
                    format!("{cluster} {gateway} draining")
                }
            };
            writeln!(text, "{line}").expect("a String takes all");
        }
        match self.health.poll_timeout() {
            Some(next) => text.push_str(&format!("next at {}", self.show_time(next))),
            None => text.push_str("nothing is due"),
        }
        text
    }

    fn gateways(&self) -> String {
        let mut text = String::new();
        for (cluster, entry) in &self.snapshot.clusters {
            for gateway in &entry.gateways {
                let peer = PeerRef { cluster, gateway: &gateway.id };
                let state = self.health.gateway(peer, self.now);
                writeln!(text, "{cluster} {}: {state:?}", gateway.id).expect("a String takes all");
            }
        }
        text
    }

    fn summaries(&self) -> String {
        let summaries = self.health.summaries(&self.snapshot, &self.table, self.now);
        let lines = summaries.iter().map(|summary| {
            let (healthy, total) = (summary.healthy, summary.total);
            format!("{} {} {healthy}/{total}\n", summary.service, summary.port)
        });
        lines.collect()
    }

    /// `check start [interval=T] [timeout=T] [rise=N] [fall=N]`, `check pass|fail|tick`
    fn check(&mut self, words: &mut Words<'_>) -> String {
        let now = self.now;
        let verb = words.next();
        if verb == "start" {
            let time = |text| duration::parse(text).expect("a duration");
            let config = Config {
                interval: words.option("interval").map_or(Duration::from_secs(2), time),
                timeout: words.option("timeout").map_or(Duration::from_secs(1), time),
                rise: words.option("rise").map_or(1, parse),
                fall: words.option("fall").map_or(2, parse),
            };
            self.check = Some(Check::new(config, now));
        }
        words.end();
        let check = self.check.as_mut().expect("a check was started");
        match verb {
            "start" | "tick" => check.handle_timeout(now),
            "pass" => check.handle_passed(now),
            "fail" => check.handle_failed(now),
            other => panic!("`{other}` is no result"),
        }
        let mut text = String::new();
        while let Some(event) = check.poll_event() {
            let word = match event {
                Event::Probe => "probe".into(),
                Event::Changed(health) => format!("{health:?}"),
            };
            text.push_str(&format!("{word}, "));
        }
        let (health, next) = (check.health(), check.poll_timeout());
        format!("{text}{health:?} until {}", self.show_time(next))
    }

    fn show_time(&self, at: std::time::Instant) -> String {
        duration::format(at.duration_since(self.start))
    }
}

impl<'a> Asked<'a> {
    fn read(words: &mut Words<'a>) -> Self {
        let service = parse(words.next());
        let port = parse(words.next());
        let head = words.next_if_any().map(|method| (method, words.next()));
        let headers = words.list("header").map(|text| text.split_once(':').expect("NAME:VALUE"));
        let excluded = words.list("not").map(|text| match text.split_once('/') {
            Some((cluster, gateway)) => OwnedExcluded::Gateway(parse(cluster), parse(gateway)),
            None if text.contains(':') => OwnedExcluded::Endpoint(parse(text)),
            None => OwnedExcluded::Cluster(parse(text)),
        });
        let asked = Self {
            service,
            port,
            head,
            headers: headers.collect(),
            excluded: excluded.collect(),
            caller: words.option("from").map(parse),
            draw: words.option("draw").map_or(0, parse),
        };
        words.end();
        asked
    }

    fn with<R>(&self, run: impl FnOnce(&Request<'_>) -> R) -> R {
        let headers = self.headers.iter().map(|(name, value)| (*name, value.as_bytes()));
        let headers: Vec<(&str, &[u8])> = headers.collect();
        let http = self.head.map(|(method, target)| {
            let (path, query) = match target.split_once('?') {
                Some((path, query)) => (path, Some(query)),
                None => (target, None),
            };
            HttpRequest { method, path, query, headers: &headers }
        });
        let excluded = self.excluded.iter().map(|excluded| match excluded {
            OwnedExcluded::Endpoint(address) => Excluded::Endpoint(*address),
            OwnedExcluded::Gateway(cluster, gateway) => Excluded::Gateway { cluster, gateway },
            OwnedExcluded::Cluster(cluster) => Excluded::Cluster(cluster),
        });
        let excluded: Vec<Excluded<'_>> = excluded.collect();
        let (service, port, caller) = (&self.service, self.port, self.caller);
        run(&Request { service, port, http, caller, excluded: &excluded })
    }
}

fn show_choice(choice: Result<Choice<'_>, Refusal>) -> String {
    match choice {
        Ok(Choice { backend, port, target, route, timeout, affinity: _ }) => {
            let route = route.map(|route| format!(", by {route}")).unwrap_or_default();
            let timeout = timeout.map(|t| format!(", within {}", duration::format(t)));
            format!("{backend}:{port} at {target}{route}{}", timeout.unwrap_or_default())
        }
        Err(refusal) => show_refusal(&refusal),
    }
}

fn show_refusal(refusal: &Refusal) -> String {
    format!("{} {refusal}", refusal.code)
}

fn show_record(record: &Record) -> String {
    let data = match &record.data {
        Data::A(ip) => format!("A {ip}"),
        Data::Aaaa(ip) => format!("AAAA {ip}"),
        Data::Srv { priority, weight, port, target } => {
            format!("SRV {priority} {weight} {port} {target}")
        }
        Data::Txt(text) => format!("TXT \"{text}\""),
        Data::Soa(soa) => {
            format!("SOA {} {} {} .. {}", soa.primary, soa.responsible, soa.serial, soa.minimum_s)
        }
    };
    format!("{} {} {data}", record.name, record.ttl_s)
}
