//! What runs while the demo runs.

use std::io::Write as _;
use std::net::TcpListener;
use std::path::Path;
use std::process::ExitCode;

use anyhow::Context as _;
use tokio::signal::unix::{SignalKind, signal};

use super::namespaces::{HUB, Namespaces};
use super::plan::{App, Place, Plan, WORKLOADS, Workload};
use super::process::{Ready, Spec, Supervisor};
use super::{Program, Started, command, link};

const BOOKSTORE_PORT: u16 = 9080;

pub(crate) async fn run(
    started: Started,
    plan: Plan,
    namespaces: Option<Namespaces>,
    _rest: TcpListener,
) -> anyhow::Result<ExitCode> {
    let mut interrupted = signal(SignalKind::interrupt()).context("could not wait for SIGINT")?;
    let mut terminated = signal(SignalKind::terminate()).context("could not wait for SIGTERM")?;
    let in_namespaces = namespaces.is_some();
    let Started { file, folder, program, seed } = started;
    let mut supervisor = Supervisor::new(file, &folder, namespaces)?;
    let running = async {
        if in_namespaces {
            supervisor.start(link_spec(&folder, seed)).await?;
        }
        if program != Program::Nothing {
            start_bookstore(&mut supervisor, plan).await?;
        }
        say("the demo is ready; Ctrl-C ends it\n")?;
        command::answer_all(command::listen(&folder)?, &mut supervisor).await
    };
    let result = tokio::select! {
        result = running => result,
        _ = interrupted.recv() => Ok(()),
        _ = terminated.recv() => Ok(()),
    };
    supervisor.end().await;
    result.map(|()| ExitCode::SUCCESS)
}

fn link_spec(folder: &Path, seed: u64) -> Spec {
    Spec {
        name: "link".to_owned(),
        network: HUB.to_owned(),
        resolver_of: None,
        arguments: vec![
            "demo".to_owned(),
            "switch".to_owned(),
            "--folder".to_owned(),
            folder.display().to_string(),
            "--seed".to_owned(),
            seed.to_string(),
        ],
        ready: Ready::Line(link::READY_LINE.to_owned()),
    }
}

async fn start_bookstore(supervisor: &mut Supervisor, plan: Plan) -> anyhow::Result<()> {
    let specs: Vec<_> = WORKLOADS.iter().filter_map(|workload| app_spec(workload, plan)).collect();
    for spec in &specs {
        supervisor.launch(spec.clone())?;
    }
    for spec in &specs {
        supervisor.ready(&spec.name).await?;
    }
    Ok(())
}

/// How a workload's server is started, if it has one.
fn app_spec(workload: &Workload, plan: Plan) -> Option<Spec> {
    let (service, version) = match workload.app {
        App::ProductPage => ("productpage", "v1"),
        App::Details => ("details", "v1"),
        App::Reviews(version) => ("reviews", version),
        App::Ratings => ("ratings", "v1"),
        App::Console | App::Client => return None,
    };
    let place = Place::workload(workload.site, workload.name);
    let listen = (plan.workload(workload.site, workload.host), BOOKSTORE_PORT).into();
    let listen_text = format!("{listen}");
    let mut arguments = vec!["demo", "app", service, "--listen", &listen_text];
    arguments.extend(["--version", version, "--cluster", workload.site.name()]);
    arguments.extend(["--instance", workload.name]);
    let name = place.to_string();
    Some(Spec::new(&name, &place, &arguments, Ready::Http(listen, "/health".to_owned())))
}

pub(crate) fn what_loopback_loses(reason: &anyhow::Error) -> String {
    format!(
        "{reason:#}\n\
         The demo goes on with addresses of 127.0.0.0/8 on this machine's own network. Lost: the\n\
         link with its delay and loss, `rialto demo link`, ports 53 and 80, the system's resolver\n\
         (use `dig -p` and `curl --connect-to`), and the wall between the clusters.\n\n"
    )
}

/// For people, so on standard error; standard output is for data.
pub(crate) fn say(text: &str) -> anyhow::Result<()> {
    write!(std::io::stderr(), "{text}").context("could not print")
}
