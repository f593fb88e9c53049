//! The session with the bridge: the report goes up, its fate comes down.
//!
//! ```text
//! agent ── hello(epoch, revision) ──▶ bridge
//!       ◀── position: what it has ──
//!       ── change on top of that, or everything ──▶
//!       ◀── committed | need_full | refused ──
//!       ── health summaries, heartbeats ──▶
//! ```
//!
//! One report is under way at a time; what changes meanwhile goes with the next.

use std::sync::Arc;

use rialto_types::error::Problem;
use rialto_types::finding::{Examination, Finding};
use rialto_types::id::InstanceId;
use rialto_types::limits;
use rialto_types::report::HealthSummary;
use rialto_wire::beat::{Beat, Due};
use rialto_wire::bridges::Bridges;
use rialto_wire::grpc::agent_message::Message as ToBridge;
use rialto_wire::grpc::agent_reply::Message as FromBridge;
use rialto_wire::grpc::control_client::ControlClient;
use rialto_wire::grpc::{AgentHello, AgentMessage, Heartbeat, status_problem};
use rialto_wire::identity;
use rialto_wire::subscribe::Backoff;
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;
use tokio_stream::wrappers::ReceiverStream;
use tonic::transport::Channel;

use crate::fold::Numbered;

mod uplink;

use uplink::{Next, Uplink};

/// What goes up.
#[derive(Debug, Clone)]
pub struct Sources {
    pub id: InstanceId,
    pub epoch: u64,
    pub report: watch::Receiver<Option<Numbered>>,
    pub summaries: watch::Receiver<Arc<Vec<HealthSummary>>>,
    pub findings: watch::Receiver<Vec<Finding>>,
}

/// How the session stands; for `/readyz`, metrics and logs.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct State {
    pub connected: bool,
    /// The newest report that the bridge has committed.
    pub committed: Option<u64>,
    /// Why the last report was refused, or the last session ended.
    pub problem: Option<String>,
}

/// Holds a session for ever, with backoff between attempts.
pub async fn run(bridges: Bridges, mut sources: Sources, state: watch::Sender<State>) {
    let mut uplink = Uplink::new(sources.epoch);
    let mut backoff = Backoff::default();
    loop {
        let mut session = Session {
            uplink: &mut uplink,
            state: &state,
            bridges: &bridges,
            backoff: &mut backoff,
        };
        let ended = session.run(bridges.channel(), &mut sources).await;
        uplink.handle_disconnected();
        tracing::info!(reason = %ended, "session with the bridge is down; local traffic goes on");
        state.send_modify(|state| {
            state.connected = false;
            state.problem = Some(ended);
        });
        tokio::time::sleep(backoff.next(rand::random())).await;
    }
}

struct Session<'a> {
    uplink: &'a mut Uplink,
    state: &'a watch::Sender<State>,
    bridges: &'a Bridges,
    backoff: &'a mut Backoff,
}

enum Event {
    Reply(Option<FromBridge>),
    Ended(String),
    Report,
    Summaries,
    Findings,
    Beat,
}

fn silence() -> String {
    format!("the bridge was silent for {} s", limits::STREAM_SILENCE_MAX.as_secs())
}

impl Session<'_> {
    /// Runs one session to its end; returns why it ended.
    async fn run(&mut self, channel: Channel, sources: &mut Sources) -> String {
        let (sender, outgoing) = mpsc::channel(limits::SUBSCRIBER_QUEUE);
        let sender = Sender { sender };
        let revision = sources.report.borrow().as_ref().map_or(0, |report| report.revision);
        let hello = AgentHello {
            epoch: sources.epoch,
            revision,
            id: sources.id.to_string(),
            version: env!("CARGO_PKG_VERSION").into(),
        };
        if let Err(reason) = sender.send(ToBridge::Hello(hello)).await {
            return reason;
        }
        let mut client = ControlClient::new(channel)
            .max_decoding_message_size(limits::GRPC_MESSAGE_BYTES_MAX)
            .max_encoding_message_size(limits::GRPC_MESSAGE_BYTES_MAX);
        let mut incoming = match client.agent(ReceiverStream::new(outgoing)).await {
            Ok(response) => response.into_inner(),
            Err(status) => return status_problem(&status).to_string(),
        };
        self.state.send_modify(|state| state.connected = true);
        let (mut beat, mut told) = (Beat::default(), None);
        loop {
            let event = tokio::select! {
                reply = incoming.message() => match reply {
                    Ok(Some(reply)) => Event::Reply(reply.message),
                    Ok(None) => Event::Ended("the bridge ended the session".into()),
                    Err(status) => Event::Ended(status_problem(&status).to_string()),
                },
                Ok(()) = sources.report.changed() => Event::Report,
                Ok(()) = sources.summaries.changed() => Event::Summaries,
                Ok(()) = sources.findings.changed() => Event::Findings,
                due = beat.next() => match due {
                    Due::Sign => Event::Beat,
                    Due::Silence => Event::Ended(silence()),
                },
            };
            let handled = match event {
                Event::Ended(reason) => Err(reason),
                Event::Reply(reply) => {
                    beat.heard();
                    self.take(reply);
                    Ok(())
                }
                Event::Report => Ok(()),
                Event::Summaries => {
                    told = Some(Instant::now());
                    tell(&sender, sources).await
                }
                Event::Findings => tell_findings(&sender, sources).await,
                // The bridge shows the age of what it was told, so that it is told again.
                Event::Beat if told.is_none_or(|told: Instant| told.elapsed() > limits::LEASE) => {
                    told = Some(Instant::now());
                    tell_findings(&sender, sources).await.and(tell(&sender, sources).await)
                }
                Event::Beat => sender.send(ToBridge::Heartbeat(Heartbeat::default())).await,
            };
            let sent = match handled {
                Ok(()) => self.advance(&sender, sources).await,
                Err(reason) => Err(reason),
            };
            if let Err(reason) = sent {
                return reason;
            }
        }
    }

    /// Sends the report if it is time to.
    async fn advance(&mut self, sender: &Sender, sources: &mut Sources) -> Result<(), String> {
        let report = sources.report.borrow_and_update().clone();
        match self.uplink.poll(report.as_ref(), std::time::Instant::now()) {
            Next::Nothing => Ok(()),
            Next::Send(change) => {
                let bytes = serde_json::to_vec(&change).expect("a report has text keys only");
                sender.send(ToBridge::Report(bytes.into())).await
            }
            Next::Late => Err("the bridge did not decide on the report in time".into()),
        }
    }

    fn take(&mut self, reply: Option<FromBridge>) {
        match reply {
            Some(FromBridge::Position(position)) => {
                self.uplink.handle_position(position.epoch, position.revision);
            }
            Some(FromBridge::Committed(revision)) => {
                self.uplink.handle_committed(revision);
                self.backoff.reset();
                self.state.send_modify(|state| {
                    state.committed = Some(revision);
                    state.problem = None;
                });
            }
            Some(FromBridge::NeedFull(_)) => self.uplink.handle_need_full(),
            Some(FromBridge::Refused(bytes)) => {
                let problem = serde_json::from_slice::<Problem>(&bytes);
                let is_retryable = problem.as_ref().is_ok_and(|p| p.code.is_retryable());
                let text = match problem {
                    Ok(problem) => problem.to_string(),
                    Err(_) => {
                        "the bridge refused the report for a reason that we cannot read".into()
                    }
                };
                tracing::warn!(reason = %text, is_retryable, "the bridge refused the report");
                self.uplink.handle_refused(is_retryable, std::time::Instant::now());
                self.state.send_modify(|state| state.problem = Some(text));
            }
            Some(FromBridge::Heartbeat(heartbeat)) => self.bridges.learn(&heartbeat.bridges),
            // A newer bridge says something that this release does not know.
            None => {}
        }
    }
}

async fn tell(sender: &Sender, sources: &mut Sources) -> Result<(), String> {
    let summaries = sources.summaries.borrow_and_update().clone();
    let bytes = serde_json::to_vec(&*summaries).expect("summaries are JSON");
    sender.send(ToBridge::Health(bytes.into())).await
}

async fn tell_findings(sender: &Sender, sources: &mut Sources) -> Result<(), String> {
    let findings = sources.findings.borrow_and_update().clone();
    let version = env!("CARGO_PKG_VERSION").to_owned();
    let told = Examination { version, at: identity::now(), findings };
    let bytes = serde_json::to_vec(&told).expect("findings are JSON");
    sender.send(ToBridge::Examination(bytes.into())).await
}

struct Sender {
    sender: mpsc::Sender<AgentMessage>,
}

impl Sender {
    async fn send(&self, message: ToBridge) -> Result<(), String> {
        let message = AgentMessage { message: Some(message) };
        self.sender.send(message).await.map_err(|_| "the stream was closed".to_owned())
    }
}
