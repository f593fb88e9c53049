//! `join`: a new part may join once.

use std::time::Duration;

use rialto_types::api::Precondition;
use rialto_types::cluster::{ClusterSpec, JoinTokenIssued, JoinTokenRequest, Joiner, Platform};
use rialto_types::error::Code;
use rialto_types::id::ClusterName;
use rialto_types::object::{Metadata, Resource, Spec};
use rialto_types::{duration, limits};
use rialto_wire::client::{Error, WriteOptions};

use super::Api;
use crate::failure::{Exit, Failure};
use crate::print;

/// Let a cluster or a member of the control plane join
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    Token(Token),
    Kubernetes(Kubernetes),
}

/// Print the one command that makes a Kubernetes cluster join
///
/// The cluster is added to the federation if it is not there. The command holds a token that can be
/// used once: run it against the cluster that joins, from a checkout of the chart.
#[derive(Debug, clap::Args)]
pub(crate) struct Kubernetes {
    /// The cluster that joins
    #[arg(value_name = "NAME")]
    cluster: ClusterName,
    /// How long the token can be used, at most 24h
    #[arg(long, value_name = "DURATION", default_value = "15m", value_parser = duration::parse)]
    ttl: Duration,
    /// Why; kept in the history
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
    #[command(flatten)]
    api: Api,
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
    api: Api,
}

pub(super) async fn run(command: Command) -> Result<Exit, Failure> {
    match command {
        Command::Token(arguments) => token(arguments).await,
        Command::Kubernetes(arguments) => kubernetes(arguments).await,
    }
}

fn check_ttl(ttl: Duration) -> Result<(), Failure> {
    if ttl.is_zero() || ttl > limits::JOIN_TOKEN_TTL_MAX {
        let max = duration::format(limits::JOIN_TOKEN_TTL_MAX);
        let text = format!("`--ttl` is {}", duration::format(ttl));
        return Err(Failure::usage(text).with_hint(format!("it can be from 1s to {max}")));
    }
    Ok(())
}

async fn kubernetes(arguments: Kubernetes) -> Result<Exit, Failure> {
    check_ttl(arguments.ttl)?;
    let (client, printer) = arguments.api.open()?;
    let name = arguments.cluster.as_str().parse().expect("a cluster's name is a resource's");
    let spec = Spec::Cluster(ClusterSpec::default());
    let resource = Resource { metadata: Metadata::new(None, name), spec };
    let reason = arguments.reason.clone();
    let options = WriteOptions {
        reason: reason.clone(),
        precondition: Precondition::IfNoneMatch,
        ..WriteOptions::default()
    };
    match client.put(&resource, &options).await {
        Ok(_) => print::note(&format!("Cluster {} was added.", arguments.cluster)),
        Err(Error::Refused(problem)) if problem.code == Code::AlreadyExists => {}
        Err(error) => return Err(error.into()),
    }
    let request = JoinTokenRequest {
        role: Joiner::Agent,
        cluster: Some(arguments.cluster),
        ttl: arguments.ttl,
        platform: Platform::Kubernetes,
    };
    let issued = client.create_token(&request, reason).await?;
    let (ttl, at) = (duration::format(request.ttl), issued.expires_at);
    print::note(&format!("Its token: one use, expires in {ttl} ({at}), shown once."));
    printer.value(&issued, |_| format!("{}\n", issued.command))?;
    Ok(Exit::Done)
}

async fn token(arguments: Token) -> Result<Exit, Failure> {
    check_ttl(arguments.ttl)?;
    let role = if arguments.member { Joiner::Member } else { Joiner::Agent };
    let (cluster, ttl) = (arguments.cluster.clone(), arguments.ttl);
    let request = JoinTokenRequest { role, cluster, ttl, platform: Platform::Machine };
    let (client, printer) = arguments.api.open()?;
    let issued = client.create_token(&request, arguments.reason.clone()).await?;
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
