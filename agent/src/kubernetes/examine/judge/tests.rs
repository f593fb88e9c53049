use super::*;

fn rule(group: &str, resource: &str, name: Option<&str>, verbs: &[&str]) -> Rule {
    let owned = |texts: &[&str]| texts.iter().map(ToString::to_string).collect();
    Rule {
        verbs: owned(verbs),
        api_groups: owned(&[group]),
        resources: owned(&[resource]),
        resource_names: name.into_iter().map(str::to_owned).collect(),
    }
}

fn seen(own: &str, shown: &str) -> Seen {
    Seen { own: own.parse().expect("an address"), shown: shown.parse().expect("an address") }
}

/// A cluster in which all is well.
fn facts() -> Facts {
    let granted = READ.iter().chain(WRITE);
    let mut rules: Vec<Rule> =
        granted.map(|(group, resource, verbs)| rule(group, resource, None, verbs)).collect();
    rules.push(rule("", "secrets", Some("rialto-agent"), &["get", "patch"]));
    rules.push(rule("coordination.k8s.io", "leases", Some("rialto-agent"), &["get", "patch"]));
    Facts {
        mode: Mode::Control,
        secret: "rialto-agent".into(),
        lease: "rialto-agent".into(),
        rules: Ok(rules),
        exports: Ok(vec!["v1beta1".into(), "v1alpha1".into()]),
        names: Some(Ok(Answer::Ours)),
        seen: Some(Ok(vec![seen("10.0.0.7", "10.0.0.7")])),
        unaddressed: Vec::new(),
        imports: Some(Standing::default()),
        unreached: Vec::new(),
    }
}

/// The findings that are not good, as `LEVEL ABOUT: TEXT`.
fn check(facts: &Facts, expected: &[&str]) {
    let bad = judge(facts).into_iter().filter(|finding| finding.level != FindingLevel::Good);
    let told: Vec<String> = bad
        .map(|Finding { about, level, text, fix }| {
            let wants_fix = level != FindingLevel::Unknown;
            assert_eq!(fix.is_some(), wants_fix, "{text} says what to do");
            format!("{level:?} {about}: {text}")
        })
        .collect();
    assert_eq!(told, expected);
}

#[test]
fn where_all_is_well_nothing_is_to_be_done() {
    check(&facts(), &[]);
    assert_eq!(judge(&facts()).len(), 6);
    let watching = Facts { mode: Mode::Observe, names: None, seen: None, imports: None, ..facts() };
    assert_eq!(judge(&watching).len(), 3, "names and callers do not matter there");
}

#[test]
fn missing_permissions_are_named() {
    let mut rules = facts().rules.expect("all of them");
    rules.retain(|rule| rule.resources != ["pods"] && rule.resources != ["secrets"]);
    rules.push(rule("", "secrets", Some("another"), &["get", "patch"]));
    rules.push(rule("", "pods", None, &["list"]));
    let told =
        "Failed permissions: the agent may not watch pods; get, patch secrets `rialto-agent`";
    check(&Facts { rules: Ok(rules), ..facts() }, &[told]);
    check(&Facts { rules: Ok(vec![rule("*", "*", None, &["*"])]), ..facts() }, &[]);
}

#[test]
fn what_could_not_be_looked_at_is_not_called_good() {
    let facts = Facts {
        rules: Err("it is silent".into()),
        exports: Err("it is silent".into()),
        names: Some(Err("10.0.0.10:53 did not answer in time".into())),
        seen: Some(Err("no answer in time".into())),
        ..facts()
    };
    check(
        &facts,
        &[
            "Unknown permissions: could not be looked at: it is silent",
            "Unknown ServiceExports: could not be looked at: it is silent",
            "Unknown names: could not be looked at: 10.0.0.10:53 did not answer in time",
            "Unknown source addresses: could not be looked at: no answer in time",
        ],
    );
}

#[test]
fn a_cluster_that_cannot_take_part_is_told_so() {
    let facts = Facts {
        exports: Ok(vec!["v1".into()]),
        names: Some(Ok(Answer::NoSuchName)),
        seen: Some(Ok(vec![seen("10.0.0.7", "10.0.0.7"), seen("10.0.0.7", "10.0.0.1")])),
        unaddressed: vec!["rialto-gateway-1".parse().expect("an id")],
        ..facts()
    };
    check(
        &facts,
        &[
            "Failed ServiceExports: the cluster has the kind in v1, which this release does not \
             read",
            "Failed gateway addresses: the platform gave no address to the Service of \
             rialto-gateway-1",
            "Failed names: the cluster's DNS does not forward clusterset.local: pods reach no \
             service of another cluster by name",
            "Failed source addresses: a gateway saw 10.0.0.1 instead of 10.0.0.7: callers are \
             unknown, and no rule that allows by identity fits them",
        ],
    );
}

#[test]
fn who_else_makes_imports_is_named() {
    let stopped = Some("`other-mcs` makes ServiceImports here, such as shop/web".to_owned());
    let imports = Some(Standing { stopped, ..Standing::default() });
    let told = "Failed ServiceImports: `other-mcs` makes ServiceImports here, such as shop/web, so \
                that none is written";
    check(&Facts { imports, ..facts() }, &[told]);
}

#[test]
fn ports_that_are_not_carried_are_named_some_of_them() {
    let left_off = (0..10).map(|at| format!("shop/web-{at} dns 53/UDP")).collect();
    let imports = Some(Standing { left_off, ..Standing::default() });
    let bad = judge(&Facts { imports, ..facts() });
    let finding = bad.iter().find(|it| it.about == "ServiceImports").expect("one");
    assert_eq!(finding.level, FindingLevel::Warning);
    assert!(finding.text.starts_with("gateways carry TCP only: shop/web-0 dns 53/UDP, "));
    assert!(finding.text.ends_with("and 2 more lead nowhere"), "{}", finding.text);
}

#[test]
fn headless_services_need_pod_networks_that_are_routed() {
    let west: ClusterName = "west".parse().expect("a cluster");
    let pod: SocketAddr = "10.2.0.1:42".parse().expect("an address");
    let imports = Some(Standing { pods: [(west.clone(), pod)].into(), ..Standing::default() });
    let reached = Facts { imports, ..facts() };
    check(&reached, &[]);
    assert_eq!(judge(&reached).len(), 7);
    let told = "Warning headless services: pods of west (10.2.0.1:42) do not answer this cluster's: \
                names of their headless services lead nowhere";
    check(&Facts { unreached: vec![(west, pod)], ..reached }, &[told]);
}
