use expect_test::{Expect, expect};
use rialto_types::object::Document;

use super::unified;
use crate::print::Style;

fn document(revision: u32, namespaces: &[&str]) -> Document {
    let value = serde_json::json!({
        "apiVersion": "rialto.dev/v1alpha1",
        "kind": "Workspace",
        "metadata": { "name": "shop", "resourceVersion": format!("1.{revision}") },
        "spec": { "namespaces": namespaces },
        "status": { "seen": revision },
    });
    serde_json::from_value(value).expect("a document")
}

fn check(before: Option<&Document>, after: Option<&Document>, expect: Expect) {
    let style = Style { colour: false };
    expect.assert_eq(&unified("Workspace shop", before, after, style).expect("a diff"));
}

#[test]
fn the_intent_is_compared_and_not_what_the_server_adds() {
    check(Some(&document(1, &["a"])), Some(&document(2, &["a"])), expect![""]);
    check(
        Some(&document(1, &["a", "b"])),
        Some(&document(2, &["a", "c"])),
        expect![[r#"
            --- Workspace shop (before)
            +++ Workspace shop (after)
            @@ -5,4 +5,4 @@
             spec:
               namespaces:
               - a
            -  - b
            +  - c
        "#]],
    );
}

#[test]
fn what_is_created_differs_from_nothing() {
    check(
        None,
        Some(&document(1, &["a"])),
        expect![[r#"
            --- /dev/null
            +++ Workspace shop (after)
            @@ -0,0 +1,7 @@
            +apiVersion: rialto.dev/v1alpha1
            +kind: Workspace
            +metadata:
            +  name: shop
            +spec:
            +  namespaces:
            +  - a
        "#]],
    );
}
