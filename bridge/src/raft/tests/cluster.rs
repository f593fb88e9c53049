//! Members in one thread over a network in memory; time is a number of ticks.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use bytes::Bytes;
use tokio::sync::oneshot;

use super::super::disk::Disk;
use super::super::disk::memory::MemoryDisk;
use super::super::log::Sizes;
use super::super::member::{Failure, Member, StartError};
use super::super::transport::{Peers, Unreachable};
use super::super::{
    Applied, Error, Event, MemberId, MembershipError, Options, ReceivedSnapshot, Role, Start,
    StateMachine, Status, Timing,
};

pub(super) type Answer<T> = oneshot::Receiver<T>;

pub(super) struct Cluster {
    pub(super) members: BTreeMap<u64, Member>,
    pub(super) disks: BTreeMap<u64, MemoryDisk>,
    pub(super) words: BTreeMap<u64, Words>,
    pub(super) failures: BTreeMap<u64, Failure>,
    pub(super) snapshot_interval: u64,
    network: Network,
    isolated: BTreeSet<u64>,
    /// One message in so many is lost; zero for none.
    loss: u64,
    random: Random,
    now: Instant,
}

/// Linear congruential, so that a seed repeats a run.
#[derive(Debug, Clone, Default)]
pub(super) struct Random(u64);

/// Remembers every command, with its index.
#[derive(Debug, Clone, Default)]
pub(in crate::raft) struct Words {
    words: Arc<Mutex<Vec<String>>>,
}

#[derive(Clone, Default)]
struct Network {
    sent: Arc<Mutex<VecDeque<Sent>>>,
}

struct Sent {
    from: u64,
    to: u64,
    message: Bytes,
    file: Option<Vec<u8>>,
}

struct Outlet {
    member: u64,
    network: Network,
    disk: MemoryDisk,
}

impl Cluster {
    pub(super) fn new() -> Cluster {
        Cluster {
            members: BTreeMap::new(),
            disks: BTreeMap::new(),
            words: BTreeMap::new(),
            failures: BTreeMap::new(),
            snapshot_interval: 1_000,
            network: Network::default(),
            isolated: BTreeSet::new(),
            loss: 0,
            random: Random::default(),
            now: Instant::now(),
        }
    }

    /// Voters 1, 2 and 3; member 1 leads.
    pub(super) fn of_three() -> Cluster {
        let mut cluster = Cluster::new();
        cluster.start(1, Start::Bootstrap).expect("an empty disk");
        for learner in [2, 3] {
            cluster.start(learner, Start::Join).expect("an empty disk");
            let mut added = cluster.add_learner(1, learner);
            cluster.tick(5);
            added.try_recv().expect("an answer").expect("a new learner");
        }
        let mut promoted = cluster.promote(1, &[2, 3]);
        cluster.tick(5);
        promoted.try_recv().expect("an answer").expect("learners that caught up");
        assert_eq!(cluster.voters(1), [1, 2, 3]);
        assert_eq!(cluster.leader(), 1);
        cluster
    }

    pub(super) fn start(&mut self, member: u64, start: Start) -> Result<(), StartError> {
        let disk = self.disks.entry(member).or_default().clone();
        let words = Words::default();
        let mut options = Options::new(id(member), start);
        // Each its own, certain timeout: elections have one winner, and runs repeat.
        let election = 10 + 3 * member as usize;
        options.timing = Timing { election_ticks: election..election + 1, ..Timing::default() };
        options.snapshot_interval_entries = self.snapshot_interval;
        options.log_sizes = Sizes { segment: 64 * 1024, frame: 16 * 1024 };
        let machine = Box::new(words.clone());
        let mut opened = Member::open(&options, Box::new(disk.clone()), machine)?;
        opened.connect(Box::new(Outlet { member, network: self.network.clone(), disk }));
        self.words.insert(member, words);
        self.members.insert(member, opened);
        self.settle(member);
        Ok(())
    }

    /// Ends a member as SIGKILL does.
    pub(super) fn kill(&mut self, member: u64) {
        self.members.remove(&member).expect("a running member");
    }

    pub(super) fn isolate(&mut self, member: u64) {
        self.isolated.insert(member);
    }

    pub(super) fn heal(&mut self) {
        self.isolated.clear();
        self.loss = 0;
    }

    pub(super) fn lose_one_in(&mut self, loss: u64, seed: u64) {
        self.loss = loss;
        self.random = Random::new(seed);
    }

    pub(super) fn tick(&mut self, ticks: usize) {
        for _ in 0..ticks {
            for member in self.running() {
                let ticked = self.members.get_mut(&member).map(Member::tick);
                if let Some(Err(failure)) = ticked {
                    self.fail(member, failure);
                }
                self.settle(member);
            }
            self.deliver();
        }
    }

    pub(super) fn event(&mut self, member: u64, event: Event) {
        let now = self.now;
        let Some(running) = self.members.get_mut(&member) else { return };
        if let Err(failure) = running.handle(event, now) {
            self.fail(member, failure);
        }
    }

    pub(super) fn settle(&mut self, member: u64) {
        let Some(running) = self.members.get_mut(&member) else { return };
        if let Err(failure) = running.settle() {
            self.fail(member, failure);
        }
    }

    /// Delivers until nobody has anything to say.
    pub(super) fn deliver(&mut self) {
        loop {
            let Some(sent) = self.network.lock().pop_front() else { return };
            let lost = self.loss != 0 && self.random.below(self.loss) == 0;
            let cut = lost
                || self.isolated.contains(&sent.from)
                || self.isolated.contains(&sent.to)
                || !self.members.contains_key(&sent.to);
            let delivered = !cut;
            let (from, to, is_snapshot) = (sent.from, sent.to, sent.file.is_some());
            if delivered {
                self.event(to, arrival(sent));
                self.settle(to);
            }
            if is_snapshot {
                self.event(from, Event::SnapshotSent { member: id(to), delivered });
                self.settle(from);
            }
        }
    }

    pub(super) fn propose(&mut self, member: u64, word: &str) -> Answer<Result<Applied, Error>> {
        let (reply, answer) = oneshot::channel();
        let command = Bytes::copy_from_slice(word.as_bytes());
        self.event(member, Event::Propose { command, reply });
        self.settle(member);
        self.deliver();
        answer
    }

    pub(super) fn read(&mut self, member: u64) -> Answer<Result<u64, Error>> {
        let (reply, answer) = oneshot::channel();
        self.event(member, Event::Read { reply });
        self.settle(member);
        self.deliver();
        answer
    }

    pub(super) fn add_learner(
        &mut self,
        member: u64,
        learner: u64,
    ) -> Answer<Result<u64, MembershipError>> {
        let (reply, answer) = oneshot::channel();
        self.event(member, Event::AddLearner { member: id(learner), reply });
        self.settle(member);
        self.deliver();
        answer
    }

    pub(super) fn promote(
        &mut self,
        member: u64,
        learners: &[u64],
    ) -> Answer<Result<u64, MembershipError>> {
        let (reply, answer) = oneshot::channel();
        let members = learners.iter().map(|learner| id(*learner)).collect();
        self.event(member, Event::Promote { members, reply });
        self.settle(member);
        self.deliver();
        answer
    }

    pub(super) fn status(&self, member: u64) -> Status {
        self.members[&member].status()
    }

    /// The only leader of the highest term.
    pub(super) fn leader(&self) -> u64 {
        let leaders = self.members.values().map(Member::status);
        leaders
            .filter(|status| status.role == Role::Leader)
            .max_by_key(|status| status.term)
            .expect("a leader")
            .member
            .get()
    }

    pub(super) fn voters(&self, member: u64) -> Vec<u64> {
        let members = self.status(member).members.into_iter();
        members.filter(|status| status.voter).map(|status| status.member.get()).collect()
    }

    pub(super) fn words(&self, member: u64) -> Vec<String> {
        self.words[&member].get()
    }

    fn running(&self) -> Vec<u64> {
        self.members.keys().copied().collect()
    }

    fn fail(&mut self, member: u64, failure: Failure) {
        self.members.remove(&member);
        self.failures.insert(member, failure);
    }
}

impl Random {
    pub(super) fn new(seed: u64) -> Random {
        Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15))
    }

    pub(super) fn below(&mut self, limit: u64) -> u64 {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % limit
    }
}

impl Words {
    pub(in crate::raft) fn get(&self) -> Vec<String> {
        self.lock().clone()
    }

    fn lock(&self) -> MutexGuard<'_, Vec<String>> {
        self.words.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl StateMachine for Words {
    fn apply(&mut self, index: u64, command: &[u8]) -> Vec<u8> {
        let word = String::from_utf8_lossy(command).into_owned();
        let answer = format!("{word} at {index}");
        self.lock().push(word);
        answer.into_bytes()
    }

    fn snapshot(&self) -> Vec<u8> {
        self.lock().join(" ").into_bytes()
    }

    fn restore(
        &mut self,
        _index: u64,
        state: &[u8],
    ) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
        let text = std::str::from_utf8(state)?;
        *self.lock() = text.split_whitespace().map(str::to_owned).collect();
        Ok(())
    }
}

impl Network {
    fn lock(&self) -> MutexGuard<'_, VecDeque<Sent>> {
        self.sent.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Peers for Outlet {
    fn send(&self, to: MemberId, message: Bytes) -> Result<(), Unreachable> {
        let sent = Sent { from: self.member, to: to.get(), message, file: None };
        self.network.lock().push_back(sent);
        Ok(())
    }

    fn send_snapshot(&self, to: MemberId, message: Bytes, file: PathBuf) {
        let name = file.to_str().expect("a name made of digits");
        let file = Some(self.disk.read(name).expect("a snapshot just taken"));
        self.network.lock().push_back(Sent { from: self.member, to: to.get(), message, file });
    }
}

pub(in crate::raft) fn id(member: u64) -> MemberId {
    MemberId::new(member).expect("members count from one")
}

fn arrival(sent: Sent) -> Event {
    let Sent { from, message, file, .. } = sent;
    match file {
        None => Event::Message { from: id(from), message },
        Some(file) => {
            let (reply, _) = oneshot::channel();
            let file = file.into();
            Event::Snapshot(ReceivedSnapshot { from: id(from), message, file, reply })
        }
    }
}
