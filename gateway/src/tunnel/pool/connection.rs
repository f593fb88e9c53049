//! One connection from its handshake to its end: identity, greeting, streams, messages.

use rialto_types::error::Chain;

use super::slot::within;
use super::{
    Connection, Error, Event, Incoming, Member, Notify, PeerId, PeerMessage, Pool, Rc, limits,
    message, mpsc,
};
use crate::tunnel::SendStream;
use crate::tunnel::message::Reader;

impl Pool {
    /// Handshakes run side by side, in a bounded number.
    pub(super) async fn accept(self) {
        while let Some(incoming) = self.shared.endpoint.accept().await {
            let address = incoming.remote_address();
            let under_way =
                limits::TUNNEL_HANDSHAKES_MAX - self.shared.handshakes.available_permits();
            if under_way >= limits::TUNNEL_HANDSHAKES_FREE && !incoming.is_validated() {
                incoming.ask_for_validation();
                continue;
            }
            if self.shared.handshakes.available_permits() == 0 {
                incoming.refuse();
                self.tell(Event::Refused { address, reason: Error::TooManyHandshakes });
                continue;
            }
            let pool = self.clone();
            self.spawn(async move {
                if let Err(reason) = pool.admit(incoming).await {
                    pool.tell(Event::Refused { address, reason });
                }
            });
        }
    }

    async fn admit(&self, incoming: Incoming) -> Result<(), Error> {
        let _permit = self.shared.handshakes.try_acquire().map_err(|_| Error::TooManyHandshakes)?;
        within(limits::HANDSHAKE_TIME_MAX, async {
            let connection = incoming.handshake().await.map_err(Error::Handshake)?;
            let peer = self.identify(&connection)?;
            let count = self.shared.peers.borrow().get(&peer).map_or(0, |peer| peer.members.len());
            if count >= limits::PEER_CONNECTIONS_MAX {
                connection.close("too many connections");
                return Err(Error::TooMany(count));
            }
            self.greet(peer, connection, None).await
        })
        .await?;
        Ok(())
    }

    /// Who the peer is, by its certificate alone.
    pub(super) fn identify(&self, connection: &Connection) -> Result<PeerId, Error> {
        (self.shared.authenticate)(connection.peer_certificates()).map_err(|reason| {
            connection.close("certificate refused");
            Error::Identity(reason)
        })
    }

    /// A TLS 1.3 client is done before the server has looked at its certificate, so both sides
    /// greet, and a connection counts only once the other's greeting is here.
    pub(super) async fn greet(
        &self,
        peer: PeerId,
        connection: Connection,
        renew: Option<Rc<Notify>>,
    ) -> Result<Connection, Error> {
        let mut control = connection.open_control().await.map_err(Error::Handshake)?;
        let hello = PeerMessage::Hello { gateway: self.shared.gateway.clone() };
        message::write(&mut control, &hello).await.map_err(Error::Greeting)?;
        let mut reader = Reader::new(connection.accept_control().await.map_err(Error::Handshake)?);
        let Some(PeerMessage::Hello { .. }) = reader.next().await.map_err(Error::Greeting)? else {
            connection.close("no greeting");
            return Err(Error::NoGreeting);
        };
        let (outbox, messages) = mpsc::channel(limits::PEER_OUTBOX_MAX);
        let dialled = renew.is_some();
        let member = Member { connection: connection.clone(), dialled, outbox, suspected_at: None };
        member.send(self.summary_message());
        if self.shared.draining.get() {
            member.send(PeerMessage::Draining);
        }
        {
            let mut peers = self.shared.peers.borrow_mut();
            let entry = peers.entry(peer.clone()).or_default();
            entry.draining = false;
            entry.members.push(member);
        }
        self.tell(Event::Up { peer: peer.clone(), connection: connection.id(), dialled });
        self.end_first_dial(&peer);
        let lines = Lines { control, messages, reader, renew };
        self.spawn(self.clone().serve(peer, connection.clone(), lines));
        Ok(connection)
    }

    /// Serves the connection until it is lost, or retired and empty.
    async fn serve(self, peer: PeerId, connection: Connection, lines: Lines) {
        let Lines { control, messages, reader, renew } = lines;
        let reason = tokio::select! {
            reason = connection.closed() => reason,
            () = self.take_streams(&peer, &connection) => connection.closed().await,
            () = self.read_messages(&peer, &connection, reader, renew.as_deref()) => {
                // Without messages the peer is not understood any more.
                connection.close("control stream ended");
                connection.closed().await
            }
            () = write_messages(control, messages) => connection.closed().await,
            () = retired_and_empty(&connection) => {
                connection.close("retired");
                connection.closed().await
            }
        };
        {
            let mut peers = self.shared.peers.borrow_mut();
            if let Some(entry) = peers.get_mut(&peer) {
                entry.members.retain(|member| member.connection.id() != connection.id());
                if entry.members.is_empty() && entry.address.is_none() {
                    peers.remove(&peer);
                }
            }
        }
        self.tell(Event::Down { peer, connection: connection.id(), reason });
    }

    async fn take_streams(&self, peer: &PeerId, connection: &Connection) {
        while let Ok((send, recv)) = connection.accept().await {
            self.tell(Event::Stream { peer: peer.clone(), send, recv });
        }
    }

    async fn read_messages(
        &self,
        peer: &PeerId,
        connection: &Connection,
        mut reader: Reader,
        renew: Option<&Notify>,
    ) {
        loop {
            let message = match reader.next().await {
                Ok(Some(message)) => message,
                Ok(None) => return,
                Err(error) => {
                    tracing::debug!(%peer, error = %Chain(&error), "control stream ended");
                    return;
                }
            };
            match message {
                PeerMessage::Summary { services } => {
                    self.tell(Event::Summary { peer: peer.clone(), services });
                    self.shared.news.notify_waiters();
                }
                PeerMessage::Retiring => {
                    connection.load().retire();
                    if let Some(renew) = renew {
                        renew.notify_one();
                    }
                }
                PeerMessage::Draining => {
                    // The connection stays: the peer may still open streams of its own flows.
                    if let Some(entry) = self.shared.peers.borrow_mut().get_mut(peer) {
                        entry.draining = true;
                    }
                    self.tell(Event::Draining { peer: peer.clone() });
                }
                PeerMessage::Hello { .. } | PeerMessage::Unknown => {}
            }
        }
    }
}

/// The two directions of the control stream, and what asks the dialling side for a new connection.
struct Lines {
    control: SendStream,
    messages: mpsc::Receiver<PeerMessage>,
    reader: Reader,
    renew: Option<Rc<Notify>>,
}

async fn write_messages(mut control: SendStream, mut messages: mpsc::Receiver<PeerMessage>) {
    while let Some(message) = messages.recv().await {
        if let Err(error) = message::write(&mut control, &message).await {
            tracing::debug!(error = %Chain(&error), "peer message not sent");
        }
    }
}

async fn retired_and_empty(connection: &Connection) {
    connection.load().retired().await;
    connection.drained().await;
}
