use super::*;

fn id(number: usize) -> InstanceId {
    format!("gateway-{number}").parse().expect("an id")
}

fn address(port: u16) -> Option<SocketAddr> {
    Some(SocketAddr::from(([192, 0, 2, 1], port)))
}

#[test]
fn a_restart_is_not_seen_and_an_end_is() {
    let (mut gateways, now) = (Gateways::default(), Instant::now());
    assert!(gateways.handle_connected(id(1), address(1)));
    assert_eq!(gateways.poll_timeout(), None);
    gateways.handle_gone(&id(1), now);
    gateways.handle_timeout(now + limits::GATEWAY_FORGOTTEN / 2);
    assert!(gateways.handle_connected(id(1), address(2)));
    // It reconnects before its old stream ended.
    assert!(gateways.handle_connected(id(1), address(2)));
    gateways.handle_gone(&id(1), now);
    gateways.handle_timeout(now + limits::GATEWAY_FORGOTTEN * 2);
    assert_eq!(gateways.addresses(), [(id(1), address(2))].into());
    gateways.handle_gone(&id(1), now);
    assert_eq!(gateways.poll_timeout(), Some(now + limits::GATEWAY_FORGOTTEN));
    gateways.handle_timeout(now + limits::GATEWAY_FORGOTTEN);
    assert!(gateways.addresses().is_empty());
}

#[test]
fn those_of_an_earlier_agent_have_time_to_come_back() {
    let now = Instant::now();
    let mut gateways = Gateways::restore([(id(1), address(1))].into(), now);
    gateways.handle_timeout(now);
    assert_eq!(gateways.addresses().len(), 1);
    gateways.handle_timeout(now + limits::GATEWAY_FORGOTTEN);
    assert!(gateways.addresses().is_empty());
}

#[test]
fn there_are_so_many() {
    let mut gateways = Gateways::default();
    for number in 0..limits::GATEWAYS_PER_CLUSTER_MAX {
        assert!(gateways.handle_connected(id(number), address(1)));
    }
    assert!(!gateways.handle_connected(id(1_000), address(1)));
    assert!(gateways.handle_connected(id(0), address(2)));
}

#[test]
fn gateways_that_the_registry_names_get_time_to_subscribe() {
    let (mut gateways, now) = (Gateways::default(), Instant::now());
    gateways.handle_connected(id(0), address(1));
    gateways.handle_named([id(0), id(1)].into_iter(), now);
    assert_eq!(gateways.addresses(), [(id(0), address(1)), (id(1), None)].into());
    gateways.handle_timeout(now + limits::GATEWAY_FORGOTTEN);
    assert_eq!(gateways.addresses(), [(id(0), address(1))].into(), "the other one never came");
}
