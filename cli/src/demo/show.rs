//! What runs while the demo runs, and what a person is told about it.

use std::io::Write as _;
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::process::ExitCode;

use anyhow::Context as _;
use rialto_types::session::SignInCode;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::time::Instant;

use super::federation::{Federation, host_name, reviews_policy, url};
use super::forward::forward;
use super::namespaces::Namespaces;
use super::plan::{BOOKSTORE_PORT, BRIDGE_HOSTS, CONSOLE, Network, Plan, REST_PORT, Site};
use super::{Program, Started, command, story};

/// Runs the chosen program until it ends or a signal ends it.
pub(crate) async fn run(
    started: Started,
    plan: Plan,
    namespaces: Option<Namespaces>,
    rest: TcpListener,
) -> anyhow::Result<ExitCode> {
    let mut ended = Ended::new()?;
    let outside = rest.local_addr().context("REST has no address")?;
    let bridges: Vec<_> = BRIDGE_HOSTS.map(|host| plan.rest(host)).to_vec();
    rest.set_nonblocking(true).context("could not make REST non-blocking")?;
    let rest = tokio::net::TcpListener::from_std(rest).context("could not take REST over")?;
    let mut forwards = tokio::task::JoinSet::new();
    forwards.spawn(forward(rest, bridges.clone()));
    let server = match plan.network {
        Network::Loopback => outside,
        Network::Namespaces => {
            // What the host listens on cannot be dialled from here.
            let inside = SocketAddr::from(([127, 0, 0, 1], REST_PORT));
            let listener = tokio::net::TcpListener::bind(inside).await;
            forwards.spawn(forward(listener.context("could not open REST inside")?, bridges));
            inside
        }
    };
    let Started { file, folder, program, seed } = started;
    let mut federation = Federation::new(file, &folder, plan, namespaces, server)?;
    let running = async {
        federation.start_link(seed).await?;
        match program {
            Program::Nothing => answer(&folder, &mut federation).await,
            Program::Show => {
                let begun = Instant::now();
                say("starting three bridges and three clusters\n")?;
                federation.start().await?;
                say(&format!("ready after {:.1} s\n\n", begun.elapsed().as_secs_f64()))?;
                say(&page_to_open(outside, &federation).await?)?;
                say(&what_to_try(&folder, plan, outside, &federation)?)?;
                federation.begin_load(Site::East, "client", &url("productpage", "/"), GENTLE)?;
                answer(&folder, &mut federation).await
            }
            Program::Script => story::tell(&mut federation).await,
        }
    };
    let result = tokio::select! {
        result = running => result,
        () = ended.wait() => Ok(ExitCode::SUCCESS),
    };
    if !matches!(result, Ok(ExitCode::SUCCESS)) {
        keep_logs(&folder)?;
    }
    federation.supervisor.end().await;
    forwards.shutdown().await;
    result
}

/// A load that shows on a page and not on a battery.
const GENTLE: &[&str] = &["--rate", "5", "--parallel", "2"];

async fn answer(folder: &Path, federation: &mut Federation) -> anyhow::Result<ExitCode> {
    command::answer_all(command::listen(folder)?, &mut federation.supervisor).await?;
    Ok(ExitCode::SUCCESS)
}

struct Ended {
    interrupted: Signal,
    terminated: Signal,
}

impl Ended {
    fn new() -> anyhow::Result<Self> {
        Ok(Self {
            interrupted: signal(SignalKind::interrupt()).context("could not wait for SIGINT")?,
            terminated: signal(SignalKind::terminate()).context("could not wait for SIGTERM")?,
        })
    }

    async fn wait(&mut self) {
        tokio::select! {
            _ = self.interrupted.recv() => {}
            _ = self.terminated.recv() => {}
        }
    }
}

/// For whoever must find out why something failed, before the folder goes.
fn keep_logs(folder: &Path) -> anyhow::Result<()> {
    let kept = folder.with_extension("logs");
    let _ = std::fs::remove_dir_all(&kept);
    std::fs::rename(folder.join("logs"), &kept).context("could not keep the logs")?;
    say(&format!("the logs are kept in `{}`\n", kept.display()))
}

/// The page's address, with a code that signs in once. Plain HTTP on loopback, so that no browser
/// warns of a certificate.
async fn page_to_open(outside: SocketAddr, federation: &Federation) -> anyhow::Result<String> {
    let told = federation.verbs.must(&["ui", "--output", "json"]).await?;
    let code: SignInCode = serde_json::from_str(&told).context("no code to sign in with")?;
    let fragment = code.fragment;
    Ok(format!(
        "The page, signed in once by this link (`rialto ui` makes another):\n\n\
         http://{outside}/{fragment}\n\n"
    ))
}

fn what_to_try(
    folder: &Path,
    plan: Plan,
    outside: SocketAddr,
    federation: &Federation,
) -> anyhow::Result<String> {
    let policy = federation.files.write_resources("reviews-callers", &reviews_policy())?;
    let policy = policy.display();
    let token = federation.files.admin_token();
    let (token, file) = (token.display(), federation.verbs.file.display());
    let folder = folder.display();
    let calls = calls_to_try(plan);
    let link = match plan.network {
        Network::Namespaces => "rialto demo link east west --delay 50ms --loss 0.5%\n",
        Network::Loopback => "",
    };
    Ok(format!(
        "In another terminal:\n\n\
         alias rialto={file}\n\
         export RIALTO_SERVER=http://{outside} RIALTO_TOKEN_FILE={token} \
         RIALTO_DEMO_FOLDER={folder}\n\n\
         # call services of other clusters, as the free workload `{CONSOLE}`\n\
         {calls}\n\
         # what there is\n\
         rialto status\n\
         rialto top\n\
         rialto get services\n\
         rialto demo ps\n\n\
         # break things; bridge-1 leads at first\n\
         rialto demo kill west.gateway-1\n\
         rialto demo start west.gateway-1\n\
         rialto demo kill bridge-1\n\
         rialto demo start bridge-1\n\
         rialto demo kill east.details-1\n\
         rialto demo start east.details-1\n\
         {link}\n\
         # move traffic\n\
         rialto shift books/reviews reviews-v1=90 reviews-v3=10 --wait\n\
         rialto shift books/reviews reviews-v3=100 --wait\n\
         rialto drain west --wait\n\
         rialto undrain west --wait\n\n\
         # who may call whom\n\
         rialto apply -f {policy} --wait\n\
         rialto explain --from books/{CONSOLE}@east --to books/reviews\n\
         rialto explain --from books/productpage@east --to books/reviews\n\
         rialto history\n\n\
         Ctrl-C here ends everything.\n"
    ))
}

/// Calls by name, as the free workload or as another.
fn calls_to_try(plan: Plan) -> String {
    match plan.network {
        Network::Namespaces => format!(
            "rialto demo exec east -- dig +short {reviews}\n\
             rialto demo exec east -- dig +short SRV {ratings}\n\
             rialto demo exec east -- curl -s http://{reviews}:{BOOKSTORE_PORT}/\n\
             rialto demo exec vms -- curl -s http://{page}:{BOOKSTORE_PORT}/\n\
             rialto demo exec east --as productpage-1 -- sh\n",
            reviews = host_name("reviews"),
            ratings = host_name("ratings"),
            page = host_name("productpage"),
        ),
        Network::Loopback => {
            let resolver = plan.resolver(Site::East);
            let (address, port) = (resolver.ip(), resolver.port());
            let reviews = host_name("reviews");
            format!(
                "dig -p {port} @{address} +short {reviews}\n\
                 curl -s --interface {from} --connect-to \
                 {reviews}:{BOOKSTORE_PORT}:$(dig -p {port} @{address} +short {reviews}):\
                 {BOOKSTORE_PORT} http://{reviews}:{BOOKSTORE_PORT}/\n",
                from = plan.workload(Site::East, 9),
            )
        }
    }
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
