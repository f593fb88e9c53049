//! Objects as they are named on the command line.

use rialto_types::id::{Namespace, ResourceName};
use rialto_types::object::{Document, Key, Kind};

use crate::failure::Failure;

/// Parses a kind; near misses are told.
pub(crate) fn kind(text: &str) -> Result<Kind, String> {
    if let Ok(kind) = text.parse() {
        return Ok(kind);
    }
    let spellings = || Kind::ALL.iter().flat_map(|kind| [kind.plural(), kind.as_str()]);
    let known: Vec<&str> = Kind::ALL.iter().map(|kind| kind.plural()).collect();
    match nearest(text, spellings()) {
        Some(near) => Err(format!("no such kind; did you mean `{near}`?")),
        None => Err(format!("no such kind; there are {}", known.join(", "))),
    }
}

/// The spelling that differs least, if it is near enough to be meant.
pub(crate) fn nearest<'a>(text: &str, spellings: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let text = text.to_ascii_lowercase();
    let short = |kind: &str| kind.to_ascii_lowercase().contains(&text) && text.len() >= 3;
    let distance = |kind: &str| edits(&text, &kind.to_ascii_lowercase());
    let mut near: Vec<(usize, &str)> = spellings
        .map(|spelling| (if short(spelling) { 1 } else { distance(spelling) }, spelling))
        .filter(|(distance, _)| *distance <= 2)
        .collect();
    near.sort_by_key(|(distance, spelling)| (*distance, spelling.len()));
    near.first().map(|(_, spelling)| *spelling)
}

/// Levenshtein's distance.
fn edits(from: &str, to: &str) -> usize {
    let to: Vec<char> = to.chars().collect();
    let mut row: Vec<usize> = (0..=to.len()).collect();
    for (at, a) in from.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = at + 1;
        for (index, b) in to.iter().enumerate() {
            let replaced = diagonal + usize::from(a != *b);
            diagonal = row[index + 1];
            row[index + 1] = replaced.min(row[index] + 1).min(diagonal + 1);
        }
    }
    row[to.len()]
}

/// The key of `NAME` or `NAMESPACE/NAME`.
pub(crate) fn key(kind: Kind, namespace: Option<&Namespace>, text: &str) -> Result<Key, Failure> {
    let (stated, name) = match text.split_once('/') {
        Some((namespace, name)) => (Some(parse::<Namespace>(namespace)?), name),
        None => (None, text),
    };
    let name = parse::<ResourceName>(name)?;
    let namespace = match (kind.is_namespaced(), namespace, stated) {
        (true, Some(option), Some(stated)) if *option != stated => {
            let text = format!("`{text}` is not in namespace `{option}`");
            return Err(Failure::usage(text).with_hint("leave `--namespace` away"));
        }
        (true, option, stated) => Some(stated.or_else(|| option.cloned()).ok_or_else(|| {
            Failure::usage(format!("a {kind} is in a namespace"))
                .with_hint(format!("name it as NAMESPACE/{name}, or give `--namespace`"))
        })?),
        (false, None, None) => None,
        (false, _, _) => {
            return Err(Failure::usage(format!("a {kind} is in no namespace"))
                .with_hint(format!("name it as {name} alone, without `--namespace`")));
        }
    };
    Ok(Key { kind, namespace, name })
}

/// `NAMESPACE/NAME`, or `NAME` where the kind has no namespace: as every verb takes it.
pub(crate) fn name(document: &Document) -> String {
    match &document.metadata.namespace {
        Some(namespace) => format!("{namespace}/{}", document.metadata.name),
        None => document.metadata.name.to_string(),
    }
}

fn parse<T: std::str::FromStr<Err = rialto_types::id::Error>>(text: &str) -> Result<T, Failure> {
    text.parse().map_err(|error: rialto_types::id::Error| Failure::usage(error.to_string()))
}

#[cfg(test)]
mod tests;
