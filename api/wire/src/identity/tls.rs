//! rustls configurations: TLS 1.3, mutual, no resumption, our own verifiers.

use std::fmt;
use std::sync::Arc;

use rialto_types::id::Timestamp;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{ResolvesClientCert, Resumption};
use rustls::crypto::verify_tls13_signature;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::server::{ClientHello, NoServerSessionStorage, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, DistinguishedName, OtherError,
    PeerIncompatible, ServerConfig, SignatureScheme,
};

use super::{Expected, Fingerprint, Identity, crypto, peer};

/// The name that TLS asks a client to give. It is never sent and never checked: the peer's SPIFFE
/// ID decides.
pub const SERVER_NAME: &str = "rialto.invalid";

/// Which clients a server lets in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Clients {
    /// Only who proves an identity that is expected.
    Required(Expected),
    /// Also who presents no certificate, as nobody; what is presented must be as expected.
    Optional(Expected),
}

impl Clients {
    pub fn expected(&self) -> &Expected {
        match self {
            Self::Required(expected) | Self::Optional(expected) => expected,
        }
    }
}

impl Identity {
    /// A client that presents our certificate and accepts only `expected` as its server.
    pub fn client_config(&self, expected: Expected, alpn: &[&[u8]]) -> ClientConfig {
        let verifier = ServerVerifier { trust: Trust::Bundle(self.clone()), expected };
        let config = client_builder(verifier).with_client_cert_resolver(Arc::new(self.clone()));
        finish_client(config, alpn)
    }

    /// A server that presents our certificate and lets `clients` in.
    pub fn server_config(&self, clients: Clients, alpn: &[&[u8]]) -> ServerConfig {
        let verifier = ClientVerifier { identity: self.clone(), clients };
        let mut config = ServerConfig::builder_with_provider(crypto::provider().clone())
            .with_protocol_versions(&[&rustls::version::TLS13])
            .expect("the provider knows TLS 1.3")
            .with_client_cert_verifier(Arc::new(verifier))
            .with_cert_resolver(Arc::new(self.clone()));
        config.alpn_protocols = alpn.iter().map(|name| name.to_vec()).collect();
        // A resumed session calls no verifier: it would outlive a withdrawn trust.
        config.session_storage = Arc::new(NoServerSessionStorage {});
        config.send_tls13_tickets = 0;
        config
    }
}

/// A client without certificate that accepts the server whose issuer has this fingerprint: the
/// redemption of a join token, the first certificate of a gateway from its agent.
pub fn pinned_client_config(
    fingerprint: Fingerprint,
    expected: Expected,
    alpn: &[&[u8]],
) -> ClientConfig {
    let verifier = ServerVerifier { trust: Trust::Pin(fingerprint), expected };
    finish_client(client_builder(verifier).with_no_client_auth(), alpn)
}

fn client_builder(
    verifier: ServerVerifier,
) -> rustls::ConfigBuilder<ClientConfig, rustls::client::WantsClientCert> {
    ClientConfig::builder_with_provider(crypto::provider().clone())
        .with_protocol_versions(&[&rustls::version::TLS13])
        .expect("the provider knows TLS 1.3")
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier))
}

fn finish_client(mut config: ClientConfig, alpn: &[&[u8]]) -> ClientConfig {
    config.alpn_protocols = alpn.iter().map(|name| name.to_vec()).collect();
    config.resumption = Resumption::disabled();
    config.enable_sni = false;
    config
}

impl ResolvesServerCert for Identity {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.svid().certified())
    }
}

impl ResolvesClientCert for Identity {
    fn resolve(&self, _: &[&[u8]], _: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        Some(self.svid().certified())
    }

    fn has_certs(&self) -> bool {
        true
    }
}

enum Trust {
    Bundle(Identity),
    Pin(Fingerprint),
}

struct ServerVerifier {
    trust: Trust,
    expected: Expected,
}

impl fmt::Debug for ServerVerifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServerVerifier").field("expected", &self.expected).finish_non_exhaustive()
    }
}

impl ServerCertVerifier for ServerVerifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let chain = whole(end_entity, intermediates);
        let verdict = match &self.trust {
            Trust::Bundle(identity) => verify(identity, &chain, &self.expected, now),
            Trust::Pin(pin) => peer::verify_pinned(&chain, pin, &self.expected, timestamp(now)),
        };
        verdict.map(|_| ServerCertVerified::assertion()).map_err(refusal)
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Err(PeerIncompatible::Tls12NotOfferedOrEnabled.into())
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        check_signature(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        schemes()
    }
}

#[derive(Debug)]
struct ClientVerifier {
    identity: Identity,
    clients: Clients,
}

impl ClientCertVerifier for ClientVerifier {
    fn client_auth_mandatory(&self) -> bool {
        matches!(self.clients, Clients::Required(_))
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, rustls::Error> {
        let chain = whole(end_entity, intermediates);
        verify(&self.identity, &chain, self.clients.expected(), now)
            .map(|_| ClientCertVerified::assertion())
            .map_err(refusal)
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Err(PeerIncompatible::Tls12NotOfferedOrEnabled.into())
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        check_signature(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        schemes()
    }
}

fn check_signature(
    message: &[u8],
    certificate: &CertificateDer<'_>,
    signature: &DigitallySignedStruct,
) -> Result<HandshakeSignatureValid, rustls::Error> {
    let algorithms = &crypto::provider().signature_verification_algorithms;
    verify_tls13_signature(message, certificate, signature, algorithms)
}

fn schemes() -> Vec<SignatureScheme> {
    crypto::provider().signature_verification_algorithms.supported_schemes()
}

fn verify(
    identity: &Identity,
    chain: &[CertificateDer<'_>],
    expected: &Expected,
    now: UnixTime,
) -> Result<rialto_types::id::SpiffeId, peer::Error> {
    let verdict = peer::verify(chain, &identity.bundle(), expected, timestamp(now));
    if let Err(error) = &verdict {
        identity.count_refusal(error.reason());
    }
    verdict
}

fn whole<'a>(
    end_entity: &'a CertificateDer<'_>,
    intermediates: &'a [CertificateDer<'_>],
) -> Vec<CertificateDer<'a>> {
    std::iter::once(end_entity).chain(intermediates).map(|der| der.as_ref().into()).collect()
}

fn timestamp(now: UnixTime) -> Timestamp {
    Timestamp::from_unix_ms(now.as_secs().saturating_mul(1000))
}

fn refusal(error: peer::Error) -> rustls::Error {
    CertificateError::Other(OtherError(Arc::new(error))).into()
}
