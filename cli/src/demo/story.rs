//! `rialto demo --script`: the story of a federation, unattended, each step with its figure.
//!
//! Every figure is counted by a client that knows nothing of Rialto's insides: the load of `load`,
//! `dig`, or a verb's answer.

use std::io::Write as _;
use std::process::ExitCode;

use anyhow::{Context as _, anyhow};
use tokio::time::{Instant, timeout};

use super::federation::Federation;
use super::limits::STEP_TIMEOUT;

mod control;
mod policy;
mod traffic;

/// Counts the steps and prints each as it ends.
struct Book {
    told: u32,
    failed: u32,
}

/// Tells the whole story; the exit code is that of a failed step, if there is one.
pub(crate) async fn tell(federation: &mut Federation) -> anyhow::Result<ExitCode> {
    let begun = Instant::now();
    let mut book = Book { told: 0, failed: 0 };
    let started = timeout(STEP_TIMEOUT, federation.start()).await;
    let started = started.unwrap_or_else(|_| Err(anyhow!("not ready in time")));
    book.write("the federation starts", begun, started.map(|()| "ready".to_owned()))?;
    if book.failed == 0 {
        tell_steps(federation, &mut book).await?;
    }
    let Book { told, failed } = book;
    let seconds = begun.elapsed().as_secs_f64();
    print(&format!("\n{} of {told} steps ok in {seconds:.0} s\n", told - failed))?;
    Ok(if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

async fn tell_steps(federation: &mut Federation, book: &mut Book) -> anyhow::Result<()> {
    /// A step that fails leaves the federation to the next one all the same.
    macro_rules! step {
        ($name:literal, $step:path) => {
            let begun = Instant::now();
            let ended = timeout(STEP_TIMEOUT, $step(federation)).await;
            let ended = ended.unwrap_or_else(|_| Err(anyhow!("no end within {STEP_TIMEOUT:?}")));
            book.write($name, begun, ended)?;
        };
    }
    step!("three members, three clusters, one use per token", control::joined);
    step!("names of other clusters are answered", traffic::names);
    step!("1,000 requests, 256 MiB, 1,000 connections across clusters", traffic::across);
    step!("the last endpoint of details in east dies", traffic::last_endpoint);
    step!("a gateway of west is killed", traffic::gateway_killed);
    step!("the leader is killed, then all members", control::members_killed);
    step!("all bridges stopped", control::without_bridges);
    step!("reviews shifts from v1 to v3", policy::shift);
    step!("productpage may call reviews, a stranger may not", policy::access);
    step!("west is drained and comes back", policy::drain);
    step!("history and revert", policy::revert);
    Ok(())
}

impl Book {
    fn write(
        &mut self,
        name: &str,
        begun: Instant,
        ended: anyhow::Result<String>,
    ) -> anyhow::Result<()> {
        self.told += 1;
        let seconds = begun.elapsed().as_secs_f64();
        match ended {
            Ok(figure) => print(&format!("ok      {seconds:5.1} s  {name}: {figure}\n")),
            Err(error) => {
                self.failed += 1;
                print(&format!("FAILED  {seconds:5.1} s  {name}: {error:#}\n"))
            }
        }
    }
}

fn print(text: &str) -> anyhow::Result<()> {
    write!(std::io::stdout(), "{text}").context("could not print")
}
