//! One member: node, log, snapshots, state machine and callers, driven by events without a clock.

use std::collections::BTreeMap;
use std::io;
use std::time::Instant;

use bytes::Bytes;
use raft::eraftpb::ConfState;
use rialto_types::limits::{
    RAFT_SNAPSHOT_INTERVAL_BYTES, RAFT_TRAILING_BYTES, RAFT_TRAILING_ENTRIES,
};
use tokio::sync::oneshot;

use super::disk::Disk;
use super::log::{self, Batch, Beginning, Log, Membership, Position, Recovered, SnapshotMark};
use super::node::{
    Change, Committed, CommittedKind, Config, Node, Outgoing, Output, ProposeError, StepError,
};
use super::requests::{Outcome, Reply, Requests};
use super::snapshot::{self, Snapshot};
use super::storage::{DurableState, SnapshotInfo};
use super::transport::{NoPeers, Peers};
use super::{
    Error, Event, MemberId, MemberStatus, MembershipError, Options, ReceivedSnapshot,
    SnapshotError, Start, StateMachine, Status,
};

/// Why a member must end its process: what is on disk, or in memory, cannot be trusted any more.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    #[error("the raft log failed")]
    Log(#[from] log::Error),
    #[error("a snapshot failed")]
    Snapshot(#[from] snapshot::Error),
    #[error("{0}")]
    DataLost(String),
    #[error("the state of a snapshot at entry {index} cannot be restored; start a newer version")]
    Restore { index: u64, source: Box<dyn std::error::Error + Send + Sync> },
    #[error("raft gave up: {0}")]
    Panic(String),
}

#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error("the raft log cannot be used")]
    Log(#[from] log::Error),
    #[error("the last snapshot cannot be used")]
    Snapshot(#[from] snapshot::Error),
    #[error(
        "the data folder belongs to member {found}, but this is member {expected}; point it at its \
         own folder"
    )]
    OtherMember { found: u64, expected: MemberId },
    #[error(
        "member {0} ran before, but its data folder is empty; its votes are lost with it, so join \
         again as a new member"
    )]
    DataLost(MemberId),
    #[error(
        "the data folder holds snapshots but no log; restore the log, or move the folder away and \
         join again as a new member"
    )]
    LogLost,
    #[error("the state of the last snapshot cannot be restored; start a newer version")]
    Restore { index: u64, source: Box<dyn std::error::Error + Send + Sync> },
    #[error("raft refused its settings")]
    Raft(#[source] Box<dyn std::error::Error + Send + Sync>),
    #[error("cannot start the raft thread")]
    Thread(#[source] io::Error),
}

pub(super) struct Member {
    id: MemberId,
    node: Node,
    log: Log,
    disk: Box<dyn Disk>,
    machine: Box<dyn StateMachine>,
    peers: Box<dyn Peers>,
    requests: Requests,
    applied: u64,
    snapshot_interval: u64,
    bytes_since_snapshot: usize,
    /// The file of a snapshot whose message raft is about to judge.
    arrived: Option<Arrived>,
    last_contact: BTreeMap<MemberId, Instant>,
}

struct Arrived {
    snapshot: Snapshot,
    file: Bytes,
}

/// The beginning of every federation, so that a new member always starts from a snapshot and one
/// that lost its data is told apart from it.
const FIRST: Position = Position { index: 1, term: 1 };

impl Member {
    pub(super) fn open(
        options: &Options,
        mut disk: Box<dyn Disk>,
        mut machine: Box<dyn StateMachine>,
    ) -> Result<Member, StartError> {
        let id = options.member;
        let sizes = options.log_sizes;
        let (log, recovered) = match Log::open(disk.as_mut(), sizes)? {
            Some(opened) => opened,
            None => begin(options, disk.as_mut(), machine.as_ref(), sizes)?,
        };
        if recovered.owner.member != id.get() {
            return Err(StartError::OtherMember { found: recovered.owner.member, expected: id });
        }
        if let Some((path, offset)) = &recovered.torn {
            tracing::warn!(path = %path.display(), offset, "cut a write that never ended");
        }
        let info = restore_snapshot(disk.as_mut(), machine.as_mut(), &recovered)?;
        let applied = info.position.index;
        let members = if recovered.membership.index < applied {
            Membership { index: applied, conf_state: info.conf_state.clone() }
        } else {
            recovered.membership.clone()
        };
        let config = Config {
            member: id,
            election_ticks_min: options.timing.election_ticks.start,
            election_ticks_max: options.timing.election_ticks.end,
            heartbeat_ticks: options.timing.heartbeat_ticks,
            applied,
        };
        let state = DurableState::new(recovered, info, members.conf_state.clone());
        let node =
            Node::new(&config, state, members).map_err(|error| StartError::Raft(error.into()))?;
        Ok(Member {
            id,
            node,
            requests: Requests::new(id, log.owner().boot),
            log,
            disk,
            machine,
            peers: Box::new(NoPeers),
            applied,
            snapshot_interval: options.snapshot_interval_entries,
            bytes_since_snapshot: 0,
            arrived: None,
            last_contact: BTreeMap::new(),
        })
    }

    pub(super) fn connect(&mut self, peers: Box<dyn Peers>) {
        self.peers = peers;
    }

    pub(super) fn tick(&mut self) -> Result<(), Failure> {
        self.node.tick();
        self.requests.tick();
        // Raft needs no durable commit index, but a member that starts alone shows what it knows.
        let hard_state = self.node.hard_state();
        if hard_state.commit > self.log.commit() {
            let batch = Batch { hard_state: Some(hard_state), ..Batch::default() };
            self.log.append(self.disk.as_mut(), batch)?;
        }
        Ok(())
    }

    pub(super) fn handle(&mut self, event: Event, now: Instant) -> Result<(), Failure> {
        match event {
            Event::Propose { command, reply } => self.propose(command, reply),
            Event::Read { reply } => self.requests.read(reply),
            Event::AddLearner { member, reply } => {
                self.change_members(&Change::AddLearner(member), reply);
            }
            Event::Promote { members, reply } => {
                self.change_members(&Change::Promote(&members), reply);
            }
            Event::Message { from, message } => {
                self.last_contact.insert(from, now);
                if let Err(error) = self.node.step(from, &message, None) {
                    return refuse(from, error);
                }
            }
            Event::Snapshot(received) => {
                self.last_contact.insert(received.from, now);
                return self.receive_snapshot(received);
            }
            Event::Unreachable { member } => self.node.report_unreachable(member),
            Event::SnapshotSent { member, delivered } => {
                self.node.report_snapshot(member, delivered);
            }
            Event::Stop => {}
        }
        Ok(())
    }

    /// Does all that raft wants done: the one place that handles its output.
    pub(super) fn settle(&mut self) -> Result<(), Failure> {
        if let Some(id) = self.requests.ask() {
            self.node.read(id);
        }
        let applied_before = self.applied;
        while let Some(mut output) = self.node.take_output() {
            let mut dropped = self.send(std::mem::take(&mut output.messages));
            for (id, index) in std::mem::take(&mut output.reads) {
                self.requests.confirmed(id, index);
            }
            self.persist(&output)?;
            let allowed = self.node.persisted(output);
            dropped.extend(self.send(allowed.messages));
            self.apply(allowed.committed)?;
            for member in dropped {
                self.node.report_unreachable(member);
            }
        }
        if self.applied > applied_before {
            self.machine.batch_applied(self.applied);
        }
        self.requests.answer_reads(self.applied);
        if self.snapshot_is_due() {
            self.take_snapshot()?;
        }
        Ok(())
    }

    pub(super) fn status(&self) -> Status {
        let ConfState { voters, learners, voters_outgoing, .. } = &self.node.members().conf_state;
        let mut members: Vec<MemberStatus> = voters
            .iter()
            .chain(voters_outgoing.iter().filter(|id| !voters.contains(id)))
            .map(|id| (id, true))
            .chain(learners.iter().map(|id| (id, false)))
            .filter_map(|(id, voter)| {
                let member = MemberId::new(*id)?;
                Some(MemberStatus {
                    member,
                    voter,
                    matched: self.node.matched(member),
                    last_contact: self.last_contact.get(&member).copied(),
                })
            })
            .collect();
        members.sort_by_key(|member| member.member);
        Status {
            member: self.id,
            role: self.node.role(),
            term: self.node.term(),
            leader: self.node.leader(),
            commit: self.node.commit(),
            applied: self.applied,
            snapshot: self.node.storage().snapshot_info().position.index,
            members,
        }
    }

    fn propose(&mut self, command: Bytes, reply: oneshot::Sender<Result<super::Applied, Error>>) {
        let id = self.requests.next_id();
        let reply = Reply::Command(reply);
        match self.node.propose(id, command) {
            Ok(index) => self.requests.proposed(index, id, reply),
            Err(ProposeError::NotLeader) => {
                reply.fail(Error::NotLeader { leader: self.node.leader() });
            }
            Err(_) => reply.fail(Error::Overloaded),
        }
    }

    fn change_members(
        &mut self,
        change: &Change<'_>,
        reply: oneshot::Sender<Result<u64, MembershipError>>,
    ) {
        let id = self.requests.next_id();
        let error = match self.node.propose_membership(id, change) {
            Ok(index) => return self.requests.proposed(index, id, Reply::Membership(reply)),
            Err(ProposeError::NotLeader) => Error::NotLeader { leader: self.node.leader() }.into(),
            Err(ProposeError::Overloaded) => Error::Overloaded.into(),
            Err(ProposeError::ChangePending) => MembershipError::ChangePending,
            Err(ProposeError::AlreadyMember(member)) => MembershipError::AlreadyMember(member),
            Err(ProposeError::NotLearner(member)) => MembershipError::NotLearner(member),
            Err(ProposeError::Behind { member, entries }) => {
                MembershipError::Behind { member, entries }
            }
        };
        // The caller may have given up.
        let _ = reply.send(Err(error));
    }

    fn receive_snapshot(&mut self, received: ReceivedSnapshot) -> Result<(), Failure> {
        let ReceivedSnapshot { from, message, file, reply } = received;
        let snapshot = match Snapshot::decode(&file) {
            Ok(snapshot) => snapshot,
            Err(snapshot::Damage { offset, what }) => {
                let _ = reply.send(Err(SnapshotError::Damaged { offset, what }));
                return Ok(());
            }
        };
        // Whatever else waits must not stand between the message and its file.
        self.settle()?;
        let position = snapshot.position;
        self.arrived = Some(Arrived { snapshot, file });
        let stepped = self.node.step(from, &message, Some(position));
        if let Err(error) = stepped {
            self.arrived = None;
            let _ = reply.send(Err(SnapshotError::Refused));
            return refuse(from, error);
        }
        self.settle()?;
        // raft ignores what is older than its own log.
        self.arrived = None;
        let _ = reply.send(Ok(()));
        Ok(())
    }

    /// Sends; returns the members to whom it could not.
    fn send(&self, messages: Vec<Outgoing>) -> Vec<MemberId> {
        let mut dropped = Vec::new();
        for Outgoing { to, message, snapshot } in messages {
            if let Some(position) = snapshot {
                let file = snapshot::file_path(self.disk.as_ref(), position);
                self.peers.send_snapshot(to, message, file);
            } else if self.peers.send(to, message).is_err() && !dropped.contains(&to) {
                dropped.push(to);
            }
        }
        dropped
    }

    fn persist(&mut self, output: &Output) -> Result<(), Failure> {
        let Some(hard_state) = output.hard_state.clone() else { return Ok(()) };
        let mut batch = Batch {
            entries: output.entries.clone(),
            hard_state: Some(hard_state),
            ..Batch::default()
        };
        let Some(info) = &output.snapshot else {
            return Ok(self.log.append(self.disk.as_mut(), batch)?);
        };
        let arrived = self.arrived.take().expect("a snapshot message is stepped with its file");
        let position = info.position;
        snapshot::save(self.disk.as_mut(), position, &arrived.file)?;
        batch.snapshot_mark = Some(SnapshotMark { snapshot: position, base: position });
        batch.membership =
            Some(Membership { index: position.index, conf_state: info.conf_state.clone() });
        self.log.append(self.disk.as_mut(), batch)?;
        self.log.compact(self.disk.as_mut())?;
        snapshot::remove_old(self.disk.as_mut(), position)?;
        self.machine
            .restore(position.index, &arrived.snapshot.state)
            .map_err(|source| Failure::Restore { index: position.index, source })?;
        self.applied = position.index;
        self.bytes_since_snapshot = 0;
        self.requests.replaced(position.index);
        tracing::info!(index = position.index, "restored a snapshot from the leader");
        Ok(())
    }

    fn apply(&mut self, committed: Vec<Committed>) -> Result<(), Failure> {
        let leader = self.node.leader();
        for Committed { index, id, what } in committed {
            let outcome = match what {
                CommittedKind::Nothing => Outcome::Applied(Bytes::new()),
                CommittedKind::Command(command) => {
                    self.bytes_since_snapshot += command.len();
                    Outcome::Applied(self.machine.apply(index, &command).into())
                }
                CommittedKind::Membership(change) => {
                    match self.node.apply_membership(index, &change) {
                        Some(membership) => {
                            let batch = Batch {
                                membership: Some(membership),
                                hard_state: Some(self.node.hard_state()),
                                ..Batch::default()
                            };
                            self.log.append(self.disk.as_mut(), batch)?;
                            Outcome::Applied(Bytes::new())
                        }
                        None => Outcome::Refused,
                    }
                }
            };
            self.applied = index;
            self.requests.applied(index, id, outcome, leader);
        }
        self.node.applied(self.applied);
        Ok(())
    }

    fn snapshot_is_due(&self) -> bool {
        let storage = self.node.storage();
        self.applied - storage.snapshot_info().position.index >= self.snapshot_interval
            || self.bytes_since_snapshot >= RAFT_SNAPSHOT_INTERVAL_BYTES
            || storage.snapshot_wanted()
    }

    fn take_snapshot(&mut self) -> Result<(), Failure> {
        let storage = self.node.storage();
        let info = storage.snapshot_info();
        let Some(position) = storage.position(self.applied) else { return Ok(()) };
        if position.index <= info.position.index {
            return Ok(());
        }
        let base = storage.base_before(self.applied, RAFT_TRAILING_ENTRIES, RAFT_TRAILING_BYTES);
        let conf_state = self.node.members().conf_state.clone();
        let snapshot = Snapshot { position, conf_state, state: self.machine.snapshot() };
        snapshot::save(self.disk.as_mut(), position, &snapshot.encode())?;
        let batch = Batch {
            snapshot_mark: Some(SnapshotMark { snapshot: position, base }),
            hard_state: Some(self.node.hard_state()),
            ..Batch::default()
        };
        self.log.append(self.disk.as_mut(), batch)?;
        self.log.compact(self.disk.as_mut())?;
        snapshot::remove_old(self.disk.as_mut(), position)?;
        self.bytes_since_snapshot = 0;
        let info = SnapshotInfo { position, conf_state: snapshot.conf_state };
        self.node.set_snapshot(info, base);
        tracing::debug!(index = position.index, "took a snapshot");
        Ok(())
    }
}

/// Begins an empty folder as `options.start` allows.
fn begin(
    options: &Options,
    disk: &mut dyn Disk,
    machine: &dyn StateMachine,
    sizes: log::Sizes,
) -> Result<(Log, Recovered), StartError> {
    // A crash in the middle of a bootstrap leaves the first snapshot alone.
    let leftover = snapshot::list(disk)?;
    if leftover.iter().any(|position| *position != FIRST) {
        return Err(StartError::LogLost);
    }
    let member = options.member;
    let beginning = match options.start {
        Start::Resume => return Err(StartError::DataLost(member)),
        Start::Join => Beginning::default(),
        Start::Bootstrap => {
            let mut conf_state = ConfState::default();
            conf_state.voters.push(member.get());
            let snapshot = Snapshot { position: FIRST, conf_state, state: machine.snapshot() };
            snapshot::save(disk, FIRST, &snapshot.encode())?;
            let mut beginning = Beginning {
                snapshot_mark: SnapshotMark { snapshot: FIRST, base: FIRST },
                membership: Membership { index: FIRST.index, conf_state: snapshot.conf_state },
                ..Beginning::default()
            };
            beginning.hard_state.term = FIRST.term;
            beginning.hard_state.commit = FIRST.index;
            beginning
        }
    };
    let recovered = Recovered {
        owner: log::Owner { member: member.get(), boot: 1 },
        snapshot_mark: beginning.snapshot_mark,
        membership: beginning.membership.clone(),
        hard_state: beginning.hard_state.clone(),
        ..Recovered::default()
    };
    let log = Log::create(disk, sizes, member.get(), beginning)?;
    Ok((log, recovered))
}

fn restore_snapshot(
    disk: &mut dyn Disk,
    machine: &mut dyn StateMachine,
    recovered: &Recovered,
) -> Result<SnapshotInfo, StartError> {
    let position = recovered.snapshot_mark.snapshot;
    if position.index == 0 {
        return Ok(SnapshotInfo::default());
    }
    let snapshot = snapshot::load(disk, position)?;
    snapshot::remove_old(disk, position)?;
    machine
        .restore(position.index, &snapshot.state)
        .map_err(|source| StartError::Restore { index: position.index, source })?;
    Ok(SnapshotInfo { position, conf_state: snapshot.conf_state })
}

/// A bad message is dropped; one that proves our own data lost ends this member.
fn refuse(from: MemberId, error: StepError) -> Result<(), Failure> {
    if let StepError::DataLost { .. } = error {
        return Err(Failure::DataLost(error.to_string()));
    }
    tracing::debug!(%from, %error, "dropped a raft message");
    Ok(())
}

impl std::fmt::Debug for Member {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Member")
            .field("id", &self.id)
            .field("applied", &self.applied)
            .field("node", &self.node)
            .finish_non_exhaustive()
    }
}
