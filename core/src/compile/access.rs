//! Access entries: the policies of each service, with workspaces replaced by what they own.

use std::collections::{BTreeMap, BTreeSet};

use rialto_types::id::{Namespace, ResourceName, ServiceName};
use rialto_types::object::{Kind, Spec};
use rialto_types::policy::{AccessPolicySpec, AccessRule, AccessSource};
use rialto_types::snapshot::{AccessEntry, CompiledPolicy, CompiledRule, CompiledSource};

use crate::state::State;

type Workspaces<'a> = BTreeMap<&'a ResourceName, &'a [Namespace]>;

/// By service; the policies of each in the order of their names.
pub(super) fn compile(state: &State) -> Vec<AccessEntry> {
    let workspaces = workspaces(state);
    let mut by_service: BTreeMap<ServiceName, Vec<CompiledPolicy>> = BTreeMap::new();
    for resource in state.resources(Kind::AccessPolicy) {
        let (Spec::AccessPolicy(spec), Some(namespace)) =
            (&resource.spec, &resource.metadata.namespace)
        else {
            continue;
        };
        let targets: BTreeSet<&ResourceName> = spec.target_refs.iter().map(|t| &t.name).collect();
        for target in targets {
            let service = ServiceName::new(namespace.clone(), target.clone());
            let policy = compiled(&resource.metadata.name, spec, &workspaces);
            by_service.entry(service).or_default().push(policy);
        }
    }
    let entry = |(service, policies)| AccessEntry { service, policies };
    by_service.into_iter().map(entry).collect()
}

fn workspaces(state: &State) -> Workspaces<'_> {
    let workspaces = state.resources(Kind::Workspace).filter_map(|resource| {
        let Spec::Workspace(spec) = &resource.spec else { return None };
        Some((&resource.metadata.name, spec.namespaces.as_slice()))
    });
    workspaces.collect()
}

fn compiled(
    name: &ResourceName,
    spec: &AccessPolicySpec,
    workspaces: &Workspaces<'_>,
) -> CompiledPolicy {
    let rule = |rule: &AccessRule| CompiledRule {
        from: rule.from.iter().map(|source| compiled_source(source, workspaces)).collect(),
        to: rule.to.clone(),
    };
    CompiledPolicy {
        name: name.clone(),
        action: spec.action,
        rules: spec.rules.iter().map(rule).collect(),
    }
}

/// A workspace that does not exist owns nothing: a source that names only such fits nobody.
fn compiled_source(source: &AccessSource, workspaces: &Workspaces<'_>) -> CompiledSource {
    let owned = source.workspaces.iter().filter_map(|name| workspaces.get(name));
    let owned: BTreeSet<Namespace> = owned.copied().flatten().cloned().collect();
    let namespaces = (!source.workspaces.is_empty()).then(|| owned.into_iter().collect());
    CompiledSource {
        identities: source.identities.clone(),
        clusters: source.clusters.clone(),
        namespaces,
    }
}
