use std::sync::Arc;
use std::time::Duration;

use rcgen::{BasicConstraints, CertificateParams, ExtendedKeyUsagePurpose as Purpose, IsCa};
use rcgen::{KeyPair, KeyUsagePurpose, SanType};
use rialto_types::cluster::Joiner;
use rialto_types::limits;
use rialto_types::token::JoinToken;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, ServerName};
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::{TlsAcceptor, TlsConnector};

use super::bundle::Anchor;
use super::*;

const DAY: Duration = Duration::from_secs(24 * 3600);
const EAST: &str = "spiffe://east.rialto/rialto/gateway/g1";

/// A macro, because the type of rcgen's times is of a package that is not among ours.
macro_rules! at {
    ($unix_s:expr) => {
        rcgen::date_time_ymd(1970, 1, 1) + Duration::from_secs($unix_s)
    };
}

// What a peer may present, and why it is refused.

/// Forges a certificate from a good one of east's gateway `g1`; `break_it` makes it bad.
#[track_caller]
fn check_refused(reason: &str, break_it: impl FnOnce(&mut Forgery)) {
    let world = World::new();
    let mut forgery = world.forgery();
    break_it(&mut forgery);
    let (chain, _) = forgery.sign();
    let verdict = peer::verify(&chain, &world.bundle(), &gateways_of_east(), now());
    assert_eq!(verdict.expect_err("refused").reason(), reason);
}

#[test]
fn a_good_certificate_is_believed() {
    let world = World::new();
    let (chain, _) = world.forgery().sign();
    let id = peer::verify(&chain, &world.bundle(), &gateways_of_east(), now());
    assert_eq!(id.expect("believed").as_str(), EAST);
}

#[test]
fn no_certificate_is_refused() {
    let verdict = peer::verify(&[], &World::new().bundle(), &Expected::Anyone, now());
    assert_eq!(verdict, Err(peer::Error::NoCertificate));
}

#[test]
fn names_that_are_not_exactly_one_spiffe_id_are_refused() {
    check_refused("uri_names", |it| it.params.subject_alt_names.clear());
    check_refused("uri_names", |it| it.params.subject_alt_names.push(uri(EAST)));
    let second = "spiffe://west.rialto/rialto/gateway/g1";
    check_refused("uri_names", |it| it.params.subject_alt_names.push(uri(second)));
    check_refused("uri_names", |it| {
        it.params.subject_alt_names = vec![SanType::DnsName("east".try_into().expect("a name"))];
    });
    for text in [
        "https://east.rialto/rialto/gateway/g1",
        "spiffe://east.rialto",
        "spiffe://east.rialto/",
        "spiffe://EAST.rialto/rialto/gateway/g1",
        "SPIFFE://east.rialto/rialto/gateway/g1",
        "spiffe://east.rialto./../rialto/gateway/g1",
        "spiffe://east.rialto/rialto/gateway/g1/",
        "spiffe://east.rialto/rialto//gateway/g1",
        "spiffe://east.rialto/rialto/%67ateway/g1",
        "spiffe://east.rialto:443/rialto/gateway/g1",
        "spiffe://user@east.rialto/rialto/gateway/g1",
        "spiffe://east.rialto/rialto/gateway/g1?x=y",
        "spiffe://east.rialto/rialto/gateway/g1#x",
    ] {
        check_refused("not_spiffe", |it| it.params.subject_alt_names = vec![uri(text)]);
    }
    let long = format!("spiffe://east.rialto/{}", "a".repeat(2048));
    check_refused("not_spiffe", |it| it.params.subject_alt_names = vec![uri(&long)]);
}

#[test]
fn a_name_that_cannot_be_decoded_makes_the_certificate_malformed() {
    let mut names = vec![0x86, u8::try_from(EAST.len()).expect("short")];
    names.extend_from_slice(EAST.as_bytes());
    let good = [&[0x30, u8::try_from(names.len()).expect("short")], &names[..]].concat();
    names.extend_from_slice(&[0x86, 1, 0xff]);
    let bad = [&[0x30, u8::try_from(names.len()).expect("short")], &names[..]].concat();
    let with = |content| {
        move |it: &mut Forgery<'_>| {
            it.params.subject_alt_names.clear();
            let oid = [2, 5, 29, 17];
            let names = rcgen::CustomExtension::from_oid_content(&oid, content);
            it.params.custom_extensions.push(names);
        }
    };
    check_refused("malformed", with(bad));
    let world = World::new();
    let mut forgery = world.forgery();
    with(good)(&mut forgery);
    assert!(peer::verify(&forgery.sign().0, &world.bundle(), &gateways_of_east(), now()).is_ok());
}

#[test]
fn validity_is_kept_to_the_second() {
    check_refused("expired", |it| {
        it.params.not_before = at!(now_s() - 7200);
        it.params.not_after = at!(now_s() - 3600);
    });
    check_refused("not_yet_valid", |it| it.params.not_before = at!(now_s() + 3600));

    let world = World::new();
    let svid = world.svid(EAST);
    let verify = |now| peer::verify(svid.chain(), &world.bundle(), &Expected::Anyone, now);
    assert!(verify(svid.not_after()).is_ok());
    let late = svid.not_after().plus(Duration::from_secs(1));
    assert_eq!(verify(late).expect_err("late").reason(), "expired");
    assert!(verify(svid.not_before()).is_ok());
    let early = Timestamp::from_unix_ms(svid.not_before().unix_ms - 1000);
    // The issuer is as old as its first leaf here, so that no anchor is valid yet either.
    assert_eq!(verify(early).expect_err("early").reason(), "anchor_expired");
}

#[test]
fn usages_are_needed_and_issuers_prove_nothing() {
    check_refused("issuer", |it| it.params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0)));
    check_refused("issuer", |it| it.params.key_usages.push(KeyUsagePurpose::KeyCertSign));
    check_refused("issuer", |it| it.params.key_usages.push(KeyUsagePurpose::CrlSign));
    check_refused("key_usage", |it| it.params.key_usages.clear());
    check_refused("key_usage", |it| it.params.key_usages = vec![KeyUsagePurpose::KeyAgreement]);
    for purposes in [vec![], vec![Purpose::ServerAuth], vec![Purpose::ClientAuth]] {
        check_refused("extended_key_usage", |it| it.params.extended_key_usages = purposes);
    }
    check_refused("extended_key_usage", |it| {
        it.params.extended_key_usages = vec![Purpose::CodeSigning, Purpose::ClientAuth];
    });
}

#[test]
fn only_the_domains_own_issuer_speaks_for_it() {
    check_refused("unknown_trust_domain", |it| {
        it.params.subject_alt_names = vec![uri("spiffe://north.rialto/rialto/gateway/g1")];
    });
    check_refused("not_signed", |it| it.signer = Signer::West);
    check_refused("not_signed", |it| it.signer = Signer::Itself);
    check_refused("not_signed", |it| it.signer = Signer::IntermediateOfEast);
    check_refused("unexpected", |it| {
        it.params.subject_alt_names = vec![uri("spiffe://west.rialto/rialto/gateway/g1")];
        it.signer = Signer::West;
    });
    check_refused("unexpected", |it| {
        it.params.subject_alt_names = vec![uri("spiffe://east.rialto/rialto/agent/g1")];
    });
    check_refused("unexpected", |it| {
        it.params.subject_alt_names = vec![uri("spiffe://east.rialto/ns/books/sa/gateway")];
    });
}

#[test]
fn a_long_chain_is_refused_before_it_is_parsed() {
    check_refused("chain_too_long", |it| it.padding = 99);
}

#[test]
fn no_changed_bit_goes_unnoticed() {
    let world = World::new();
    let (chain, _) = world.forgery().sign();
    let bundle = world.bundle();
    for at in 0..chain[0].len() {
        let mut der = chain[0].to_vec();
        der[at] ^= 1 << (at % 8);
        let verdict = peer::verify(&[der.into()], &bundle, &Expected::Anyone, now());
        assert!(verdict.is_err(), "byte {at} changed and {verdict:?}");
    }
    for end in 0..chain[0].len() {
        let verdict = peer::verify(&[chain[0][..end].into()], &bundle, &Expected::Anyone, now());
        assert!(verdict.is_err(), "cut at {end}");
    }
}

#[test]
fn a_pin_needs_its_issuer_in_the_chain() {
    let world = World::new();
    let svid = world.svid(EAST);
    let pin = Fingerprint::of(world.east.certificate());
    let verify = |chain: &[CertificateDer<'_>], pin| {
        peer::verify_pinned(chain, &pin, &Expected::Role(Role::Gateway), now())
    };
    assert_eq!(verify(svid.chain(), pin).expect("believed").as_str(), EAST);
    assert_eq!(verify(&svid.chain()[..1], pin), Err(peer::Error::Fingerprint));
    let other = Fingerprint::of(world.west.certificate());
    assert_eq!(verify(svid.chain(), other), Err(peer::Error::Fingerprint));
    // The fingerprint of a leaf is no issuer's, even if the leaf is there twice.
    let twice = [svid.chain()[0].clone(), svid.chain()[0].clone()];
    let verdict = verify(&twice, Fingerprint::of(&twice[0]));
    assert_eq!(verdict.expect_err("no issuer").reason(), "malformed");
    // The right issuer beside a leaf that it did not sign.
    let west = world.svid("spiffe://west.rialto/rialto/gateway/g1");
    let mixed = [west.chain()[0].clone(), svid.chain()[1].clone()];
    assert_eq!(verify(&mixed, pin).expect_err("west's").reason(), "unknown_trust_domain");
}

// Handshakes over TCP, each side in turn the forger.

#[tokio::test]
async fn every_forgery_fails_in_the_handshake_on_either_side() {
    type Break = fn(&mut Forgery);
    let forgeries: [(&str, Break); 7] = [
        ("expired", |it| it.params.not_after = at!(now_s() - 60)),
        ("not_yet_valid", |it| it.params.not_before = at!(now_s() + 3600)),
        ("uri_names", |it| it.params.subject_alt_names.push(uri(EAST))),
        ("not_signed", |it| it.signer = Signer::West),
        ("not_signed", |it| it.signer = Signer::Itself),
        ("extended_key_usage", |it| it.params.extended_key_usages.clear()),
        ("chain_too_long", |it| it.padding = 99),
    ];
    let world = World::new();
    let honest = world.identity("spiffe://east.rialto/rialto/gateway/g2");
    for (reason, break_it) in forgeries {
        let mut forgery = world.forgery();
        break_it(&mut forgery);
        let forged = forgery.certified();

        let mut client = honest.client_config(Expected::Anyone, &[b"h2"]);
        client.client_auth_cert_resolver = Arc::new(SingleCertAndKey::from(forged.clone()));
        let server = honest.server_config(Clients::Required(gateways_of_east()), &[b"h2"]);
        let (_, on_server) = handshake(client, server).await;
        assert_eq!(refusal(on_server).as_deref(), Some(reason), "a forged client");

        let client = honest.client_config(gateways_of_east(), &[b"h2"]);
        let mut server = honest.server_config(Clients::Optional(Expected::Anyone), &[b"h2"]);
        server.cert_resolver = Arc::new(SingleCertAndKey::from(forged));
        let (on_client, _) = handshake(client, server).await;
        assert_eq!(refusal(on_client).as_deref(), Some(reason), "a forged server");
    }
    assert_eq!(honest.refusals()["not_signed"], 4);
    assert_eq!(honest.refusals()["expired"], 2);
}

#[tokio::test]
async fn a_client_without_certificate_passes_only_where_allowed() {
    let world = World::new();
    let honest = world.identity(EAST);
    let pin = Fingerprint::of(world.east.certificate());
    let client = || tls::pinned_client_config(pin, gateways_of_east(), &[b"h2"]);

    let required = honest.server_config(Clients::Required(Expected::Anyone), &[b"h2"]);
    let (_, on_server) = handshake(client(), required).await;
    assert_eq!(refusal(on_server).as_deref(), Some("no_certificate"));

    let optional = honest.server_config(Clients::Optional(Expected::Anyone), &[b"h2"]);
    let (on_client, on_server) = handshake(client(), optional).await;
    on_client.expect("the server is pinned");
    assert_eq!(on_server.expect("nobody is let in"), None);
}

#[tokio::test]
async fn a_server_with_another_issuer_than_the_pinned_one_is_refused() {
    let world = World::new();
    let honest = world.identity(EAST);
    let pin = Fingerprint::of(world.west.certificate());
    let client = tls::pinned_client_config(pin, Expected::Anyone, &[b"h2"]);
    let server = honest.server_config(Clients::Optional(Expected::Anyone), &[b"h2"]);
    let (on_client, _) = handshake(client, server).await;
    assert_eq!(refusal(on_client).as_deref(), Some("fingerprint"));
}

#[tokio::test]
async fn configurations_follow_rotation_and_bundle() {
    let world = World::new();
    let server = world.identity(EAST);
    let client = world.identity("spiffe://west.rialto/rialto/gateway/g1");
    let server_config = server.server_config(Clients::Required(Expected::Anyone), &[b"h2"]);
    let client_config = client.client_config(Expected::Role(Role::Gateway), &[b"h2"]);
    let mut watch = client.watch();

    let (_, seen) = handshake(client_config.clone(), server_config.clone()).await;
    assert_eq!(seen.expect("believed").expect("somebody"), client.id());

    client.rotate(world.svid("spiffe://west.rialto/rialto/gateway/g2"));
    assert!(watch.has_changed().expect("the identity lives"));
    watch.mark_unchanged();
    let (_, seen) = handshake(client_config.clone(), server_config.clone()).await;
    assert_eq!(seen.expect("believed").expect("somebody").path(), "rialto/gateway/g2");

    let mut only_east = TrustBundle::default();
    let east = "east.rialto".parse().expect("a domain");
    only_east.insert(&east, world.east.certificate()).expect("an anchor");
    server.set_bundle(only_east);
    let (_, seen) = handshake(client_config, server_config).await;
    assert_eq!(refusal(seen).as_deref(), Some("unknown_trust_domain"));
}

// Issuers.

#[test]
fn a_request_gets_our_name_our_usages_and_our_validity() {
    let world = World::new();
    let key = KeyPair::generate().expect("a key");
    let mut wish = CertificateParams::new(["evil.example".to_owned()]).expect("params");
    wish.subject_alt_names.push(uri("spiffe://west.rialto/rialto/gateway/g1"));
    wish.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    wish.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    let csr = wish.serialize_request(&key).expect("a request");
    let start = Timestamp::from_unix_ms(1_800_000_000_123);
    let id: SpiffeId = EAST.parse().expect("an id");
    let issuer = Issuer::create(world.east.domain(), [9; 16], start).expect("an issuer");
    let chain = issuer.sign(csr.der(), &id, [255; 16], DAY, start).expect("signed");

    let (_, leaf) = x509_parser::parse_x509_certificate(&chain[0]).expect("a certificate");
    assert_eq!(leaf.validity().not_before.timestamp(), 1_800_000_000 - 300);
    assert_eq!(leaf.validity().not_after.timestamp(), 1_800_000_000 + 86_400);
    assert_eq!(leaf.raw_serial()[0] & 0xc0, 0x40);
    assert_eq!(leaf.subject().iter().count(), 0);
    let names = leaf.subject_alternative_name().expect("read").expect("there").value;
    assert_eq!(names.general_names.len(), 1);
    assert!(!leaf.basic_constraints().expect("read").expect("stated").value.ca);
    assert_eq!(leaf.extended_key_usage().expect("read").expect("there").value.other, []);
    assert_eq!(chain[1], issuer.certificate());

    let mut bundle = TrustBundle::default();
    bundle.insert(issuer.domain(), issuer.certificate()).expect("an anchor");
    let chain: Vec<CertificateDer<'_>> = chain.into_iter().map(Into::into).collect();
    assert_eq!(
        peer::verify(&chain, &bundle, &Expected::Exactly(id), start),
        Ok(EAST.parse().expect("an id"))
    );
}

#[test]
fn an_issuer_refuses_what_it_must_not_sign() {
    let issuer = World::new().east;
    let id: SpiffeId = EAST.parse().expect("an id");
    let request = KeyRequest::new().expect("a key");
    let sign = |csr: &[u8], id: &SpiffeId, now| issuer.sign(csr, id, [1; 16], DAY, now);

    let west: SpiffeId = "spiffe://west.rialto/rialto/gateway/g1".parse().expect("an id");
    let verdict = sign(request.csr(), &west, now());
    assert!(matches!(verdict, Err(issuer::Error::OtherDomain { .. })));

    let mut broken = request.csr().to_vec();
    *broken.last_mut().expect("not empty") ^= 1;
    let verdict = sign(&broken, &id, now());
    assert!(matches!(verdict, Err(issuer::Error::RequestSignature)), "{verdict:?}");

    let other = KeyPair::generate_for(&rcgen::PKCS_ECDSA_P384_SHA384).expect("a key");
    let other = CertificateParams::default().serialize_request(&other).expect("a request");
    assert!(matches!(sign(other.der(), &id, now()), Err(issuer::Error::RequestKey)));

    assert!(matches!(sign(b"nonsense", &id, now()), Err(issuer::Error::RequestMalformed)));
    let large = vec![0; limits::CSR_BYTES_MAX + 1];
    assert!(matches!(sign(&large, &id, now()), Err(issuer::Error::RequestTooLarge)));

    let late = issuer.not_after().plus(DAY);
    let verdict = sign(request.csr(), &id, late);
    assert!(matches!(verdict, Err(issuer::Error::IssuerExpired { .. })));
    let last = Timestamp::from_unix_ms(issuer.not_after().unix_ms - 3_600_000);
    let chain = sign(request.csr(), &id, last).expect("signed");
    let svid = request.into_svid(chain).expect("an SVID");
    assert_eq!(svid.not_after(), issuer.not_after());
}

#[test]
fn an_issuer_comes_back_from_its_parts_and_only_from_those_that_fit() {
    let world = World::new();
    let again = Issuer::from_parts(world.east.certificate(), &world.east.key()).expect("fits");
    assert_eq!(again.domain(), world.east.domain());
    let mixed = Issuer::from_parts(world.east.certificate(), &world.west.key());
    assert!(matches!(mixed, Err(issuer::Error::OtherKey)));
}

#[test]
fn an_anchor_is_an_issuer_of_one_domain() {
    let world = World::new();
    let west = world.west.domain();
    let mut bundle = TrustBundle::default();
    let verdict = bundle.insert(west, world.east.certificate());
    assert!(matches!(verdict, Err(bundle::Error::OtherDomain { .. })));
    let verdict = bundle.insert(west, &world.svid(EAST).chain()[0]);
    assert!(matches!(verdict, Err(bundle::Error::NotIssuer)));
    assert!(matches!(Anchor::parse(b"nonsense"), Err(bundle::Error::Malformed { .. })));
    for serial in 0..limits::ANCHORS_PER_DOMAIN_MAX {
        let issuer = Issuer::create(west, [u8::try_from(serial).expect("few"); 16], now());
        bundle.insert(west, issuer.expect("an issuer").certificate()).expect("room");
    }
    let verdict = bundle.insert(west, world.west.certificate());
    assert!(matches!(verdict, Err(bundle::Error::TooMany { .. })));
}

// On disk.

#[test]
fn an_svid_survives_on_disk_and_is_private() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("svid.pem");
    assert!(Svid::load(&path).expect_err("not there").is_absent());
    let world = World::new();
    let svid = world.svid(EAST);
    for _ in 0..2 {
        svid.store(&path).expect("stored");
    }
    let again = Svid::load(&path).expect("loaded");
    assert_eq!((again.id(), again.chain()), (svid.id(), svid.chain()));
    assert_eq!(std::fs::read_dir(folder.path()).expect("a folder").count(), 1);
    let mode = std::fs::metadata(&path).expect("there").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);

    std::fs::set_permissions(&path, PermissionsExt::from_mode(0o640)).expect("set");
    let error = Svid::load(&path).expect_err("open to others");
    assert!(matches!(error, svid::Error::File(file::Error::Open { mode: 0o640, .. })));

    file::write_private(&path, b"half a fi").expect("stored");
    assert!(matches!(Svid::load(&path), Err(svid::Error::Pem { .. })));
}

#[test]
fn an_svid_needs_its_own_key_and_is_renewed_at_half_life() {
    let world = World::new();
    let (chain, _) = world.forgery().sign();
    let other = KeyPair::generate().expect("a key");
    let other = PrivatePkcs8KeyDer::from(other.serialize_der());
    assert!(matches!(Svid::new(chain, other), Err(svid::Error::Key { .. })));

    let svid = world.svid(EAST);
    let issued = svid.not_before().plus(limits::CLOCK_SKEW_MAX);
    let (first, half) = (issued.age(svid.renew_at()), svid.renew_at().age(svid.not_after()));
    assert!(first.abs_diff(half) <= Duration::from_secs(1));
    assert!(!svid.is_expired(svid.not_after()));
    assert!(svid.is_expired(svid.not_after().plus(Duration::from_millis(1))));
}

#[test]
fn a_bundle_survives_on_disk() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("bundle.pem");
    let world = World::new();
    world.bundle().store(&path).expect("stored");
    let again = TrustBundle::load(&path).expect("loaded");
    let names: Vec<String> = again.domains().map(ToString::to_string).collect();
    assert_eq!(names, ["east.rialto", "west.rialto"]);
    assert_eq!(again.anchors(world.east.domain())[0].der(), world.east.certificate());
}

// Tokens and fingerprints.

#[test]
fn a_token_survives_its_text() {
    let token = join_token();
    let text = token::encode(&token);
    assert!(text.starts_with("rialto1."));
    assert_eq!(token::decode(&format!(" {text}\n")).expect("a token"), token);
    assert!(!format!("{token:?}").contains(&token.secret));
}

#[test]
fn a_damaged_token_says_how() {
    let text = token::encode(&join_token());
    #[track_caller]
    fn check(text: &str, expected: &str) {
        let error = token::decode(text).expect_err("refused").to_string();
        assert!(error.contains(expected), "{error}");
    }
    check("", "starts with");
    check("rialto2.abc", "starts with");
    check(&text[.."rialto1.".len() + 40], "damaged");
    check(&format!("{text}!"), "base64url");
    check(&"rialto1.".repeat(1000), "at most");
    let with = |change: fn(&mut JoinToken)| {
        let mut token = join_token();
        change(&mut token);
        token::encode(&token)
    };
    check(&with(|it| it.secret.truncate(8)), "`secret`");
    check(&with(|it| it.fingerprint = "x".repeat(64)), "`fingerprint`");
    check(&with(|it| it.cluster = None), "`cluster`");
    check(&with(|it| it.role = Joiner::Member), "`cluster`");
    check(&with(|it| it.bridges.clear()), "`bridges`");
    check(&with(|it| it.bridges.push("no-port".into())), "`bridges`");
    check(&with(|it| it.bridges.push("bridge:0".into())), "`bridges`");
}

// Helpers.

/// Two clusters, east and west, each with its issuer.
pub(crate) struct World {
    pub(crate) east: Issuer,
    pub(crate) west: Issuer,
}

impl World {
    pub(crate) fn new() -> Self {
        let issuer = |name: &str, serial| {
            Issuer::create(&name.parse().expect("a domain"), serial, now()).expect("an issuer")
        };
        Self { east: issuer("east.rialto", [1; 16]), west: issuer("west.rialto", [2; 16]) }
    }

    pub(crate) fn bundle(&self) -> TrustBundle {
        let mut bundle = TrustBundle::default();
        for issuer in [&self.east, &self.west] {
            bundle.insert(issuer.domain(), issuer.certificate()).expect("an anchor");
        }
        bundle
    }

    pub(crate) fn svid(&self, id: &str) -> Svid {
        let id: SpiffeId = id.parse().expect("an id");
        let issuer = if id.trust_domain() == *self.east.domain() { &self.east } else { &self.west };
        let request = KeyRequest::new().expect("a key");
        let chain = issuer.sign(request.csr(), &id, [3; 16], DAY, now()).expect("signed");
        request.into_svid(chain).expect("an SVID")
    }

    pub(crate) fn identity(&self, id: &str) -> Identity {
        Identity::new(self.svid(id), self.bundle())
    }

    fn forgery(&self) -> Forgery<'_> {
        let mut params = CertificateParams::default();
        params.not_before = at!(now_s() - 60);
        params.not_after = at!(now_s() + 3600);
        params.subject_alt_names = vec![uri(EAST)];
        params.is_ca = IsCa::ExplicitNoCa;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![Purpose::ServerAuth, Purpose::ClientAuth];
        Forgery { world: self, params, signer: Signer::East, padding: 1 }
    }
}

enum Signer {
    East,
    West,
    Itself,
    IntermediateOfEast,
}

/// A certificate that [`Issuer::sign`] would not make.
struct Forgery<'a> {
    world: &'a World,
    params: CertificateParams,
    signer: Signer,
    /// Certificates after the leaf.
    padding: usize,
}

impl Forgery<'_> {
    fn sign(self) -> (Vec<CertificateDer<'static>>, KeyPair) {
        let key = KeyPair::generate().expect("a key");
        let by = |issuer: &Issuer| {
            let signer = KeyPair::try_from(issuer.key()).expect("a key");
            rcgen::Issuer::from_ca_cert_der(&issuer.certificate().into(), signer).expect("a CA")
        };
        let anchor = CertificateDer::from(self.world.east.certificate().to_vec());
        let (leaf, next) = match self.signer {
            Signer::East => (self.params.signed_by(&key, &by(&self.world.east)), anchor),
            Signer::West => (self.params.signed_by(&key, &by(&self.world.west)), anchor),
            Signer::Itself => (self.params.self_signed(&key), anchor),
            Signer::IntermediateOfEast => {
                let mut middle = CertificateParams::default();
                middle.not_after = at!(now_s() + 3600);
                middle.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
                middle.key_usages = vec![KeyUsagePurpose::KeyCertSign];
                let middle_key = KeyPair::generate().expect("a key");
                let der = middle.signed_by(&middle_key, &by(&self.world.east)).expect("signed");
                let middle = rcgen::Issuer::new(middle, middle_key);
                (self.params.signed_by(&key, &middle), der.der().clone())
            }
        };
        let mut chain = vec![leaf.expect("signed").der().clone()];
        chain.extend(std::iter::repeat_n(next, self.padding));
        (chain, key)
    }

    fn certified(self) -> CertifiedKey {
        let (chain, key) = self.sign();
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let key = crypto::provider().key_provider.load_private_key(key).expect("a key");
        CertifiedKey::new(chain, key)
    }
}

fn gateways_of_east() -> Expected {
    Expected::Part { domain: "east.rialto".parse().expect("a domain"), role: Role::Gateway }
}

fn uri(text: &str) -> SanType {
    SanType::URI(text.try_into().expect("ASCII"))
}

fn now_s() -> u64 {
    now().unix_ms / 1000
}

fn join_token() -> JoinToken {
    JoinToken {
        name: "east-1".parse().expect("a name"),
        secret: "5e".repeat(32),
        role: Joiner::Agent,
        cluster: Some("east".parse().expect("a name")),
        bridges: vec!["127.0.0.1:7443".into(), "[::1]:7443".into()],
        fingerprint: "f1".repeat(32),
    }
}

/// What each side says: the server also whom it saw.
async fn handshake(
    client: rustls::ClientConfig,
    server: rustls::ServerConfig,
) -> (std::io::Result<()>, std::io::Result<Option<SpiffeId>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("bound");
    let address = listener.local_addr().expect("bound");
    let on_server = async {
        let (stream, _) = listener.accept().await.expect("accepted");
        let mut stream = TlsAcceptor::from(Arc::new(server)).accept(stream).await?;
        stream.write_all(b"!").await?;
        stream.shutdown().await?;
        let chain = stream.get_ref().1.peer_certificates().unwrap_or_default();
        Ok(peer::peer_identity(chain).ok())
    };
    let on_client = async {
        let stream = TcpStream::connect(address).await?;
        let name = ServerName::try_from(tls::SERVER_NAME).expect("a name");
        let mut stream = TlsConnector::from(Arc::new(client)).connect(name, stream).await?;
        // In TLS 1.3 a refused client learns of it when it reads.
        let mut bytes = Vec::new();
        stream.read_to_end(&mut bytes).await.map(|_| ())
    };
    tokio::join!(on_client, on_server)
}

fn refusal<T>(outcome: std::io::Result<T>) -> Option<String> {
    peer::Error::find(&outcome.err()?).map(|error| error.reason().to_owned())
}
