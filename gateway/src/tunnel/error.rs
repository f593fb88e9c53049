//! Why a stream, or a connection to a peer, ended other than in order.

use std::fmt;
use std::io;
use std::time::Duration;

/// Why one half of a stream, or both, was broken off. The numbers are the wire form.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ResetCode {
    /// The sender gave the flow up without a fault, or dropped it.
    Cancelled,
    /// The TCP connection behind the sender was reset, or broke.
    Reset,
    /// The peer did not keep to the stream protocol.
    Protocol,
    /// A bound on time ran out.
    TimedOut,
    /// The gateway is stopping and the flow outlived its grace.
    ShuttingDown,
    /// A bound on memory or number was met.
    Overloaded,
    /// A code of a newer peer.
    Other(u32),
}

impl ResetCode {
    pub fn number(self) -> u32 {
        match self {
            Self::Cancelled => 0,
            Self::Reset => 1,
            Self::Protocol => 2,
            Self::TimedOut => 3,
            Self::ShuttingDown => 4,
            Self::Overloaded => 5,
            Self::Other(number) => number,
        }
    }

    pub fn from_number(number: u64) -> Self {
        match number {
            0 => Self::Cancelled,
            1 => Self::Reset,
            2 => Self::Protocol,
            3 => Self::TimedOut,
            4 => Self::ShuttingDown,
            5 => Self::Overloaded,
            other => Self::Other(u32::try_from(other).unwrap_or(u32::MAX)),
        }
    }
}

impl fmt::Display for ResetCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cancelled => f.write_str("cancelled"),
            Self::Reset => f.write_str("connection reset"),
            Self::Protocol => f.write_str("protocol error"),
            Self::TimedOut => f.write_str("timed out"),
            Self::ShuttingDown => f.write_str("shutting down"),
            Self::Overloaded => f.write_str("overloaded"),
            Self::Other(number) => write!(f, "code {number}"),
        }
    }
}

/// Why a read or write on a stream failed.
#[derive(Debug, Clone, thiserror::Error)]
pub enum StreamError {
    #[error("peer reset the stream ({0})")]
    Reset(ResetCode),
    #[error("peer stopped reading the stream ({0})")]
    Stopped(ResetCode),
    #[error("connection to the peer was lost")]
    ConnectionLost(#[source] ConnectionLost),
    #[error("this half of the stream was already closed on this side")]
    Closed,
}

impl StreamError {
    /// The code with which the failure is handed on to the other side of a relay.
    pub fn reset_code(&self) -> ResetCode {
        match self {
            Self::Reset(code) | Self::Stopped(code) => *code,
            Self::ConnectionLost(_) => ResetCode::Reset,
            Self::Closed => ResetCode::Cancelled,
        }
    }
}

impl From<StreamError> for io::Error {
    fn from(error: StreamError) -> Self {
        let kind = match error {
            StreamError::Reset(_) | StreamError::Stopped(_) => io::ErrorKind::ConnectionReset,
            StreamError::ConnectionLost(_) => io::ErrorKind::ConnectionAborted,
            StreamError::Closed => io::ErrorKind::NotConnected,
        };
        Self::new(kind, error)
    }
}

/// Why a connection to a peer gateway ended.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConnectionLost {
    #[error(
        "nothing was received for {} ms; look at the path and at the peer's health",
        .0.as_millis()
    )]
    Silent(Duration),
    #[error("peer closed the connection: {0}")]
    ClosedByPeer(String),
    #[error("this gateway closed the connection")]
    ClosedHere,
    #[error("the carrier failed: {0}")]
    Carrier(String),
}

impl ConnectionLost {
    /// The value of the `reason` label in metrics.
    pub fn label(&self) -> &'static str {
        match self {
            Self::Silent(_) => "silent",
            Self::ClosedByPeer(_) => "closed_by_peer",
            Self::ClosedHere => "closed_here",
            Self::Carrier(_) => "carrier",
        }
    }
}
