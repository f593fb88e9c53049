use std::time::Duration;

use rialto_types::id::Timestamp;

use super::*;
use crate::grpc::{Anchor, problem_status};
use crate::identity::Issuer;

const ID: &str = "spiffe://east.rialto/rialto/gateway/one";

fn issuer() -> Issuer {
    let domain = "east.rialto".parse().expect("a domain");
    Issuer::create(&domain, [1; 16], identity::now()).expect("an issuer")
}

fn credentials(issuer: &Issuer, csr: &[u8], id: &str, ttl: Duration) -> Credentials {
    credentials_from(issuer, csr, id, ttl, identity::now())
}

fn credentials_from(
    issuer: &Issuer,
    csr: &[u8],
    id: &str,
    ttl: Duration,
    from: Timestamp,
) -> Credentials {
    let id = id.parse().expect("an id");
    let chain = issuer.sign(csr, &id, [2; 16], ttl, from).expect("a certificate");
    let certificate = issuer.certificate().to_vec().into();
    Credentials {
        spiffe_id: id.to_string(),
        chain: chain.into_iter().map(Into::into).collect(),
        anchors: vec![Anchor { trust_domain: "east.rialto".into(), certificate }],
        bridges: vec!["127.0.0.1:1".into()],
        member: None,
    }
}

fn enrolled(issuer: &Issuer, ttl: Duration) -> Enrolled {
    enrolled_from(issuer, ttl, identity::now())
}

fn enrolled_from(issuer: &Issuer, ttl: Duration, from: Timestamp) -> Enrolled {
    let request = KeyRequest::new().expect("a key");
    let credentials = credentials_from(issuer, request.csr(), ID, ttl, from);
    let cluster = Some("east".parse().expect("a cluster"));
    let agent = Some("127.0.0.1:2".into());
    let contacts = Contacts { cluster, bridges: Vec::new(), agent };
    enroll(request, credentials, contacts).expect("an identity")
}

#[test]
fn what_is_kept_comes_back() {
    let folder = tempfile::tempdir().expect("a folder");
    let folder = Folder::new(folder.path().join("identity"));
    assert!(folder.load().expect("nothing is no error").is_none());
    let enrolled = enrolled(&issuer(), limits::CERTIFICATE_TTL);
    folder.store(&enrolled).expect("kept");
    let kept = folder.load().expect("readable").expect("there");
    assert_eq!(kept.contacts, enrolled.contacts);
    assert_eq!(kept.contacts.bridges, ["127.0.0.1:1"]);
    assert_eq!(kept.svid.chain(), enrolled.svid.chain());
    assert_eq!(kept.bundle.domains().count(), 1);
}

#[test]
fn a_certificate_for_another_key_is_refused() {
    let (issuer, mine) = (issuer(), KeyRequest::new().expect("a key"));
    let other = KeyRequest::new().expect("a key");
    let credentials = credentials(&issuer, other.csr(), ID, limits::CERTIFICATE_TTL);
    let contacts = Contacts { cluster: None, bridges: Vec::new(), agent: None };
    assert!(matches!(enroll(mine, credentials, contacts), Err(Error::Svid(_))));
}

#[tokio::test]
async fn half_a_life_is_the_time_to_renew() {
    let folder = tempfile::tempdir().expect("a folder");
    let folder = Folder::new(folder.path());
    let issuer = issuer();
    let short = enrolled_from(&issuer, Duration::from_secs(60), ago(Duration::from_secs(40)));
    let (contacts, identity) = (short.contacts.clone(), Identity::new(short.svid, short.bundle));
    let before = identity.svid().not_after();
    let mut changes = identity.watch();
    let mut calls = 0;
    let calls = std::cell::Cell::from_mut(&mut calls);
    let issue = |csr: Vec<u8>| {
        calls.set(calls.get() + 1);
        let answer = match calls.get() {
            1 => Err(Problem::new(Code::NoLeader, "not now")),
            2 => Ok(credentials(
                &issuer,
                &csr,
                "spiffe://east.rialto/rialto/gateway/two",
                limits::CERTIFICATE_TTL,
            )),
            _ => Ok(credentials(&issuer, &csr, ID, limits::CERTIFICATE_TTL)),
        };
        std::future::ready(answer)
    };
    tokio::select! {
        () = keep_renewed(identity.clone(), folder.clone(), contacts, issue) => {}
        changed = changes.changed() => changed.expect("the identity lives"),
    }
    assert_eq!(calls.get(), 3, "a failure and a foreign identity are tried again");
    assert!(identity.svid().not_after() > before);
    let kept = folder.load().expect("readable").expect("kept");
    assert_eq!(kept.svid.not_after(), identity.svid().not_after());
}

/// Every certificate that comes is past half of its life, as the part's clock has it.
#[tokio::test(start_paused = true)]
async fn a_clock_that_is_ahead_does_not_ask_without_a_pause() {
    let folder = tempfile::tempdir().expect("a folder");
    let folder = Folder::new(folder.path());
    let issuer = issuer();
    let (life, age) = (Duration::from_secs(60), Duration::from_secs(40));
    let old = enrolled_from(&issuer, life, ago(age));
    let (contacts, identity) = (old.contacts.clone(), Identity::new(old.svid, old.bundle));
    let calls = std::cell::Cell::new(0);
    let issue = |csr: Vec<u8>| {
        calls.set(calls.get() + 1);
        std::future::ready(Ok(credentials_from(&issuer, &csr, ID, life, ago(age))))
    };
    let renewing = keep_renewed(identity, folder, contacts, issue);
    let ended = tokio::time::timeout(10 * limits::RENEWAL_PAUSE, renewing).await;
    assert!(ended.is_err(), "it goes on for ever");
    assert!((9..=11).contains(&calls.get()), "{} renewals in ten pauses", calls.get());
}

#[tokio::test]
async fn calls_persist_until_the_answer_is_final() {
    let mut answers = vec![
        Err(problem_status(&Problem::new(Code::TokenUsed, "again"))),
        Err(tonic::Status::unavailable("nobody is there")),
    ];
    let answer =
        persist(|| std::future::ready(answers.pop().unwrap_or(Ok(tonic::Response::new(()))))).await;
    let Err(Error::Refused(problem)) = answer else { panic!("not refused: {answer:?}") };
    assert_eq!(problem.code, Code::TokenUsed);
}

/// So long ago.
fn ago(age: Duration) -> Timestamp {
    let age_ms = u64::try_from(age.as_millis()).expect("not long");
    Timestamp::from_unix_ms(identity::now().unix_ms - age_ms)
}
