//! Files of resources: YAML with any number of documents, or JSON, each fault with its line.

use std::collections::BTreeMap;
use std::fmt;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use rialto_types::limits;
use rialto_types::object::{Document, Error, Key, Resource};

use crate::failure::{Exit, Failure};

mod located;

use located::{Located, Place};

/// A resource, and where it was read.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Found {
    pub(crate) resource: Resource,
    pub(crate) origin: Origin,
}

/// A place in a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Origin {
    pub(crate) file: String,
    pub(crate) place: Option<Place>,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.place {
            Some(Place { line, column }) => write!(f, "{}:{line}:{column}", self.file),
            None => f.write_str(&self.file),
        }
    }
}

/// Reads all resources, or says everything that is wrong with them.
pub(crate) fn read(paths: &[PathBuf]) -> Result<Vec<Found>, Failure> {
    let mut faults = Vec::new();
    let mut found: Vec<Found> = Vec::new();
    for path in files(paths)? {
        let name = path.display().to_string();
        let text = read_text(&path)?;
        match parse(&name, &text) {
            Ok(resources) => found.extend(resources),
            Err(more) => faults.extend(more),
        }
    }
    faults.extend(duplicates(&found));
    if !faults.is_empty() {
        return Err(Failure::new(Exit::Failed, faults.join("\n")));
    }
    if found.is_empty() {
        let given: Vec<String> = paths.iter().map(|path| path.display().to_string()).collect();
        return Err(Failure::usage(format!("no resource in {}", given.join(", ")))
            .with_hint("a resource has `apiVersion`, `kind`, `metadata` and `spec`"));
    }
    // What others refer to goes first, so that no write is refused for the order of files.
    found.sort_by_key(|found| found.resource.spec.kind());
    Ok(found)
}

/// The files that are meant: themselves, or those of a folder by name; `-` is stdin.
fn files(paths: &[PathBuf]) -> Result<Vec<PathBuf>, Failure> {
    let mut files = Vec::new();
    for path in paths {
        if !path.is_dir() {
            files.push(path.clone());
            continue;
        }
        let fault = |error: std::io::Error| {
            Failure::usage(format!("cannot read the folder `{}`: {error}", path.display()))
        };
        let mut inside = Vec::new();
        for entry in std::fs::read_dir(path).map_err(fault)? {
            let file = entry.map_err(fault)?.path();
            let extension = file.extension().and_then(|extension| extension.to_str());
            if file.is_file() && matches!(extension, Some("yaml" | "yml" | "json")) {
                inside.push(file);
            }
        }
        inside.sort();
        files.extend(inside);
    }
    Ok(files)
}

fn read_text(path: &Path) -> Result<String, Failure> {
    let max = limits::STATIC_FILE_BYTES_MAX;
    let mut text = String::new();
    let outcome = if path == Path::new("-") {
        std::io::stdin().lock().take(max + 1).read_to_string(&mut text)
    } else {
        std::fs::File::open(path).and_then(|file| file.take(max + 1).read_to_string(&mut text))
    };
    let read = outcome
        .map_err(|error| Failure::usage(format!("cannot read `{}`: {error}", path.display())))?;
    if read as u64 > max {
        let text = format!("`{}` is larger than {max} bytes", path.display());
        return Err(Failure::failed(text).with_hint("divide it into several files"));
    }
    Ok(text)
}

/// The resources of one text, or its faults, each as `FILE:LINE:COLUMN: …`.
fn parse(file: &str, text: &str) -> Result<Vec<Found>, Vec<String>> {
    let trees = located::parse(text).map_err(|(place, message)| {
        let origin = Origin { file: file.to_string(), place };
        vec![format!("{origin}: {message}")]
    })?;
    let mut found = Vec::new();
    let mut faults = Vec::new();
    for tree in trees.iter().flat_map(Located::items) {
        match resource(tree) {
            Ok(resource) => {
                let origin = Origin { file: file.to_string(), place: Some(tree.place) };
                found.push(Found { resource, origin });
            }
            Err((place, message)) => {
                let origin = Origin { file: file.to_string(), place: Some(place) };
                faults.push(format!("{origin}: {message}"));
            }
        }
    }
    if faults.is_empty() { Ok(found) } else { Err(faults) }
}

fn resource(tree: &Located) -> Result<Resource, (Place, String)> {
    let json = tree.to_json().to_string();
    let parsed = Document::from_json(json.as_bytes()).and_then(Document::into_resource);
    parsed.map_err(|error| {
        let field = error.field().unwrap_or_default().to_string();
        let place = match unknown_field(&error) {
            Some(name) => {
                let parent = field.strip_suffix(&name).unwrap_or(&field);
                tree.place_of_key(parent, &name)
            }
            None => tree.place_of(&field),
        };
        (place, explained(error))
    })
}

/// The name in serde's "unknown field `NAME`".
fn unknown_field(error: &Error) -> Option<String> {
    let Error::Field { reason, .. } = error else { return None };
    let rest = reason.strip_prefix("unknown field `")?;
    rest.split_once('`').map(|(name, _)| name.to_string())
}

/// The error without the position in our own JSON, which nobody wrote.
fn explained(error: Error) -> String {
    match error {
        Error::Field { subject, field, reason } => {
            let reason = match reason.rsplit_once(" at line ") {
                Some((reason, _)) => reason.to_string(),
                None => reason,
            };
            Error::Field { subject, field, reason }.to_string()
        }
        Error::UnknownKind(text) => match super::target::kind(&text) {
            Err(reason) => format!("kind `{text}`: {reason}"),
            Ok(_) => Error::UnknownKind(text).to_string(),
        },
        error @ (Error::ApiVersion { .. } | Error::ReadOnly(_) | Error::Syntax(_)) => {
            error.to_string()
        }
    }
}

fn duplicates(found: &[Found]) -> Vec<String> {
    let mut first: BTreeMap<Key, &Origin> = BTreeMap::new();
    let mut faults = Vec::new();
    for Found { resource, origin } in found {
        let key = resource.key();
        match first.get(&key) {
            Some(before) => {
                faults.push(format!("{origin}: {key} is there already, at {before}; keep one"));
            }
            None => {
                first.insert(key, origin);
            }
        }
    }
    faults
}

#[cfg(test)]
mod tests;
