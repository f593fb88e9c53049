use super::*;

fn check(found: &Found, expected: Option<(&str, &str)>) {
    let told = instead(found, "10.0.0.9".parse().expect("an address"));
    match (told, expected) {
        (None, None) => {}
        (Some(Instead { why, what }), Some((reason, part))) => {
            assert!(why.contains(reason), "{why}");
            assert!(what.contains(part), "{what}");
            assert!(what.contains("10.0.0.9"), "{what}");
        }
        (told, expected) => panic!("{told:?} instead of {expected:?}"),
    }
}

fn plain() -> Found {
    Found { corefile: Some(".:53 {\n    reload\n}\n".into()), ..Found::default() }
}

fn labelled(name: &str, value: &str) -> Found {
    Found { labels: [(name.to_owned(), value.to_owned())].into(), ..plain() }
}

#[test]
fn a_corefile_that_nobody_else_writes_is_ours_to_write() {
    check(&plain(), None);
    check(&labelled("addonmanager.kubernetes.io/mode", "EnsureExists"), None);
}

#[test]
fn elsewhere_a_person_is_told_what_does_the_same() {
    let imports = Some("import custom/*.server\n".to_owned());
    let cases = [
        (Found { openshift: true, ..plain() }, "OpenShift", "oc patch"),
        (Found { node_local: true, ..plain() }, "cache on their node", "node-local-dns"),
        (Found { kube_dns: true, ..Found::default() }, "kube-dns", "stubDomains"),
        (Found::default(), "no ConfigMap", "forward . 10.0.0.9"),
        (Found { custom: true, ..plain() }, "manages CoreDNS", "coredns-custom"),
        (Found { corefile: imports, ..plain() }, "manages CoreDNS", "rialto.server"),
        (labelled("addonmanager.kubernetes.io/mode", "Reconcile"), "add-on", "--force"),
        (labelled("eks.amazonaws.com/component", "coredns"), "EKS", "--force"),
    ];
    for (found, why, what) in cases {
        check(&found, Some((why, what)));
    }
}
