//! Messages between two gateways about themselves, one uni-directional stream per connection and
//! direction: `length u32 | JSON`.

use bytes::{Buf, BufMut, Bytes, BytesMut};
use rialto_types::id::InstanceId;
use rialto_types::limits;
use rialto_types::report::HealthSummary;
use serde::{Deserialize, Serialize};

use super::{RecvStream, SendStream, StreamError};

/// What one gateway tells the other. Unknown fields are skipped, so that a newer peer may say more.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "camelCase")]
pub enum PeerMessage {
    /// The first message: the identity was checked and streams may be opened.
    Hello { gateway: InstanceId },
    /// How many endpoints of each service port are fit in the sender's cluster. The whole list
    /// each time, so that a lost connection leaves nothing half-known.
    Summary { services: Vec<HealthSummary> },
    /// Open no new streams on this connection; those that are open go on.
    Retiring,
    /// Open no new streams to this gateway on any connection.
    Draining,
    /// A message of a newer peer.
    #[serde(other)]
    Unknown,
}

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error(
        "a peer message has {0} bytes, at most {max} are allowed",
        max = limits::PEER_MESSAGE_BYTES_MAX
    )]
    TooLong(usize),
    #[error("a peer message cannot be read")]
    Json(#[source] serde_json::Error),
    #[error("the control stream broke")]
    Stream(#[source] StreamError),
    #[error("the control stream ended inside a message")]
    Truncated,
}

pub async fn write(stream: &mut SendStream, message: &PeerMessage) -> Result<(), Error> {
    stream.write_chunk(encode(message)?).await.map_err(Error::Stream)
}

fn encode(message: &PeerMessage) -> Result<Bytes, Error> {
    let json = serde_json::to_vec(message).map_err(Error::Json)?;
    let length = u32::try_from(json.len())
        .ok()
        .filter(|_| json.len() <= limits::PEER_MESSAGE_BYTES_MAX)
        .ok_or(Error::TooLong(json.len()))?;
    let mut bytes = BytesMut::with_capacity(4 + json.len());
    bytes.put_u32(length);
    bytes.put_slice(&json);
    Ok(bytes.freeze())
}

/// Takes messages off a control stream.
#[derive(Debug)]
pub struct Reader {
    stream: RecvStream,
    buffer: BytesMut,
}

impl Reader {
    pub fn new(stream: RecvStream) -> Self {
        Self { stream, buffer: BytesMut::new() }
    }

    /// The next message, or `None` at the end of the stream.
    pub async fn next(&mut self) -> Result<Option<PeerMessage>, Error> {
        loop {
            if let Some(message) = decode(&mut self.buffer)? {
                return Ok(Some(message));
            }
            match self.stream.read_chunk().await.map_err(Error::Stream)? {
                Some(chunk) => self.buffer.extend_from_slice(&chunk),
                None if self.buffer.is_empty() => return Ok(None),
                None => return Err(Error::Truncated),
            }
        }
    }
}

fn decode(buffer: &mut BytesMut) -> Result<Option<PeerMessage>, Error> {
    let Some(prefix) = buffer.first_chunk::<4>() else {
        return Ok(None);
    };
    let length = usize::try_from(u32::from_be_bytes(*prefix)).unwrap_or(usize::MAX);
    if length > limits::PEER_MESSAGE_BYTES_MAX {
        return Err(Error::TooLong(length));
    }
    if buffer.len() < 4 + length {
        return Ok(None);
    }
    buffer.advance(4);
    let json = buffer.split_to(length);
    serde_json::from_slice(&json).map(Some).map_err(Error::Json)
}

#[cfg(test)]
mod tests;
