//! A part's own certificate and key.

use std::path::Path;
use std::sync::Arc;

use rialto_types::id::{SpiffeId, Timestamp};
use rialto_types::limits;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::sign::CertifiedKey;

use super::{crypto, file, peer, pem};

/// Why a certificate and key cannot be used as ours.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("the certificate is not a valid X.509-SVID")]
    Certificate(#[source] peer::Error),
    #[error("the key does not belong to the certificate of `{id}`, or is of an unknown kind")]
    Key { id: SpiffeId, source: rustls::Error },
    #[error("the file of the certificate and key cannot be used")]
    File(#[source] file::Error),
    #[error("`{path}` is not PEM with one key and its certificates: remove it and join again")]
    Pem { path: std::path::PathBuf },
}

impl Error {
    /// Whether there is no file, which is normal before the part has joined.
    pub fn is_absent(&self) -> bool {
        matches!(self, Self::File(error) if error.is_absent())
    }
}

/// An X.509-SVID with its key: exactly one SPIFFE ID, fit to be client and server.
pub struct Svid {
    leaf: peer::Leaf,
    key: PrivatePkcs8KeyDer<'static>,
    certified: Arc<CertifiedKey>,
}

impl Svid {
    /// Checks the leaf's form and that the key is the leaf's. Validity in time is the peer's
    /// business: an expired SVID can still be loaded, and is then renewed or refused.
    pub fn new(
        chain: Vec<CertificateDer<'static>>,
        key: PrivatePkcs8KeyDer<'static>,
    ) -> Result<Self, Error> {
        let leaf = peer::Leaf::of_chain(&chain).map_err(Error::Certificate)?;
        let certified = PrivateKeyDer::Pkcs8(key.clone_key());
        let certified = CertifiedKey::from_der(chain, certified, crypto::provider())
            .map_err(|source| Error::Key { id: leaf.id.clone(), source })?;
        Ok(Self { leaf, key, certified: Arc::new(certified) })
    }

    pub fn id(&self) -> &SpiffeId {
        &self.leaf.id
    }

    /// Leaf first, then its issuer.
    pub fn chain(&self) -> &[CertificateDer<'static>] {
        &self.certified.cert
    }

    pub fn not_before(&self) -> Timestamp {
        self.leaf.not_before
    }

    pub fn not_after(&self) -> Timestamp {
        self.leaf.not_after
    }

    /// Half of its life: when to ask for the next one. Its life begins with its issue, validity
    /// earlier by the clocks' skew, which is longer than some lives.
    pub fn renew_at(&self) -> Timestamp {
        let issued = self.leaf.not_before.plus(limits::CLOCK_SKEW_MAX);
        issued.plus(issued.age(self.leaf.not_after) / 2)
    }

    pub fn is_expired(&self, now: Timestamp) -> bool {
        now > self.leaf.not_after
    }

    /// Writes key and chain into one private file, so that the two always fit.
    pub fn store(&self, path: &Path) -> Result<(), Error> {
        let mut text = String::new();
        pem::write("PRIVATE KEY", self.key.secret_pkcs8_der(), &mut text);
        for certificate in self.chain() {
            pem::write("CERTIFICATE", certificate, &mut text);
        }
        file::write_private(path, text.as_bytes()).map_err(Error::File)
    }

    /// Reads what [`Svid::store`] wrote.
    pub fn load(path: &Path) -> Result<Self, Error> {
        let bytes = file::read_private(path, limits::SVID_FILE_BYTES_MAX).map_err(Error::File)?;
        let malformed = || Error::Pem { path: path.to_owned() };
        let key = PrivatePkcs8KeyDer::from_pem_slice(&bytes).map_err(|_| malformed())?;
        let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&bytes).collect();
        Self::new(chain.map_err(|_| malformed())?, key)
    }

    pub(super) fn certified(&self) -> Arc<CertifiedKey> {
        self.certified.clone()
    }
}

impl std::fmt::Debug for Svid {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Svid")
            .field("id", &self.leaf.id)
            .field("not_after", &self.leaf.not_after)
            .finish_non_exhaustive()
    }
}
