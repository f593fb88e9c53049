//! Clusters: what is kept of each, and when one may change or go.

use std::collections::BTreeMap;

use rialto_types::cluster::{ClusterSpec, GatewayAddress};
use rialto_types::id::{ClusterName, Namespace, Revision, ServiceName, Timestamp};
use rialto_types::object::{Key, Kind, Resource, Spec};
use rialto_types::report::{ReportedService, VirtualIps};
use serde::{Deserialize, Serialize};

use super::trust::Issuer;
use super::{At, Effect, Refused, State, cluster_key, service_key};

/// What is kept of a cluster besides its object: its issuer and what its agent reported last.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Record {
    pub(super) issuer: Issuer,
    /// The agent's epoch and revision; `None` until it first reported.
    pub(super) position: Option<Revision>,
    /// Sorted, each once; `None` means that every namespace exists there.
    pub(super) namespaces: Option<Vec<Namespace>>,
    pub(super) gateways: Vec<GatewayAddress>,
    pub(super) services: BTreeMap<ServiceName, Held>,
    /// `None` where the bridge gives the addresses.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) virtual_ips: Option<VirtualIps>,
}

/// A service as one cluster has it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Held {
    pub(super) service: ReportedService,
    /// Since when the cluster's own registry exports it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) exported_since: Option<Timestamp>,
}

/// A cluster as readers see it.
#[derive(Debug, Clone, Copy)]
pub struct ClusterView<'a> {
    pub name: &'a ClusterName,
    pub spec: &'a ClusterSpec,
    pub issuer: &'a Issuer,
    /// Sorted, each once; `None` means that every namespace exists there.
    pub namespaces: Option<&'a [Namespace]>,
    pub gateways: &'a [GatewayAddress],
    /// The agent's epoch and revision of the last report; `None` until it first reported.
    pub position: Option<Revision>,
    pub services: usize,
}

impl ClusterView<'_> {
    pub fn has_namespace(&self, namespace: &Namespace) -> bool {
        self.namespaces.is_none_or(|namespaces| namespaces.binary_search(namespace).is_ok())
    }
}

impl State {
    pub fn cluster(&self, name: &ClusterName) -> Option<ClusterView<'_>> {
        let (name, record) = self.clusters.get_key_value(name)?;
        Some(ClusterView {
            name,
            spec: self.cluster_spec(name)?,
            issuer: &record.issuer,
            namespaces: record.namespaces.as_deref(),
            gateways: &record.gateways,
            position: record.position,
            services: record.services.len(),
        })
    }

    pub fn clusters(&self) -> impl Iterator<Item = ClusterView<'_>> {
        self.clusters.keys().filter_map(|name| self.cluster(name))
    }

    pub(super) fn cluster_spec(&self, name: &ClusterName) -> Option<&ClusterSpec> {
        let Spec::Cluster(spec) = &self.objects.get(&cluster_key(name))?.spec else { return None };
        Some(spec)
    }

    /// What draining the cluster moves: first the services that other clusters serve too, then
    /// those that live only there and stay served from there.
    pub fn drain_effect(&self, cluster: &ClusterName) -> (Vec<ServiceName>, Vec<ServiceName>) {
        let Some(record) = self.clusters.get(cluster) else { return Default::default() };
        let exported = record.services.keys().filter_map(|service| {
            let definition = self.definition(service);
            definition.clusters.contains_key(cluster).then_some((service, definition))
        });
        let (mut moved, mut kept) = (Vec::new(), Vec::new());
        for (service, definition) in exported {
            let takes_over = |other: &ClusterName| {
                other != cluster && self.cluster_spec(other).is_some_and(|spec| !spec.drained)
            };
            let elsewhere = definition.clusters.keys().any(takes_over);
            if elsewhere { &mut moved } else { &mut kept }.push(service.clone());
        }
        (moved, kept)
    }

    pub(super) fn set_drained(
        &mut self,
        cluster: &ClusterName,
        drained: bool,
        at: At,
    ) -> Result<Effect, Refused> {
        let key = cluster_key(cluster);
        let unknown = || Refused::ClusterUnknown { cluster: cluster.clone() };
        let held = self.objects.get(&key).ok_or_else(unknown)?;
        let Spec::Cluster(spec) = &held.spec else { return Err(unknown()) };
        if spec.drained == drained {
            return Ok(self.unchanged(&key));
        }
        let spec = Spec::Cluster(ClusterSpec { drained, ..spec.clone() });
        let metadata = held.metadata.clone();
        let mut effect = self.write(Resource { metadata, spec }, at);
        effect.summary = format!("{} {key}", if drained { "drained" } else { "undrained" });
        Ok(effect)
    }

    /// Addresses are for the life of a service, so a range with addresses in use stays.
    pub(super) fn check_cluster(&self, key: &Key, spec: &ClusterSpec) -> Result<(), Refused> {
        let name = super::cluster_name(&key.name);
        let Some(held) = self.cluster_spec(&name) else { return Ok(()) };
        let in_use = self.vips.get(&name).is_some_and(|table| !table.is_empty());
        let changed = if held.vip_range != spec.vip_range {
            "spec.vipRange"
        } else if held.vip_range6 != spec.vip_range6 {
            "spec.vipRange6"
        } else {
            return Ok(());
        };
        if !in_use {
            return Ok(());
        }
        let reason = "services have virtual IPs in this range, and those are for life; make a new \
                      cluster with the new range instead";
        Err(Refused::Field { key: key.clone(), field: changed.into(), reason: reason.into() })
    }

    pub(super) fn put_cluster(
        &mut self,
        resource: Resource,
        fresh_issuer: Option<Issuer>,
        at: At,
    ) -> Result<Effect, Refused> {
        let name = super::cluster_name(&resource.metadata.name);
        let is_new = !self.clusters.contains_key(&name);
        if is_new {
            let missing = Refused::IssuerMissing { cluster: name.clone() };
            let record = Record {
                issuer: fresh_issuer.ok_or(missing)?,
                position: None,
                namespaces: None,
                gateways: Vec::new(),
                services: BTreeMap::new(),
                virtual_ips: None,
            };
            self.clusters.insert(name.clone(), record.into());
            self.vips.insert(name.clone(), Default::default());
        }
        let mut effect = self.write(resource, at);
        if is_new {
            // The new cluster needs an address for every service of the others.
            effect.services.extend(self.holders.keys().cloned());
        }
        Ok(effect)
    }

    pub(super) fn check_cluster_unused(
        &self,
        key: &Key,
        name: &ClusterName,
    ) -> Result<(), Refused> {
        let by = self.naming_cluster(name);
        if !by.is_empty() {
            let hint = "take the cluster's name out of these objects first";
            return Err(Refused::InUse { key: key.clone(), by, hint });
        }
        // A cluster that is gone for good cannot take its exports back; draining says so instead.
        let drained = self.cluster_spec(name).is_some_and(|spec| spec.drained);
        let Some(record) = self.clusters.get(name) else { return Ok(()) };
        let exported = record.services.keys().filter(|service| self.is_exported_by(service, name));
        let by: Vec<String> = exported.map(|s| service_key(s.clone()).to_string()).collect();
        if drained || by.is_empty() {
            return Ok(());
        }
        let hint = "the cluster still exports these; drain it first (`rialto drain CLUSTER`)";
        Err(Refused::InUse { key: key.clone(), by, hint })
    }

    pub(super) fn remove_cluster(&mut self, name: &ClusterName, effect: &mut Effect) {
        self.vips.remove(name);
        self.gateway_ports.remove(name);
        let Some(record) = self.clusters.remove(name) else { return };
        for service in record.into_inner().services.into_keys() {
            self.forget_holder(&service, name);
            effect.touched.insert(service_key(service.clone()));
            effect.services.insert(service);
        }
        let tokens = self.objects.of_kind(Kind::JoinToken).filter(|token| {
            let Spec::JoinToken(spec) = &token.spec else { return false };
            spec.cluster.as_ref() == Some(name)
        });
        let tokens: Vec<Key> = tokens.map(Resource::key).collect();
        for token in tokens {
            self.objects.remove(&token);
            effect.touched.insert(token);
        }
    }
}
