//! The one binary: every server and the client.

use std::process::ExitCode;

use clap::Parser;

mod demo;

/// Multi-cluster service federation
#[derive(Debug, Parser)]
#[command(name = "rialto", version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    Demo(demo::Arguments),
}

/// Starts no runtime itself: the demo must leave the host's namespaces while it has one thread.
fn main() -> ExitCode {
    match Arguments::parse().command {
        Command::Demo(arguments) => demo::run(arguments),
    }
}
