//! What `rialto describe` tells of a service that the agent of a Kubernetes cluster exports.

use rialto_types::report::ReportedService;
use serde_json::json;

use crate::agent::Agent;
use crate::rest::Bridge;

#[tokio::test(flavor = "multi_thread")]
async fn a_port_that_gateways_do_not_carry_is_named_with_the_reason() {
    let bridge = Bridge::start();
    let agent = Agent::join(&bridge).await;
    let service = json!({
        "ports": [{ "name": "dns-tcp", "port": 53 }],
        "exported": true,
        "export": { "since": "2026-01-01T00:00:00Z", "traits": {
            "clientAffinityS": 60,
            "ports": [
                { "name": "dns-tcp", "protocol": "TCP", "port": 53 },
                { "name": "dns", "protocol": "UDP", "port": 53 },
                { "name": "calls", "protocol": "SCTP", "port": 9 },
            ],
        }},
    });
    let service: ReportedService = serde_json::from_value(service).expect("as agents report");
    let mut report = Agent::empty_report();
    report.services.insert("shop/names".parse().expect("a name"), service);
    agent.report(&report, None).await;

    let told = bridge.told(&["describe", "service", "shop/names"]);
    for (name, protocol) in [("dns 53", "UDP"), ("calls 9", "SCTP")] {
        let line = format!("! port {name}/{protocol} leads nowhere from other clusters: ");
        let line = line + "gateways carry TCP only";
        assert!(told.lines().any(|told| told.trim() == line), "no `{line}` in:\n{told}");
    }
    assert!(!told.contains("53/TCP leads nowhere"), "{told}");
    assert!(told.contains("ClientIP"), "{told}");

    let get = |path: &str| bridge.raw("GET", path, &bridge.authorization(), b"").json();
    let status = &get("/api/v1/namespaces/shop/services/names")["status"];
    let udp = json!({ "name": "dns", "port": 53, "protocol": "UDP",
                      "reason": "gateways carry TCP only" });
    assert_eq!(status["notCarried"][0], udp, "{status}");
    let page = get("/api/v1/views/namespaces/shop/services/names");
    assert_eq!(page["notCarried"].as_array().map(Vec::len), Some(2), "{page}");
}
