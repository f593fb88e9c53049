//! The client verbs of this program, run as a person would: in a process, by their options.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context as _, bail};
use serde::de::DeserializeOwned;
use tokio::process::Command;
use tokio::time::{Instant, sleep, timeout};

use super::limits;

/// Who runs verbs, and against which server.
#[derive(Clone, Debug)]
pub(crate) struct Verbs {
    pub(crate) file: PathBuf,
    pub(crate) server: SocketAddr,
    pub(crate) token: PathBuf,
}

#[derive(Clone, Debug)]
pub(crate) struct Told {
    pub(crate) code: Option<i32>,
    pub(crate) output: String,
    pub(crate) errors: String,
}

impl Verbs {
    pub(crate) async fn run(&self, arguments: &[&str]) -> anyhow::Result<Told> {
        let shown = || format!("`rialto {}`", arguments.join(" "));
        let running = Command::new(&self.file)
            .args(arguments)
            .env("RIALTO_SERVER", format!("http://{}", self.server))
            .env("RIALTO_TOKEN_FILE", &self.token)
            .stdin(Stdio::null())
            .kill_on_drop(true)
            .output();
        let output = timeout(limits::VERB_TIMEOUT, running)
            .await
            .with_context(|| format!("{} did not end", shown()))?
            .with_context(|| format!("could not run {}", shown()))?;
        Ok(Told {
            code: output.status.code(),
            output: String::from_utf8_lossy(&output.stdout).into_owned(),
            errors: String::from_utf8_lossy(&output.stderr).into_owned(),
        })
    }

    /// Runs a verb that must succeed, and gives its output.
    pub(crate) async fn must(&self, arguments: &[&str]) -> anyhow::Result<String> {
        let Told { code, output, errors } = self.run(arguments).await?;
        if code != Some(0) {
            let shown = arguments.join(" ");
            bail!("`rialto {shown}` ended with {code:?}: {} {}", errors.trim(), output.trim());
        }
        Ok(output)
    }

    pub(crate) async fn read<T: DeserializeOwned>(&self, arguments: &[&str]) -> anyhow::Result<T> {
        let mut arguments = arguments.to_vec();
        arguments.extend(["-o", "json"]);
        let output = self.must(&arguments).await?;
        serde_json::from_str(&output)
            .with_context(|| format!("the answer of `rialto {}` is no JSON", arguments.join(" ")))
    }

    /// Repeats a verb until it succeeds, and says how long that took.
    pub(crate) async fn until(
        &self,
        arguments: &[&str],
        limit: Duration,
    ) -> anyhow::Result<Duration> {
        let begun = Instant::now();
        loop {
            let told = self.must(arguments).await;
            match told {
                Ok(_) => return Ok(begun.elapsed()),
                Err(error) if begun.elapsed() >= limit => return Err(error),
                Err(_) => sleep(limits::RETRY_DELAY).await,
            }
        }
    }
}
