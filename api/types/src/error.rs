//! The table of error codes shared by REST, gRPC and the command line.
//!
//! Blocks: 1xxx join and links, 2xxx traffic and access, 3xxx DNS, 4xxx identity, 5xxx control
//! plane, 6xxx input. A code never changes its meaning.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// One line of the table.
macro_rules! codes {
    ($($name:ident = $number:literal, $status:literal, $retry:ident, $title:literal;)+) => {
        /// A stable error code; its text form is `RIA` and four digits.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Code {
            $(#[doc = $title] $name,)+
        }

        impl Code {
            pub const ALL: &'static [Code] = &[$(Code::$name),+];

            pub fn number(self) -> u16 {
                match self { $(Code::$name => $number),+ }
            }

            /// The HTTP status that goes with the code.
            pub fn status(self) -> u16 {
                match self { $(Code::$name => $status),+ }
            }

            /// What the code means, in one line.
            pub fn title(self) -> &'static str {
                match self { $(Code::$name => $title),+ }
            }

            /// Whether the same request may succeed later without a change.
            pub fn is_retryable(self) -> bool {
                match self { $(Code::$name => codes!(@$retry)),+ }
            }
        }
    };
    (@retry) => { true };
    (@final) => { false };
}

codes! {
    TokenUnknown = 1001, 403, final, "the join token is not known";
    TokenUsed = 1002, 403, final, "the join token was used before";
    TokenExpired = 1003, 403, final, "the join token has expired";
    TokenMalformed = 1004, 400, final, "the text is not a join token";
    ClusterUnknown = 1005, 404, final, "no cluster of this name exists";
    AgentSilent = 1006, 503, retry, "the agent of the cluster is not heard";
    GatewaySilent = 1011, 503, retry, "the gateway is not heard";
    ReportTooLarge = 1007, 413, final, "the cluster reports more than its quota";
    ReportRefused = 1008, 422, final, "the cluster's report was refused";
    VipRangeExhausted = 1009, 409, final, "the cluster has no free virtual IP";
    DefinitionConflict = 1010, 409, final, "clusters define the service differently";
    NotExported = 2001, 404, final, "the service is not exported";
    AccessDenied = 2002, 403, final, "no policy allows this caller";
    NoHealthyEndpoint = 2003, 503, retry, "no cluster has an endpoint that can serve";
    UpstreamTimeout = 2004, 504, retry, "the service did not answer in time";
    UpstreamFailed = 2005, 502, retry, "the service's answer broke off or was not valid";
    CallerForged = 2006, 403, final, "a caller was stated for another trust domain";
    RouteWithoutBackend = 2007, 500, final, "the route has no backend with a weight";
    PolicyUnreadable = 2008, 403, final, "the service's policy could not be read";
    RequestMalformed = 2009, 400, final, "the request is ambiguous or malformed";
    RequestTooLarge = 2010, 431, final, "the request's head is too large";
    NotSupported = 2011, 501, final, "the request needs a feature that does not exist";
    Draining = 2012, 503, retry, "the gateway is draining";
    Overloaded = 2013, 503, retry, "a bound was reached";
    RouteUnmatched = 2014, 404, final, "no rule of the service's route fits the request";
    IdentityRefused = 4001, 403, final, "the certificate does not prove the identity needed";
    CertificateRequestInvalid = 4002, 400, final, "the certificate request is not valid";
    Unauthenticated = 4003, 401, final, "a valid token is needed";
    CrossSite = 4004, 403, final, "a page of another origin, or a session, may not do this";
    SignInsExhausted = 4005, 429, retry, "too many attempts to sign in";
    NoLeader = 5001, 503, retry, "the control plane has no leader";
    CommitTimeout = 5002, 503, retry, "the change was not committed in time; it may be later";
    RevisionGone = 5003, 410, final, "the revision is no longer kept";
    MemberUnreachable = 5004, 503, retry, "a member of the control plane cannot be reached";
    Internal = 5005, 500, final, "a bug in Rialto";
    NotFound = 6001, 404, final, "the object does not exist";
    Invalid = 6002, 422, final, "a field is not valid";
    Unparsable = 6003, 400, final, "the document cannot be parsed";
    Conflict = 6004, 412, final, "the object changed meanwhile";
    NotOwner = 6005, 409, final, "the object belongs to another owner";
    ReadOnly = 6006, 405, final, "objects of this kind cannot be written";
    InUse = 6007, 409, final, "something else still needs the object";
    BodyTooLarge = 6008, 413, final, "the body is larger than allowed";
    MediaType = 6009, 415, final, "the body's media type is not accepted";
    QuotaReached = 6010, 429, final, "a quota is used up";
    AlreadyExists = 6011, 412, final, "the object exists already";
    BadQuery = 6012, 400, final, "a query parameter is not valid";
    PathUnknown = 6013, 404, final, "no such path in the API";
    Shadowed = 6014, 409, final, "an older object says something else about the same thing";
    Dangling = 6015, 422, final, "the object names something that does not exist";
    BodyTooSlow = 6016, 408, retry, "the body did not arrive in time";
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RIA{:04}", self.number())
    }
}

impl Code {
    /// The code of a text such as `RIA6001`.
    pub fn from_text(text: &str) -> Option<Code> {
        let number: u16 = text.strip_prefix("RIA")?.parse().ok()?;
        Code::ALL.iter().copied().find(|code| code.number() == number)
    }
}

impl Serialize for Code {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Code {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Code::from_text(&text)
            .ok_or_else(|| serde::de::Error::custom(format!("`{text}` is not an error code")))
    }
}

impl JsonSchema for Code {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Code".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        let codes: Vec<String> = Code::ALL.iter().map(Code::to_string).collect();
        schemars::json_schema!({ "type": "string", "enum": codes })
    }
}

/// An error and its causes in one line. A message never repeats its cause, so logs, problems and
/// the command line show errors by this.
#[derive(Debug, Clone, Copy)]
pub struct Chain<'a>(pub &'a dyn std::error::Error);

impl fmt::Display for Chain<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self.0, f)?;
        let mut cause = self.0.source();
        while let Some(error) = cause {
            write!(f, ": {error}")?;
            cause = error.source();
        }
        Ok(())
    }
}

/// An error as every interface shows it (RFC 9457, with fields of our own).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema, thiserror::Error)]
#[serde(rename_all = "camelCase")]
#[error("{code}: {detail}")]
pub struct Problem {
    /// `urn:rialto:error:RIA####`.
    #[serde(rename = "type")]
    pub kind: String,
    pub title: String,
    pub status: u16,
    pub code: Code,
    /// What happened, to which object.
    pub detail: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub field: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expected: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub found: Option<String>,
    /// What to do next.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request_id: Option<String>,
}

impl Problem {
    pub fn new(code: Code, detail: impl Into<String>) -> Self {
        Self {
            kind: format!("urn:rialto:error:{code}"),
            title: code.title().into(),
            status: code.status(),
            code,
            detail: detail.into(),
            subject: None,
            field: None,
            expected: None,
            found: None,
            hint: None,
            request_id: None,
        }
    }

    pub fn with_subject(mut self, subject: impl fmt::Display) -> Self {
        self.subject = Some(subject.to_string());
        self
    }

    pub fn with_field(mut self, field: impl Into<String>) -> Self {
        self.field = Some(field.into());
        self
    }

    pub fn with_expected(mut self, expected: impl Into<String>) -> Self {
        self.expected = Some(expected.into());
        self
    }

    pub fn with_found(mut self, found: impl Into<String>) -> Self {
        self.found = Some(found.into());
        self
    }

    pub fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

impl From<crate::object::Error> for Problem {
    fn from(error: crate::object::Error) -> Self {
        use crate::object::Error;
        let code = match &error {
            Error::UnknownKind(_) | Error::ApiVersion { .. } | Error::Field { .. } => Code::Invalid,
            Error::Syntax(_) => Code::Unparsable,
            Error::ReadOnly(_) => Code::ReadOnly,
        };
        let problem = Problem::new(code, error.to_string());
        match error.field() {
            Some(field) => problem.with_field(field),
            None => problem,
        }
    }
}
