//! Sizes, names and places of files, functions and lines.

use super::exceptions::{LONG_FILES, LONG_FUNCTIONS};
use super::report;
use super::tree::{File, Kind, files};

const COLUMNS_MAX: usize = 100;
const FILE_LINES_MAX: usize = 600;
const FUNCTION_LINES_MAX: usize = 70;
const MAIN_LINES_MAX: usize = 60;

#[test]
fn lines_fit() {
    let files = files();
    let mut findings = Vec::new();
    // What rustfmt cannot break in tests (macros, data) may be longer.
    for file in files.iter().filter(|file| file.kind == Kind::Product) {
        let mut is_picture = false;
        for (number, line) in file.text.lines().enumerate() {
            let comment = line.trim_start().trim_start_matches(['/', '!', ' ']);
            is_picture ^= comment.starts_with("```");
            let columns = line.chars().count();
            if columns > COLUMNS_MAX && !is_picture && !comment.starts_with('|') {
                findings.push(format!("{}:{}: {columns} columns", file.path, number + 1));
            }
        }
    }
    report(&findings, "break the line at 100 columns");
}

#[test]
fn files_can_be_read_at_once() {
    let files = files();
    let long = files.iter().filter_map(|file| {
        let lines = file.text.lines().count();
        (file.kind == Kind::Product && lines > FILE_LINES_MAX)
            .then(|| (file.path.clone(), format!("{}: {lines} lines", file.path)))
    });
    let findings = without_exceptions(long.collect(), LONG_FILES);
    report(&findings, "find the one cut that helps, or give a reason in tidy/exceptions.rs");
}

#[test]
fn functions_can_be_read_at_once() {
    let files = files();
    let mut long = Vec::new();
    for file in files.iter().filter(|file| file.kind == Kind::Product) {
        for (name, lines) in functions(file) {
            if lines > FUNCTION_LINES_MAX {
                let name = format!("{}: {name}", file.path);
                long.push((name.clone(), format!("{name}: {lines} lines")));
            }
        }
    }
    let findings = without_exceptions(long, LONG_FUNCTIONS);
    report(&findings, "find the one cut that helps, or give a reason in tidy/exceptions.rs");
}

#[test]
fn names_of_files_say_what_is_inside() {
    const EMPTY_NAMES: &[&str] = &["mod", "util", "utils", "common", "helpers", "misc", "manager"];
    const ROOT: &[&str] = &[
        "agent", "api", "bridge", "cli", "core", "deploy", "dns", "docs", "gateway", "ui", ".ci",
        ".cargo",
    ];
    let files = files();
    let mut findings = Vec::new();
    for file in &files {
        let mut parts: Vec<&str> = file.path.split('/').collect();
        let name = parts.pop().unwrap_or_default().split('.').next().unwrap_or_default();
        if file.is_rust() && EMPTY_NAMES.contains(&name) {
            findings.push(file.path.clone());
        }
        if parts.iter().any(|folder| EMPTY_NAMES.contains(folder)) {
            findings.push(file.path.clone());
        }
        if parts.first().is_some_and(|folder| !ROOT.contains(folder)) {
            findings.push(format!("{}: a new folder at the root", file.path));
        }
    }
    report(&findings, "name the idea; a new folder at the root is a decision record");
}

#[test]
fn product_files_say_what_they_are_for() {
    let files = files();
    let product = files.iter().filter(|file| file.kind == Kind::Product);
    let silent = product.filter(|file| !file.text.starts_with("//!"));
    let findings: Vec<String> = silent.map(|file| file.path.clone()).collect();
    report(&findings, "begin the file with one `//!` sentence");
}

#[test]
fn unit_tests_stand_in_their_own_file() {
    let files = files();
    let product = files.iter().filter(|file| file.kind == Kind::Product);
    let mixed = product.filter(|file| file.text.contains("\n    #[test]"));
    let findings: Vec<String> = mixed.map(|file| file.path.clone()).collect();
    report(&findings, "move the tests of `foo.rs` to `foo/tests.rs`");
}

#[test]
fn main_only_starts() {
    let files = files();
    let main = files.iter().find(|file| file.path == "cli/src/main.rs");
    let lines = main.map_or(0, |file| file.text.lines().count());
    assert!((1..=MAIN_LINES_MAX).contains(&lines), "cli/src/main.rs has {lines} lines");
}

#[test]
fn markdown_has_one_sentence_per_line() {
    let files = files();
    let mut findings = Vec::new();
    for file in files.iter().filter(|file| file.path.ends_with(".md")) {
        let mut is_picture = false;
        for (number, line) in file.text.lines().enumerate() {
            is_picture ^= line.starts_with("```");
            // A table's cell and a step of a list may hold more: they cannot be broken.
            let is_prose = line.starts_with(|first: char| first.is_ascii_uppercase());
            if !is_picture && is_prose && has_two_sentences(line) {
                findings.push(format!("{}:{}: {line}", file.path, number + 1));
            }
        }
    }
    report(&findings, "one sentence per line, so that a diff shows what changed");
}

fn has_two_sentences(line: &str) -> bool {
    line.match_indices(". ").any(|(at, end)| {
        let before = line[..at].chars().next_back();
        let after = line[at + end.len()..].chars().next();
        before.is_some_and(|c| c.is_lowercase() || c == '`' || c == ')')
            && after.is_some_and(char::is_uppercase)
    })
}

/// What is not excepted, and exceptions that nothing needs.
fn without_exceptions(found: Vec<(String, String)>, exceptions: &[(&str, &str)]) -> Vec<String> {
    let is_excepted = |name: &str| exceptions.iter().any(|(exception, _)| *exception == name);
    let stale = exceptions.iter().filter(|(name, _)| !found.iter().any(|(f, _)| f == name));
    let stale = stale.map(|(name, _)| format!("{name}: an exception that nothing needs"));
    let stale: Vec<String> = stale.collect();
    let found = found.into_iter().filter(|(name, _)| !is_excepted(name));
    found.map(|(_, finding)| finding).chain(stale).collect()
}

/// Name and length of each function, by the indentation that rustfmt gives it.
fn functions(file: &File) -> Vec<(String, usize)> {
    let lines: Vec<&str> = file.text.lines().collect();
    let mut found = Vec::new();
    for (index, line) in lines.iter().enumerate() {
        let Some(name) = function_name(line) else { continue };
        let indentation = &line[..line.len() - line.trim_start().len()];
        let end = format!("{indentation}}}");
        let mut is_open = line.ends_with('{');
        if line.ends_with('}') || line.ends_with(';') {
            continue;
        }
        for (length, line) in lines[index + 1..].iter().enumerate() {
            if !is_open && line.ends_with(';') {
                break;
            }
            if *line == end {
                found.push((name.to_owned(), length + 2));
                break;
            }
            is_open |= line.ends_with('{');
        }
    }
    found
}

fn function_name(line: &str) -> Option<&str> {
    let mut words = line.trim_start().split(' ');
    let words = words.by_ref().skip_while(|word| {
        matches!(*word, "pub" | "pub(crate)" | "pub(super)" | "const" | "async" | "unsafe")
    });
    let mut words = words;
    if words.next() != Some("fn") {
        return None;
    }
    words.next()?.split(['(', '<']).next()
}

#[test]
fn functions_are_measured() {
    let lines = ["impl A {", "    async fn long(", "        &self,", "    ) -> u8 {", "        1"];
    let text = lines.into_iter().chain(["    }", "    fn no(&self);", "}"]);
    let text = text.collect::<Vec<_>>().join("\n");
    let file = File { path: "a.rs".into(), text, kind: Kind::Product };
    assert_eq!(functions(&file), [("long".to_owned(), 5)]);
}
