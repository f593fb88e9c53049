//! Replies of the leader as protobuf, and back.

use rialto_types::limits::RAFT_COMMAND_BYTES_MAX;
use rialto_wire::grpc::raft_refused::Reason;
use rialto_wire::grpc::raft_reply::Reply;
use rialto_wire::grpc::{RaftApplied, RaftRefused, RaftReply};

use super::super::{Applied, Error, MemberId, MembershipError};

pub(super) fn applied_reply(result: Result<Applied, Error>) -> RaftReply {
    match result {
        Ok(Applied { index, result }) => applied(RaftApplied { index, result }),
        Err(error) => refused(&error.into()),
    }
}

pub(super) fn members_reply(result: Result<u64, MembershipError>) -> RaftReply {
    match result {
        Ok(index) => applied(RaftApplied { index, ..RaftApplied::default() }),
        Err(error) => refused(&error),
    }
}

/// `size` is that of the command, for the one error that repeats it.
pub(super) fn read_applied(reply: RaftReply, size: usize) -> Result<Applied, Error> {
    match read(reply, size) {
        Ok(RaftApplied { index, result }) => Ok(Applied { index, result }),
        Err(MembershipError::Request(error)) => Err(error),
        // No leader answers so to a command: nothing is known of its outcome.
        Err(
            MembershipError::ChangePending
            | MembershipError::AlreadyMember(_)
            | MembershipError::NotLearner(_)
            | MembershipError::Behind { .. }
            | MembershipError::Refused,
        ) => Err(Error::Timeout),
    }
}

pub(super) fn read_members(reply: RaftReply) -> Result<u64, MembershipError> {
    read(reply, 0).map(|applied| applied.index)
}

fn applied(applied: RaftApplied) -> RaftReply {
    RaftReply { reply: Some(Reply::Applied(applied)) }
}

fn refused(error: &MembershipError) -> RaftReply {
    let (reason, member, entries) = match error {
        MembershipError::Request(Error::NotLeader { leader }) => (Reason::NotLeader, *leader, 0),
        MembershipError::Request(Error::Timeout) => (Reason::Timeout, None, 0),
        MembershipError::Request(Error::Overloaded) => (Reason::Overloaded, None, 0),
        MembershipError::Request(Error::TooLarge { .. }) => (Reason::TooLarge, None, 0),
        MembershipError::Request(Error::Shutdown) => (Reason::Shutdown, None, 0),
        MembershipError::ChangePending => (Reason::ChangePending, None, 0),
        MembershipError::AlreadyMember(member) => (Reason::AlreadyMember, Some(*member), 0),
        MembershipError::NotLearner(member) => (Reason::NotLearner, Some(*member), 0),
        MembershipError::Behind { member, entries } => (Reason::Behind, Some(*member), *entries),
        MembershipError::Refused => (Reason::Refused, None, 0),
    };
    let member = member.map_or(0, MemberId::get);
    RaftReply {
        reply: Some(Reply::Refused(RaftRefused { reason: reason.into(), member, entries })),
    }
}

fn read(reply: RaftReply, size: usize) -> Result<RaftApplied, MembershipError> {
    let refused = match reply.reply {
        Some(Reply::Applied(applied)) => return Ok(applied),
        Some(Reply::Refused(refused)) => refused,
        None => return Err(Error::Timeout.into()),
    };
    let member = MemberId::new(refused.member);
    let entries = refused.entries;
    Err(match (refused.reason(), member) {
        (Reason::NotLeader, leader) => Error::NotLeader { leader }.into(),
        (Reason::Overloaded, _) => Error::Overloaded.into(),
        (Reason::TooLarge, _) => Error::TooLarge { size, max: RAFT_COMMAND_BYTES_MAX }.into(),
        (Reason::Shutdown, _) => Error::Shutdown.into(),
        (Reason::ChangePending, _) => MembershipError::ChangePending,
        (Reason::AlreadyMember, Some(member)) => MembershipError::AlreadyMember(member),
        (Reason::NotLearner, Some(member)) => MembershipError::NotLearner(member),
        (Reason::Behind, Some(member)) => MembershipError::Behind { member, entries },
        (Reason::Refused, _) => MembershipError::Refused,
        (Reason::AlreadyMember | Reason::NotLearner | Reason::Behind, None)
        | (Reason::Timeout, _) => Error::Timeout.into(),
    })
}
