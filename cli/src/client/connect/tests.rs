use std::io::Write as _;

use clap::Parser;

use super::Connection;
use crate::failure::Exit;

#[derive(Debug, Parser)]
struct Line {
    #[command(flatten)]
    connection: Connection,
}

fn refusal(arguments: &[&str]) -> (Exit, String) {
    let line = Line::parse_from([&["test"], arguments].concat());
    let failure = line.connection.client().expect_err("it cannot be used");
    (failure.exit, failure.render())
}

#[test]
fn a_connection_that_cannot_work_is_a_usage_error_with_the_next_step() {
    let cases = [
        (vec!["--server", "bridge:7601"], "expected `http://HOST:PORT`"),
        (vec!["--server", "http://10.0.0.1:7601"], "plain HTTP would show the token"),
        (vec!["--server", "https://10.0.0.1:7601"], "needs `--ca-file`"),
        (vec!["--token-file", "/nowhere/token"], "cannot read `/nowhere/token`"),
        (vec!["--server", "https://a:1", "--ca-file", "/dev/null"], "holds no certificate"),
    ];
    for (arguments, expected) in cases {
        let (exit, text) = refusal(&arguments);
        assert_eq!(exit, Exit::Usage, "{arguments:?}");
        assert!(text.contains(expected), "{arguments:?}: {text}");
    }
}

#[test]
fn a_token_of_more_than_one_word_is_no_token() -> std::io::Result<()> {
    let mut file = tempfile::NamedTempFile::new()?;
    file.write_all(b"two words\n")?;
    let path = file.path().display().to_string();
    let (exit, text) = refusal(&["--token-file", &path]);
    assert_eq!(exit, Exit::Usage);
    assert!(text.contains("holds no token"), "{text}");
    Ok(())
}
