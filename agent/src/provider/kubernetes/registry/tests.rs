use std::fmt::Write;
use std::path::Path;

use expect_test::expect_file;
use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio::time::Instant;

use super::*;
use crate::kubernetes::object::{Pod, Watched};
use crate::provider::kubernetes::callers::Callers;
use crate::provider::kubernetes::lost::Doubt;

/// Each block: Kubernetes objects as a YAML list, `----`, and what becomes of them.
#[test]
fn transcripts() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/kubernetes");
    let mut count = 0;
    for entry in std::fs::read_dir(&folder).expect("testdata/kubernetes exists") {
        let path = entry.expect("a readable folder").path();
        let text = std::fs::read_to_string(&path).expect("a readable transcript");
        expect_file![path].assert_eq(&replay(&text));
        count += 1;
    }
    assert!(count >= 4, "{count} transcripts in {}", folder.display());
}

fn replay(text: &str) -> String {
    let mut output = String::new();
    for block in text.split("\n\n") {
        let objects = block.split("\n----").next().unwrap_or_default().trim_end();
        let told = tell(read(objects).registry());
        writeln!(output, "{objects}\n----\n{told}").expect("a string grows");
    }
    output.truncate(output.trim_end().len());
    output + "\n"
}

#[derive(Default)]
struct Held {
    namespaces: HashMap<ObjectKey, Namespace>,
    services: HashMap<ObjectKey, Object>,
    slices: HashMap<ObjectKey, EndpointSlice>,
    pods: HashMap<ObjectKey, Pod>,
    exports: HashMap<ObjectKey, ServiceExport>,
    hosts: Hosts,
}

impl Held {
    fn sources<'a>(&'a self, home: &'a Home, vouched: &'a BTreeSet<IpAddr>) -> Sources<'a> {
        Sources {
            home,
            namespaces: &self.namespaces,
            services: &self.services,
            slices: &self.slices,
            exports: &self.exports,
            hosts: &self.hosts,
            vouched,
        }
    }

    fn registry(&self) -> Result<Registry, Vec<Fault>> {
        let (mut services, mut callers) = (Services::default(), Callers::default());
        let home = Home { namespace: "rialto".into(), pod: "agent".into(), mode: Mode::Control };
        let mut doubt = Doubt::default();
        doubt.notice(None);
        let vouched = doubt.vouched(&self.pods, &home.key(), Instant::now(), false);
        let sources = self.sources(&home, &vouched);
        services.refresh(&sources, &Stale::All);
        callers.replace(&self.pods);
        build(&sources, &services, callers.known())
    }
}

fn read(text: &str) -> Held {
    let objects: Vec<Value> = serde_saphyr::from_str(text).expect("a list of objects");
    let mut held = Held::default();
    for object in objects {
        match object["kind"].as_str().expect("a kind") {
            "Namespace" => put(&mut held.namespaces, object),
            "Service" => put(&mut held.services, object),
            "EndpointSlice" => put(&mut held.slices, object),
            "Pod" => put(&mut held.pods, object),
            "ServiceExport" => put(&mut held.exports, object),
            // Not an object of Kubernetes: what a name was looked up to be.
            "Host" => {
                let text = |field: &str| object[field].as_str().expect("a text").to_owned();
                let address = text("address").parse().expect("an address");
                held.hosts.insert(text("name").into(), address);
            }
            other => panic!("{other} is not watched"),
        }
    }
    held
}

fn put<T: Watched + DeserializeOwned>(objects: &mut HashMap<ObjectKey, T>, object: Value) {
    let object: T = serde_json::from_value(object).expect("an object of Kubernetes");
    objects.insert(object.key(), object);
}

fn tell(built: Result<Registry, Vec<Fault>>) -> String {
    let registry = match built {
        Ok(registry) => registry,
        Err(faults) => return faults.iter().map(|fault| format!("fault: {fault}\n")).collect(),
    };
    let mut text = String::new();
    for (name, service) in &registry.services {
        let ports = service.ports.iter().map(|port| {
            let name = port.name.as_ref().map(ToString::to_string).unwrap_or_default();
            format!(" {name}:{}:{}", port.protocol.as_str(), port.number)
        });
        let ports: String = ports.collect();
        let exported = if service.exported { " exported" } else { "" };
        let headless = if service.headless { " headless" } else { "" };
        writeln!(text, "service {name}{exported}{headless}{ports}").expect("a string grows");
        if let Some(export) = &service.export {
            let traits = serde_json::to_string(&export.traits).expect("traits are JSON");
            writeln!(text, "  since {} {traits}", export.since).expect("a string grows");
        }
        for endpoint in &service.endpoints {
            let hostname = endpoint.hostname.as_ref().map(|it| format!(" {it}"));
            let hostname = hostname.unwrap_or_default();
            let ports = endpoint.ports.iter().map(|(from, to)| format!(" {from}->{to}"));
            let udp = endpoint.udp_ports.iter().map(|(from, to)| format!(" {from}->{to}/udp"));
            let ports: String = ports.chain(udp).collect();
            writeln!(text, "  {}{hostname}{ports}", endpoint.address).expect("a string grows");
        }
    }
    for (address, caller) in registry.callers.iter() {
        writeln!(text, "caller {address} {}/{}", caller.namespace, caller.account)
            .expect("a string grows");
    }
    for (id, address) in &registry.gateways {
        writeln!(text, "gateway {id} {address}").expect("a string grows");
    }
    for (service, addresses) in registry.virtual_ips.iter().flatten() {
        writeln!(text, "virtual IP of {service} {addresses:?}").expect("a string grows");
    }
    if text.is_empty() { "nothing\n".into() } else { text }
}

#[test]
fn more_endpoints_than_a_cluster_may_have_is_a_fault() {
    let mut held = read(
        "- {kind: Namespace, metadata: {name: books}}
- {kind: Service, metadata: {namespace: books, name: many},
   spec: {clusterIP: 10.0.0.9, ports: [{port: 80}]}}",
    );
    for slice in 0..51_u8 {
        let endpoints: Vec<Value> = (0..1_000_u16)
            .map(|at| {
                let [high, low] = at.to_be_bytes();
                serde_json::json!({"addresses": [format!("10.{slice}.{high}.{low}")]})
            })
            .collect();
        let object = serde_json::json!({
            "metadata": {
                "namespace": "books",
                "name": format!("many-{slice}"),
                "labels": {"kubernetes.io/service-name": "many"},
            },
            "endpoints": endpoints,
            "ports": [{"name": "", "port": 8080}],
        });
        put(&mut held.slices, object);
    }
    let told = tell(held.registry());
    assert!(told.contains("Kubernetes endpoints: 51000 are too many, at most 50000"), "{told}");
}
