//! Workspaces, routes, failover and access: what is refused, and what is only odd.

use std::collections::{BTreeMap, BTreeSet};

use rialto_types::id::{ClusterName, Namespace, ResourceName, ServiceName};
use rialto_types::object::{Key, Kind, Resource, Spec};
use rialto_types::policy::{AccessPolicySpec, AccessSource, TargetRef, WorkspaceSpec};
use rialto_types::route::{BackendRef, HttpRouteSpec, ParentRef, TcpRouteSpec};

use super::{Refused, State, cluster_name};

impl State {
    pub(super) fn check_workspace(&self, key: &Key, spec: &WorkspaceSpec) -> Result<(), Refused> {
        let others = self.objects.of_kind(Kind::Workspace);
        let others = others.filter(|other| other.metadata.name != key.name);
        let owned = others.flat_map(|other| {
            let Spec::Workspace(spec) = &other.spec else { return Vec::new() };
            spec.namespaces.iter().map(|namespace| (namespace, &other.metadata.name)).collect()
        });
        let owned: BTreeMap<&Namespace, &ResourceName> = owned.collect();
        let mut seen = BTreeSet::new();
        for (at, namespace) in spec.namespaces.iter().enumerate() {
            let field = format!("spec.namespaces[{at}]");
            if !seen.insert(namespace) {
                let reason = format!("`{namespace}` is named twice");
                return Err(Refused::Field { key: key.clone(), field, reason });
            }
            if let Some(&workspace) = owned.get(namespace) {
                let (key, namespace) = (key.clone(), namespace.clone());
                let workspace = workspace.clone();
                return Err(Refused::NamespaceTaken { key, namespace, workspace, field });
            }
        }
        Ok(())
    }

    /// Refuses to delete what other objects name, where its absence would silently change them.
    pub(super) fn check_unused(&self, key: &Key) -> Result<(), Refused> {
        match key.kind {
            Kind::Cluster => self.check_cluster_unused(key, &cluster_name(&key.name)),
            Kind::Workspace => {
                let policies = self.objects.of_kind(Kind::AccessPolicy).filter(|policy| {
                    let mut named = workspaces_named(&policy.spec).into_iter();
                    named.any(|(_, workspace)| *workspace == key.name)
                });
                let by: Vec<String> = policies.map(|policy| policy.key().to_string()).collect();
                if by.is_empty() {
                    return Ok(());
                }
                let hint = "take the workspace's name out of these policies first";
                Err(Refused::InUse { key: key.clone(), by, hint })
            }
            Kind::JoinToken
            | Kind::Service
            | Kind::ServiceExport
            | Kind::HttpRoute
            | Kind::TcpRoute
            | Kind::FailoverPolicy
            | Kind::AccessPolicy => Ok(()),
        }
    }

    /// The objects that name a cluster. Join tokens go with their cluster and do not count.
    pub(super) fn naming_cluster(&self, name: &ClusterName) -> Vec<String> {
        let names_it = |resource: &&Resource| {
            clusters_named(&resource.spec).into_iter().any(|(_, named)| named == name)
        };
        let kinds = [Kind::ServiceExport, Kind::FailoverPolicy, Kind::AccessPolicy];
        let objects = kinds.into_iter().flat_map(|kind| self.objects.of_kind(kind));
        objects.filter(names_it).map(|resource| resource.key().to_string()).collect()
    }

    /// `oddities` as text.
    pub(super) fn warnings(&self, resource: &Resource) -> Vec<String> {
        let oddities = self.oddities(resource).into_iter();
        oddities.map(|(field, what)| format!("`{field}`: {what}")).collect()
    }

    /// What is odd but allowed about an object, each with its field: it names what does not exist
    /// (yet), or says what somebody else says too.
    pub(crate) fn oddities(&self, resource: &Resource) -> Vec<(String, String)> {
        let Some(namespace) = &resource.metadata.namespace else { return Vec::new() };
        let mut odd = Vec::new();
        for (field, service) in services_named(&resource.spec, namespace) {
            if !self.holders.contains_key(&service) {
                odd.push((field, format!("no cluster has a service {service}")));
            } else if !self.is_exported(&service) {
                odd.push((field, format!("no cluster exports service {service}")));
            }
        }
        for (field, cluster) in clusters_named(&resource.spec) {
            if !self.clusters.contains_key(cluster) {
                odd.push((field, format!("no cluster is named `{cluster}`")));
            }
        }
        for (field, workspace) in workspaces_named(&resource.spec) {
            let key = Key { kind: Kind::Workspace, namespace: None, name: workspace.clone() };
            if self.objects.get(&key).is_none() {
                odd.push((field, format!("no workspace is named `{workspace}`")));
            }
        }
        if let Spec::ServiceExport(spec) = &resource.spec {
            let service = ServiceName::new(namespace.clone(), resource.metadata.name.clone());
            if !self.holders.contains_key(&service) {
                let what = format!("no cluster has a service {service}");
                odd.push(("metadata.name".into(), what));
            }
            for cluster in self.exported_twice(&service, spec) {
                let what = format!("cluster {cluster} exports {service} itself, too");
                odd.push(("spec.clusters".into(), what));
            }
        }
        odd
    }

    /// What is odd about the objects that stay when this one is gone.
    pub(super) fn warnings_of_removal(&self, key: &Key) -> Vec<String> {
        let (Kind::ServiceExport, Some(namespace)) = (key.kind, &key.namespace) else {
            return Vec::new();
        };
        let service = ServiceName::new(namespace.clone(), key.name.clone());
        if self.is_exported(&service) {
            return Vec::new();
        }
        let kinds = [Kind::HttpRoute, Kind::TcpRoute, Kind::FailoverPolicy, Kind::AccessPolicy];
        let objects = kinds.into_iter().flat_map(|kind| self.objects.of_kind(kind));
        let naming = objects.filter(|resource| {
            let Some(namespace) = &resource.metadata.namespace else { return false };
            services_named(&resource.spec, namespace).iter().any(|(_, named)| *named == service)
        });
        naming
            .map(|resource| format!("{} names {service}, which nobody exports", resource.key()))
            .collect()
    }
}

pub(super) fn check_http_route(key: &Key, spec: &HttpRouteSpec) -> Result<(), Refused> {
    check_parents(key, &spec.parent_refs)?;
    for (at, rule) in spec.rules.iter().enumerate() {
        check_backends(key, &format!("spec.rules[{at}]"), &rule.backend_refs)?;
    }
    Ok(())
}

pub(super) fn check_tcp_route(key: &Key, spec: &TcpRouteSpec) -> Result<(), Refused> {
    check_parents(key, &spec.parent_refs)?;
    for (at, rule) in spec.rules.iter().enumerate() {
        check_backends(key, &format!("spec.rules[{at}]"), &rule.backend_refs)?;
    }
    Ok(())
}

fn check_parents(key: &Key, parents: &[ParentRef]) -> Result<(), Refused> {
    let mut parents = parents.iter().enumerate();
    match parents.find(|(_, parent)| is_foreign(key, parent.namespace.as_ref())) {
        Some((at, _)) => Err(foreign(key, format!("spec.parentRefs[{at}].namespace"))),
        None => Ok(()),
    }
}

fn check_backends(key: &Key, rule: &str, backends: &[BackendRef]) -> Result<(), Refused> {
    let mut backends = backends.iter().enumerate();
    match backends.find(|(_, backend)| is_foreign(key, backend.namespace.as_ref())) {
        Some((at, _)) => Err(foreign(key, format!("{rule}.backendRefs[{at}].namespace"))),
        None => Ok(()),
    }
}

fn is_foreign(key: &Key, namespace: Option<&Namespace>) -> bool {
    namespace.is_some() && namespace != key.namespace.as_ref()
}

fn foreign(key: &Key, field: String) -> Refused {
    let reason = "is not the route's own namespace, and a route reaches no other".into();
    Refused::Field { key: key.clone(), field, reason }
}

/// The services that an object names, each with the field that does.
fn services_named(spec: &Spec, namespace: &Namespace) -> Vec<(String, ServiceName)> {
    let parent = |(at, parent): (usize, &ParentRef)| {
        (format!("spec.parentRefs[{at}]"), parent.service(namespace))
    };
    let backends = |rule: usize, backends: &[BackendRef]| -> Vec<(String, ServiceName)> {
        let field = |at| format!("spec.rules[{rule}].backendRefs[{at}]");
        backends.iter().enumerate().map(|(at, b)| (field(at), b.service(namespace))).collect()
    };
    let targets = |targets: &[TargetRef]| -> Vec<(String, ServiceName)> {
        let service = |target: &TargetRef| ServiceName::new(namespace.clone(), target.name.clone());
        let targets = targets.iter().enumerate();
        targets.map(|(at, t)| (format!("spec.targetRefs[{at}]"), service(t))).collect()
    };
    match spec {
        Spec::HttpRoute(spec) => {
            let rules = spec.rules.iter().enumerate();
            let of_rules = rules.flat_map(|(at, rule)| backends(at, &rule.backend_refs));
            spec.parent_refs.iter().enumerate().map(parent).chain(of_rules).collect()
        }
        Spec::TcpRoute(spec) => {
            let rules = spec.rules.iter().enumerate();
            let of_rules = rules.flat_map(|(at, rule)| backends(at, &rule.backend_refs));
            spec.parent_refs.iter().enumerate().map(parent).chain(of_rules).collect()
        }
        Spec::FailoverPolicy(spec) => targets(&spec.target_refs),
        Spec::AccessPolicy(spec) => targets(&spec.target_refs),
        Spec::Cluster(_) | Spec::JoinToken(_) | Spec::Workspace(_) | Spec::ServiceExport(_) => {
            Vec::new()
        }
    }
}

/// The clusters that an object names, each with the field that does.
fn clusters_named(spec: &Spec) -> Vec<(String, &ClusterName)> {
    let listed = |field: &'static str, clusters| named(format!("spec.{field}"), clusters);
    match spec {
        Spec::ServiceExport(spec) => listed("clusters", &spec.clusters),
        Spec::FailoverPolicy(spec) => listed("order", &spec.order),
        Spec::AccessPolicy(spec) => {
            let sources = sources(spec);
            sources.flat_map(|(at, s)| named(format!("{at}.clusters"), &s.clusters)).collect()
        }
        Spec::Cluster(_)
        | Spec::JoinToken(_)
        | Spec::Workspace(_)
        | Spec::HttpRoute(_)
        | Spec::TcpRoute(_) => Vec::new(),
    }
}

fn workspaces_named(spec: &Spec) -> Vec<(String, &ResourceName)> {
    let Spec::AccessPolicy(spec) = spec else { return Vec::new() };
    let sources = sources(spec);
    sources.flat_map(|(at, s)| named(format!("{at}.workspaces"), &s.workspaces)).collect()
}

fn sources(spec: &AccessPolicySpec) -> impl Iterator<Item = (String, &AccessSource)> {
    let rules = spec.rules.iter().enumerate();
    rules.flat_map(|(rule, of)| {
        let sources = of.from.iter().enumerate();
        sources.map(move |(at, source)| (format!("spec.rules[{rule}].from[{at}]"), source))
    })
}

fn named<T>(field: String, names: &[T]) -> Vec<(String, &T)> {
    names.iter().enumerate().map(|(at, name)| (format!("{field}[{at}]"), name)).collect()
}
