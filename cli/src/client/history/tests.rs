use expect_test::expect;
use rialto_types::api::{History, HistoryEntry};
use rialto_types::id::{Revision, Timestamp};

use super::table;

#[test]
fn a_refused_change_is_told_as_refused() {
    let entry = HistoryEntry {
        revision: Revision::new(1, 7),
        time: Timestamp::from_unix_ms(1_000),
        actor: "token:admin".into(),
        reason: Some("maintenance".into()),
        summary: "drain cluster east".into(),
        changes: vec![],
        refused: Some("no cluster is named east".into()),
    };
    let done = HistoryEntry { reason: None, refused: None, ..entry.clone() };
    let history = History { items: vec![entry, done], oldest: Revision::new(1, 1) };
    expect![[r#"
        REVISION  TIME                      ACTOR        CHANGE                                                  REASON
        1.7       1970-01-01T00:00:01.000Z  token:admin  refused: no cluster is named east (drain cluster east)  maintenance
        1.7       1970-01-01T00:00:01.000Z  token:admin  drain cluster east                                      –
    "#]]
    .assert_eq(&table(&history));
}
