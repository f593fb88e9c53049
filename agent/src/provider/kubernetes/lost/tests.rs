use std::time::Duration;

use serde_json::json;

use super::*;
use crate::kubernetes::object::Watched;

type Pods = HashMap<ObjectKey, Pod>;

/// Pods by name, node and whether they are ready; their containers are.
fn pods(list: &[(&str, &str, bool)]) -> Pods {
    let pod = |(at, (name, node, is_ready)): (usize, &(&str, &str, bool))| {
        let ready = if *is_ready { "True" } else { "False" };
        let pod: Pod = serde_json::from_value(json!({
            "metadata": { "namespace": "rialto", "name": name },
            "spec": { "nodeName": node },
            "status": {
                "podIPs": [{ "ip": format!("10.1.0.{at}") }],
                "conditions": [
                    { "type": "Ready", "status": ready },
                    { "type": "ContainersReady", "status": "True" },
                ],
            },
        }))
        .expect("a pod");
        (pod.key(), pod)
    };
    list.iter().enumerate().map(pod).collect()
}

#[test]
fn there_is_doubt_while_pods_of_our_node_are_called_not_ready_and_for_a_while_after() {
    let own: ObjectKey = ("rialto".into(), "agent".into());
    let other_node = pods(&[("agent", "one", true), ("web", "two", false)]);
    let own_node = pods(&[("agent", "one", true), ("dns", "one", false), ("web", "two", false)]);
    let ours_is_heard =
        pods(&[("agent", "one", true), ("dns", "one", true), ("web", "two", false)]);
    let (mut doubt, start) = (Doubt::default(), Instant::now());
    let mut count = |pods: &Pods, after: Duration| {
        pods.values().for_each(|pod| doubt.notice(Some(pod)));
        (doubt.vouched(pods, &own, start + after, false).len(), doubt.until())
    };
    let (minute, enough) = (Duration::from_secs(60), limits::KUBERNETES_DOUBT);
    assert_eq!(count(&other_node, Duration::ZERO), (0, None), "ours is not among the lost");
    let end = Some(start + minute + enough);
    assert_eq!(count(&own_node, minute), (3, end), "we are called ready still");
    let just_before = minute + enough - Duration::from_millis(1);
    assert_eq!(count(&ours_is_heard, just_before), (3, end), "others may not be heard yet");
    assert_eq!(count(&ours_is_heard, minute + enough), (0, None));
    let later = 3 * minute;
    assert_eq!(count(&own_node, later), (3, Some(start + later + enough)));
}

#[test]
fn doubt_goes_on_as_long_as_its_reason() {
    let own: ObjectKey = ("rialto".into(), "agent".into());
    let lost = pods(&[("agent", "one", false)]);
    let (mut doubt, mut now) = (Doubt::default(), Instant::now());
    doubt.notice(None);
    for _ in 0..3 {
        assert_eq!(doubt.vouched(&lost, &own, now, false).len(), 1);
        // Nothing is heard, but it is looked at again.
        now = doubt.until().expect("there is doubt");
    }
    let heard = pods(&[("agent", "one", true)]);
    assert_eq!(doubt.vouched(&heard, &own, now, true).len(), 1, "the API server is gone again");
    assert_eq!(doubt.until(), Some(now + limits::KUBERNETES_DOUBT));
}
