//! The networks of the demo, with real namespaces.

use std::io::Write as _;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::sync::{Mutex, MutexGuard};
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use serde_json::Value;

pub(crate) const PROGRAM: &str = env!("CARGO_BIN_EXE_rialto");
const SERVER: &str = "10.88.2.11:9081";

/// How often it is looked whether what a test waits for has come: who waits leaves the processor to
/// it.
const LOOK: Duration = Duration::from_millis(50);
/// Nothing that a test waits for takes so long on a machine that works at all.
const PATIENCE: Duration = Duration::from_secs(180);

/// One demo at a time, for as long as this lives: each has some 25 processes.
pub(crate) fn alone() -> MutexGuard<'static, ()> {
    static DEMO: Mutex<()> = Mutex::new(());
    // A test that failed with it says so itself.
    DEMO.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

#[test]
fn a_server_is_reached_across_the_link_and_nothing_is_left() -> anyhow::Result<()> {
    if !namespaces_are_to_be_had()? {
        return Ok(());
    }
    let _alone = alone();
    let parent = tempfile::tempdir()?;
    let folder = parent.path().join("demo");
    let mut outermost = Ended(demo(&folder, &["networks", "--rest", "127.0.0.1:0"]).spawn()?);
    wait_until("the links answer", || Ok(demo_output(&folder, &["link"])?.status.success()))?;

    let mut serving =
        demo(&folder, &["exec", "west", "--as", "node", "--", PROGRAM, "demo", "app"]);
    serving.args(["details", "--listen", SERVER, "--cluster", "west", "--instance", "test"]);
    let _server = Ended(serving.spawn()?);
    let url = format!("http://{SERVER}/");
    wait_until("the server answers", || Ok(load(&folder, "node", &url, 1)?["good"] == 1))?;

    let near = load(&folder, "node", &url, 5)?;
    ensure!(near["good"] == 5, "{near}");
    ensure!(near["latency"]["p50_ms"].as_f64() >= Some(20.0), "two ways of 10 ms each: {near}");

    let changed = demo_output(&folder, &["link", "east", "west", "--delay", "40ms"])?;
    ensure!(changed.status.success(), "{changed:?}");
    let far = load(&folder, "node", &url, 5)?;
    ensure!(far["latency"]["p50_ms"].as_f64() >= Some(80.0), "two ways of 40 ms each: {far}");

    let from_workload = load(&folder, "console", &url, 1)?;
    ensure!(
        from_workload["good"] == 0,
        "a workload has no way to another cluster: {from_workload}"
    );

    // Not even the death of the outermost process leaves anything behind.
    outermost.0.kill()?;
    outermost.0.wait()?;
    wait_until("the folder is gone", || Ok(!folder.exists()))
}

/// The whole federation, in the networks that this machine allows.
#[test]
fn the_story_is_told_to_its_end() -> anyhow::Result<()> {
    let _alone = alone();
    let parent = tempfile::tempdir()?;
    let folder = parent.path().join("demo");
    let output = demo(&folder, &[]).args(["--script", "--rest", "127.0.0.1:0"]).output()?;
    let told = String::from_utf8_lossy(&output.stdout);
    ensure!(output.status.success(), "{told}{}", String::from_utf8_lossy(&output.stderr));
    ensure!(!folder.exists(), "the folder was left");
    Ok(())
}

#[test]
fn the_exit_code_of_a_program_is_passed_on() -> anyhow::Result<()> {
    let _alone = alone();
    let parent = tempfile::tempdir()?;
    let folder = parent.path().join("demo");
    let _demo = Ended(
        demo(&folder, &["networks", "--network", "loopback", "--rest", "127.0.0.1:0"]).spawn()?,
    );
    let exit = |script: &str| -> anyhow::Result<Option<i32>> {
        let output = demo_output(&folder, &["exec", "east", "--", "sh", "-c", script])?;
        Ok(output.status.code())
    };
    wait_until("the demo runs", || Ok(exit("exit 0")? == Some(0)))?;
    ensure!(exit("exit 7")? == Some(7));
    ensure!(exit("kill -9 $$")? == Some(128 + 9));
    Ok(())
}

/// Says why not, if not.
fn namespaces_are_to_be_had() -> anyhow::Result<bool> {
    let needed = need_namespaces();
    if let Err(reason) = &needed {
        writeln!(std::io::stderr(), "skipped: {reason}")?;
    }
    Ok(needed.is_ok())
}

/// The refusal has the reason and the way out.
pub(crate) fn need_namespaces() -> anyhow::Result<()> {
    let probed = Command::new(PROGRAM).args(["demo", "probe"]).output()?;
    let reason = String::from_utf8_lossy(&probed.stderr);
    ensure!(probed.status.success(), "this machine forbids namespaces: {reason}");
    Ok(())
}

pub(crate) fn demo(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(PROGRAM);
    command.arg("demo").args(arguments.iter().take(1)).arg("--folder").arg(folder);
    command.args(arguments.iter().skip(1)).stdin(Stdio::null());
    command
}

pub(crate) fn demo_output(folder: &Path, arguments: &[&str]) -> anyhow::Result<Output> {
    demo(folder, arguments).output().context("could not run the program")
}

/// The report of a load from a place of east.
fn load(folder: &Path, place: &str, url: &str, count: u32) -> anyhow::Result<Value> {
    let count = count.to_string();
    let command = ["exec", "east", "--as", place, "--", PROGRAM, "demo", "load", url];
    let output = demo(folder, &command).args(["--count", &count]).output()?;
    serde_json::from_slice(&output.stdout).with_context(|| format!("no report: {output:?}"))
}

pub(crate) fn wait_until(
    what: &str,
    mut holds: impl FnMut() -> anyhow::Result<bool>,
) -> anyhow::Result<()> {
    let begun = Instant::now();
    while !holds()? {
        ensure!(begun.elapsed() < PATIENCE, "waited in vain: {what}");
        std::thread::park_timeout(LOOK);
    }
    Ok(())
}

/// A child that does not outlive the test.
pub(crate) struct Ended(pub(crate) Child);

impl Drop for Ended {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
