use std::io::Write as _;

use super::read;

fn refusal(text: &str) -> String {
    let mut file = tempfile::NamedTempFile::new().expect("a temporary file");
    file.write_all(text.as_bytes()).expect("the file takes it");
    let error = read::<rialto_bridge::Config>(file.path()).expect_err("not settings");
    format!("{error:#}")
}

#[test]
fn wrong_settings_name_file_and_line() {
    let unknown = refusal("id: bridge-1\ncolour: red\n");
    assert!(unknown.contains("the settings in `/"), "{unknown}");
    assert!(unknown.contains("unknown field `colour`"), "{unknown}");
    assert!(unknown.contains("line 2"), "{unknown}");
    let wrong = refusal("listen: everywhere\n");
    assert!(wrong.contains("line 1"), "{wrong}");
}

#[test]
fn a_file_that_is_not_there_is_named() {
    let error = read::<rialto_bridge::Config>("/nowhere/bridge.yaml".as_ref());
    let error = format!("{:#}", error.expect_err("no such file"));
    assert!(error.starts_with("cannot read the settings in `/nowhere/bridge.yaml`"), "{error}");
}
