use std::time::Duration;

use serde_json::json;

use super::*;
use crate::kubernetes::object::Watched;

/// A pod by its name, whether it is ready, and the last byte of its address.
fn pod(name: &str, is_ready: bool, last: u8) -> (ObjectKey, Pod) {
    let ready = if is_ready { "True" } else { "False" };
    let pod: Pod = serde_json::from_value(json!({
        "metadata": { "namespace": "rialto", "name": name },
        "status": {
            "podIPs": [{ "ip": format!("10.1.0.{last}") }],
            "conditions": [
                { "type": "Ready", "status": ready },
                { "type": "ContainersReady", "status": "True" },
            ],
        },
    }))
    .expect("a pod");
    (pod.key(), pod)
}

#[test]
fn there_is_doubt_while_our_own_pod_is_called_not_ready_and_for_a_while_after() {
    let (own, _) = pod("agent", true, 1);
    let (calm, lost) = (
        HashMap::from([pod("agent", true, 1), pod("web", false, 5)]),
        HashMap::from([pod("agent", false, 1), pod("web", false, 5)]),
    );
    let (mut doubt, start) = (Doubt::default(), Instant::now());
    let mut count = |pods: &HashMap<ObjectKey, Pod>, after: Duration| {
        (doubt.vouched(pods, &own, start + after).len(), doubt.until())
    };
    let minute = Duration::from_secs(60);
    assert_eq!(count(&calm, Duration::ZERO), (0, None), "another node is lost, and ours is not");
    let end = start + minute + limits::KUBERNETES_DOUBT;
    assert_eq!(count(&lost, minute), (2, Some(end)));
    let just_before = minute + limits::KUBERNETES_DOUBT - Duration::from_millis(1);
    assert_eq!(count(&calm, just_before), (2, Some(end)), "others may not be heard yet");
    assert_eq!(count(&calm, minute + limits::KUBERNETES_DOUBT), (0, None));
}
