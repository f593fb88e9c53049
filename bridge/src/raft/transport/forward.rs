//! Changes from any member: tried here, else sent to the leader, until one of them knows the end.

use std::fmt;
use std::time::Duration;

use bytes::Bytes;
use rialto_types::limits::RAFT_LEADER_RETRY_DELAY;
use rialto_wire::grpc::raft_client::RaftClient;
use rialto_wire::grpc::raft_request::Request;
use rialto_wire::grpc::{RaftPromotion, RaftReply, RaftRequest};
use rialto_wire::transport;

use super::super::{Applied, Error, MemberId, MembershipError, Raft};
use super::client::Dial;
use super::convert;

/// The write side of the control plane, the same on every member.
#[derive(Clone)]
pub struct Forward {
    raft: Raft,
    dial: Dial,
}

impl Forward {
    pub fn new(raft: Raft, dial: Dial) -> Forward {
        Forward { raft, dial }
    }

    /// As `Raft::propose`, from any member; on return the command is applied here too.
    pub async fn propose(&self, command: Bytes) -> Result<Applied, Error> {
        let request = Request::Command(command.clone());
        let write = async {
            loop {
                let leader = match self.raft.propose(command.clone()).await {
                    Err(Error::NotLeader { leader }) => leader,
                    ended => return ended,
                };
                let reply = self.ask(leader, &request).await?;
                match reply.map(|reply| convert::read_applied(reply, command.len())) {
                    Some(Ok(applied)) => {
                        self.raft.wait_applied(applied.index).await?;
                        return Ok(applied);
                    }
                    None | Some(Err(Error::NotLeader { .. } | Error::Shutdown)) => {
                        self.wait_leader().await;
                    }
                    Some(Err(error)) => return Err(error),
                }
            }
        };
        within(self.raft.request_timeout(), write).await.unwrap_or(Err(Error::Timeout))
    }

    pub async fn add_learner(&self, learner: MemberId) -> Result<u64, MembershipError> {
        self.change_members(Change::AddLearner(learner)).await
    }

    pub async fn promote(&self, learners: Vec<MemberId>) -> Result<u64, MembershipError> {
        self.change_members(Change::Promote(learners)).await
    }

    async fn change_members(&self, change: Change) -> Result<u64, MembershipError> {
        let request = change.request();
        let attempts = async {
            loop {
                let leader = match change.here(&self.raft).await {
                    Err(MembershipError::Request(Error::NotLeader { leader })) => leader,
                    ended => return ended,
                };
                match self.ask(leader, &request).await?.map(convert::read_members) {
                    None
                    | Some(Err(MembershipError::Request(
                        Error::NotLeader { .. } | Error::Shutdown,
                    ))) => self.wait_leader().await,
                    Some(ended) => return ended,
                }
            }
        };
        let ended = within(self.raft.request_timeout(), attempts).await;
        ended.unwrap_or(Err(Error::Timeout.into()))
    }

    /// `None` when the leader surely did not get the request.
    async fn ask(
        &self,
        leader: Option<MemberId>,
        request: &Request,
    ) -> Result<Option<RaftReply>, Error> {
        let Some(channel) = leader.and_then(|leader| (self.dial)(leader)) else { return Ok(None) };
        let request = RaftRequest { request: Some(request.clone()) };
        match RaftClient::new(channel).forward(request).await {
            Ok(reply) => Ok(Some(reply.into_inner())),
            Err(status) if never_sent(&status) => Ok(None),
            Err(status) => {
                tracing::debug!(%status, "the leader's answer to a forwarded change is lost");
                Err(Error::Timeout)
            }
        }
    }

    /// A little while, or until this member hears of another leader.
    async fn wait_leader(&self) {
        let mut status = self.raft.status();
        let before = status.borrow_and_update().leader;
        let changed = status.wait_for(|status| status.leader != before);
        // In both cases the caller tries again.
        let _ = tokio::time::timeout(RAFT_LEADER_RETRY_DELAY, changed).await;
    }
}

/// A change of the members. An enum and not a closure: futures of async closures that borrow are
/// not known to be `Send`.
enum Change {
    AddLearner(MemberId),
    Promote(Vec<MemberId>),
}

impl Change {
    fn request(&self) -> Request {
        match self {
            Change::AddLearner(learner) => Request::AddLearner(learner.get()),
            Change::Promote(learners) => {
                let members = learners.iter().map(|member| member.get()).collect();
                Request::Promote(RaftPromotion { members })
            }
        }
    }

    async fn here(&self, raft: &Raft) -> Result<u64, MembershipError> {
        match self {
            Change::AddLearner(learner) => raft.add_learner(*learner).await,
            Change::Promote(learners) => raft.promote(learners.clone()).await,
        }
    }
}

impl fmt::Debug for Forward {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Forward").finish_non_exhaustive()
    }
}

async fn within<T>(limit: Duration, future: impl Future<Output = T>) -> Option<T> {
    tokio::time::timeout(limit, future).await.ok()
}

/// A failure to connect, as against a connection that broke with the request on its way.
fn never_sent(status: &tonic::Status) -> bool {
    transport::Error::find(status).is_some()
}
