use expect_test::expect;
use rialto_types::object::{Document, Kind};
use serde_json::{Value, json};

use super::{Level, Seen, findings, render};
use crate::client::status::tests::status;
use crate::print::Style;

fn document(kind: Kind, name: &str, spec: Value, status: Value) -> Document {
    let value = json!({
        "apiVersion": kind.api_version(),
        "kind": kind,
        "metadata": { "name": name, "namespace": "books" },
        "spec": spec,
        "status": status,
    });
    serde_json::from_value(value).expect("a document")
}

fn service(name: &str, healthy: u32, conflicts: &[&str]) -> Document {
    let endpoints = json!([{ "port": 80, "healthy": healthy, "total": 2, "ageMs": 10 }]);
    let status = json!({
        "dnsName": name,
        "ports": [],
        "headless": false,
        "clusters": { "east": { "exported": true, "endpoints": endpoints } },
        "virtualIps": {},
        "conflicts": conflicts,
    });
    document(Kind::Service, name, json!({}), status)
}

#[test]
fn findings_are_grouped_with_code_and_fix() {
    let route = json!({
        "parentRefs": [{ "name": "reviews" }],
        "rules": [{ "backendRefs": [{ "name": "gone", "weight": 0 }] }],
    });
    let seen = Seen {
        status: status(),
        clusters: vec![],
        traffic: None,
        services: vec![
            service("reviews", 0, &[]),
            service("details", 2, &["port 80 is tcp in east and http in west"]),
        ],
        routes: vec![document(Kind::HttpRoute, "reviews", route, Value::Null)],
        policies: vec![],
    };
    expect![[r#"
        control plane
          ✓ bridge-1 leads
          ✕ bridge-2 at 10.0.0.2:7600 is not heard  RIA5004
              fix: is `rialto bridge` running there? is 10.0.0.2:7600 open?
          ! 2 members bear no more losses than 1
              fix: run three or five
        clusters
          ✓ east  agent Connected 2s  gateways 2/2
          ✕ vms  agent Silent 2m14s  gateways 0/1  RIA1006
              fix: is `rialto agent` of vms running, and can it dial the bridge? traffic goes on
        gateways and DNS proxies
          ✕ vms gateway gw-1  at 1.40, Silent, last heard 2m14s ago
              fix: is `rialto gateway` of vms running, and can it dial the bridge?
        services
          ✕ books/reviews: no healthy endpoint in any cluster  RIA2003
              fix: `rialto describe service books/reviews` shows where it should run
          ! books/details: port 80 is tcp in east and http in west  RIA1010
              fix: define its ports alike
        routes and policies
          ✕ HTTPRoute books/reviews: a rule has no backend with a weight  RIA2007
              fix: give one a weight
          ! HTTPRoute books/reviews: no cluster has the service books/gone  RIA6015
              fix: correct the name, or start the service

        5 failed, 3 warnings, 0 skipped, 2 good
    "#]]
    .assert_eq(&render(&findings(&seen), Style { colour: false }));
}

#[test]
fn a_federation_that_is_well_has_no_finding_but_good_ones() {
    let mut status = status();
    status.members.truncate(1);
    status.clusters.truncate(1);
    status.subscribers.truncate(1);
    let services = vec![service("reviews", 2, &[])];
    let (clusters, traffic) = (vec![], None);
    let seen = Seen { status, clusters, traffic, services, routes: vec![], policies: vec![] };
    let findings = findings(&seen);
    assert!(findings.iter().all(|finding| finding.level == Level::Good), "{findings:?}");
}
