use super::*;

const LEAST: &str = "
id: gateway-1
dataFolder: /var/lib/rialto/gateway
agentSocket: /run/rialto/agent.sock
tunnel:
  listen: 10.0.0.1:7443
";

fn parse(text: &str) -> Config {
    serde_saphyr::from_str(text).expect("parses")
}

#[test]
fn the_least_configuration_has_defaults_for_the_rest() {
    let config = parse(LEAST);
    config.check().expect("is usable");
    assert_eq!(config.capture, Capture::Bind);
    assert_eq!(config.access_log, AccessLogTarget::Stdout);
    assert_eq!(config.tunnel.mtu_max, limits::TUNNEL_MTU_MAX);
    assert!(config.admin.ip().is_loopback());
}

#[test]
fn unknown_fields_are_refused() {
    let error = serde_saphyr::from_str::<Config>(&format!("{LEAST}colour: red\n"));
    assert!(error.expect_err("no such field").to_string().contains("colour"));
}

#[test]
fn values_out_of_range_are_named() {
    let config = parse(&LEAST.replace("10.0.0.1", "0.0.0.0"));
    assert!(matches!(config.check(), Err(Error::Advertise(_))));
    let mut config = parse(LEAST);
    config.tunnel.mtu_max = 9_000;
    assert!(matches!(config.check(), Err(Error::Mtu(9_000))));
    let mut config = parse(LEAST);
    config.tunnel.send_window_bytes = 1;
    assert!(matches!(config.check(), Err(Error::SendWindow(1))));
}
