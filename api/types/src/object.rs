//! The one shape of every resource: `apiVersion`, `kind`, `metadata`, `spec`, `status`.
//!
//! REST bodies, files and, later, custom resources are this document. Unknown fields are refused
//! everywhere, with the path of the field.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use serde_json::error::Category;

use crate::cluster::{ClusterSpec, JoinTokenSpec};
use crate::id::{Namespace, ResourceName, Revision, Timestamp};
use crate::limits;
use crate::owner::Owner;
use crate::policy::{AccessPolicySpec, FailoverPolicySpec, WorkspaceSpec};
use crate::route::{HttpRouteSpec, TcpRouteSpec};
use crate::service::ServiceExportSpec;

/// The kinds of resource that the API knows.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
pub enum Kind {
    Cluster,
    JoinToken,
    Workspace,
    /// Aggregated from the reports of all clusters; read-only.
    Service,
    ServiceExport,
    #[serde(rename = "HTTPRoute")]
    HttpRoute,
    #[serde(rename = "TCPRoute")]
    TcpRoute,
    FailoverPolicy,
    AccessPolicy,
}

impl Kind {
    pub const ALL: [Kind; 9] = [
        Kind::Cluster,
        Kind::JoinToken,
        Kind::Workspace,
        Kind::Service,
        Kind::ServiceExport,
        Kind::HttpRoute,
        Kind::TcpRoute,
        Kind::FailoverPolicy,
        Kind::AccessPolicy,
    ];

    /// The kind as written in documents.
    pub fn as_str(self) -> &'static str {
        match self {
            Kind::Cluster => "Cluster",
            Kind::JoinToken => "JoinToken",
            Kind::Workspace => "Workspace",
            Kind::Service => "Service",
            Kind::ServiceExport => "ServiceExport",
            Kind::HttpRoute => "HTTPRoute",
            Kind::TcpRoute => "TCPRoute",
            Kind::FailoverPolicy => "FailoverPolicy",
            Kind::AccessPolicy => "AccessPolicy",
        }
    }

    /// The kind as written in paths and on the command line.
    pub fn plural(self) -> &'static str {
        match self {
            Kind::Cluster => "clusters",
            Kind::JoinToken => "jointokens",
            Kind::Workspace => "workspaces",
            Kind::Service => "services",
            Kind::ServiceExport => "serviceexports",
            Kind::HttpRoute => "httproutes",
            Kind::TcpRoute => "tcproutes",
            Kind::FailoverPolicy => "failoverpolicies",
            Kind::AccessPolicy => "accesspolicies",
        }
    }

    /// The `apiVersion` of the kind's documents.
    pub fn api_version(self) -> &'static str {
        match self {
            Kind::ServiceExport => "multicluster.x-k8s.io/v1beta1",
            Kind::HttpRoute | Kind::TcpRoute => "gateway.networking.k8s.io/v1",
            Kind::Cluster
            | Kind::JoinToken
            | Kind::Workspace
            | Kind::Service
            | Kind::FailoverPolicy
            | Kind::AccessPolicy => "rialto.dev/v1alpha1",
        }
    }

    /// Whether resources of the kind live in a namespace.
    pub fn is_namespaced(self) -> bool {
        match self {
            Kind::Cluster | Kind::JoinToken | Kind::Workspace => false,
            Kind::Service
            | Kind::ServiceExport
            | Kind::HttpRoute
            | Kind::TcpRoute
            | Kind::FailoverPolicy
            | Kind::AccessPolicy => true,
        }
    }

    /// Whether a person may write resources of the kind.
    pub fn is_writable(self) -> bool {
        !matches!(self, Kind::Service | Kind::JoinToken)
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Kind {
    type Err = Error;
    /// Accepts the kind, its plural and its lower-case singular.
    fn from_str(text: &str) -> Result<Self, Error> {
        let known = |kind: &&Kind| {
            kind.as_str().eq_ignore_ascii_case(text) || kind.plural().eq_ignore_ascii_case(text)
        };
        Kind::ALL.iter().find(known).copied().ok_or_else(|| Error::UnknownKind(text.into()))
    }
}

/// Which resource: kind, namespace where the kind has one, name.
#[derive(
    Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
pub struct Key {
    pub kind: Kind,
    pub namespace: Option<Namespace>,
    pub name: ResourceName,
}

impl fmt::Display for Key {
    /// `KIND NAME` or `KIND NAMESPACE/NAME`, for people.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.namespace {
            Some(namespace) => write!(f, "{} {namespace}/{}", self.kind, self.name),
            None => write!(f, "{} {}", self.kind, self.name),
        }
    }
}

/// What is said about a resource besides its intent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Metadata {
    pub name: ResourceName,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<Namespace>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: BTreeMap<String, String>,
    /// Counts the changes of `spec`, from 1; set by the server.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub generation: Option<u64>,
    /// The revision of the last change; the resource's strong ETag; set by the server.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resource_version: Option<Revision>,
    /// Set by the server.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created_at: Option<Timestamp>,
    /// Who may change the object; set by the server.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<Owner>,
}

impl Metadata {
    pub fn new(namespace: Option<Namespace>, name: ResourceName) -> Self {
        Self {
            name,
            namespace,
            labels: BTreeMap::new(),
            annotations: BTreeMap::new(),
            generation: None,
            resource_version: None,
            created_at: None,
            owner: None,
        }
    }
}

/// The intent of a resource, by kind.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", content = "spec")]
pub enum Spec {
    Cluster(ClusterSpec),
    JoinToken(JoinTokenSpec),
    Workspace(WorkspaceSpec),
    ServiceExport(ServiceExportSpec),
    #[serde(rename = "HTTPRoute")]
    HttpRoute(HttpRouteSpec),
    #[serde(rename = "TCPRoute")]
    TcpRoute(TcpRouteSpec),
    FailoverPolicy(FailoverPolicySpec),
    AccessPolicy(AccessPolicySpec),
}

impl Spec {
    pub fn kind(&self) -> Kind {
        match self {
            Spec::Cluster(_) => Kind::Cluster,
            Spec::JoinToken(_) => Kind::JoinToken,
            Spec::Workspace(_) => Kind::Workspace,
            Spec::ServiceExport(_) => Kind::ServiceExport,
            Spec::HttpRoute(_) => Kind::HttpRoute,
            Spec::TcpRoute(_) => Kind::TcpRoute,
            Spec::FailoverPolicy(_) => Kind::FailoverPolicy,
            Spec::AccessPolicy(_) => Kind::AccessPolicy,
        }
    }

    /// The spec alone, as it stands in a document.
    pub fn to_value(&self) -> Value {
        let value = match self {
            Spec::Cluster(spec) => serde_json::to_value(spec),
            Spec::JoinToken(spec) => serde_json::to_value(spec),
            Spec::Workspace(spec) => serde_json::to_value(spec),
            Spec::ServiceExport(spec) => serde_json::to_value(spec),
            Spec::HttpRoute(spec) => serde_json::to_value(spec),
            Spec::TcpRoute(spec) => serde_json::to_value(spec),
            Spec::FailoverPolicy(spec) => serde_json::to_value(spec),
            Spec::AccessPolicy(spec) => serde_json::to_value(spec),
        };
        value.expect("a spec has text keys only")
    }
}

/// One resource, parsed and typed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Resource {
    pub metadata: Metadata,
    pub spec: Spec,
}

impl Resource {
    pub fn key(&self) -> Key {
        Key {
            kind: self.spec.kind(),
            namespace: self.metadata.namespace.clone(),
            name: self.metadata.name.clone(),
        }
    }

    /// The document of the resource, with the status that the caller adds.
    pub fn to_document(&self, status: Option<Value>) -> Document {
        Document {
            api_version: self.spec.kind().api_version().into(),
            kind: self.spec.kind().as_str().into(),
            metadata: self.metadata.clone(),
            spec: self.spec.to_value(),
            status,
        }
    }
}

/// A resource as it stands in a file, a request or an answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Document {
    pub api_version: String,
    pub kind: String,
    pub metadata: Metadata,
    #[serde(default)]
    pub spec: Value,
    /// What the federation observes; ignored in requests.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<Value>,
}

/// Why a document is not a resource.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    #[error("`{0}` is not a kind that Rialto knows; see `rialto get --help` for the list")]
    UnknownKind(String),
    #[error("apiVersion `{found}` of a {kind} is not `{expected}`")]
    ApiVersion { kind: Kind, found: String, expected: &'static str },
    #[error("the document is not JSON: {0}")]
    Syntax(String),
    #[error("{subject}: field `{field}`: {reason}")]
    Field { subject: String, field: String, reason: String },
    #[error("a {0} is read-only: it is derived from what the clusters report")]
    ReadOnly(Kind),
}

impl Error {
    /// The path of the field at fault, if one is.
    pub fn field(&self) -> Option<&str> {
        match self {
            Error::Field { field, .. } => Some(field),
            Error::ApiVersion { .. } => Some("apiVersion"),
            Error::UnknownKind(_) => Some("kind"),
            Error::ReadOnly(_) | Error::Syntax(_) => None,
        }
    }
}

impl Document {
    /// Parses JSON; the error names the field.
    pub fn from_json(text: &[u8]) -> Result<Document, Error> {
        let mut deserializer = serde_json::Deserializer::from_slice(text);
        let parsed = serde_path_to_error::deserialize(&mut deserializer);
        let document: Document = parsed.map_err(|error| match error.inner().classify() {
            Category::Data => field_error("document", "", &error),
            Category::Io | Category::Syntax | Category::Eof => {
                Error::Syntax(error.inner().to_string())
            }
        })?;
        deserializer.end().map_err(|error| Error::Syntax(error.to_string()))?;
        Ok(document)
    }

    /// The typed resource; what only the server sets is dropped.
    pub fn into_resource(self) -> Result<Resource, Error> {
        let kind: Kind = self.kind.parse()?;
        if self.api_version != kind.api_version() {
            return Err(Error::ApiVersion {
                kind,
                found: self.api_version,
                expected: kind.api_version(),
            });
        }
        let subject = match &self.metadata.namespace {
            Some(namespace) => format!("{kind} {namespace}/{}", self.metadata.name),
            None => format!("{kind} {}", self.metadata.name),
        };
        check_metadata(kind, &self.metadata, &subject)?;
        let spec = if self.spec.is_null() { Value::Object(Default::default()) } else { self.spec };
        let spec = match kind {
            Kind::Cluster => Spec::Cluster(parse(&subject, spec)?),
            Kind::Workspace => Spec::Workspace(parse(&subject, spec)?),
            Kind::ServiceExport => Spec::ServiceExport(parse(&subject, spec)?),
            Kind::HttpRoute => Spec::HttpRoute(parse(&subject, spec)?),
            Kind::TcpRoute => Spec::TcpRoute(parse(&subject, spec)?),
            Kind::FailoverPolicy => Spec::FailoverPolicy(parse(&subject, spec)?),
            Kind::AccessPolicy => Spec::AccessPolicy(parse(&subject, spec)?),
            Kind::Service | Kind::JoinToken => return Err(Error::ReadOnly(kind)),
        };
        check_spec(&spec).map_err(|(field, reason)| Error::Field { subject, field, reason })?;
        let metadata = Metadata {
            labels: self.metadata.labels,
            annotations: self.metadata.annotations,
            ..Metadata::new(self.metadata.namespace, self.metadata.name)
        };
        Ok(Resource { metadata, spec })
    }
}

fn check_metadata(kind: Kind, metadata: &Metadata, subject: &str) -> Result<(), Error> {
    let refuse = |field: &str, reason: String| {
        Err(Error::Field { subject: subject.into(), field: field.into(), reason })
    };
    match (kind.is_namespaced(), &metadata.namespace) {
        (true, None) => return refuse("metadata.namespace", "is required for this kind".into()),
        (false, Some(_)) => {
            return refuse("metadata.namespace", "this kind has no namespace; remove it".into());
        }
        (true, Some(_)) | (false, None) => {}
    }
    for (field, map) in
        [("metadata.labels", &metadata.labels), ("metadata.annotations", &metadata.annotations)]
    {
        let bytes: usize = map.iter().map(|(key, value)| key.len() + value.len()).sum();
        if bytes > limits::METADATA_BYTES_MAX {
            let max = limits::METADATA_BYTES_MAX;
            return refuse(field, format!("holds {bytes} bytes, at most {max} are allowed"));
        }
    }
    Ok(())
}

/// What the types alone do not say about a spec: (field, reason) of the first fault.
fn check_spec(spec: &Spec) -> Result<(), (String, String)> {
    match spec {
        Spec::Cluster(spec) => spec.check(),
        Spec::Workspace(spec) => spec.check(),
        Spec::HttpRoute(spec) => spec.check(),
        Spec::TcpRoute(spec) => spec.check(),
        Spec::FailoverPolicy(spec) => spec.check(),
        Spec::AccessPolicy(spec) => spec.check(),
        Spec::ServiceExport(_) | Spec::JoinToken(_) => Ok(()),
    }
}

fn parse<T: DeserializeOwned>(subject: &str, spec: Value) -> Result<T, Error> {
    serde_path_to_error::deserialize(spec).map_err(|error| field_error(subject, "spec", &error))
}

fn field_error(
    subject: &str,
    prefix: &str,
    error: &serde_path_to_error::Error<serde_json::Error>,
) -> Error {
    let path = error.path().to_string();
    let path = if path == "?" { ".".to_string() } else { path };
    let field = match (prefix, path.as_str()) {
        ("", _) => path,
        (_, ".") => prefix.to_string(),
        _ => format!("{prefix}.{path}"),
    };
    Error::Field { subject: subject.into(), field, reason: error.inner().to_string() }
}

#[cfg(test)]
mod tests;
