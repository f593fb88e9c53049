use expect_test::expect;
use rialto_types::api::Status;
use serde_json::json;

use super::render;
use crate::print::Style;

pub(crate) fn status() -> Status {
    let contact = |state: &str, age_ms: u64| json!({ "state": state, "ageMs": age_ms });
    let value = json!({
        "revision": "1.42",
        "members": [
            { "id": "bridge-1", "address": "10.0.0.1:7600", "role": "leader",
              "state": "Connected", "term": 3, "applied": 42, "lag": 0 },
            { "id": "bridge-2", "address": "10.0.0.2:7600", "role": "unknown", "state": "Silent" },
        ],
        "clusters": [
            { "name": "east", "drained": false, "agent": contact("Connected", 2_000),
              "gateways": 2, "gatewaysLive": 2, "services": 5, "exports": 3 },
            { "name": "vms", "drained": true, "agent": contact("Silent", 134_000),
              "gateways": 1, "gatewaysLive": 0, "services": 1, "exports": 1 },
        ],
        "subscribers": [
            { "cluster": "east", "role": "gateway", "id": "gw-1",
              "contact": contact("Connected", 500), "acked": "1.42" },
            { "cluster": "vms", "role": "gateway", "id": "gw-1",
              "contact": contact("Silent", 134_000), "acked": "1.40" },
        ],
    });
    serde_json::from_value(value).expect("a status")
}

#[test]
fn one_screen_for_the_whole_federation() {
    expect![[r#"
        MEMBER    ADDRESS        ROLE     STATE      TERM  APPLIED  LAG
        bridge-1  10.0.0.1:7600  leader   Connected  3     42       0
        bridge-2  10.0.0.2:7600  unknown  Silent     –     –        –

        CLUSTER  AGENT         GATEWAYS  SERVICES  EXPORTS  REVISION  TRAFFIC
        east     Connected 2s  2/2       5         3        1.42 ✓    normal
        vms      Silent 2m14s  0/1       1         1        1.40 ?    drained

        gateways and DNS proxies on revision 1.42: 1 of 2
          ! vms gateway gw-1  at 1.40, Silent, last heard 2m14s ago
    "#]]
    .assert_eq(&render(&status(), Style { colour: false }));
}
