//! Connections to endpoints of the own cluster: pooled while idle, used for one request at a time.
//!
//! A connection goes back to the pool only if request and response were consumed exactly, and comes
//! out only if nothing arrived on it meanwhile. So nothing of one client's answer reaches another.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use rialto_core::health::Outcome;
use rialto_types::limits;
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout};

use super::exchange::{self, Failure, Request, Response, Terms};
use super::side::{Sink, Source, TcpSink, TcpSource};
use crate::scratch::Scratch;

/// The idle connections of one worker.
#[derive(Debug, Default)]
pub(crate) struct Origins {
    idle: RefCell<HashMap<SocketAddr, Vec<Idle>>>,
    count: Cell<usize>,
}

#[derive(Debug)]
struct Idle {
    stream: TcpStream,
    since: Instant,
}

/// A connection to an endpoint, ready for a request.
#[derive(Debug)]
pub(crate) struct Connection {
    stream: TcpStream,
    endpoint: SocketAddr,
    is_reused: bool,
}

impl Connection {
    pub(crate) fn endpoint(&self) -> SocketAddr {
        self.endpoint
    }
}

impl Origins {
    /// The freshest idle connection that is still good, or a new one.
    pub(crate) async fn connect(
        &self,
        endpoint: SocketAddr,
        connect_time_max: Duration,
    ) -> io::Result<Connection> {
        match self.take(endpoint) {
            Some(stream) => Ok(Connection { stream, endpoint, is_reused: true }),
            None => self.connect_anew(endpoint, connect_time_max).await,
        }
    }

    async fn connect_anew(
        &self,
        endpoint: SocketAddr,
        connect_time_max: Duration,
    ) -> io::Result<Connection> {
        let stream = timeout(connect_time_max, TcpStream::connect(endpoint))
            .await
            .map_err(|_| io::Error::from(io::ErrorKind::TimedOut))??;
        stream.set_nodelay(true)?;
        Ok(Connection { stream, endpoint, is_reused: false })
    }

    fn take(&self, endpoint: SocketAddr) -> Option<TcpStream> {
        let mut idle = self.idle.borrow_mut();
        let connections = idle.get_mut(&endpoint)?;
        while let Some(Idle { stream, since }) = connections.pop() {
            self.count.set(self.count.get() - 1);
            if since.elapsed() < limits::HTTP_ORIGIN_IDLE && is_quiet(&stream) {
                return Some(stream);
            }
        }
        idle.remove(&endpoint);
        None
    }

    fn put(&self, Connection { stream, endpoint, .. }: Connection) {
        if self.count.get() >= limits::HTTP_ORIGIN_IDLE_MAX {
            return;
        }
        let mut idle = self.idle.borrow_mut();
        let connections = idle.entry(endpoint).or_default();
        if connections.len() < limits::HTTP_ORIGIN_IDLE_PER_ENDPOINT_MAX {
            connections.push(Idle { stream, since: Instant::now() });
            self.count.set(self.count.get() + 1);
        }
    }

    /// Closes idle connections in time, for as long as it is polled.
    pub(crate) async fn keep_fresh(&self) {
        loop {
            tokio::time::sleep(limits::HTTP_ORIGIN_IDLE / 4).await;
            self.close_expired();
        }
    }

    fn close_expired(&self) {
        let mut count = 0;
        self.idle.borrow_mut().retain(|_, connections| {
            connections.retain(|idle| idle.since.elapsed() < limits::HTTP_ORIGIN_IDLE);
            count += connections.len();
            !connections.is_empty()
        });
        self.count.set(count);
    }

    #[cfg(test)]
    pub(crate) fn idle_count(&self) -> usize {
        self.count.get()
    }
}

/// Whether nothing has arrived: neither the end nor bytes that nobody asked for.
fn is_quiet(stream: &TcpStream) -> bool {
    let mut byte = [0];
    matches!(stream.try_read(&mut byte), Err(error) if error.kind() == io::ErrorKind::WouldBlock)
}

/// What an endpoint showed, for its health; `None` if it showed nothing.
pub(crate) fn outcome_of(result: &Result<Response, Failure>) -> Option<Outcome> {
    match result {
        Ok(Response { status: 500.., .. }) => Some(Outcome::ServerError),
        Ok(_) => Some(Outcome::Success),
        Err(
            Failure::Unanswered
            | Failure::TimedOut
            | Failure::BadResponse(_)
            | Failure::Interrupted { .. },
        ) => Some(Outcome::Reset),
        Err(
            Failure::Refused(_)
            | Failure::Silent
            | Failure::NotSent
            | Failure::NotAccepted
            | Failure::BadRequest(_)
            | Failure::SlowRequest
            | Failure::ClientGone,
        ) => None,
    }
}

/// Makes the request on `connection` and relays the response.
///
/// An idle connection that its server closed at the same moment gives no response. Then the request
/// is made on a new connection, if that is safe.
pub(crate) async fn serve<C: Source>(
    origins: &Origins,
    mut connection: Connection,
    request: &mut Request<'_, C>,
    is_idempotent: bool,
    client: &mut impl Sink,
    terms: &Terms<'_>,
    scratch: &Scratch,
) -> Result<Response, Failure> {
    loop {
        let result = {
            let (reader, writer) = connection.stream.split();
            let upstream = (&mut TcpSource::new(reader, scratch), &mut TcpSink::new(writer));
            exchange::run(request, upstream, client, terms).await
        };
        match result {
            Ok(response) => {
                if response.upstream_is_clean {
                    origins.put(connection);
                }
                return Ok(response);
            }
            Err(Failure::Unanswered)
                if connection.is_reused && is_idempotent && request.can_repeat() =>
            {
                let Connection { endpoint, .. } = connection;
                connection = origins
                    .connect_anew(endpoint, terms.timeouts.connect)
                    .await
                    .map_err(|_| Failure::Unanswered)?;
            }
            Err(failure) => return Err(failure),
        }
    }
}

#[cfg(test)]
mod tests;
