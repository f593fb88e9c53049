//! The connections to peer gateways: dialled, accepted, watched, renewed, retired.
//!
//! ```text
//!  set_peers ──> slots (one task each: dial, keep, dial again) ──┐
//!                                                                ├──> members ──> pick ──> open
//!  UDP socket ──> accept ──> handshake ──> identity ──> hello ───┘      │
//!                                                       Event::{Up, Down, Stream, ...} ──> owner
//! ```
//!
//! Lives on one worker's thread. A flow goes to the connection with the fewest waiting streams,
//! then the fewest streams, and stays there.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

use rialto_types::cluster::trust_domain;
use rialto_types::id::{ClusterName, InstanceId};
use rialto_types::limits;
use rialto_types::report::HealthSummary;
use rustls::pki_types::CertificateDer;
use tokio::sync::futures::Notified;
use tokio::sync::{Notify, Semaphore, mpsc};
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::{Instant, sleep, timeout};

use super::message::{self, PeerMessage};
use super::quic::{DialError, Endpoint, Incoming};
use super::{Connection, ConnectionId, ConnectionLost, ConnectionStats, RecvStream, SendStream};

mod connection;
mod slot;

/// A gateway of another cluster, as its certificate names it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PeerId {
    pub cluster: ClusterName,
    pub gateway: InstanceId,
}

impl fmt::Display for PeerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.cluster, self.gateway)
    }
}

/// Names the peer that proved these certificates, or says why it may not connect.
pub type Authenticate = dyn Fn(&[CertificateDer<'static>]) -> Result<PeerId, String>;

/// What happens on the connections. Handed to the owner at once, so the owner must not block.
#[derive(Debug)]
pub enum Event {
    Up {
        peer: PeerId,
        connection: ConnectionId,
        dialled: bool,
    },
    Down {
        peer: PeerId,
        connection: ConnectionId,
        reason: ConnectionLost,
    },
    DialFailed {
        peer: PeerId,
        reason: Error,
    },
    /// Somebody connected and was sent away.
    Refused {
        address: SocketAddr,
        reason: Error,
    },
    /// The peer opened a flow.
    Stream {
        peer: PeerId,
        send: SendStream,
        recv: RecvStream,
    },
    Summary {
        peer: PeerId,
        services: Vec<HealthSummary>,
    },
    Draining {
        peer: PeerId,
    },
}

/// Why a connection did not come to be, or was cut by us.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("cannot dial")]
    Dial(#[source] DialError),
    #[error("no handshake within {} ms", .0.as_millis())]
    TimedOut(Duration),
    #[error("handshake failed")]
    Handshake(#[source] ConnectionLost),
    #[error("peer's certificate is refused: {0}")]
    Identity(String),
    #[error("peer is `{found}`, but `{expected}` was dialled; is its address right?")]
    OtherPeer { expected: PeerId, found: PeerId },
    #[error("peer did not greet")]
    Greeting(#[source] message::Error),
    #[error("peer's first message is not a greeting")]
    NoGreeting,
    #[error("peer already has {0} connections")]
    TooMany(usize),
    #[error("too many handshakes are under way")]
    TooManyHandshakes,
}

impl Error {
    /// The value of the `reason` label in metrics.
    pub fn label(&self) -> &'static str {
        match self {
            Self::Dial(_) => "dial",
            Self::TimedOut(_) => "timed_out",
            Self::Handshake(_) => "handshake",
            Self::Identity(_) => "identity",
            Self::OtherPeer { .. } => "other_peer",
            Self::Greeting(_) | Self::NoGreeting => "greeting",
            Self::TooMany(_) => "too_many_connections",
            Self::TooManyHandshakes => "too_many_handshakes",
        }
    }
}

#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    #[error("no connection to gateway `{0}` can take a flow")]
    NotConnected(PeerId),
    #[error("the connection to gateway `{peer}` was lost")]
    Lost {
        peer: PeerId,
        #[source]
        source: ConnectionLost,
    },
}

/// A stream just opened to a peer, and the connection that carries it.
#[derive(Debug)]
pub struct Opened {
    pub send: SendStream,
    pub recv: RecvStream,
    pub connection: Connection,
}

/// A connection as metrics and the debug page show it.
#[derive(Debug, Clone)]
pub struct MemberReport {
    pub peer: PeerId,
    pub connection: ConnectionId,
    pub address: SocketAddr,
    pub dialled: bool,
    pub retired: bool,
    pub streams: usize,
    pub silence: Duration,
    pub stats: ConnectionStats,
}

/// Handle on the pool; clones are handles on the same one.
#[derive(Clone)]
pub struct Pool {
    shared: Rc<Shared>,
}

struct Shared {
    endpoint: Endpoint,
    gateway: InstanceId,
    authenticate: Box<Authenticate>,
    owner: Box<dyn Fn(Event)>,
    peers: RefCell<BTreeMap<PeerId, Peer>>,
    /// The newest summary, for connections that come up later.
    summary: RefCell<Vec<HealthSummary>>,
    draining: Cell<bool>,
    /// Whether any member may be a suspect, so that flows need not look.
    suspicion: Cell<bool>,
    /// Whether any peer may be under its first dialling, likewise.
    first_dials: Cell<bool>,
    /// A connection came up or could not be dialled, or a peer told of its endpoints.
    news: Notify,
    handshakes: Semaphore,
    tasks: RefCell<JoinSet<()>>,
}

#[derive(Default)]
struct Peer {
    /// Where it is dialled; absent for a peer that only dials us.
    address: Option<SocketAddr>,
    slots: Vec<Slot>,
    members: Vec<Member>,
    draining: bool,
    /// When flows stop to wait for the first dialling; absent once it has ended.
    first_dial: Option<Instant>,
}

/// One connection that is kept up by dialling.
struct Slot {
    task: AbortHandle,
    /// Asks for a new connection in place of the present one.
    renew: Rc<Notify>,
}

struct Member {
    connection: Connection,
    dialled: bool,
    outbox: mpsc::Sender<PeerMessage>,
    /// Bytes received when a flow met silence here; more than that clears the suspicion.
    suspected_at: Option<u64>,
}

impl Member {
    fn is_usable(&self) -> bool {
        !self.connection.is_closed() && !self.connection.load().is_retired()
    }

    fn is_suspect(&self) -> bool {
        self.suspected_at.is_some_and(|received| self.connection.stats().bytes_received <= received)
    }

    fn retire(&self) {
        self.connection.load().retire();
        self.send(PeerMessage::Retiring);
    }

    fn send(&self, message: PeerMessage) {
        if self.outbox.try_send(message).is_err() {
            // The peer does not read its messages; the watch will find out whether it lives.
            tracing::debug!(connection = %self.connection.id(), "peer message dropped");
        }
    }
}

impl fmt::Debug for Pool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pool").field("members", &self.members()).finish_non_exhaustive()
    }
}

impl Pool {
    /// Starts to accept. Must be called inside the worker's `LocalSet`; ends with `close`.
    pub fn start(
        endpoint: Endpoint,
        gateway: InstanceId,
        authenticate: Box<Authenticate>,
        owner: Box<dyn Fn(Event)>,
    ) -> Self {
        let pool = Self {
            shared: Rc::new(Shared {
                endpoint,
                gateway,
                authenticate,
                owner,
                peers: RefCell::default(),
                summary: RefCell::default(),
                draining: Cell::new(false),
                suspicion: Cell::new(false),
                first_dials: Cell::new(false),
                news: Notify::new(),
                handshakes: Semaphore::new(limits::TUNNEL_HANDSHAKES_MAX),
                tasks: RefCell::default(),
            }),
        };
        pool.spawn(pool.clone().accept());
        pool
    }

    pub fn endpoint(&self) -> &Endpoint {
        &self.shared.endpoint
    }

    /// Dials those that are new, leaves alone those that are as before, retires the others.
    pub fn set_peers(&self, wanted: &BTreeMap<PeerId, SocketAddr>) {
        let mut peers = self.shared.peers.borrow_mut();
        for (id, peer) in peers.iter_mut() {
            if peer.address.is_some() && peer.address.as_ref() != wanted.get(id) {
                peer.address = None;
                peer.slots.drain(..).for_each(|slot| slot.task.abort());
                peer.members.iter().filter(|m| m.dialled).for_each(Member::retire);
            }
        }
        for (id, &address) in wanted {
            let peer = peers.entry(id.clone()).or_default();
            if peer.address.is_none() {
                peer.address = Some(address);
                peer.first_dial = Some(Instant::now() + limits::FIRST_DIAL_TIME_MAX);
                self.shared.first_dials.set(true);
                peer.slots = (0..limits::PEER_CONNECTIONS)
                    .map(|_| self.start_slot(id.clone(), address))
                    .collect();
            }
        }
        peers.retain(|_, peer| peer.address.is_some() || !peer.members.is_empty());
    }

    /// Peers of which every connection met silence and was not heard since.
    pub fn suspects(&self) -> Vec<PeerId> {
        if !self.shared.suspicion.get() {
            return Vec::new();
        }
        let peers = self.shared.peers.borrow();
        let is_suspect = |peer: &Peer| {
            let mut usable = peer.members.iter().filter(|member| member.is_usable()).peekable();
            usable.peek().is_some() && usable.all(Member::is_suspect)
        };
        let suspects: Vec<_> =
            peers.iter().filter(|(_, peer)| is_suspect(peer)).map(|(id, _)| id.clone()).collect();
        self.shared.suspicion.set(!suspects.is_empty());
        suspects
    }

    /// Until when a flow for this peer should wait because it is dialled for the first time.
    pub fn first_dial(&self, peer: &PeerId) -> Option<Instant> {
        if !self.shared.first_dials.get() {
            return None;
        }
        let now = Instant::now();
        let peers = self.shared.peers.borrow();
        let until = |peer: &Peer| {
            let until = peer.first_dial.filter(|until| now < *until)?;
            best(peer).is_none().then_some(until)
        };
        self.shared.first_dials.set(peers.values().any(|peer| until(peer).is_some()));
        peers.get(peer).and_then(until)
    }

    /// Resolves when something is heard of any peer that may change a choice, from the call on.
    pub fn news(&self) -> Notified<'_> {
        self.shared.news.notified()
    }

    fn end_first_dial(&self, peer: &PeerId) {
        if let Some(peer) = self.shared.peers.borrow_mut().get_mut(peer) {
            peer.first_dial = None;
        }
        self.shared.news.notify_waiters();
    }

    /// Whether a connection of the peer can take a flow.
    pub fn is_connected(&self, peer: &PeerId) -> bool {
        self.shared.peers.borrow().get(peer).and_then(best).is_some()
    }

    /// Opens a stream to one gateway. Write its header at once.
    pub async fn open(&self, peer: &PeerId) -> Result<Opened, OpenError> {
        let connection = {
            let peers = self.shared.peers.borrow();
            let best = peers.get(peer).and_then(best);
            best.map(|member| member.connection.clone())
        };
        let connection = connection.ok_or_else(|| OpenError::NotConnected(peer.clone()))?;
        match connection.open().await {
            Ok((send, recv)) => Ok(Opened { send, recv, connection }),
            Err(source) => Err(OpenError::Lost { peer: peer.clone(), source }),
        }
    }

    /// A flow met silence: prefer others until something is received from the peer.
    pub fn suspect(&self, peer: &PeerId) {
        if let Some(peer) = self.shared.peers.borrow_mut().get_mut(peer) {
            self.shared.suspicion.set(true);
            for member in &mut peer.members {
                member.suspected_at = Some(member.connection.stats().bytes_received);
            }
        }
    }

    /// Tells every peer how this cluster's services are, now and as connections come up.
    pub fn publish_summary(&self, services: Vec<HealthSummary>) {
        self.shared.summary.replace(services);
        let peers = self.shared.peers.borrow();
        for member in peers.values().flat_map(|peer| &peer.members) {
            member.send(self.summary_message());
        }
    }

    /// New certificates: dial anew, and have the peers dial anew, before the old connections end.
    pub fn renew(&self) {
        let peers = self.shared.peers.borrow();
        for peer in peers.values() {
            peer.slots.iter().for_each(|slot| slot.renew.notify_one());
            peer.members.iter().filter(|m| !m.dialled).for_each(Member::retire);
        }
    }

    /// Cuts the connections for which `is_over` holds: given the peer's certificates, and whether a
    /// newer connection of the same peer stands.
    pub fn cut(&self, reason: &str, is_over: impl Fn(&[CertificateDer<'static>], bool) -> bool) {
        let peers = self.shared.peers.borrow();
        for peer in peers.values() {
            let newest = peer.members.iter().map(|member| member.connection.id()).max();
            for Member { connection, .. } in &peer.members {
                if is_over(connection.peer_certificates(), newest > Some(connection.id())) {
                    connection.close(reason);
                }
            }
        }
    }

    pub fn members(&self) -> Vec<MemberReport> {
        let peers = self.shared.peers.borrow();
        let report = |id: &PeerId, member: &Member| MemberReport {
            peer: id.clone(),
            connection: member.connection.id(),
            address: member.connection.remote_address(),
            dialled: member.dialled,
            retired: member.connection.load().is_retired(),
            streams: member.connection.load().halves().div_ceil(2),
            silence: member.connection.silence(),
            stats: member.connection.stats(),
        };
        peers
            .iter()
            .flat_map(|(id, peer)| peer.members.iter().map(move |member| report(id, member)))
            .collect()
    }

    /// Tells every peer, now and as connections come up, to open no more streams to this gateway.
    pub fn announce_draining(&self) {
        self.shared.draining.set(true);
        for member in self.shared.peers.borrow().values().flat_map(|peer| &peer.members) {
            member.send(PeerMessage::Draining);
        }
    }

    /// Takes no new connection, opens no new stream, and waits until every flow has ended.
    pub async fn drain(&self) {
        self.announce_draining();
        self.shared.endpoint.stop_accepting();
        let connections: Vec<Connection> = {
            let mut peers = self.shared.peers.borrow_mut();
            for peer in peers.values_mut() {
                peer.slots.drain(..).for_each(|slot| slot.task.abort());
            }
            let members = peers.values().flat_map(|peer| &peer.members);
            members.map(|member| member.connection.clone()).collect()
        };
        connections.iter().for_each(|connection| connection.load().retire());
        futures::future::join_all(connections.iter().map(Connection::drained)).await;
    }

    /// Ends everything at once. Call `drain` first, with a bound on its time.
    pub async fn close(&self, reason: &str) {
        let mut tasks = self.shared.tasks.take();
        tasks.shutdown().await;
        self.shared.peers.borrow_mut().clear();
        self.shared.endpoint.close(reason).await;
    }

    fn summary_message(&self) -> PeerMessage {
        PeerMessage::Summary { services: self.shared.summary.borrow().clone() }
    }

    fn tell(&self, event: Event) {
        (self.shared.owner)(event);
    }

    fn spawn(&self, task: impl Future<Output = ()> + 'static) -> AbortHandle {
        let mut tasks = self.shared.tasks.borrow_mut();
        while let Some(ended) = tasks.try_join_next() {
            if let Err(error) = ended
                && error.is_panic()
            {
                tracing::error!(%error, "a task of the connection pool panicked");
            }
        }
        tasks.spawn_local(task)
    }
}

/// The connection of a peer that a new flow should take.
fn best(peer: &Peer) -> Option<&Member> {
    peer.members.iter().filter(|member| member.is_usable()).min_by_key(|member| rank(member))
}

fn rank(member: &Member) -> (bool, usize, usize) {
    let load = member.connection.load();
    (member.is_suspect(), load.blocked(), load.halves())
}

#[cfg(test)]
mod tests;
