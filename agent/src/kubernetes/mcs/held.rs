//! What is in the cluster, as far as it decides what to write. Pure.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

use super::MANAGER;
use super::desired::{DIGEST, MANAGED_BY};
use crate::kubernetes::object::Condition;

/// A ServiceImport.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct HeldImport {
    pub(super) metadata: HeldMetadata,
    #[serde(default)]
    pub(super) spec: Value,
    #[serde(default)]
    pub(super) status: HeldStatus,
}

/// An EndpointSlice.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct HeldSlice {
    pub(super) metadata: HeldMetadata,
    #[serde(default)]
    address_type: Value,
    #[serde(default)]
    endpoints: Value,
    #[serde(default)]
    ports: Value,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct HeldMetadata {
    pub(super) name: String,
    pub(super) namespace: String,
    pub(super) uid: String,
    pub(super) generation: i64,
    labels: BTreeMap<String, String>,
    annotations: BTreeMap<String, String>,
    managed_fields: Vec<ManagedField>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
struct ManagedField {
    manager: String,
    subresource: String,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct HeldStatus {
    pub(super) endpoint_slice_objects: String,
    pub(super) clusters: Vec<HeldCluster>,
    pub(super) conditions: Vec<Condition>,
}

#[derive(Debug, Clone, Deserialize)]
pub(super) struct HeldCluster {
    pub(super) cluster: String,
}

impl HeldMetadata {
    pub(super) fn key(&self) -> (String, String) {
        (self.namespace.clone(), self.name.clone())
    }

    /// Whether we made it; somebody may have taken our label off.
    pub(super) fn is_ours(&self) -> bool {
        self.labels.get(MANAGED_BY).is_some_and(|by| by == MANAGER)
            || self.makers().any(|field| field.manager == MANAGER)
    }

    /// Who made it, if we did not.
    pub(super) fn manager(&self) -> String {
        let maker = self.makers().next().map(|field| field.manager.clone());
        maker.unwrap_or_else(|| "unknown".into())
    }

    fn makers(&self) -> impl Iterator<Item = &ManagedField> {
        self.managed_fields.iter().filter(|field| field.subresource.is_empty())
    }

    fn has_digest_of(&self, manifest: &Value) -> bool {
        let digest = manifest["metadata"]["annotations"][DIGEST].as_str();
        self.annotations.get(DIGEST).map(String::as_str) == digest
    }
}

impl HeldImport {
    /// Whether it was written as `manifest` says and is still so.
    pub(super) fn is_as(&self, manifest: &Value) -> bool {
        self.metadata.has_digest_of(manifest) && self.spec == manifest["spec"]
    }
}

impl HeldSlice {
    pub(super) fn is_as(&self, manifest: &Value) -> bool {
        self.metadata.has_digest_of(manifest)
            && self.address_type == manifest["addressType"]
            && self.endpoints == manifest["endpoints"]
            && self.ports == manifest["ports"]
    }
}
