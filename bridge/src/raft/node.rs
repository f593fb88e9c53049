//! raft's `RawNode` without IO and clock: messages and ticks in, one `Output` at a time out.
//!
//! ```text
//! step, tick, propose, read --> [ Node ] --> take_output --> flush it --> persisted --> apply --> applied
//! ```
//!
//! The only file that calls `RawNode`. What raft answers with a panic is checked before it is
//! asked.

use bytes::Bytes;
use protobuf::Message as _;
use raft::eraftpb::{
    ConfChangeSingle, ConfChangeTransition, ConfChangeType, ConfChangeV2, ConfState, Entry,
    EntryType, HardState, Message, MessageType,
};
use raft::{RawNode, ReadOnlyOption, Ready, SnapshotStatus, StateRole, Storage};
use rialto_types::limits::{
    RAFT_APPEND_BYTES_MAX, RAFT_COMMITTED_BYTES_MAX, RAFT_INFLIGHT_APPENDS_MAX,
    RAFT_PROMOTE_LAG_MAX, RAFT_UNCOMMITTED_BYTES_MAX,
};

use super::log::{Membership, Position};
use super::logger::logger;
use super::storage::{DurableState, SnapshotInfo};
use super::{MemberId, Role};

#[derive(Debug, Clone)]
pub(super) struct Config {
    pub(super) member: MemberId,
    /// Equal bounds plus one make the timeout certain, for tests.
    pub(super) election_ticks_min: usize,
    pub(super) election_ticks_max: usize,
    pub(super) heartbeat_ticks: usize,
    /// The state machine starts from here.
    pub(super) applied: u64,
}

/// Unique over all members and restarts: `boot` grows with each opening of the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct RequestId {
    pub(super) member: u64,
    pub(super) boot: u64,
    pub(super) counter: u64,
}

#[derive(Debug)]
pub(super) struct Outgoing {
    pub(super) to: MemberId,
    pub(super) message: Bytes,
    /// The file that must arrive before the message.
    pub(super) snapshot: Option<Position>,
}

/// What to send at once, and what to make durable before calling `persisted`.
#[derive(Debug)]
pub(super) struct Output {
    pub(super) messages: Vec<Outgoing>,
    pub(super) reads: Vec<(RequestId, u64)>,
    pub(super) snapshot: Option<SnapshotInfo>,
    pub(super) entries: Vec<Entry>,
    /// Present whenever anything must be flushed.
    pub(super) hard_state: Option<HardState>,
}

/// What became allowed by the flush.
#[derive(Debug)]
pub(super) struct Allowed {
    pub(super) messages: Vec<Outgoing>,
    pub(super) committed: Vec<Committed>,
}

#[derive(Debug)]
pub(super) struct Committed {
    pub(super) index: u64,
    pub(super) id: Option<RequestId>,
    pub(super) what: CommittedKind,
}

#[derive(Debug)]
pub(super) enum CommittedKind {
    /// A new leader's first entry.
    Nothing,
    Command(Bytes),
    Membership(ConfChangeV2),
}

#[derive(Debug, PartialEq, Eq)]
pub(super) enum Change<'a> {
    AddLearner(MemberId),
    Promote(&'a [MemberId]),
}

#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum StepError {
    #[error("the message cannot be read")]
    Unreadable,
    #[error("the message states sender {stated} but came from member {from}")]
    Sender { stated: u64, from: MemberId },
    #[error("the message is for member {to}, not for member {member}; check the peer's addresses")]
    Receiver { to: u64, member: MemberId },
    #[error("peers must not send this kind of message")]
    Kind,
    #[error("a member without any data does not vote")]
    Blank,
    #[error("member {0} is not a member here")]
    Unknown(MemberId),
    /// Not the message's fault: this member must stop.
    #[error(
        "the other members know that member {member} had data up to entry {known}, but its folder \
         has {last}; its data was lost, so remove the folder and join again as a new member"
    )]
    DataLost { member: MemberId, known: u64, last: u64 },
}

#[derive(Debug, PartialEq, Eq)]
pub(super) enum ProposeError {
    NotLeader,
    /// Too much is uncommitted, or leadership is moving.
    Overloaded,
    ChangePending,
    AlreadyMember(MemberId),
    NotLearner(MemberId),
    Behind {
        member: MemberId,
        entries: u64,
    },
}

pub(super) struct Node {
    raw: RawNode<DurableState>,
    member: MemberId,
    members: Membership,
    ready: Option<Ready>,
}

impl Node {
    pub(super) fn new(
        config: &Config,
        state: DurableState,
        members: Membership,
    ) -> raft::Result<Node> {
        let raft_config = raft::Config {
            id: config.member.get(),
            election_tick: config.election_ticks_min,
            min_election_tick: config.election_ticks_min,
            max_election_tick: config.election_ticks_max,
            heartbeat_tick: config.heartbeat_ticks,
            applied: config.applied,
            max_size_per_msg: RAFT_APPEND_BYTES_MAX,
            max_inflight_msgs: RAFT_INFLIGHT_APPENDS_MAX,
            max_uncommitted_size: RAFT_UNCOMMITTED_BYTES_MAX,
            max_committed_size_per_ready: RAFT_COMMITTED_BYTES_MAX,
            check_quorum: true,
            pre_vote: true,
            // A lease would trust clocks.
            read_only_option: ReadOnlyOption::Safe,
            ..raft::Config::default()
        };
        let mut raw = RawNode::new(&raft_config, state, &logger())?;
        // Nobody else can win, so there is nothing to wait for.
        let alone = members.conf_state.voters == [config.member.get()]
            && members.conf_state.voters_outgoing.is_empty();
        if alone {
            raw.campaign()?;
        }
        Ok(Node { raw, member: config.member, members, ready: None })
    }

    pub(super) fn tick(&mut self) {
        self.raw.tick();
        // raft 0.7 leaves a joint membership by itself only if the leader that entered it stays.
        let joint = !self.members.conf_state.voters_outgoing.is_empty();
        if joint && self.is_leader() && !self.raw.raft.has_pending_conf() {
            // Refused only when leadership is moving; the next tick asks again.
            let _ = self.raw.propose_conf_change(Vec::new(), ConfChangeV2::default());
        }
    }

    /// `has_snapshot` says that the file which this message announces has arrived.
    pub(super) fn step(
        &mut self,
        from: MemberId,
        message: &[u8],
        has_snapshot: Option<Position>,
    ) -> Result<(), StepError> {
        let message = Message::parse_from_bytes(message).map_err(|_| StepError::Unreadable)?;
        self.check(from, &message, has_snapshot)?;
        self.raw.step(message).map_err(|_| StepError::Unknown(from))
    }

    /// The index that the command will have if it is ever committed under this leader.
    pub(super) fn propose(&mut self, id: RequestId, command: Bytes) -> Result<u64, ProposeError> {
        if !self.is_leader() {
            return Err(ProposeError::NotLeader);
        }
        self.raw.propose(id.to_bytes(), command.into()).map_err(|_| ProposeError::Overloaded)?;
        Ok(self.raw.raft.raft_log.last_index())
    }

    pub(super) fn propose_membership(
        &mut self,
        id: RequestId,
        change: &Change<'_>,
    ) -> Result<u64, ProposeError> {
        if !self.is_leader() {
            return Err(ProposeError::NotLeader);
        }
        // raft would replace the proposal by an empty entry and say nothing.
        if self.raw.raft.has_pending_conf() || !self.members.conf_state.voters_outgoing.is_empty() {
            return Err(ProposeError::ChangePending);
        }
        let mut proposal = ConfChangeV2::default();
        proposal.set_transition(ConfChangeTransition::Implicit);
        match change {
            Change::AddLearner(member) => {
                if is_member(&self.members.conf_state, *member) {
                    return Err(ProposeError::AlreadyMember(*member));
                }
                // A learner changes no quorum, so no joint step is needed.
                proposal.set_transition(ConfChangeTransition::Auto);
                proposal.mut_changes().push(single(*member, ConfChangeType::AddLearnerNode));
            }
            Change::Promote(members) => {
                for member in *members {
                    self.check_promotable(*member)?;
                    proposal.mut_changes().push(single(*member, ConfChangeType::AddNode));
                }
            }
        }
        self.raw
            .propose_conf_change(id.to_bytes(), proposal)
            .map_err(|_| ProposeError::Overloaded)?;
        Ok(self.raw.raft.raft_log.last_index())
    }

    /// The answer comes as a read of an `Output`, or never: the caller asks again.
    pub(super) fn read(&mut self, id: RequestId) {
        self.raw.read_index(id.to_bytes());
    }

    pub(super) fn report_unreachable(&mut self, member: MemberId) {
        self.raw.report_unreachable(member.get());
    }

    pub(super) fn report_snapshot(&mut self, member: MemberId, delivered: bool) {
        let status = if delivered { SnapshotStatus::Finish } else { SnapshotStatus::Failure };
        self.raw.report_snapshot(member.get(), status);
    }

    /// `None` when nothing is to be done. No other call may come before `persisted`.
    pub(super) fn take_output(&mut self) -> Option<Output> {
        if self.ready.is_some() || !self.raw.has_ready() {
            return None;
        }
        let mut ready = self.raw.ready();
        let messages = outgoing(ready.take_messages());
        let reads = ready
            .take_read_states()
            .into_iter()
            .filter_map(|read| Some((RequestId::from_bytes(&read.request_ctx)?, read.index)))
            .collect();
        let snapshot = (!ready.snapshot().is_empty()).then(|| {
            let metadata = ready.snapshot().get_metadata();
            SnapshotInfo {
                position: Position { index: metadata.index, term: metadata.term },
                conf_state: metadata.get_conf_state().clone(),
            }
        });
        // A commit index alone is learned again after a restart; it goes along with the next flush.
        let hard_state = ready.must_sync().then(|| self.raw.raft.hard_state());
        let entries = ready.take_entries();
        self.ready = Some(ready);
        Some(Output { messages, reads, snapshot, entries, hard_state })
    }

    /// The last `Output` is durable.
    pub(super) fn persisted(&mut self, output: Output) -> Allowed {
        let mut ready = self.ready.take().expect("an output is persisted once");
        if let Some(snapshot) = output.snapshot {
            self.members = Membership {
                index: snapshot.position.index,
                conf_state: snapshot.conf_state.clone(),
            };
            self.raw.mut_store().install(snapshot);
        }
        self.raw.mut_store().append(output.entries);
        let mut messages = ready.take_persisted_messages();
        let mut committed = ready.take_committed_entries();
        let mut light = self.raw.advance_append(ready);
        messages.extend(light.take_messages());
        committed.extend(light.take_committed_entries());
        Allowed {
            messages: outgoing(messages),
            committed: committed.into_iter().map(committed_entry).collect(),
        }
    }

    /// The new members, to be made durable with `index` before anything else is done; `None` when
    /// they were restored from a later index or the change did not fit.
    pub(super) fn apply_membership(
        &mut self,
        index: u64,
        change: &ConfChangeV2,
    ) -> Option<Membership> {
        if index <= self.members.index {
            return None;
        }
        match self.raw.apply_conf_change(change) {
            Ok(conf_state) => {
                self.members = Membership { index, conf_state };
                Some(self.members.clone())
            }
            // All members refuse it alike: it is judged by the members before it.
            Err(error) => {
                tracing::warn!(index, %error, "membership change refused");
                None
            }
        }
    }

    pub(super) fn applied(&mut self, index: u64) {
        self.raw.advance_apply_to(index);
    }

    /// Our own snapshot is durable and the log below `base` is not needed any more.
    pub(super) fn set_snapshot(&mut self, snapshot: SnapshotInfo, base: Position) {
        self.raw.mut_store().set_snapshot(snapshot, base);
    }

    pub(super) fn storage(&self) -> &DurableState {
        self.raw.store()
    }

    pub(super) fn members(&self) -> &Membership {
        &self.members
    }

    /// With a commit index that the durable log covers.
    pub(super) fn hard_state(&self) -> HardState {
        let mut hard_state = self.raw.raft.hard_state();
        hard_state.commit = hard_state.commit.min(self.raw.store().last().index);
        hard_state
    }

    pub(super) fn is_leader(&self) -> bool {
        self.raw.raft.state == StateRole::Leader
    }

    pub(super) fn leader(&self) -> Option<MemberId> {
        MemberId::new(self.raw.raft.leader_id)
    }

    pub(super) fn term(&self) -> u64 {
        self.raw.raft.term
    }

    pub(super) fn commit(&self) -> u64 {
        self.raw.raft.raft_log.committed
    }

    pub(super) fn role(&self) -> Role {
        match self.raw.raft.state {
            StateRole::Leader => Role::Leader,
            StateRole::Candidate | StateRole::PreCandidate => Role::Candidate,
            StateRole::Follower if self.raw.raft.promotable() => Role::Follower,
            StateRole::Follower => Role::Learner,
        }
    }

    /// What the leader knows to be durable at `member`.
    pub(super) fn matched(&self, member: MemberId) -> Option<u64> {
        if !self.is_leader() {
            return None;
        }
        self.raw.raft.prs().get(member.get()).map(|progress| progress.matched)
    }

    fn is_blank(&self) -> bool {
        self.members.conf_state.voters.is_empty()
    }

    fn check(
        &self,
        from: MemberId,
        message: &Message,
        has_snapshot: Option<Position>,
    ) -> Result<(), StepError> {
        if message.from != from.get() {
            return Err(StepError::Sender { stated: message.from, from });
        }
        if message.to != self.member.get() {
            return Err(StepError::Receiver { to: message.to, member: self.member });
        }
        let current = message.term >= self.raw.raft.term;
        match message.get_msg_type() {
            MessageType::MsgRequestVote | MessageType::MsgRequestPreVote => {
                // A member whose disk was emptied may have voted in this term before.
                if self.is_blank() { Err(StepError::Blank) } else { Ok(()) }
            }
            MessageType::MsgHeartbeat => {
                // The leader sends what this member once acknowledged. raft would panic.
                let last = self.raw.raft.raft_log.last_index();
                if current && message.commit > last {
                    return Err(StepError::DataLost {
                        member: self.member,
                        known: message.commit,
                        last,
                    });
                }
                Ok(())
            }
            MessageType::MsgSnapshot => self.check_snapshot(message, has_snapshot),
            MessageType::MsgAppend => {
                let follows = |(entry, index): (&Entry, u64)| entry.index == index;
                let contiguous = message.entries.iter().zip(message.index + 1..).all(follows);
                if contiguous { Ok(()) } else { Err(StepError::Unreadable) }
            }
            MessageType::MsgReadIndex | MessageType::MsgReadIndexResp => {
                if message.entries.len() == 1 { Ok(()) } else { Err(StepError::Unreadable) }
            }
            MessageType::MsgAppendResponse
            | MessageType::MsgRequestVoteResponse
            | MessageType::MsgRequestPreVoteResponse
            | MessageType::MsgHeartbeatResponse
            | MessageType::MsgTimeoutNow => Ok(()),
            // Proposals and transfers go through the leader's own handle.
            MessageType::MsgPropose
            | MessageType::MsgTransferLeader
            | MessageType::MsgHup
            | MessageType::MsgBeat
            | MessageType::MsgUnreachable
            | MessageType::MsgSnapStatus
            | MessageType::MsgCheckQuorum => Err(StepError::Kind),
        }
    }

    fn check_snapshot(
        &self,
        message: &Message,
        has_snapshot: Option<Position>,
    ) -> Result<(), StepError> {
        let metadata = message.get_snapshot().get_metadata();
        let position = Position { index: metadata.index, term: metadata.term };
        if position.index == 0 || has_snapshot != Some(position) {
            return Err(StepError::Kind);
        }
        // Members join as learners, so a voter without data is one that lost it.
        let conf_state = metadata.get_conf_state();
        if self.is_blank() && conf_state.voters.contains(&self.member.get()) {
            return Err(StepError::DataLost {
                member: self.member,
                known: position.index,
                last: self.raw.raft.raft_log.last_index(),
            });
        }
        Ok(())
    }

    fn check_promotable(&self, member: MemberId) -> Result<(), ProposeError> {
        if !self.members.conf_state.learners.contains(&member.get()) {
            return Err(ProposeError::NotLearner(member));
        }
        let Some(progress) = self.raw.raft.prs().get(member.get()) else {
            return Err(ProposeError::NotLearner(member));
        };
        let behind = self.commit().saturating_sub(progress.matched);
        if behind > RAFT_PROMOTE_LAG_MAX || progress.matched == 0 {
            return Err(ProposeError::Behind { member, entries: behind });
        }
        Ok(())
    }
}

impl std::fmt::Debug for Node {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Node")
            .field("member", &self.member)
            .field("term", &self.term())
            .field("role", &self.role())
            .field("last", &self.raw.store().last_index())
            .finish_non_exhaustive()
    }
}

impl RequestId {
    fn to_bytes(self) -> Vec<u8> {
        [self.member, self.boot, self.counter].iter().flat_map(|part| part.to_le_bytes()).collect()
    }

    fn from_bytes(bytes: &[u8]) -> Option<RequestId> {
        let ([member, boot, counter], []) = bytes.as_chunks::<8>() else { return None };
        Some(RequestId {
            member: u64::from_le_bytes(*member),
            boot: u64::from_le_bytes(*boot),
            counter: u64::from_le_bytes(*counter),
        })
    }
}

fn outgoing(messages: Vec<Message>) -> Vec<Outgoing> {
    let convert = |message: Message| {
        let to = MemberId::new(message.to)?;
        let snapshot = (message.get_msg_type() == MessageType::MsgSnapshot).then(|| {
            let metadata = message.get_snapshot().get_metadata();
            Position { index: metadata.index, term: metadata.term }
        });
        let message = message.write_to_bytes().expect("raft's messages have no required fields");
        Some(Outgoing { to, message: message.into(), snapshot })
    };
    messages.into_iter().filter_map(convert).collect()
}

fn committed_entry(mut entry: Entry) -> Committed {
    let id = RequestId::from_bytes(&entry.context);
    let what = match entry.get_entry_type() {
        EntryType::EntryNormal if entry.data.is_empty() && id.is_none() => CommittedKind::Nothing,
        EntryType::EntryNormal => CommittedKind::Command(entry.take_data()),
        EntryType::EntryConfChangeV2 => match ConfChangeV2::parse_from_bytes(&entry.data) {
            Ok(change) => CommittedKind::Membership(change),
            Err(_) => CommittedKind::Nothing,
        },
        // The first form of membership changes is never proposed here.
        EntryType::EntryConfChange => CommittedKind::Nothing,
    };
    Committed { index: entry.index, id, what }
}

fn single(member: MemberId, kind: ConfChangeType) -> ConfChangeSingle {
    let mut single = ConfChangeSingle { node_id: member.get(), ..ConfChangeSingle::default() };
    single.set_change_type(kind);
    single
}

fn is_member(conf_state: &ConfState, member: MemberId) -> bool {
    let ids = [
        &conf_state.voters,
        &conf_state.learners,
        &conf_state.voters_outgoing,
        &conf_state.learners_next,
    ];
    ids.iter().any(|ids| ids.contains(&member.get()))
}
