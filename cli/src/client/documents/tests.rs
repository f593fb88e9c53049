use expect_test::{Expect, expect};

use super::{parse, read};

fn check(text: &str, expect: Expect) {
    expect.assert_eq(&match parse("a.yaml", text) {
        Ok(found) => {
            let lines =
                found.iter().map(|found| format!("{} {}", found.origin, found.resource.key()));
            lines.collect::<Vec<_>>().join("\n")
        }
        Err(faults) => faults.join("\n"),
    });
}

const ROUTE: &str = "\
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: reviews, namespace: books}
spec:
  parentRefs:
  - group: multicluster.x-k8s.io
    kind: ServiceImport
    name: reviews
  rules:
  - backendRefs:
    - group: multicluster.x-k8s.io
      kind: ServiceImport
      name: reviews-v1
      weight: 90
";

const WORKSPACE: &str = "\
apiVersion: rialto.dev/v1alpha1
kind: Workspace
metadata: {name: shop}
spec: {namespaces: [books]}
";

#[test]
fn a_file_may_hold_several_documents_and_empty_ones() {
    check(
        &format!("---\n{ROUTE}---\n# nothing\n---\n{WORKSPACE}"),
        expect![[r#"
            a.yaml:2:1 HTTPRoute books/reviews
            a.yaml:19:1 Workspace shop"#]],
    );
}

#[test]
fn json_and_lists_as_the_api_prints_them_are_read_too() {
    let one = r#"{"apiVersion":"rialto.dev/v1alpha1","kind":"Workspace","metadata":{"name":"a"},
        "spec":{"namespaces":["x"]}}"#;
    check(one, expect!["a.yaml:1:1 Workspace a"]);
    let list = format!(r#"{{"items": [{one}], "revision": "1.2", "remaining": 0}}"#);
    check(&list, expect!["a.yaml:1:12 Workspace a"]);
}

#[test]
fn every_fault_names_its_line_and_field() {
    check(
        &ROUTE.replace("weight", "wieght"),
        expect![
            "a.yaml:14:7: HTTPRoute books/reviews: field `spec.rules[0].backendRefs[0].wieght`: unknown field `wieght`, expected one of `group`, `kind`, `name`, `namespace`, `port`, `weight`"
        ],
    );
    let lots = ROUTE.replace("weight: 90", "weight: lots");
    check(
        &format!("{lots}---\n{}", WORKSPACE.replace("[books]", "books")),
        expect![[r#"
            a.yaml:14:15: HTTPRoute books/reviews: field `spec.rules[0].backendRefs[0].weight`: invalid type: string "lots", expected u32
            a.yaml:19:20: Workspace shop: field `spec.namespaces`: invalid type: string "books", expected a sequence"#]],
    );
    check(
        &WORKSPACE.replace("Workspace", "Worksapce"),
        expect!["a.yaml:2:7: kind `Worksapce`: no such kind; did you mean `Workspace`?"],
    );
    let faults = [
        ROUTE.replace("weight: 90", "port: 0"),
        WORKSPACE.replace("v1alpha1", "v2"),
        WORKSPACE.replace("name: shop", "name: shop, namespace: x"),
    ];
    check(
        &faults.join("---\n"),
        expect![[r#"
            a.yaml:14:13: HTTPRoute books/reviews: field `spec.rules[0].backendRefs[0].port`: invalid value: integer `0`, expected a nonzero u16
            a.yaml:16:13: apiVersion `rialto.dev/v2` of a Workspace is not `rialto.dev/v1alpha1`
            a.yaml:23:35: Workspace x/shop: field `metadata.namespace`: this kind has no namespace; remove it"#]],
    );
    check("a: b\n c: [d\n", expect!["a.yaml:2:3: mapping values are not allowed in this context"]);
}

#[test]
fn the_faults_of_all_documents_are_told_at_once() {
    let both = format!("{}---\n{}", ROUTE.replace("kind: HTTPRoute", "kind: Rute"), "a: 1\n");
    check(
        &both,
        expect![[r#"
            a.yaml:2:7: kind `Rute`: no such kind; there are clusters, jointokens, workspaces, services, serviceexports, httproutes, tcproutes, failoverpolicies, accesspolicies
            a.yaml:16:1: document: field `a`: unknown field `a`, expected one of `apiVersion`, `kind`, `metadata`, `spec`, `status`"#]],
    );
}

#[test]
fn aliases_are_refused_before_they_can_grow() {
    check(
        "a: &a [x, x]\nb: [*a, *a]\n",
        expect!["a.yaml:1:7: anchors, aliases and merge keys are refused; write the values out"],
    );
}

#[test]
fn folders_are_read_by_name_and_an_object_stands_in_one_place() -> std::io::Result<()> {
    let folder = tempfile::tempdir()?;
    std::fs::write(folder.path().join("b.yaml"), ROUTE)?;
    std::fs::write(folder.path().join("c.yml"), WORKSPACE)?;
    std::fs::write(folder.path().join("note.txt"), "not a resource")?;
    let paths = [folder.path().to_path_buf()];
    let found = read(&paths).expect("two resources");
    let keys: Vec<String> = found.iter().map(|found| found.resource.key().to_string()).collect();
    assert_eq!(keys, ["Workspace shop", "HTTPRoute books/reviews"], "referred to goes first");

    std::fs::write(folder.path().join("d.json"), WORKSPACE)?;
    let failure = read(&paths).expect_err("the workspace is there twice");
    assert!(
        failure.text.contains("d.json:1:1: Workspace shop is there already, at"),
        "{failure:?}"
    );
    Ok(())
}

#[test]
fn no_resource_at_all_is_said() -> std::io::Result<()> {
    let folder = tempfile::tempdir()?;
    let failure = read(&[folder.path().to_path_buf()]).expect_err("the folder is empty");
    assert!(failure.text.starts_with("no resource in "), "{failure:?}");
    Ok(())
}
