//! Follows the bridge's snapshot stream, for ever, with the last good snapshot on disk.

use std::path::PathBuf;
use std::sync::Arc;

use futures::future::BoxFuture;
use prost::Message;
use rialto_types::error::{Chain, Code, Problem};
use rialto_types::id::Revision;
use rialto_types::limits;
use tokio::sync::{mpsc, watch};
use tokio_stream::wrappers::ReceiverStream;
use tonic::Streaming;
use tonic::transport::Channel;

use super::{Assembled, Assembly, Backoff, Disk, Receiver};
use crate::beat::{Beat, Due};
use crate::bridges::Bridges;
use crate::grpc::bridge_message::Message as FromBridge;
use crate::grpc::control_client::ControlClient;
use crate::grpc::subscriber_message::Message as ToBridge;
use crate::grpc::{
    BridgeMessage, Delta, ExplainAnswer, Heartbeat, SnapshotRefused, SubscriberHello,
    SubscriberMessage,
};

/// Makes one connection to some bridge member, mutually authenticated.
pub type Dial = Arc<dyn Fn() -> BoxFuture<'static, Result<Channel, Problem>> + Send + Sync>;

/// What a subscription needs.
#[derive(Clone)]
pub struct Config {
    /// The way to the members; it is told when there are others.
    pub bridges: Bridges,
    /// Where the last good snapshot is kept.
    pub folder: PathBuf,
}

impl std::fmt::Debug for Config {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Config").field("folder", &self.folder).finish_non_exhaustive()
    }
}

/// How the subscription stands; for `/readyz`, metrics and logs.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct State {
    /// Whether a stream is open.
    pub connected: bool,
    /// The revision in service; `None` before the first.
    pub revision: Option<Revision>,
    /// Whether what is in service came from disk and was not confirmed since.
    pub from_disk: bool,
    /// When the bridge was last heard.
    pub heard: Option<tokio::time::Instant>,
    /// Why the newest revision was not taken, or the last stream ended.
    pub problem: Option<String>,
}

/// Serves from disk at once, then follows the stream until the future is dropped.
pub async fn follow_snapshot<R: Receiver>(
    config: Config,
    receiver: Arc<R>,
    state: watch::Sender<State>,
) {
    let disk = Disk::new(&config.folder, "snapshot");
    let mut assembly = restore(&disk, &*receiver, &state).await;
    let mut backoff = Backoff::default();
    loop {
        let ended = match (config.bridges.dial())().await {
            Ok(channel) => {
                let mut session = Session {
                    disk: &disk,
                    receiver: &receiver,
                    bridges: &config.bridges,
                    state: &state,
                    backoff: &mut backoff,
                };
                session.run(channel, &mut assembly).await
            }
            Err(problem) => problem.to_string(),
        };
        assembly.abandon();
        tracing::info!(reason = %ended, "snapshot stream is down; serving what is held");
        state.send_modify(|state| {
            state.connected = false;
            state.problem = Some(ended);
        });
        tokio::time::sleep(backoff.next(rand::random())).await;
    }
}

async fn restore<R: Receiver>(disk: &Disk, receiver: &R, state: &watch::Sender<State>) -> Assembly {
    let reading = disk.clone();
    let kept = tokio::task::spawn_blocking(move || reading.load()).await.unwrap_or_default();
    for document in kept {
        let Ok(delta) = Delta::decode(document.as_slice()) else { continue };
        let Some(revision) = delta.revision else { continue };
        let Ok((assembly, assembled)) = Assembly::restore(revision.into(), delta.entries) else {
            continue;
        };
        let revision = assembly.revision();
        if receiver.apply(Arc::new(assembled.snapshot)).await.is_ok() {
            tracing::info!(%revision, "serving the snapshot kept on disk");
            state.send_modify(|state| {
                state.revision = Some(revision);
                state.from_disk = true;
            });
            return assembly;
        }
    }
    Assembly::default()
}

struct Session<'a, R> {
    disk: &'a Disk,
    receiver: &'a Arc<R>,
    bridges: &'a Bridges,
    state: &'a watch::Sender<State>,
    backoff: &'a mut Backoff,
}

impl<R: Receiver> Session<'_, R> {
    /// Runs one stream to its end; returns why it ended.
    async fn run(&mut self, channel: Channel, assembly: &mut Assembly) -> String {
        let (sender, mut incoming) = match open(channel, assembly).await {
            Ok(opened) => opened,
            Err(reason) => return reason,
        };
        let mut beat = Beat::default();
        let mut takes_traffic = false;
        loop {
            let message = tokio::select! {
                message = incoming.message() => message,
                report = self.receiver.next_traffic(), if takes_traffic => {
                    let report = report.to_json().into();
                    if send(&sender, ToBridge::Traffic(report)).await.is_err() {
                        return "the stream was closed".into();
                    }
                    continue;
                }
                due = beat.next() => {
                    if due == Due::Silence {
                        let silence_s = limits::STREAM_SILENCE_MAX.as_secs();
                        return format!("the bridge was silent for {silence_s} s");
                    }
                    if send(&sender, ToBridge::Heartbeat(Heartbeat::default())).await.is_err() {
                        return "the stream was closed".into();
                    }
                    continue;
                }
            };
            beat.heard();
            let message = match message {
                Ok(Some(message)) => message.message,
                Ok(None) => return "the bridge ended the stream".into(),
                Err(status) => return crate::grpc::status_problem(&status).to_string(),
            };
            self.state.send_modify(|state| {
                state.connected = true;
                state.heard = Some(tokio::time::Instant::now());
            });
            let handled = match message {
                Some(FromBridge::Delta(delta)) => self.take(delta, assembly, &sender).await,
                Some(FromBridge::Explain(question)) => {
                    self.explain(question, &sender);
                    Ok(())
                }
                Some(FromBridge::Heartbeat(heartbeat)) => {
                    takes_traffic = heartbeat.takes_traffic;
                    self.bridges.learn(&heartbeat.bridges);
                    Ok(())
                }
                // A newer bridge says something that this release does not know.
                None => Ok(()),
            };
            if let Err(reason) = handled {
                return reason;
            }
        }
    }

    async fn take(
        &mut self,
        delta: Delta,
        assembly: &mut Assembly,
        sender: &mpsc::Sender<SubscriberMessage>,
    ) -> Result<(), String> {
        let revision = delta.revision;
        let reason = match assembly.receive(delta) {
            Ok(None) => return Ok(()),
            Ok(Some(assembled)) => match self.serve(assembled, assembly).await {
                Ok(()) => {
                    self.backoff.reset();
                    let revision = assembly.revision();
                    tracing::debug!(%revision, "snapshot is in service");
                    return send(sender, ToBridge::Ack(revision.into())).await;
                }
                Err(reason) => reason,
            },
            Err(refusal) => refusal.to_string(),
        };
        tracing::warn!(%reason, "snapshot refused");
        self.state.send_modify(|state| state.problem = Some(reason.clone()));
        let refused = SnapshotRefused { revision, reason };
        send(sender, ToBridge::Refused(refused)).await
    }

    async fn serve(&mut self, assembled: Assembled, assembly: &Assembly) -> Result<(), String> {
        let revision = assembled.snapshot.revision;
        self.receiver.apply(Arc::new(assembled.snapshot)).await?;
        let document = Delta {
            revision: Some(revision.into()),
            entries: assembly.entries().cloned().collect(),
            removed: Vec::new(),
            last: true,
        }
        .encode_to_vec();
        let disk = self.disk.clone();
        let stored = tokio::task::spawn_blocking(move || disk.store(&document)).await;
        if let Ok(Err(error)) = stored {
            let error = Chain(&error);
            tracing::warn!(%error, "the snapshot is in service but could not be kept on disk");
        }
        self.state.send_modify(|state| {
            state.revision = Some(revision);
            state.from_disk = false;
            state.problem = None;
        });
        match assembled.unreadable.first() {
            None => Ok(()),
            Some(first) => Err(format!(
                "{} access entries cannot be read, their services are denied: {first}; upgrade",
                assembled.unreadable.len()
            )),
        }
    }

    /// Answers in a task of its own, bounded by the stream's life: its sender then fails.
    fn explain(
        &self,
        question: crate::grpc::ExplainQuestion,
        sender: &mpsc::Sender<SubscriberMessage>,
    ) {
        let (receiver, sender) = (self.receiver.clone(), sender.clone());
        tokio::spawn(async move {
            let answered = match serde_json::from_slice(&question.request) {
                Ok(request) => receiver.explain(request).await,
                Err(error) => Err(Problem::new(Code::Unparsable, error.to_string())),
            };
            let failed = answered.is_err();
            let answer = match &answered {
                Ok(explanation) => serde_json::to_vec(explanation),
                Err(problem) => serde_json::to_vec(problem),
            };
            let answer = answer.expect("text keys only").into();
            let answer = ExplainAnswer { id: question.id, answer, failed };
            if send(&sender, ToBridge::Explained(answer)).await.is_err() {
                tracing::debug!("nobody waits for the explanation any more");
            }
        });
    }
}

type Opened = (mpsc::Sender<SubscriberMessage>, Streaming<BridgeMessage>);

/// Opens the stream and says what is held already.
async fn open(channel: Channel, assembly: &Assembly) -> Result<Opened, String> {
    let (sender, outgoing) = mpsc::channel(limits::SUBSCRIBER_QUEUE);
    let hello = SubscriberHello {
        revision: Some(assembly.revision().into()),
        have: assembly.have(),
        version: env!("CARGO_PKG_VERSION").into(),
    };
    send(&sender, ToBridge::Hello(hello)).await?;
    let mut client = ControlClient::new(channel)
        .max_decoding_message_size(limits::GRPC_MESSAGE_BYTES_MAX)
        .max_encoding_message_size(limits::GRPC_MESSAGE_BYTES_MAX);
    match client.subscribe(ReceiverStream::new(outgoing)).await {
        Ok(response) => Ok((sender, response.into_inner())),
        Err(status) => Err(crate::grpc::status_problem(&status).to_string()),
    }
}

async fn send(sender: &mpsc::Sender<SubscriberMessage>, message: ToBridge) -> Result<(), String> {
    let message = SubscriberMessage { message: Some(message) };
    sender.send(message).await.map_err(|_| "the stream was closed".to_string())
}
