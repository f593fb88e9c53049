use std::collections::BTreeMap;

use proptest::prelude::*;
use rialto_types::error::{Code, Problem};
use rialto_types::limits;
use rialto_types::object::Key;

use super::random::{self, What, steps};
use super::session::Session;
use super::*;
use crate::transcript;

#[test]
fn transcripts() {
    transcript::check("state", || {
        let mut session = Session::default();
        move |line: &str| session.run(line)
    });
}

/// Every object, as far as people state it.
fn intent(state: &State) -> BTreeMap<Key, Resource> {
    let resources = Kind::ALL.into_iter().flat_map(|kind| state.resources(kind));
    let stated = resources.map(|resource| {
        let mut stated = resource.clone();
        stated.metadata.generation = None;
        stated.metadata.resource_version = None;
        (resource.key(), stated)
    });
    stated.collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_refused_command_changes_nothing_and_an_index_is_never_wrong(steps in steps()) {
        let mut session = Session::default();
        for step in &steps {
            let before = session.state.clone();
            let applied = random::run(&mut session, step);
            let after = &session.state;
            if applied.outcome.is_err() {
                prop_assert_eq!(&before.objects, &after.objects);
                prop_assert_eq!(&before.clusters, &after.clusters);
                prop_assert_eq!(&before.vips, &after.vips);
                prop_assert_eq!(&before.gateway_ports, &after.gateway_ports);
                prop_assert_eq!(before.revision, after.revision);
            }
            prop_assert_eq!(applied.revision, after.revision);
            let since = after.changed_since(before.revision).expect("kept");
            prop_assert_eq!(applied.changed, since.into_iter().collect::<Vec<_>>());
        }
        let decoded = codec::decode(&codec::encode(&session.state)).expect("own bytes");
        prop_assert_eq!(session.state, decoded);
    }

    #[test]
    fn a_copy_stays_as_it_was_whatever_is_applied(before in steps(), after in steps()) {
        let mut session = Session::default();
        for step in &before {
            random::run(&mut session, step);
        }
        let copy = session.state.clone();
        let bytes = codec::encode(&copy);
        for step in &after {
            random::run(&mut session, step);
        }
        prop_assert_eq!(codec::encode(&copy), bytes);
    }

    #[test]
    fn members_agree_whatever_the_history(steps in steps()) {
        let (mut one, mut other) = (Session::default(), Session::default());
        for (at, step) in steps.iter().enumerate() {
            random::run(&mut one, step);
            random::run(&mut other, step);
            if at % 8 == 0 {
                other.state = codec::decode(&codec::encode(&other.state)).expect("own bytes");
            }
        }
        prop_assert_eq!(codec::encode(&one.state), codec::encode(&other.state));
    }

    #[test]
    fn a_revert_gives_every_object_back(steps in steps(), back in 0usize..40) {
        let mut session = Session::default();
        let mut past = vec![(session.state.revision(), intent(&session.state))];
        for step in &steps {
            random::run(&mut session, step);
            past.push((session.state.revision(), intent(&session.state)));
        }
        let (to, expected) = &past[past.len().saturating_sub(1 + back)];
        let applied = session.apply(Action::Revert { to: *to });
        prop_assert!(applied.outcome.is_ok());
        let found = intent(&session.state);
        let excused = |key: &Key| {
            let name = key.to_string();
            applied.warnings.iter().any(|warning| warning.starts_with(&name))
        };
        for key in expected.keys().chain(found.keys()).filter(|key| !excused(key)) {
            prop_assert_eq!(expected.get(key), found.get(key));
        }
    }

    #[test]
    fn bytes_from_elsewhere_are_refused_and_not_believed(mut bytes: Vec<u8>) {
        bytes.insert(0, 1);
        prop_assert!(codec::decode(&bytes).is_err());
        prop_assert!(Command::decode(&bytes).is_err());
    }

    #[test]
    fn bytes_cut_short_are_refused(steps in steps(), cut in 1usize..100) {
        let mut session = Session::default();
        for step in &steps {
            random::run(&mut session, step);
        }
        let bytes = codec::encode(&session.state);
        prop_assert!(codec::decode(&bytes[..bytes.len().saturating_sub(cut)]).is_err());
    }
}

#[test]
fn another_version_is_refused_and_says_so() {
    let error = codec::decode(&[9, b'{', b'}']).expect_err("version 9 does not exist");
    assert_eq!(
        error.to_string(),
        "a state of version 9, but this member reads version 1; run the release that wrote it"
    );
    let error = Command::decode(&[9]).expect_err("version 9 does not exist");
    assert!(error.to_string().starts_with("a command of version 9"), "{error}");
    assert!(matches!(codec::decode(&[]), Err(codec::DecodeError::Empty)));
}

#[test]
fn a_revision_that_is_no_longer_kept_is_gone() {
    let mut session = Session::default();
    session.run(r#"put Cluster east {}"#);
    for at in 0..limits::HISTORY_ENTRIES_MAX {
        session.run(&format!(r#"put Cluster east {{"region": "r{at}"}}"#));
    }
    let oldest = session.state.history(1).oldest;
    assert_eq!(oldest, Revision::new(0, 1));
    assert!(session.apply(Action::Revert { to: oldest }).outcome.is_ok());
    let gone = session.apply(Action::Revert { to: Revision::new(0, 0) });
    assert_eq!(gone.outcome.map_err(|refused| refused.code()), Err(Code::RevisionGone));
}

#[test]
fn refusals_do_not_push_out_what_revert_needs() {
    let mut session = Session::default();
    session.run("put Cluster east {}");
    for _ in 0..2 * limits::AUDIT_ENTRIES_MAX {
        session.run("delete Workspace nothing");
    }
    assert_eq!(session.state.history(usize::MAX).items.len(), limits::AUDIT_ENTRIES_MAX + 1);
    assert_eq!(session.state.history(0).oldest, Revision::default());
}

#[test]
fn keys_of_issuers_are_shown_nowhere() {
    let mut session = Session::default();
    session.run("bootstrap 1 demo");
    session.run("put Cluster east {}");
    session.run("drain east");
    session.run("delete Cluster east");
    let shown = format!("{:?} {:?}", session.state.history(usize::MAX), session.state);
    assert!(!shown.contains("sealed-"), "{shown}");
    let told = serde_json::to_string(&session.state.history(usize::MAX)).expect("text keys");
    assert!(!told.contains("sealed-"), "{told}");
}

#[test]
fn a_report_beyond_its_quota_is_refused() {
    let mut session = Session::default();
    session.run("put Cluster east {}");
    let services =
        (0..=limits::SERVICES_PER_CLUSTER_MAX).map(|at| format!("service n/s{at} tcp:1"));
    let line = format!("report east 1.1 {}", services.collect::<Vec<_>>().join(" "));
    let answer = session.run(&line);
    assert!(answer.contains("RIA1007"), "{answer}");
    assert!(answer.contains("reports 10001 services, at most 10000 are allowed"), "{answer}");
}

#[test]
fn a_reason_beyond_its_bound_is_refused_and_not_kept() {
    let mut session = Session::default();
    session.run(&format!("because {}", "x".repeat(limits::REASON_BYTES_MAX + 1)));
    let answer = session.run("put Cluster east {}");
    assert!(answer.contains("the reason is 1025 bytes long"), "{answer}");
    assert_eq!(session.state.history(1).items[0].reason, None);
}

#[test]
fn a_preview_says_what_apply_would_and_changes_nothing() {
    let mut session = Session::default();
    session.run("put Cluster east {}");
    let action = Action::SetDrained { cluster: "east".parse().expect("a name"), drained: true };
    let command = Command { now: session.now, actor: "t".into(), reason: None, action };
    let before = session.state.clone();
    let preview = session.state.preview(command.clone());
    assert_eq!(session.state, before);
    assert_eq!(preview, session.state.apply(2, command));
}

#[test]
fn every_refusal_of_a_revert_becomes_a_problem_with_a_hint() {
    let mut session = Session::default();
    let what = What::Act(Box::new(Action::Revert { to: Revision::new(9, 9) }));
    let applied = random::run(&mut session, &random::Step { wait_s: 0, what });
    let problem = Problem::from(applied.outcome.expect_err("the future"));
    assert_eq!(problem.code, Code::BadQuery);
    assert!(problem.hint.is_some());
}
