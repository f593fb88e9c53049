//! Callers that wait: for their proposal to be applied, or for a read index to be confirmed.

use std::collections::BTreeMap;

use bytes::Bytes;
use rialto_types::limits::RAFT_READ_RETRY_TICKS;
use tokio::sync::oneshot;

use super::node::RequestId;
use super::{Applied, Error, MemberId, MembershipError};

#[derive(Debug)]
pub(super) enum Reply {
    Command(oneshot::Sender<Result<Applied, Error>>),
    Membership(oneshot::Sender<Result<u64, MembershipError>>),
}

/// How a proposal ended.
#[derive(Debug)]
pub(super) enum Outcome {
    Applied(Bytes),
    /// The members of that moment did not fit the change.
    Refused,
}

pub(super) type ReadReply = oneshot::Sender<Result<u64, Error>>;

#[derive(Debug)]
pub(super) struct Requests {
    last: RequestId,
    /// By the index that a proposal has if it is ever committed.
    proposals: BTreeMap<u64, (RequestId, Reply)>,
    reads: Reads,
}

#[derive(Debug, Default)]
struct Reads {
    /// Came since the last question; one question serves them all.
    unasked: Vec<ReadReply>,
    asked: BTreeMap<RequestId, Asked>,
    /// By the index that must be applied first.
    confirmed: BTreeMap<u64, Vec<ReadReply>>,
}

#[derive(Debug)]
struct Asked {
    ticks: u32,
    replies: Vec<ReadReply>,
}

impl Requests {
    pub(super) fn new(member: MemberId, boot: u64) -> Requests {
        Requests {
            last: RequestId { member: member.get(), boot, counter: 0 },
            proposals: BTreeMap::new(),
            reads: Reads::default(),
        }
    }

    pub(super) fn next_id(&mut self) -> RequestId {
        self.last.counter += 1;
        self.last
    }

    pub(super) fn proposed(&mut self, index: u64, id: RequestId, reply: Reply) {
        self.proposals.insert(index, (id, reply));
    }

    /// The entry at `index` was applied; who waits there, waits for it or has lost its place.
    pub(super) fn applied(
        &mut self,
        index: u64,
        id: Option<RequestId>,
        outcome: Outcome,
        leader: Option<MemberId>,
    ) {
        let Some((expected, reply)) = self.proposals.remove(&index) else { return };
        if id == Some(expected) {
            reply.send(index, outcome);
            return;
        }
        // Another leader's entry stands there, and what we proposed after it is gone too.
        reply.fail(Error::NotLeader { leader });
        for (_, (_, reply)) in self.proposals.split_off(&index) {
            reply.fail(Error::NotLeader { leader });
        }
    }

    /// A snapshot took the place of all entries up to `index`; what became of each is not known.
    pub(super) fn replaced(&mut self, index: u64) {
        let later = self.proposals.split_off(&(index + 1));
        for (_, (_, reply)) in std::mem::replace(&mut self.proposals, later) {
            reply.fail(Error::Timeout);
        }
    }

    pub(super) fn read(&mut self, reply: ReadReply) {
        self.reads.unasked.push(reply);
    }

    /// The question to ask raft now, if anyone has one.
    pub(super) fn ask(&mut self) -> Option<RequestId> {
        if self.reads.unasked.is_empty() {
            return None;
        }
        let id = self.next_id();
        let replies = std::mem::take(&mut self.reads.unasked);
        self.reads.asked.insert(id, Asked { ticks: 0, replies });
        Some(id)
    }

    pub(super) fn confirmed(&mut self, id: RequestId, index: u64) {
        if let Some(asked) = self.reads.asked.remove(&id) {
            self.reads.confirmed.entry(index).or_default().extend(asked.replies);
        }
    }

    pub(super) fn answer_reads(&mut self, applied: u64) {
        let later = self.reads.confirmed.split_off(&(applied + 1));
        for replies in std::mem::replace(&mut self.reads.confirmed, later).into_values() {
            for reply in replies {
                // The caller may have given up.
                let _ = reply.send(Ok(applied));
            }
        }
    }

    /// Forgets callers that gave up and asks again for reads that got no answer.
    pub(super) fn tick(&mut self) {
        self.proposals.retain(|_, (_, reply)| !reply.is_closed());
        for replies in self.reads.confirmed.values_mut() {
            replies.retain(|reply| !reply.is_closed());
        }
        self.reads.confirmed.retain(|_, replies| !replies.is_empty());
        for asked in self.reads.asked.values_mut() {
            asked.ticks += 1;
        }
        let (stale, fresh) = std::mem::take(&mut self.reads.asked)
            .into_iter()
            .partition(|(_, asked)| asked.ticks >= RAFT_READ_RETRY_TICKS);
        self.reads.asked = fresh;
        let stale: BTreeMap<RequestId, Asked> = stale;
        let again = stale.into_values().flat_map(|asked| asked.replies);
        self.reads.unasked.extend(again.filter(|reply| !reply.is_closed()));
    }
}

impl Reply {
    fn send(self, index: u64, outcome: Outcome) {
        // In both arms the caller may have given up.
        match (self, outcome) {
            (Reply::Command(reply), Outcome::Applied(result)) => {
                let _ = reply.send(Ok(Applied { index, result }));
            }
            (Reply::Command(reply), Outcome::Refused) => {
                let _ = reply.send(Ok(Applied { index, result: Bytes::new() }));
            }
            (Reply::Membership(reply), Outcome::Applied(_)) => {
                let _ = reply.send(Ok(index));
            }
            (Reply::Membership(reply), Outcome::Refused) => {
                let _ = reply.send(Err(MembershipError::Refused));
            }
        }
    }

    pub(super) fn fail(self, error: Error) {
        match self {
            Reply::Command(reply) => {
                let _ = reply.send(Err(error));
            }
            Reply::Membership(reply) => {
                let _ = reply.send(Err(error.into()));
            }
        }
    }

    fn is_closed(&self) -> bool {
        match self {
            Reply::Command(reply) => reply.is_closed(),
            Reply::Membership(reply) => reply.is_closed(),
        }
    }
}
