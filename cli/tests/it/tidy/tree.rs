//! The files of the repository as the tests of `tidy` look at them.

use std::fs;
use std::path::{Path, PathBuf};

/// What a file is for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Kind {
    /// Rust that ships.
    Product,
    /// Rust that only tests use.
    Test,
    /// All other text.
    Text,
}

#[derive(Debug)]
pub(crate) struct File {
    /// From the root of the repository, with `/`.
    pub(crate) path: String,
    pub(crate) text: String,
    pub(crate) kind: Kind,
}

impl File {
    pub(crate) fn is_rust(&self) -> bool {
        self.kind != Kind::Text
    }

    /// Lines with their numbers, and with what only a comment says left out.
    pub(crate) fn code(&self) -> impl Iterator<Item = (usize, &str)> {
        let lines = self.text.lines().enumerate();
        lines.map(|(index, line)| (index + 1, line.split_once("//").map_or(line, |(code, _)| code)))
    }
}

/// Folders that are made by tools.
const MADE: &[&str] = &["target", ".git", "node_modules", "dist", "proptest-regressions"];

/// Endings of files that are text.
const TEXT: &[&str] =
    &["rs", "toml", "md", "proto", "yaml", "yml", "json", "txt", "sh", "service", "target"];

/// Names of text files without an ending.
const NAMED: &[&str] = &["Makefile", "run", ".gitignore", "Dockerfile"];

pub(crate) fn root() -> PathBuf {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    package.parent().expect("the package is a folder of the repository").to_path_buf()
}

/// Every text file of the repository, in the order of paths.
pub(crate) fn files() -> Vec<File> {
    let root = root();
    let mut found = Vec::new();
    let mut folders = vec![root.clone()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("a readable folder") {
            let path = entry.expect("a readable folder").path();
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            let is_made = MADE.contains(&name.as_str());
            if path.is_dir() && !is_made {
                folders.push(path);
            } else if path.is_file() && is_text(&path, &name) {
                found.push(read(&root, &path));
            }
        }
    }
    found.sort_by(|a, b| a.path.cmp(&b.path));
    assert!(found.len() > 100, "only {} files found in {}", found.len(), root.display());
    found
}

fn is_text(path: &Path, name: &str) -> bool {
    let ending = path.extension().unwrap_or_default().to_string_lossy();
    TEXT.contains(&&*ending) || NAMED.contains(&name)
}

fn read(root: &Path, path: &Path) -> File {
    let text = fs::read_to_string(path).expect("a file of text in UTF-8");
    let path = path.strip_prefix(root).expect("a file below the root").to_string_lossy();
    let path = path.replace('\\', "/");
    let kind = match (path.ends_with(".rs"), is_for_tests(&path)) {
        (false, _) => Kind::Text,
        (true, false) => Kind::Product,
        (true, true) => Kind::Test,
    };
    File { path, text, kind }
}

/// Modules that `lib.rs` declares with `#[cfg(test)]` and that are not called `tests`.
const TEST_MODULES: &[&str] =
    &["core/src/transcript", "core/src/world", "core/src/state/random", "dns/src/testing"];

fn is_for_tests(path: &str) -> bool {
    path.contains("/tests/")
        || path.ends_with("/tests.rs")
        || TEST_MODULES.iter().any(|module| path.starts_with(module))
}
