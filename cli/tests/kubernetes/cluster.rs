//! The objects of the cluster, and what is changed in them.

use std::net::Ipv4Addr;
use std::time::Instant;

use anyhow::Context as _;
use http::Method;
use rialto_agent::kubernetes::api::{Api, Body, Session};
use rialto_types::id::ServiceName;
use serde::de::IgnoredAny;
use serde_json::{Value, json};
use tokio::task::JoinSet;

use super::{Arguments, say};

/// Of our own parts.
pub(crate) const NAMESPACE: &str = "rialto";
const SERVICES_PER_NAMESPACE: u32 = 100;
/// Connections over which the cluster is filled.
const WRITERS: u32 = 8;
const PODS_PER_NODE: u32 = 500;
const DISCOVERY: &str = "/apis/discovery.k8s.io/v1/namespaces";
const EXPORTS: &str = "/apis/multicluster.x-k8s.io/v1beta1/namespaces";

pub(crate) fn service_name(number: u32) -> ServiceName {
    let name = format!("service-{number:04}");
    ServiceName::new(namespace(number).parse().expect("a label"), name.parse().expect("a label"))
}

fn namespace(number: u32) -> String {
    format!("team-{:02}", number / SERVICES_PER_NAMESPACE)
}

fn address(arguments: &Arguments, service: u32, endpoint: u32) -> Ipv4Addr {
    let first = u32::from(Ipv4Addr::new(10, 200, 0, 1));
    Ipv4Addr::from(first + service * arguments.endpoints + endpoint)
}

/// Makes what is not there yet.
pub(crate) async fn fill(api: &Api, arguments: &Arguments) -> anyhow::Result<()> {
    let started = Instant::now();
    let mut session = api.connect().await?;
    let namespaces = (0..arguments.services.div_ceil(SERVICES_PER_NAMESPACE))
        .map(|number| namespace(number * SERVICES_PER_NAMESPACE));
    for name in namespaces.chain([NAMESPACE.to_owned()]) {
        make(&mut session, "/api/v1/namespaces", json!({ "metadata": { "name": name } })).await?;
        let path = format!("/api/v1/namespaces/{name}/serviceaccounts");
        make(&mut session, &path, json!({ "metadata": { "name": "default" } })).await?;
    }
    make_own(&mut session).await?;
    let pods = arguments.services * arguments.endpoints;
    for node in 0..pods.div_ceil(PODS_PER_NODE) {
        let node = json!({ "metadata": { "name": format!("made-up-{node}") } });
        make(&mut session, "/api/v1/nodes", node).await?;
    }
    let mut writers = JoinSet::new();
    for writer in 0..WRITERS {
        let mut session = api.connect().await?;
        let mine: Vec<u32> = (writer..arguments.services).step_by(WRITERS as usize).collect();
        let objects: Vec<_> = mine.iter().map(|number| objects(arguments, *number)).collect();
        writers.spawn(async move {
            for objects in objects {
                for Written { path, object, status } in objects {
                    let name = object["metadata"]["name"].as_str().unwrap_or_default().to_owned();
                    make(&mut session, &path, object).await?;
                    if let Some(status) = status {
                        let path = format!("{path}/{name}/status");
                        patch(&mut session, &path, &status).await?;
                    }
                }
            }
            anyhow::Ok(())
        });
    }
    while let Some(ended) = writers.join_next().await {
        ended.context("a writer panicked")??;
    }
    let (services, took) = (arguments.services, started.elapsed().as_secs_f64());
    say(&format!("{services} Services, {pods} endpoints and Pods stand after {took:.0} s"))
}

/// What the chart makes besides the agent itself.
async fn make_own(session: &mut Session) -> anyhow::Result<()> {
    let path = format!("/api/v1/namespaces/{NAMESPACE}/secrets");
    make(session, &path, json!({ "metadata": { "name": "rialto-agent" } })).await?;
    let path = format!("/apis/coordination.k8s.io/v1/namespaces/{NAMESPACE}/leases");
    make(session, &path, json!({ "metadata": { "name": "rialto-agent" } })).await
}

struct Written {
    path: String,
    object: Value,
    status: Option<Value>,
}

fn objects(arguments: &Arguments, number: u32) -> Vec<Written> {
    let (namespace, name) = (namespace(number), service_name(number).name.to_string());
    let mut objects = Vec::new();
    for endpoint in 0..arguments.endpoints {
        let address = address(arguments, number, endpoint);
        let node = (number * arguments.endpoints + endpoint) / PODS_PER_NODE;
        let container = json!({ "name": "server", "image": "server", "env": [
            { "name": "SERVICE", "value": name }, { "name": "PORT", "value": "8080" } ] });
        let object = json!({
            "metadata": { "name": format!("{name}-{endpoint}"), "labels": { "app": name } },
            "spec": {
                "nodeName": format!("made-up-{node}"),
                "containers": [container],
                "tolerations": [{ "operator": "Exists" }],
            },
        });
        let status = json!({ "status": {
            "phase": "Running", "podIP": address, "podIPs": [{ "ip": address }],
            "conditions": [{ "type": "Ready", "status": "True" }] } });
        let path = format!("/api/v1/namespaces/{namespace}/pods");
        objects.push(Written { path, object, status: Some(status) });
    }
    let plain = |path: String, object| Written { path, object, status: None };
    objects
        .push(plain(format!("{DISCOVERY}/{namespace}/endpointslices"), slice(arguments, number)));
    let ports = json!([{ "name": "http", "port": 80, "targetPort": 8080, "appProtocol": "http" }]);
    let object = json!({ "metadata": { "name": name }, "spec": { "ports": ports } });
    objects.push(plain(format!("/api/v1/namespaces/{namespace}/services"), object));
    if number < arguments.exported {
        let object = json!({
            "apiVersion": "multicluster.x-k8s.io/v1beta1",
            "kind": "ServiceExport",
            "metadata": { "name": name },
        });
        objects.push(plain(format!("{EXPORTS}/{namespace}/serviceexports"), object));
    }
    objects
}

fn slice(arguments: &Arguments, number: u32) -> Value {
    let name = service_name(number).name.to_string();
    json!({
        "metadata": { "name": name, "labels": { "kubernetes.io/service-name": name } },
        "addressType": "IPv4",
        "ports": [{ "name": "http", "port": 8080, "protocol": "TCP" }],
        "endpoints": endpoints(arguments, number, None),
    })
}

fn endpoints(arguments: &Arguments, number: u32, unready: Option<u32>) -> Value {
    let endpoint = |endpoint| {
        json!({
            "addresses": [address(arguments, number, endpoint)],
            "conditions": { "ready": unready != Some(endpoint) },
            "targetRef": {
                "kind": "Pod",
                "namespace": namespace(number),
                "name": format!("{}-{endpoint}", service_name(number).name),
            },
        })
    };
    (0..arguments.endpoints).map(endpoint).collect()
}

/// Makes one endpoint of a Service not ready, or all ready.
pub(crate) async fn change(
    session: &mut Session,
    arguments: &Arguments,
    number: u32,
    unready: Option<u32>,
) -> anyhow::Result<()> {
    let (namespace, name) = (namespace(number), service_name(number).name);
    let path = format!("{DISCOVERY}/{namespace}/endpointslices/{name}");
    patch(session, &path, &json!({ "endpoints": endpoints(arguments, number, unready) })).await
}

async fn make(session: &mut Session, path: &str, object: Value) -> anyhow::Result<()> {
    let made = session.send::<IgnoredAny>(Method::POST, path, Body::Object, &object).await;
    match made {
        Err(error) if error.is_conflict() => Ok(()),
        made => made.map(drop).with_context(|| format!("cannot make {object} in {path}")),
    }
}

async fn patch(session: &mut Session, path: &str, content: &Value) -> anyhow::Result<()> {
    session.send::<IgnoredAny>(Method::PATCH, path, Body::MergePatch, content).await?;
    Ok(())
}
