//! Conditions: what is claimed of an object, and since when. Pure.

use rialto_types::id::{ClusterName, Timestamp};
use rialto_types::import::{Port, Reason};
use rialto_types::limits;
use rialto_types::snapshot::ImportEntry;

use super::{ExportState, Validity};
use crate::kubernetes::object::Condition;

/// A condition without its history.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Claim {
    pub(super) kind: &'static str,
    pub(super) holds: bool,
    pub(super) reason: String,
    pub(super) message: String,
}

impl Claim {
    pub(super) fn new(kind: &'static str, holds: bool, reason: &str, message: String) -> Self {
        let message = message.chars().take(limits::KUBERNETES_MESSAGE_CHARS_MAX).collect();
        Self { kind, holds, reason: reason.into(), message }
    }
}

/// The conditions as they shall be; one whose status stays keeps its time.
pub(super) fn settle(
    claims: &[Claim],
    held: &[Condition],
    generation: i64,
    now: Timestamp,
) -> Vec<Condition> {
    let condition = |claim: &Claim| {
        let status = if claim.holds { "True" } else { "False" };
        let before = held.iter().find(|held| held.kind == claim.kind && held.status == status);
        Condition {
            kind: claim.kind.into(),
            status: status.into(),
            observed_generation: generation,
            last_transition_time: match before {
                Some(before) => before.last_transition_time.clone(),
                None => seconds(now),
            },
            reason: claim.reason.clone(),
            message: claim.message.clone(),
        }
    };
    claims.iter().map(condition).collect()
}

/// Whether `held` says all of `wanted`; what others say besides is theirs.
pub(super) fn has_all(held: &[Condition], wanted: &[Condition]) -> bool {
    wanted.iter().all(|condition| held.contains(condition))
}

/// Kubernetes' Time has no fraction of a second.
pub(super) fn seconds(time: Timestamp) -> String {
    let text = time.to_string();
    format!("{}Z", text.split('.').next().unwrap_or_default())
}

/// What is said of a ServiceExport of `cluster`; `entry` is what the bridge made of all exports.
pub(super) fn of_export(
    state: &ExportState,
    entry: Option<&ImportEntry>,
    cluster: &ClusterName,
) -> Vec<Claim> {
    let invalid = |reason, message: &str| {
        let failed = "see the condition `Valid`".into();
        vec![
            Claim::new("Valid", false, reason, message.into()),
            Claim::new("Ready", false, "Failed", failed),
        ]
    };
    match state.validity {
        Validity::Valid => {}
        Validity::NoService => {
            return invalid("NoService", "there is no Service of this name in the namespace");
        }
        Validity::InvalidServiceType => {
            let message = "a Service of type ExternalName has no endpoints to export";
            return invalid("InvalidServiceType", message);
        }
    }
    let valid = Claim::new("Valid", true, "Valid", String::new());
    let exported = entry.and_then(|entry| Some((entry, entry.clusters.get(cluster)?)));
    let Some((entry, served)) = exported else {
        let message = "the bridge has not said yet that it is exported".into();
        return vec![valid, Claim::new("Ready", false, "Pending", message)];
    };
    vec![valid, ready(entry, served), conflict(entry)]
}

fn ready(entry: &ImportEntry, served: &[Port]) -> Claim {
    if served.is_empty() && !entry.conflicts.is_empty() {
        let message = "older exports contradict all of it: see the condition `Conflict`".into();
        return Claim::new("Ready", false, "Failed", message);
    }
    Claim::new("Ready", true, "Exported", left_off(entry).unwrap_or_default())
}

/// The API recommends to tell every exporting cluster, and its conformance suite demands it.
fn conflict(entry: &ImportEntry) -> Claim {
    if entry.conflicts.is_empty() {
        return Claim::new("Conflict", false, "NoConflicts", String::new());
    }
    let mut reasons: Vec<Reason> = entry.conflicts.iter().map(|it| it.reason).collect();
    reasons.sort_unstable();
    reasons.dedup();
    let reasons: Vec<&str> = reasons.into_iter().map(Reason::as_str).collect();
    let messages: Vec<&str> = entry.conflicts.iter().map(|it| it.message.as_str()).collect();
    Claim::new("Conflict", true, &reasons.join(","), messages.join("; "))
}

/// The ports that gateways do not carry; a headless service's pods are dialled without them.
pub(super) fn left_off(entry: &ImportEntry) -> Option<String> {
    let why = entry.traits.ports.iter().find_map(Port::why_not_carried)?;
    let left = ports_left_off(entry);
    if left.is_empty() {
        return None;
    }
    Some(format!("{why}, so that these ports lead nowhere: {}", left.join(", ")))
}

pub(super) fn ports_left_off(entry: &ImportEntry) -> Vec<String> {
    let is_left = |port: &&Port| !entry.headless && !port.is_carried();
    entry.traits.ports.iter().filter(is_left).map(ToString::to_string).collect()
}

#[cfg(test)]
mod tests;
