//! The servers of the demo as child processes: started, waited for, killed by name, started again.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};

use anyhow::{Context as _, bail, ensure};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tokio::process::{Child, Command};
use tokio::time::{Instant, sleep, timeout};

use super::limits;
use super::namespaces::Namespaces;
use super::plan::{Place, Site};

/// How to start one process; kept, so that it can be started again.
#[derive(Clone, Debug)]
pub(crate) struct Spec {
    pub(crate) name: String,
    /// The network it runs in: a place's, or the hub's.
    pub(crate) network: String,
    pub(crate) resolver_of: Option<Site>,
    /// Arguments of this program.
    pub(crate) arguments: Vec<String>,
    pub(crate) ready: Ready,
}

impl Spec {
    pub(crate) fn new(name: &str, place: &Place, arguments: &[&str], ready: Ready) -> Self {
        Self {
            name: name.to_owned(),
            network: place.to_string(),
            // The bridges use no names.
            resolver_of: (place.site != Site::Control).then_some(place.site),
            arguments: arguments.iter().map(|argument| (*argument).to_owned()).collect(),
            ready,
        }
    }
}

/// How a process shows that it serves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Ready {
    AtOnce,
    /// A line of its log begins so.
    Line(String),
    /// A GET of the path is answered with 200, asked in the process's own network.
    Http(SocketAddr, String),
}

#[derive(Debug)]
struct Running {
    child: Child,
    /// Where its part of the log begins: earlier runs wrote the rest.
    log_start: u64,
}

/// Owns every child; those still there die with it.
#[derive(Debug)]
pub(crate) struct Supervisor {
    program: PathBuf,
    folder: PathBuf,
    /// Absent on loopback.
    namespaces: Option<Namespaces>,
    specs: BTreeMap<String, Spec>,
    running: BTreeMap<String, Running>,
}

impl Supervisor {
    pub(crate) fn new(
        program: PathBuf,
        folder: &Path,
        namespaces: Option<Namespaces>,
    ) -> anyhow::Result<Self> {
        fs::create_dir_all(folder.join("logs")).context("could not make the folder for logs")?;
        let folder = folder.to_owned();
        Ok(Self { program, folder, namespaces, specs: BTreeMap::new(), running: BTreeMap::new() })
    }

    /// Starts a process without waiting for it.
    pub(crate) fn launch(&mut self, spec: Spec) -> anyhow::Result<()> {
        let name = spec.name.clone();
        ensure!(!self.is_running(&name), "`{name}` is already running");
        ensure!(
            self.specs.contains_key(&name) || self.specs.len() < limits::PROCESSES_MAX,
            "the demo starts at most {} processes",
            limits::PROCESSES_MAX
        );
        let log = File::options()
            .create(true)
            .append(true)
            .open(self.log_path(&name))
            .with_context(|| format!("could not open the log of `{name}`"))?;
        let log_start = log.metadata().context("could not read the size of a log")?.len();
        let errors = log.try_clone().context("could not share a log")?;
        let child = self
            .command_at(&spec.network, spec.resolver_of)
            .arg(&self.program)
            .args(&spec.arguments)
            .stdin(Stdio::null())
            .stdout(log)
            .stderr(errors)
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("could not start `{name}`"))?;
        self.running.insert(name.clone(), Running { child, log_start });
        self.specs.insert(name, spec);
        Ok(())
    }

    /// Waits until the process serves; its log is named if it does not.
    pub(crate) async fn ready(&mut self, name: &str) -> anyhow::Result<()> {
        let begun = Instant::now();
        while !self.seems_ready(name).await? {
            let log = self.log_path(name);
            if let Some(status) = self.exit_of(name)? {
                bail!("`{name}` ended ({status}); see `{}`", log.display());
            }
            let late = begun.elapsed() >= limits::READY_TIMEOUT;
            ensure!(
                !late,
                "`{name}` is not ready after {:?}; see `{}`",
                limits::READY_TIMEOUT,
                log.display()
            );
            sleep(limits::READY_POLL).await;
        }
        Ok(())
    }

    pub(crate) async fn start(&mut self, spec: Spec) -> anyhow::Result<()> {
        let name = spec.name.clone();
        self.launch(spec)?;
        self.ready(&name).await
    }

    /// Starts again what was killed or stopped, and waits until it serves.
    pub(crate) async fn start_again(&mut self, name: &str) -> anyhow::Result<()> {
        let spec = self.spec(name)?.clone();
        self.start(spec).await
    }

    pub(crate) fn launch_again(&mut self, name: &str) -> anyhow::Result<()> {
        self.launch(self.spec(name)?.clone())
    }

    /// SIGKILL, and gone on return.
    pub(crate) async fn kill(&mut self, name: &str) -> anyhow::Result<ExitStatus> {
        let mut running = self.take(name)?;
        running.child.start_kill().with_context(|| format!("could not kill `{name}`"))?;
        running.child.wait().await.with_context(|| format!("could not wait for `{name}`"))
    }

    /// SIGTERM, and SIGKILL for what does not end in time.
    pub(crate) async fn stop(&mut self, name: &str) -> anyhow::Result<ExitStatus> {
        let mut running = self.take(name)?;
        if let Some(process) = running.child.id() {
            // It may have ended just now, which is as good.
            let _ = kill(Pid::from_raw(process.cast_signed()), Signal::SIGTERM);
        }
        match timeout(limits::STOP_TIMEOUT, running.child.wait()).await {
            Ok(status) => status,
            Err(_) => {
                running.child.start_kill().with_context(|| format!("could not kill `{name}`"))?;
                running.child.wait().await
            }
        }
        .with_context(|| format!("could not wait for `{name}`"))
    }

    /// Kills everything at once.
    pub(crate) async fn end(&mut self) {
        for running in self.running.values_mut() {
            let _ = running.child.start_kill();
        }
        for (_, mut running) in std::mem::take(&mut self.running) {
            let _ = running.child.wait().await;
        }
    }

    pub(crate) fn is_running(&mut self, name: &str) -> bool {
        matches!(self.exit_of(name), Ok(None)) && self.running.contains_key(name)
    }

    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.specs.keys().map(String::as_str)
    }

    /// What the current run of a process has written.
    pub(crate) fn log_of(&self, name: &str) -> anyhow::Result<String> {
        let log_start = self.running.get(name).map_or(0, |running| running.log_start);
        let bytes = fs::read(self.log_path(name))
            .with_context(|| format!("could not read the log of `{name}`"))?;
        let start = usize::try_from(log_start).unwrap_or(usize::MAX).min(bytes.len());
        Ok(String::from_utf8_lossy(&bytes[start..]).into_owned())
    }

    pub(crate) fn log_path(&self, name: &str) -> PathBuf {
        self.folder.join("logs").join(format!("{name}.log"))
    }

    /// Forgets a process that is not to be started again.
    pub(crate) fn forget(&mut self, name: &str) {
        self.running.remove(name);
        self.specs.remove(name);
    }

    /// `demo enter` in a network, to be followed by a command.
    pub(crate) fn command_at(&self, network: &str, resolver_of: Option<Site>) -> Command {
        let mut command = Command::new(&self.program);
        command.args(["demo", "enter", "--folder"]).arg(&self.folder);
        if self.namespaces.is_some() {
            command.args(["--network", network]);
            if let Some(site) = resolver_of {
                command.args(["--resolver-of", site.name()]);
            }
        }
        command.arg("--");
        command
    }

    fn spec(&self, name: &str) -> anyhow::Result<&Spec> {
        self.specs.get(name).with_context(|| {
            let known: Vec<_> = self.names().collect();
            format!("the demo has no process `{name}`; it has {}", known.join(", "))
        })
    }

    fn take(&mut self, name: &str) -> anyhow::Result<Running> {
        self.spec(name)?;
        self.running.remove(name).with_context(|| format!("`{name}` is not running"))
    }

    fn exit_of(&mut self, name: &str) -> anyhow::Result<Option<ExitStatus>> {
        let Some(running) = self.running.get_mut(name) else { return Ok(None) };
        running.child.try_wait().with_context(|| format!("could not look after `{name}`"))
    }

    async fn seems_ready(&self, name: &str) -> anyhow::Result<bool> {
        let spec = self.spec(name)?;
        match &spec.ready {
            Ready::AtOnce => Ok(true),
            Ready::Line(beginning) => {
                Ok(self.log_of(name)?.lines().any(|line| line.starts_with(beginning.as_str())))
            }
            Ready::Http(address, path) => {
                let (address, path) = (*address, path.clone());
                Ok(self
                    .ask(&spec.network, move || get(address, &path))
                    .await?
                    .is_ok_and(|it| it.0 == 200))
            }
        }
    }

    /// Runs blocking work in a network of the demo.
    pub(crate) async fn ask<T: Send + 'static>(
        &self,
        network: &str,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> anyhow::Result<T> {
        let namespaces = self.namespaces.clone();
        let network = network.to_owned();
        let asked = tokio::task::spawn_blocking(move || match namespaces {
            Some(namespaces) => namespaces.within(&network, work),
            None => Ok(work()),
        });
        asked.await.context("the question ended early")?
    }
}

/// One GET with a short timeout: status and body.
pub(crate) fn get(address: SocketAddr, path: &str) -> std::io::Result<(u16, String)> {
    let mut stream = TcpStream::connect_timeout(&address, limits::LOOK_TIMEOUT)?;
    stream.set_read_timeout(Some(limits::LOOK_TIMEOUT))?;
    stream.set_write_timeout(Some(limits::LOOK_TIMEOUT))?;
    write!(stream, "GET {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n")?;
    let mut bytes = Vec::new();
    stream.take(limits::BODY_BYTES_MAX as u64).read_to_end(&mut bytes)?;
    let text = String::from_utf8_lossy(&bytes);
    let (head, body) = text.split_once("\r\n\r\n").ok_or(std::io::ErrorKind::InvalidData)?;
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok());
    Ok((status.ok_or(std::io::ErrorKind::InvalidData)?, body.to_owned()))
}

#[cfg(test)]
mod tests;
