//! The issuer of a trust domain: its own certificate, and the certificates that it signs.
//!
//! In a running federation only the bridge holds issuer keys. The code is here because every
//! package's tests need certificates, and so that X.509 has one home.

use std::time::Duration;

use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1, UnparsedPublicKey};
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa,
    KeyPair, KeyUsagePurpose, PublicKeyData, SanType, SerialNumber,
};
use rialto_types::id::{SpiffeId, Timestamp, TrustDomain};
use rialto_types::limits;
use rustls::pki_types::PrivatePkcs8KeyDer;
use x509_parser::certificate::X509Certificate;
use x509_parser::certification_request::X509CertificationRequest;
use x509_parser::prelude::FromDer;

use super::bundle::{self, Anchor};
use crate::digest::hex;

/// Why a certificate was not issued.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("the certificate request is larger than {} bytes", limits::CSR_BYTES_MAX)]
    RequestTooLarge,
    #[error("the certificate request cannot be decoded (PKCS #10, DER)")]
    RequestMalformed,
    #[error("the certificate request's key is not ECDSA P-256 with SHA-256")]
    RequestKey,
    #[error("the certificate request is not signed by its own key")]
    RequestSignature,
    #[error("`{id}` is not in trust domain `{domain}`, for which this issuer speaks")]
    OtherDomain { id: SpiffeId, domain: TrustDomain },
    #[error("the issuer of `{domain}` is not valid at {now}: rotate it")]
    IssuerExpired { domain: TrustDomain, now: Timestamp },
    #[error("the issuer certificate cannot be used")]
    Certificate(#[source] bundle::Error),
    #[error("the issuer's key cannot be read")]
    Key(#[source] rcgen::Error),
    #[error("the issuer's key does not belong to its certificate")]
    OtherKey,
    #[error("cannot make the certificate of `{subject}`")]
    Sign { subject: String, source: rcgen::Error },
}

/// 16 random bytes for a certificate's serial number (RFC 5280, 4.1.2.2: unique, positive).
pub type Serial = [u8; 16];

/// The issuer of one trust domain; its certificate is the domain's anchor.
pub struct Issuer {
    anchor: Anchor,
    not_before: Timestamp,
    not_after: Timestamp,
    key: KeyPair,
}

impl Issuer {
    /// A new self-signed issuer for `domain`, with a new key.
    pub fn create(domain: &TrustDomain, serial: Serial, now: Timestamp) -> Result<Self, Error> {
        let failed = |source| Error::Sign { subject: domain.to_string(), source };
        let key = KeyPair::generate().map_err(Error::Key)?;
        let mut params = params(serial, now, now.plus(limits::ISSUER_TTL));
        // Issuer and subject names link leaf and anchor; a domain alone would be the same name for
        // the old and the new issuer of a rotation, and errors would not tell them apart.
        let name = format!("{domain} {}", hex(&serial[..4]));
        params.distinguished_name.push(DnType::CommonName, name);
        params.subject_alt_names = uri(&format!("spiffe://{domain}")).map_err(failed)?;
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        let certificate = params.self_signed(&key).map_err(failed)?;
        Self::from_parts(certificate.der(), &key.serialize_der())
    }

    /// An issuer from its certificate and its key (PKCS #8), both DER.
    pub fn from_parts(certificate: &[u8], key: &[u8]) -> Result<Self, Error> {
        let anchor = Anchor::parse(certificate).map_err(Error::Certificate)?;
        let key = PrivatePkcs8KeyDer::from(key);
        let key = KeyPair::from_pkcs8_der_and_sign_algo(&key, &rcgen::PKCS_ECDSA_P256_SHA256)
            .map_err(Error::Key)?;
        let (_, x509) = X509Certificate::from_der(certificate).map_err(|_| Error::OtherKey)?;
        if x509.public_key().raw != key.subject_public_key_info() {
            return Err(Error::OtherKey);
        }
        let (not_before, not_after) = super::x509::validity(&x509);
        Ok(Self { anchor, not_before, not_after, key })
    }

    pub fn domain(&self) -> &TrustDomain {
        self.anchor.domain()
    }

    /// The certificate (DER): the anchor of the trust domain.
    pub fn certificate(&self) -> &[u8] {
        self.anchor.der()
    }

    /// The key (PKCS #8, DER). A secret: it leaves memory only sealed.
    pub fn key(&self) -> Vec<u8> {
        self.key.serialize_der()
    }

    pub fn not_after(&self) -> Timestamp {
        self.not_after
    }

    /// Certifies that the key of `csr` is `id`'s: leaf first, then this issuer.
    ///
    /// Nothing of the request but its key is read; names, usages and validity are ours. The leaf
    /// never outlives its issuer.
    pub fn sign(
        &self,
        csr: &[u8],
        id: &SpiffeId,
        serial: Serial,
        ttl: Duration,
        now: Timestamp,
    ) -> Result<Vec<Vec<u8>>, Error> {
        if id.trust_domain() != *self.domain() {
            return Err(Error::OtherDomain { id: id.clone(), domain: self.domain().clone() });
        }
        if now < self.not_before || now >= self.not_after {
            return Err(Error::IssuerExpired { domain: self.domain().clone(), now });
        }
        let key = request_key(csr)?;
        let failed = |source| Error::Sign { subject: id.to_string(), source };
        let mut params = params(serial, now, now.plus(ttl).min(self.not_after));
        params.subject_alt_names = uri(id.as_str()).map_err(failed)?;
        params.is_ca = IsCa::ExplicitNoCa;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages =
            vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
        params.use_authority_key_identifier_extension = true;
        let issuer = rcgen::Issuer::from_ca_cert_der(&self.certificate().into(), &self.key)
            .map_err(failed)?;
        let leaf = params.signed_by(&key, &issuer).map_err(failed)?;
        Ok(vec![leaf.der().to_vec(), self.certificate().to_vec()])
    }
}

impl std::fmt::Debug for Issuer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Issuer").field("domain", self.domain()).finish_non_exhaustive()
    }
}

/// Validity is always stated: rcgen's default is 1975 to 4096.
fn params(mut serial: Serial, now: Timestamp, not_after: Timestamp) -> CertificateParams {
    let time =
        |at: Timestamp| rcgen::date_time_ymd(1970, 1, 1) + Duration::from_secs(at.unix_ms / 1000);
    // Positive and never zero, whatever was drawn.
    serial[0] = serial[0] & 0x7f | 0x40;
    let skew_ms = u64::try_from(limits::CLOCK_SKEW_MAX.as_millis()).unwrap_or(u64::MAX);
    let mut params = CertificateParams::default();
    params.not_before = time(Timestamp::from_unix_ms(now.unix_ms.saturating_sub(skew_ms)));
    params.not_after = time(not_after);
    params.serial_number = Some(SerialNumber::from_slice(&serial));
    params.distinguished_name = DistinguishedName::new();
    params
}

fn uri(text: &str) -> Result<Vec<SanType>, rcgen::Error> {
    Ok(vec![SanType::URI(text.try_into()?)])
}

/// The key of a request whose signature proves that the sender holds it.
fn request_key(csr: &[u8]) -> Result<rcgen::SubjectPublicKeyInfo, Error> {
    if csr.len() > limits::CSR_BYTES_MAX {
        return Err(Error::RequestTooLarge);
    }
    let (rest, request) =
        X509CertificationRequest::from_der(csr).map_err(|_| Error::RequestMalformed)?;
    if !rest.is_empty() {
        return Err(Error::RequestMalformed);
    }
    let info = &request.certification_request_info;
    let key = rcgen::SubjectPublicKeyInfo::from_der(info.subject_pki.raw)
        .map_err(|_| Error::RequestKey)?;
    if key.algorithm() != &rcgen::PKCS_ECDSA_P256_SHA256 {
        return Err(Error::RequestKey);
    }
    // The one algorithm is fixed here and not read from the request.
    UnparsedPublicKey::new(&ECDSA_P256_SHA256_ASN1, key.der_bytes())
        .verify(info.raw, &request.signature_value.data)
        .map_err(|_| Error::RequestSignature)?;
    Ok(key)
}
