use super::*;

const GATEWAY: &str = "system:serviceaccount:rialto:rialto-gateway";

fn status(username: &str, audience: &str, pod: Option<&str>) -> TokenStatus {
    let pods = pod.map(|pod| (POD_NAME.to_owned(), vec![pod.to_owned()]));
    TokenStatus {
        authenticated: true,
        user: User { username: username.into(), extra: pods.into_iter().collect() },
        audiences: vec![audience.into()],
        error: String::new(),
    }
}

fn judge(status: &TokenStatus, role: Role) -> Result<(), String> {
    let id = "rialto-gateway-0".parse().expect("an id");
    Accounts::default().judge("rialto", status, role, &id)
}

#[test]
fn a_pod_of_the_role_s_own_account_is_believed_for_its_own_name() {
    let good = status(GATEWAY, AUDIENCE, Some("rialto-gateway-0"));
    assert_eq!(judge(&good, Role::Gateway), Ok(()));
}

#[test]
fn every_other_token_is_refused_with_its_reason() {
    let pod = Some("rialto-gateway-0");
    let stale =
        TokenStatus { error: "expired".into(), authenticated: false, ..status(GATEWAY, "", pod) };
    let cases = [
        (stale, Role::Gateway, "not valid: expired"),
        (status(GATEWAY, "https://kubernetes.default.svc", pod), Role::Gateway, "audience"),
        (status(GATEWAY, AUDIENCE, pod), Role::Dns, "expected `system:serviceaccount:rialto:ri"),
        (status(GATEWAY, AUDIENCE, pod), Role::Agent, "does not become an agent"),
        (status(GATEWAY, AUDIENCE, pod), Role::Member, "does not become"),
        (status(GATEWAY, AUDIENCE, Some("other-0")), Role::Gateway, "of pod `other-0`"),
        (status(GATEWAY, AUDIENCE, None), Role::Gateway, "bound to no pod"),
        (
            status("system:serviceaccount:shop:rialto-gateway", AUDIENCE, pod),
            Role::Gateway,
            "`system:serviceaccount:shop:rialto-gateway` may not become a gateway",
        ),
    ];
    for (status, role, reason) in cases {
        let refused = judge(&status, role).expect_err(reason);
        assert!(refused.contains(reason), "{refused}");
    }
}
