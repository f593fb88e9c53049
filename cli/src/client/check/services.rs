//! Whether services can be served, and what routes and policies name exists.

use std::collections::BTreeSet;

use rialto_types::error::Code;
use rialto_types::object::Document;
use rialto_types::service::{ServiceInCluster, ServiceStatus};
use serde_json::Value;

use super::{Finding, Level};
use crate::client::get::columns::{endpoint_count, status};
use crate::client::target::name;
use crate::print;

const SERVICES: &str = "services";
const REFERENCES: &str = "routes and policies";

pub(super) fn services(services: &[Document]) -> Vec<Finding> {
    let mut findings = Vec::new();
    let (mut good, mut exported) = (0, 0);
    for service in services {
        let Some(status) = status::<ServiceStatus>(service) else { continue };
        let faults = faults(&name(service), &status);
        if status.clusters.values().any(|inside| inside.exported) {
            exported += 1;
            good += usize::from(faults.is_empty());
        }
        findings.extend(faults);
    }
    if good == exported {
        let services = print::count(services.len(), "service", "services");
        let text = format!("{services}, {exported} exported, each with healthy endpoints");
        let text = if exported == 0 { format!("{services}, none exported") } else { text };
        findings.push(Finding::new(SERVICES, Level::Good, text));
    }
    findings
}

fn faults(name: &str, status: &ServiceStatus) -> Vec<Finding> {
    let mut findings = Vec::new();
    for conflict in &status.conflicts {
        let finding = Finding::new(SERVICES, Level::Warning, format!("{name}: {conflict}"));
        findings.push(finding.code(Code::DefinitionConflict).fix("define its ports alike"));
    }
    let exporting: Vec<&ServiceInCluster> =
        status.clusters.values().filter(|inside| inside.exported).collect();
    if exporting.is_empty() {
        return findings;
    }
    let counts: Vec<_> = exporting.iter().map(|inside| endpoint_count(inside)).collect();
    let healthy: u32 = counts.iter().flatten().map(|(healthy, _)| healthy).sum();
    if healthy == 0 && counts.iter().any(Option::is_none) {
        let text = format!("{name}: the health of its endpoints is unknown");
        findings.push(Finding::new(SERVICES, Level::Skipped, text));
    } else if healthy == 0 {
        let text = format!("{name}: no healthy endpoint in any cluster");
        let fix = format!("`rialto describe service {name}` shows where it should run");
        let finding = Finding::new(SERVICES, Level::Failed, text);
        findings.push(finding.code(Code::NoHealthyEndpoint).fix(fix));
    }
    findings
}

/// What is named but does not exist.
pub(super) fn references(
    services: &[Document],
    routes: &[Document],
    policies: &[Document],
) -> Vec<Finding> {
    let known: BTreeSet<String> = services.iter().map(name).collect();
    let mut findings = Vec::new();
    for document in routes.iter().chain(policies) {
        let of = |references: &Value| references.as_array().cloned().unwrap_or_default();
        let spec = &document.spec;
        let mut named = of(&spec["parentRefs"]);
        named.extend(of(&spec["targetRefs"]));
        for rule in of(&spec["rules"]) {
            let backends = of(&rule["backendRefs"]);
            let is_zero = |backend: &Value| backend["weight"].as_u64() == Some(0);
            if rule.get("backendRefs").is_some() && backends.iter().all(is_zero) {
                let (kind, name) = (&document.kind, name(document));
                let text = format!("{kind} {name}: a rule has no backend with a weight");
                let finding = Finding::new(REFERENCES, Level::Failed, text);
                findings.push(finding.code(Code::RouteWithoutBackend).fix("give one a weight"));
            }
            named.extend(backends);
        }
        findings.extend(dangling(document, &named, &known));
    }
    let count = routes.len() + policies.len();
    if findings.is_empty() && count > 0 {
        let objects = print::count(count, "object", "objects");
        let text = format!("{objects}; every service that is named exists");
        findings.push(Finding::new(REFERENCES, Level::Good, text));
    }
    findings
}

fn dangling(document: &Document, named: &[Value], known: &BTreeSet<String>) -> Vec<Finding> {
    let own = document.metadata.namespace.as_ref().map(ToString::to_string).unwrap_or_default();
    let service = |reference: &Value| {
        let namespace = reference["namespace"].as_str().unwrap_or(&own);
        format!("{namespace}/{}", reference["name"].as_str().unwrap_or_default())
    };
    let missing: BTreeSet<String> =
        named.iter().map(service).filter(|service| !known.contains(service)).collect();
    let finding = |service: &String| {
        let (kind, name) = (&document.kind, name(document));
        let text = format!("{kind} {name}: no cluster has the service {service}");
        let finding = Finding::new(REFERENCES, Level::Warning, text).code(Code::Dangling);
        finding.fix("correct the name, or start the service")
    };
    missing.iter().map(finding).collect()
}
