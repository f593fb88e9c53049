use super::*;

#[test]
fn commands_hold_all_that_is_needed() {
    let install = Install::Kubernetes {
        cluster: "east".parse().expect("a cluster"),
        anchor: Fingerprint::of(b"a certificate"),
    };
    let command = install.with_token("rialto1.abc");
    assert!(command.starts_with("helm install rialto deploy/helm/rialto "));
    let anchor = Fingerprint::of(b"a certificate");
    let settings =
        ["cluster=east".to_owned(), format!("anchor={anchor}"), "joinToken=rialto1.abc".into()];
    for setting in settings {
        assert!(command.contains(&format!("--set-string {setting}")), "{command}");
    }
    let command = Install::Machine("agent").with_token("rialto1.abc");
    assert!(command.contains("rialto agent --config agent.yaml --token-file join.token"));
}
