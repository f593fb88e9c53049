//! The gRPC service through which the other members reach this one.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use futures::{Stream, stream};
use rialto_types::limits::{RAFT_MESSAGE_BYTES_MAX, RAFT_SNAPSHOT_BYTES_MAX};
use rialto_wire::grpc::raft_request::Request as Wanted;
use rialto_wire::grpc::raft_server::{Raft as RaftRpc, RaftServer};
use rialto_wire::grpc::raft_snapshot_part::Part;
use rialto_wire::grpc::{
    RaftAccepted, RaftMessage, RaftReply, RaftRequest, RaftSnapshotPart, RaftSnapshotTaken,
};
use tonic::{Extensions, Request, Response, Status, Streaming};

use super::super::{MemberId, Raft, SnapshotError};
use super::convert;

/// Which member a request comes from, by what its connection proved; `None` for everybody else.
pub type Identify = Arc<dyn Fn(&Extensions) -> Option<MemberId> + Send + Sync>;

pub struct Service {
    raft: Raft,
    identify: Identify,
}

impl Service {
    pub fn server(raft: Raft, identify: Identify) -> RaftServer<Service> {
        RaftServer::new(Service { raft, identify })
            .max_decoding_message_size(RAFT_MESSAGE_BYTES_MAX)
    }

    fn sender<T>(&self, request: &Request<T>) -> Result<MemberId, Status> {
        (self.identify)(request.extensions()).ok_or_else(|| {
            Status::permission_denied("only members of the control plane may call this service")
        })
    }
}

impl fmt::Debug for Service {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Service").finish_non_exhaustive()
    }
}

type Accepted = Pin<Box<dyn Stream<Item = Result<RaftAccepted, Status>> + Send>>;

#[tonic::async_trait]
impl RaftRpc for Service {
    type MessagesStream = Accepted;

    async fn messages(
        &self,
        request: Request<Streaming<RaftMessage>>,
    ) -> Result<Response<Accepted>, Status> {
        let from = self.sender(&request)?;
        let incoming = Incoming { from, raft: self.raft.clone(), messages: request.into_inner() };
        // The answer drives the reading: no task of our own to look after.
        let accepted = stream::once(async { Ok(RaftAccepted {}) });
        let reading = stream::once(incoming.read());
        let reading = futures::StreamExt::filter_map(reading, async |end| end.err().map(Err));
        Ok(Response::new(Box::pin(futures::StreamExt::chain(accepted, reading))))
    }

    async fn forward(&self, request: Request<RaftRequest>) -> Result<Response<RaftReply>, Status> {
        self.sender(&request)?;
        let Some(wanted) = request.into_inner().request else {
            return Err(Status::invalid_argument("the request asks for nothing"));
        };
        let reply = match wanted {
            Wanted::Command(command) => convert::applied_reply(self.raft.propose(command).await),
            Wanted::AddLearner(learner) => {
                convert::members_reply(self.raft.add_learner(member(learner)?).await)
            }
            Wanted::Promote(promotion) => {
                let members: Result<_, _> = promotion.members.into_iter().map(member).collect();
                convert::members_reply(self.raft.promote(members?).await)
            }
        };
        Ok(Response::new(reply))
    }

    async fn snapshot(
        &self,
        request: Request<Streaming<RaftSnapshotPart>>,
    ) -> Result<Response<RaftSnapshotTaken>, Status> {
        let from = self.sender(&request)?;
        let (message, file) = collect(request.into_inner()).await?;
        match self.raft.step_snapshot(from, message, file).await {
            Ok(()) => Ok(Response::new(RaftSnapshotTaken {})),
            Err(error @ SnapshotError::Damaged { .. }) => Err(Status::data_loss(error.to_string())),
            Err(error @ SnapshotError::Refused) => {
                Err(Status::failed_precondition(error.to_string()))
            }
            Err(error @ SnapshotError::Unavailable) => Err(Status::unavailable(error.to_string())),
        }
    }
}

struct Incoming {
    from: MemberId,
    raft: Raft,
    messages: Streaming<RaftMessage>,
}

impl Incoming {
    /// Until either side ends: a stream that outlives its member would hold up the shutdown.
    async fn read(mut self) -> Result<(), Status> {
        loop {
            tokio::select! {
                message = self.messages.message() => {
                    let Some(RaftMessage { message }) = message? else { return Ok(()) };
                    self.raft.step(self.from, message);
                }
                () = self.raft.ended() => {
                    return Err(Status::unavailable("this member is shutting down"));
                }
            }
        }
    }
}

async fn collect(mut parts: Streaming<RaftSnapshotPart>) -> Result<(Bytes, Bytes), Status> {
    let mut message = None;
    let mut file = BytesMut::new();
    while let Some(RaftSnapshotPart { part }) = parts.message().await? {
        match part {
            Some(Part::Message(announced)) if message.is_none() => message = Some(announced),
            Some(Part::File(chunk)) if file.len() + chunk.len() <= RAFT_SNAPSHOT_BYTES_MAX => {
                file.extend_from_slice(&chunk);
            }
            Some(Part::File(_)) => {
                let limit = format!("the snapshot has more than {RAFT_SNAPSHOT_BYTES_MAX} bytes");
                return Err(Status::resource_exhausted(limit));
            }
            Some(Part::Message(_)) | None => {
                return Err(Status::invalid_argument("a part of the snapshot is out of order"));
            }
        }
    }
    let message = message.ok_or_else(|| Status::invalid_argument("the snapshot has no message"))?;
    Ok((message, file.freeze()))
}

fn member(id: u64) -> Result<MemberId, Status> {
    MemberId::new(id).ok_or_else(|| Status::invalid_argument("member ids count from 1"))
}
