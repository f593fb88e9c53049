//! `join token`: a new part may join once.

use std::time::Duration;

use rialto_types::cluster::{JoinTokenIssued, JoinTokenRequest};
use rialto_types::id::{ClusterName, Role};
use rialto_types::{duration, limits};

use super::Output;
use super::connect::Connection;
use super::failure::{Exit, Failure};
use crate::print;

/// Let a cluster or a member of the control plane join
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    Token(Token),
}

/// Issue a token that can be used once
///
/// The token alone goes to stdout: `rialto join token --cluster east > east.token` keeps it.
#[derive(Debug, clap::Args)]
pub(crate) struct Token {
    /// The cluster that joins, by its agent
    #[arg(long, value_name = "NAME", required_unless_present = "member")]
    cluster: Option<ClusterName>,
    /// Instead: a member of the control plane joins
    #[arg(long, conflicts_with = "cluster")]
    member: bool,
    /// How long the token can be used, at most 24h
    #[arg(long, value_name = "DURATION", default_value = "15m", value_parser = duration::parse)]
    ttl: Duration,
    /// Why; kept in the history
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
    #[command(flatten)]
    output: Output,
    #[command(flatten)]
    connection: Connection,
}

pub(super) async fn run(command: Command) -> Result<Exit, Failure> {
    let Command::Token(arguments) = command;
    if arguments.ttl.is_zero() || arguments.ttl > limits::JOIN_TOKEN_TTL_MAX {
        let max = duration::format(limits::JOIN_TOKEN_TTL_MAX);
        let text = format!("`--ttl` is {}", duration::format(arguments.ttl));
        return Err(Failure::usage(text).with_hint(format!("it can be from 1s to {max}")));
    }
    let role = if arguments.member { Role::Member } else { Role::Agent };
    let (cluster, ttl) = (arguments.cluster.clone(), arguments.ttl);
    let request = JoinTokenRequest { role, cluster, ttl };
    let client = arguments.connection.client()?;
    let issued = client.create_token(&request, arguments.reason.clone()).await?;
    let printer = arguments.output.printer();
    print::note(&explanation(&request, &issued, printer.is_read_by_a_person));
    printer.value(&issued, |_| format!("{}\n", issued.token))?;
    Ok(Exit::Done)
}

/// The command holds the secret: it is shown only to whom the token itself is shown.
fn explanation(request: &JoinTokenRequest, issued: &JoinTokenIssued, to_person: bool) -> String {
    let who = match &request.cluster {
        Some(cluster) => format!("the {} of cluster {cluster}", request.role),
        None => "a member of the control plane".to_string(),
    };
    let (ttl, at) = (duration::format(request.ttl), issued.expires_at);
    let mut text = format!("Token for {who}: one use, expires in {ttl} ({at}), shown once.");
    if to_person && !issued.command.is_empty() {
        text.push_str(&format!("\nOn the machine that joins:\n\n  {}\n", issued.command));
    }
    text
}
