//! Who may call what. Whoever connects to the endpoint asks, for local flows too.
//!
//! - Only what some cluster exports can be called.
//! - A policy that could not be read denies its service.
//! - A DENY rule that fits decides; then, if any ALLOW policy selects the service, one of its rules
//!   must fit. A service without policies is open to the federation.
//! - A request that came by a route is judged for the service dialled and for the backend: both
//!   must allow it.
//! - A caller without a proven identity fits no rule that names identities or workspaces; its
//!   cluster is proven by the tunnel, so that cluster rules fit it.
//! - **What cannot be seen is not let through**: on a port that is not HTTP an operation that
//!   states methods or paths fits in a DENY rule and does not in an ALLOW rule.
//! - Where a rule looks at paths, a path with more than one reading is refused before any rule is
//!   tried; what is percent-encoded without need is compared decoded.

use std::fmt;
use std::net::IpAddr;

use rialto_types::error::Code;
use rialto_types::id::{ClusterName, ResourceName, ServiceName, SpiffeId};
use rialto_types::local::LocalTable;
use rialto_types::policy::{AccessOperation, Action};
use rialto_types::route::is_normal_path;
use rialto_types::snapshot::{
    Access, AccessEntry, CompiledPolicy, CompiledRule, CompiledSource, Snapshot,
};

use crate::choose::{HttpRequest, Refusal, decoded};

/// Who calls.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    /// `None` for a workload that its agent does not know.
    pub identity: Option<SpiffeId>,
    pub cluster: ClusterName,
}

/// What is called.
#[derive(Debug, Clone, Copy)]
pub struct Operation<'a> {
    /// The service that the client dialled.
    pub service: &'a ServiceName,
    /// The service that serves: the same, or a backend of its route.
    pub backend: &'a ServiceName,
    /// The head as the judge itself parsed it; `None` on ports that are not HTTP.
    pub http: Option<HttpRequest<'a>>,
}

/// The judgement, with what decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Verdict<'a> {
    pub allowed: bool,
    pub reason: Reason,
    /// The service whose policies decided.
    pub service: &'a ServiceName,
    pub policy: Option<&'a ResourceName>,
    /// The number of the policy's rule, from 0.
    pub rule: Option<usize>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// No policy selects the service, or none that allows.
    Open,
    Allowed,
    Denied,
    /// ALLOW policies select the service and no rule fits.
    NoRuleFits,
    Unreadable,
    NotExported,
    /// A rule looks at paths, and this one has more than one reading.
    PathAmbiguous,
}

impl Reason {
    /// For counters and logs.
    pub fn label(self) -> &'static str {
        match self {
            Reason::Open => "open",
            Reason::Allowed => "allowed",
            Reason::Denied => "denied",
            Reason::NoRuleFits => "no_rule_fits",
            Reason::Unreadable => "policy_unreadable",
            Reason::NotExported => "not_exported",
            Reason::PathAmbiguous => "path_ambiguous",
        }
    }
}

impl Verdict<'_> {
    /// The code of a refusal.
    pub fn code(&self) -> Option<Code> {
        match self.reason {
            Reason::Open | Reason::Allowed => None,
            Reason::Denied | Reason::NoRuleFits => Some(Code::AccessDenied),
            Reason::Unreadable => Some(Code::PolicyUnreadable),
            Reason::NotExported => Some(Code::NotExported),
            Reason::PathAmbiguous => Some(Code::RequestMalformed),
        }
    }

    /// As an error, for answers to the client; `None` if the call is allowed.
    pub fn refusal(&self) -> Option<Refusal> {
        Some(Refusal::new(self.code()?, self.to_string()))
    }
}

impl fmt::Display for Verdict<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Verdict { service, policy, rule, .. } = self;
        let by = |f: &mut fmt::Formatter<'_>| match (policy, rule) {
            (Some(policy), Some(rule)) => {
                write!(f, " by rule {rule} of AccessPolicy `{}/{policy}`", service.namespace)
            }
            (Some(policy), None) => write!(f, " by AccessPolicy `{}/{policy}`", service.namespace),
            (None, _) => Ok(()),
        };
        match self.reason {
            Reason::Open => write!(f, "`{service}` is open: no policy restricts it"),
            Reason::Allowed => {
                write!(f, "`{service}` is allowed")?;
                by(f)
            }
            Reason::Denied => {
                write!(f, "`{service}` is denied")?;
                by(f)
            }
            Reason::NoRuleFits => {
                write!(
                    f,
                    "no ALLOW rule of `{service}` fits this caller and request; add a rule to "
                )?;
                match policy {
                    Some(policy) => write!(f, "AccessPolicy `{}/{policy}`", service.namespace),
                    None => write!(f, "one of its AccessPolicies"),
                }
            }
            Reason::Unreadable => write!(
                f,
                "a policy of `{service}` could not be read by this gateway, so everything is \
                 denied; upgrade the gateway or change the policy"
            ),
            Reason::NotExported => write!(
                f,
                "no cluster exports `{service}`; create a ServiceExport for it, or check the name"
            ),
            Reason::PathAmbiguous => write!(
                f,
                "a policy of `{service}` looks at paths, and this one can be read in more than one \
                 way; send it without `//`, `.`, `..`, `;` and needless percent-encoding"
            ),
        }
    }
}

/// Judges a call.
pub fn authorize<'a>(
    snapshot: &'a Snapshot,
    caller: &Caller,
    operation: &Operation<'a>,
) -> Verdict<'a> {
    let of_backend = authorize_service(snapshot, operation.backend, caller, operation);
    if !of_backend.allowed || operation.service == operation.backend {
        return of_backend;
    }
    let of_service = authorize_service(snapshot, operation.service, caller, operation);
    // Of two that allow, the one that names a policy says more.
    if of_service.allowed && of_service.policy.is_none() { of_backend } else { of_service }
}

/// The identity that the own cluster's agent knows a source address by.
pub fn local_caller(snapshot: &Snapshot, table: &LocalTable, source: IpAddr) -> Caller {
    let cluster = table.cluster.clone();
    let known = table.callers.get(&source.to_canonical());
    let domain = snapshot.clusters.get(&cluster).map(|entry| &entry.trust_domain);
    let identity = known
        .zip(domain)
        .map(|(caller, domain)| SpiffeId::workload(domain, &caller.namespace, &caller.account));
    Caller { identity, cluster }
}

/// Believes a peer gateway's word about its caller only as far as its own cluster's trust reaches.
pub fn check_caller(
    snapshot: &Snapshot,
    peer: &ClusterName,
    stated: Option<SpiffeId>,
) -> Result<Caller, Refusal> {
    let Some(entry) = snapshot.clusters.get(peer) else {
        let text = format!("cluster `{peer}` is not in this federation's snapshot");
        return Err(Refusal::new(Code::IdentityRefused, text));
    };
    if let Some(identity) = &stated {
        if !identity.is_in(&entry.trust_domain) {
            let text = format!(
                "cluster `{peer}` stated the caller `{identity}`, but speaks for trust domain `{}` \
                 only",
                entry.trust_domain
            );
            return Err(Refusal::new(Code::CallerForged, text));
        }
        if identity.is_reserved() {
            let text = format!(
                "cluster `{peer}` stated the caller `{identity}`, which is reserved for Rialto's \
                 own parts"
            );
            return Err(Refusal::new(Code::CallerForged, text));
        }
    }
    Ok(Caller { identity: stated, cluster: peer.clone() })
}

fn authorize_service<'a>(
    snapshot: &'a Snapshot,
    service: &'a ServiceName,
    caller: &Caller,
    operation: &Operation<'_>,
) -> Verdict<'a> {
    let verdict = |allowed, reason| Verdict { allowed, reason, service, policy: None, rule: None };
    if !snapshot.services.contains_key(service) {
        return verdict(false, Reason::NotExported);
    }
    let entry = match snapshot.access.get(service) {
        None => return verdict(true, Reason::Open),
        Some(Access::Unreadable) => return verdict(false, Reason::Unreadable),
        Some(Access::Policies(entry)) => entry,
    };
    if operation.http.is_some_and(|http| !is_plain_path(http.path)) && looks_at_paths(entry) {
        return verdict(false, Reason::PathAmbiguous);
    }
    let fitting = |action| {
        let policies = entry.policies.iter().filter(move |policy| policy.action == action);
        policies
            .filter_map(|policy| Some((policy, fitting_rule(policy, caller, operation)?)))
            .map(|(policy, rule)| (&policy.name, rule))
            .next()
    };
    let decided = |allowed, reason, (policy, rule): (&'a ResourceName, usize)| Verdict {
        policy: Some(policy),
        rule: Some(rule),
        ..verdict(allowed, reason)
    };
    if let Some(by) = fitting(Action::Deny) {
        return decided(false, Reason::Denied, by);
    }
    let Some(first) = entry.policies.iter().find(|policy| policy.action == Action::Allow) else {
        return verdict(true, Reason::Open);
    };
    match fitting(Action::Allow) {
        Some(by) => decided(true, Reason::Allowed, by),
        // Several may select the service; the first is where a rule would be added.
        None => Verdict { policy: Some(&first.name), ..verdict(false, Reason::NoRuleFits) },
    }
}

fn looks_at_paths(entry: &AccessEntry) -> bool {
    let rules = entry.policies.iter().flat_map(|policy| &policy.rules);
    rules.flat_map(|rule| &rule.to).any(|operation| !operation.paths.is_empty())
}

fn fitting_rule(
    policy: &CompiledPolicy,
    caller: &Caller,
    operation: &Operation<'_>,
) -> Option<usize> {
    policy.rules.iter().position(|rule| rule_fits(rule, policy.action, caller, operation))
}

fn rule_fits(
    rule: &CompiledRule,
    action: Action,
    caller: &Caller,
    operation: &Operation<'_>,
) -> bool {
    let from = rule.from.is_empty() || rule.from.iter().any(|source| source_fits(source, caller));
    let http = operation.http.as_ref();
    from && (rule.to.is_empty() || rule.to.iter().any(|to| operation_fits(to, action, http)))
}

fn source_fits(source: &CompiledSource, caller: &Caller) -> bool {
    let identity = caller.identity.as_ref();
    let identity_fits = source.identities.is_empty()
        || identity
            .is_some_and(|identity| source.identities.iter().any(|wanted| wanted.fits(identity)));
    let namespaces_fit = source.namespaces.as_ref().is_none_or(|namespaces| {
        let namespace = identity.and_then(namespace_of);
        namespace.is_some_and(|of| namespaces.iter().any(|wanted| wanted.as_str() == of))
    });
    let cluster_fits = source.clusters.is_empty() || source.clusters.contains(&caller.cluster);
    identity_fits && namespaces_fit && cluster_fits
}

/// The namespace of `ns/NAMESPACE/sa/ACCOUNT`, without a copy.
fn namespace_of(identity: &SpiffeId) -> Option<&str> {
    let (namespace, account) = identity.path().strip_prefix("ns/")?.split_once("/sa/")?;
    (!namespace.contains('/') && !account.contains('/')).then_some(namespace)
}

fn operation_fits(
    operation: &AccessOperation,
    action: Action,
    http: Option<&HttpRequest<'_>>,
) -> bool {
    let AccessOperation { methods, paths } = operation;
    if methods.is_empty() && paths.is_empty() {
        return true;
    }
    let Some(http) = http else { return action == Action::Deny };
    (methods.is_empty() || methods.iter().any(|method| method == http.method))
        && (paths.is_empty() || paths.iter().any(|wanted| path_fits(wanted, http.path)))
}

fn path_fits(wanted: &str, path: &str) -> bool {
    let (wanted, is_prefix) = match wanted.strip_suffix("/*") {
        Some(prefix) => (prefix, true),
        None => (wanted, false),
    };
    let mut rest = decoded(path);
    for byte in decoded(wanted) {
        if rest.next() != Some(byte) {
            return false;
        }
    }
    match rest.next() {
        None => true,
        Some(byte) => is_prefix && byte == b'/',
    }
}

/// Whether every server reads the path alike: no empty or dot segment, no parameters of segments
/// (which some servers cut off before they compare), only whole percent triplets.
fn is_plain_path(path: &str) -> bool {
    let mut bytes = path.bytes();
    while let Some(byte) = bytes.next() {
        let is_whole = match byte {
            b'%' => {
                let mut digit = || bytes.next().is_some_and(|digit| digit.is_ascii_hexdigit());
                digit() && digit()
            }
            b';' => false,
            byte => byte.is_ascii_graphic(),
        };
        if !is_whole {
            return false;
        }
    }
    path.starts_with('/') && is_normal_path(path)
}

#[cfg(test)]
mod tests;
