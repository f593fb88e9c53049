//! Findings as events of Kubernetes, for people who look there: told when they change.

use rialto_types::finding::{Finding, FindingLevel};
use rialto_types::id::Timestamp;
use serde_json::{Value, json};

/// What is new and worth an event: something that is wrong, or is right again.
pub(super) fn news<'a>(before: &[Finding], after: &'a [Finding]) -> Vec<&'a Finding> {
    let held = |about: &str| before.iter().find(|finding| finding.about == about);
    let is_news = |finding: &&Finding| match finding.level {
        FindingLevel::Failed | FindingLevel::Warning => held(&finding.about) != Some(*finding),
        FindingLevel::Good => held(&finding.about).is_some_and(|held| is_wrong(held.level)),
        // It may be as it was.
        FindingLevel::Unknown => false,
    };
    after.iter().filter(is_news).collect()
}

/// What the next look is compared with: a look that could not be had changes nothing.
pub(super) fn keep(before: Vec<Finding>, after: &[Finding]) -> Vec<Finding> {
    let known = |finding: &Finding| match finding.level {
        FindingLevel::Unknown => before.iter().find(|held| held.about == finding.about).cloned(),
        FindingLevel::Good | FindingLevel::Warning | FindingLevel::Failed => Some(finding.clone()),
    };
    after.iter().filter_map(known).collect()
}

fn is_wrong(level: FindingLevel) -> bool {
    matches!(level, FindingLevel::Failed | FindingLevel::Warning)
}

/// An event on the Lease, the one object that is the agent's for as long as it is installed.
pub(super) fn manifest(finding: &Finding, namespace: &str, lease: &str, now: Timestamp) -> Value {
    let kind = if is_wrong(finding.level) { "Warning" } else { "Normal" };
    let message = match &finding.fix {
        Some(fix) => format!("{}; {fix}", finding.text),
        None => finding.text.clone(),
    };
    let seconds = now.to_string();
    let seconds = seconds.split('.').next().unwrap_or_default().trim_end_matches('Z');
    json!({
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"generateName": format!("{lease}-"), "namespace": namespace},
        "involvedObject": {
            "apiVersion": "coordination.k8s.io/v1",
            "kind": "Lease",
            "namespace": namespace,
            "name": lease,
        },
        "reason": reason(&finding.about),
        "message": message,
        "type": kind,
        "source": {"component": "rialto-agent"},
        "firstTimestamp": format!("{seconds}Z"),
        "lastTimestamp": format!("{seconds}Z"),
        "count": 1,
    })
}

/// `source addresses` as Kubernetes writes reasons: `SourceAddresses`.
fn reason(about: &str) -> String {
    let capital = |word: &str| {
        let mut letters = word.chars();
        let first = letters.next().map(|first| first.to_ascii_uppercase());
        first.into_iter().chain(letters).collect::<String>()
    };
    about.split(' ').map(capital).collect()
}

#[cfg(test)]
mod tests;
