//! Raft: one thread that owns the node, its log and the state machine, behind a handle.
//!
//! ```text
//! propose, read_index, step --> events --> [ thread: Member ] --> disk, peers, state machine
//!                                                  |
//!                       status (watch) <-----------+--> replies
//! ```
//!
//! Commands and state are bytes here. `raft/OVERVIEW.md` has the write path, the read path and the
//! failure table. Types of the crates `raft` and `protobuf` stay in this folder.

use std::fmt;
use std::num::NonZeroU64;
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::time::{Duration, Instant};

use bytes::Bytes;
use rialto_types::limits::{
    COMMIT_TIMEOUT, RAFT_COMMAND_BYTES_MAX, RAFT_ELECTION_TICKS_MAX, RAFT_ELECTION_TICKS_MIN,
    RAFT_EVENTS_MAX, RAFT_EVENTS_PER_BATCH_MAX, RAFT_HEARTBEAT_TICKS, RAFT_REQUESTS_MAX,
    RAFT_SNAPSHOT_INTERVAL_ENTRIES, RAFT_TICK,
};
use tokio::sync::{Semaphore, oneshot, watch};

use disk::Disk;
use member::Member;
pub use member::{Failure, StartError};

pub mod disk;
mod log;
mod logger;
mod member;
mod node;
mod requests;
mod snapshot;
mod storage;
#[cfg(test)]
mod tests;
pub mod transport;

/// A member of the control plane; never zero, never used again after its data was lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MemberId(NonZeroU64);

impl MemberId {
    pub fn new(id: u64) -> Option<MemberId> {
        NonZeroU64::new(id).map(MemberId)
    }

    pub fn get(self) -> u64 {
        self.0.get()
    }
}

impl fmt::Display for MemberId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

/// What raft replicates. Runs on the raft thread: must not block, must not depend on the member.
pub trait StateMachine: Send {
    /// The same commands in the same order give the same state and results on every member.
    fn apply(&mut self, index: u64, command: &[u8]) -> Vec<u8>;

    fn snapshot(&self) -> Vec<u8>;

    /// Replaces the state by one that `snapshot` made at `index`.
    fn restore(
        &mut self,
        index: u64,
        state: &[u8],
    ) -> Result<(), Box<dyn std::error::Error + Send + Sync>>;

    /// Everything up to `index` is applied for now: the moment to publish.
    fn batch_applied(&mut self, index: u64) {
        let _ = index;
    }
}

#[derive(Debug, Clone)]
pub struct Options {
    pub member: MemberId,
    pub start: Start,
    pub timing: Timing,
    pub snapshot_interval_entries: u64,
    log_sizes: log::Sizes,
}

/// What this start may find in the folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Start {
    /// The first member: begins a federation when the folder is empty.
    Bootstrap,
    /// A new member, already added as learner: waits for a snapshot when the folder is empty.
    Join,
    /// A member that ran before: an empty folder is refused.
    Resume,
}

#[derive(Debug, Clone)]
pub struct Timing {
    pub tick: Duration,
    /// An election begins after this many ticks of silence, drawn anew each time.
    pub election_ticks: Range<usize>,
    pub heartbeat_ticks: usize,
    /// A proposal or read that was not answered by then has an unknown end.
    pub request_timeout: Duration,
}

impl Default for Timing {
    fn default() -> Timing {
        Timing {
            tick: RAFT_TICK,
            election_ticks: RAFT_ELECTION_TICKS_MIN..RAFT_ELECTION_TICKS_MAX,
            heartbeat_ticks: RAFT_HEARTBEAT_TICKS,
            request_timeout: COMMIT_TIMEOUT,
        }
    }
}

impl Options {
    pub fn new(member: MemberId, start: Start) -> Options {
        Options {
            member,
            start,
            timing: Timing::default(),
            snapshot_interval_entries: RAFT_SNAPSHOT_INTERVAL_ENTRIES,
            log_sizes: log::Sizes::default(),
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Applied {
    pub index: u64,
    pub result: Bytes,
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// Nothing happened, and nothing will.
    #[error("this member is not the leader{}", at_leader(*.leader))]
    NotLeader { leader: Option<MemberId> },
    /// The command may yet be applied.
    #[error("no answer came; the change may still take effect, so read before trying again")]
    Timeout,
    #[error("too many changes are waiting; try again in a second")]
    Overloaded,
    #[error("the command has {size} bytes, more than {max}; split it")]
    TooLarge { size: usize, max: usize },
    /// Nothing happened, and nothing will.
    #[error("this member is shutting down; ask another one")]
    Shutdown,
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MembershipError {
    #[error(transparent)]
    Request(#[from] Error),
    #[error("another change of the members is not finished; try again in a second")]
    ChangePending,
    #[error("member {0} is a member already; ids are never used twice, so join with a new one")]
    AlreadyMember(MemberId),
    #[error("member {0} is not a learner; add it as a learner first")]
    NotLearner(MemberId),
    #[error("member {member} is {entries} entries behind; promote it when it has caught up")]
    Behind { member: MemberId, entries: u64 },
    #[error("the members refused the change, because they had changed before it")]
    Refused,
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SnapshotError {
    #[error("the snapshot is damaged at byte {offset}: {what}")]
    Damaged { offset: u64, what: &'static str },
    #[error("the snapshot does not fit its message, or this member")]
    Refused,
    #[error("this member cannot take a snapshot now")]
    Unavailable,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    Leader,
    Follower,
    Candidate,
    Learner,
}

/// What this member knows. Of others only hearsay: `last_contact` gives it an age.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Status {
    pub member: MemberId,
    pub role: Role,
    pub term: u64,
    pub leader: Option<MemberId>,
    pub commit: u64,
    pub applied: u64,
    pub snapshot: u64,
    pub members: Vec<MemberStatus>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MemberStatus {
    pub member: MemberId,
    pub voter: bool,
    /// Known to the leader only.
    pub matched: Option<u64>,
    /// When a message of it last came; `None` for ourselves and before the first.
    pub last_contact: Option<Instant>,
}

/// Everything that reaches the raft thread, except time.
#[derive(Debug)]
enum Event {
    Propose { command: Bytes, reply: oneshot::Sender<Result<Applied, Error>> },
    Read { reply: oneshot::Sender<Result<u64, Error>> },
    AddLearner { member: MemberId, reply: oneshot::Sender<Result<u64, MembershipError>> },
    Promote { members: Vec<MemberId>, reply: oneshot::Sender<Result<u64, MembershipError>> },
    Message { from: MemberId, message: Bytes },
    Snapshot(ReceivedSnapshot),
    Unreachable { member: MemberId },
    SnapshotSent { member: MemberId, delivered: bool },
    Stop,
}

#[derive(Debug)]
struct ReceivedSnapshot {
    from: MemberId,
    message: Bytes,
    file: Bytes,
    reply: oneshot::Sender<Result<(), SnapshotError>>,
}

/// The handle; clones speak to the same thread.
#[derive(Debug, Clone)]
pub struct Raft {
    events: SyncSender<Event>,
    requests: Arc<Semaphore>,
    status: watch::Receiver<Status>,
    ended: watch::Receiver<bool>,
    request_timeout: Duration,
}

impl Raft {
    /// Reads the log on `disk`, restores the state machine and starts the thread.
    ///
    /// `peers` gets the handle for its reports. `on_failure` runs once, on the raft thread, when
    /// the member cannot go on; it must end the process, because what is on disk is no longer
    /// known.
    pub fn start<S, P>(
        disk: Box<dyn Disk>,
        options: Options,
        machine: S,
        peers: impl FnOnce(&Raft) -> P,
        on_failure: impl FnOnce(Failure) + Send + 'static,
    ) -> Result<Raft, StartError>
    where
        S: StateMachine + 'static,
        P: transport::Peers + 'static,
    {
        let member = Member::open(&options, disk, Box::new(machine))?;
        let (events, inbox) = sync_channel(RAFT_EVENTS_MAX);
        let (status_sender, status) = watch::channel(member.status());
        let (ended_sender, ended) = watch::channel(false);
        let raft = Raft {
            events,
            requests: Arc::new(Semaphore::new(RAFT_REQUESTS_MAX)),
            status,
            ended,
            request_timeout: options.timing.request_timeout,
        };
        let peers = Box::new(peers(&raft));
        let tick = options.timing.tick;
        let body = move || {
            let mut member = member;
            member.connect(peers);
            let run = AssertUnwindSafe(|| run(&mut member, &inbox, &status_sender, tick));
            match catch_unwind(run) {
                Ok(Ok(())) => {}
                Ok(Err(failure)) => on_failure(failure),
                // raft panics when its storage contradicts it.
                Err(panic) => on_failure(Failure::Panic(panic_text(panic.as_ref()))),
            }
            drop(inbox);
            drop(member);
            ended_sender.send_replace(true);
        };
        std::thread::Builder::new()
            .name("raft".to_owned())
            .spawn(body)
            .map_err(StartError::Thread)?;
        Ok(raft)
    }

    /// Resolves when the command is durable on a majority and applied here.
    pub async fn propose(&self, command: Bytes) -> Result<Applied, Error> {
        if command.len() > RAFT_COMMAND_BYTES_MAX {
            return Err(Error::TooLarge { size: command.len(), max: RAFT_COMMAND_BYTES_MAX });
        }
        self.request(|reply| Event::Propose { command, reply }).await?
    }

    /// Resolves when everything that was acknowledged anywhere before the call is applied here.
    pub async fn read_index(&self) -> Result<u64, Error> {
        self.request(|reply| Event::Read { reply }).await?
    }

    /// The new member gets everything, counts in no majority, and may then be promoted.
    pub async fn add_learner(&self, member: MemberId) -> Result<u64, MembershipError> {
        self.request(|reply| Event::AddLearner { member, reply }).await?
    }

    /// Makes voters of learners, all in one change.
    pub async fn promote(&self, members: Vec<MemberId>) -> Result<u64, MembershipError> {
        self.request(|reply| Event::Promote { members, reply }).await?
    }

    /// A message from a peer. `from` is who the connection proved to be. Dropped when the thread
    /// is busy: raft sends again.
    pub fn step(&self, from: MemberId, message: Bytes) {
        self.tell(Event::Message { from, message });
    }

    /// A snapshot from a peer; resolves when it is durable and restored here.
    pub async fn step_snapshot(
        &self,
        from: MemberId,
        message: Bytes,
        file: Bytes,
    ) -> Result<(), SnapshotError> {
        let (reply, answer) = oneshot::channel();
        let event = Event::Snapshot(ReceivedSnapshot { from, message, file, reply });
        self.events.try_send(event).map_err(|_| SnapshotError::Unavailable)?;
        answer.await.unwrap_or(Err(SnapshotError::Unavailable))
    }

    pub fn report_unreachable(&self, member: MemberId) {
        self.tell(Event::Unreachable { member });
    }

    /// How a transfer that `Peers::send_snapshot` began has ended.
    pub fn report_snapshot(&self, member: MemberId, delivered: bool) {
        self.tell(Event::SnapshotSent { member, delivered });
    }

    pub fn status(&self) -> watch::Receiver<Status> {
        self.status.clone()
    }

    /// Resolves when entry `index` is applied here.
    pub async fn wait_applied(&self, index: u64) -> Result<(), Error> {
        let mut status = self.status.clone();
        let applied = status.wait_for(|status| status.applied >= index);
        applied.await.map(|_| ()).map_err(|_| Error::Shutdown)
    }

    pub fn request_timeout(&self) -> Duration {
        self.request_timeout
    }

    /// Ends the thread; resolves when the folder is free.
    pub async fn stop(&self) {
        while !*self.ended.borrow() {
            match self.events.try_send(Event::Stop) {
                Ok(()) | Err(TrySendError::Disconnected(_)) => self.ended().await,
                Err(TrySendError::Full(_)) => tokio::task::yield_now().await,
            }
        }
    }

    /// Resolves when the thread has ended, by `stop` or by a failure.
    pub async fn ended(&self) {
        // An error means that the sender is gone, which is the end as well.
        let _ = self.ended.clone().wait_for(|ended| *ended).await;
    }

    async fn request<T>(
        &self,
        event: impl FnOnce(oneshot::Sender<T>) -> Event,
    ) -> Result<T, Error> {
        let waiting = async {
            let _permit = self.requests.acquire().await.map_err(|_| Error::Shutdown)?;
            let (reply, answer) = oneshot::channel();
            match self.events.try_send(event(reply)) {
                Ok(()) => {}
                Err(TrySendError::Full(_)) => return Err(Error::Overloaded),
                Err(TrySendError::Disconnected(_)) => return Err(Error::Shutdown),
            }
            // The thread ended with the request in its hands.
            answer.await.map_err(|_| Error::Timeout)
        };
        tokio::time::timeout(self.request_timeout, waiting).await.unwrap_or(Err(Error::Timeout))
    }

    fn tell(&self, event: Event) {
        if let Err(TrySendError::Full(_)) = self.events.try_send(event) {
            tracing::debug!("raft is busy, an event was dropped");
        }
    }
}

fn run(
    member: &mut Member,
    inbox: &Receiver<Event>,
    status: &watch::Sender<Status>,
    tick: Duration,
) -> Result<(), Failure> {
    let mut next_tick = Instant::now() + tick;
    member.settle()?;
    loop {
        publish(member, status);
        let wait = next_tick.saturating_duration_since(Instant::now());
        let first = match inbox.recv_timeout(wait) {
            Ok(event) => Some(event),
            Err(RecvTimeoutError::Timeout) => None,
            Err(RecvTimeoutError::Disconnected) => return Ok(()),
        };
        // Whatever has come since the last flush shares the next one.
        let batch = first.into_iter().chain(inbox.try_iter()).take(RAFT_EVENTS_PER_BATCH_MAX);
        let now = Instant::now();
        let mut stopping = false;
        for event in batch {
            if let Event::Stop = event {
                stopping = true;
            } else {
                member.handle(event, now)?;
            }
        }
        if now >= next_tick {
            member.tick()?;
            // Time that was lost to a stopped process or a slow disk is not made up: it would end
            // in an election for no fault of the leader.
            next_tick = now + tick;
        }
        member.settle()?;
        if stopping {
            return Ok(());
        }
    }
}

fn publish(member: &Member, status: &watch::Sender<Status>) {
    let current = member.status();
    status.send_if_modified(|published| {
        let changed = *published != current;
        *published = current;
        changed
    });
}

fn at_leader(leader: Option<MemberId>) -> String {
    leader.map_or(", and no leader is known now; try again in a second".to_owned(), |leader| {
        format!("; member {leader} is")
    })
}

fn panic_text(panic: &(dyn std::any::Any + Send)) -> String {
    panic
        .downcast_ref::<String>()
        .map(String::as_str)
        .or_else(|| panic.downcast_ref::<&str>().copied())
        .unwrap_or("no text")
        .to_owned()
}
