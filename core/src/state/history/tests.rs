use rialto_types::id::Timestamp;
use rialto_types::object::{Document, Kind, Metadata};

use super::*;

#[test]
fn large_changes_push_out_old_ones_before_memory_fills() {
    let name = || "w".parse().expect("a name");
    let text = "x".repeat(limits::HISTORY_BYTES_MAX / 4);
    let mut history = History::default();
    for index in 1..=5 {
        let after = Document {
            api_version: Kind::Workspace.api_version().into(),
            kind: Kind::Workspace.as_str().into(),
            metadata: Metadata::new(None, name()),
            spec: serde_json::Value::String(text.clone()),
            status: None,
        };
        let key = Key { kind: Kind::Workspace, namespace: None, name: name() };
        history.record_change(HistoryEntry {
            revision: Revision::new(1, index),
            time: Timestamp::default(),
            actor: "token:admin".into(),
            reason: None,
            summary: "changed".into(),
            changes: vec![Change { key, before: None, after: Some(after) }],
            refused: None,
        });
    }
    assert_eq!(history.floor(), Revision::new(1, 2));
    assert_eq!(history.newest(9).items.len(), 3);
}
