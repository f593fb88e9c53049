use std::time::Duration;

use expect_test::expect;
use rialto_types::api::Convergence;
use rialto_types::cluster::{Contact, ContactState, SubscriberStatus};
use rialto_types::id::{Revision, Role};

use super::{Waited, is_settled};
use crate::failure::Exit;
use crate::print::Style;

fn subscriber(id: &str, acked: Option<u64>, state: ContactState) -> SubscriberStatus {
    SubscriberStatus {
        version: None,
        cluster: "west".parse().expect("a cluster"),
        role: Role::Gateway,
        id: id.parse().expect("an id"),
        contact: Contact { state, age_ms: Some(134_000) },
        acked: acked.map(|index| Revision::new(1, index)),
        refused: None,
    }
}

fn waited(missing: Vec<SubscriberStatus>) -> Waited {
    let total = 1 + u32::try_from(missing.len()).expect("few");
    Waited {
        convergence: Convergence {
            revision: Revision::new(1, 42),
            acked: 1,
            total,
            missing,
            warnings: Vec::new(),
        },
        acked: vec![subscriber("gw-1", Some(42), ContactState::Connected)],
        took: Duration::from_millis(800),
    }
}

fn text(waited: &Waited) -> String {
    waited.render(Style { colour: false })
}

#[test]
fn all_serve_it() {
    let waited = waited(vec![]);
    assert_eq!(waited.exit(), Exit::Done);
    expect![[r#"
        revision 1.42 is live on all 1 after 800ms
          ✓ west gateway gw-1
    "#]]
    .assert_eq(&text(&waited));
}

#[test]
fn one_that_is_heard_and_late_is_a_timeout() {
    let late = subscriber("gw-2", Some(40), ContactState::Connected);
    let silent = subscriber("gw-3", None, ContactState::Unknown);
    let waited = waited(vec![late, silent]);
    assert!(!is_settled(&waited.convergence));
    assert_eq!(waited.exit(), Exit::TimedOut);
    expect![[r#"
        revision 1.42 is live on 1 of 3 after 800ms
          ✓ west gateway gw-1
          ✕ west gateway gw-2  at 1.40
          ? west gateway gw-3  has acknowledged nothing yet, Unknown, last heard 2m14s ago
        next: `rialto check` says what is wrong with them
    "#]]
    .assert_eq(&text(&waited));
}

#[test]
fn if_only_the_unheard_are_missing_it_is_partly_done() {
    let waited = waited(vec![subscriber("gw-3", Some(40), ContactState::Unknown)]);
    assert_eq!(waited.exit(), Exit::Partial);
}

#[test]
fn a_refusal_ends_the_wait() {
    let mut refusing = subscriber("gw-2", Some(40), ContactState::Connected);
    refusing.refused = Some("an entry of an unknown kind".into());
    let waited = waited(vec![refusing]);
    assert!(is_settled(&waited.convergence));
    assert_eq!(waited.exit(), Exit::Partial);
}
