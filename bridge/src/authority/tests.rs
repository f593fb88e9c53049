use rialto_types::limits;
use rialto_wire::identity::{Expected, Fingerprint, TrustBundle, file, peer, token};

use super::*;

const AGENT: &str = "spiffe://east.rialto/rialto/agent/a1";

fn authority() -> Authority {
    Authority::new(SealKey::from_bytes([7; 32]), limits::CERTIFICATE_TTL)
}

fn east() -> TrustDomain {
    "east.rialto".parse().expect("a domain")
}

fn west() -> TrustDomain {
    "west.rialto".parse().expect("a domain")
}

fn agent() -> SpiffeId {
    AGENT.parse().expect("an id")
}

fn noon() -> Timestamp {
    Timestamp::from_unix_ms(1_800_000_000_000)
}

#[test]
fn a_certificate_is_believed_by_who_holds_its_anchor_for_its_life() {
    let authority = authority();
    let issuer = authority.create_issuer(&east(), noon()).expect("an issuer");
    let svid = authority.certify_self(&agent(), &issuer, noon()).expect("an SVID");
    let mut bundle = TrustBundle::default();
    let anchor = STANDARD.decode(&issuer.certificate).expect("base64");
    bundle.insert(&east(), &anchor).expect("an anchor");
    let believed = |now| peer::verify(svid.chain(), &bundle, &Expected::Exactly(agent()), now);
    assert_eq!(believed(noon()), Ok(agent()));
    assert_eq!(believed(noon().plus(limits::CERTIFICATE_TTL)), Ok(agent()));
    let late = noon().plus(limits::CERTIFICATE_TTL + Duration::from_secs(1));
    assert_eq!(believed(late).expect_err("late").reason(), "expired");
    assert_eq!(Fingerprint::of(&svid.chain()[1]), Fingerprint::of(&anchor));
}

#[test]
fn every_certificate_has_a_serial_of_its_own() {
    let authority = authority();
    let issuer = authority.create_issuer(&east(), noon()).expect("an issuer");
    let csr = KeyRequest::new().expect("a key");
    let sign = || authority.certify(csr.csr(), &agent(), &issuer, noon()).expect("signed");
    assert_ne!(sign()[0], sign()[0]);
}

#[test]
fn refusals_have_the_code_of_who_is_to_blame() {
    let authority = authority();
    let issuer = authority.create_issuer(&east(), noon()).expect("an issuer");
    let request = KeyRequest::new().expect("a key");
    let code = |csr: &[u8], now| {
        authority.certify(csr, &agent(), &issuer, now).expect_err("refused").code()
    };
    let mut broken = request.csr().to_vec();
    *broken.last_mut().expect("not empty") ^= 1;
    assert_eq!(code(&broken, noon()), Code::CertificateRequestInvalid);
    assert_eq!(code(b"", noon()), Code::CertificateRequestInvalid);
    assert_eq!(code(request.csr(), noon().plus(2 * limits::ISSUER_TTL)), Code::Internal);
}

#[test]
fn an_issuer_never_signs_for_another_domain() {
    let authority = authority();
    let of_west = authority.create_issuer(&west(), noon()).expect("an issuer");
    let request = KeyRequest::new().expect("a key");
    let error = authority.certify(request.csr(), &agent(), &of_west, noon()).expect_err("west's");
    assert!(matches!(error, Error::Open { source: seal::Error::Sealed, .. }), "{error:?}");

    let opened = authority.open_issuer(&west(), &of_west).expect("opened");
    let signed = opened.sign(request.csr(), &agent(), [1; 16], limits::CERTIFICATE_TTL, noon());
    assert!(matches!(signed, Err(issuer::Error::OtherDomain { .. })));
}

#[test]
fn a_sealed_key_opens_whole_or_not_at_all() {
    let key = SealKey::from_bytes([7; 32]);
    let sealed = key.seal(b"the key of an issuer", east().as_str()).expect("sealed");
    assert_eq!(key.open(&sealed, east().as_str()).expect("opened"), b"the key of an issuer");
    assert_ne!(
        sealed,
        key.seal(b"the key of an issuer", east().as_str()).expect("sealed"),
        "same nonce"
    );
    assert!(!sealed.windows(8).any(|window| window == b"the key "));

    for at in 0..sealed.len() {
        for bit in 0..8 {
            let mut flipped = sealed.clone();
            flipped[at] ^= 1 << bit;
            assert!(key.open(&flipped, east().as_str()).is_err(), "bit {bit} of byte {at}");
        }
        assert!(key.open(&sealed[..at], east().as_str()).is_err(), "cut at {at}");
    }
    assert!(matches!(key.open(&sealed, west().as_str()), Err(seal::Error::Sealed)));
    let other = SealKey::from_bytes([8; 32]);
    assert!(matches!(other.open(&sealed, east().as_str()), Err(seal::Error::Sealed)));
}

#[test]
fn a_damaged_issuer_in_the_state_is_refused() {
    let authority = authority();
    let issuer = authority.create_issuer(&east(), noon()).expect("an issuer");
    let sealed_key = format!("?{}", issuer.sealed_key);
    let damaged = trust::Issuer { sealed_key, ..issuer.clone() };
    assert!(matches!(authority.open_issuer(&east(), &damaged), Err(Error::Encoding { .. })));
    let other = authority.create_issuer(&east(), noon()).expect("an issuer");
    let mixed = trust::Issuer { certificate: other.certificate, ..issuer };
    let error = authority.open_issuer(&east(), &mixed).expect_err("another key");
    assert!(matches!(error, Error::Issuer { source: issuer::Error::OtherKey, .. }));
}

#[test]
fn a_seal_key_is_kept_private_and_never_replaced() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("seal.key");
    assert!(SealKey::load(&path).expect("no file is no error").is_none());
    let key = SealKey::from_bytes(draw().expect("random"));
    key.store(&path).expect("stored");
    key.store(&path).expect("the same key again");
    let held = SealKey::load(&path).expect("read").expect("there");
    assert_eq!(held.as_bytes(), key.as_bytes());
    let other = SealKey::from_bytes([1; 32]);
    assert!(matches!(other.store(&path), Err(seal::Error::Exists { .. })));

    std::fs::set_permissions(&path, PermissionsExt::from_mode(0o644)).expect("set");
    let error = SealKey::load(&path).expect_err("open to others");
    assert!(matches!(error, seal::Error::File(file::Error::Open { mode: 0o644, .. })));
    file::write_private(&path, b"short").expect("stored");
    assert!(matches!(SealKey::load(&path), Err(seal::Error::Length { found: 5, .. })));
    assert!(matches!(key.store(&path), Err(seal::Error::Exists { .. })));
}

#[test]
fn a_secret_is_known_by_its_hash_alone() {
    let secret = Secret::of_administrator([3; 32]);
    assert!(secret.reveal().starts_with("rialto-admin."));
    assert!(Secret::is(secret.reveal(), &secret.hash()));
    assert!(!Secret::is("", &secret.hash()));
    assert!(!Secret::is(&secret.reveal()[..40], &secret.hash()));
    assert!(!Secret::is(secret.reveal(), ""));
    assert!(!Secret::is(&secret.hash(), &secret.hash()));
    assert!(!format!("{secret:?}").contains("0303"));
}

#[test]
fn a_join_token_with_a_drawn_secret_can_be_pasted() {
    let authority = authority();
    let issuer = authority.create_issuer(&east(), noon()).expect("an issuer");
    let secret = Secret::of_join_token(draw().expect("random"));
    let anchor = STANDARD.decode(&issuer.certificate).expect("base64");
    let made = rialto_types::token::JoinToken {
        name: "east-1".parse().expect("a name"),
        secret: secret.reveal().into(),
        role: rialto_types::cluster::Joiner::Agent,
        cluster: Some("east".parse().expect("a name")),
        bridges: vec!["127.0.0.1:7443".into()],
        fingerprint: Fingerprint::of(&anchor).to_string(),
    };
    let pasted = token::decode(&token::encode(&made)).expect("a token");
    assert!(Secret::is(&pasted.secret, &secret.hash()));
    assert_eq!(Secret::hash_of(&pasted.secret), secret.hash());
}
