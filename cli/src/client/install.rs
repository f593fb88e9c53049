//! `install`: what makes a cluster use the federation and is no part of the chart.

use crate::failure::{Exit, Failure};

pub(super) mod corefile;
pub(super) mod dns;
pub(super) mod kubectl;
mod platform;

/// Make a cluster use the federation's names
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// Let a Kubernetes cluster's DNS forward `clusterset.local` to Rialto
    Dns(dns::Arguments),
}

pub(super) async fn run(command: Command) -> Result<Exit, Failure> {
    match command {
        Command::Dns(arguments) => dns::install(&arguments).await,
    }
}
