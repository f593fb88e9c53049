//! What a change changes, as a unified diff of YAML: one text for the command line and the page.

use rialto_types::object::{Document, Metadata};

/// Why a diff cannot be made.
#[derive(Debug, thiserror::Error)]
#[error("cannot write `{name}` as YAML")]
pub struct Error {
    name: String,
    source: serde_saphyr::ser::Error,
}

/// The diff of two states of an object; empty if its intent is the same.
pub fn unified(
    name: &str,
    before: Option<&Document>,
    after: Option<&Document>,
) -> Result<String, Error> {
    let text = |document: Option<&Document>| match document {
        Some(document) => serde_saphyr::to_string(&intent(document))
            .map_err(|source| Error { name: name.to_string(), source }),
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
    Ok(diff.lines().map(|line| line.to_string() + "\n").collect())
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
