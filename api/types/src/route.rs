//! Routes in Gateway API's shape (`gateway.networking.k8s.io/v1`), attached to a ServiceImport.

use std::num::NonZeroU16;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::duration;
use crate::id::{Namespace, ResourceName, ServiceName};
use crate::limits;

/// The one kind that a route's parents and backends may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum RefKind {
    ServiceImport,
}

/// The one group that a route's parents and backends may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum RefGroup {
    #[serde(rename = "multicluster.x-k8s.io")]
    Multicluster,
}

/// The service whose traffic is routed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ParentRef {
    pub group: RefGroup,
    pub kind: RefKind,
    pub name: ResourceName,
    /// The route's own namespace by default; no other is allowed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<Namespace>,
    /// Every port of the service by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<u16>")]
    pub port: Option<NonZeroU16>,
}

/// A service that gets a share of the traffic.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct BackendRef {
    pub group: RefGroup,
    pub kind: RefKind,
    pub name: ResourceName,
    /// The route's own namespace by default; no other is allowed without a ReferenceGrant, a kind
    /// that does not exist here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<Namespace>,
    /// The port that the client dialled by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<u16>")]
    pub port: Option<NonZeroU16>,
    /// Share of the traffic, in proportion to the sum of all weights of the rule; 0 means none.
    #[serde(default = "weight_default")]
    pub weight: u32,
}

fn weight_default() -> u32 {
    1
}

/// Routes HTTP requests of a service to services, by weight and match.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct HttpRouteSpec {
    pub parent_refs: Vec<ParentRef>,
    pub rules: Vec<HttpRule>,
}

/// A request that fits one of `matches` goes to one of `backendRefs`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct HttpRule {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<ResourceName>,
    /// Empty fits every request.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub matches: Vec<HttpMatch>,
    /// Empty, or only weights of 0, answers 500, as Gateway API has it.
    #[serde(default)]
    pub backend_refs: Vec<BackendRef>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeouts: Option<HttpTimeouts>,
}

/// Time limits of a rule.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct HttpTimeouts {
    /// From the request's head to the end of the answer; no limit by default.
    #[serde(skip_serializing_if = "Option::is_none", with = "duration::option")]
    #[schemars(with = "Option<String>")]
    pub request: Option<Duration>,
}

/// All that is stated must fit.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct HttpMatch {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<PathMatch>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub headers: Vec<HeaderMatch>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub query_params: Vec<HeaderMatch>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub method: Option<String>,
}

/// How a path must look.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PathMatch {
    #[serde(rename = "type", default)]
    pub kind: PathMatchKind,
    pub value: String,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum PathMatchKind {
    Exact,
    /// By whole segments: `/a` fits `/a` and `/a/b`, not `/ab`.
    #[default]
    PathPrefix,
}

/// A header or query parameter that must have exactly this value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct HeaderMatch {
    #[serde(rename = "type", default)]
    pub kind: ValueMatchKind,
    /// Header names are compared without regard to case, parameter names exactly.
    pub name: String,
    pub value: String,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum ValueMatchKind {
    #[default]
    Exact,
}

/// Routes connections of a service to services, by weight.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TcpRouteSpec {
    pub parent_refs: Vec<ParentRef>,
    /// Exactly one rule, as in Gateway API.
    pub rules: Vec<TcpRule>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TcpRule {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<ResourceName>,
    pub backend_refs: Vec<BackendRef>,
}

impl ParentRef {
    /// The service that a route in `namespace` means.
    pub fn service(&self, namespace: &Namespace) -> ServiceName {
        let namespace = self.namespace.as_ref().unwrap_or(namespace);
        ServiceName::new(namespace.clone(), self.name.clone())
    }
}

impl BackendRef {
    /// A reference to `service` with a share of the traffic.
    pub fn new(name: ResourceName, weight: u32) -> Self {
        Self {
            group: RefGroup::Multicluster,
            kind: RefKind::ServiceImport,
            name,
            namespace: None,
            port: None,
            weight,
        }
    }

    /// The service that a route in `namespace` means.
    pub fn service(&self, namespace: &Namespace) -> ServiceName {
        let namespace = self.namespace.as_ref().unwrap_or(namespace);
        ServiceName::new(namespace.clone(), self.name.clone())
    }
}

type Fault = (String, String);

/// A list has at least and at most so many items.
pub(crate) fn check_count(
    field: &str,
    count: usize,
    at_least: usize,
    at_most: usize,
) -> Result<(), Fault> {
    if (at_least..=at_most).contains(&count) {
        return Ok(());
    }
    Err((field.into(), format!("has {count} items, expected {at_least} to {at_most}")))
}

fn check_backends(field: &str, backends: &[BackendRef], at_least: usize) -> Result<(), Fault> {
    check_count(field, backends.len(), at_least, limits::ROUTE_BACKENDS_MAX)?;
    for (at, backend) in backends.iter().enumerate() {
        if backend.weight > limits::ROUTE_WEIGHT_MAX {
            let reason = format!(
                "{} is above the largest weight {}",
                backend.weight,
                limits::ROUTE_WEIGHT_MAX
            );
            return Err((format!("{field}[{at}].weight"), reason));
        }
    }
    Ok(())
}

impl HttpRouteSpec {
    pub(crate) fn check(&self) -> Result<(), Fault> {
        check_count("spec.parentRefs", self.parent_refs.len(), 1, limits::ROUTE_PARENTS_MAX)?;
        check_count("spec.rules", self.rules.len(), 1, limits::ROUTE_RULES_MAX)?;
        for (at, rule) in self.rules.iter().enumerate() {
            let field = format!("spec.rules[{at}]");
            check_backends(&format!("{field}.backendRefs"), &rule.backend_refs, 0)?;
            let matches = format!("{field}.matches");
            check_count(&matches, rule.matches.len(), 0, limits::ROUTE_MATCHES_MAX)?;
            for (at, condition) in rule.matches.iter().enumerate() {
                condition.check(&format!("{matches}[{at}]"))?;
            }
        }
        Ok(())
    }
}

impl HttpMatch {
    fn check(&self, field: &str) -> Result<(), Fault> {
        if let Some(path) = &self.path
            && !path.value.starts_with('/')
        {
            let reason = format!("`{}` must start with `/`", path.value);
            return Err((format!("{field}.path.value"), reason));
        }
        if let Some(path) = &self.path
            && !is_normal_path(&path.value)
        {
            let reason = "must not contain `//`, `.` or `..` segments, `%2F`, `?` or `#`".into();
            return Err((format!("{field}.path.value"), reason));
        }
        check_count(&format!("{field}.headers"), self.headers.len(), 0, limits::ROUTE_MATCHES_MAX)?;
        let count = self.query_params.len();
        check_count(&format!("{field}.queryParams"), count, 0, limits::ROUTE_MATCHES_MAX)?;
        if let Some(method) = &self.method {
            check_method(method).map_err(|reason| (format!("{field}.method"), reason))?;
        }
        Ok(())
    }
}

/// RFC 9110, section 9.1: methods are case-sensitive tokens; the registered ones are upper-case.
pub(crate) fn check_method(method: &str) -> Result<(), String> {
    if !method.is_empty() && method.len() <= 32 && method.bytes().all(|b| b.is_ascii_uppercase()) {
        return Ok(());
    }
    Err(format!("`{method}` is not a method: expected upper-case letters, as `GET`"))
}

/// Whether a path has one reading only: no empty or dot segment, no encoded slash.
pub fn is_normal_path(path: &str) -> bool {
    let bytes = path.as_bytes();
    let encoded = |w: &[u8]| {
        w[0] == b'%' && matches!(&w[1..], b"2F" | b"2f" | b"5C" | b"5c" | b"2E" | b"2e" | b"00")
    };
    !bytes.windows(2).any(|w| w == b"//")
        && !bytes.windows(3).any(encoded)
        && !bytes.iter().any(|b| matches!(b, b'?' | b'#' | b'\\'))
        && !path.split('/').any(|segment| segment == "." || segment == "..")
}

impl TcpRouteSpec {
    pub(crate) fn check(&self) -> Result<(), Fault> {
        check_count("spec.parentRefs", self.parent_refs.len(), 1, limits::ROUTE_PARENTS_MAX)?;
        check_count("spec.rules", self.rules.len(), 1, 1)?;
        check_backends("spec.rules[0].backendRefs", &self.rules[0].backend_refs, 1)
    }
}
