//! Why a gateway refuses a flow, and what that means for another try.

use std::fmt;

use rialto_types::error::Code;

/// Why a gateway refuses a flow, with nothing delivered. The numbers are the wire form.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RefusalCode {
    /// The header cannot be read, or lacks what it must have.
    BadHeader,
    /// The header holds a field that this gateway is too old for.
    NotUnderstood,
    /// This cluster does not export the service, or not on that port.
    NotExported,
    /// A rule denies the caller, or no rule allows it.
    Denied,
    /// The stated caller is not one that the peer may speak for.
    BadCaller,
    /// No endpoint of the service is fit to serve.
    NoEndpoint,
    /// Every endpoint that was tried refused the connection or did not answer.
    ConnectFailed,
    /// The gateway is stopping.
    Draining,
    /// A bound of this gateway is met.
    Overloaded,
    /// The flow has passed too many gateways.
    Loop,
    /// A code of a newer peer.
    Other(u16),
}

/// What a refusal means for another try.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Retry {
    /// Another gateway of the same cluster may accept.
    OtherGateway,
    /// Another cluster may accept, this one will not.
    OtherCluster,
    /// Nobody will accept.
    Never,
}

impl RefusalCode {
    pub fn number(self) -> u16 {
        match self {
            Self::BadHeader => 1,
            Self::NotUnderstood => 2,
            Self::NotExported => 3,
            Self::Denied => 4,
            Self::BadCaller => 5,
            Self::NoEndpoint => 6,
            Self::ConnectFailed => 7,
            Self::Draining => 8,
            Self::Overloaded => 9,
            Self::Loop => 10,
            Self::Other(number) => number,
        }
    }

    pub fn from_number(number: u16) -> Self {
        match number {
            1 => Self::BadHeader,
            2 => Self::NotUnderstood,
            3 => Self::NotExported,
            4 => Self::Denied,
            5 => Self::BadCaller,
            6 => Self::NoEndpoint,
            7 => Self::ConnectFailed,
            8 => Self::Draining,
            9 => Self::Overloaded,
            10 => Self::Loop,
            other => Self::Other(other),
        }
    }

    /// The value of the `reason` label in metrics and of `code` in access logs.
    pub fn label(self) -> &'static str {
        match self {
            Self::BadHeader => "bad_header",
            Self::NotUnderstood => "not_understood",
            Self::NotExported => "not_exported",
            Self::Denied => "denied",
            Self::BadCaller => "bad_caller",
            Self::NoEndpoint => "no_endpoint",
            Self::ConnectFailed => "connect_failed",
            Self::Draining => "draining",
            Self::Overloaded => "overloaded",
            Self::Loop => "loop",
            Self::Other(_) => "other",
        }
    }

    /// The code by which a person knows the refusal.
    pub fn code(self) -> Code {
        match self {
            Self::BadHeader | Self::Loop => Code::RequestMalformed,
            Self::NotUnderstood => Code::NotSupported,
            Self::NotExported => Code::NotExported,
            Self::Denied => Code::AccessDenied,
            Self::BadCaller => Code::CallerForged,
            Self::NoEndpoint | Self::ConnectFailed => Code::NoHealthyEndpoint,
            Self::Draining => Code::Draining,
            Self::Overloaded => Code::Overloaded,
            Self::Other(_) => Code::UpstreamFailed,
        }
    }

    /// How a decision of this gateway is told to the peer.
    #[expect(clippy::wildcard_enum_match_arm, reason = "a new code is no refusal of its own")]
    pub fn of(code: Code) -> Self {
        match code {
            Code::NotExported => Self::NotExported,
            Code::AccessDenied | Code::PolicyUnreadable => Self::Denied,
            Code::CallerForged | Code::IdentityRefused => Self::BadCaller,
            Code::NoHealthyEndpoint => Self::NoEndpoint,
            Code::Draining => Self::Draining,
            Code::Overloaded => Self::Overloaded,
            Code::NotSupported => Self::NotUnderstood,
            Code::RequestMalformed => Self::BadHeader,
            other => Self::Other(other.number()),
        }
    }

    pub fn retry(self) -> Retry {
        match self {
            Self::NotUnderstood | Self::Draining | Self::Overloaded => Retry::OtherGateway,
            Self::NotExported | Self::NoEndpoint | Self::ConnectFailed | Self::Other(_) => {
                Retry::OtherCluster
            }
            Self::BadHeader | Self::Denied | Self::BadCaller | Self::Loop => Retry::Never,
        }
    }
}

impl fmt::Display for RefusalCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Other(number) => write!(f, "code {number}"),
            Self::BadHeader
            | Self::NotUnderstood
            | Self::NotExported
            | Self::Denied
            | Self::BadCaller
            | Self::NoEndpoint
            | Self::ConnectFailed
            | Self::Draining
            | Self::Overloaded
            | Self::Loop => f.write_str(self.label()),
        }
    }
}

/// A refusal as it is sent: the code for machines, the reason for people.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("refused ({code}): {reason}")]
pub struct Refusal {
    pub code: RefusalCode,
    pub reason: String,
}

impl Refusal {
    pub fn new(code: RefusalCode, reason: impl Into<String>) -> Self {
        Self { code, reason: reason.into() }
    }
}
