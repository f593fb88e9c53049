//! The certificate authority: issuers whose keys are in the state only sealed, certificates for
//! parts, and the secrets of tokens.
//!
//! Randomness is drawn here, at the border; what signs and seals below gets it as an argument or
//! draws only a nonce.

pub mod seal;
mod secret;

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rialto_core::state::trust;
use rialto_types::error::Code;
use rialto_types::id::{SpiffeId, Timestamp, TrustDomain};
use rialto_wire::identity::{Issuer, KeyRequest, Svid, issuer, key, svid};

pub use seal::SealKey;
pub use secret::Secret;

/// Why the authority could not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("cannot make an issuer for `{domain}`")]
    Create { domain: TrustDomain, source: issuer::Error },
    #[error("cannot seal the issuer key of `{domain}`")]
    Seal { domain: TrustDomain, source: seal::Error },
    #[error("cannot open the issuer key of `{domain}`")]
    Open { domain: TrustDomain, source: seal::Error },
    #[error("the issuer of `{domain}` in the state is not valid base64")]
    Encoding { domain: TrustDomain },
    #[error("the issuer of `{domain}` in the state cannot be used")]
    Issuer { domain: TrustDomain, source: issuer::Error },
    #[error("cannot issue a certificate to `{id}`")]
    Sign { id: SpiffeId, source: issuer::Error },
    #[error("cannot make a key for `{id}`")]
    Key { id: SpiffeId, source: key::Error },
    #[error("cannot use the certificate just issued to `{id}`")]
    Svid { id: SpiffeId, source: svid::Error },
    #[error("the system gives no random bytes")]
    Random,
}

impl Error {
    /// What the one who asked is told.
    pub fn code(&self) -> Code {
        let Self::Sign { source, .. } = self else { return Code::Internal };
        match source {
            issuer::Error::RequestTooLarge
            | issuer::Error::RequestMalformed
            | issuer::Error::RequestKey
            | issuer::Error::RequestSignature => Code::CertificateRequestInvalid,
            issuer::Error::OtherDomain { .. } => Code::IdentityRefused,
            issuer::Error::IssuerExpired { .. }
            | issuer::Error::Certificate(_)
            | issuer::Error::Key(_)
            | issuer::Error::OtherKey
            | issuer::Error::Sign { .. } => Code::Internal,
        }
    }
}

/// Issues certificates with the sealed issuers of the state.
#[derive(Debug)]
pub struct Authority {
    seal_key: SealKey,
    /// How long its certificates live.
    lifetime: Duration,
}

impl Authority {
    pub fn new(seal_key: SealKey, lifetime: Duration) -> Self {
        Self { seal_key, lifetime }
    }

    /// The key that a joining member needs, too.
    pub fn seal_key(&self) -> &SealKey {
        &self.seal_key
    }

    /// A new issuer for `domain`, in the form in which the state keeps it.
    pub fn create_issuer(
        &self,
        domain: &TrustDomain,
        now: Timestamp,
    ) -> Result<trust::Issuer, Error> {
        let issuer = Issuer::create(domain, draw()?, now)
            .map_err(|source| Error::Create { domain: domain.clone(), source })?;
        let sealed = self
            .seal_key
            .seal(&issuer.key(), domain.as_str())
            .map_err(|source| Error::Seal { domain: domain.clone(), source })?;
        Ok(trust::Issuer {
            sealed_key: STANDARD.encode(sealed),
            certificate: STANDARD.encode(issuer.certificate()),
        })
    }

    /// The usable form of an issuer of the state.
    pub fn open_issuer(
        &self,
        domain: &TrustDomain,
        issuer: &trust::Issuer,
    ) -> Result<Issuer, Error> {
        let sealed = decode(domain, &issuer.sealed_key)?;
        let certificate = anchor(domain, issuer)?;
        let key = self
            .seal_key
            .open(&sealed, domain.as_str())
            .map_err(|source| Error::Open { domain: domain.clone(), source })?;
        Issuer::from_parts(&certificate, &key)
            .map_err(|source| Error::Issuer { domain: domain.clone(), source })
    }

    /// Certifies that the key of `csr` is `id`'s for the lifetime: leaf first, then the issuer of
    /// its trust domain, DER. The caller has proved that `id` is who asks.
    pub fn certify(
        &self,
        csr: &[u8],
        id: &SpiffeId,
        issuer: &trust::Issuer,
        now: Timestamp,
    ) -> Result<Vec<Vec<u8>>, Error> {
        self.open_issuer(&id.trust_domain(), issuer)?
            .sign(csr, id, draw()?, self.lifetime, now)
            .map_err(|source| Error::Sign { id: id.clone(), source })
    }

    /// A key and certificate for a member itself.
    pub fn certify_self(
        &self,
        id: &SpiffeId,
        issuer: &trust::Issuer,
        now: Timestamp,
    ) -> Result<Svid, Error> {
        let request = KeyRequest::new().map_err(|source| Error::Key { id: id.clone(), source })?;
        let chain = self.certify(request.csr(), id, issuer, now)?;
        request.into_svid(chain).map_err(|source| Error::Svid { id: id.clone(), source })
    }
}

/// The certificate of an issuer of the state (DER): the anchor of its trust domain. Its key stays
/// sealed.
pub fn anchor(domain: &TrustDomain, issuer: &trust::Issuer) -> Result<Vec<u8>, Error> {
    decode(domain, &issuer.certificate)
}

fn decode(domain: &TrustDomain, text: &str) -> Result<Vec<u8>, Error> {
    STANDARD.decode(text).map_err(|_| Error::Encoding { domain: domain.clone() })
}

/// Bytes from the system's source of randomness.
pub fn draw<const N: usize>() -> Result<[u8; N], Error> {
    let mut bytes = [0; N];
    aws_lc_rs::rand::fill(&mut bytes).map_err(|_| Error::Random)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests;
