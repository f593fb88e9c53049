//! Random kills, cuts, failing disks and lost messages from a seed; what was acknowledged stays.

use super::super::{Role, Start};
use super::cluster::{Answer, Cluster, Random};
use super::{super::Applied, Error};

const SEEDS: u64 = 25;
const STEPS: usize = 250;
const MEMBERS: u64 = 3;

#[test]
fn nothing_acknowledged_is_lost_and_nothing_is_applied_twice() {
    let acknowledged: usize = (1..=SEEDS).map(|seed| Run::new(seed).play()).sum();
    // Else the members were down all the time and nothing was shown.
    assert!(acknowledged > 10 * SEEDS as usize, "only {acknowledged} writes in all");
}

struct Run {
    seed: u64,
    random: Random,
    cluster: Cluster,
    waiting: Vec<(String, Answer<Result<Applied, Error>>)>,
    acknowledged: Vec<(String, u64)>,
    /// Surely without effect.
    refused: Vec<String>,
    /// With the highest index that was acknowledged when the read began.
    reads: Vec<(u64, Answer<Result<u64, Error>>)>,
    proposed: usize,
}

impl Run {
    fn new(seed: u64) -> Run {
        let mut cluster = Cluster::of_three();
        cluster.snapshot_interval = 15;
        Run {
            seed,
            random: Random::new(seed),
            cluster,
            waiting: Vec::new(),
            acknowledged: Vec::new(),
            refused: Vec::new(),
            reads: Vec::new(),
            proposed: 0,
        }
    }

    /// How much was acknowledged.
    fn play(mut self) -> usize {
        for _ in 0..STEPS {
            self.step();
            self.collect();
        }
        self.cluster.heal();
        for member in 1..=MEMBERS {
            self.restart(member);
        }
        self.cluster.tick(80);
        let leader = self.cluster.leader();
        let mut last = self.cluster.propose(leader, "last");
        self.cluster.tick(10);
        last.try_recv().expect("an answer").expect("a healed cluster");
        self.collect();
        self.check();
        self.acknowledged.len()
    }

    fn step(&mut self) {
        let member = 1 + self.random.below(MEMBERS);
        match self.random.below(22) {
            0 => self.kill(member),
            1 => {
                if let Some(disk) = self.cluster.disks.get(&member) {
                    disk.fail_syncs();
                }
            }
            2..=4 => self.restart(member),
            5 => self.cluster.isolate(member),
            6 => self.cluster.heal(),
            7 if self.random.below(2) == 0 => {
                let seed = self.random.below(1_000_000);
                self.cluster.lose_one_in(2 + seed % 8, seed);
            }
            8 | 9 if self.cluster.members.contains_key(&member) => {
                let known = self.acknowledged.iter().map(|(_, index)| *index).max();
                let read = self.cluster.read(member);
                self.reads.push((known.unwrap_or(0), read));
            }
            10..=13 => self.propose(),
            _ => {
                let ticks = 1 + self.random.below(12) as usize;
                self.cluster.tick(ticks);
            }
        }
    }

    /// To everyone who thinks it leads: one of them may be wrong.
    fn propose(&mut self) {
        for member in 1..=MEMBERS {
            let running = self.cluster.members.get(&member);
            if running.is_some_and(|running| running.status().role == Role::Leader) {
                self.proposed += 1;
                let word = format!("w{}", self.proposed);
                let answer = self.cluster.propose(member, &word);
                self.waiting.push((word, answer));
            }
        }
    }

    fn kill(&mut self, member: u64) {
        if self.cluster.members.contains_key(&member) {
            self.cluster.kill(member);
        }
    }

    fn restart(&mut self, member: u64) {
        self.kill(member);
        let random = &mut self.random;
        self.cluster.disks[&member].crash(|_| random.below(2) == 0);
        self.cluster.failures.remove(&member);
        if let Err(error) = self.cluster.start(member, Start::Resume) {
            panic!("seed {}: {:#}", self.seed, anyhow::Error::from(error));
        }
    }

    fn collect(&mut self) {
        let (acknowledged, refused) = (&mut self.acknowledged, &mut self.refused);
        self.waiting.retain_mut(|(word, answer)| match answer.try_recv() {
            Ok(Ok(applied)) => {
                acknowledged.push((word.clone(), applied.index));
                false
            }
            Ok(Err(Error::NotLeader { .. })) => {
                refused.push(word.clone());
                false
            }
            Ok(Err(_)) => false,
            Err(_) => true,
        });
        let seed = self.seed;
        self.reads.retain_mut(|(known, read)| match read.try_recv() {
            Ok(Ok(index)) => {
                assert!(index >= *known, "seed {seed}: a stale read, {index} before {known}");
                false
            }
            Ok(Err(_)) => false,
            Err(_) => true,
        });
    }

    fn check(&self) {
        let seed = self.seed;
        let words = self.cluster.words(1);
        for member in 2..=MEMBERS {
            assert_eq!(self.cluster.words(member), words, "seed {seed}: member {member}");
        }
        for (word, _) in &self.acknowledged {
            let times = words.iter().filter(|applied| *applied == word).count();
            assert_eq!(times, 1, "seed {seed}: acknowledged `{word}`");
        }
        for word in &self.refused {
            assert!(!words.contains(word), "seed {seed}: refused `{word}` was applied");
        }
        assert!(self.cluster.failures.is_empty(), "seed {seed}: {:?}", self.cluster.failures);
    }
}
