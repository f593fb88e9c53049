//! What outsiders rely on, word by word: the REST API's description and the help texts.
//!
//! `UPDATE_EXPECT=1` rewrites them; the diff is reviewed.

use std::process::Command;

use expect_test::expect_file;

fn stdout(arguments: &[&str]) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_rialto"))
        .args(arguments)
        .output()
        .expect("the program starts");
    assert!(output.status.success(), "rialto {arguments:?}: {output:?}");
    String::from_utf8(output.stdout).expect("text")
}

#[test]
fn openapi() {
    expect_file!["../../../api/openapi.json"].assert_eq(&stdout(&["generate", "openapi"]));
}

#[test]
fn help() {
    let verbs: &[&[&str]] = &[
        &[],
        &["get"],
        &["describe"],
        &["apply"],
        &["delete"],
        &["status"],
        &["top"],
        &["check"],
        &["explain"],
        &["join"],
        &["join", "token"],
        &["join", "kubernetes"],
        &["history"],
        &["revert"],
        &["shift"],
        &["drain"],
        &["undrain"],
        &["ui"],
        &["bridge"],
        &["gateway"],
        &["agent"],
        &["dns"],
        &["node"],
        &["explain-code"],
        &["generate"],
        &["version"],
        &["demo"],
        &["demo", "exec"],
        &["demo", "link"],
    ];
    let mut text = String::new();
    for verb in verbs.iter().copied() {
        let name = [&["rialto"], verb].concat().join(" ");
        let help = stdout(&[verb, &["--help"]].concat());
        // What talks to a bridge has data to print.
        if help.contains("--server <URL>") {
            assert!(help.contains("--output <OUTPUT>"), "{name} has no --output");
        }
        text.push_str(&format!("$ {name} --help\n{help}\n"));
    }
    expect_file!["golden/help.txt"].assert_eq(&text);
}

#[test]
fn codes() {
    expect_file!["golden/codes.txt"].assert_eq(&stdout(&["explain-code"]));
}
