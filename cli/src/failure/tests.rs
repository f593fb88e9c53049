use expect_test::expect;
use rialto_types::error::{Code, Problem};

use super::{Exit, Failure};

#[test]
fn a_problem_shows_all_that_it_knows() {
    let problem = Problem::new(Code::Conflict, "HTTPRoute books/reviews changed meanwhile")
        .with_subject("HTTPRoute books/reviews")
        .with_field("If-Match")
        .with_expected("1.42")
        .with_found("1.40");
    let failure = Failure::from(problem);
    assert_eq!(failure.exit, Exit::Conflict);
    expect![[r#"
        RIA6004 HTTPRoute books/reviews changed meanwhile
          field     If-Match
          expected  1.42
          found     1.40
          hint      `rialto explain-code RIA6004` says more"#]]
    .assert_eq(&failure.render());
}

#[test]
fn every_code_has_an_exit_code_by_its_meaning() {
    let exit = |code| Failure::from(Problem::new(code, "x")).exit;
    assert_eq!(exit(Code::NotFound), Exit::NotFound);
    assert_eq!(exit(Code::ClusterUnknown), Exit::NotFound);
    assert_eq!(exit(Code::Unauthenticated), Exit::Refused);
    assert_eq!(exit(Code::AccessDenied), Exit::Refused);
    assert_eq!(exit(Code::NotOwner), Exit::Conflict);
    assert_eq!(exit(Code::AlreadyExists), Exit::Conflict);
    assert_eq!(exit(Code::CommitTimeout), Exit::TimedOut);
    assert_eq!(exit(Code::NoLeader), Exit::Unreachable);
    assert_eq!(exit(Code::Invalid), Exit::Failed);
}

#[test]
fn exit_codes_never_change() {
    let codes = [
        Exit::Done,
        Exit::Failed,
        Exit::Usage,
        Exit::NotFound,
        Exit::Refused,
        Exit::Conflict,
        Exit::TimedOut,
        Exit::Partial,
        Exit::Warned,
        Exit::Unreachable,
    ];
    assert_eq!(codes.map(|exit| exit as u8), [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
}
