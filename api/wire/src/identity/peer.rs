//! Whether a peer's certificate is believed, and for which identity.
//!
//! A leaf must be signed directly by an anchor of the trust domain that it names. There are no
//! intermediates: issuers have path length 0, and certificates beside the leaf are not used.

use std::error::Error as StdError;
use std::fmt;
use std::io;
use std::time::Duration;

use rialto_types::id::{self, SpiffeId, Timestamp, TrustDomain};
use rialto_types::limits;
use rustls::CertificateError;
use rustls::client::verify_server_cert_signed_by_trust_anchor;
use rustls::pki_types::{CertificateDer, UnixTime};
use rustls::server::ParsedCertificate;

use super::bundle::{Anchor, TrustBundle};
use super::{Expected, Fingerprint, crypto, x509};

/// Why a peer is refused.
#[derive(Clone, PartialEq, thiserror::Error)]
pub enum Error {
    #[error("the peer presented no certificate")]
    NoCertificate,
    #[error("the peer presented {count} certificates, more than {}", limits::CERTIFICATE_CHAIN_MAX)]
    ChainTooLong { count: usize },
    #[error("the certificate is not valid X.509: {what}")]
    Malformed { what: &'static str },
    #[error("the certificate has {count} URI names; an X.509-SVID has exactly one")]
    UriNames { count: usize },
    #[error("the certificate's URI name is not a SPIFFE ID")]
    NotSpiffe { source: id::Error },
    #[error("the certificate of `{id}` is an issuer's; issuers never prove an identity")]
    Issuer { id: SpiffeId },
    #[error("the certificate of `{id}` lacks key usage digitalSignature")]
    KeyUsage { id: SpiffeId },
    #[error("the certificate of `{id}` is not for both clients and servers (extended key usage)")]
    ExtendedKeyUsage { id: SpiffeId },
    #[error("the certificate of `{id}` is valid from {from} on; it is {now}: compare the clocks")]
    NotYetValid { id: SpiffeId, from: Timestamp, now: Timestamp },
    #[error("the certificate of `{id}` expired at {at}; it is {now}: the peer has to renew it")]
    Expired { id: SpiffeId, at: Timestamp, now: Timestamp },
    #[error("no anchor of trust domain `{domain}` is known: has its cluster joined?")]
    UnknownTrustDomain { domain: TrustDomain },
    #[error("every anchor of trust domain `{domain}` is outside its validity: rotate the issuer")]
    AnchorExpired { domain: TrustDomain },
    #[error("the certificate that claims `{id}` is not signed by an anchor of its trust domain")]
    NotSigned { id: SpiffeId, source: rustls::Error },
    #[error(
        "no certificate with the expected fingerprint was presented: the token is of another \
         federation, or someone answers in its place"
    )]
    Fingerprint,
    #[error("the peer is `{id}`, expected was {expected}")]
    Unexpected { id: SpiffeId, expected: String },
}

/// rustls and quinn tell why a handshake failed by the cause in this form, which operators read.
impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Error {
    /// The value of the label `reason` in metrics.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::NoCertificate => "no_certificate",
            Self::ChainTooLong { .. } => "chain_too_long",
            Self::Malformed { .. } => "malformed",
            Self::UriNames { .. } => "uri_names",
            Self::NotSpiffe { .. } => "not_spiffe",
            Self::Issuer { .. } => "issuer",
            Self::KeyUsage { .. } => "key_usage",
            Self::ExtendedKeyUsage { .. } => "extended_key_usage",
            Self::NotYetValid { .. } => "not_yet_valid",
            Self::Expired { .. } => "expired",
            Self::UnknownTrustDomain { .. } => "unknown_trust_domain",
            Self::AnchorExpired { .. } => "anchor_expired",
            Self::NotSigned { .. } => "not_signed",
            Self::Fingerprint => "fingerprint",
            Self::Unexpected { .. } => "unexpected",
        }
    }

    /// Finds the refusal inside the error of a failed handshake.
    pub fn find(error: &(dyn StdError + 'static)) -> Option<Self> {
        let mut next = Some(error);
        while let Some(error) = next {
            if let Some(found) = error.downcast_ref::<Self>() {
                return Some(found.clone());
            }
            if let Some(found) = error.downcast_ref::<rustls::Error>() {
                return Self::in_rustls(found);
            }
            // `source` of an I/O error skips the very error that it wraps.
            next = match error.downcast_ref::<io::Error>().and_then(io::Error::get_ref) {
                Some(inner) => Some(inner),
                None => error.source(),
            };
        }
        None
    }

    fn in_rustls(error: &rustls::Error) -> Option<Self> {
        if *error == rustls::Error::NoCertificatesPresented {
            return Some(Self::NoCertificate);
        }
        let rustls::Error::InvalidCertificate(CertificateError::Other(other)) = error else {
            return None;
        };
        other.0.downcast_ref::<Self>().cloned()
    }
}

/// What a leaf certificate claims, after its form was checked.
#[derive(Debug, Clone)]
pub(super) struct Leaf {
    pub(super) id: SpiffeId,
    pub(super) not_before: Timestamp,
    pub(super) not_after: Timestamp,
}

impl Leaf {
    pub(super) fn of_chain(chain: &[CertificateDer<'_>]) -> Result<Self, Error> {
        if chain.len() > limits::CERTIFICATE_CHAIN_MAX {
            return Err(Error::ChainTooLong { count: chain.len() });
        }
        Self::parse(chain.first().ok_or(Error::NoCertificate)?)
    }

    /// X.509-SVID section 4 and 5: one URI name, not an issuer, usages.
    fn parse(der: &[u8]) -> Result<Self, Error> {
        let malformed = |what| Error::Malformed { what };
        let certificate = x509::decode(der).map_err(malformed)?;
        let extension = |_| malformed("an extension is broken or there twice");
        let uris = x509::uri_names(&certificate).map_err(extension)?;
        let [uri] = uris[..] else { return Err(Error::UriNames { count: uris.len() }) };
        let id: SpiffeId = uri.parse().map_err(|source| Error::NotSpiffe { source })?;

        let is_ca =
            certificate.basic_constraints().map_err(extension)?.is_some_and(|it| it.value.ca);
        let usage = certificate.key_usage().map_err(extension)?;
        if is_ca || usage.as_ref().is_some_and(|it| it.value.key_cert_sign() || it.value.crl_sign())
        {
            return Err(Error::Issuer { id });
        }
        if !usage.is_some_and(|it| it.value.digital_signature()) {
            return Err(Error::KeyUsage { id });
        }
        let extended = certificate.extended_key_usage().map_err(extension)?;
        if !extended.is_some_and(|it| it.value.client_auth && it.value.server_auth) {
            return Err(Error::ExtendedKeyUsage { id });
        }
        let (not_before, not_after) = x509::validity(&certificate);
        Ok(Self { id, not_before, not_after })
    }
}

/// The identity that `chain` proves at `now`, if `bundle` vouches for it and it is `expected`.
pub fn verify(
    chain: &[CertificateDer<'_>],
    bundle: &TrustBundle,
    expected: &Expected,
    now: Timestamp,
) -> Result<SpiffeId, Error> {
    let leaf = Leaf::of_chain(chain)?;
    let domain = leaf.id.trust_domain();
    let anchors = bundle.anchors(&domain);
    if anchors.is_empty() {
        return Err(Error::UnknownTrustDomain { domain });
    }
    let mut refused = Error::AnchorExpired { domain };
    for anchor in anchors.iter().filter(|anchor| anchor.is_valid(now)) {
        match check_signed(&chain[0], &leaf, anchor, now) {
            Ok(()) if expected.admits(&leaf.id) => return Ok(leaf.id),
            Ok(()) => {
                return Err(Error::Unexpected { id: leaf.id, expected: expected.to_string() });
            }
            Err(error) => refused = error,
        }
    }
    Err(refused)
}

/// The identity that `chain` proves if the issuer with `fingerprint`, which must be in the chain
/// itself, vouches for it. For a first contact, which knows no bundle yet.
pub fn verify_pinned(
    chain: &[CertificateDer<'_>],
    fingerprint: &Fingerprint,
    expected: &Expected,
    now: Timestamp,
) -> Result<SpiffeId, Error> {
    if chain.len() > limits::CERTIFICATE_CHAIN_MAX {
        return Err(Error::ChainTooLong { count: chain.len() });
    }
    let issuer = chain.iter().skip(1).find(|der| Fingerprint::of(der) == *fingerprint);
    let anchor = Anchor::parse(issuer.ok_or(Error::Fingerprint)?)
        .map_err(|_| Error::Malformed { what: "the issuer with the fingerprint is no anchor" })?;
    let mut bundle = TrustBundle::default();
    bundle.insert_anchor(anchor).map_err(|_| Error::Fingerprint)?;
    verify(chain, &bundle, expected, now)
}

/// The identity in a chain that a handshake of ours has verified already.
pub fn peer_identity(chain: &[CertificateDer<'_>]) -> Result<SpiffeId, Error> {
    Leaf::of_chain(chain).map(|leaf| leaf.id)
}

/// When the certificate of a verified chain ends.
pub fn not_after(chain: &[CertificateDer<'_>]) -> Result<Timestamp, Error> {
    Leaf::of_chain(chain).map(|leaf| leaf.not_after)
}

fn check_signed(
    der: &CertificateDer<'_>,
    leaf: &Leaf,
    anchor: &Anchor,
    now: Timestamp,
) -> Result<(), Error> {
    let id = || leaf.id.clone();
    let parsed = ParsedCertificate::try_from(der)
        .map_err(|_| Error::Malformed { what: "the verifier cannot decode it" })?;
    let algorithms = crypto::provider().signature_verification_algorithms.all;
    let unix = UnixTime::since_unix_epoch(Duration::from_millis(now.unix_ms));
    let verdict =
        verify_server_cert_signed_by_trust_anchor(&parsed, anchor.root(), &[], unix, algorithms);
    let Err(source) = verdict else { return Ok(()) };
    let rustls::Error::InvalidCertificate(why) = &source else {
        return Err(Error::NotSigned { id: id(), source });
    };
    if matches!(why, CertificateError::Expired | CertificateError::ExpiredContext { .. }) {
        return Err(Error::Expired { id: id(), at: leaf.not_after, now });
    }
    if matches!(why, CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. }) {
        return Err(Error::NotYetValid { id: id(), from: leaf.not_before, now });
    }
    Err(Error::NotSigned { id: id(), source })
}
