use std::time::Duration;

use expect_test::{Expect, expect};

use super::{Style, Table, age, count};

#[test]
fn columns_are_as_wide_as_their_widest_cell_and_gaps_are_shown() {
    let mut table = Table::new(&["NAME", "STATE", "LAST"]);
    table.row(vec!["eu".into(), "ⓧ".into(), String::new()]);
    table.row(vec!["us-east-1".into(), "Unknown".into(), "2s".into()]);
    expect![[r#"
        NAME       STATE    LAST
        eu         ⓧ        –
        us-east-1  Unknown  2s
    "#]]
    .assert_eq(&table.render());
}

#[test]
fn no_escape_code_without_colour() {
    let (plain, painted) = (Style { colour: false }, Style { colour: true });
    assert_eq!(plain.bad("x") + &plain.good("x") + &plain.heading("x"), "xxx");
    assert_eq!(painted.bad("x"), "\x1b[31mx\x1b[0m");
}

fn check_age(ms: u64, expect: Expect) {
    expect.assert_eq(&age(Duration::from_millis(ms)));
}

#[test]
fn an_age_has_at_most_two_units() {
    check_age(7, expect!["7ms"]);
    check_age(59_999, expect!["59s"]);
    check_age(134_000, expect!["2m14s"]);
    check_age(11_100_000, expect!["3h05m"]);
    check_age(41 * 86_400_000, expect!["41d"]);
}

#[test]
fn one_is_not_plural() {
    assert_eq!(count(1, "change", "changes"), "1 change");
    assert_eq!(count(0, "change", "changes"), "0 changes");
}
