use std::num::NonZeroU16;

use rialto_types::service::{AppProtocol, ServicePort};
use rialto_types::snapshot::{Entry, FailoverEntry};

use super::*;

fn service(name: &str) -> ServiceName {
    name.parse().expect("a service name")
}

fn entry(name: &str, ports: &[(u16, Option<u16>)], headless: bool) -> Entry {
    let number = |port| NonZeroU16::new(port).expect("a port");
    let port = |(port, _): &(u16, Option<u16>)| ServicePort {
        name: Some(format!("p{port}").parse().expect("a port name")),
        port: number(*port),
        app_protocol: AppProtocol::Tcp,
    };
    Entry::Service(ServiceEntry {
        name: service(name),
        ports: ports.iter().map(port).collect(),
        clusters: BTreeMap::new(),
        virtual_ips: Vec::new(),
        gateway_ports: ports.iter().filter_map(|(from, to)| Some((*from, (*to)?))).collect(),
        headless: headless.then(Vec::new),
        udp_ports: Vec::new(),
        client_affinity: false,
        failover: FailoverEntry { policy: None, order: Vec::new(), overprovisioning_percent: 140 },
    })
}

fn selector() -> BTreeMap<String, String> {
    [("part".to_owned(), "gateway".to_owned())].into()
}

fn wanted_of(entries: Vec<Entry>) -> BTreeMap<String, Derived> {
    let mut snapshot = Snapshot::default();
    for entry in entries {
        snapshot.insert(entry);
    }
    wanted(&snapshot, &selector())
}

#[test]
fn each_import_with_a_gateway_port_gets_a_service_of_its_own() {
    let wanted = wanted_of(vec![
        entry("books/details", &[(80, Some(20_000)), (81, None)], false),
        entry("shop/details", &[(80, Some(20_001))], false),
        entry("books/db", &[(5432, Some(20_002))], true),
        entry("books/none", &[(80, None)], false),
    ]);
    let told: Vec<String> = wanted
        .iter()
        .map(|(name, derived)| format!("{name} {} {:?}", derived.service, derived.ports))
        .collect();
    assert_eq!(told.len(), 2, "{told:?}");
    assert!(told.iter().all(|it| it.starts_with("import-details-")), "{told:?}");
    assert!(told.iter().any(|it| it.ends_with(r#"books/details {80: (Some("p80"), 20000)}"#)));
}

#[test]
fn ports_without_a_name_get_one_where_there_are_several() {
    let named = entry("books/details", &[(80, Some(20_000)), (81, Some(20_001))], false);
    let Entry::Service(mut service) = named else { panic!("a service") };
    for port in &mut service.ports {
        port.name = None;
    }
    let wanted = wanted_of(vec![Entry::Service(service)]);
    let derived = wanted.values().next().expect("one");
    let names: Vec<Option<&str>> = derived.ports.values().map(|(it, _)| it.as_deref()).collect();
    assert_eq!(names, [Some("port-80"), Some("port-81")]);
}

#[test]
fn a_long_name_still_fits() {
    let long = format!("books/{}", "a".repeat(63));
    assert!(object_name(&service(&long)).len() <= 63);
}

#[test]
fn what_is_as_it_shall_be_is_not_written_again() {
    let wanted = wanted_of(vec![entry("books/details", &[(80, Some(20_000))], false)]);
    let held = wanted.iter().map(|(name, it)| (name.clone(), Some(it.clone()))).collect();
    assert_eq!(plan(&wanted, &held, &VirtualIps::new()), [[], [], []]);
}

#[test]
fn what_differs_is_written_and_what_nobody_exports_goes() {
    let wanted = wanted_of(vec![entry("books/details", &[(80, Some(20_000))], false)]);
    let name = wanted.keys().next().expect("one").clone();
    let held = [(name.clone(), None), ("import-old-1".to_owned(), None)].into();
    let known = [(service("books/details"), vec!["10.0.0.9".parse().expect("an address")])].into();
    let steps = plan(&wanted, &held, &known);
    let derived = wanted[&name].clone();
    // It is there and keeps its address by itself.
    let apply = Step::Apply { name, derived, addresses: Vec::new() };
    assert_eq!(steps, [vec![Step::Delete { name: "import-old-1".into() }], vec![apply], vec![]]);
}

#[test]
fn one_that_was_deleted_comes_back_with_its_address() {
    let new = entry("books/a-new-one", &[(80, Some(20_001))], false);
    let wanted = wanted_of(vec![new, entry("books/details", &[(80, Some(20_000))], false)]);
    let address: IpAddr = "10.0.0.9".parse().expect("an address");
    let known = [(service("books/details"), vec![address])].into();
    let [_, first, then] = plan(&wanted, &BTreeMap::new(), &known);
    // The new one must not be given the address.
    assert!(matches!(&then[..], [Step::Apply { addresses, .. }] if addresses.is_empty()));
    let [Step::Apply { name, derived, addresses }] = &first[..] else { panic!("{first:?}") };
    let owner = Owner { name: "rialto-agent".into(), uid: "7".into() };
    let object = manifest(name, "rialto", derived, addresses, &owner);
    assert_eq!(object["spec"]["clusterIP"], "10.0.0.9");
    assert_eq!(object["spec"]["ports"][0]["targetPort"], 20_000);
    assert_eq!(object["metadata"]["ownerReferences"][0]["uid"], "7");
    // What is written reads as what was meant.
    let held: HeldObject = serde_json::from_value(object).expect("a Service");
    assert_eq!(held.derived().as_ref(), Some(derived));
}
