//! Faults that a real API server cannot be made to show at will; everything else is tested with
//! real ones (`docs/testing.md`).

use std::collections::VecDeque;
use std::convert::Infallible;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use rialto_wire::identity::crypto;
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use super::*;
use crate::kubernetes::api::Server;
use crate::kubernetes::object::{Namespace, ServiceExport};

/// What is answered to the next request: status, headers, body.
type Answer = (u16, &'static [(&'static str, &'static str)], String);

struct Stub {
    api: Api,
    /// The paths that were asked for.
    asked: Arc<Mutex<Vec<String>>>,
    _folder: tempfile::TempDir,
    _serving: JoinSet<()>,
}

/// An API server that gives `answers` in turn, and then none any more.
async fn stub(answers: Vec<Answer>) -> Stub {
    let folder = tempfile::tempdir().expect("a folder");
    let key = rcgen::KeyPair::generate().expect("a key");
    let parameters = rcgen::CertificateParams::new(vec!["127.0.0.1".to_owned()]);
    let certificate = parameters.expect("an address").self_signed(&key).expect("a certificate");
    let (ca_file, token_file) = (folder.path().join("ca.crt"), folder.path().join("token"));
    std::fs::write(&ca_file, certificate.pem()).expect("written");
    std::fs::write(&token_file, "secret\n").expect("written");
    let mut config = rustls::ServerConfig::builder_with_provider(crypto::provider().clone())
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_no_client_auth()
        .with_single_cert(
            vec![certificate.der().clone()],
            rustls::pki_types::PrivateKeyDer::try_from(key.serialize_der()).expect("a key"),
        )
        .expect("a certificate and its key");
    config.alpn_protocols = vec![b"h2".to_vec()];
    let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address").to_string();
    let asked = Arc::new(Mutex::new(Vec::new()));
    let answers = Arc::new(Mutex::new(VecDeque::from(answers)));
    let (log, mut serving) = (asked.clone(), JoinSet::new());
    serving.spawn(async move {
        let mut connections = JoinSet::new();
        loop {
            let (stream, _) = listener.accept().await.expect("a connection");
            let (acceptor, log, answers) = (acceptor.clone(), log.clone(), answers.clone());
            connections.spawn(async move {
                let Ok(stream) = acceptor.accept(stream).await else { return };
                let service = service_fn(move |request| answer(request, &log, &answers));
                let http = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
                let _ = http.serve_connection(TokioIo::new(stream), service).await;
            });
        }
    });
    let api = Api::new(&Server { address: Some(address), ca_file, token_file });
    Stub { api: api.expect("an API server"), asked, _folder: folder, _serving: serving }
}

fn answer(
    request: Request<Incoming>,
    log: &Mutex<Vec<String>>,
    answers: &Mutex<VecDeque<Answer>>,
) -> impl Future<Output = Result<Response<Full<Bytes>>, Infallible>> + use<> {
    let token = request.headers().get("authorization").and_then(|value| value.to_str().ok());
    assert_eq!(token, Some("Bearer secret"));
    let query = request.uri().path_and_query().expect("a path").to_string();
    // The end of a watch is drawn.
    let (query, _) = query.split_once("&timeoutSeconds").unwrap_or((&query, ""));
    let position = request.uri().query().and_then(|it| it.split("resourceVersion=").nth(1));
    let position = position.map(|position| format!(" from {position}")).unwrap_or_default();
    log.lock().expect("no panic").push(format!("{query}{position}"));
    let next = answers.lock().expect("no panic").pop_front();
    async move {
        let Some((status, headers, body)) = next else { return std::future::pending().await };
        let mut response = Response::builder().status(status);
        for (name, value) in headers {
            response = response.header(*name, *value);
        }
        Ok(response.body(Full::new(body.into())).expect("a response"))
    }
}

fn page(version: &str, next: &str, names: &[&str]) -> Answer {
    let items: Vec<_> = names.iter().map(|name| object(name, version)).collect();
    let metadata = serde_json::json!({"resourceVersion": version, "continue": next});
    (200, &[], serde_json::json!({"metadata": metadata, "items": items}).to_string())
}

fn object(name: &str, version: &str) -> serde_json::Value {
    serde_json::json!({"metadata": {"name": name, "resourceVersion": version}})
}

fn changes(lines: &[(&str, serde_json::Value)]) -> Answer {
    let line = |(kind, object): &(&str, serde_json::Value)| {
        format!("{}\n", serde_json::json!({"type": kind, "object": object}))
    };
    (200, &[], lines.iter().map(line).collect())
}

fn status(code: u16, message: &str) -> serde_json::Value {
    serde_json::json!({"kind": "Status", "code": code, "message": message})
}

/// The first things that the store is told, and all that the stub was asked meanwhile.
async fn told<T: Watched>(
    answers: Vec<Answer>,
    count: usize,
    wrap: fn(Delta<T>) -> Update,
) -> (Vec<String>, Vec<String>) {
    let stub = stub(answers).await;
    let (sender, mut updates) = mpsc::channel(limits::KUBERNETES_UPDATES_MAX);
    let following = tokio::spawn(follow(stub.api.clone(), sender, wrap));
    let mut told = Vec::new();
    for _ in 0..count {
        told.push(tell(updates.recv().await.expect("it follows for ever")));
    }
    following.abort();
    let asked = stub.asked.lock().expect("no panic").clone();
    (told, asked)
}

fn tell(update: Update) -> String {
    match update {
        Update::Namespaces(Delta::All(all)) => {
            let mut names: Vec<String> = all.into_keys().map(|(_, name)| name.into()).collect();
            names.sort();
            format!("all {}", names.join(" "))
        }
        Update::Namespaces(Delta::Put((_, name), _)) => format!("put {name}"),
        Update::Namespaces(Delta::Deleted((_, name))) => format!("deleted {name}"),
        Update::Exports(Delta::All(all)) => format!("all exports: {}", all.len()),
        Update::Watching(kind) => format!("watching {kind}"),
        Update::Trouble { kind, what } => format!("trouble with {kind}: {what}"),
        other @ (Update::Services(_)
        | Update::Slices(_)
        | Update::Pods(_)
        | Update::Exports(_)
        | Update::Hosts(_)) => {
            panic!("not of this test: {other:?}")
        }
    }
}

const LIST: &str = "/api/v1/namespaces?limit=500";
const WATCH: &str = "/api/v1/namespaces?watch=1&allowWatchBookmarks=true";

#[tokio::test]
async fn a_watch_that_ends_goes_on_from_its_last_bookmark_without_a_list() {
    let answers = vec![
        page("5", "more", &["books"]),
        page("5", "", &["shop"]),
        changes(&[
            ("ADDED", object("new", "6")),
            ("DELETED", object("shop", "7")),
            ("BOOKMARK", object("", "9")),
        ]),
        changes(&[("MODIFIED", object("books", "10"))]),
    ];
    let (told, asked) = told::<Namespace>(answers, 6, Update::Namespaces).await;
    let expected =
        ["all books shop", "watching Namespace", "put new", "deleted shop", "watching Namespace"];
    assert_eq!(told, [&expected[..], &["put books"]].concat());
    let expected = [
        LIST.to_owned(),
        format!("{LIST}&continue=more"),
        format!("{WATCH} from 5"),
        format!("{WATCH} from 9"),
    ];
    assert_eq!(asked[..4], expected);
}

#[tokio::test]
async fn a_position_that_is_gone_is_answered_by_one_list() {
    let answers = vec![
        page("5", "", &["books"]),
        changes(&[("ERROR", status(410, "too old resource version"))]),
        page("90", "", &["books", "shop"]),
        changes(&[]),
    ];
    let (told, asked) = told::<Namespace>(answers, 5, Update::Namespaces).await;
    assert_eq!(told[0], "all books");
    assert!(told[2].ends_with("410 too old resource version"), "{told:?}");
    assert_eq!(told[3..], ["all books shop", "watching Namespace"]);
    assert_eq!(asked[..4], [LIST, &format!("{WATCH} from 5"), LIST, &format!("{WATCH} from 90")]);
}

#[tokio::test]
async fn errors_keep_the_position_and_waits_are_as_long_as_the_server_asks() {
    let overloaded: Answer = (429, &[("retry-after", "2")], status(429, "too many").to_string());
    let broken: Answer = (500, &[], "not JSON".into());
    let answers = vec![
        page("5", "", &["books"]),
        overloaded,
        broken,
        changes(&[("ADDED", object("new", "6"))]),
    ];
    let began = std::time::Instant::now();
    let (told, asked) = told::<Namespace>(answers, 5, Update::Namespaces).await;
    assert!(told[1].contains("429 too many"), "{told:?}");
    assert!(told[2].contains("500 not JSON"), "{told:?}");
    assert_eq!(told[3..], ["watching Namespace", "put new"]);
    let again = format!("{WATCH} from 5");
    assert_eq!(asked[1..4], [again.clone(), again.clone(), again]);
    assert!(began.elapsed() >= std::time::Duration::from_secs(2), "it came back too early");
}

#[tokio::test]
async fn a_line_that_is_cut_or_no_json_is_trouble_and_not_a_change() {
    let answers = vec![
        page("5", "", &[]),
        (200, &[], "{\"type\":\"ADDED\",\"object\":{\"metadata\":{\"name\":\"cut".into()),
        (200, &[], "no JSON\n".into()),
        changes(&[("ADDED", object("whole", "6"))]),
    ];
    let (told, _) = told::<Namespace>(answers, 6, Update::Namespaces).await;
    assert_eq!(told[..3], ["all ", "watching Namespace", "watching Namespace"]);
    assert!(told[3].contains("cannot be read"), "{told:?}");
    assert_eq!(told[4..], ["watching Namespace", "put whole"]);
}

#[tokio::test]
async fn a_refusal_by_rbac_says_what_is_missing() {
    let answers = vec![(403, &[][..], status(403, "forbidden").to_string())];
    let (told, _) = told::<Namespace>(answers, 1, Update::Namespaces).await;
    assert!(told[0].contains("let the agent's ClusterRole get, list and watch Namespaces"));
}

#[tokio::test]
async fn an_older_version_is_used_and_a_kind_that_is_not_there_is_empty() {
    let missing = || (404, &[][..], "404 page not found".to_owned());
    let listed = vec![missing(), page("5", "", &["a", "b"])];
    let (told_of, asked) = told::<ServiceExport>(listed, 1, Update::Exports).await;
    assert_eq!(told_of, ["all exports: 2"]);
    let versions = ["v1beta1", "v1alpha1"]
        .map(|it| format!("/apis/multicluster.x-k8s.io/{it}/serviceexports?limit=500"));
    assert_eq!(asked[..2], versions);
    let (told, _) = told::<ServiceExport>(vec![missing(), missing()], 2, Update::Exports).await;
    assert_eq!(told, ["all exports: 0", "watching ServiceExport"]);
}
