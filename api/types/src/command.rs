//! The command line that does what an action of the API does.
//!
//! `cli` tests that it takes each of these.

use std::collections::BTreeMap;

use crate::id::{ClusterName, ResourceName, Revision, ServiceName};
use crate::object::Key;

pub fn shift(
    parent: &ServiceName,
    weights: &BTreeMap<ResourceName, u32>,
    reason: Option<&str>,
) -> String {
    let weights: String =
        weights.iter().map(|(name, weight)| format!(" {name}={weight}")).collect();
    format!("rialto shift {parent}{weights}{}", because(reason))
}

pub fn drain(cluster: &ClusterName, drained: bool, reason: Option<&str>) -> String {
    let verb = if drained { "drain" } else { "undrain" };
    format!("rialto {verb} {cluster}{}", because(reason))
}

pub fn revert(to: Revision, reason: Option<&str>) -> String {
    format!("rialto revert {to}{}", because(reason))
}

pub fn describe(key: &Key) -> String {
    let kind = key.kind.as_str().to_ascii_lowercase();
    match &key.namespace {
        Some(namespace) => format!("rialto describe {kind} {namespace}/{}", key.name),
        None => format!("rialto describe {kind} {}", key.name),
    }
}

/// What to look at first where no single object is at fault.
pub const CHECK: &str = "rialto check";

fn because(reason: Option<&str>) -> String {
    reason.map(|reason| format!(" --reason {}", quoted(reason))).unwrap_or_default()
}

/// One word for a POSIX shell, whatever is in it.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}
