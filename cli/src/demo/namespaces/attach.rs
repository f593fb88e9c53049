//! `rialto demo exec`: a program in a running demo, from another terminal.

use std::ffi::OsString;
use std::fs::{self, File};
use std::os::linux::fs::MetadataExt as _;
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, bail};
use nix::sched::{CloneFlags, setns};
use nix::sys::signal::{SigSet, Signal};

use super::enter::User;
use crate::demo::plan::{CONSOLE, Network, Place, Site, workloads};
use crate::demo::running::Running;

/// Run a program as a workload of a cluster
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Arguments {
    /// `east`, `west`, `vms`, or `control` where the bridges are
    cluster: Site,
    /// The workload whose address the program has; each cluster has a free one, `console`, and
    /// `node`, where its gateways are
    #[arg(long = "as", value_name = "WORKLOAD")]
    workload: Option<String>,
    /// Keep the namespace's root, to look at interfaces and packets
    #[arg(long)]
    root: bool,
    /// The program and its arguments
    #[arg(last = true, required = true, value_name = "COMMAND")]
    command: Vec<OsString>,
}

/// Runs the command to its end and returns its exit code.
pub(crate) fn run(folder: &Path, arguments: &Arguments) -> anyhow::Result<u8> {
    let running = Running::find(folder)?;
    let place = place(arguments)?;
    let program = std::env::current_exe().context("could not find this program's own file")?;
    let mut command = Command::new(program);
    command.args(["demo", "enter", "--folder"]).arg(folder);
    match running.network {
        Network::Loopback => {}
        Network::Namespaces => {
            join(running.process)?;
            command.args(["--network", &place.to_string()]);
            command.args(["--resolver-of", place.site.name()]);
            if let (Some(user), false) = (running.user, arguments.root) {
                command.args(["--user", &user.to_string()]);
            }
        }
    }
    command.arg("--").args(&arguments.command);
    // The program gets the terminal's interrupts itself; this process must outlive it.
    let mut mask = SigSet::empty();
    mask.add(Signal::SIGINT);
    mask.add(Signal::SIGQUIT);
    mask.thread_block().context("could not hold back interrupts")?;
    let status = command.status().context("could not start the program")?;
    Ok(match (status.code(), status.signal()) {
        (Some(code), _) => u8::try_from(code).unwrap_or(u8::MAX),
        (None, Some(signal)) => 128_u8.saturating_add(signal as u8),
        (None, None) => u8::MAX,
    })
}

fn place(arguments: &Arguments) -> anyhow::Result<Place> {
    let site = arguments.cluster;
    let default = if site == Site::Control { NODE } else { CONSOLE };
    let name = arguments.workload.as_deref().unwrap_or(default);
    if name == NODE {
        return Ok(Place::node(site));
    }
    if !workloads(site).any(|workload| workload.name == name) {
        let names: Vec<_> = workloads(site).map(|workload| workload.name).collect();
        bail!("`{site}` has no workload `{name}`; it has {NODE}, {}", names.join(", "));
    }
    Ok(Place::workload(site, name))
}

/// The machine behind which the workloads are, with the gateways, the agent and the DNS proxy.
const NODE: &str = "node";

/// Joins the namespaces of the demo's inner process; children are in its PID namespace.
fn join(process: u32) -> anyhow::Result<()> {
    let here = std::env::current_dir();
    let mut namespaces = Vec::new();
    let kinds = [
        ("user", CloneFlags::CLONE_NEWUSER),
        ("mnt", CloneFlags::CLONE_NEWNS),
        ("pid", CloneFlags::CLONE_NEWPID),
    ];
    for (kind, flag) in kinds {
        let path = PathBuf::from(format!("/proc/{process}/ns/{kind}"));
        let open = || -> std::io::Result<Option<File>> {
            // Linux refuses to enter the user namespace where one already is.
            let same = fs::metadata(&path)?.st_ino()
                == fs::metadata(format!("/proc/self/ns/{kind}"))?.st_ino();
            if same { Ok(None) } else { File::open(&path).map(Some) }
        };
        let file = open().with_context(|| {
            format!("could not open `{}`; only the user who started the demo can", path.display())
        })?;
        namespaces.extend(file.map(|file| (kind, file, flag)));
    }
    for (kind, file, flag) in namespaces {
        setns(file, flag)
            .with_context(|| format!("could not enter the demo's `{kind}` namespace"))?;
    }
    if let Ok(here) = here {
        // What the host mounted since is not there; then the program starts in `/`.
        let _ = std::env::set_current_dir(here);
    }
    Ok(())
}

/// Whom programs run as that `demo exec` starts: nobody special, unless the demo is root's.
pub(crate) fn unprivileged_user() -> Option<User> {
    let user = nix::unistd::geteuid();
    (!user.is_root()).then(|| User { user: user.as_raw(), group: nix::unistd::getegid().as_raw() })
}
