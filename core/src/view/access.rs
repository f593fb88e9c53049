//! Who may call a service, in words.

use rialto_types::id::ServiceName;
use rialto_types::object::Kind;
use rialto_types::policy::{AccessOperation, Action};
use rialto_types::snapshot::{Access, CompiledPolicy, CompiledRule, CompiledSource, Snapshot};
use rialto_types::view::Ref;
use rialto_types::view::service::{AccessView, PolicyView};

pub(super) fn access(snapshot: &Snapshot, service: &ServiceName) -> AccessView {
    let policies = match snapshot.access.get(service) {
        None => &[][..],
        Some(Access::Policies(entry)) => &entry.policies[..],
        Some(Access::Unreadable) => {
            let text = "nobody may call it: its policies cannot be read".into();
            return AccessView { open: false, policies: Vec::new(), text };
        }
    };
    let has = |action| policies.iter().any(|policy| policy.action == action);
    let text = match (has(Action::Allow), has(Action::Deny)) {
        (false, false) => "every workload of the federation may call it",
        (false, true) => "every workload may call it, but for what a DENY rule fits",
        (true, false) => "only what an ALLOW rule fits may call it",
        (true, true) => "only what an ALLOW rule fits and no DENY rule may call it",
    };
    let view = |policy: &CompiledPolicy| PolicyView {
        subject: Ref {
            kind: Kind::AccessPolicy.to_string(),
            namespace: Some(service.namespace.clone()),
            name: policy.name.to_string(),
            cluster: None,
        },
        action: policy.action,
        rules: policy.rules.iter().map(rule).collect(),
    };
    AccessView {
        open: !has(Action::Allow),
        policies: policies.iter().map(view).collect(),
        text: text.into(),
    }
}

fn rule(rule: &CompiledRule) -> String {
    let from: Vec<String> = rule.from.iter().map(source).collect();
    let to: Vec<String> = rule.to.iter().map(operation).collect();
    let or_all = |parts: Vec<String>, all: &str| match parts.is_empty() {
        true => all.to_string(),
        false => parts.join(" or "),
    };
    format!("{}: {}", or_all(from, "everybody"), or_all(to, "everything"))
}

fn source(source: &CompiledSource) -> String {
    let mut parts = Vec::new();
    if !source.identities.is_empty() {
        let identities: Vec<&str> = source.identities.iter().map(|i| i.as_str()).collect();
        parts.push(identities.join(" or "));
    }
    if let Some(namespaces) = &source.namespaces {
        let names: Vec<&str> = namespaces.iter().map(|namespace| namespace.as_str()).collect();
        parts.push(match names.is_empty() {
            true => "nobody, because the workspace owns no namespace".into(),
            false => format!("namespace {}", names.join(" or ")),
        });
    }
    if !source.clusters.is_empty() {
        let names: Vec<&str> = source.clusters.iter().map(|cluster| cluster.as_str()).collect();
        parts.push(format!("in {}", names.join(" or ")));
    }
    if parts.is_empty() { "everybody".into() } else { parts.join(" ") }
}

fn operation(operation: &AccessOperation) -> String {
    let methods = operation.methods.join(" or ");
    let paths = operation.paths.join(" or ");
    match (methods.is_empty(), paths.is_empty()) {
        (true, true) => "everything".into(),
        (true, false) => paths,
        (false, true) => methods,
        (false, false) => format!("{methods} {paths}"),
    }
}
