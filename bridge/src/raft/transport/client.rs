//! Messages and snapshots to the peers over gRPC: one task and one bounded queue per peer.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use rialto_types::error::Chain;
use rialto_types::limits::{
    RAFT_CONNECTION_QUEUE_MAX, RAFT_PEER_QUEUE_MAX, RAFT_RECONNECT_DELAY, RAFT_SNAPSHOT_BYTES_MAX,
    RAFT_SNAPSHOT_CHUNK_BYTES, RAFT_SNAPSHOT_TIMEOUT,
};
use rialto_wire::grpc::raft_client::RaftClient;
use rialto_wire::grpc::raft_snapshot_part::Part;
use rialto_wire::grpc::{RaftMessage, RaftSnapshotPart};
use tokio::runtime::Handle;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio_stream::wrappers::ReceiverStream;
use tonic::transport::Channel;

use super::super::{MemberId, Raft};
use super::{Peers, Unreachable};

/// A channel to a member, which connects at its first call; `None` while its address is not known.
pub type Dial = Arc<dyn Fn(MemberId) -> Option<Channel> + Send + Sync>;

/// The peers of one member. Its tasks end with it.
pub struct GrpcPeers {
    raft: Raft,
    dial: Dial,
    runtime: Handle,
    tasks: Mutex<Tasks>,
}

#[derive(Default)]
struct Tasks {
    queues: HashMap<MemberId, mpsc::Sender<Bytes>>,
    running: JoinSet<()>,
}

#[derive(Debug, thiserror::Error)]
enum SendSnapshotError {
    #[error("the address of member {0} is not known")]
    NoAddress(MemberId),
    #[error("cannot read the snapshot file `{path}`")]
    Read { path: PathBuf, source: std::io::Error },
    #[error("the snapshot file `{path}` has {size} bytes, more than {RAFT_SNAPSHOT_BYTES_MAX}")]
    TooLarge { path: PathBuf, size: usize },
    #[error("the member did not take the snapshot")]
    Call(#[source] Box<tonic::Status>),
    #[error("the member did not take the snapshot in {RAFT_SNAPSHOT_TIMEOUT:?}")]
    Timeout,
}

impl GrpcPeers {
    /// To be called on the runtime that shall run the tasks.
    pub fn new(raft: Raft, dial: Dial) -> GrpcPeers {
        GrpcPeers { raft, dial, runtime: Handle::current(), tasks: Mutex::default() }
    }
}

impl Peers for GrpcPeers {
    fn send(&self, to: MemberId, message: Bytes) -> Result<(), Unreachable> {
        let mut tasks = self.tasks.lock().unwrap_or_else(PoisonError::into_inner);
        let Tasks { queues, running } = &mut *tasks;
        let queue = match queues.entry(to) {
            Entry::Occupied(queue) => queue.into_mut(),
            Entry::Vacant(place) => {
                let (sender, queue) = mpsc::channel(RAFT_PEER_QUEUE_MAX);
                let link = Link { to, raft: self.raft.clone(), dial: self.dial.clone(), queue };
                running.spawn_on(link.run(), &self.runtime);
                place.insert(sender)
            }
        };
        queue.try_send(message).map_err(|_| Unreachable(to))
    }

    fn send_snapshot(&self, to: MemberId, message: Bytes, file: PathBuf) {
        let (raft, dial) = (self.raft.clone(), self.dial.clone());
        let transfer = async move {
            let sent = tokio::time::timeout(
                RAFT_SNAPSHOT_TIMEOUT,
                send_snapshot(&dial, to, message, &file),
            );
            let result = sent.await.unwrap_or(Err(SendSnapshotError::Timeout));
            if let Err(error) = &result {
                let error = Chain(error);
                tracing::warn!(%to, %error, "a snapshot was not delivered, and will be sent again");
            }
            raft.report_snapshot(to, result.is_ok());
        };
        let mut tasks = self.tasks.lock().unwrap_or_else(PoisonError::into_inner);
        while tasks.running.try_join_next().is_some() {}
        tasks.running.spawn_on(transfer, &self.runtime);
    }
}

impl fmt::Debug for GrpcPeers {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("GrpcPeers").finish_non_exhaustive()
    }
}

/// The stream of messages to one peer, opened again whenever it breaks.
struct Link {
    to: MemberId,
    raft: Raft,
    dial: Dial,
    queue: mpsc::Receiver<Bytes>,
}

impl Link {
    async fn run(mut self) {
        let mut channel = None;
        while let Some(message) = self.queue.recv().await {
            if channel.is_none() {
                channel = (self.dial)(self.to);
            }
            let Some(connected) = &channel else {
                self.pause("its address is not known").await;
                continue;
            };
            let Err(status) = self.stream(connected.clone(), message).await else { return };
            // The address may have changed with the restart that broke the stream.
            channel = None;
            self.pause(status.message()).await;
        }
    }

    /// Ends without an error when there will be no more messages.
    async fn stream(&mut self, channel: Channel, first: Bytes) -> Result<(), tonic::Status> {
        let (sender, messages) = mpsc::channel(RAFT_CONNECTION_QUEUE_MAX);
        let lost = |_| tonic::Status::unavailable("the stream is closed");
        sender.send(RaftMessage { message: first }).await.map_err(lost)?;
        let mut answers =
            RaftClient::new(channel).messages(ReceiverStream::new(messages)).await?.into_inner();
        loop {
            tokio::select! {
                message = self.queue.recv() => {
                    let Some(message) = message else { return Ok(()) };
                    tokio::select! {
                        sent = sender.send(RaftMessage { message }) => sent.map_err(lost)?,
                        ended = wait_end(&mut answers) => return Err(ended),
                    }
                }
                ended = wait_end(&mut answers) => return Err(ended),
            }
        }
    }

    async fn pause(&mut self, reason: &str) {
        tracing::debug!(to = %self.to, reason, "a member cannot be reached");
        self.raft.report_unreachable(self.to);
        tokio::time::sleep(RAFT_RECONNECT_DELAY).await;
        // What waited is out of date; raft says it again when it hears of the peer.
        while self.queue.try_recv().is_ok() {}
    }
}

async fn wait_end<T>(answers: &mut tonic::Streaming<T>) -> tonic::Status {
    loop {
        match answers.message().await {
            Ok(Some(_)) => {}
            Ok(None) => return tonic::Status::unavailable("the member closed the stream"),
            Err(status) => return status,
        }
    }
}

async fn send_snapshot(
    dial: &Dial,
    to: MemberId,
    message: Bytes,
    path: &Path,
) -> Result<(), SendSnapshotError> {
    let channel = dial(to).ok_or(SendSnapshotError::NoAddress(to))?;
    let read = tokio::fs::read(path).await;
    let file: Bytes =
        read.map_err(|source| SendSnapshotError::Read { path: path.to_owned(), source })?.into();
    if file.len() > RAFT_SNAPSHOT_BYTES_MAX {
        return Err(SendSnapshotError::TooLarge { path: path.to_owned(), size: file.len() });
    }
    let starts = (0..file.len()).step_by(RAFT_SNAPSHOT_CHUNK_BYTES);
    let chunks = starts.map(move |start| {
        let end = file.len().min(start + RAFT_SNAPSHOT_CHUNK_BYTES);
        Part::File(file.slice(start..end))
    });
    let parts = std::iter::once(Part::Message(message)).chain(chunks);
    let parts = parts.map(|part| RaftSnapshotPart { part: Some(part) });
    let sent = RaftClient::new(channel).snapshot(tokio_stream::iter(parts)).await;
    sent.map(|_| ()).map_err(|status| SendSnapshotError::Call(Box::new(status)))
}
