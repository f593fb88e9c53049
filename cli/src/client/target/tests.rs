use expect_test::{Expect, expect};
use rialto_types::object::Kind;

use super::{key, kind};

fn check_kind(text: &str, expect: Expect) {
    expect.assert_eq(&match kind(text) {
        Ok(kind) => format!("{kind}"),
        Err(reason) => reason,
    });
}

#[test]
fn kinds_are_known_by_every_spelling_and_near_misses_are_told() {
    check_kind("httproutes", expect!["HTTPRoute"]);
    check_kind("HTTPRoute", expect!["HTTPRoute"]);
    check_kind("service", expect!["Service"]);
    check_kind("servces", expect!["no such kind; did you mean `services`?"]);
    check_kind("policies", expect!["no such kind; did you mean `accesspolicies`?"]);
    check_kind(
        "pods",
        expect![
            "no such kind; there are clusters, jointokens, workspaces, services, serviceexports, httproutes, tcproutes, failoverpolicies, accesspolicies"
        ],
    );
}

fn check_key(wanted: Kind, namespace: Option<&str>, text: &str, expect: Expect) {
    let namespace = namespace.map(|text| text.parse().expect("a namespace"));
    expect.assert_eq(&match key(wanted, namespace.as_ref(), text) {
        Ok(key) => key.to_string(),
        Err(failure) => failure.render(),
    });
}

#[test]
fn a_namespace_stands_in_the_name_or_in_its_option() {
    check_key(Kind::Service, None, "books/reviews", expect!["Service books/reviews"]);
    check_key(Kind::Service, Some("books"), "reviews", expect!["Service books/reviews"]);
    check_key(Kind::Cluster, None, "east", expect!["Cluster east"]);
    check_key(
        Kind::Service,
        None,
        "reviews",
        expect![[r#"
            a Service is in a namespace
              hint      name it as NAMESPACE/reviews, or give `--namespace`"#]],
    );
    check_key(
        Kind::Service,
        Some("shop"),
        "books/reviews",
        expect![[r#"
            `books/reviews` is not in namespace `shop`
              hint      leave `--namespace` away"#]],
    );
    check_key(
        Kind::Cluster,
        Some("shop"),
        "east",
        expect![[r#"
            a Cluster is in no namespace
              hint      name it as east alone, without `--namespace`"#]],
    );
}
