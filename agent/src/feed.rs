//! What the agent serves to the gateways and DNS proxies of its own cluster.
//!
//! ```text
//! Unix socket:  First  (who: the kernel's word)      ──▶ bridge Issue
//! TLS:          First  (who: the API server's word)  ──▶ bridge Issue, in Kubernetes only
//! mutual TLS:   Renew  (who: the certificate's word) ──▶ bridge Issue
//!               Table  ◀── the local table, then its changes; a gateway's address ──▶ report
//! ```

use std::net::SocketAddr;
use std::sync::Arc;

use rialto_types::error::{Code, Problem};
use rialto_types::id::{ClusterName, InstanceId, Role, TrustDomain};
use rialto_types::limits;
use rialto_types::local::LocalTable;
use rialto_wire::beat::{Beat, Due};
use rialto_wire::grpc::control_client::ControlClient;
use rialto_wire::grpc::local_join_server::{LocalJoin, LocalJoinServer};
use rialto_wire::grpc::local_message::Message as FromPart;
use rialto_wire::grpc::local_reply::Message as ToPart;
use rialto_wire::grpc::local_server::{Local, LocalServer};
use rialto_wire::grpc::{
    Credentials, FirstRequest, Heartbeat, IssueRequest, LocalCredentials, LocalMessage, LocalReply,
    Table, TableChange, problem_status,
};
use rialto_wire::transport::{PeerIdentity, PeerUser};
use tokio::sync::{mpsc, watch};
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::task::TaskTracker;
use tonic::service::Routes;
use tonic::transport::Channel;

use tonic::{Request, Response, Status, Streaming};

use crate::kubernetes::review::Reviewer;
use crate::metrics::Metrics;

/// A gateway came or went.
#[derive(Debug, PartialEq, Eq)]
pub enum Event {
    /// `address` is `None` where the registry knows it.
    GatewayConnected {
        id: InstanceId,
        address: Option<SocketAddr>,
    },
    GatewayGone {
        id: InstanceId,
    },
}

/// A channel to a member, as the members are now.
pub type ToBridge = Arc<dyn Fn() -> Channel + Send + Sync>;

/// What both listeners share.
#[derive(Clone)]
pub struct Feed {
    pub cluster: ClusterName,
    pub domain: TrustDomain,
    /// Whose processes may ask on the Unix socket, besides root's.
    pub user: u32,
    /// Who says whose token it is that a pod shows.
    pub reviewer: Option<Reviewer>,
    /// `HOST:PORT` of the mutual TLS listener, as parts reach it.
    pub address: String,
    pub bridge: ToBridge,
    pub table: watch::Receiver<Option<Arc<LocalTable>>>,
    pub events: mpsc::Sender<Event>,
    /// Owns the tasks of open streams.
    pub streams: TaskTracker,
    pub metrics: Arc<Metrics>,
}

impl std::fmt::Debug for Feed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Feed").field("cluster", &self.cluster).finish_non_exhaustive()
    }
}

impl Feed {
    /// What is served on the Unix socket.
    pub fn local_routes(&self) -> Routes {
        Routes::new(LocalJoinServer::new(self.clone()))
    }

    /// What is served by mutual TLS.
    pub fn routes(&self) -> Routes {
        let service = LocalServer::new(self.clone())
            .max_decoding_message_size(limits::GRPC_MESSAGE_BYTES_MAX)
            .max_encoding_message_size(limits::LOCAL_TABLE_BYTES_MAX);
        match self.reviewer {
            // Who has no certificate yet comes here too; every other service asks for one.
            Some(_) => Routes::new(service).add_service(LocalJoinServer::new(self.clone())),
            None => Routes::new(service),
        }
    }

    /// Asks the bridge for a certificate for a part of this cluster.
    async fn issue(
        &self,
        role: Role,
        id: &InstanceId,
        certificate_request: bytes::Bytes,
    ) -> Result<Credentials, Status> {
        let (role, id) = (role.to_string(), id.to_string());
        let request = IssueRequest { certificate_request, role, id };
        // The bridge's status is passed on with its problem inside.
        let issued = ControlClient::new((self.bridge)()).issue(request).await;
        self.metrics.count_certificate(if issued.is_ok() { "issued" } else { "failed" });
        issued.map(Response::into_inner)
    }

    fn check_user(&self, user: u32) -> Result<(), Status> {
        if user == 0 || user == self.user {
            return Ok(());
        }
        let own = self.user;
        let detail =
            format!("user {user} may not have a certificate; run as user {own} or as root");
        Err(self.refuse("user", Code::IdentityRefused, detail))
    }

    fn refuse(&self, reason: &'static str, code: Code, detail: impl Into<String>) -> Status {
        self.metrics.count_refused(reason);
        let problem = Problem::new(code, detail);
        tracing::warn!(reason, %problem, "a request of a local part was refused");
        problem_status(&problem)
    }

    /// The gateway or DNS proxy of this cluster that sent a request.
    fn part<T>(&self, request: &Request<T>) -> Result<(Role, InstanceId), Status> {
        let peer = request.extensions().get::<PeerIdentity>().and_then(|peer| peer.0.as_ref());
        let Some(peer) = peer else {
            return Err(self.refuse("no-certificate", Code::IdentityRefused, "no certificate"));
        };
        match peer.as_part() {
            Some((role @ (Role::Gateway | Role::Dns), id))
                if peer.trust_domain() == self.domain =>
            {
                Ok((role, id))
            }
            Some(_) | None => {
                let detail = format!("`{peer}` is no gateway or DNS proxy of `{}`", self.domain);
                Err(self.refuse("identity", Code::IdentityRefused, detail))
            }
        }
    }
}

#[tonic::async_trait]
impl LocalJoin for Feed {
    async fn first(
        &self,
        request: Request<FirstRequest>,
    ) -> Result<Response<LocalCredentials>, Status> {
        let user = request.extensions().get::<PeerUser>().map(|user| user.uid);
        let request = request.into_inner();
        let role = match request.role.parse() {
            Ok(role @ (Role::Gateway | Role::Dns)) => role,
            Ok(Role::Agent | Role::Member) | Err(_) => {
                let detail = format!("role {:?} is neither `gateway` nor `dns`", request.role);
                return Err(self.refuse("role", Code::Invalid, detail));
            }
        };
        let id: InstanceId = request
            .id
            .parse()
            .map_err(|error| self.refuse("id", Code::Invalid, format!("id: {error}")))?;
        match (user, &self.reviewer) {
            (Some(user), _) => self.check_user(user)?,
            (None, Some(reviewer)) => {
                let reviewed = reviewer.review(&request.service_account_token, role, &id).await;
                reviewed.map_err(|problem| self.refuse("token", problem.code, problem.detail))?;
            }
            (None, None) => {
                let detail = "certificates are given on the Unix socket only";
                return Err(self.refuse("user", Code::IdentityRefused, detail));
            }
        }
        let credentials = self.issue(role, &id, request.certificate_request).await?;
        tracing::info!(%role, %id, "a local part got its first certificate");
        Ok(Response::new(LocalCredentials {
            credentials: Some(credentials),
            agent: self.address.clone(),
            cluster: self.cluster.to_string(),
        }))
    }
}

#[tonic::async_trait]
impl Local for Feed {
    type TableStream = ReceiverStream<Result<LocalReply, Status>>;

    async fn table(
        &self,
        request: Request<Streaming<LocalMessage>>,
    ) -> Result<Response<Self::TableStream>, Status> {
        let (role, id) = self.part(&request)?;
        let (replies, outgoing) = mpsc::channel(limits::SUBSCRIBER_QUEUE);
        let subscriber = Subscriber {
            feed: self.clone(),
            role,
            id,
            incoming: request.into_inner(),
            replies,
            gateway: None,
            told: Told::default(),
        };
        self.streams.spawn(subscriber.run());
        Ok(Response::new(ReceiverStream::new(outgoing)))
    }

    async fn renew(&self, request: Request<IssueRequest>) -> Result<Response<Credentials>, Status> {
        let (role, id) = self.part(&request)?;
        let csr = request.into_inner().certificate_request;
        self.issue(role, &id, csr).await.map(Response::new)
    }
}

/// One open stream.
struct Subscriber {
    feed: Feed,
    role: Role,
    id: InstanceId,
    incoming: Streaming<LocalMessage>,
    replies: mpsc::Sender<Result<LocalReply, Status>>,
    gateway: Option<Registered>,
    told: Told,
}

/// What a part was told on its stream.
#[derive(Debug, Default)]
struct Told {
    takes_changes: bool,
    table: Option<Arc<LocalTable>>,
}

impl Told {
    /// The newest table, whole at first, and for who takes no changes.
    fn next(&mut self, newest: Arc<LocalTable>) -> ToPart {
        let before = self.table.replace(newest.clone()).filter(|_| self.takes_changes);
        match before {
            Some(before) => ToPart::Change(TableChange::between(&before, &newest)),
            None => ToPart::Table(Table::of(&newest)),
        }
    }
}

/// A gateway is registered for as long as this lives.
struct Registered {
    id: InstanceId,
    events: mpsc::Sender<Event>,
    streams: TaskTracker,
}

impl Drop for Registered {
    fn drop(&mut self) {
        // The stream may be dropped where nothing can be awaited; the loop may be full.
        let (events, id) = (self.events.clone(), self.id.clone());
        self.streams.spawn(async move {
            if events.send(Event::GatewayGone { id }).await.is_err() {
                tracing::debug!("the agent is stopping");
            }
        });
    }
}

impl Subscriber {
    async fn run(mut self) {
        let (role, id) = (self.role, self.id.clone());
        tracing::info!(%role, %id, "a local part is connected");
        self.feed.metrics.subscribers.inc();
        let reason = self.serve().await;
        self.feed.metrics.subscribers.dec();
        tracing::info!(%role, %id, reason, "a local part is gone");
    }

    /// Serves the table until the stream ends; returns why.
    async fn serve(&mut self) -> &'static str {
        let mut table = self.feed.table.clone();
        table.mark_changed();
        let mut beat = Beat::default();
        loop {
            let reply = tokio::select! {
                message = self.incoming.message() => {
                    beat.heard();
                    match message {
                        Ok(Some(message)) => match self.take(message).await {
                            Ok(()) => continue,
                            Err(reason) => return reason,
                        },
                        Ok(None) | Err(_) => return "it ended the stream",
                    }
                }
                changed = table.changed() => match changed {
                    Ok(()) => {
                        let newest = table.borrow_and_update().clone();
                        newest.map(|newest| self.told.next(newest))
                    }
                    Err(_) => return "the agent is stopping",
                },
                due = beat.next() => match due {
                    Due::Silence => return "it was silent",
                    Due::Sign => Some(ToPart::Heartbeat(Heartbeat::default())),
                },
                () = self.replies.closed() => return "it is gone",
            };
            let Some(message) = reply else { continue };
            if self.replies.send(Ok(LocalReply { message: Some(message) })).await.is_err() {
                return "it is gone";
            }
        }
    }

    async fn take(&mut self, message: LocalMessage) -> Result<(), &'static str> {
        let Some(FromPart::Hello(hello)) = message.message else { return Ok(()) };
        self.told.takes_changes = hello.takes_changes;
        let is_gateway = self.role == Role::Gateway;
        if self.gateway.is_some() || (hello.advertise.is_empty() && !is_gateway) {
            return Ok(());
        }
        if hello.advertise.is_empty() {
            return self.register(None).await;
        }
        let is_dialled =
            |address: &SocketAddr| !address.ip().is_unspecified() && address.port() > 0;
        let address: Option<SocketAddr> = hello.advertise.parse().ok().filter(is_dialled);
        let refusal = match (self.role, address) {
            (Role::Gateway, Some(address)) => return self.register(Some(address)).await,
            (Role::Gateway, None) => format!(
                "`{}` is no address that others can dial; set the gateway's `tunnel.advertise`",
                hello.advertise
            ),
            (Role::Dns | Role::Agent | Role::Member, _) => {
                format!("{} `{}` is no gateway and has no tunnel", self.role, self.id)
            }
        };
        let status = self.feed.refuse("advertise", Code::Invalid, refusal);
        // The stream ends either way.
        let _ = self.replies.send(Err(status)).await;
        Err("it was refused")
    }

    async fn register(&mut self, address: Option<SocketAddr>) -> Result<(), &'static str> {
        let id = self.id.clone();
        let event = Event::GatewayConnected { id, address };
        if self.feed.events.send(event).await.is_err() {
            return Err("the agent is stopping");
        }
        let (id, events) = (self.id.clone(), self.feed.events.clone());
        let streams = self.feed.streams.clone();
        self.gateway = Some(Registered { id, events, streams });
        Ok(())
    }
}

#[cfg(test)]
mod tests;
