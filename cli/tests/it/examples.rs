//! What `deploy/examples/` and `docs/operating.md` say is what the program reads.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use rialto_agent::provider::static_file::document;
use rialto_types::object::{Document, Kind};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

#[test]
fn every_writable_kind_has_an_example_that_can_be_applied() {
    let mut kinds = BTreeSet::new();
    for path in yaml_files(&root().join("deploy/examples")) {
        let document: Document = read(&path);
        let place = path.display().to_string();
        let resource = document.into_resource().unwrap_or_else(|error| panic!("{place}: {error}"));
        kinds.insert(resource.spec.kind());
    }
    let writable: BTreeSet<Kind> =
        Kind::ALL.into_iter().filter(|kind| kind.is_writable()).collect();
    assert_eq!(kinds, writable);
}

#[test]
fn the_example_of_a_fleet_is_a_good_registry() {
    let path = settings("fleet");
    let text = fs::read_to_string(&path).expect("a readable example");
    document::parse("fleet.yaml", &text).expect("a good registry");
}

#[test]
fn examples_of_settings_are_read_and_every_setting_is_documented() {
    let guide = guide();
    check_settings(&guide, "bridge", read::<rialto_bridge::Config>(&settings("bridge")));
    check_settings(&guide, "agent", read::<rialto_agent::Config>(&settings("agent")));
    check_settings(&guide, "gateway", read::<rialto_gateway::Config>(&settings("gateway")));
    check_settings(&guide, "dns", read::<rialto_dns::Config>(&settings("dns")));
    let node: Value = read(&settings("node"));
    let _: rialto_agent::Config = part(&node, "agent");
    let _: rialto_gateway::Config = part(&node, "gateway");
    let _: rialto_dns::Config = part(&node, "dns");
}

#[test]
fn every_metric_is_documented() {
    let guide = guide();
    let mut missing = Vec::new();
    for package in ["bridge", "agent", "gateway", "dns"] {
        let path = root().join(package).join("src/metrics.rs");
        let text = fs::read_to_string(&path).expect("every part has metrics.rs");
        let names = registered(&text);
        assert!(names.len() > 3, "{package} has only {names:?}");
        let unknown = names.into_iter().filter(|name| !guide.contains(name.as_str()));
        missing.extend(unknown.map(|name| format!("{package}: {name}")));
    }
    assert!(missing.is_empty(), "docs/operating.md does not tell of {missing:?}");
}

#[test]
fn the_guide_tells_of_no_metric_that_is_gone() {
    let guide = guide();
    let (_, section) = guide.split_once("## Metrics\n").expect("a section about metrics");
    let (section, _) = section.split_once("\n## ").expect("another section behind it");
    let sources = [
        "bridge/src/metrics.rs",
        "agent/src/metrics.rs",
        "gateway/src/metrics.rs",
        "gateway/src/traffic/totals.rs",
        "gateway/src/tunnel/quic/stray.rs",
        "dns/src/metrics.rs",
        "api/wire/src/admin.rs",
    ]
    .map(|file| fs::read_to_string(root().join(file)).expect("a readable source"));
    let rows = section.lines().filter(|line| line.starts_with("| `"));
    let names = rows.flat_map(|row| {
        let cell = row.split('|').nth(1).unwrap_or_default();
        cell.split('`').skip(1).step_by(2).collect::<Vec<_>>()
    });
    let names: Vec<&str> = names.collect();
    assert!(names.len() > 30, "only {names:?}");
    let is_gone = |name: &&&str| {
        let literal = format!("\"{name}\"");
        !sources.iter().any(|source| source.contains(&literal))
    };
    let gone: Vec<&&str> = names.iter().filter(is_gone).collect();
    assert!(gone.is_empty(), "docs/operating.md tells of {gone:?}, which nothing counts");
}

/// Every field of the settings, nested ones by their own name.
fn check_settings(guide: &str, part: &str, config: impl Serialize) {
    let value = serde_json::to_value(config).expect("settings are plain data");
    let mut names = Vec::new();
    collect_names(&value, &mut names);
    assert!(!names.is_empty(), "{part} has no settings");
    let missing: Vec<_> =
        names.into_iter().filter(|name| !guide.contains(&format!("`{name}`"))).collect();
    assert!(missing.is_empty(), "docs/operating.md has no line for {missing:?} of {part}");
}

fn collect_names(value: &Value, into: &mut Vec<String>) {
    for (name, value) in value.as_object().into_iter().flatten() {
        into.push(name.clone());
        let mut below = Vec::new();
        collect_names(value, &mut below);
        into.extend(below.into_iter().map(|inner| format!("{name}.{inner}")));
    }
}

/// The names under which a file of metrics registers them.
fn registered(text: &str) -> Vec<String> {
    let calls = text.split("register").skip(1).chain(text.split("gauge(&mut registry").skip(1));
    let literals = calls.filter_map(|call| call.split('"').nth(1));
    let is_name = |text: &&str| text.chars().all(|c| c.is_ascii_lowercase() || c == '_');
    literals.filter(is_name).map(str::to_owned).collect()
}

fn part<C: DeserializeOwned>(node: &Value, name: &str) -> C {
    let value = node.get(name).expect("a part of the node").clone();
    serde_json::from_value(value).expect("the settings of a part")
}

fn read<T: DeserializeOwned>(path: &Path) -> T {
    let text = fs::read_to_string(path).expect("a readable example");
    serde_saphyr::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn yaml_files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).expect("a readable folder");
    let paths = entries.map(|entry| entry.expect("a readable folder").path());
    paths.filter(|path| path.extension().is_some_and(|ending| ending == "yaml")).collect()
}

fn settings(name: &str) -> PathBuf {
    root().join("deploy/examples/settings").join(format!("{name}.yaml"))
}

fn guide() -> String {
    fs::read_to_string(root().join("docs/operating.md")).expect("the operator's guide")
}

fn root() -> PathBuf {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    package.parent().expect("the package is a folder of the repository").to_path_buf()
}
