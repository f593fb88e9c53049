//! `rialto demo enter`: the last step before a program of the demo starts, in its own process.

use std::fs;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, anyhow};
use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, setns, unshare};
use nix::sys::prctl::set_pdeathsig;
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use nix::sys::signal::Signal;

use super::{map_user, namespace_path, own_mounts};
use crate::demo::plan::{Plan, Site};

#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Arguments {
    #[arg(long)]
    folder: PathBuf,
    /// A network of the demo; without it the program stays on this one
    #[arg(long)]
    network: Option<String>,
    /// The site whose resolver the program uses
    #[arg(long, requires = "network")]
    resolver_of: Option<Site>,
    /// Whom the program runs as, `UID:GID`, if not as the namespace's root
    #[arg(long, requires = "network")]
    user: Option<User>,
    /// The program and its arguments
    #[arg(last = true, required = true)]
    command: Vec<std::ffi::OsString>,
}

/// An unprivileged user of the host.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(crate) struct User {
    pub(crate) user: u32,
    pub(crate) group: u32,
}

impl std::str::FromStr for User {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let parsed = text.split_once(':').and_then(|(user, group)| {
            Some(Self { user: user.parse().ok()?, group: group.parse().ok()? })
        });
        parsed.ok_or_else(|| format!("`{text}` is not `UID:GID`"))
    }
}

impl std::fmt::Display for User {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "{}:{}", self.user, self.group)
    }
}

/// Becomes the command; returns only if that fails.
pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<std::convert::Infallible> {
    set_pdeathsig(Signal::SIGKILL).context("could not tie the program to its parent")?;
    crate::demo::take_signals()?;
    // A thousand connections need more than the usual soft limit.
    if let Ok((_, hard)) = getrlimit(Resource::RLIMIT_NOFILE) {
        let _ = setrlimit(Resource::RLIMIT_NOFILE, hard, hard);
    }
    if let Some(network) = &arguments.network {
        let path = namespace_path(&arguments.folder, network);
        let namespace = fs::File::open(&path)
            .with_context(|| format!("the demo has no network `{network}`"))?;
        setns(namespace, CloneFlags::CLONE_NEWNET)
            .with_context(|| format!("could not enter the network of `{network}`"))?;
    }
    if let Some(site) = arguments.resolver_of {
        use_resolver_of(&arguments.folder, site)?;
    }
    if let Some(User { user, group }) = arguments.user {
        unshare(CloneFlags::CLONE_NEWUSER).context("could not put off the namespace's root")?;
        map_user(user, 0, group, 0)?;
    }
    let (program, rest) = arguments.command.split_first().expect("the parser wants a command");
    let error = Command::new(program).args(rest).exec();
    Err(anyhow!(error).context(format!("could not run `{}`", program.display())))
}

/// Writes what programs of a site see as `/etc/resolv.conf` and `/etc/nsswitch.conf`.
pub(super) fn write_resolver_files(folder: &Path, site: Site, plan: Plan) -> anyhow::Result<()> {
    let etc = etc(folder, site);
    fs::create_dir_all(&etc).with_context(|| format!("could not make `{}`", etc.display()))?;
    let resolver = format!(
        "# the DNS proxy of `{site}`, by `rialto demo`\nnameserver {}\n",
        plan.resolver(site).ip()
    );
    fs::write(etc.join("resolv.conf"), resolver).context("could not write `resolv.conf`")?;
    // A host that asks systemd-resolved or mDNS first would never ask the proxy.
    let sources = fs::read_to_string("/etc/nsswitch.conf").unwrap_or_default();
    let mut text: String = sources
        .lines()
        .filter(|line| !line.starts_with("hosts:"))
        .fold(String::new(), |all, line| all + line + "\n");
    text += "hosts: files dns\n";
    fs::write(etc.join("nsswitch.conf"), text).context("could not write `nsswitch.conf`")
}

fn use_resolver_of(folder: &Path, site: Site) -> anyhow::Result<()> {
    own_mounts()?;
    let etc = etc(folder, site);
    bind(&etc.join("resolv.conf"), "/etc/resolv.conf")
        .context("`/etc/resolv.conf` must exist for the program to get a resolver of its own")?;
    if Path::new("/etc/nsswitch.conf").exists() {
        bind(&etc.join("nsswitch.conf"), "/etc/nsswitch.conf")?;
    }
    for cache in ["/run/nscd", "/var/run/nscd"] {
        if Path::new(cache).is_dir() {
            let empty = folder.join("netns");
            bind(&empty, cache)?;
        }
    }
    Ok(())
}

fn bind(from: &Path, over: &str) -> anyhow::Result<()> {
    mount(Some(from), over, None::<&str>, MsFlags::MS_BIND, None::<&str>)
        .with_context(|| format!("could not put `{}` over `{over}`", from.display()))
}

fn etc(folder: &Path, site: Site) -> PathBuf {
    folder.join("etc").join(site.name())
}
