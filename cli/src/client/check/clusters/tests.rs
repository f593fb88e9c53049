use expect_test::expect;
use serde_json::{Value, json};

use super::*;
use crate::client::check::render;
use crate::print::Style;

fn cluster(name: &str, gateway: &str, examined: Value) -> Document {
    let contact = json!({"state": "Connected", "ageMs": 10});
    let gateways = json!([{"id": "gw", "address": gateway}]);
    let subscriber = json!({
        "cluster": name, "role": "gateway", "id": "gw", "contact": contact, "version": "0.0.9",
    });
    let value = json!({
        "apiVersion": "rialto.dev/v1alpha1",
        "kind": "Cluster",
        "metadata": {"name": name},
        "spec": {},
        "status": {
            "trustDomain": format!("{name}.rialto"),
            "anchorFingerprint": null,
            "agent": contact,
            "gateways": gateways,
            "subscribers": [subscriber],
            "services": 1,
            "exports": 1,
            "examined": examined,
        },
    });
    serde_json::from_value(value).expect("a document")
}

fn examined(ahead_ms: i64, findings: Value) -> Value {
    json!({"version": env!("CARGO_PKG_VERSION"), "clockAheadMs": ahead_ms, "ageMs": 5, "findings": findings})
}

#[test]
fn what_agents_found_is_told_with_what_to_do() {
    let findings = json!([
        {"about": "permissions", "level": "Good", "text": "the agent may do what it needs to"},
        {"about": "ServiceExports", "level": "Good", "text": "the cluster has the kind in v1beta1"},
        {"about": "names", "level": "Failed", "text": "the cluster's DNS does not forward",
         "fix": "`rialto install dns`"},
        {"about": "source addresses", "level": "Unknown", "text": "no gateway answered"},
    ]);
    let documents = [
        cluster("east", "10.0.0.1:9443", examined(45_000, findings)),
        cluster("vms", "10.0.0.2:9443", examined(-400_000, json!([]))),
        cluster("west", "10.0.0.3:9443", Value::Null),
    ];
    expect![[r#"
        inside the clusters
          ✕ east  names: the cluster's DNS does not forward
              fix: `rialto install dns`
          - east  source addresses: no gateway answered
          ✓ east  permissions, ServiceExports: in order
          ! east  the agent's clock is 45s ahead of the bridge's  RIA4001
              fix: synchronise clocks: certificates are refused beyond 5 minutes
          ✕ vms  the agent's clock is 6m40s behind the bridge's  RIA4001
              fix: synchronise clocks: certificates are refused beyond 5 minutes
          ! release 0.0.9: gateway of east, gateway of vms, gateway of west; this command line is 0.0.0
              fix: upgrade gateways and DNS proxies first, then the members of the bridge, then agents, then the command line

        2 failed, 2 warnings, 1 skipped, 1 good
    "#]]
    .assert_eq(&render(&inside(&documents), Style::default()));
}

fn link(from: &str, from_gateway: &str, to: &str, connections: u32) -> Value {
    json!({
        "from": from, "fromGateway": from_gateway, "to": to, "toGateway": "gw",
        "connections": connections, "packetsPerSecond": 0.0, "ageMs": 1,
    })
}

fn traffic(links: Value) -> Traffic {
    let series = json!({
        "stepMs": 2000, "endAgeMs": 0, "requestsPerSecond": [], "errorsPerSecond": [], "p95Ms": [],
    });
    let value = json!({
        "overMs": 10_000, "flows": [], "omitted": 0, "series": series, "links": links, "gaps": [],
    });
    serde_json::from_value(value).expect("traffic")
}

#[test]
fn clusters_whose_gateways_do_not_connect_are_named_with_their_addresses() {
    let documents = [
        cluster("east", "10.0.0.1:9443", Value::Null),
        cluster("vms", "10.0.0.2:9443", Value::Null),
        cluster("west", "10.0.0.3:9443", Value::Null),
    ];
    let links = [("east", "vms", 2), ("west", "vms", 0), ("west", "east", 1)];
    let links = links.map(|(from, to, connections)| link(from, "gw", to, connections));
    expect![[r#"
        between the clusters
          ✕ no gateway of vms is connected to one of west
              fix: let UDP pass, one way at least: vms is at 10.0.0.2:9443, west at 10.0.0.3:9443
          ✓ 2 pairs of clusters are connected

        1 failed, 0 warnings, 0 skipped, 1 good
    "#]]
    .assert_eq(&render(&between(&documents, Some(&traffic(json!(links)))), Style::default()));
    let unheard = between(&documents, None);
    assert!(unheard.iter().all(|finding| finding.level == Level::Skipped), "{unheard:?}");
    assert_eq!(unheard.len(), 3);
}

#[test]
fn a_gateway_that_no_other_cluster_reaches_is_named_with_its_address() {
    let mut east = cluster("east", "10.0.0.1:9443", Value::Null);
    let status = east.status.as_mut().expect("a status");
    let mut second = status["subscribers"][0].clone();
    second["id"] = "gw-2".into();
    status["subscribers"].as_array_mut().expect("a list").push(second);
    let address = json!({"id": "gw-2", "address": "10.0.0.4:9443"});
    status["gateways"].as_array_mut().expect("a list").push(address);
    let documents = [east, cluster("west", "10.0.0.3:9443", Value::Null)];
    let links = json!([link("east", "gw", "west", 2), link("east", "gw-2", "west", 0)]);
    expect![[r#"
        between the clusters
          ! gw-2 of east is connected to no gateway of west
              fix: let UDP pass between it, at 10.0.0.4:9443, and west
          ✓ 1 pair of clusters is connected

        0 failed, 1 warning, 0 skipped, 1 good
    "#]]
    .assert_eq(&render(&between(&documents, Some(&traffic(links))), Style::default()));
}
