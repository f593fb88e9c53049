//! What a change changes, as a unified diff of YAML, painted for a terminal.

use rialto_types::object::Document;
use rialto_wire::diff;

use crate::failure::Failure;
use crate::print::Style;

/// The diff of two states of an object; empty if its intent is the same.
pub(crate) fn unified(
    name: &str,
    before: Option<&Document>,
    after: Option<&Document>,
    style: Style,
) -> Result<String, Failure> {
    let diff = diff::unified(name, before, after).map_err(|e| Failure::failed(e.to_string()))?;
    Ok(diff.lines().map(|line| painted(line, style) + "\n").collect())
}

fn painted(line: &str, style: Style) -> String {
    match line.as_bytes().first() {
        Some(b'+') => style.good(line),
        Some(b'-') => style.bad(line),
        _ => line.to_string(),
    }
}

#[cfg(test)]
mod tests;
