//! Kubernetes' kinds, trimmed on the way in: what is not named here is never held in memory.

use std::collections::BTreeMap;
use std::net::IpAddr;

use rialto_types::import::IpFamily;
use serde::de::{DeserializeOwned, IgnoredAny};
use serde::{Deserialize, Deserializer, Serialize};

/// A kind that is listed and watched.
pub trait Watched: DeserializeOwned + Send + 'static {
    /// The kind in messages to people.
    const NAME: &'static str;
    /// Paths of the collection, by preference: where the first is not served, the next is tried.
    const PATHS: &'static [&'static str];
    /// Whether a cluster may be without the kind.
    const OPTIONAL: bool;

    fn key(&self) -> ObjectKey;
    fn version(&self) -> &str;
}

macro_rules! watched {
    ($kind:ident, $optional:literal, $($path:literal),+) => {
        impl Watched for $kind {
            const NAME: &'static str = stringify!($kind);
            const PATHS: &'static [&'static str] = &[$($path),+];
            const OPTIONAL: bool = $optional;

            fn key(&self) -> ObjectKey {
                (self.metadata.namespace.clone(), self.metadata.name.clone())
            }

            fn version(&self) -> &str {
                &self.metadata.resource_version
            }
        }
    };
}

watched!(Namespace, false, "/api/v1/namespaces");
watched!(Service, false, "/api/v1/services");
watched!(Pod, false, "/api/v1/pods");
watched!(EndpointSlice, false, "/apis/discovery.k8s.io/v1/endpointslices");
watched!(
    ServiceExport,
    true,
    "/apis/multicluster.x-k8s.io/v1beta1/serviceexports",
    "/apis/multicluster.x-k8s.io/v1alpha1/serviceexports"
);

/// Namespace and name; cluster-wide kinds have an empty namespace.
pub type ObjectKey = (Box<str>, Box<str>);

/// Labels and annotations of which nothing is used.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
pub struct Unused {}

#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Metadata<L = Unused, A = Unused> {
    pub name: Box<str>,
    pub namespace: Box<str>,
    pub resource_version: Box<str>,
    pub labels: L,
    pub annotations: A,
}

/// A page of a list.
#[derive(Debug, Deserialize)]
pub struct List<T> {
    pub metadata: ListMetadata,
    /// `null` where there are none.
    pub items: Option<Vec<T>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ListMetadata {
    pub resource_version: String,
    #[serde(rename = "continue")]
    pub continue_token: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Namespace {
    pub metadata: Metadata,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct ServiceExport {
    pub metadata: ExportMetadata,
    #[serde(default)]
    pub spec: ExportSpec,
    #[serde(default)]
    pub status: ExportStatus,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ExportMetadata {
    pub name: Box<str>,
    pub namespace: Box<str>,
    pub resource_version: Box<str>,
    pub generation: i64,
    pub creation_timestamp: Box<str>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ExportSpec {
    pub exported_labels: BTreeMap<String, String>,
    pub exported_annotations: BTreeMap<String, String>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct ExportStatus {
    pub conditions: Vec<Condition>,
}

/// One aspect of an object's state (`metav1.Condition`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Condition {
    #[serde(rename = "type")]
    pub kind: String,
    /// `True`, `False` or `Unknown`.
    pub status: String,
    #[serde(default)]
    pub observed_generation: i64,
    pub last_transition_time: String,
    pub reason: String,
    #[serde(default)]
    pub message: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Service {
    pub metadata: Metadata<BTreeMap<String, String>, ServiceAnnotations>,
    #[serde(default)]
    pub spec: ServiceSpec,
    #[serde(default)]
    pub status: ServiceStatus,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
pub struct ServiceAnnotations {
    /// Where other clusters reach a gateway, where the platform does not say so.
    #[serde(rename = "rialto.dev/advertise")]
    pub advertise: Option<Box<str>>,
    /// The imported service that a Service of ours stands for, as NAMESPACE/NAME.
    #[serde(rename = "rialto.dev/service")]
    pub service: Option<Box<str>>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ServiceSpec {
    #[serde(rename = "type")]
    pub kind: Box<str>,
    /// `None`, as a text, is Kubernetes' word for headless.
    #[serde(rename = "clusterIP")]
    pub cluster_ip: Box<str>,
    #[serde(rename = "clusterIPs")]
    pub cluster_ips: Vec<Box<str>>,
    pub ports: Vec<ServicePort>,
    pub ip_families: Vec<IpFamily>,
    /// `ClientIP` or `None`.
    pub session_affinity: Box<str>,
    pub session_affinity_config: Option<SessionAffinityConfig>,
    pub internal_traffic_policy: Option<Box<str>>,
    pub traffic_distribution: Option<Box<str>>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct SessionAffinityConfig {
    #[serde(rename = "clientIP")]
    pub client_ip: Option<ClientIpConfig>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ClientIpConfig {
    pub timeout_seconds: Option<u32>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ServicePort {
    pub name: Box<str>,
    pub port: u16,
    /// TCP where it is absent.
    pub protocol: Box<str>,
    pub app_protocol: Box<str>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ServiceStatus {
    pub load_balancer: LoadBalancer,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct LoadBalancer {
    pub ingress: Vec<Ingress>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Ingress {
    pub ip: Option<IpAddr>,
    pub hostname: Option<Box<str>>,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct EndpointSlice {
    pub metadata: Metadata<SliceLabels>,
    #[serde(default)]
    pub endpoints: Option<Vec<SliceEndpoint>>,
    #[serde(default)]
    pub ports: Option<Vec<SlicePort>>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct SliceLabels {
    /// The Service that the slice belongs to; absent on slices of imports.
    #[serde(rename = "kubernetes.io/service-name")]
    pub service: Option<Box<str>>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct SliceEndpoint {
    pub addresses: Vec<Box<str>>,
    pub hostname: Option<Box<str>>,
    pub conditions: SliceConditions,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct SliceConditions {
    pub ready: Option<bool>,
    pub serving: Option<bool>,
    pub terminating: Option<bool>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct SlicePort {
    pub name: Option<Box<str>>,
    pub port: Option<u16>,
    pub protocol: Option<Box<str>>,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Pod {
    pub metadata: Metadata,
    #[serde(default)]
    pub spec: PodSpec,
    #[serde(default)]
    pub status: PodStatus,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct PodSpec {
    pub service_account_name: Box<str>,
    pub host_network: bool,
    pub node_name: Box<str>,
    #[serde(rename = "readinessGates", deserialize_with = "has_items")]
    pub has_readiness_gates: bool,
}

fn has_items<'de, D: Deserializer<'de>>(list: D) -> Result<bool, D::Error> {
    Ok(Option::<Vec<IgnoredAny>>::deserialize(list)?.is_some_and(|items| !items.is_empty()))
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct PodStatus {
    pub phase: Box<str>,
    #[serde(rename = "podIPs")]
    pub addresses: Vec<PodAddress>,
    pub conditions: PodConditions,
}

/// What a pod's conditions of these types say.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(from = "Option<Vec<PodCondition>>")]
pub struct PodConditions {
    /// By the kubelet, or by who watches over nodes.
    pub is_ready: bool,
    /// By the kubelet alone.
    pub are_containers_ready: bool,
}

#[derive(Deserialize)]
struct PodCondition {
    #[serde(rename = "type")]
    kind: Box<str>,
    status: Box<str>,
}

impl From<Option<Vec<PodCondition>>> for PodConditions {
    fn from(list: Option<Vec<PodCondition>>) -> Self {
        let list = list.unwrap_or_default();
        let is = |kind: &str| list.iter().any(|it| &*it.kind == kind && &*it.status == "True");
        Self { is_ready: is("Ready"), are_containers_ready: is("ContainersReady") }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct PodAddress {
    pub ip: IpAddr,
}
