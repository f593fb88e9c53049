//! The one binary: every server and the client.

use std::process::ExitCode;

use clap::Parser;

mod client;
mod codes;
mod demo;
mod failure;
mod generate;
mod print;
mod serve;

/// Multi-cluster service federation: call any service in any cluster by its name.
#[derive(Debug, Parser)]
#[command(name = "rialto", version, max_term_width = 100)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    #[command(flatten)]
    Client(client::Verb),
    #[command(flatten)]
    Serve(serve::Server),
    Demo(demo::Arguments),
    #[command(flatten)]
    Tool(generate::Tool),
}

/// Starts no runtime itself: the demo must leave the host's namespaces while it has one thread.
fn main() -> ExitCode {
    match Arguments::parse().command {
        Command::Client(verb) => client::run(verb),
        Command::Serve(server) => serve::run(&server),
        Command::Demo(arguments) => demo::run(arguments),
        Command::Tool(tool) => generate::run(&tool),
    }
}

#[cfg(test)]
mod tests;
