//! The servers: settings from a file, logs, signals, and then the part's own `run`.

use std::future::Future;
use std::io::IsTerminal as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context as _;
use futures::FutureExt as _;
use futures::future::LocalBoxFuture;
use rialto_types::id::InstanceId;
use rialto_wire::identity::crypto;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;
use tracing_subscriber::EnvFilter;

use crate::failure::Exit;
use crate::print;

#[derive(Debug, clap::Subcommand)]
pub(crate) enum Server {
    /// Run a member of the control plane; three of them bear the loss of one
    Bridge(Joining),
    /// Run a gateway: it carries calls from and to its cluster
    Gateway(Named),
    /// Run an agent: it knows what its cluster has; one per cluster
    Agent(Joining),
    /// Run a DNS proxy: it answers federated names, and forwards the rest
    Dns(Named),
    /// Run agent, gateway and DNS proxy in one process: a virtual machine, a small cluster
    Node(Joining),
}

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// The settings, as YAML
    #[arg(short, long, value_name = "FILE")]
    config: PathBuf,
    /// What to log: a level, or directives such as `info,rialto_gateway=debug`
    #[arg(
        long,
        value_name = "FILTER",
        env = "RIALTO_LOG",
        default_value = "info",
        hide_env_values = true
    )]
    log: String,
}

/// A part of which a cluster has several.
#[derive(Debug, clap::Args)]
pub(crate) struct Named {
    #[command(flatten)]
    arguments: Arguments,
    /// The part's name, unique among its like in the cluster; instead of the setting
    #[arg(long, value_name = "NAME", env = "RIALTO_ID", hide_env_values = true)]
    id: Option<InstanceId>,
}

/// A part that joins by a token.
#[derive(Debug, clap::Args)]
pub(crate) struct Joining {
    #[command(flatten)]
    arguments: Arguments,
    /// A file with the join token, read at the first start only; instead of the setting
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,
}

/// The settings of all parts of one machine, each as it has them alone.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Node {
    agent: rialto_agent::Config,
    gateway: rialto_gateway::Config,
    dns: rialto_dns::Config,
}

pub(crate) fn run(server: &Server) -> ExitCode {
    let outcome = match server {
        Server::Bridge(joining) => {
            serve(&joining.arguments, |mut config: rialto_bridge::Config, stop| {
                let token = joining.token_file.clone();
                config.join_token_file = token.or(config.join_token_file.take());
                rialto_bridge::run(config, stop)
            })
        }
        Server::Gateway(named) => {
            serve(&named.arguments, |mut config: rialto_gateway::Config, stop| {
                config.id = named.id.clone().or(config.id.take());
                rialto_gateway::run(config, stop)
            })
        }
        Server::Agent(joining) => {
            serve(&joining.arguments, |mut config: rialto_agent::Config, stop| {
                config.token_file = joining.token_file.clone().or(config.token_file.take());
                rialto_agent::run(config, stop)
            })
        }
        Server::Dns(named) => serve(&named.arguments, |mut config: rialto_dns::Config, stop| {
            config.id = named.id.clone().or(config.id.take());
            rialto_dns::run(config, stop)
        }),
        Server::Node(joining) => serve(&joining.arguments, |mut config: Node, stop| {
            let agent = &mut config.agent;
            agent.token_file = joining.token_file.clone().or(agent.token_file.take());
            node(config, stop)
        }),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            print::note(&format!("{} {error:#}", print::label("error")));
            Exit::Failed.into()
        }
    }
}

fn serve<C, F>(
    arguments: &Arguments,
    run: impl FnOnce(C, CancellationToken) -> F,
) -> anyhow::Result<()>
where
    C: DeserializeOwned,
    F: Future<Output = anyhow::Result<()>>,
{
    let config = read(&arguments.config)?;
    start_logs(&arguments.log)?;
    // Refused if it is there already, which is as good.
    let _ = crypto::provider().as_ref().clone().install_default();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .context("cannot start the runtime")?;
    runtime.block_on(async {
        let stop = CancellationToken::new();
        stop_on_signals(stop.clone())?;
        run(config, stop).await
    })
}

fn read<C: DeserializeOwned>(path: &Path) -> anyhow::Result<C> {
    let file = path.display();
    let text = std::fs::read_to_string(path)
        .with_context(|| format!("cannot read the settings in `{file}`"))?;
    let options = serde_saphyr::options! { with_snippet: false };
    serde_saphyr::from_str_with_options(&text, options)
        .with_context(|| format!("the settings in `{file}` cannot be used"))
}

/// People get lines, programs get JSON; both on stderr.
fn start_logs(filter: &str) -> anyhow::Result<()> {
    let filter = EnvFilter::try_new(filter)
        .with_context(|| format!("`--log {filter}` is not a level nor a list of directives"))?;
    let logs = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    if std::io::stderr().is_terminal() {
        let no_colour = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        logs.with_ansi(!no_colour).init();
    } else {
        logs.json().flatten_event(true).init();
    }
    Ok(())
}

/// The first signal asks for an orderly end, the second ends at once.
fn stop_on_signals(stop: CancellationToken) -> anyhow::Result<()> {
    let mut terminate = signal(SignalKind::terminate()).context("cannot wait for SIGTERM")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("cannot wait for SIGINT")?;
    // Ends with the runtime.
    tokio::spawn(async move {
        loop {
            let name = tokio::select! {
                _ = terminate.recv() => "SIGTERM",
                _ = interrupt.recv() => "SIGINT",
            };
            if stop.is_cancelled() {
                tracing::warn!(signal = name, "ending at once");
                std::process::exit(1);
            }
            tracing::info!(signal = name, "stopping; a second signal ends at once");
            stop.cancel();
        }
    });
    Ok(())
}

async fn node(config: Node, stop: CancellationToken) -> anyhow::Result<()> {
    let Node { agent, gateway, dns } = config;
    end_in_order(
        stop,
        [
            ("gateway", Box::new(|stop| rialto_gateway::run(gateway, stop).boxed_local())),
            ("agent", Box::new(|stop| rialto_agent::run(agent, stop).boxed_local())),
            ("DNS proxy", Box::new(|stop| rialto_dns::run(dns, stop).boxed_local())),
        ],
    )
    .await
}

type Part<'a> = Box<dyn FnOnce(CancellationToken) -> LocalBoxFuture<'a, anyhow::Result<()>> + 'a>;

/// Runs all parts at once and stops them one after another, each when the one before has ended:
/// while the gateway drains, its flows still need names and endpoints. One that fails takes the
/// others along, so that a supervisor sees it.
async fn end_in_order<const N: usize>(
    stop: CancellationToken,
    parts: [(&'static str, Part<'_>); N],
) -> anyhow::Result<()> {
    let mut before = stop.clone();
    let running = parts.map(|(name, run)| {
        let (turn, ended) = (before.clone(), CancellationToken::new());
        before = ended.clone();
        let stop = &stop;
        async move {
            let outcome = run(turn.clone()).await;
            stop.cancel();
            // One that ended early must not let the next one go before its turn.
            turn.cancelled().await;
            ended.cancel();
            outcome.with_context(|| format!("the node's {name} ended"))
        }
    });
    futures::future::join_all(running).await.into_iter().collect()
}

#[cfg(test)]
mod tests;
