//! Who a part of Rialto is, and who it believes: SPIFFE X.509-SVIDs over TLS 1.3.
//!
//! - [`svid`]: a part's own certificate and key, in memory and on disk
//! - [`bundle`]: the anchors of each trust domain, never pooled
//! - [`crypto`]: the provider of cryptography
//! - [`peer`]: the one decision whether a peer's certificate is believed
//! - [`tls`]: rustls configurations that ask [`peer`]
//! - [`issuer`]: issuer certificates and signing of requests
//! - [`key`]: new keys and their certificate requests
//! - [`fingerprint`]: SHA-256 of a certificate, as join tokens carry it
//! - [`token`]: the text form of join tokens
//! - [`file`]: private files, written aside and renamed
//!
//! ```text
//!   Identity (one per process, shared by clones)
//!     svid   --> asked by every new handshake for our certificate
//!     bundle --> asked by every new handshake for the peer's anchor
//! ```
//!
//! Clocks: a certificate is refused outside its validity to the second. Skew is allowed for once,
//! at issue, where validity starts [`limits::CLOCK_SKEW_MAX`] in the past; at the other end,
//! renewal at half life leaves hours.

pub mod bundle;
pub mod crypto;
pub mod file;
pub mod fingerprint;
pub mod issuer;
pub mod key;
pub mod peer;
mod pem;
pub mod svid;
pub mod tls;
pub mod token;
mod x509;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use arc_swap::ArcSwap;
use rialto_types::id::{Role, SpiffeId, Timestamp, TrustDomain};
#[cfg(doc)]
use rialto_types::limits;
use tokio::sync::watch;

pub use bundle::TrustBundle;
pub use fingerprint::Fingerprint;
pub use issuer::Issuer;
pub use key::KeyRequest;
pub use svid::Svid;
pub use tls::Clients;

/// The wall clock, which decides whether a certificate is valid.
pub fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp::default().plus(since)
}

/// Which peer is wanted: the identity must be proved and also be this.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Expected {
    /// Whoever an anchor of its trust domain vouches for.
    Anyone,
    /// A part with this role, of any trust domain in the bundle.
    Role(Role),
    /// A part with this role in this trust domain: the gateways of one cluster, for example.
    Part { domain: TrustDomain, role: Role },
    /// This identity alone.
    Exactly(SpiffeId),
}

impl Expected {
    pub fn admits(&self, id: &SpiffeId) -> bool {
        let role_is = |role: Role| id.as_part().is_some_and(|(found, _)| found == role);
        match self {
            Self::Anyone => true,
            Self::Role(role) => role_is(*role),
            Self::Part { domain, role } => role_is(*role) && id.trust_domain() == *domain,
            Self::Exactly(expected) => id == expected,
        }
    }
}

impl fmt::Display for Expected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Anyone => f.write_str("any identity"),
            Self::Role(role) => write!(f, "a {role}"),
            Self::Part { domain, role } => write!(f, "a {role} of `{domain}`"),
            Self::Exactly(id) => write!(f, "`{id}`"),
        }
    }
}

/// A process's identity and what it trusts; clones share both.
///
/// TLS configurations made from it need no replacement: each new handshake reads the current
/// certificate and the current bundle.
#[derive(Clone)]
pub struct Identity {
    shared: Arc<Shared>,
}

struct Shared {
    svid: ArcSwap<Svid>,
    bundle: ArcSwap<TrustBundle>,
    changes: watch::Sender<()>,
    refusals: Mutex<BTreeMap<&'static str, u64>>,
}

impl Identity {
    pub fn new(svid: Svid, bundle: TrustBundle) -> Self {
        let shared = Shared {
            svid: ArcSwap::from_pointee(svid),
            bundle: ArcSwap::from_pointee(bundle),
            changes: watch::Sender::new(()),
            refusals: Mutex::default(),
        };
        Self { shared: Arc::new(shared) }
    }

    pub fn id(&self) -> SpiffeId {
        self.shared.svid.load().id().clone()
    }

    pub fn svid(&self) -> Arc<Svid> {
        self.shared.svid.load_full()
    }

    pub fn bundle(&self) -> Arc<TrustBundle> {
        self.shared.bundle.load_full()
    }

    /// Presents `svid` in every handshake from here on; open connections keep the one they have.
    pub fn rotate(&self, svid: Svid) {
        self.shared.svid.store(Arc::new(svid));
        self.shared.changes.send_replace(());
    }

    /// Believes the anchors of `bundle` and no others.
    pub fn set_bundle(&self, bundle: TrustBundle) {
        self.shared.bundle.store(Arc::new(bundle));
        self.shared.changes.send_replace(());
    }

    /// Changes whenever the certificate or the bundle was replaced.
    pub fn watch(&self) -> watch::Receiver<()> {
        self.shared.changes.subscribe()
    }

    /// Counts a refused peer by its reason. The TLS verifiers count for themselves; callers count
    /// what they refuse after the handshake.
    pub fn count_refusal(&self, reason: &'static str) {
        let mut refusals = self.shared.refusals.lock().unwrap_or_else(PoisonError::into_inner);
        *refusals.entry(reason).or_default() += 1;
    }

    /// Refused peers since the start, by reason, for metrics.
    pub fn refusals(&self) -> BTreeMap<&'static str, u64> {
        self.shared.refusals.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Identity").field("svid", &*self.shared.svid.load()).finish_non_exhaustive()
    }
}

#[cfg(test)]
pub(crate) mod tests;
