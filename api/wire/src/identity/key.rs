//! New keys and their certificate requests.

use rcgen::{CertificateParams, DistinguishedName, KeyPair};
use rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer};

use super::svid::{self, Svid};

/// A key could not be made; the system's source of randomness or memory failed.
#[derive(Debug, thiserror::Error)]
#[error("cannot make a new key")]
pub struct Error(#[source] rcgen::Error);

/// A new ECDSA P-256 key and the request for a certificate to it. The key stays in here until the
/// certificate has come.
pub struct KeyRequest {
    key: PrivatePkcs8KeyDer<'static>,
    csr: Vec<u8>,
}

impl KeyRequest {
    pub fn new() -> Result<Self, Error> {
        let key = KeyPair::generate().map_err(Error)?;
        let mut params = CertificateParams::default();
        // The signer decides every name; a request with none cannot be misread as a wish.
        params.distinguished_name = DistinguishedName::new();
        let csr = params.serialize_request(&key).map_err(Error)?;
        let key = PrivatePkcs8KeyDer::from(key.serialize_der());
        Ok(Self { key, csr: csr.der().to_vec() })
    }

    /// The certificate request (PKCS #10, DER) to send to the signer.
    pub fn csr(&self) -> &[u8] {
        &self.csr
    }

    /// Joins the key with the chain that the signer answered: leaf first, then its issuer.
    pub fn into_svid(self, chain: Vec<Vec<u8>>) -> Result<Svid, svid::Error> {
        let chain = chain.into_iter().map(CertificateDer::from).collect();
        Svid::new(chain, self.key)
    }
}

impl std::fmt::Debug for KeyRequest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("KeyRequest").finish_non_exhaustive()
    }
}
