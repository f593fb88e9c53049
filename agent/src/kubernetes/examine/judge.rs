//! What was looked at, judged. Pure.

use std::net::SocketAddr;

use rialto_types::finding::{Finding, FindingLevel};
use rialto_types::id::{ClusterName, InstanceId};
use rialto_types::limits;
use serde::Deserialize;

use super::Seen;
use super::names::Answer;
use crate::config::Mode;
use crate::kubernetes::mcs::Standing;

/// All that was looked at; an error says why it could not be.
#[derive(Debug, Clone)]
pub(super) struct Facts {
    pub(super) mode: Mode,
    pub(super) secret: String,
    pub(super) lease: String,
    pub(super) rules: Result<Vec<Rule>, String>,
    pub(super) exports: Result<Vec<String>, String>,
    /// `None` where pods are not to reach other clusters by name.
    pub(super) names: Option<Result<Answer, String>>,
    /// `None` where nothing of this cluster is captured.
    pub(super) seen: Option<Result<Vec<Seen>, String>>,
    pub(super) unaddressed: Vec<InstanceId>,
    /// `None` where none are written.
    pub(super) imports: Option<Standing>,
    /// The clusters whose pods do not answer ours, each with the pod that was asked.
    pub(super) unreached: Vec<(ClusterName, SocketAddr)>,
}

/// What RBAC allows.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Rule {
    #[serde(default)]
    verbs: Vec<String>,
    #[serde(default)]
    api_groups: Vec<String>,
    #[serde(default)]
    resources: Vec<String>,
    #[serde(default)]
    resource_names: Vec<String>,
}

/// What the chart's roles give an agent, and what of it is only for mode Control.
const READ: &[(&str, &str, &[&str])] = &[
    ("", "namespaces", &["list", "watch"]),
    ("", "services", &["list", "watch"]),
    ("", "pods", &["list", "watch"]),
    ("discovery.k8s.io", "endpointslices", &["list", "watch"]),
    ("multicluster.x-k8s.io", "serviceexports", &["list", "watch"]),
    ("authentication.k8s.io", "tokenreviews", &["create"]),
];
const WRITE: &[(&str, &str, &[&str])] = &[
    ("", "services", &["list", "create", "patch", "delete"]),
    ("", "events", &["create"]),
    ("discovery.k8s.io", "endpointslices", &["create", "patch", "delete"]),
    ("multicluster.x-k8s.io", "serviceimports", &["list", "create", "patch", "delete"]),
    ("multicluster.x-k8s.io", "serviceimports/status", &["patch"]),
    ("multicluster.x-k8s.io", "serviceexports/status", &["patch"]),
];

pub(super) fn judge(facts: &Facts) -> Vec<Finding> {
    let mut findings = vec![permissions(facts), exports(&facts.exports), gateways(facts)];
    findings.extend(facts.names.as_ref().map(names));
    findings.extend(facts.seen.as_ref().map(sources));
    if let Some(standing) = &facts.imports {
        findings.push(imports(standing));
        findings.extend(headless(standing, &facts.unreached));
    }
    findings
}

fn permissions(facts: &Facts) -> Finding {
    const ABOUT: &str = "permissions";
    let rules = match &facts.rules {
        Ok(rules) => rules,
        Err(why) => return unknown(ABOUT, why),
    };
    let controls = facts.mode == Mode::Control;
    let needs = READ.iter().chain(WRITE.iter().filter(|_| controls));
    let mut missing: Vec<String> = needs
        .filter_map(|(group, resource, verbs)| {
            let lacks = |verb: &&&str| !allows(rules, group, resource, "", verb);
            let lacking: Vec<&str> = verbs.iter().filter(lacks).copied().collect();
            (!lacking.is_empty()).then(|| format!("{} {resource}", lacking.join(", ")))
        })
        .collect();
    for (group, resource, name) in
        [("", "secrets", &facts.secret), ("coordination.k8s.io", "leases", &facts.lease)]
    {
        let lacks = |verb: &&str| !allows(rules, group, resource, name, verb);
        let lacking: Vec<&str> = ["get", "patch"].into_iter().filter(lacks).collect();
        if !lacking.is_empty() {
            missing.push(format!("{} {resource} `{name}`", lacking.join(", ")));
        }
    }
    if missing.is_empty() {
        return good(ABOUT, "the agent may do what it needs to");
    }
    let text = format!("the agent may not {}", missing.join("; "));
    Finding::new(ABOUT, FindingLevel::Failed, text)
        .with_fix("install the chart again: its roles allow that; look for who changed them")
}

fn allows(rules: &[Rule], group: &str, resource: &str, name: &str, verb: &str) -> bool {
    let has = |list: &[String], wanted: &str| list.iter().any(|it| it == wanted || it == "*");
    rules.iter().any(|rule| {
        has(&rule.verbs, verb)
            && has(&rule.api_groups, group)
            && has(&rule.resources, resource)
            && (rule.resource_names.is_empty() || rule.resource_names.iter().any(|it| it == name))
    })
}

fn exports(versions: &Result<Vec<String>, String>) -> Finding {
    const ABOUT: &str = "ServiceExports";
    let versions = match versions {
        Ok(versions) => versions,
        Err(why) => return unknown(ABOUT, why),
    };
    if versions.is_empty() {
        let text = "the cluster has no kind ServiceExport, so that nothing of it can be exported";
        return Finding::new(ABOUT, FindingLevel::Warning, text).with_fix(
            "install the chart's `crds` folder: `kubectl apply -f deploy/helm/rialto/crds`",
        );
    }
    let served = versions.join(", ");
    if versions.iter().any(|version| matches!(version.as_str(), "v1beta1" | "v1alpha1")) {
        return good(ABOUT, &format!("the cluster has the kind in {served}"));
    }
    let text = format!("the cluster has the kind in {served}, which this release does not read");
    let fix = "serve v1beta1 or v1alpha1 as well, or upgrade Rialto";
    Finding::new(ABOUT, FindingLevel::Failed, text).with_fix(fix)
}

fn imports(standing: &Standing) -> Finding {
    const ABOUT: &str = "ServiceImports";
    if let Some(why) = &standing.stopped {
        let text = format!("{why}, so that none is written");
        return Finding::new(ABOUT, FindingLevel::Failed, text).with_fix(
            "remove the other controller and its ServiceImports, or install the chart with `mode: \
             Observe`; where the kind is missing, `kubectl apply -f deploy/helm/rialto/crds`",
        );
    }
    if standing.left_off.is_empty() {
        return good(ABOUT, "all ports of what is imported are carried");
    }
    let text = format!("gateways carry TCP only: {} lead nowhere", some_of(&standing.left_off));
    let fix = "reach these services by a TCP port";
    Finding::new(ABOUT, FindingLevel::Warning, text).with_fix(fix)
}

/// Nothing where no other cluster has pods that are dialled themselves.
fn headless(standing: &Standing, unreached: &[(ClusterName, SocketAddr)]) -> Option<Finding> {
    const ABOUT: &str = "headless services";
    if standing.pods.is_empty() {
        return None;
    }
    if unreached.is_empty() {
        return Some(good(ABOUT, "pods of other clusters answer this one's"));
    }
    let of = |(cluster, address): &(ClusterName, SocketAddr)| format!("{cluster} ({address})");
    let clusters: Vec<String> = unreached.iter().map(of).collect();
    let text = format!(
        "pods of {} do not answer this cluster's: names of their headless services lead nowhere",
        some_of(&clusters)
    );
    Some(Finding::new(ABOUT, FindingLevel::Warning, text).with_fix(
        "route the clusters' pod networks to each other, or export a Service with a cluster IP",
    ))
}

/// As many as a person reads.
fn some_of(texts: &[String]) -> String {
    let shown = &texts[..texts.len().min(limits::FINDING_ITEMS_MAX)];
    match texts.len() - shown.len() {
        0 => shown.join(", "),
        more => format!("{} and {more} more", shown.join(", ")),
    }
}

fn gateways(facts: &Facts) -> Finding {
    const ABOUT: &str = "gateway addresses";
    if facts.unaddressed.is_empty() {
        return good(ABOUT, "every gateway has an address that other clusters are told");
    }
    let names: Vec<&str> = facts.unaddressed.iter().map(InstanceId::as_str).collect();
    let text = format!("the platform gave no address to the Service of {}", names.join(", "));
    Finding::new(ABOUT, FindingLevel::Failed, text).with_fix(
        "look at the events of the Service of that name; where there are no load balancers for \
         UDP, state `gateway.advertise` in the chart's values",
    )
}

fn names(asked: &Result<Answer, String>) -> Finding {
    const ABOUT: &str = "names";
    let fix = "`rialto install dns` lets the cluster's DNS forward them";
    match asked {
        Ok(Answer::Ours) => good(ABOUT, "the cluster's DNS forwards clusterset.local to Rialto"),
        Ok(Answer::NoSuchName) => {
            let text = "the cluster's DNS does not forward clusterset.local: pods reach no service \
                        of another cluster by name";
            Finding::new(ABOUT, FindingLevel::Failed, text).with_fix(fix)
        }
        Ok(Answer::Refused(code)) => {
            let text =
                format!("the cluster's DNS answers for clusterset.local with response code {code}");
            Finding::new(ABOUT, FindingLevel::Failed, text).with_fix(format!(
                "are the DNS proxies ready, and do their `dns.clients` hold the pods' range? {fix}"
            ))
        }
        Err(why) => unknown(ABOUT, why),
    }
}

fn sources(seen: &Result<Vec<Seen>, String>) -> Finding {
    const ABOUT: &str = "source addresses";
    let seen = match seen {
        Ok(seen) => seen,
        Err(why) => return unknown(ABOUT, why),
    };
    let Some(changed) = seen.iter().find(|seen| seen.own != seen.shown) else {
        return match seen.first() {
            Some(seen) => {
                good(ABOUT, &format!("gateways see the pods' own ones, such as {}", seen.own))
            }
            None => unknown(ABOUT, "no gateway answered"),
        };
    };
    let Seen { own, shown } = changed;
    let text = format!(
        "a gateway saw {shown} instead of {own}: callers are unknown, and no rule that allows by \
         identity fits them"
    );
    Finding::new(ABOUT, FindingLevel::Failed, text).with_fix(
        "stop the translation of source addresses on the way from pods to Services (kube-proxy's \
         `masqueradeAll`, or your network plugin's); until then write rules by cluster",
    )
}

fn good(about: &str, text: &str) -> Finding {
    Finding::new(about, FindingLevel::Good, text)
}

fn unknown(about: &str, why: &str) -> Finding {
    Finding::new(about, FindingLevel::Unknown, format!("could not be looked at: {why}"))
}

#[cfg(test)]
mod tests;
