//! Members in one process, over gRPC on Unix sockets: one per pair, so that the socket tells who
//! calls.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use rialto_types::limits::RAFT_PEER_QUEUE_MAX;
use rialto_wire::grpc::raft_client::RaftClient;
use rialto_wire::grpc::{RaftReply, RaftRequest};
use rialto_wire::transport::{bind_local, connect_local, serve_local};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tonic::service::Routes;

use super::super::disk::Folder;
use super::super::tests::cluster::{Words, id};
use super::super::{Applied, Error, MembershipError, Options, Raft, Start, Timing};
use super::client::{Dial, GrpcPeers};
use super::forward::Forward;
use super::server::Service;
use super::{NoPeers, Peers, Unreachable, convert};

const MEMBERS: [u64; 3] = [1, 2, 3];

#[tokio::test]
async fn three_members_over_grpc_survive_their_leader() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mut members = BTreeMap::new();
    for member in MEMBERS {
        let start = if member == 1 { Start::Bootstrap } else { Start::Join };
        members.insert(member, Running::start(folder.path(), member, start));
    }
    join(&members[&1], &[2, 3]).await;

    for member in MEMBERS {
        let word = format!("from-{member}");
        let applied = members[&member].forward.propose(Bytes::from(word.clone())).await;
        let Applied { index, result } = applied.expect("a majority");
        assert_eq!(result, format!("{word} at {index}"));
        // It is applied where it was asked for.
        assert!(members[&member].words.get().contains(&word));
    }
    let read = members[&3].raft.read_index().await.expect("a leader");
    members[&2].raft.wait_applied(read).await.expect("a running member");
    assert_eq!(members[&2].words.get(), members[&3].words.get());

    members.remove(&1).expect("member 1").stop().await;
    let applied = members[&2].forward.propose(Bytes::from("after")).await.expect("a majority");
    members[&3].raft.wait_applied(applied.index).await.expect("a running member");
    assert_eq!(members[&3].words.get().last().map(String::as_str), Some("after"));
    for (_, member) in members {
        member.stop().await;
    }
}

#[tokio::test]
async fn only_members_may_call() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let member = Running::start(folder.path(), 1, Start::Bootstrap);
    let mut stranger = RaftClient::new(connect_local(socket(folder.path(), 0, 1)));
    let refused = stranger.forward(RaftRequest::default()).await.expect_err("a stranger");
    assert_eq!(refused.code(), tonic::Code::PermissionDenied);
    let mut peer = RaftClient::new(connect_local(socket(folder.path(), 2, 1)));
    let refused = peer.forward(RaftRequest::default()).await.expect_err("an empty request");
    assert_eq!(refused.code(), tonic::Code::InvalidArgument);
    member.stop().await;
}

#[tokio::test]
async fn a_full_queue_drops_and_says_so() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mut options = Options::new(id(1), Start::Bootstrap);
    options.timing = Timing { tick: Duration::from_millis(20), ..Timing::default() };
    let disk = Box::new(Folder::open(folder.path()).expect("a folder of our own"));
    let on_failure = |failure| panic!("{failure}");
    let raft = Raft::start(disk, options, Words::default(), |_| NoPeers, on_failure)
        .expect("an empty folder");
    let peers = GrpcPeers::new(raft.clone(), Arc::new(|_| None));
    // The peer's task has not had its turn yet.
    for _ in 0..RAFT_PEER_QUEUE_MAX {
        assert_eq!(peers.send(id(2), Bytes::from("message")), Ok(()));
    }
    assert_eq!(peers.send(id(2), Bytes::from("message")), Err(Unreachable(id(2))));
    assert_eq!(peers.send(id(3), Bytes::from("message")), Ok(()));
    raft.stop().await;
}

#[test]
fn every_refusal_survives_the_wire() {
    let errors = [
        MembershipError::Request(Error::NotLeader { leader: Some(id(3)) }),
        MembershipError::Request(Error::NotLeader { leader: None }),
        MembershipError::Request(Error::Timeout),
        MembershipError::Request(Error::Overloaded),
        MembershipError::Request(Error::Shutdown),
        MembershipError::ChangePending,
        MembershipError::AlreadyMember(id(2)),
        MembershipError::NotLearner(id(2)),
        MembershipError::Behind { member: id(2), entries: 7 },
        MembershipError::Refused,
    ];
    for error in errors {
        let reply = convert::members_reply(Err(error.clone()));
        assert_eq!(convert::read_members(reply), Err(error));
    }
    let nothing = convert::read_members(RaftReply::default());
    assert_eq!(nothing, Err(MembershipError::Request(Error::Timeout)));
}

struct Running {
    raft: Raft,
    forward: Forward,
    words: Words,
    shutdown: CancellationToken,
    servers: TaskTracker,
}

impl Running {
    fn start(folder: &Path, member: u64, start: Start) -> Running {
        let disk = Folder::open(&folder.join(format!("member-{member}")));
        let disk = Box::new(disk.expect("a folder of our own"));
        let mut options = Options::new(id(member), start);
        options.timing = Timing {
            tick: Duration::from_millis(20),
            // A busy machine must not fail the test.
            request_timeout: Duration::from_secs(60),
            ..Timing::default()
        };
        let sockets = folder.to_owned();
        let dial: Dial =
            Arc::new(move |to| Some(connect_local(socket(&sockets, member, to.get()))));
        let words = Words::default();
        let peers = |raft: &Raft| GrpcPeers::new(raft.clone(), dial.clone());
        let raft = Raft::start(disk, options, words.clone(), peers, |failure| panic!("{failure}"))
            .expect("an empty folder");
        let shutdown = CancellationToken::new();
        let servers = TaskTracker::new();
        // Caller 0 is a stranger.
        for caller in (0..=3).filter(|caller| *caller != member) {
            let listener = bind_local(&socket(folder, caller, member)).expect("a path of our own");
            let identify =
                Arc::new(move |_: &tonic::Extensions| super::super::MemberId::new(caller));
            let routes = Routes::new(Service::server(raft.clone(), identify));
            servers.spawn(serve_local(listener, routes, shutdown.clone()));
        }
        let forward = Forward::new(raft.clone(), dial);
        Running { raft, forward, words, shutdown, servers }
    }

    async fn stop(self) {
        self.raft.stop().await;
        self.shutdown.cancel();
        self.servers.close();
        self.servers.wait().await;
    }
}

async fn join(first: &Running, learners: &[u64]) {
    for learner in learners {
        first.forward.add_learner(id(*learner)).await.expect("a new member");
    }
    let ids: Vec<_> = learners.iter().map(|learner| id(*learner)).collect();
    let mut status = first.raft.status();
    loop {
        match first.forward.promote(ids.clone()).await {
            Ok(_) => return,
            Err(MembershipError::Behind { .. } | MembershipError::ChangePending) => {
                status.changed().await.expect("a running member");
            }
            Err(error) => panic!("{error}"),
        }
    }
}

fn socket(folder: &Path, from: u64, to: u64) -> PathBuf {
    folder.join(format!("{from}-{to}.sock"))
}
