use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::Path;

use expect_test::expect_file;
use rialto_types::local::EndpointHealth;

use super::change::change;
use super::*;
use crate::provider::static_file::document;

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
