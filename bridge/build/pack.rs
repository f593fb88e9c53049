//! Many files as one: lines of `LENGTH PATH`, an empty line, then the bytes one after another.
//!
//! `rialto_wire::rest::WebPage` reads it.

use std::path::{Path, PathBuf};
use std::{fs, io};

/// Every file below the folder, in the order of paths; nothing if there is no such folder.
pub(crate) fn pack(folder: &Path) -> io::Result<Vec<u8>> {
    let mut paths = Vec::new();
    if folder.is_dir() {
        find(folder, &mut paths)?;
    }
    paths.sort();
    let (mut index, mut content) = (String::new(), Vec::new());
    for path in paths {
        let bytes = fs::read(&path)?;
        let below = path.strip_prefix(folder).map_err(io::Error::other)?;
        let name = below.to_str().filter(|name| !name.contains(['\n', '\\']));
        let name = name.ok_or_else(|| io::Error::other(format!("{}", path.display())))?;
        index.push_str(&format!("{} {name}\n", bytes.len()));
        content.extend(bytes);
    }
    Ok([index.as_bytes(), b"\n", &content].concat())
}

fn find(folder: &Path, paths: &mut Vec<PathBuf>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            find(&path, paths)?;
        } else {
            paths.push(path);
        }
    }
    Ok(())
}
