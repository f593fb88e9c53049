use super::*;

fn check(document: &str, expect: &str) {
    let result = Document::from_json(document.as_bytes()).and_then(Document::into_resource);
    let shown = match result {
        Ok(resource) => format!("ok {}", resource.key()),
        Err(error) => error.to_string(),
    };
    assert!(shown.starts_with(expect), "for {document}\n   got: {shown}\nexpect: {expect}");
}

const ROUTE: &str = r#"{"apiVersion":"gateway.networking.k8s.io/v1","kind":"HTTPRoute",
    "metadata":{"name":"reviews","namespace":"books"},
    "spec":{"parentRefs":[{"group":"multicluster.x-k8s.io","kind":"ServiceImport","name":"reviews"}],
            "rules":[{"backendRefs":[{"group":"multicluster.x-k8s.io","kind":"ServiceImport",
                                      "name":"reviews-v1","weight":90}]}]}}"#;

#[test]
fn a_good_document_is_a_resource() {
    check(ROUTE, "ok HTTPRoute books/reviews");
}

#[test]
fn every_fault_names_object_and_field() {
    let route = |from: &str, to: &str| {
        assert!(ROUTE.contains(from), "the test changes something");
        ROUTE.replace(from, to)
    };
    let field = |name: &str| format!("HTTPRoute books/reviews: field `{name}`");
    check("{", "the document is not JSON");
    check("{}", "document: field `.`: missing field `apiVersion`");
    check(&route("\"kind\":\"HTTPRoute\"", "\"kind\":\"Teapot\""), "`Teapot` is not a kind");
    check(&route("/v1\"", "/v9\""), "apiVersion `gateway.networking.k8s.io/v9`");
    check(
        &route("\"namespace\":\"books\"", "\"namespase\":\"b\""),
        "document: field `metadata.namespase`",
    );
    check(&route("\"weight\":90", "\"weight\":-1"), &field("spec.rules[0].backendRefs[0].weight"));
    check(&route("\"weight\":90", "\"wight\":1"), &field("spec.rules[0].backendRefs[0].wight"));
    check(&route("\"weight\":90", "\"port\":0"), &field("spec.rules[0].backendRefs[0].port"));
    check(&route("\"weight\":90", "\"port\":65536"), &field("spec.rules[0].backendRefs[0].port"));
    check(
        &route("\"rules\":[{", "\"rules\":[{\"matches\":[{\"path\":{\"value\":\"a\"}}],"),
        &field("spec.rules[0].matches[0].path.value"),
    );
    check(
        &route("\"rules\":[{", "\"rules\":[{\"matches\":[{\"path\":{\"value\":\"/a/../b\"}}],"),
        &field("spec.rules[0].matches[0].path.value"),
    );
    check(
        &route("\"rules\":[{", "\"rules\":[{\"matches\":[{\"method\":\"get\"}],"),
        &field("spec.rules[0].matches[0].method"),
    );
}

#[test]
fn read_only_kinds_are_refused() {
    let service = r#"{"apiVersion":"rialto.dev/v1alpha1","kind":"Service",
        "metadata":{"name":"a","namespace":"b"}}"#;
    check(service, "a Service is read-only");
}
