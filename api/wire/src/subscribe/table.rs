//! Follows the agent's local table, for ever, with the last good table on disk.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use prost::Message;
use rialto_types::error::Chain;
use rialto_types::limits;
use rialto_types::local::LocalTable;
use tokio::sync::{mpsc, watch};
use tokio_stream::wrappers::ReceiverStream;
use tonic::transport::Channel;

use super::snapshot::Dial;
use super::{Backoff, Disk, Receiver};
use crate::beat::{Beat, Due};
use crate::grpc::local_client::LocalClient;
use crate::grpc::local_message::Message as ToAgent;
use crate::grpc::local_reply::Message as FromAgent;
use crate::grpc::{Heartbeat, LocalHello, LocalMessage, Table, TablePosition};

/// What a subscription to the local table needs.
#[derive(Clone)]
pub struct TableConfig {
    /// Makes one connection to the cluster's agent.
    pub dial: Dial,
    /// Where the last good table is kept.
    pub folder: PathBuf,
    /// A gateway's UDP address as other clusters see it; `None` for DNS proxies.
    pub advertise: Option<SocketAddr>,
}

impl std::fmt::Debug for TableConfig {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TableConfig").field("folder", &self.folder).finish_non_exhaustive()
    }
}

/// Follows the stream until the future is dropped. `held` is what is in service; the sender says
/// whether the agent is connected.
pub async fn follow_table<R: Receiver>(
    config: TableConfig,
    held: Option<Arc<LocalTable>>,
    receiver: Arc<R>,
    connected: watch::Sender<bool>,
) {
    let disk = Disk::new(&config.folder, "local");
    let (kept, keeping) = watch::channel(None);
    let following = follow(&config, receiver, connected, held, kept);
    tokio::join!(following, keep(disk, keeping));
}

async fn follow<R: Receiver>(
    config: &TableConfig,
    receiver: Arc<R>,
    connected: watch::Sender<bool>,
    mut held: Held,
    kept: watch::Sender<Held>,
) {
    let mut backoff = Backoff::default();
    loop {
        let ended = match (config.dial)().await {
            Ok(channel) => {
                let mut session = Session {
                    config,
                    kept: &kept,
                    receiver: &receiver,
                    connected: &connected,
                    backoff: &mut backoff,
                };
                session.run(channel, &mut held).await
            }
            Err(problem) => problem.to_string(),
        };
        connected.send_replace(false);
        tracing::info!(reason = %ended, "local table's stream is down; serving what is held");
        tokio::time::sleep(backoff.next(rand::random())).await;
    }
}

/// The table in service.
type Held = Option<Arc<LocalTable>>;

fn position(held: &Held) -> (u64, u64) {
    held.as_ref().map_or((0, 0), |table| (table.epoch, table.revision))
}

/// Puts the table that `folder` keeps into service, if there is one. To be done before a snapshot
/// that is kept is served: it says what to listen for, and the table where that leads.
pub async fn restore_table<R: Receiver>(folder: &Path, receiver: &R) -> Option<Arc<LocalTable>> {
    let disk = Disk::new(folder, "local");
    let kept = tokio::task::spawn_blocking(move || disk.load()).await.unwrap_or_default();
    for document in kept {
        let decoded = Table::decode(document.as_slice());
        let Some(Ok(table)) = decoded.ok().map(|table| table.open()) else { continue };
        let table = Arc::new(table);
        receiver.apply_table(table.clone()).await;
        tracing::info!("serving the local table kept on disk");
        return Some(table);
    }
    None
}

/// Keeps the newest table on disk, the first one at once.
async fn keep(disk: Disk, mut tables: watch::Receiver<Held>) {
    while tables.changed().await.is_ok() {
        let Some(table) = tables.borrow_and_update().clone() else { continue };
        let disk = disk.clone();
        let store = move || disk.store(&Table::of(&table).encode_to_vec());
        if let Ok(Err(error)) = tokio::task::spawn_blocking(store).await {
            let error = Chain(&error);
            tracing::warn!(%error, "the local table is in service but could not be kept on disk");
        }
        tokio::time::sleep(limits::LOCAL_TABLE_KEEP).await;
    }
}

struct Session<'a, R> {
    config: &'a TableConfig,
    /// What is to be kept on disk.
    kept: &'a watch::Sender<Held>,
    receiver: &'a Arc<R>,
    connected: &'a watch::Sender<bool>,
    backoff: &'a mut Backoff,
}

impl<R: Receiver> Session<'_, R> {
    async fn run(&mut self, channel: Channel, held: &mut Held) -> String {
        let (sender, outgoing) = mpsc::channel(limits::SUBSCRIBER_QUEUE);
        let (epoch, revision) = position(held);
        let hello = LocalHello {
            position: Some(TablePosition { epoch, revision }),
            advertise: self.config.advertise.map(|a| a.to_string()).unwrap_or_default(),
            takes_changes: true,
        };
        if send(&sender, ToAgent::Hello(hello)).await.is_err() {
            return "the stream closed before it began".into();
        }
        let mut client = LocalClient::new(channel)
            .max_decoding_message_size(limits::LOCAL_TABLE_BYTES_MAX)
            .max_encoding_message_size(limits::GRPC_MESSAGE_BYTES_MAX);
        let mut incoming = match client.table(ReceiverStream::new(outgoing)).await {
            Ok(response) => response.into_inner(),
            Err(status) => return crate::grpc::status_problem(&status).to_string(),
        };
        self.connected.send_replace(true);
        let mut beat = Beat::default();
        loop {
            let message = tokio::select! {
                message = incoming.message() => message,
                due = beat.next() => {
                    if due == Due::Silence {
                        let silence_s = limits::STREAM_SILENCE_MAX.as_secs();
                        return format!("the agent was silent for {silence_s} s");
                    }
                    if send(&sender, ToAgent::Heartbeat(Heartbeat::default())).await.is_err() {
                        return "the stream was closed".into();
                    }
                    continue;
                }
            };
            beat.heard();
            let message = match message {
                Ok(Some(message)) => message.message,
                Ok(None) => return "the agent ended the stream".into(),
                Err(status) => return crate::grpc::status_problem(&status).to_string(),
            };
            let offered = match (message, &*held) {
                (Some(FromAgent::Table(table)), _) => table.open(),
                (Some(FromAgent::Change(change)), Some(held)) => change.apply(held),
                (Some(FromAgent::Change(_)), None) => return "a change of no table came".into(),
                (Some(FromAgent::Heartbeat(_)) | None, _) => continue,
            };
            let taken = match offered {
                Ok(table) => self.take(table, held, &sender).await,
                Err(fault) => Err(Chain(&fault).to_string()),
            };
            if let Err(reason) = taken {
                return reason;
            }
        }
    }

    async fn take(
        &mut self,
        table: LocalTable,
        held: &mut Held,
        sender: &mpsc::Sender<LocalMessage>,
    ) -> Result<(), String> {
        let (offered, position) = ((table.epoch, table.revision), position(held));
        if offered < position {
            return Err(format!("local table {offered:?} is older than {position:?}; refused"));
        }
        let table = Arc::new(table);
        self.receiver.apply_table(table.clone()).await;
        *held = Some(table.clone());
        self.kept.send_replace(Some(table));
        self.backoff.reset();
        let ack = TablePosition { epoch: offered.0, revision: offered.1 };
        send(sender, ToAgent::Ack(ack)).await
    }
}

async fn send(sender: &mpsc::Sender<LocalMessage>, message: ToAgent) -> Result<(), String> {
    let message = LocalMessage { message: Some(message) };
    sender.send(message).await.map_err(|_| "the stream was closed".to_string())
}
