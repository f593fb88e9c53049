//! Packages depend in one direction, as cargo itself tells it, and there is one TLS provider.

use std::collections::BTreeSet;
use std::fs;
use std::process::Command;

use super::report;
use super::tree::root;

/// Libraries that would bring the world into a pure package.
const WORLD: &[&str] = &[
    "tokio", "axum", "tonic", "prost", "kube", "quinn", "rustls", "hickory", "raft", "rand",
    "hyper", "reqwest",
];

/// What each package must never reach, by any path of normal dependencies: its folder, our own
/// packages, and libraries. A name stands for all packages that begin with it and a hyphen.
const FORBIDDEN: &[(&str, &[&str], &[&str])] = &[
    ("api/types", &["core", "wire", "bridge", "agent", "gateway", "dns", "cli"], WORLD),
    ("core", &["wire", "bridge", "agent", "gateway", "dns", "cli"], WORLD),
    (
        "api/wire",
        &["core", "bridge", "agent", "gateway", "dns", "cli"],
        &["raft", "quinn", "hickory", "kube"],
    ),
    ("bridge", &["agent", "gateway", "dns", "cli"], &["kube", "quinn", "hickory"]),
    ("agent", &["bridge", "gateway", "dns", "cli"], &["raft", "quinn", "hickory"]),
    ("gateway", &["bridge", "agent", "dns", "cli"], &["raft", "kube", "hickory"]),
    ("dns", &["bridge", "agent", "gateway", "cli"], &["raft", "quinn", "kube"]),
];

#[test]
fn packages_depend_downwards_only() {
    let mut findings = Vec::new();
    for (folder, ours, libraries) in FORBIDDEN {
        let package = package(folder);
        let reached = reached(&["-p", &package, "-e", "normal"]);
        assert!(reached.contains(&package), "`cargo tree` did not know `{package}`");
        let ours = ours.iter().map(|folder| self::package(folder));
        for name in reached.iter().filter(|name| **name != package) {
            let is_ours = ours.clone().any(|forbidden| *name == forbidden);
            if is_ours || libraries.iter().any(|library| is_of(name, library)) {
                findings.push(format!("{package} reaches {name}"));
            }
        }
    }
    report(&findings, "`cargo tree -p PACKAGE -e normal -i NAME` shows by which path");
}

#[test]
fn there_is_one_tls_provider() {
    let reached = reached(&["--workspace", "-e", "normal,build"]);
    let others = ["ring", "openssl-sys", "native-tls", "boring"];
    let findings: Vec<String> = others
        .iter()
        .filter(|name| reached.contains(**name))
        .map(|name| name.to_string())
        .collect();
    report(&findings, "turn its feature off: everything uses aws-lc-rs");
}

#[test]
fn manifests_are_alike() {
    const LINES: &[&str] = &[
        "version.workspace = true",
        "edition.workspace = true",
        "license.workspace = true",
        "publish.workspace = true",
        "doctest = false",
        "[lints]\nworkspace = true",
    ];
    let folders = FORBIDDEN.iter().map(|(folder, ..)| *folder).chain(["cli"]);
    let mut findings = Vec::new();
    for folder in folders {
        let path = root().join(folder).join("Cargo.toml");
        let text = fs::read_to_string(&path).expect("a manifest in each package");
        let missing = LINES.iter().filter(|line| !text.contains(**line));
        findings.extend(missing.map(|line| format!("{folder}/Cargo.toml: no `{line}`")));
        let own = text.lines().filter(|line| line.contains("version = \""));
        findings.extend(own.map(|line| format!("{folder}/Cargo.toml: `{line}`")));
    }
    report(&findings, "versions stand once, in the root's manifest; take them with `.workspace`");
}

fn package(folder: &str) -> String {
    match folder.rsplit('/').next() {
        Some("cli") | None => "rialto".into(),
        Some(name) => format!("rialto-{name}"),
    }
}

fn is_of(name: &str, library: &str) -> bool {
    name.strip_prefix(library).is_some_and(|rest| rest.is_empty() || rest.starts_with('-'))
}

/// The names of the packages that `cargo tree` lists for `selection`.
fn reached(selection: &[&str]) -> BTreeSet<String> {
    let output = Command::new(env!("CARGO"))
        .args(["tree", "--offline", "--locked", "--prefix", "none", "--format", "{p}"])
        .args(selection)
        .current_dir(root())
        .output()
        .expect("cargo can be started");
    let fault = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "`cargo tree` failed: {fault}");
    let text = String::from_utf8(output.stdout).expect("package names are text");
    text.lines().filter_map(|line| line.split(' ').next()).map(str::to_owned).collect()
}
