//! Names that exist only when they are valid: parse once at the border, trust everywhere after.

use std::borrow::Borrow;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::limits;

/// Why a text is not the name that it was given as.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    #[error("`{text}` is not a valid {what}: expected {expected}")]
    Invalid { what: &'static str, text: String, expected: &'static str },
}

fn invalid(what: &'static str, text: &str, expected: &'static str) -> Error {
    let text = text.chars().take(limits::ERROR_TEXT_CHARS_MAX).collect();
    Error::Invalid { what, text, expected }
}

const LABEL: &str =
    "1 to 63 lower-case letters, digits or dashes, with a letter or digit at both ends (RFC 1123)";

fn is_label(text: &str) -> bool {
    let bytes = text.as_bytes();
    let inner = |b: &u8| b.is_ascii_lowercase() || b.is_ascii_digit() || *b == b'-';
    let end = |b: Option<&u8>| b.is_some_and(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
    bytes.len() <= 63 && end(bytes.first()) && end(bytes.last()) && bytes.iter().all(inner)
}

/// Shared, not copied, by its clones: a gateway clones names for each request.
macro_rules! text_id {
    ($(#[$doc:meta])* $name:ident, $what:literal, $expected:expr, $valid:expr) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
        #[serde(try_from = "String", into = "String")]
        #[schemars(with = "String")]
        pub struct $name(Arc<str>);

        impl $name {
            /// The name as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = Error;
            fn from_str(text: &str) -> Result<Self, Error> {
                let valid: fn(&str) -> bool = $valid;
                if valid(text) {
                    Ok(Self(text.into()))
                } else {
                    Err(invalid($what, text, $expected))
                }
            }
        }

        impl TryFrom<String> for $name {
            type Error = Error;
            fn try_from(text: String) -> Result<Self, Error> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(name: $name) -> String {
                name.as_str().to_owned()
            }
        }

        impl Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

text_id!(
    /// A member cluster or VM fleet of the federation (KEP-2149's cluster id: one RFC 1123 label).
    ClusterName, "cluster name", LABEL, is_label
);
text_id!(
    /// A namespace; the same name means the same namespace in every cluster (namespace sameness).
    Namespace, "namespace", LABEL, is_label
);
text_id!(
    /// The name of a resource inside its kind and namespace.
    ResourceName, "resource name", LABEL, is_label
);
text_id!(
    /// The name of a service port (an RFC 1123 label, as in Kubernetes).
    PortName, "port name", LABEL, is_label
);
text_id!(
    /// One gateway, DNS proxy, agent or bridge member, unique in its cluster and role.
    InstanceId, "instance id", LABEL, is_label
);
text_id!(
    /// A SPIFFE trust domain (SPIFFE ID specification, section 2.1).
    TrustDomain,
    "trust domain",
    "1 to 255 lower-case letters, digits, dots, dashes or underscores",
    |text| {
        !text.is_empty()
            && text.len() <= 255
            && text.bytes().all(|b| {
                b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'.' | b'-' | b'_')
            })
    }
);
text_id!(
    /// A SPIFFE ID: `spiffe://TRUST-DOMAIN/PATH` with a non-empty path, no empty or dot segment,
    /// no query, fragment, port, user or percent-encoding, at most 2,048 bytes (SPIFFE ID, 2).
    SpiffeId,
    "SPIFFE ID",
    "`spiffe://TRUST-DOMAIN/PATH` with path segments of letters, digits, dots, dashes, underscores",
    is_spiffe_id
);

fn is_spiffe_id(text: &str) -> bool {
    let Some((domain, path)) = text.strip_prefix("spiffe://").and_then(|t| t.split_once('/'))
    else {
        return false;
    };
    let segment = |s: &str| {
        !s.is_empty()
            && s != "."
            && s != ".."
            && s.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_'))
    };
    text.len() <= 2048 && TrustDomain::from_str(domain).is_ok() && path.split('/').all(segment)
}

impl SpiffeId {
    /// The identity of a workload: `spiffe://TRUST-DOMAIN/ns/NAMESPACE/sa/ACCOUNT`.
    pub fn workload(domain: &TrustDomain, namespace: &Namespace, account: &ResourceName) -> Self {
        Self(format!("spiffe://{domain}/ns/{namespace}/sa/{account}").into())
    }

    /// The identity of one of our own parts: `spiffe://TRUST-DOMAIN/rialto/ROLE/ID`.
    pub fn part(domain: &TrustDomain, role: Role, id: &InstanceId) -> Self {
        Self(format!("spiffe://{domain}/rialto/{role}/{id}").into())
    }

    /// The trust domain that vouches for this identity.
    pub fn trust_domain(&self) -> TrustDomain {
        TrustDomain(self.split().0.into())
    }

    /// Whether the trust domain vouches for this identity.
    pub fn is_in(&self, domain: &TrustDomain) -> bool {
        self.split().0 == domain.as_str()
    }

    /// What follows the trust domain, without the leading slash.
    pub fn path(&self) -> &str {
        self.split().1
    }

    fn split(&self) -> (&str, &str) {
        self.0["spiffe://".len()..].split_once('/').expect("a SPIFFE ID has a path")
    }

    /// Our own part's role and id, or `None` for the identity of a workload.
    pub fn as_part(&self) -> Option<(Role, InstanceId)> {
        let rest = self.path().strip_prefix("rialto/")?;
        let (role, id) = rest.split_once('/')?;
        Some((role.parse().ok()?, id.parse().ok()?))
    }

    /// The namespace and account of a workload's identity.
    pub fn as_workload(&self) -> Option<(Namespace, ResourceName)> {
        let (namespace, account) = self.path().strip_prefix("ns/")?.split_once("/sa/")?;
        Some((namespace.parse().ok()?, account.parse().ok()?))
    }

    /// Whether the path is in the space reserved for our own parts, well-formed or not.
    pub fn is_reserved(&self) -> bool {
        self.path().split('/').next() == Some("rialto")
    }

    /// The namespace of a workload identity.
    pub fn namespace(&self) -> Option<Namespace> {
        let mut segments = self.path().split('/');
        match (segments.next(), segments.next()) {
            (Some("ns"), Some(namespace)) => namespace.parse().ok(),
            _ => None,
        }
    }
}

/// What one of our own parts is; the third segment of its SPIFFE ID.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// A member of the control plane.
    Member,
    Agent,
    Gateway,
    Dns,
}

impl Role {
    pub fn as_str(self) -> &'static str {
        match self {
            Role::Member => "member",
            Role::Agent => "agent",
            Role::Gateway => "gateway",
            Role::Dns => "dns",
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Role {
    type Err = Error;
    fn from_str(text: &str) -> Result<Self, Error> {
        match text {
            "member" => Ok(Role::Member),
            "agent" => Ok(Role::Agent),
            "gateway" => Ok(Role::Gateway),
            "dns" => Ok(Role::Dns),
            _ => Err(invalid("role", text, "member, agent, gateway or dns")),
        }
    }
}

/// A service of the federation: `NAMESPACE/NAME`, the same in every cluster.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
#[schemars(with = "String")]
pub struct ServiceName {
    pub namespace: Namespace,
    pub name: ResourceName,
}

impl ServiceName {
    pub fn new(namespace: Namespace, name: ResourceName) -> Self {
        Self { namespace, name }
    }
}

impl FromStr for ServiceName {
    type Err = Error;
    fn from_str(text: &str) -> Result<Self, Error> {
        let expected = "`NAMESPACE/NAME`, both RFC 1123 labels";
        let Some((namespace, name)) = text.split_once('/') else {
            return Err(invalid("service name", text, expected));
        };
        match (namespace.parse(), name.parse()) {
            (Ok(namespace), Ok(name)) => Ok(Self { namespace, name }),
            _ => Err(invalid("service name", text, expected)),
        }
    }
}

impl TryFrom<String> for ServiceName {
    type Error = Error;
    fn try_from(text: String) -> Result<Self, Error> {
        text.parse()
    }
}

impl From<ServiceName> for String {
    fn from(name: ServiceName) -> String {
        name.to_string()
    }
}

impl fmt::Display for ServiceName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.namespace, self.name)
    }
}

impl fmt::Debug for ServiceName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A point in the history of the intent: (federation epoch, Raft index), ordered.
///
/// A restore starts a new epoch, so that the edge never refuses a restored federation for good.
/// Text form: `EPOCH.INDEX`.
#[derive(
    Debug,
    Clone,
    Copy,
    Default,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    JsonSchema,
)]
#[serde(try_from = "String", into = "String")]
#[schemars(with = "String")]
pub struct Revision {
    pub epoch: u64,
    pub index: u64,
}

impl Revision {
    pub fn new(epoch: u64, index: u64) -> Self {
        Self { epoch, index }
    }
}

impl fmt::Display for Revision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.epoch, self.index)
    }
}

impl FromStr for Revision {
    type Err = Error;
    fn from_str(text: &str) -> Result<Self, Error> {
        let parts = text.split_once('.').and_then(|(epoch, index)| {
            Some(Self { epoch: epoch.parse().ok()?, index: index.parse().ok()? })
        });
        parts.ok_or_else(|| invalid("revision", text, "`EPOCH.INDEX`, two whole numbers"))
    }
}

impl TryFrom<String> for Revision {
    type Error = Error;
    fn try_from(text: String) -> Result<Self, Error> {
        text.parse()
    }
}

impl From<Revision> for String {
    fn from(revision: Revision) -> String {
        revision.to_string()
    }
}

/// A point in wall-clock time, in milliseconds since the Unix epoch; JSON form is RFC 3339, UTC.
#[derive(
    Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(try_from = "String", into = "String")]
#[schemars(with = "String")]
pub struct Timestamp {
    pub unix_ms: u64,
}

impl Timestamp {
    pub fn from_unix_ms(unix_ms: u64) -> Self {
        Self { unix_ms }
    }

    /// How long ago `self` was at `now`; zero if it lies in the future (clocks differ).
    pub fn age(self, now: Timestamp) -> std::time::Duration {
        std::time::Duration::from_millis(now.unix_ms.saturating_sub(self.unix_ms))
    }

    pub fn plus(self, duration: std::time::Duration) -> Self {
        let ms = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
        Self { unix_ms: self.unix_ms.saturating_add(ms) }
    }
}

/// Days since 1970-01-01 to (year, month, day); Howard Hinnant's `civil_from_days`.
fn civil(days: u64) -> (u64, u64, u64) {
    let shifted = days + 719_468;
    let era = shifted / 146_097;
    let day_of_era = shifted % 146_097;
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_shifted = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_shifted + 2) / 5 + 1;
    let month = if month_shifted < 10 { month_shifted + 3 } else { month_shifted - 9 };
    (year_of_era + era * 400 + u64::from(month <= 2), month, day)
}

fn days(year: u64, month: u64, day: u64) -> Option<u64> {
    let shifted_year = if month <= 2 { year.checked_sub(1)? } else { year };
    let era = shifted_year / 400;
    let year_of_era = shifted_year % 400;
    let month_shifted = if month > 2 { month - 3 } else { month + 9 };
    let day_of_year = (153 * month_shifted + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    (era * 146_097 + day_of_era).checked_sub(719_468)
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.unix_ms / 1000;
        let (year, month, day) = civil(seconds / 86_400);
        let (hour, minute, second) = (seconds / 3600 % 24, seconds / 60 % 60, seconds % 60);
        let ms = self.unix_ms % 1000;
        write!(f, "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{ms:03}Z")
    }
}

impl fmt::Debug for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Timestamp {
    type Err = Error;
    fn from_str(text: &str) -> Result<Self, Error> {
        parse_timestamp(text)
            .ok_or_else(|| invalid("time", text, "RFC 3339 in UTC, as `2026-11-24T16:00:00.000Z`"))
    }
}

fn parse_timestamp(text: &str) -> Option<Timestamp> {
    if !text.is_ascii() || text.len() < 20 || !text.ends_with('Z') {
        return None;
    }
    let number = |from: usize, to: usize| text.get(from..to)?.parse::<u64>().ok();
    let marks = [(4, '-'), (7, '-'), (10, 'T'), (13, ':'), (16, ':')];
    if marks.iter().any(|(at, mark)| text.as_bytes()[*at] != *mark as u8) {
        return None;
    }
    let (year, month, day) = (number(0, 4)?, number(5, 7)?, number(8, 10)?);
    let (hour, minute, second) = (number(11, 13)?, number(14, 16)?, number(17, 19)?);
    let in_range = (1..=12).contains(&month) && (1..=31).contains(&day);
    if !in_range || hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let ms = match text.get(19..text.len() - 1)? {
        "" => 0,
        fraction => {
            let digits = fraction.strip_prefix('.')?;
            let padded: String = digits.chars().chain("000".chars()).take(3).collect();
            padded.parse().ok()?
        }
    };
    let seconds = days(year, month, day)? * 86_400 + hour * 3600 + minute * 60 + second;
    Some(Timestamp { unix_ms: seconds * 1000 + ms })
}

impl TryFrom<String> for Timestamp {
    type Error = Error;
    fn try_from(text: String) -> Result<Self, Error> {
        text.parse()
    }
}

impl From<Timestamp> for String {
    fn from(time: Timestamp) -> String {
        time.to_string()
    }
}

#[cfg(test)]
mod tests;
