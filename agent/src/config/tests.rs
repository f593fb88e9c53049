use super::*;

#[test]
fn the_least_configuration() {
    let text = "{dataFolder: /d, socket: /s, registry: {static: fleet.yaml}}";
    let config: Config = serde_saphyr::from_str(text).expect("a configuration");
    assert!(config.check().is_ok());
    assert!(config.listen.ip().is_loopback() && config.admin.ip().is_loopback());
    let unknown = text.replace("socket", "sockte");
    assert!(serde_saphyr::from_str::<Config>(&unknown).is_err());
}

#[test]
fn a_wildcard_needs_an_address_to_give_away() {
    let text = "{dataFolder: /d, socket: /s, registry: {static: f}, listen: \"0.0.0.0:9905\"}";
    let mut config: Config = serde_saphyr::from_str(text).expect("a configuration");
    assert!(matches!(config.check(), Err(Error::Advertise(_))));
    config.advertise = Some("agent.example.com:9905".into());
    assert!(config.check().is_ok());
}
