//! The handle and its thread, with one member on a real folder.

use std::path::Path;
use std::time::Duration;

use bytes::Bytes;
use rialto_types::limits::RAFT_COMMAND_BYTES_MAX;

use super::super::disk::Folder;
use super::super::disk::memory::MemoryDisk;
use super::super::transport::NoPeers;
use super::super::{Error, Failure, Options, Raft, Role, Start, Timing};
use super::cluster::{Words, id};

#[tokio::test]
async fn a_member_answers_stops_and_starts_again() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let raft = start(folder.path(), Start::Bootstrap);
    let proposals = (0..100).map(|number| raft.propose(Bytes::from(format!("w{number}"))));
    for answer in futures::future::join_all(proposals).await {
        answer.expect("a leader");
    }
    let read = raft.read_index().await.expect("a leader");
    assert!(read >= 100);
    assert_eq!(raft.status().borrow().role, Role::Leader);
    raft.stop().await;
    assert_eq!(raft.propose(Bytes::from("late")).await, Err(Error::Shutdown));

    let again = start(folder.path(), Start::Resume);
    let applied = again.propose(Bytes::from("more")).await.expect("a leader");
    assert!(applied.index > read);
    again.stop().await;
}

#[tokio::test]
async fn a_command_too_large_is_refused_by_size() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let raft = start(folder.path(), Start::Bootstrap);
    let largest = raft.propose(Bytes::from(vec![b'x'; RAFT_COMMAND_BYTES_MAX])).await;
    largest.expect("a command of the largest size");
    let size = RAFT_COMMAND_BYTES_MAX + 1;
    let refused = raft.propose(Bytes::from(vec![b'x'; size])).await;
    assert_eq!(refused, Err(Error::TooLarge { size, max: RAFT_COMMAND_BYTES_MAX }));
    raft.stop().await;
}

#[tokio::test]
async fn a_failed_flush_is_reported_once_and_nothing_is_answered() {
    let disk = MemoryDisk::default();
    let (failed, failure) = tokio::sync::oneshot::channel();
    let options = options(Start::Bootstrap);
    let on_failure = |failure| {
        // The test may be over.
        let _ = failed.send(failure);
    };
    let raft =
        Raft::start(Box::new(disk.clone()), options, Words::default(), |_| NoPeers, on_failure)
            .expect("an empty disk");
    raft.propose(Bytes::from("one")).await.expect("a leader");
    disk.fail_syncs();
    assert_eq!(raft.propose(Bytes::from("two")).await, Err(Error::Timeout));
    assert!(matches!(failure.await.expect("a report"), Failure::Log(_)));
}

fn start(folder: &Path, start: Start) -> Raft {
    let on_failure = |failure| panic!("{failure}");
    let disk = Box::new(Folder::open(folder).expect("a folder of our own"));
    Raft::start(disk, options(start), Words::default(), |_| NoPeers, on_failure)
        .expect("a good log, or none")
}

fn options(start: Start) -> Options {
    let mut options = Options::new(id(1), start);
    options.timing = Timing { tick: Duration::from_millis(5), ..Timing::default() };
    options
}
