use clap::CommandFactory as _;

use super::*;

/// Every command, option and argument that people see, as `rialto VERB: NAME`.
fn silent(command: &clap::Command, path: &str, found: &mut Vec<String>) {
    let path = format!("{path}{}", command.get_name());
    if command.is_hide_set() {
        return;
    }
    if command.get_about().is_none() {
        found.push(path.clone());
    }
    let arguments = command.get_arguments().filter(|argument| !argument.is_hide_set());
    let arguments = arguments.filter(|argument| argument.get_help().is_none());
    found.extend(arguments.map(|argument| format!("{path}: {}", argument.get_id())));
    for inner in command.get_subcommands() {
        silent(inner, &format!("{path} "), found);
    }
}

#[test]
fn every_command_and_argument_says_what_it_is() {
    let mut found = Vec::new();
    silent(&Arguments::command(), "", &mut found);
    assert!(found.is_empty(), "no help for {found:#?}");
}
