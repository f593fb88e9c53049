//! Runs the transcripts of `testdata/`: commands above a line, what they answer below it.
//!
//! A file is a story for people and a test. Lines that start with `#` are comment; a line that
//! starts with a space continues the command above it. Below the line stands each command again,
//! after `>`, with its answer. `UPDATE_EXPECT=1 cargo test` rewrites what stands below; the diff is
//! for review.

use std::path::{Path, PathBuf};

const LINE: &str = "----------------------------------------------------------------";

/// Runs every transcript in `testdata/FOLDER`. `start` begins a file: it gives the function that
/// answers one command.
#[expect(clippy::disallowed_methods, reason = "tests read their data and may rewrite it")]
pub(crate) fn check<F: FnMut(&str) -> String>(folder: &str, start: impl Fn() -> F) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata").join(folder);
    let entries = std::fs::read_dir(&folder).expect("the folder of transcripts exists");
    let paths = entries.map(|entry| entry.expect("a readable folder").path());
    let mut paths: Vec<PathBuf> =
        paths.filter(|path| path.extension().is_some_and(|e| e == "txt")).collect();
    paths.sort();
    assert!(!paths.is_empty(), "no transcript in {}", folder.display());
    let update = std::env::var_os("UPDATE_EXPECT").is_some_and(|value| value == "1");
    let mut wrong = Vec::new();
    for path in paths {
        let found = std::fs::read_to_string(&path).expect("a readable transcript");
        let (commands, _) = found.split_once(LINE).unwrap_or((&found, ""));
        let commands = commands.trim_end();
        let expected = format!("{commands}\n{LINE}\n{}", answer(commands, start()));
        if found == expected {
            continue;
        }
        if update {
            std::fs::write(&path, &expected).expect("a writable transcript");
        } else {
            wrong.push(format!("{}\n{}", path.display(), first_difference(&found, &expected)));
        }
    }
    assert!(
        wrong.is_empty(),
        "transcripts differ (UPDATE_EXPECT=1 accepts what was answered):\n{}",
        wrong.join("\n")
    );
}

/// A command as it is written, and joined to one line.
struct Written {
    lines: Vec<String>,
    joined: String,
}

fn answer(commands: &str, mut run: impl FnMut(&str) -> String) -> String {
    let mut whole: Vec<Written> = Vec::new();
    for line in commands.lines().filter(|line| !line.trim().is_empty() && !line.starts_with('#')) {
        match whole.last_mut() {
            Some(last) if line.starts_with(' ') => {
                last.joined.push(' ');
                last.joined.push_str(line.trim());
                last.lines.push(line.trim_end().into());
            }
            _ => whole.push(Written { lines: vec![line.into()], joined: line.trim_end().into() }),
        }
    }
    let mut text = String::new();
    for command in whole {
        for line in &command.lines {
            text.push_str(&format!("> {line}\n"));
        }
        let said = run(&command.joined);
        for line in said.lines() {
            text.push_str(&format!("{line}\n"));
        }
        if !said.is_empty() {
            text.push('\n');
        }
    }
    text.truncate(text.trim_end().len());
    text.push('\n');
    text
}

fn first_difference(found: &str, expected: &str) -> String {
    let (mut old, mut new) = (found.lines(), expected.lines());
    let mut number = 0;
    loop {
        number += 1;
        match (old.next(), new.next()) {
            (None, None) => return "  only the line ends differ".into(),
            (old, new) if old == new => {}
            (old, new) => {
                let (old, new) = (old.unwrap_or("(end)"), new.unwrap_or("(end)"));
                return format!("  line {number}\n  - {old}\n  + {new}");
            }
        }
    }
}
