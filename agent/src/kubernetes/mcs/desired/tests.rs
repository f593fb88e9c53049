use rialto_types::id::ClusterName;
use rialto_types::import::{Protocol, Traits};
use rialto_types::snapshot::{Entry, FailoverEntry, HeadlessEndpoint, NamesEntry};

use super::super::held::{HeldImport, HeldSlice};
use super::super::{ExportState, Validity};
use super::*;

fn parse<T: std::str::FromStr<Err: std::fmt::Debug>>(text: &str) -> T {
    text.parse().expect("a word")
}

fn port(name: &str, protocol: Protocol, number: u16) -> Port {
    let (name, port) = (name.parse().ok(), number.try_into().expect("a port"));
    Port { name, protocol, port, app_protocol: None }
}

fn traits() -> Traits {
    Traits {
        ports: vec![port("dns", Protocol::Tcp, 42), port("dns-udp", Protocol::Udp, 42)],
        ip_families: vec![IpFamily::V4],
        client_affinity_s: Some(10),
        internal_traffic_policy: Some("Cluster".into()),
        traffic_distribution: Some("PreferClose".into()),
        labels: [("app".to_owned(), "web".to_owned())].into(),
        annotations: [("example.com/note".to_owned(), "any text".to_owned())].into(),
    }
}

/// `shop/web`, exported by east with all ports and by west with the first one, seen from north.
fn snapshot(headless: Option<Vec<HeadlessEndpoint>>, traits: Traits) -> Snapshot {
    let ports = traits.ports.clone();
    let clusters: BTreeMap<ClusterName, Vec<Port>> =
        [(parse("east"), ports.clone()), (parse("west"), ports[..1].to_vec())].into();
    let numbers = |ports: &Vec<Port>| {
        let carried = ports.iter().filter(|port| port.is_carried());
        carried.map(|port| port.port.get()).collect::<Vec<u16>>()
    };
    let service = ServiceEntry {
        name: parse("shop/web"),
        ports: Vec::new(),
        clusters: clusters.iter().map(|(name, ports)| (name.clone(), numbers(ports))).collect(),
        virtual_ips: Vec::new(),
        gateway_ports: [(42, 20_000)].into(),
        headless: headless.clone(),
        udp_ports: Vec::new(),
        client_affinity: false,
        failover: FailoverEntry { policy: None, order: Vec::new(), overprovisioning_percent: 140 },
    };
    let import = ImportEntry {
        service: parse("shop/web"),
        headless: headless.is_some(),
        traits,
        clusters,
        conflicts: Vec::new(),
    };
    let names = NamesEntry { cluster: parse("north"), namespaces: None };
    let entries = [Entry::Names(names), Entry::Service(service), Entry::Import(import)];
    Snapshot::from_entries(rialto_types::id::Revision::new(1, 1), entries)
}

fn address(text: &str) -> VirtualIps {
    [(parse("shop/web"), vec![parse(text)])].into()
}

fn endpoint(cluster: &str, hostname: Option<&str>, address: &str) -> HeadlessEndpoint {
    let hostname = hostname.map(parse);
    HeadlessEndpoint {
        cluster: parse(cluster),
        hostname,
        address: parse(address),
        ports: BTreeMap::new(),
        udp_ports: BTreeMap::new(),
    }
}

fn only(desired: &Desired) -> &Import {
    assert_eq!(desired.imports.len(), 1);
    desired.imports.values().next().expect("one")
}

#[test]
fn an_import_has_what_the_exporting_service_has() {
    let desired = of(&snapshot(None, traits()), &address("10.0.0.9"), &Exports::new());
    let import = only(&desired);
    let expected = json!({
        "type": "ClusterSetIP",
        "ports": [
            {"name": "dns", "port": 42, "protocol": "TCP"},
            {"name": "dns-udp", "port": 42, "protocol": "UDP"},
        ],
        "ips": ["10.0.0.9"],
        "ipFamilies": ["IPv4"],
        "sessionAffinity": "ClientIP",
        "sessionAffinityConfig": {"clientIP": {"timeoutSeconds": 10}},
        "internalTrafficPolicy": "Cluster",
        "trafficDistribution": "PreferClose",
    });
    assert_eq!(import.spec, expected);
    assert_eq!(import.labels["app"], "web");
    assert_eq!(import.annotations["example.com/note"], "any text");
    assert_eq!(import.clusters, ["east", "west"]);
    assert!(import.ready.holds && import.ready.message.contains("dns-udp 42/UDP"));
}

#[test]
fn without_its_address_an_import_is_not_ready() {
    let desired = of(&snapshot(None, traits()), &VirtualIps::new(), &Exports::new());
    let import = only(&desired);
    assert_eq!((import.ready.holds, &*import.ready.reason), (false, "Pending"));
    assert_eq!(import.spec.get("ips"), None);
    assert!(desired.slices.is_empty());
}

#[test]
fn a_headless_import_has_no_address_ever() {
    let pods =
        vec![endpoint("east", Some("web-0"), "10.1.0.1"), endpoint("west", None, "10.2.0.1")];
    let desired = of(&snapshot(Some(pods), traits()), &address("10.0.0.9"), &Exports::new());
    let import = only(&desired);
    assert_eq!(import.spec["type"], "Headless");
    assert_eq!(import.spec.get("ips"), None);
    assert_eq!(import.spec["ipFamilies"], json!(["IPv4"]));
}

#[test]
fn a_label_that_is_none_keeps_no_import_from_being_written() {
    let labels = [("app", "web"), ("no label", "x"), ("a", "-"), ("Example.com/x", "y"), ("b", "")];
    let labels = labels.map(|(key, value)| (key.to_owned(), value.to_owned())).into();
    let traits = Traits { labels, ..traits() };
    let desired = of(&snapshot(None, traits), &address("10.0.0.9"), &Exports::new());
    let kept: Vec<&str> = only(&desired).labels.keys().map(String::as_str).collect();
    assert_eq!(kept, ["app", MANAGED_BY, "b"]);
}

/// `CLUSTER FAMILY ENDPOINTS PORTS` of each, as it is applied.
fn slices(desired: &Desired) -> Vec<String> {
    let owner = Owner {
        api_version: "multicluster.x-k8s.io/v1beta1".into(),
        kind: "ServiceImport",
        name: "web".into(),
        uid: "7".into(),
    };
    let line = |((namespace, name), slice): (&(String, String), &Slice)| {
        let manifest = slice::manifest(name, slice, &owner);
        let labels = manifest["metadata"]["labels"].as_object().expect("labels");
        assert_eq!(labels["multicluster.kubernetes.io/service-name"], "web");
        assert_eq!(labels["endpointslice.kubernetes.io/managed-by"], MANAGER);
        assert!(!labels.contains_key("kubernetes.io/service-name"));
        assert_eq!(manifest["metadata"]["ownerReferences"][0]["uid"], "7");
        assert_eq!(namespace, "shop");
        let ports = manifest["ports"].as_array().expect("ports");
        let ports: Vec<String> =
            ports.iter().map(|it| format!("{}/{}", it["port"], it["protocol"])).collect();
        let ports = ports.join(" ");
        let cluster = &labels["multicluster.kubernetes.io/source-cluster"];
        format!("{cluster} {} {} {ports}", manifest["addressType"], manifest["endpoints"])
            .replace('"', "")
    };
    desired.slices.iter().map(line).collect()
}

#[test]
fn each_source_cluster_has_a_slice_with_the_ports_that_it_serves() {
    let desired = of(&snapshot(None, traits()), &address("10.0.0.9"), &Exports::new());
    assert_eq!(
        slices(&desired),
        [
            "east IPv4 [{addresses:[10.0.0.9],conditions:{}}] 42/TCP",
            "west IPv4 [{addresses:[10.0.0.9],conditions:{}}] 42/TCP",
        ]
    );
}

#[test]
fn slices_of_a_headless_service_have_its_pods_and_their_host_names() {
    let pods = vec![
        endpoint("east", Some("web-0"), "10.1.0.1"),
        endpoint("east", Some("web-0"), "fd00::1"),
        endpoint("west", None, "10.2.0.1"),
    ];
    let desired = of(&snapshot(Some(pods), traits()), &VirtualIps::new(), &Exports::new());
    let mut slices = slices(&desired);
    slices.sort();
    assert_eq!(
        slices,
        [
            "east IPv4 [{addresses:[10.1.0.1],conditions:{ready:true},hostname:web-0}] \
             42/TCP 42/UDP",
            "east IPv6 [{addresses:[fd00::1],conditions:{ready:true},hostname:web-0}] \
             42/TCP 42/UDP",
            "west IPv4 [{addresses:[10.2.0.1],conditions:{ready:true}}] 42/TCP",
        ]
    );
}

#[test]
fn pods_that_listen_elsewhere_have_slices_of_their_own() {
    let mut moved = endpoint("west", None, "10.2.0.1");
    moved.ports = [(42, 4242)].into();
    let mut moved_by_udp = endpoint("east", None, "10.1.0.1");
    moved_by_udp.udp_ports = [(42, 4343)].into();
    let pods = vec![moved, endpoint("west", None, "10.2.0.2"), moved_by_udp];
    let desired = of(&snapshot(Some(pods), traits()), &VirtualIps::new(), &Exports::new());
    let mut slices = slices(&desired);
    slices.sort();
    assert_eq!(
        slices,
        [
            "east IPv4 [{addresses:[10.1.0.1],conditions:{ready:true}}] 42/TCP 4343/UDP",
            "west IPv4 [{addresses:[10.2.0.1],conditions:{ready:true}}] 4242/TCP",
            "west IPv4 [{addresses:[10.2.0.2],conditions:{ready:true}}] 42/TCP",
        ]
    );
}

#[test]
fn a_large_headless_service_has_several_slices() {
    let pod = |at: u8| endpoint("east", None, &format!("10.1.0.{at}"));
    let desired = of(
        &snapshot(Some((0..150).map(pod).collect()), traits()),
        &VirtualIps::new(),
        &Exports::new(),
    );
    let counts: Vec<usize> =
        desired.slices.values().map(|it| it.endpoints.as_array().map_or(0, Vec::len)).collect();
    assert_eq!(counts.iter().sum::<usize>(), 150);
    assert_eq!(counts.len(), 2);
}

#[test]
fn ports_that_lead_nowhere_and_a_pod_of_each_other_cluster_are_known() {
    let desired = of(&snapshot(None, traits()), &VirtualIps::new(), &Exports::new());
    assert_eq!(desired.left_off, ["shop/web dns-udp 42/UDP"]);
    assert!(desired.pods.is_empty());
    let mut moved = endpoint("west", None, "10.2.0.1");
    moved.ports = [(42, 4242)].into();
    let pods = vec![endpoint("north", None, "10.9.0.1"), moved, endpoint("west", None, "10.2.0.2")];
    let desired = of(&snapshot(Some(pods), traits()), &VirtualIps::new(), &Exports::new());
    let told: Vec<String> = desired.pods.iter().map(|(of, at)| format!("{of} {at}")).collect();
    assert_eq!(told, ["west 10.2.0.1:4242"], "the own cluster's are not asked");
    assert!(desired.left_off.is_empty(), "pods are dialled themselves");
}

#[test]
fn exports_are_told_how_they_fare() {
    let state =
        ExportState { validity: Validity::NoService, generation: 1, conditions: Vec::new() };
    let exports: Exports = [(parse("shop/missing"), state)].into();
    let desired = of(&snapshot(None, traits()), &VirtualIps::new(), &exports);
    assert_eq!(desired.exports[&parse("shop/missing")][0].reason, "NoService");
}

#[test]
fn what_stands_as_written_is_not_written_again_and_what_was_changed_is() {
    let desired = of(&snapshot(None, traits()), &address("10.0.0.9"), &Exports::new());
    let name: ServiceName = parse("shop/web");
    let owner = Owner {
        api_version: "rbac.authorization.k8s.io/v1".into(),
        kind: "ClusterRole",
        name: "rialto-agent".into(),
        uid: "7".into(),
    };
    let version = "multicluster.x-k8s.io/v1beta1";
    let wanted = manifest(version, &name, only(&desired), Some(&owner));
    let held = |value: &Value| -> HeldImport {
        serde_json::from_value(value.clone()).expect("a ServiceImport")
    };
    assert!(held(&wanted).is_as(&wanted) && held(&wanted).metadata.is_ours());
    let mut edited = wanted.clone();
    edited["spec"]["sessionAffinity"] = json!("None");
    assert!(!held(&edited).is_as(&wanted), "somebody changed it");
    let other = Owner { uid: "8".into(), ..owner };
    let again = manifest(version, &name, only(&desired), Some(&other));
    assert!(!held(&wanted).is_as(&again), "the release was installed anew");

    let (key, slice) = desired.slices.iter().next().expect("a slice");
    let wanted = slice::manifest(&key.1, slice, &other);
    let held: HeldSlice = serde_json::from_value(wanted.clone()).expect("an EndpointSlice");
    assert!(held.is_as(&wanted));
}

#[test]
fn an_import_that_somebody_else_made_is_his() {
    let held: HeldImport = serde_json::from_value(json!({
        "metadata": {
            "name": "web", "namespace": "shop",
            "managedFields": [
                {"manager": "other-mcs", "operation": "Update"},
                {"manager": MANAGER, "operation": "Apply", "subresource": "status"},
            ],
        },
    }))
    .expect("a ServiceImport");
    assert!(!held.metadata.is_ours());
    assert_eq!(held.metadata.manager(), "other-mcs");
}
