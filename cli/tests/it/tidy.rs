//! The rules of the house that a machine can keep: each test says what it found, and how to
//! repair it.

mod direction;
mod exceptions;
mod shape;
mod tree;

use tree::{File, Kind, files};

/// Fails with all findings at once, so that one run shows the whole work.
fn report(findings: &[String], repair: &str) {
    assert!(findings.is_empty(), "{} found; {repair}\n  {}", findings.len(), findings.join("\n  "));
}

/// Whether `text` has `word` with no letter, digit, `_` or `:` right before it.
fn has_word(text: &str, word: &str) -> bool {
    text.match_indices(word).any(|(at, _)| {
        let before = text[..at].chars().next_back();
        !before.is_some_and(|c| c.is_alphanumeric() || c == '_' || c == ':')
    })
}

#[test]
fn decisions_are_pure() {
    const WORLD: &[&str] = &[
        "async ",
        ".await",
        "tokio",
        "Instant::now",
        "SystemTime::now",
        "rand::",
        "std::fs",
        "std::env",
        "std::io",
        "std::process",
        "std::thread",
        "std::sync::Mutex",
        "std::sync::RwLock",
        "TcpStream",
        "TcpListener",
        "UdpSocket",
        "HashMap",
        "HashSet",
        "println!",
        "unsafe ",
    ];
    let files = files();
    let pure = files.iter().filter(|file| {
        file.kind == Kind::Product
            && (file.path.starts_with("core/") || file.path.starts_with("api/types/"))
    });
    let findings = search(pure, |line| WORLD.iter().copied().find(|word| has_word(line, word)));
    report(&findings, "take time, chance and bytes as arguments; see core/clippy.toml");
}

#[test]
fn foreign_types_stay_at_their_border() {
    /// A word that shows a foreign type, and where it is at home.
    const HOMES: &[(&str, &[&str])] = &[
        ("raft::prelude", &["bridge/src/raft"]),
        ("raft::eraftpb", &["bridge/src/raft"]),
        ("RawNode", &["bridge/src/raft"]),
        ("protobuf::", &["bridge/src/raft"]),
        ("quinn::", &["gateway/src/tunnel/quic"]),
        ("quinn_proto::", &["gateway/src/tunnel/quic"]),
        ("hickory_proto::", &["dns/src/convert"]),
        ("axum::", &["api/wire/src/rest", "api/wire/src/admin", "api/wire/src/openapi"]),
        ("tonic::", exceptions::GRPC),
        ("httparse::", &["gateway/src/http1/head"]),
        ("rcgen::", &["api/wire/src/identity"]),
        ("x509_parser::", &["api/wire/src/identity"]),
        ("serde_saphyr::", exceptions::YAML),
        ("nix::", exceptions::SYSTEM),
        ("kube::", &[]),
    ];
    let files = files();
    let mut findings = Vec::new();
    for (word, homes) in HOMES {
        let strangers = files.iter().filter(|file| {
            file.kind == Kind::Product && !homes.iter().any(|home| file.path.starts_with(home))
        });
        findings.extend(search(strangers, |line| has_word(line, word).then_some(*word)));
    }
    report(&findings, "convert to our own type where the border is, or move the code there");
}

#[test]
fn tests_neither_sleep_nor_are_ignored() {
    const WORDS: &[&str] = &["thread::sleep", "time::sleep", "#[ignore"];
    let files = files();
    let tests = files.iter().filter(|file| {
        file.kind == Kind::Test
            && !exceptions::WAITS.iter().any(|(path, _)| file.path == *path)
            && !file.path.starts_with("cli/tests/it/tidy")
    });
    let findings = search(tests, |line| WORDS.iter().copied().find(|word| line.contains(word)));
    report(&findings, "wait for the event itself, or pause tokio's clock");
}

#[test]
fn bounds_stand_in_one_place() {
    let files = files();
    let strangers = files.iter().filter(|file| {
        file.kind == Kind::Product
            && !file.path.ends_with("/limits.rs")
            && !exceptions::BOUNDS.iter().any(|(path, _)| file.path == *path)
    });
    let findings = search(strangers, |line| {
        let name = line.split("const ").nth(1)?.split(':').next()?;
        let is_bound = name.ends_with("_MAX") || name.ends_with("_MIN");
        (is_bound || line.contains(": Duration =")).then_some("a bound")
    });
    report(&findings, "move it to api/types/src/limits.rs, with its unit and its reason");
    for (path, _) in exceptions::BOUNDS {
        assert!(files.iter().any(|file| file.path == *path), "{path} is no file any more");
    }
}

#[test]
fn unfinished_work_has_an_issue() {
    const WORDS: &[&str] = &["TODO", "FIXME", "XXX"];
    let files = files();
    let mut findings = Vec::new();
    for file in files.iter().filter(|file| file.is_rust() && !file.path.contains("/it/tidy")) {
        for (number, line) in file.text.lines().enumerate() {
            let word = WORDS.iter().find(|word| has_word(line, word));
            if word.is_some() && !line.contains("TODO(#") {
                findings.push(format!("{}:{}: {}", file.path, number + 1, line.trim()));
            }
        }
    }
    report(&findings, "write TODO(#NUMBER) with the number of an issue, or do it");
}

#[test]
fn lints_are_allowed_with_a_reason() {
    let files = files();
    let mut findings = Vec::new();
    for file in files.iter().filter(|file| file.is_rust() && !file.path.contains("/it/tidy")) {
        let lines: Vec<&str> = file.text.lines().collect();
        for (index, line) in lines.iter().enumerate() {
            let starts = ["#[allow(", "#![allow(", "#[expect(", "#![expect("];
            if !starts.iter().any(|start| line.trim_start().starts_with(start)) {
                continue;
            }
            let whole = lines[index..].iter().take_while(|line| !line.ends_with(")]")).count();
            let whole = &lines[index..=(index + whole).min(lines.len() - 1)];
            if !whole.iter().any(|line| line.contains("reason =")) {
                findings.push(format!("{}:{}: {}", file.path, index + 1, line.trim()));
            }
        }
    }
    report(&findings, "add reason = \"...\"");
}

#[test]
fn nothing_names_this_machine() {
    let checkout = tree::root().to_string_lossy().into_owned();
    let homes = ["/home/", "/root/", "/Users/"].map(str::to_owned);
    let words: Vec<String> = std::iter::once(checkout).chain(homes).collect();
    let files = files();
    let mut findings = Vec::new();
    for file in files.iter().filter(|file| !file.path.contains("/it/tidy")) {
        for (number, line) in file.text.lines().enumerate() {
            if let Some(word) = words.iter().find(|word| line.contains(word.as_str())) {
                findings.push(format!("{}:{}: {word}", file.path, number + 1));
            }
        }
        if file.path == ".cargo/config.toml" && file.text.contains("[source") {
            findings.push(format!("{}: a registry of this machine", file.path));
        }
    }
    report(&findings, "the tree must build on any machine: take the path as a setting");
}

/// What `find` finds in the code of `files`, as `path:line: word`.
fn search<'a, 'w>(
    files: impl Iterator<Item = &'a File>,
    find: impl Fn(&str) -> Option<&'w str>,
) -> Vec<String> {
    let mut findings = Vec::new();
    for file in files {
        for (number, line) in file.code() {
            if let Some(word) = find(line) {
                findings.push(format!("{}:{number}: `{}`", file.path, word.trim()));
            }
        }
    }
    findings
}
