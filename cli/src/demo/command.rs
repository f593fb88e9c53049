//! `rialto demo ps`, `kill`, `stop` and `start`: what another terminal does to a running demo.
//!
//! One request and one answer per connection of a Unix socket, a line of JSON each.

use std::fmt::Write as _;
use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::net::UnixStream as BlockingStream;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufStream};
use tokio::net::{UnixListener, UnixStream};
use tokio::time::timeout;

use super::limits;
use super::process::Supervisor;

#[derive(Clone, Debug, Serialize, Deserialize, clap::Subcommand)]
pub(crate) enum Request {
    /// Show the processes of the demo
    Ps,
    /// Kill a process with SIGKILL, as a crash does
    Kill {
        /// The process, as `rialto demo ps` names it
        name: String,
    },
    /// End a process with SIGTERM, as an upgrade does
    Stop {
        /// The process, as `rialto demo ps` names it
        name: String,
    },
    /// Start a process again that was killed or stopped
    Start {
        /// The process, as `rialto demo ps` names it
        name: String,
    },
}

#[derive(Debug, Serialize, Deserialize)]
enum Reply {
    Done(String),
    Refused(String),
}

/// Asks the running demo and returns what to print.
pub(crate) fn ask(folder: &Path, request: &Request) -> anyhow::Result<String> {
    super::running::Running::find(folder)?;
    let mut stream = BlockingStream::connect(socket_path(folder))
        .context("the demo takes no commands; it may still be starting")?;
    stream
        .set_read_timeout(Some(limits::COMMAND_ANSWER_TIMEOUT))
        .context("could not set a timeout")?;
    writeln!(stream, "{}", serde_json::to_string(request)?).context("could not ask the demo")?;
    let mut line = String::new();
    BufReader::new(stream).read_line(&mut line).context("the demo did not answer")?;
    match serde_json::from_str(&line).context("the demo's answer could not be read")? {
        Reply::Done(text) => Ok(text),
        Reply::Refused(reason) => bail!("{reason}"),
    }
}

/// Answers commands, one after the other, until the future is dropped.
pub(crate) async fn answer_all(
    listener: UnixListener,
    supervisor: &mut Supervisor,
) -> anyhow::Result<()> {
    loop {
        let (stream, _) = listener.accept().await.context("could not take a command")?;
        // A client that is gone or writes nonsense harms itself alone.
        let _ = answer(BufStream::new(stream), supervisor).await;
    }
}

pub(crate) fn listen(folder: &Path) -> anyhow::Result<UnixListener> {
    let path = socket_path(folder);
    UnixListener::bind(&path).with_context(|| format!("could not bind `{}`", path.display()))
}

async fn answer(
    mut stream: BufStream<UnixStream>,
    supervisor: &mut Supervisor,
) -> anyhow::Result<()> {
    let mut line = String::new();
    let mut bounded = (&mut stream).take(limits::COMMAND_BYTES_MAX as u64);
    timeout(limits::COMMAND_READ_TIMEOUT, bounded.read_line(&mut line)).await??;
    let reply = match serde_json::from_str(&line) {
        Ok(request) => obey(&request, supervisor).await,
        Err(error) => Err(error).context("the command could not be read"),
    };
    let reply = reply.map_or_else(|error| Reply::Refused(format!("{error:#}")), Reply::Done);
    stream.write_all(format!("{}\n", serde_json::to_string(&reply)?).as_bytes()).await?;
    stream.flush().await?;
    Ok(())
}

async fn obey(request: &Request, supervisor: &mut Supervisor) -> anyhow::Result<String> {
    match request {
        Request::Ps => Ok(table(supervisor)),
        Request::Kill { name } => {
            supervisor.kill(name).await?;
            Ok(format!("killed {name}; start it again with `rialto demo start {name}`\n"))
        }
        Request::Stop { name } => {
            let status = supervisor.stop(name).await?;
            Ok(format!("{name} ended ({status}); start it again with `rialto demo start {name}`\n"))
        }
        Request::Start { name } => {
            let begun = tokio::time::Instant::now();
            supervisor.start_again(name).await?;
            Ok(format!("{name} serves after {} ms\n", begun.elapsed().as_millis()))
        }
    }
}

fn table(supervisor: &mut Supervisor) -> String {
    let mut text = format!("{:<22}{:<10}LOG\n", "NAME", "STATE");
    let names: Vec<_> = supervisor.names().map(str::to_owned).collect();
    for name in names {
        let state = if supervisor.is_running(&name) { "running" } else { "ended" };
        let _ = writeln!(text, "{name:<22}{state:<10}{}", supervisor.log_path(&name).display());
    }
    text
}

fn socket_path(folder: &Path) -> PathBuf {
    folder.join("demo.sock")
}

#[cfg(test)]
mod tests;
