use expect_test::{Expect, expect};
use rialto_types::api::{ExplainStep, Explanation};
use rialto_types::id::Revision;

use super::{callee, caller, header, render};
use crate::print::Style;

fn check_caller(text: &str, expect: Expect) {
    expect.assert_eq(&match caller(text) {
        Ok(caller) => {
            let identity = caller.identity.map(|identity| identity.to_string());
            format!("{} {}", caller.cluster, identity.unwrap_or_else(|| "anyone".into()))
        }
        Err(reason) => reason,
    });
}

#[test]
fn a_caller_is_a_workload_of_a_cluster_or_the_cluster() {
    check_caller("shop/web@east", expect!["east spiffe://east.rialto/ns/shop/sa/web"]);
    check_caller("east", expect!["east anyone"]);
    check_caller("shop/web", expect!["`shop/web` says no cluster; append `@CLUSTER`"]);
    check_caller("web@east", expect!["`web` is not NAMESPACE/ACCOUNT, such as `shop/web`"]);
}

#[test]
fn a_port_is_a_port() {
    let (service, port) = callee("books/reviews:9080").expect("a service with a port");
    assert_eq!((service.to_string().as_str(), port), ("books/reviews", Some(9080)));
    assert_eq!(callee("books/reviews:0"), Err("`0` is not a port, 1 to 65535".to_string()));
    assert!(callee("reviews").is_err_and(|reason| reason.contains("NAMESPACE/NAME")));
}

#[test]
fn a_header_has_a_name() {
    assert_eq!(header("End-User: jason"), Ok(("end-user".into(), "jason".into())));
    assert!(header("jason").is_err());
    assert!(header(": jason").is_err());
}

#[test]
fn the_steps_are_numbered_and_the_outcome_stands_out() {
    let step = |stage: &str, text: &str| ExplainStep { stage: stage.into(), text: text.into() };
    let explanation = Explanation {
        steps: vec![step("name", "reviews is 246.0.0.1"), step("access", "rule 2 denies it")],
        outcome: "RIA2002: no policy allows this caller".into(),
        allowed: false,
        gateway: None,
        revision: Revision::new(1, 42),
    };
    // A line without indentation: `expect!` drops what all lines have in common.
    expect![[r#"
        as printed:
         1 name    reviews is 246.0.0.1
         2 access  rule 2 denies it
         ✕ RIA2002: no policy allows this caller
           revision 1.42, answered by the bridge: no gateway was asked, health is unknown
    "#]]
    .assert_eq(&format!("as printed:\n{}", render(&explanation, Style { colour: false })));
}
