//! What a change changes, as a unified diff of YAML.

use rialto_types::object::{Document, Metadata};

use super::failure::Failure;
use crate::print::{self, Style};

/// The diff of two states of an object; empty if its intent is the same.
pub(crate) fn unified(
    name: &str,
    before: Option<&Document>,
    after: Option<&Document>,
    style: Style,
) -> Result<String, Failure> {
    let text = |document: Option<&Document>| match document {
        Some(document) => print::yaml(&intent(document)),
        None => Ok(String::new()),
    };
    let (before, after) = (text(before)?, text(after)?);
    if before == after {
        return Ok(String::new());
    }
    let header = |text: &str, word: &str| match text {
        "" => "/dev/null".to_string(),
        _ => format!("{name} ({word})"),
    };
    let diff = similar::TextDiff::from_lines(&before, &after)
        .unified_diff()
        .context_radius(3)
        .header(&header(&before, "before"), &header(&after, "after"))
        .to_string();
    Ok(diff.lines().map(|line| painted(line, style) + "\n").collect())
}

fn painted(line: &str, style: Style) -> String {
    match line.as_bytes().first() {
        Some(b'+') => style.good(line),
        Some(b'-') => style.bad(line),
        _ => line.to_string(),
    }
}

/// The document without what only the server sets: it would differ each time.
fn intent(document: &Document) -> Document {
    let metadata = &document.metadata;
    Document {
        metadata: Metadata {
            labels: metadata.labels.clone(),
            annotations: metadata.annotations.clone(),
            ..Metadata::new(metadata.namespace.clone(), metadata.name.clone())
        },
        status: None,
        ..document.clone()
    }
}

#[cfg(test)]
mod tests;
