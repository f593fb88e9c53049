//! Gateways whose certificate proves nothing, at the tunnel's port of a real gateway.

use std::time::Duration;

use rcgen::{CertificateParams, ExtendedKeyUsagePurpose, IsCa, KeyPair, KeyUsagePurpose, SanType};
use rialto_types::id::Role;
use rialto_wire::identity::{Issuer, Svid, crypto, now};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::sign::CertifiedKey;

use super::west::{East, Shows, cut, dial};
use super::world::before;

const GATEWAY: &str = "spiffe://west.rialto/rialto/gateway/one";
const REFUSALS: &str = "rialto_gateway_peers_refused_total";

#[tokio::test(flavor = "multi_thread")]
async fn a_gateway_that_proves_nothing_is_refused_and_counted() {
    let east = East::start();
    let world = &east.world;
    let (own, west, north) = (&world.east, &world.west, &world.north);
    let hour = Duration::from_secs(3600);
    let expired = world.svid(west, Role::Gateway, "one", before(20 * hour));
    let agent = world.svid(west, Role::Agent, "one", now());
    let stranger = world.svid(north, Role::Gateway, "one", now());
    let second = "spiffe://west.rialto/rialto/gateway/two";
    let forged = |uris: &[&str], signer| Shows::Certificate(forge(uris, signer));
    let shown = |svid: &Svid| Shows::Certificate(certified(svid));
    for (what, shows, reason, told) in [
        ("no certificate", Shows::Nothing, None, "peer sent no certificates"),
        ("an expired one", shown(&expired), Some("expired"), "expired at"),
        (
            "one of another trust domain",
            shown(&stranger),
            Some("unknown_trust_domain"),
            "no anchor of trust domain `north.rialto`",
        ),
        ("two URI names", forged(&[GATEWAY, second], west), Some("uri_names"), "2 URI names"),
        ("the same URI twice", forged(&[GATEWAY, GATEWAY], west), Some("uri_names"), "2 URI names"),
        ("no URI", forged(&[], west), Some("uri_names"), "0 URI names"),
        (
            "west's, by the issuer of east",
            forged(&[GATEWAY], own),
            Some("not_signed"),
            "not signed",
        ),
        ("west's, by a stranger", forged(&[GATEWAY], north), Some("not_signed"), "not signed"),
        (
            "a name that is no SPIFFE ID",
            forged(&["https://west.rialto/rialto/gateway/one"], west),
            Some("not_spiffe"),
            "not a SPIFFE ID",
        ),
        (
            "a workload's",
            forged(&["spiffe://west.rialto/ns/shop/sa/cart"], west),
            Some("unexpected"),
            "expected was a gateway",
        ),
        ("an agent's", shown(&agent), Some("unexpected"), "expected was a gateway"),
    ] {
        let labels = reason.map(|reason| format!("reason=\"{reason}\""));
        let refusals = |label: &String| east.gateway.counted(REFUSALS, &[label.as_str()]);
        let before = (east.refused("handshake"), labels.as_ref().map(refusals));
        // A TLS 1.3 client is done before the server has looked; it learns of it at once after.
        if let Ok((_endpoint, connection)) = dial(&east, shows).await {
            let lost = cut(&connection).await;
            assert_eq!(lost.label(), "carrier", "{what}: {lost:?}");
        }
        let record = east.gateway.until_logged("connection to the tunnel refused");
        assert!(record["error"].to_string().contains(told), "{what}: {record}");
        let after = (east.refused("handshake"), labels.as_ref().map(refusals));
        let more = |count: u64| count + 1;
        assert_eq!(after, (more(before.0), before.1.map(more)), "{what}");
    }
    // Good, and of this very cluster: a copy of our own gateway, or a loop.
    let copy = world.svid(own, Role::Gateway, "two", now());
    let (_endpoint, connection) = dial(&east, shown(&copy)).await.expect("a connection");
    cut(&connection).await;
    east.gateway.until("the refusal", |_| east.refused("identity") == 1);
    east.check_goes_on().await;
}

/// A certificate that no bridge would issue.
fn forge(uris: &[&str], signer: &Issuer) -> CertifiedKey {
    let key = KeyPair::generate().expect("a key");
    let now_s = now().unix_ms / 1000;
    let at = |unix_s: u64| rcgen::date_time_ymd(1970, 1, 1) + Duration::from_secs(unix_s);
    let mut params = CertificateParams::default();
    params.not_before = at(now_s - 60);
    params.not_after = at(now_s + 3600);
    let uri = |text: &&str| SanType::URI((*text).try_into().expect("ASCII"));
    params.subject_alt_names = uris.iter().map(uri).collect();
    params.is_ca = IsCa::ExplicitNoCa;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages =
        vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
    let anchor = CertificateDer::from(signer.certificate().to_vec());
    let signing = KeyPair::try_from(signer.key()).expect("a key");
    let signing = rcgen::Issuer::from_ca_cert_der(&anchor, signing).expect("an issuer");
    let leaf = params.signed_by(&key, &signing).expect("signed").der().clone();
    with_key(vec![leaf, anchor], &key.serialize_der())
}

/// What a good gateway shows.
pub(super) fn certified(svid: &Svid) -> CertifiedKey {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("identity.pem");
    svid.store(&path).expect("kept");
    let pem = std::fs::read(&path).expect("readable");
    let key = PrivatePkcs8KeyDer::from_pem_slice(&pem).expect("a key");
    with_key(svid.chain().to_vec(), key.secret_pkcs8_der())
}

fn with_key(chain: Vec<CertificateDer<'static>>, key: &[u8]) -> CertifiedKey {
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.to_vec()));
    CertifiedKey::from_der(chain, key, crypto::provider()).expect("they belong together")
}
