//! Workspaces, failover and access.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::id::{ClusterName, Namespace, ResourceName, SpiffeId};
use crate::limits;
use crate::route::{RefGroup, RefKind, check_count, check_method, is_normal_path};

/// A team's part of the federation: the namespaces that it owns.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct WorkspaceSpec {
    /// A namespace belongs to at most one workspace.
    pub namespaces: Vec<Namespace>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
}

/// The service that a policy is about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TargetRef {
    pub group: RefGroup,
    pub kind: RefKind,
    pub name: ResourceName,
}

/// In which order clusters serve, when the nearer ones cannot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct FailoverPolicySpec {
    pub target_refs: Vec<TargetRef>,
    /// Preference among the other clusters; clusters not named come after, as equals. The local
    /// cluster always comes first unless it is named.
    #[serde(default)]
    pub order: Vec<ClusterName>,
    /// Traffic spills to the next cluster when healthy/total x factor falls below 100 %: Envoy's
    /// overprovisioning factor, in percent. Default 140: spill starts below 72 % healthy.
    #[serde(default = "overprovisioning_default")]
    pub overprovisioning_percent: u32,
}

fn overprovisioning_default() -> u32 {
    limits::OVERPROVISIONING_PERCENT_DEFAULT
}

/// Who may call a service.
///
/// A service that no policy selects is open to every caller of the federation. As soon as one
/// ALLOW policy selects it, only what some ALLOW rule fits may call; DENY goes before ALLOW.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct AccessPolicySpec {
    pub target_refs: Vec<TargetRef>,
    pub action: Action,
    /// One rule that fits is enough. An ALLOW policy without rules allows nobody.
    #[serde(default)]
    pub rules: Vec<AccessRule>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "UPPERCASE")]
pub enum Action {
    Allow,
    Deny,
}

/// Fits a request whose caller fits one of `from` and which fits one of `to`; empty fits all.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct AccessRule {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub from: Vec<AccessSource>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub to: Vec<AccessOperation>,
}

/// All that is stated must fit; inside one list, one is enough.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct AccessSource {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub identities: Vec<IdentityPattern>,
    /// The cluster that the caller runs in.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub clusters: Vec<ClusterName>,
    /// The workspace that owns the caller's namespace.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub workspaces: Vec<ResourceName>,
}

/// All that is stated must fit. On a port that is not HTTP, methods and paths cannot be seen: there
/// an operation that states any fits in a DENY policy and does not in an ALLOW policy.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct AccessOperation {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub methods: Vec<String>,
    /// A path, or a prefix of whole segments that ends with `/*`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub paths: Vec<String>,
}

/// A SPIFFE ID, or `spiffe://TRUST-DOMAIN/PREFIX/*`, or `spiffe://*/PATH` for any trust domain.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
#[schemars(with = "String")]
pub struct IdentityPattern(String);

impl IdentityPattern {
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether an identity fits.
    pub fn fits(&self, identity: &SpiffeId) -> bool {
        let (domain, path) = self.split();
        let text = identity.as_str();
        let Some((of_domain, of_path)) =
            text.strip_prefix("spiffe://").and_then(|t| t.split_once('/'))
        else {
            return false;
        };
        let path_fits = match path.strip_suffix("/*") {
            Some(prefix) => of_path.strip_prefix(prefix).is_some_and(|rest| rest.starts_with('/')),
            None => path == of_path || path == "*",
        };
        (domain == "*" || domain == of_domain) && path_fits
    }

    fn split(&self) -> (&str, &str) {
        self.0["spiffe://".len()..].split_once('/').expect("checked when it was made")
    }
}

impl TryFrom<String> for IdentityPattern {
    type Error = String;
    fn try_from(text: String) -> Result<Self, String> {
        let fault = || {
            format!(
                "`{text}` is not an identity: expected `spiffe://TRUST-DOMAIN/PATH`, where the \
                 trust domain may be `*` and the path may end with `/*`"
            )
        };
        let rest = text.strip_prefix("spiffe://").ok_or_else(fault)?;
        let (domain, path) = rest.split_once('/').ok_or_else(fault)?;
        let domain = if domain == "*" { "any" } else { domain };
        let path = path.strip_suffix("/*").unwrap_or(path);
        let path = if path == "*" { "any" } else { path };
        let plain: Result<SpiffeId, _> = format!("spiffe://{domain}/{path}").parse();
        plain.map_err(|_| fault())?;
        Ok(Self(text))
    }
}

impl From<IdentityPattern> for String {
    fn from(pattern: IdentityPattern) -> String {
        pattern.0
    }
}

impl fmt::Debug for IdentityPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

type Fault = (String, String);

impl WorkspaceSpec {
    pub(crate) fn check(&self) -> Result<(), Fault> {
        check_count("spec.namespaces", self.namespaces.len(), 0, limits::WORKSPACE_NAMESPACES_MAX)
    }
}

impl FailoverPolicySpec {
    pub(crate) fn check(&self) -> Result<(), Fault> {
        check_count("spec.targetRefs", self.target_refs.len(), 1, limits::POLICY_TARGETS_MAX)?;
        check_count("spec.order", self.order.len(), 0, limits::CLUSTERS_MAX)?;
        for (at, cluster) in self.order.iter().enumerate() {
            if self.order[..at].contains(cluster) {
                return Err((format!("spec.order[{at}]"), format!("`{cluster}` is named twice")));
            }
        }
        if !(100..=1000).contains(&self.overprovisioning_percent) {
            let reason = format!("{} is not between 100 and 1000", self.overprovisioning_percent);
            return Err(("spec.overprovisioningPercent".into(), reason));
        }
        Ok(())
    }
}

impl AccessPolicySpec {
    pub(crate) fn check(&self) -> Result<(), Fault> {
        check_count("spec.targetRefs", self.target_refs.len(), 1, limits::POLICY_TARGETS_MAX)?;
        check_count("spec.rules", self.rules.len(), 0, limits::POLICY_RULES_MAX)?;
        if self.action == Action::Deny && self.rules.is_empty() {
            let reason = "a DENY policy without rules denies nobody; add a rule (`{}` fits all)";
            return Err(("spec.rules".into(), reason.into()));
        }
        for (at, rule) in self.rules.iter().enumerate() {
            let field = format!("spec.rules[{at}]");
            let max = limits::POLICY_RULES_MAX;
            check_count(&format!("{field}.from"), rule.from.len(), 0, max)?;
            check_count(&format!("{field}.to"), rule.to.len(), 0, max)?;
            for (at, operation) in rule.to.iter().enumerate() {
                operation.check(&format!("{field}.to[{at}]"))?;
            }
        }
        Ok(())
    }
}

impl AccessOperation {
    fn check(&self, field: &str) -> Result<(), Fault> {
        for (at, method) in self.methods.iter().enumerate() {
            check_method(method).map_err(|reason| (format!("{field}.methods[{at}]"), reason))?;
        }
        for (at, path) in self.paths.iter().enumerate() {
            let plain = path.strip_suffix("/*").unwrap_or(path);
            if !(path.starts_with('/') && is_normal_path(plain) && !plain.contains('*')) {
                let reason = format!("`{path}` is not a path: expected `/a/b` or `/a/*`");
                return Err((format!("{field}.paths[{at}]"), reason));
            }
        }
        Ok(())
    }
}
