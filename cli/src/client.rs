//! The client verbs: each is one file, with its arguments, its call and its printing.

use std::process::ExitCode;

mod apply;
mod check;
mod connect;
mod converge;
mod delete;
mod describe;
mod diff;
mod documents;
mod explain;
mod get;
mod history;
mod install;
mod join;
mod move_traffic;
mod revert;
mod status;
mod target;
mod top;
mod ui;
mod uninstall;

use crate::failure::{Exit, Failure};
use connect::Connection;
use rialto_wire::client::Client;

use crate::print::{self, Format, Printer};

#[derive(Debug, clap::Subcommand)]
pub(crate) enum Verb {
    Get(get::Arguments),
    Describe(describe::Arguments),
    Apply(apply::Arguments),
    Delete(delete::Arguments),
    Status(status::Arguments),
    Top(top::Arguments),
    Check(check::Arguments),
    Explain(explain::Arguments),
    #[command(subcommand)]
    Join(join::Command),
    #[command(subcommand)]
    Install(install::Command),
    #[command(subcommand)]
    Uninstall(uninstall::Command),
    History(history::Arguments),
    Revert(revert::Arguments),
    Shift(move_traffic::Shift),
    Drain(move_traffic::Drain),
    Undrain(move_traffic::Undrain),
    Ui(ui::Arguments),
}

/// In which form a verb prints its data.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Output {
    /// How to print
    #[arg(
        short,
        long,
        value_enum,
        default_value_t,
        hide_possible_values = true,
        long_help = "How to print: table, wide, json, yaml or name"
    )]
    output: Format,
}

impl Output {
    pub(crate) fn printer(&self) -> Printer {
        Printer::new(self.output)
    }
}

/// What every verb of the API takes.
#[derive(Debug, Clone, clap::Args)]
struct Api {
    #[command(flatten)]
    output: Output,
    #[command(flatten)]
    connection: Connection,
}

impl Api {
    fn open(&self) -> Result<(Client, Printer), Failure> {
        Ok((self.connection.client()?, self.output.printer()))
    }
}

/// Runs a verb to its exit code.
pub(crate) fn run(verb: Verb) -> ExitCode {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let outcome = match runtime {
        Ok(runtime) => runtime.block_on(perform(verb)),
        Err(error) => Err(Failure::failed(format!("cannot start the runtime: {error}"))),
    };
    outcome.unwrap_or_else(|failure| print::failure(&failure)).into()
}

async fn perform(verb: Verb) -> Result<Exit, Failure> {
    match verb {
        Verb::Get(arguments) => get::run(arguments).await,
        Verb::Describe(arguments) => describe::run(arguments).await,
        Verb::Apply(arguments) => apply::run(arguments).await,
        Verb::Delete(arguments) => delete::run(arguments).await,
        Verb::Status(arguments) => status::run(arguments).await,
        Verb::Top(arguments) => top::run(arguments).await,
        Verb::Check(arguments) => check::run(arguments).await,
        Verb::Explain(arguments) => explain::run(arguments).await,
        Verb::Join(command) => join::run(command).await,
        Verb::Install(command) => install::run(command).await,
        Verb::Uninstall(command) => uninstall::run(command).await,
        Verb::History(arguments) => history::run(arguments).await,
        Verb::Revert(arguments) => revert::run(arguments).await,
        Verb::Shift(arguments) => move_traffic::shift(arguments).await,
        Verb::Drain(arguments) => move_traffic::drain(arguments).await,
        Verb::Undrain(arguments) => move_traffic::undrain(arguments).await,
        Verb::Ui(arguments) => ui::run(arguments).await,
    }
}
