//! The anchors of each trust domain.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use rialto_types::id::{Timestamp, TrustDomain};
use rialto_types::limits;
use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

use super::{Fingerprint, file, pem, x509};

/// Why a certificate cannot be an anchor.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("the issuer certificate is not valid X.509: {what}")]
    Malformed { what: &'static str },
    #[error("the certificate may not issue others: an anchor is a CA with the usage keyCertSign")]
    NotIssuer,
    #[error("the issuer certificate must have exactly one URI name, `spiffe://TRUST-DOMAIN`")]
    Name,
    #[error("the issuer certificate is of `{found}`, not of `{expected}`")]
    OtherDomain { expected: TrustDomain, found: TrustDomain },
    #[error("`{domain}` has more than {} anchors", limits::ANCHORS_PER_DOMAIN_MAX)]
    TooMany { domain: TrustDomain },
    #[error("the file of the trust bundle cannot be used")]
    File(#[source] file::Error),
    #[error("`{path}` is not PEM with issuer certificates: remove it and join again")]
    Pem { path: std::path::PathBuf },
}

impl Error {
    /// Whether there is no file, which is normal before the part has joined.
    pub fn is_absent(&self) -> bool {
        matches!(self, Self::File(error) if error.is_absent())
    }
}

/// An issuer certificate that speaks for the trust domain named in it, and for no other.
#[derive(Debug)]
pub struct Anchor {
    domain: TrustDomain,
    der: CertificateDer<'static>,
    not_before: Timestamp,
    not_after: Timestamp,
    root: RootCertStore,
}

/// Everything else is read from the certificate.
impl PartialEq for Anchor {
    fn eq(&self, other: &Self) -> bool {
        self.der == other.der
    }
}

impl Anchor {
    pub fn parse(der: &[u8]) -> Result<Self, Error> {
        let malformed = |what| Error::Malformed { what };
        let certificate = x509::decode(der).map_err(malformed)?;
        let extension = |_| malformed("an extension is broken or there twice");
        let is_ca =
            certificate.basic_constraints().map_err(extension)?.is_some_and(|it| it.value.ca);
        let signs =
            certificate.key_usage().map_err(extension)?.is_some_and(|it| it.value.key_cert_sign());
        if !is_ca || !signs {
            return Err(Error::NotIssuer);
        }
        let uris = x509::uri_names(&certificate).map_err(extension)?;
        let [uri] = uris[..] else { return Err(Error::Name) };
        let domain = uri.strip_prefix("spiffe://").and_then(|domain| domain.parse().ok());
        let domain = domain.ok_or(Error::Name)?;
        let (not_before, not_after) = x509::validity(&certificate);
        let der = CertificateDer::from(der.to_vec());
        let mut root = RootCertStore::empty();
        root.add(der.clone()).map_err(|_| malformed("it cannot be an anchor"))?;
        Ok(Self { domain, der, not_before, not_after, root })
    }

    pub fn domain(&self) -> &TrustDomain {
        &self.domain
    }

    pub fn der(&self) -> &[u8] {
        &self.der
    }

    pub fn fingerprint(&self) -> Fingerprint {
        Fingerprint::of(&self.der)
    }

    pub(super) fn is_valid(&self, now: Timestamp) -> bool {
        self.not_before <= now && now <= self.not_after
    }

    pub(super) fn root(&self) -> &RootCertStore {
        &self.root
    }
}

/// Trust domain → its anchors. Domains are never pooled: a peer's certificate is checked against
/// the anchors of the one domain that it names.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct TrustBundle {
    anchors: BTreeMap<TrustDomain, Vec<Arc<Anchor>>>,
}

impl TrustBundle {
    /// Adds an anchor for `domain`; one that names another domain is refused.
    pub fn insert(&mut self, domain: &TrustDomain, der: &[u8]) -> Result<(), Error> {
        let anchor = Anchor::parse(der)?;
        if anchor.domain != *domain {
            let found = anchor.domain;
            return Err(Error::OtherDomain { expected: domain.clone(), found });
        }
        self.insert_anchor(anchor)
    }

    /// Adds an anchor for the domain that it names.
    pub fn insert_anchor(&mut self, anchor: Anchor) -> Result<(), Error> {
        let anchors = self.anchors.entry(anchor.domain.clone()).or_default();
        if anchors.iter().any(|known| known.der == anchor.der) {
            return Ok(());
        }
        if anchors.len() == limits::ANCHORS_PER_DOMAIN_MAX {
            return Err(Error::TooMany { domain: anchor.domain });
        }
        anchors.push(Arc::new(anchor));
        Ok(())
    }

    pub fn anchors(&self, domain: &TrustDomain) -> &[Arc<Anchor>] {
        self.anchors.get(domain).map_or(&[], Vec::as_slice)
    }

    pub fn domains(&self) -> impl Iterator<Item = &TrustDomain> {
        self.anchors.keys()
    }

    pub fn is_empty(&self) -> bool {
        self.anchors.is_empty()
    }

    /// Writes every anchor into one PEM file.
    pub fn store(&self, path: &Path) -> Result<(), Error> {
        let mut text = String::new();
        for anchor in self.anchors.values().flatten() {
            pem::write("CERTIFICATE", &anchor.der, &mut text);
        }
        file::write_private(path, text.as_bytes()).map_err(Error::File)
    }

    /// Reads what [`TrustBundle::store`] wrote; each anchor names its domain itself.
    pub fn load(path: &Path) -> Result<Self, Error> {
        let bytes = file::read_private(path, limits::BUNDLE_FILE_BYTES_MAX);
        let bytes = bytes.map_err(Error::File)?;
        let mut bundle = Self::default();
        for der in CertificateDer::pem_slice_iter(&bytes) {
            let der = der.map_err(|_| Error::Pem { path: path.to_owned() })?;
            bundle.insert_anchor(Anchor::parse(&der)?)?;
        }
        Ok(bundle)
    }
}
