use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::Path;

use expect_test::expect_file;
use proptest::collection::vec;
use proptest::prelude::*;
use rialto_types::local::EndpointHealth;

use super::change::change;
use super::*;
use crate::provider::static_file::document;
use crate::provider::{Endpoint as Listed, Port};

#[test]
fn transcripts() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/fold");
    let mut count = 0;
    for entry in std::fs::read_dir(&folder).expect("testdata/fold exists") {
        let path = entry.expect("a readable folder").path();
        let text = std::fs::read_to_string(&path).expect("a readable transcript");
        expect_file![path].assert_eq(&replay(&text));
        count += 1;
    }
    assert!(count >= 4, "{count} transcripts in {}", folder.display());
}

/// Runs each block of commands (above its `----` line) and writes the results below it anew.
///
/// Commands: `registry` (YAML follows, indented), `check SERVICE ADDRESS HEALTH`,
/// `gateways ID=ADDRESS ...`, `acked` (the bridge has the report), `table`, `report`, `change`,
/// `summaries`, `checks`.
fn replay(text: &str) -> String {
    let cluster = "east".parse().expect("a cluster name");
    let (mut fold, mut acked) = (Fold::new(cluster, 7), None);
    let mut output = String::new();
    for block in text.split("\n\n") {
        let commands = block.split("\n----").next().unwrap_or_default().trim_end();
        writeln!(output, "{commands}\n----").expect("a string grows");
        let mut lines = commands.lines().peekable();
        while let Some(line) = lines.next() {
            let mut body = String::new();
            while let Some(line) = lines.next_if(|line| line.starts_with(' ')) {
                body += line.strip_prefix("  ").unwrap_or(line);
                body.push('\n');
            }
            output += &run(&mut fold, &mut acked, line, &body);
        }
        output.push('\n');
    }
    output.truncate(output.trim_end().len());
    output + "\n"
}

fn run(fold: &mut Fold, acked: &mut Option<Numbered>, line: &str, body: &str) -> String {
    let words: Vec<&str> = line.split_whitespace().collect();
    match words.as_slice() {
        [] => String::new(),
        [comment, ..] if comment.starts_with('#') => String::new(),
        ["registry"] => {
            fold.handle_registry(document::parse("test.yaml", body).expect("a good registry"));
            changed(fold)
        }
        ["check", service, address, health] => {
            let health = match *health {
                "healthy" => EndpointHealth::Healthy,
                "unhealthy" => EndpointHealth::Unhealthy,
                other => panic!("no such health: {other}"),
            };
            let service = service.parse().expect("a service name");
            let address = address.parse().expect("an address");
            fold.handle_check(Target { service, address }, health);
            changed(fold)
        }
        ["gateways", gateways @ ..] => {
            let parse = |text: &&str| {
                let (id, address) = text.split_once('=').expect("ID=ADDRESS");
                (id.parse().expect("an id"), Some(address.parse().expect("an address")))
            };
            fold.handle_gateways(gateways.iter().map(parse).collect::<BTreeMap<_, _>>());
            changed(fold)
        }
        ["acked"] => {
            *acked = fold.report().cloned();
            String::new()
        }
        ["table"] => lines(&fold.table().map(AsRef::as_ref)),
        ["report"] => lines(&fold.report().map(|numbered| numbered.report.as_ref())),
        ["change"] => {
            let next = fold.report().expect("a report");
            lines(&change(7, acked.as_ref(), next))
        }
        ["summaries"] => lines(&fold.summaries()),
        ["checks"] => fold.checks().iter().fold(String::new(), |mut text, (target, check)| {
            let (probe, port) = (&check.probe, check.port);
            writeln!(text, "{} {} {probe:?} port {port}", target.service, target.address)
                .expect("a string grows");
            text
        }),
        other => panic!("no such command: {other:?}"),
    }
}

fn changed(fold: &mut Fold) -> String {
    let Changed { table, report, summaries } = fold.refresh();
    let names = [("table", table), ("report", report), ("summaries", summaries)];
    let names: Vec<&str> = names.iter().filter(|(_, yes)| *yes).map(|(name, _)| *name).collect();
    match names.as_slice() {
        [] => "nothing changed\n".into(),
        names => format!("changed: {}\n", names.join(", ")),
    }
}

/// JSON with a line for each member of the outer two levels: short, and good to diff.
fn lines(value: &impl serde::Serialize) -> String {
    let value = serde_json::to_value(value).expect("documents are JSON");
    let mut text = String::new();
    let mut line = |line: String| writeln!(text, "{line}").expect("a string grows");
    if let Some(members) = value.as_array() {
        members.iter().for_each(|member| line(member.to_string()));
    } else if let Some(members) = value.as_object() {
        for (name, member) in members {
            let Some(inner) = member.as_object().filter(|inner| !inner.is_empty()) else {
                line(format!("{name}: {member}"));
                continue;
            };
            line(format!("{name}:"));
            inner.iter().for_each(|(name, member)| line(format!("  {name}: {member}")));
        }
    } else {
        line(value.to_string());
    }
    text
}

/// What happens to one of a few services.
#[derive(Debug, Clone)]
enum Step {
    /// The registry is told again, and this service is the very same object.
    Keep,
    Remove(u8),
    Put(u8, Arc<Service>),
    Checked(u8, u8, bool),
}

fn name(number: u8) -> ServiceName {
    format!("shop/service-{number}").parse().expect("a service name")
}

fn address(last: u8) -> std::net::IpAddr {
    [10, 0, 0, last].into()
}

fn service() -> impl Strategy<Value = Service> {
    let flags = (any::<bool>(), any::<bool>(), any::<bool>());
    (vec(0..4_u8, 0..4), flags).prop_map(|(endpoints, (exported, headless, is_checked))| {
        let listed = |last| Listed {
            address: address(last),
            hostname: None,
            ports: BTreeMap::from([(80, 8_080)]),
            udp_ports: BTreeMap::new(),
        };
        let protocol = rialto_types::service::AppProtocol::Tcp;
        Service {
            ports: vec![Port { name: None, number: 80, target: 80, protocol }],
            labels: BTreeMap::new(),
            exported,
            export: None,
            headless,
            client_affinity_s: None,
            endpoints: endpoints.into_iter().map(listed).collect(),
            check: is_checked.then(|| CheckSpec::tcp(80)),
        }
    })
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        Just(Step::Keep),
        (0..3_u8).prop_map(Step::Remove),
        (0..3_u8, service()).prop_map(|(number, service)| Step::Put(number, Arc::new(service))),
        (0..3_u8, 0..4_u8, any::<bool>())
            .prop_map(|(number, last, is_healthy)| Step::Checked(number, last, is_healthy)),
    ]
}

proptest! {
    /// What is shared with the documents before is as if it were made of the registry alone.
    #[test]
    fn documents_do_not_depend_on_what_was_before(steps in vec(step(), 1..24)) {
        let cluster: ClusterName = "east".parse().expect("a cluster name");
        let mut fold = Fold::new(cluster.clone(), 7);
        let mut registry = Registry::default();
        for step in steps {
            match step {
                Step::Keep => {}
                Step::Remove(number) => drop(registry.services.remove(&name(number))),
                Step::Put(number, service) => {
                    registry.services.insert(name(number), service);
                }
                Step::Checked(number, last, is_healthy) => {
                    let address = SocketAddr::new(address(last), 8_080);
                    let target = Target { service: name(number), address };
                    let healths = [EndpointHealth::Unhealthy, EndpointHealth::Healthy];
                    fold.handle_check(target, healths[usize::from(is_healthy)]);
                }
            }
            fold.handle_registry(registry.clone());
            fold.refresh();
            let mut anew = Fold::new(cluster.clone(), 7);
            anew.handle_registry(registry.clone());
            fold.health.iter().for_each(|(target, health)| {
                anew.handle_check(target.clone(), *health);
            });
            anew.refresh();
            prop_assert_eq!(&fold.table.services, &anew.table.services);
            prop_assert_eq!(&fold.report.report, &anew.report.report);
            prop_assert_eq!(&fold.summaries, &anew.summaries);
        }
    }
}
