//! Queries in, answers out, by UDP and TCP.
//!
//! ```text
//!            react                         finish
//! packet ──▶ not a query: silence
//!            refused: error at once
//!            ours: core::answer, at once
//!            not ours: cache ────────────▶ forwarder, in a task of its own
//! ```
//!
//! One task reads each UDP socket and answers what it can at once, so that a name of ours never
//! waits for an upstream. We read packets ourselves rather than through `hickory-server`: it starts
//! a task for each query (twice the cost, measured) and leaves us no say in what a malformed one
//! gets.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use ipnet::IpNet;
use rialto_types::limits;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UdpSocket};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use crate::convert::{self, Query};
use crate::forward::Forwarder;
use crate::metrics::Metrics;
use crate::names::Names;
use crate::packet;
use crate::sources::Sources;

/// Bytes of a message by TCP at most.
const TCP_BYTES_MAX: usize = u16::MAX as usize;

#[derive(Debug)]
pub(crate) struct Server {
    pub(crate) names: Arc<Names>,
    pub(crate) forwarder: Forwarder,
    /// Who is answered.
    pub(crate) clients: Vec<IpNet>,
    pub(crate) metrics: Arc<Metrics>,
}

/// What a packet gets.
#[derive(Debug)]
enum Reaction {
    Silence,
    Reply(Vec<u8>),
    Forward(Query),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Transport {
    Udp,
    Tcp,
}

impl Transport {
    fn limit(self, query: &Query) -> usize {
        match self {
            Transport::Udp => query.udp_limit(),
            Transport::Tcp => TCP_BYTES_MAX,
        }
    }
}

impl Server {
    /// Serves one UDP socket until `shutdown`.
    pub(crate) async fn serve_udp(
        self: Arc<Self>,
        socket: Arc<UdpSocket>,
        shutdown: CancellationToken,
    ) {
        let mut forwards = JoinSet::new();
        let mut buffer = vec![0; TCP_BYTES_MAX];
        loop {
            let received = tokio::select! {
                biased;
                () = shutdown.cancelled() => break,
                received = socket.recv_from(&mut buffer) => received,
            };
            while forwards.try_join_next().is_some() {}
            // An error here is an earlier answer's: its client is gone.
            let Ok((length, client)) = received else { continue };
            match self.react(&buffer[..length], client.ip(), Transport::Udp) {
                Reaction::Silence => {}
                Reaction::Reply(bytes) => send(&socket, client, &bytes).await,
                Reaction::Forward(query) => {
                    let (server, socket) = (self.clone(), socket.clone());
                    forwards.spawn(async move {
                        let bytes = server.forward(&query, client.ip(), query.udp_limit()).await;
                        send(&socket, client, &bytes).await;
                    });
                }
            }
        }
        let rest = async { while forwards.join_next().await.is_some() {} };
        // What is still under way is dropped with the set.
        if timeout(limits::SHUTDOWN_GRACE, rest).await.is_err() {
            tracing::debug!("queries were still waiting for an upstream at the end");
        }
    }

    /// Serves one TCP listener until `shutdown`.
    pub(crate) async fn serve_tcp(
        self: Arc<Self>,
        listener: TcpListener,
        shutdown: CancellationToken,
    ) {
        let places = Arc::new(Semaphore::new(limits::DNS_TCP_CONNECTIONS_MAX));
        let sources = Sources::new(limits::DNS_TCP_CONNECTIONS_PER_SOURCE_MAX);
        let mut connections = JoinSet::new();
        loop {
            let accepted = tokio::select! {
                biased;
                () = shutdown.cancelled() => break,
                accepted = listener.accept() => accepted,
            };
            while connections.try_join_next().is_some() {}
            let (stream, client) = match accepted {
                Ok(accepted) => accepted,
                Err(error) => {
                    tracing::warn!(%error, "cannot accept a connection");
                    tokio::time::sleep(limits::ACCEPT_BACKOFF).await;
                    continue;
                }
            };
            let source = client.ip().to_canonical();
            let place = places.clone().try_acquire_owned().ok();
            let Some((place, source_place)) = place.zip(sources.take(source)) else {
                self.metrics.count_refused("tcp-crowded");
                continue;
            };
            let (server, shutdown) = (self.clone(), shutdown.clone());
            connections.spawn(async move {
                let _places = (place, source_place);
                let served = tokio::select! {
                    () = shutdown.cancelled() => return,
                    served = server.serve_stream(stream, source) => served,
                };
                if let Err(error) = served {
                    tracing::debug!(%error, "a TCP connection ended early");
                }
            });
        }
        while connections.join_next().await.is_some() {}
    }

    /// Queries of one connection, one after the other, each whole within the idle time.
    async fn serve_stream(&self, mut stream: TcpStream, source: IpAddr) -> io::Result<()> {
        loop {
            let read = timeout(limits::DNS_TCP_IDLE, read_message(&mut stream)).await;
            let Some(message) = read.map_err(|_| io::ErrorKind::TimedOut)?? else {
                return Ok(());
            };
            let bytes = match self.react(&message, source, Transport::Tcp) {
                Reaction::Silence => return Ok(()),
                Reaction::Reply(bytes) => bytes,
                Reaction::Forward(query) => self.forward(&query, source, TCP_BYTES_MAX).await,
            };
            let length = u16::try_from(bytes.len()).map_err(|_| io::ErrorKind::InvalidData)?;
            let framed = [&length.to_be_bytes()[..], &bytes].concat();
            let written = timeout(limits::DNS_TCP_IDLE, stream.write_all(&framed)).await;
            written.map_err(|_| io::ErrorKind::TimedOut)??;
        }
    }

    fn react(&self, bytes: &[u8], source: IpAddr, transport: Transport) -> Reaction {
        self.metrics.count_query(match transport {
            Transport::Udp => "udp",
            Transport::Tcp => "tcp",
        });
        if !self.admits(source) {
            self.metrics.count_refused("client");
            tracing::debug!(%source, "a client that is not configured was refused");
            return match packet::header(bytes) {
                // Answers with answers would loop, and go to whom somebody forged.
                Some(header) if !header.is_answer => {
                    Reaction::Reply(packet::bare_error(&header, packet::code::REFUSED))
                }
                Some(_) | None => Reaction::Silence,
            };
        }
        let query = match convert::read(bytes) {
            Ok(query) => query,
            Err(refusal) => {
                self.metrics.count_refused(refusal.reason);
                return refusal.reply.map_or(Reaction::Silence, Reaction::Reply);
            }
        };
        let limit = transport.limit(&query);
        let Some(answer) = self.names.answer(&query.as_question()) else {
            self.metrics.count_refused("no-snapshot");
            return Reaction::Reply(query.failure());
        };
        if let Some(bytes) = query.answer(&answer, limit) {
            self.metrics.count_answer("federation");
            return Reaction::Reply(bytes);
        }
        if !query.header.recursion_desired {
            self.metrics.count_refused("no-recursion");
            return Reaction::Reply(query.refused());
        }
        match self.forwarder.cached(&query) {
            Some(answer) => {
                self.metrics.count_answer("cache");
                Reaction::Reply(query.forwarded(&answer, limit))
            }
            None => Reaction::Forward(query),
        }
    }

    async fn forward(&self, query: &Query, source: IpAddr, limit: usize) -> Vec<u8> {
        match self.forwarder.resolve(query, source.to_canonical()).await {
            Ok(answer) => {
                self.metrics.count_answer("upstream");
                query.forwarded(&answer, limit)
            }
            Err(failure) => {
                self.metrics.count_refused(failure.reason());
                tracing::debug!(%failure, "a query was not answered");
                query.failure()
            }
        }
    }

    fn admits(&self, source: IpAddr) -> bool {
        let source = source.to_canonical();
        self.clients.iter().any(|range| range.contains(&source))
    }
}

async fn send(socket: &UdpSocket, client: SocketAddr, bytes: &[u8]) {
    if let Err(error) = socket.send_to(bytes, client).await {
        tracing::debug!(%error, "an answer could not be sent");
    }
}

/// `None` at the end of the stream between two messages.
async fn read_message(stream: &mut TcpStream) -> io::Result<Option<Vec<u8>>> {
    let mut length = [0; 2];
    if stream.read(&mut length[..1]).await? == 0 {
        return Ok(None);
    }
    stream.read_exact(&mut length[1..]).await?;
    let mut message = vec![0; u16::from_be_bytes(length).into()];
    stream.read_exact(&mut message).await?;
    Ok(Some(message))
}

#[cfg(test)]
mod tests;
