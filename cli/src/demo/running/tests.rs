use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use super::*;
use crate::demo::FORKS;

#[test]
fn a_folder_has_one_demo_at_a_time_and_starts_empty() -> anyhow::Result<()> {
    let _alone = FORKS.blocking_lock();
    let parent = tempfile::tempdir()?;
    let folder = parent.path().join("demo");
    let held = take(&folder)?;
    fs::write(folder.join("old"), "")?;
    assert!(take(&folder).is_err());
    drop(held);
    let _held = take(&folder)?;
    assert!(!folder.join("old").exists());
    Ok(())
}

#[test]
fn a_demo_is_found_while_it_holds_the_lock_and_not_after() -> anyhow::Result<()> {
    let _alone = FORKS.blocking_lock();
    let parent = tempfile::tempdir()?;
    let folder = parent.path().join("demo");
    assert!(Running::find(&folder).is_err());
    let held = take(&folder)?;
    assert!(Running::find(&folder).is_err(), "it has not said where it is");
    Running { process: 7, network: Network::Loopback, user: None }.publish(&folder)?;
    assert_eq!(Running::find(&folder)?.process, 7);
    drop(held);
    assert!(Running::find(&folder).is_err());
    Ok(())
}

#[test]
fn who_asks_for_a_demo_never_stands_in_the_way_of_its_start() -> anyhow::Result<()> {
    let _alone = FORKS.blocking_lock();
    let parent = tempfile::tempdir()?;
    let folder = parent.path().join("demo");
    drop(take(&folder)?);
    let ended = AtomicBool::new(false);
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while !ended.load(Ordering::Relaxed) {
                    let _ = Running::find(&folder);
                }
            });
        }
        let taken = (0..10_000).try_for_each(|_| take(&folder).map(drop));
        ended.store(true, Ordering::Relaxed);
        taken
    })
}
