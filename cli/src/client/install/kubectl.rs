//! Other people's programs that know how to reach a cluster: `kubectl` and `helm`, with their own
//! settings and ways to log in.

use std::path::PathBuf;
use std::process::Stdio;

use serde::de::DeserializeOwned;
use tokio::process::Command;

use crate::failure::Failure;

/// Which cluster, as `kubectl` knows it.
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "Kubernetes cluster")]
pub(crate) struct Cluster {
    /// The kubeconfig of the cluster [default: as kubectl's]
    #[arg(long, value_name = "FILE")]
    kubeconfig: Option<PathBuf>,
    /// The context of the kubeconfig [default: the current one]
    #[arg(long, value_name = "NAME")]
    context: Option<String>,
    /// The namespace of the release
    #[arg(long, value_name = "NAME", default_value = "rialto")]
    pub(crate) namespace: String,
    /// The release's name
    #[arg(long, value_name = "NAME", default_value = "rialto")]
    pub(crate) release: String,
}

impl Cluster {
    /// What `kubectl` prints; an error has what it said.
    pub(crate) async fn kubectl(&self, arguments: &[&str]) -> Result<String, Failure> {
        self.run("kubectl", "--context", arguments).await
    }

    pub(crate) async fn helm(&self, arguments: &[&str]) -> Result<String, Failure> {
        self.run("helm", "--kube-context", arguments).await
    }

    /// An object; `None` if there is none of that name.
    pub(crate) async fn get<T: DeserializeOwned>(
        &self,
        namespace: &str,
        kind: &str,
        name: &str,
    ) -> Result<Option<T>, Failure> {
        let mut arguments = vec!["get", kind, name, "--ignore-not-found", "--output=json"];
        if !namespace.is_empty() {
            arguments.extend(["--namespace", namespace]);
        }
        let text = self.kubectl(&arguments).await?;
        if text.trim().is_empty() {
            return Ok(None);
        }
        let unreadable =
            |error| Failure::failed(format!("{kind} `{name}` cannot be read: {error}"));
        serde_json::from_str(&text).map(Some).map_err(unreadable)
    }

    async fn run(
        &self,
        program: &str,
        context: &str,
        arguments: &[&str],
    ) -> Result<String, Failure> {
        let mut command = Command::new(program);
        if let Some(path) = &self.kubeconfig {
            command.arg("--kubeconfig").arg(path);
        }
        if let Some(name) = &self.context {
            command.args([context, name]);
        }
        command.args(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command.kill_on_drop(true);
        let child = command.spawn().map_err(|error| {
            Failure::failed(format!("`{program}` cannot be run: {error}"))
                .with_hint(format!("install {program}; Rialto reaches a cluster as you do"))
        })?;
        let failed = |error| Failure::failed(format!("`{program}` was lost: {error}"));
        let output = child.wait_with_output().await.map_err(failed)?;
        if output.status.success() {
            return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
        }
        let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
        Err(Failure::failed(format!("`{program} {}` failed: {said}", arguments.join(" "))))
    }
}
