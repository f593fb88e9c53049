//! One question to one upstream resolver: by UDP from a port of its own, by TCP if need be.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use rialto_types::limits;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, UdpSocket};
use tokio::time::{Instant, timeout_at};

use crate::convert::{Query, upstream_query};
use crate::metrics::Metrics;
use crate::packet;

#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error("no answer in time")]
    Timeout,
    #[error("the connection failed")]
    Connection(#[source] io::Error),
    #[error("the answer is not one to this query")]
    Malformed,
}

impl Error {
    pub(crate) fn reason(&self) -> &'static str {
        match self {
            Error::Timeout => "timeout",
            Error::Connection(_) => "connection",
            Error::Malformed => "malformed",
        }
    }
}

/// The upstream's answer, whole and to this question.
pub(crate) async fn ask(
    upstream: SocketAddr,
    query: &Query,
    metrics: &Metrics,
) -> Result<Vec<u8>, Error> {
    let deadline = Instant::now() + limits::DNS_FORWARD_TIMEOUT;
    let answer = async {
        match by_udp(upstream, query, metrics).await? {
            Some(answer) => Ok(answer),
            None => by_tcp(upstream, query).await,
        }
    };
    timeout_at(deadline, answer).await.map_err(|_| Error::Timeout)?
}

/// `None` says that TCP is needed.
async fn by_udp(
    upstream: SocketAddr,
    query: &Query,
    metrics: &Metrics,
) -> Result<Option<Vec<u8>>, Error> {
    let any: IpAddr = match upstream {
        SocketAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        SocketAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    };
    // A fresh socket has a port that nobody can guess, beside the id (RFC 5452, 9.2); connected, it
    // hears this upstream alone.
    let socket = UdpSocket::bind((any, 0)).await.map_err(Error::Connection)?;
    socket.connect(upstream).await.map_err(Error::Connection)?;
    let id = rand::random();
    socket.send(&upstream_query(id, query)).await.map_err(Error::Connection)?;
    let mut buffer = vec![0; usize::from(u16::MAX)];
    let mut forgeries = 0;
    loop {
        let length = socket.recv(&mut buffer).await.map_err(Error::Connection)?;
        let bytes = &buffer[..length];
        if !is_answer_to(bytes, id, query) {
            metrics.forgeries.inc();
            forgeries += 1;
            if forgeries >= limits::DNS_FORGERIES_MAX {
                return Ok(None);
            }
            continue;
        }
        if packet::header(bytes).is_some_and(|header| header.is_truncated) {
            return Ok(None);
        }
        // From the right place with the right id, and broken: asking again would not help.
        packet::layout(bytes).ok_or(Error::Malformed)?;
        return Ok(Some(bytes.to_vec()));
    }
}

async fn by_tcp(upstream: SocketAddr, query: &Query) -> Result<Vec<u8>, Error> {
    let mut stream = TcpStream::connect(upstream).await.map_err(Error::Connection)?;
    let id = rand::random();
    let message = upstream_query(id, query);
    let length = u16::try_from(message.len()).expect("a question is shorter than 64 KiB");
    let framed = [&length.to_be_bytes()[..], &message].concat();
    stream.write_all(&framed).await.map_err(Error::Connection)?;
    let length = stream.read_u16().await.map_err(Error::Connection)?;
    let mut bytes = vec![0; length.into()];
    stream.read_exact(&mut bytes).await.map_err(Error::Connection)?;
    let is_whole = packet::layout(&bytes).is_some();
    if is_whole && is_answer_to(&bytes, id, query) { Ok(bytes) } else { Err(Error::Malformed) }
}

/// Whether a message answers this query, as far as can be told without its records.
fn is_answer_to(bytes: &[u8], id: u16, query: &Query) -> bool {
    let Some(header) = packet::header(bytes) else { return false };
    if header.id != id || !header.is_answer || header.operation != 0 || header.counts[0] != 1 {
        return false;
    }
    let Some(question) = packet::question(bytes) else { return false };
    question.is_same(&query.wire_question())
}
