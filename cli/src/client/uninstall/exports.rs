//! What the agent said on people's own ServiceExports: its conditions go with it, and nothing else
//! of those objects.

use std::collections::BTreeSet;

use serde::Deserialize;
use serde_json::{Value, json};

use super::Cluster;
use crate::failure::Failure;

const KIND: &str = "serviceexports.multicluster.x-k8s.io";
/// The agent's name as a field manager.
const MANAGER: &str = "rialto-agent";

/// How kubectl says that somebody changed or deleted the object after it was read.
const CHANGED: [&str; 2] = ["(Conflict)", "(NotFound)"];

/// Takes the agent's conditions off all exports, and names those that had some: somebody may write
/// meanwhile, so that only the next look says that they are off.
pub(super) async fn clear(cluster: &Cluster) -> Result<Vec<String>, Failure> {
    let kind = ["get", "crd", KIND, "--ignore-not-found", "--output=name"];
    if cluster.kubectl(&kind).await?.trim().is_empty() {
        return Ok(Vec::new());
    }
    let list = ["get", KIND, "--all-namespaces", "--show-managed-fields", "--output=json"];
    let list = cluster.kubectl(&list).await?;
    let unreadable = |error| Failure::failed(format!("{KIND} cannot be read: {error}"));
    let list: List = serde_json::from_str(&list).map_err(unreadable)?;
    let mut had = Vec::new();
    for export in &list.items {
        let Some(patch) = export.without_ours() else { continue };
        let Metadata { namespace, name, .. } = &export.metadata;
        let patch = patch.to_string();
        let patched = ["patch", KIND, name, "--namespace", namespace, "--subresource=status"];
        let patched = [&patched[..], &["--type=merge", "--patch", &patch]].concat();
        match cluster.kubectl(&patched).await {
            Err(failure) if !CHANGED.iter().any(|reason| failure.text.contains(reason)) => {
                return Err(failure);
            }
            Ok(_) | Err(_) => {}
        }
        had.push(format!("{KIND}/{namespace}/{name}"));
    }
    Ok(had)
}

#[derive(Deserialize)]
struct List {
    items: Vec<Export>,
}

#[derive(Deserialize)]
struct Export {
    metadata: Metadata,
    #[serde(default)]
    status: Value,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Metadata {
    namespace: String,
    name: String,
    resource_version: String,
    #[serde(default)]
    managed_fields: Vec<Managed>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Managed {
    #[serde(default)]
    manager: String,
    #[serde(default)]
    fields_v1: Value,
}

impl Export {
    /// The merge patch that leaves what others said, if nobody wrote meanwhile; `None` if we said
    /// nothing.
    fn without_ours(&self) -> Option<Value> {
        let ours = self.ours();
        let held = self.status["conditions"].as_array()?;
        let is_ours =
            |condition: &&Value| condition["type"].as_str().is_some_and(|kind| ours.contains(kind));
        if !held.iter().any(|condition| is_ours(&condition)) {
            return None;
        }
        let others: Vec<&Value> = held.iter().filter(|condition| !is_ours(condition)).collect();
        let is_all = self.status.as_object().is_some_and(|status| status.len() == 1);
        let status = match (others.is_empty(), is_all) {
            (true, true) => Value::Null,
            (true, false) => json!({"conditions": null}),
            (false, _) => json!({"conditions": others}),
        };
        let version = &self.metadata.resource_version;
        Some(json!({"metadata": {"resourceVersion": version}, "status": status}))
    }

    /// The types of the conditions that the API server knows to be the agent's.
    fn ours(&self) -> BTreeSet<String> {
        let managed = self.metadata.managed_fields.iter();
        let conditions = managed
            .filter(|managed| managed.manager == MANAGER)
            .filter_map(|managed| managed.fields_v1["f:status"]["f:conditions"].as_object());
        // A list's item is named by its key: `k:{"type":"Ready"}`.
        let kind = |key: &String| -> Option<String> {
            let key: Value = serde_json::from_str(key.strip_prefix("k:")?).ok()?;
            Some(key["type"].as_str()?.to_owned())
        };
        conditions.flat_map(|conditions| conditions.keys()).filter_map(kind).collect()
    }
}

#[cfg(test)]
mod tests;
