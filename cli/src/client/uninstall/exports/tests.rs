use super::*;

/// As an API server of 1.32 shows an export after the agent applied its conditions.
const EXPORT: &str = r#"{
  "apiVersion": "multicluster.x-k8s.io/v1beta1",
  "kind": "ServiceExport",
  "metadata": {
    "name": "web", "namespace": "shop", "resourceVersion": "812", "generation": 1,
    "managedFields": [
      {"manager": "kubectl-client-side-apply", "operation": "Update",
       "fieldsType": "FieldsV1", "fieldsV1": {"f:spec": {"f:exportedLabels": {"f:team": {}}}}},
      {"manager": "rialto-agent", "operation": "Apply", "subresource": "status",
       "fieldsType": "FieldsV1", "fieldsV1": {"f:status": {"f:conditions": {
         "k:{\"type\":\"Ready\"}": {".": {}, "f:status": {}, "f:type": {}},
         "k:{\"type\":\"Valid\"}": {".": {}, "f:status": {}, "f:type": {}}}}}}
    ]
  },
  "spec": {"exportedLabels": {"team": "a"}},
  "status": {"conditions": [
    {"type": "Ready", "status": "True", "reason": "Exported", "message": "",
     "lastTransitionTime": "2026-01-01T00:00:00Z"},
    {"type": "Valid", "status": "True", "reason": "Valid", "message": "",
     "lastTransitionTime": "2026-01-01T00:00:00Z"}
  ]}
}"#;

fn read(change: impl FnOnce(&mut Value)) -> Export {
    let mut export: Value = serde_json::from_str(EXPORT).expect("JSON");
    change(&mut export);
    serde_json::from_value(export).expect("an export")
}

#[test]
fn where_only_we_said_something_no_status_is_left() {
    let patch = read(|_| {}).without_ours();
    let expected = json!({"metadata": {"resourceVersion": "812"}, "status": null});
    assert_eq!(patch, Some(expected));
}

#[test]
fn what_others_said_stays() {
    let theirs = json!({"type": "Audited", "status": "True", "reason": "Yes", "message": "",
                        "lastTransitionTime": "2026-01-01T00:00:00Z"});
    let held = theirs.clone();
    let export = read(|export| {
        export["status"]["conditions"].as_array_mut().expect("a list").push(held);
    });
    let expected =
        json!({"metadata": {"resourceVersion": "812"}, "status": {"conditions": [theirs]}});
    assert_eq!(export.without_ours(), Some(expected));

    let export = read(|export| export["status"]["observed"] = json!(7));
    let expected = json!({"metadata": {"resourceVersion": "812"}, "status": {"conditions": null}});
    assert_eq!(export.without_ours(), Some(expected));
}

#[test]
fn an_export_that_we_said_nothing_of_is_not_touched() {
    let others = |export: &mut Value| {
        export["metadata"]["managedFields"][1]["manager"] = "another-controller".into();
    };
    assert_eq!(read(others).without_ours(), None);
    let bare = |export: &mut Value| {
        let export = export.as_object_mut().expect("an object");
        export.remove("status");
    };
    assert_eq!(read(bare).without_ours(), None);
    let hidden = |export: &mut Value| export["metadata"]["managedFields"] = json!([]);
    assert_eq!(read(hidden).without_ours(), None);
}
