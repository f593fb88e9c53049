use std::os::unix::fs::PermissionsExt as _;

use super::*;
use crate::demo::FORKS;

/// Stands for this program: skips `demo enter ... -- PROGRAM` and runs the rest with the shell.
const PROGRAM: &str =
    "#!/bin/sh\nwhile [ \"$1\" != -- ]; do shift; done\nshift 2\nexec sh -c \"$1\"\n";

fn supervisor(folder: &Path) -> anyhow::Result<Supervisor> {
    let program = folder.join("program");
    fs::write(&program, PROGRAM)?;
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755))?;
    Supervisor::new(program, folder, None)
}

fn spec(name: &str, script: &str, ready: Ready) -> Spec {
    Spec::new(name, &Place::node(Site::East), &[script], ready)
}

fn ready_line() -> Ready {
    Ready::Line("ready".to_owned())
}

#[tokio::test]
async fn a_process_is_started_killed_and_started_again() -> anyhow::Result<()> {
    let _alone = FORKS.lock().await;
    let folder = tempfile::tempdir()?;
    let mut supervisor = supervisor(folder.path())?;
    supervisor.start(spec("one", "echo ready; exec sleep 60", ready_line())).await?;
    assert!(supervisor.is_running("one"));
    assert!(!supervisor.kill("one").await?.success());
    assert!(!supervisor.is_running("one"));
    assert!(supervisor.kill("one").await.is_err());
    supervisor.start_again("one").await?;
    assert_eq!(supervisor.log_of("one")?, "ready\n", "the log of this run alone");
    supervisor.end().await;
    assert!(!supervisor.is_running("one"));
    Ok(())
}

#[tokio::test]
async fn a_process_that_ends_before_it_is_ready_is_named_with_its_log() -> anyhow::Result<()> {
    let _alone = FORKS.lock().await;
    let folder = tempfile::tempdir()?;
    let mut supervisor = supervisor(folder.path())?;
    let started = supervisor.start(spec("one", "echo broken; exit 3", ready_line())).await;
    let text = started.err().map(|error| format!("{error:#}")).unwrap_or_default();
    assert!(text.contains("`one` ended") && text.contains("one.log"), "{text}");
    assert!(fs::read_to_string(supervisor.log_path("one"))?.contains("broken"));
    Ok(())
}

#[tokio::test]
async fn sigterm_lets_a_process_end_in_its_own_way() -> anyhow::Result<()> {
    let _alone = FORKS.lock().await;
    let folder = tempfile::tempdir()?;
    let mut supervisor = supervisor(folder.path())?;
    let script = "trap 'exit 7' TERM; echo ready; while :; do sleep 0.01; done";
    supervisor.start(spec("one", script, ready_line())).await?;
    assert_eq!(supervisor.stop("one").await?.code(), Some(7));
    Ok(())
}

#[tokio::test]
async fn an_unknown_name_is_answered_with_the_known_ones() -> anyhow::Result<()> {
    let _alone = FORKS.lock().await;
    let folder = tempfile::tempdir()?;
    let mut supervisor = supervisor(folder.path())?;
    supervisor.start(spec("one", "exec sleep 60", Ready::AtOnce)).await?;
    let text = supervisor.kill("two").await.err().map(|error| error.to_string());
    assert_eq!(text.as_deref(), Some("the demo has no process `two`; it has one"));
    Ok(())
}
