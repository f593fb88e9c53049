//! `rialto demo`: a federation on one machine, with networks of its own.
//!
//! The map: `plan` says who has which address; `namespaces` builds the networks, `link` joins them;
//! `process` runs the servers, `running` lets other terminals find them; `bookstore` and `load` are
//! the workloads.

use std::fs::{self, File};
use std::io::Write as _;
use std::net::{SocketAddr, TcpListener};
use std::os::fd::{AsFd as _, OwnedFd};
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ExitCode, ExitStatus, Stdio};

use anyhow::Context as _;
use nix::sys::signal::{SigSet, Signal, kill};
use nix::unistd::{Pid, getpid};
use tokio::runtime::Runtime;

use self::namespaces::{Namespaces, attach, enter};
use self::plan::{Network, Plan};
use self::running::Running;

mod bookstore;
mod command;
mod federation;
mod forward;
mod http;
mod limits;
mod link;
mod load;
mod namespaces;
mod plan;
mod process;
mod resolve;
mod running;
mod settings;
mod show;
mod story;
mod verb;

/// A child shares what is open until it executes its program: tests that start some and tests of
/// locks are not run at the same time.
#[cfg(test)]
static FORKS: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());

/// Run a whole federation on this machine, and programs inside of it
#[derive(Debug, clap::Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    options: Options,
    /// Where the demo keeps its files while it runs
    #[arg(long, global = true, env = "RIALTO_DEMO_FOLDER", hide_env_values = true)]
    folder: Option<PathBuf>,
}

#[derive(Clone, Debug, clap::Args)]
struct Options {
    /// What separates the clusters; namespaces where they are to be had, if absent
    #[arg(long, value_enum)]
    network: Option<Network>,
    /// Where REST is reached from this machine
    #[arg(long, default_value = "127.0.0.1:7601")]
    rest: SocketAddr,
    /// Decides which packets the links lose
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Walk through the story unattended, check each step, and end
    #[arg(long)]
    script: bool,
}

/// What runs in the networks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Program {
    /// The federation, until it is ended.
    Show,
    /// The federation and its story.
    Script,
    /// The links alone, for tests of the networks.
    Nothing,
}

impl Program {
    fn name(self) -> &'static str {
        match self {
            Self::Show => "show",
            Self::Script => "script",
            Self::Nothing => "nothing",
        }
    }
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    Exec(attach::Arguments),
    #[command(flatten)]
    Process(command::Request),
    #[command(hide = true)]
    Networks(Options),
    /// Show the links between the sites, or change one
    Link(link::Command),
    #[command(hide = true)]
    App(bookstore::Arguments),
    #[command(hide = true)]
    Load(load::Arguments),
    /// What runs in the namespaces and starts everything else
    #[command(hide = true)]
    Inside(Inside),
    #[command(hide = true)]
    Enter(enter::Arguments),
    #[command(hide = true)]
    Probe,
    #[command(hide = true)]
    Switch(Switch),
}

#[derive(Debug, clap::Args)]
struct Inside {
    #[arg(long, value_enum)]
    program: Program,
    #[arg(long)]
    seed: u64,
}

#[derive(Debug, clap::Args)]
struct Switch {
    #[arg(long)]
    seed: u64,
}

/// Must be called while the process has one thread.
pub(crate) fn run(arguments: Arguments) -> ExitCode {
    let folder = arguments.folder.unwrap_or_else(running::default_folder);
    let result = match arguments.command {
        None => {
            let script = arguments.options.script;
            let program = if script { Program::Script } else { Program::Show };
            start(&folder, &arguments.options, program)
        }
        Some(command) => run_command(&folder, command),
    };
    result.unwrap_or_else(|error| {
        let _ = writeln!(std::io::stderr(), "rialto demo: {error:#}");
        ExitCode::FAILURE
    })
}

fn run_command(folder: &Path, command: Command) -> anyhow::Result<ExitCode> {
    match command {
        Command::Exec(arguments) => return Ok(ExitCode::from(attach::run(folder, &arguments)?)),
        Command::Process(request) => {
            let told = command::ask(folder, &request)?;
            write!(std::io::stdout(), "{told}").context("could not print")?;
        }
        Command::Networks(options) => return start(folder, &options, Program::Nothing),
        Command::Link(command) => {
            write!(std::io::stdout(), "{}", command.run(folder)?).context("could not print")?;
        }
        Command::App(arguments) => runtime()?.block_on(bookstore::run(arguments))?,
        Command::Load(arguments) => load::runtime()?.block_on(load::run(arguments))?,
        Command::Inside(arguments) => return inside(folder, &arguments),
        Command::Enter(arguments) => match enter::run(&arguments)? {},
        Command::Probe => namespaces::try_everything()?,
        Command::Switch(Switch { seed }) => link::run(&link::command_socket(folder), seed)?,
    }
    Ok(ExitCode::SUCCESS)
}

fn runtime() -> anyhow::Result<Runtime> {
    Runtime::new().context("could not start the runtime")
}

/// The outermost process: takes the folder, opens REST, and waits for the inner one.
fn start(folder: &Path, options: &Options, program: Program) -> anyhow::Result<ExitCode> {
    let held = running::take(folder)?;
    let rest = TcpListener::bind(options.rest).with_context(|| {
        format!("could not listen on {} for REST; choose another with `--rest`", options.rest)
    })?;
    let file = own_file()?;
    let started = Started { file, folder: folder.to_owned(), program, seed: options.seed };
    let code = match choose_network(&started.file, options)? {
        Network::Namespaces => start_inside(&started, rest),
        Network::Loopback => on_loopback(started, rest),
    };
    remove(folder, held);
    code
}

/// What both the outer and the inner process know.
#[derive(Clone, Debug)]
pub(crate) struct Started {
    /// This program's own file.
    file: PathBuf,
    folder: PathBuf,
    program: Program,
    seed: u64,
}

fn own_file() -> anyhow::Result<PathBuf> {
    std::env::current_exe().context("could not find this program's own file")
}

fn choose_network(file: &Path, options: &Options) -> anyhow::Result<Network> {
    match options.network {
        Some(Network::Loopback) => Ok(Network::Loopback),
        Some(Network::Namespaces) => namespaces::probe(file).map(|()| Network::Namespaces),
        None => Ok(match namespaces::probe(file) {
            Ok(()) => Network::Namespaces,
            Err(reason) => {
                show::say(&show::what_loopback_loses(&reason))?;
                Network::Loopback
            }
        }),
    }
}

fn start_inside(started: &Started, rest: TcpListener) -> anyhow::Result<ExitCode> {
    let user = attach::unprivileged_user();
    namespaces::leave_host()?;
    let mut signals = SigSet::empty();
    for signal in [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP, Signal::SIGCHLD] {
        signals.add(signal);
    }
    signals.thread_block().context("could not hold back signals")?;
    let mut inner = std::process::Command::new(&started.file)
        .args(["demo", "inside", "--folder"])
        .arg(&started.folder)
        .args(["--seed", &started.seed.to_string()])
        .args(["--program", started.program.name()])
        .stdin(Stdio::from(OwnedFd::from(rest)))
        // Ctrl-C is for this process alone, so that the servers are ended in order.
        .process_group(0)
        .spawn()
        .context("could not start the demo's inner process")?;
    Running { process: inner.id(), network: Network::Namespaces, user }.publish(&started.folder)?;
    let status = wait_for_inner(&mut inner, &signals)?;
    Ok(exit_code(status))
}

/// The first signal asks the inner process to end, the second makes it.
fn wait_for_inner(inner: &mut Child, signals: &SigSet) -> anyhow::Result<ExitStatus> {
    let process = Pid::from_raw(inner.id().cast_signed());
    let mut asked = false;
    loop {
        let signal = signals.wait().context("could not wait for a signal")?;
        if signal == Signal::SIGCHLD {
            if let Some(status) = inner.try_wait().context("could not look after the demo")? {
                return Ok(status);
            }
        } else {
            let passed_on = if asked { Signal::SIGKILL } else { Signal::SIGTERM };
            kill(process, passed_on).context("could not end the demo")?;
            asked = true;
        }
    }
}

fn exit_code(status: ExitStatus) -> ExitCode {
    match (status.code(), status.signal()) {
        (Some(code), _) => ExitCode::from(u8::try_from(code).unwrap_or(u8::MAX)),
        (None, _) => ExitCode::FAILURE,
    }
}

/// The first process of the PID namespace.
fn inside(folder: &Path, arguments: &Inside) -> anyhow::Result<ExitCode> {
    take_signals()?;
    let stdin = std::io::stdin().as_fd().try_clone_to_owned();
    let rest = TcpListener::from(stdin.context("REST was not handed down")?);
    let plan = Plan { network: Network::Namespaces };
    let namespaces = Namespaces::build(folder, plan)?;
    let watched = folder.to_owned();
    std::thread::Builder::new()
        .name("end-with-the-outer".to_owned())
        .spawn(move || end_with_the_outer_process(&watched))
        .context("could not watch the outer process")?;
    let Inside { program, seed } = *arguments;
    let started = Started { file: own_file()?, folder: folder.to_owned(), program, seed };
    runtime()?.block_on(show::run(started, plan, Some(namespaces), rest))
}

/// Takes back what the parent held back for itself: a signal mask outlives fork and exec.
fn take_signals() -> anyhow::Result<()> {
    SigSet::all().thread_unblock().context("could not let signals in")
}

/// If the outer process was killed, nobody else is left to clean up.
fn end_with_the_outer_process(folder: &Path) {
    let Ok(held) = running::wait_for_end(folder) else { return };
    assert_eq!(getpid(), Pid::from_raw(1), "only in a PID namespace of its own may it kill all");
    let _ = kill(Pid::from_raw(-1), Signal::SIGKILL);
    Namespaces::let_go(folder);
    remove(folder, held);
    std::process::exit(1);
}

fn on_loopback(started: Started, rest: TcpListener) -> anyhow::Result<ExitCode> {
    let plan = Plan { network: Network::Loopback };
    Running { process: std::process::id(), network: Network::Loopback, user: None }
        .publish(&started.folder)?;
    runtime()?.block_on(show::run(started, plan, None, rest))
}

fn remove(folder: &Path, held: File) {
    // Nothing can be done about what cannot be removed; the next demo tries again.
    let _ = fs::remove_dir_all(folder);
    drop(held);
}
