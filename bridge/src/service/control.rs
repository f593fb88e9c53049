//! Agents' sessions, and the subscriptions of gateways and DNS proxies.

use std::collections::BTreeMap;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use bytes::Bytes;
use futures::Stream;
use rialto_core::heard::{StreamId, SubscriberKey};
use rialto_core::state::command::Action;
use rialto_core::traffic::Gateway;
use rialto_types::error::{Code, Problem};
use rialto_types::id::{ClusterName, InstanceId, Role};
use rialto_types::limits;
use rialto_types::report::{HealthSummary, ReportChange};
use rialto_wire::beat::{Beat, Due};
use rialto_wire::grpc::agent_message::Message as FromAgent;
use rialto_wire::grpc::agent_reply::Message as ToAgent;
use rialto_wire::grpc::bridge_message::Message as ToSubscriber;
use rialto_wire::grpc::control_server::Control;
use rialto_wire::grpc::subscriber_message::Message as FromSubscriber;
use rialto_wire::grpc::{
    AgentMessage, AgentReply, BridgeMessage, Credentials, ExplainAnswer, ExplainQuestion,
    Heartbeat, IssueRequest, ReportPosition, SubscriberMessage, problem_status,
};
use rialto_wire::identity;
use tokio::sync::{mpsc, oneshot};
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status, Streaming};

use super::{Service, cluster_part};
use crate::publish::Cursor;
use crate::store::Outcome;
use crate::traffic::PushError;

type Replies<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;
type Question = (Bytes, oneshot::Sender<ExplainAnswer>);

/// The gateways that are subscribed here and can be asked.
#[derive(Debug, Default)]
pub(crate) struct Subscribers {
    open: Mutex<BTreeMap<(ClusterName, InstanceId), mpsc::Sender<Question>>>,
}

impl Subscribers {
    fn open(&self, key: &SubscriberKey) -> mpsc::Receiver<Question> {
        let (sender, receiver) = mpsc::channel(limits::EXPLAIN_QUESTIONS_MAX);
        if key.role == Role::Gateway {
            let name = (key.cluster.clone(), key.id.clone());
            self.open.lock().unwrap_or_else(PoisonError::into_inner).insert(name, sender);
        }
        receiver
    }

    /// Asks a gateway of the cluster that is subscribed here.
    pub(super) async fn explain(
        &self,
        cluster: &ClusterName,
        gateway: Option<&InstanceId>,
        request: Bytes,
    ) -> Option<ExplainAnswer> {
        let candidates: Vec<mpsc::Sender<Question>> = {
            let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
            open.retain(|_, sender| !sender.is_closed());
            let fits = |(of, id): &(ClusterName, InstanceId)| {
                of == cluster && gateway.is_none_or(|gateway| gateway == id)
            };
            open.iter().filter(|(name, _)| fits(name)).map(|(_, sender)| sender.clone()).collect()
        };
        for sender in candidates {
            let (reply, answer) = oneshot::channel();
            if sender.try_send((request.clone(), reply)).is_err() {
                continue;
            }
            if let Ok(Ok(answer)) = tokio::time::timeout(limits::EXPLAIN_TIMEOUT, answer).await {
                return Some(answer);
            }
        }
        None
    }
}

/// The gRPC face of sessions and subscriptions.
#[derive(Debug, Clone)]
pub(crate) struct ControlService(pub(crate) Arc<Service>);

#[tonic::async_trait]
impl Control for ControlService {
    type AgentStream = Replies<AgentReply>;
    type SubscribeStream = Replies<BridgeMessage>;

    async fn agent(
        &self,
        request: Request<Streaming<AgentMessage>>,
    ) -> Result<Response<Self::AgentStream>, Status> {
        let (cluster, _, _) = cluster_part(request.extensions(), &[Role::Agent])?;
        let (replies, outgoing) = mpsc::channel(limits::SUBSCRIBER_QUEUE);
        let session = AgentSession { service: self.0.clone(), cluster, replies };
        // Ends with its stream: the receiver's drop closes `replies`.
        tokio::spawn(session.run(request.into_inner()));
        Ok(Response::new(Box::pin(ReceiverStream::new(outgoing))))
    }

    async fn subscribe(
        &self,
        request: Request<Streaming<SubscriberMessage>>,
    ) -> Result<Response<Self::SubscribeStream>, Status> {
        // An agent writes into its cluster what the others export.
        let roles = [Role::Gateway, Role::Dns, Role::Agent];
        let (cluster, role, id) = cluster_part(request.extensions(), &roles)?;
        let (replies, outgoing) = mpsc::channel(limits::SUBSCRIBER_QUEUE);
        let key = SubscriberKey { cluster, role, id };
        let subscription = Subscription { service: self.0.clone(), key, replies };
        // Ends with its stream, as above.
        tokio::spawn(subscription.run(request.into_inner()));
        Ok(Response::new(Box::pin(ReceiverStream::new(outgoing))))
    }

    async fn issue(&self, request: Request<IssueRequest>) -> Result<Response<Credentials>, Status> {
        let issued = self.0.issue(request);
        issued.map(Response::new).map_err(|problem| problem_status(&problem))
    }
}

struct AgentSession {
    service: Arc<Service>,
    cluster: ClusterName,
    replies: mpsc::Sender<Result<AgentReply, Status>>,
}

impl AgentSession {
    async fn run(self, mut incoming: Streaming<AgentMessage>) {
        let stream = self.service.observed.lock().agent_opened(&self.cluster, Instant::now());
        tracing::info!(cluster = %self.cluster, "agent connected");
        let mut beat = Beat::default();
        loop {
            let message = tokio::select! {
                message = incoming.message() => message,
                due = beat.next() => {
                    let heartbeat = ToAgent::Heartbeat(self.service.heartbeat());
                    if due == Due::Silence || self.reply(heartbeat).await.is_err() {
                        break;
                    }
                    continue;
                }
            };
            let Ok(Some(AgentMessage { message })) = message else { break };
            beat.heard();
            self.service.observed.lock().agent_heard(&self.cluster, stream, Instant::now());
            // A newer agent says something that this release does not know: a sign of life.
            let Some(message) = message else { continue };
            if self.handle(message, stream).await.is_err() {
                break;
            }
        }
        self.service.observed.lock().agent_closed(&self.cluster, stream);
        tracing::info!(cluster = %self.cluster, "agent disconnected");
    }

    async fn reply(&self, message: ToAgent) -> Result<(), ()> {
        self.replies.send(Ok(AgentReply { message: Some(message) })).await.map_err(|_| ())
    }

    async fn refuse(&self, problem: &Problem) -> Result<(), ()> {
        let problem = serde_json::to_vec(problem).expect("text keys only").into();
        self.reply(ToAgent::Refused(problem)).await
    }

    async fn handle(&self, message: FromAgent, stream: StreamId) -> Result<(), ()> {
        match message {
            FromAgent::Hello(_) => {
                let held = {
                    let state = self.service.store.read();
                    state.cluster(&self.cluster).and_then(|cluster| cluster.position)
                };
                let held = held.unwrap_or_default();
                let position = ReportPosition { epoch: held.epoch, revision: held.index };
                self.reply(ToAgent::Position(position)).await
            }
            FromAgent::Report(document) => self.report(&document).await,
            FromAgent::Health(document) => {
                match serde_json::from_slice::<Vec<HealthSummary>>(&document) {
                    Ok(health) => {
                        let mut heard = self.service.observed.lock();
                        heard.agent_health(&self.cluster, stream, health, Instant::now());
                        Ok(())
                    }
                    Err(error) => {
                        self.refuse(&Problem::new(Code::Unparsable, error.to_string())).await
                    }
                }
            }
            FromAgent::Examination(document) => match serde_json::from_slice(&document) {
                Ok(told) => {
                    let (clock, now) = (identity::now(), Instant::now());
                    let mut heard = self.service.observed.lock();
                    heard.agent_examined(&self.cluster, stream, told, clock, now);
                    Ok(())
                }
                Err(error) => self.refuse(&Problem::new(Code::Unparsable, error.to_string())).await,
            },
            FromAgent::Heartbeat(_) => Ok(()),
        }
    }

    async fn report(&self, document: &[u8]) -> Result<(), ()> {
        let change: ReportChange = match serde_json::from_slice(document) {
            Ok(change) => change,
            Err(error) => {
                return self.refuse(&Problem::new(Code::Unparsable, error.to_string())).await;
            }
        };
        if change.cluster != self.cluster {
            let text = format!(
                "the agent of `{}` reported for `{}`; it may speak for its own cluster only",
                self.cluster, change.cluster
            );
            return self.refuse(&Problem::new(Code::IdentityRefused, text)).await;
        }
        let revision = change.revision;
        let actor = format!("agent:{}", self.cluster);
        let action = Action::ApplyReport(Box::new(change));
        match self.service.commit(actor, None, action).await {
            Ok(Outcome::NeedsFull) => self.reply(ToAgent::NeedFull(Heartbeat::default())).await,
            Ok(_) => self.reply(ToAgent::Committed(revision)).await,
            Err(problem) => self.refuse(&problem).await,
        }
    }
}

struct Subscription {
    service: Arc<Service>,
    key: SubscriberKey,
    replies: mpsc::Sender<Result<BridgeMessage, Status>>,
}

/// Why a subscription ends.
struct Ended;

impl Subscription {
    async fn run(self, mut incoming: Streaming<SubscriberMessage>) {
        let first = tokio::time::timeout(limits::CONNECT_TIMEOUT, incoming.message()).await;
        let Ok(Ok(Some(SubscriberMessage { message: Some(FromSubscriber::Hello(hello)) }))) = first
        else {
            let problem = Problem::new(Code::Unparsable, "the first message must be a hello");
            let _ = self.replies.send(Err(problem_status(&problem))).await;
            return;
        };
        // A member that is behind would send an older snapshot, which the subscriber refuses.
        let held = hello.revision.unwrap_or_default().into();
        let cursor = Cursor::new(held, hello.have);
        let stream =
            self.service.observed.lock().subscriber_opened(self.key.clone(), Instant::now());
        self.service.observed.lock().subscriber_version(&self.key, stream, hello.version);
        let (cluster, role, id) = (&self.key.cluster, self.key.role, &self.key.id);
        tracing::info!(%cluster, %role, %id, "subscriber connected");
        let _ = self.follow(incoming, cursor, stream).await;
        self.service.observed.lock().subscriber_closed(&self.key, stream);
        tracing::info!(%cluster, %role, %id, "subscriber disconnected");
    }

    async fn follow(
        &self,
        mut incoming: Streaming<SubscriberMessage>,
        mut cursor: Cursor,
        stream: StreamId,
    ) -> Result<(), Ended> {
        let mut published = self.service.publisher.subscribe(&self.key.cluster);
        published.mark_changed();
        let mut questions = self.service.subscribers.open(&self.key);
        let mut asked: BTreeMap<u64, oneshot::Sender<ExplainAnswer>> = BTreeMap::new();
        let mut question_id = 0;
        let mut beat = Beat::default();
        loop {
            tokio::select! {
                message = incoming.message() => {
                    let Ok(Some(SubscriberMessage { message })) = message else {
                        return Err(Ended);
                    };
                    beat.heard();
                    let now = Instant::now();
                    self.service.observed.lock().subscriber_heard(&self.key, stream, now);
                    // Nothing is what a newer release says and this one does not know.
                    if let Some(message) = message {
                        self.handle(message, stream, &mut cursor, &mut asked);
                    }
                }
                changed = published.changed() => {
                    if changed.is_err() {
                        return Err(Ended);
                    }
                    let current = published.borrow_and_update().clone();
                    // Nothing until the cluster is compiled for its first subscriber.
                    for delta in current.iter().flat_map(|current| cursor.advance(current)) {
                        self.send(ToSubscriber::Delta(delta))?;
                    }
                }
                Some((request, reply)) = questions.recv() => {
                    asked.retain(|_, reply| !reply.is_closed());
                    question_id += 1;
                    asked.insert(question_id, reply);
                    self.send(ToSubscriber::Explain(ExplainQuestion { id: question_id, request }))?;
                }
                due = beat.next() => {
                    if due == Due::Silence {
                        return Err(Ended);
                    }
                    self.send(ToSubscriber::Heartbeat(self.service.heartbeat()))?;
                }
            }
        }
    }

    /// A subscriber that does not read is cut off; it resumes where it was.
    fn send(&self, message: ToSubscriber) -> Result<(), Ended> {
        let message = BridgeMessage { message: Some(message) };
        self.replies.try_send(Ok(message)).map_err(|_| Ended)
    }

    fn handle(
        &self,
        message: FromSubscriber,
        stream: StreamId,
        cursor: &mut Cursor,
        asked: &mut BTreeMap<u64, oneshot::Sender<ExplainAnswer>>,
    ) {
        match message {
            FromSubscriber::Ack(revision) => {
                self.service.observed.lock().subscriber_acked(&self.key, stream, revision.into());
            }
            FromSubscriber::Refused(refused) => {
                cursor.refused();
                let (cluster, id, reason) = (&self.key.cluster, &self.key.id, refused.reason);
                tracing::warn!(%cluster, %id, %reason, "a subscriber refused a snapshot");
                self.service.observed.lock().subscriber_refused(&self.key, stream, reason);
            }
            FromSubscriber::Explained(answer) => {
                if let Some(reply) = asked.remove(&answer.id) {
                    // Whoever asked may have given up.
                    let _ = reply.send(answer);
                }
            }
            FromSubscriber::Traffic(document) => self.count(&document),
            FromSubscriber::Hello(_) | FromSubscriber::Heartbeat(_) => {}
        }
    }

    /// Keeps what a gateway counted; what cannot be kept is a gap, and the stream goes on.
    fn count(&self, document: &[u8]) {
        let (cluster, id) = (&self.key.cluster, &self.key.id);
        if self.key.role != Role::Gateway {
            tracing::debug!(%cluster, role = %self.key.role, %id, "no gateway, yet it counts");
            return;
        }
        let gateway = Gateway { cluster: cluster.clone(), id: id.clone() };
        let pushed = self.service.traffic.push(gateway, document, Instant::now());
        self.service
            .metrics
            .traffic_reported(pushed.as_ref().map_or_else(PushError::label, |()| "kept"));
        if let Err(refused) = pushed {
            let error: &dyn std::error::Error = &refused;
            tracing::debug!(%cluster, %id, error, "a report of traffic is not kept");
        }
    }
}
