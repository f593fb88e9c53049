//! Sessions with the API server: JSON over one HTTP/2 connection, which is probed while it is idle.
//!
//! Each task that talks to the API server has a session of its own and opens another when that one
//! breaks; nothing is shared and nothing waits for a pool.

use std::fmt;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures::stream::{self, BufferUnordered, StreamExt};
use http::{HeaderValue, Method, Request, Response, StatusCode, header};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper::client::conn::http2::{self, SendRequest};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use rialto_types::limits;
use rialto_wire::identity::crypto;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use serde::de::{DeserializeOwned, IgnoredAny};
use serde::{Deserialize, Serialize};
use tokio::net::TcpStream;
use tokio::task::AbortHandle;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

/// Where the API server is, and by what it and we are known. Kubernetes puts the last two into
/// every pod.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Server {
    /// `HOST:PORT`; by default what Kubernetes says in the environment of a pod.
    #[serde(default)]
    pub address: Option<String>,
    #[serde(default = "ca_default")]
    pub ca_file: PathBuf,
    /// The token of our service account; it is read again for each session.
    #[serde(default = "token_default")]
    pub token_file: PathBuf,
}

impl Default for Server {
    fn default() -> Self {
        Self { address: None, ca_file: ca_default(), token_file: token_default() }
    }
}

const ACCOUNT_FOLDER: &str = "/var/run/secrets/kubernetes.io/serviceaccount";

fn ca_default() -> PathBuf {
    format!("{ACCOUNT_FOLDER}/ca.crt").into()
}

fn token_default() -> PathBuf {
    format!("{ACCOUNT_FOLDER}/token").into()
}

/// Why the API server did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error(
        "the API server's address is not known: run as a pod, or set \
         `registry.kubernetes.server.address`"
    )]
    NoAddress,
    #[error("`{path}` cannot be used")]
    File { path: PathBuf, source: io::Error },
    #[error("`{path}` holds no certificate that can be read")]
    Anchors { path: PathBuf },
    #[error("the API server at {address} cannot be reached: {what}")]
    Unreachable { address: String, what: String },
    #[error("the API server did not answer {path} in {within:?}")]
    Late { path: String, within: Duration },
    #[error("the API server refused {path}: {status} {message}")]
    Refused { path: String, status: u16, message: String, retry_after: Option<Duration> },
    #[error("the API server's answer to {path} broke off: {what}")]
    Broken { path: String, what: String },
    #[error("the API server's answer to {path} cannot be read")]
    Unreadable { path: String, source: serde_json::Error },
    #[error("{path} has more than {max} objects, which is more than an agent holds")]
    TooMany { path: String, max: usize },
}

impl Error {
    fn status(&self) -> Option<u16> {
        if let Self::Refused { status, .. } = self { Some(*status) } else { None }
    }

    /// Nothing of this name, or no such kind.
    pub fn is_absent(&self) -> bool {
        self.status() == Some(StatusCode::NOT_FOUND.as_u16())
    }

    /// The position in the stream of changes is no longer kept: list again.
    pub fn is_gone(&self) -> bool {
        self.status() == Some(StatusCode::GONE.as_u16())
    }

    /// The object cannot be as it was sent.
    pub fn is_invalid(&self) -> bool {
        self.status() == Some(StatusCode::UNPROCESSABLE_ENTITY.as_u16())
    }

    /// The kind as it is installed has no such field.
    pub fn is_undeclared(&self) -> bool {
        let Self::Refused { message, .. } = self else { return false };
        message.contains("field not declared in schema")
    }

    /// Somebody else wrote the object meanwhile.
    pub fn is_conflict(&self) -> bool {
        self.status() == Some(StatusCode::CONFLICT.as_u16())
    }

    /// Our account may not do this: RBAC has to be repaired.
    pub fn is_forbidden(&self) -> bool {
        let status = self.status();
        status == Some(StatusCode::FORBIDDEN.as_u16())
            || status == Some(StatusCode::UNAUTHORIZED.as_u16())
    }

    /// Whether it is about the one object that was asked for, so that others may fare better.
    pub fn is_about_object(&self) -> bool {
        self.is_absent() || self.is_conflict() || self.is_invalid() || self.is_forbidden()
    }

    /// How long the server wants to be left alone.
    pub fn retry_after(&self) -> Option<Duration> {
        if let Self::Refused { retry_after, .. } = self { *retry_after } else { None }
    }
}

/// How a body that is sent is meant.
#[derive(Debug, Clone, Copy)]
pub enum Body {
    /// A whole object.
    Object,
    /// RFC 7396.
    MergePatch,
    /// Server-side apply.
    Apply,
}

/// The API server; clones share what was read of it.
#[derive(Clone)]
pub struct Api {
    shared: Arc<Shared>,
}

struct Shared {
    address: String,
    name: ServerName<'static>,
    token_file: PathBuf,
    tls: Arc<ClientConfig>,
}

impl fmt::Debug for Api {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Api").field("address", &self.shared.address).finish_non_exhaustive()
    }
}

impl Api {
    pub fn new(server: &Server) -> Result<Self, Error> {
        let address = match &server.address {
            Some(address) => address.clone(),
            None => address_of_pod().ok_or(Error::NoAddress)?,
        };
        let host = address.rsplit_once(':').map_or(address.as_str(), |(host, _)| host);
        let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
        let name = ServerName::try_from(host).map_err(|_| Error::NoAddress)?;
        let tls = Arc::new(tls_config(&server.ca_file)?);
        let token_file = server.token_file.clone();
        Ok(Self { shared: Arc::new(Shared { address, name, token_file, tls }) })
    }

    /// Opens a session.
    pub async fn connect(&self) -> Result<Session, Error> {
        let address = self.shared.address.clone();
        let connected = timeout(limits::CONNECT_TIMEOUT, self.dial()).await;
        connected.unwrap_or(Err(Error::Unreachable { address, what: "it is silent".into() }))
    }

    async fn dial(&self) -> Result<Session, Error> {
        let Shared { address, name, token_file, tls } = &*self.shared;
        let failed = |what: String| Error::Unreachable { address: address.clone(), what };
        let unreadable = |source| Error::File { path: token_file.clone(), source };
        let token = tokio::fs::read_to_string(token_file).await.map_err(unreadable)?;
        let invalid = || unreadable(io::ErrorKind::InvalidData.into());
        let mut bearer =
            HeaderValue::from_str(&format!("Bearer {}", token.trim())).map_err(|_| invalid())?;
        bearer.set_sensitive(true);
        let stream =
            TcpStream::connect(address).await.map_err(|error| failed(error.to_string()))?;
        stream.set_nodelay(true).map_err(|error| failed(error.to_string()))?;
        let connector = TlsConnector::from(tls.clone());
        let stream = connector.connect(name.clone(), stream).await;
        let stream = stream.map_err(|error| failed(error.to_string()))?;
        let (sender, connection) = http2::Builder::new(TokioExecutor::new())
            .timer(TokioTimer::new())
            .adaptive_window(true)
            .keep_alive_interval(limits::GRPC_KEEPALIVE_INTERVAL)
            .keep_alive_timeout(limits::GRPC_KEEPALIVE_TIMEOUT)
            .keep_alive_while_idle(true)
            .handshake(TokioIo::new(stream))
            .await
            .map_err(|error| failed(error.to_string()))?;
        let driving = tokio::spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!(%error, "a session with the API server broke");
            }
        });
        let authority = address.clone();
        Ok(Session { sender, bearer, authority, driving: driving.abort_handle() })
    }
}

fn address_of_pod() -> Option<String> {
    let host = std::env::var("KUBERNETES_SERVICE_HOST").ok()?;
    let port = std::env::var("KUBERNETES_SERVICE_PORT").ok()?;
    let host = if host.contains(':') { format!("[{host}]") } else { host };
    Some(format!("{host}:{port}"))
}

fn tls_config(path: &PathBuf) -> Result<ClientConfig, Error> {
    let pem = std::fs::read(path).map_err(|source| Error::File { path: path.clone(), source })?;
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(&pem) {
        let certificate = certificate.map_err(|_| Error::Anchors { path: path.clone() })?;
        roots.add(certificate).map_err(|_| Error::Anchors { path: path.clone() })?;
    }
    if roots.is_empty() {
        return Err(Error::Anchors { path: path.clone() });
    }
    let mut config = ClientConfig::builder_with_provider(crypto::provider().clone())
        .with_safe_default_protocol_versions()
        .expect("the provider knows TLS 1.2 and 1.3")
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"h2".to_vec()];
    Ok(config)
}

/// One connection, which carries several requests at once.
#[derive(Debug)]
pub struct Session {
    sender: SendRequest<Full<Bytes>>,
    bearer: HeaderValue,
    authority: String,
    driving: AbortHandle,
}

impl Drop for Session {
    fn drop(&mut self) {
        self.driving.abort();
    }
}

impl Session {
    pub async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, Error> {
        self.answer(Method::GET, path, None).await
    }

    pub async fn send<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        kind: Body,
        content: &impl Serialize,
    ) -> Result<T, Error> {
        let bytes = serde_json::to_vec(content).expect("objects have text keys");
        self.answer(method, path, Some((kind, bytes))).await
    }

    /// Opens a stream of changes.
    pub async fn watch(&self, path: &str) -> Result<Changes, Error> {
        let response = self.request(Method::GET, path, None).await?;
        let path = path.split('?').next().unwrap_or_default().to_owned();
        Ok(Changes { body: response.into_body(), buffer: BytesMut::new(), path })
    }

    async fn answer<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        content: Option<(Body, Vec<u8>)>,
    ) -> Result<T, Error> {
        let within = limits::KUBERNETES_REQUEST_TIMEOUT;
        let whole = async {
            let response = self.request(method, path, content).await?;
            read(response, path).await
        };
        let late = || Error::Late { path: path.to_owned(), within };
        let bytes = timeout(within, whole).await.unwrap_or_else(|_| Err(late()))?;
        serde_json::from_slice(&bytes)
            .map_err(|source| Error::Unreadable { path: path.to_owned(), source })
    }

    /// The head of a good answer; another one is an error with what the server says.
    async fn request(
        &self,
        method: Method,
        path: &str,
        content: Option<(Body, Vec<u8>)>,
    ) -> Result<Response<Incoming>, Error> {
        let broken =
            |error: hyper::Error| Error::Broken { path: path.to_owned(), what: error.to_string() };
        let mut request = Request::builder()
            .method(method)
            .uri(format!("https://{}{path}", self.authority))
            .header(header::AUTHORIZATION, self.bearer.clone())
            .header(header::ACCEPT, "application/json")
            .header(header::USER_AGENT, concat!("rialto-agent/", env!("CARGO_PKG_VERSION")));
        let bytes = match content {
            Some((kind, bytes)) => {
                let kind = match kind {
                    Body::Object => "application/json",
                    Body::MergePatch => "application/merge-patch+json",
                    // JSON is YAML.
                    Body::Apply => "application/apply-patch+yaml",
                };
                request = request.header(header::CONTENT_TYPE, kind);
                bytes
            }
            None => Vec::new(),
        };
        let request = request.body(Full::new(bytes.into())).expect("a path of ours is a URI");
        let mut sender = self.sender.clone();
        let sent = async {
            sender.ready().await?;
            sender.send_request(request).await
        };
        let within = limits::KUBERNETES_REQUEST_TIMEOUT;
        let late = |_| Error::Late { path: path.to_owned(), within };
        let response = timeout(within, sent).await.map_err(late)?.map_err(broken)?;
        if response.status().is_success() {
            return Ok(response);
        }
        Err(refusal(response, path).await)
    }
}

/// Takes several of these steps at once, in any order, so that what an answer takes is not waited
/// for once for each object.
pub fn at_once<I>(steps: I) -> BufferUnordered<stream::Iter<I::IntoIter>>
where
    I: IntoIterator<Item: Future>,
{
    stream::iter(steps).buffer_unordered(limits::KUBERNETES_STEPS_AT_ONCE)
}

async fn read(response: Response<Incoming>, path: &str) -> Result<Bytes, Error> {
    let limited = Limited::new(response.into_body(), limits::KUBERNETES_ANSWER_BYTES_MAX);
    let collected = limited.collect().await;
    let broken = |what: String| Error::Broken { path: path.to_owned(), what };
    Ok(collected.map_err(|error| broken(error.to_string()))?.to_bytes())
}

async fn refusal(response: Response<Incoming>, path: &str) -> Error {
    let status = response.status().as_u16();
    let retry_after = response.headers().get(header::RETRY_AFTER);
    let retry_after = retry_after.and_then(|value| value.to_str().ok()?.parse().ok());
    let bytes = read(response, path).await.unwrap_or_default();
    let said = serde_json::from_slice::<Status>(&bytes).ok().map(|status| status.message);
    let text = || String::from_utf8_lossy(&bytes).trim().to_owned();
    let message = said.filter(|message| !message.is_empty()).unwrap_or_else(text);
    let message = message.chars().take(4 * limits::ERROR_TEXT_CHARS_MAX).collect();
    let path = path.split('?').next().unwrap_or_default().to_owned();
    Error::Refused { path, status, message, retry_after: retry_after.map(Duration::from_secs) }
}

/// What the API server says when it refuses.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Status {
    message: String,
    code: u16,
}

/// An open stream of changes.
#[derive(Debug)]
pub struct Changes {
    body: Incoming,
    buffer: BytesMut,
    path: String,
}

/// One change of one object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change<T> {
    Put(T),
    Deleted(T),
    /// Nothing changed up to this position.
    Bookmark(String),
}

#[derive(Deserialize)]
struct Line<T> {
    #[serde(rename = "type")]
    kind: LineKind,
    object: T,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
enum LineKind {
    Added,
    Modified,
    Deleted,
    Bookmark,
    Error,
}

#[derive(Deserialize)]
struct Bookmark {
    metadata: BookmarkMetadata,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct BookmarkMetadata {
    resource_version: String,
}

impl Changes {
    /// The next change; `None` when the server ended the stream.
    pub async fn next<T: DeserializeOwned>(&mut self) -> Option<Result<Change<T>, Error>> {
        loop {
            if let Some(end) = self.buffer.iter().position(|byte| *byte == b'\n') {
                let line = self.buffer.split_to(end + 1);
                return Some(self.parse(&line));
            }
            if self.buffer.len() > limits::KUBERNETES_OBJECT_BYTES_MAX {
                return Some(Err(self.broken("an object is too large".into())));
            }
            match self.body.frame().await {
                None => return None,
                Some(Err(error)) => return Some(Err(self.broken(error.to_string()))),
                Some(Ok(frame)) => {
                    if let Some(data) = frame.data_ref() {
                        self.buffer.extend_from_slice(data);
                    }
                }
            }
        }
    }

    fn broken(&self, what: String) -> Error {
        Error::Broken { path: self.path.clone(), what }
    }

    fn parse<T: DeserializeOwned>(&self, line: &[u8]) -> Result<Change<T>, Error> {
        let unreadable = |source| Error::Unreadable { path: self.path.clone(), source };
        let kind = serde_json::from_slice::<Line<IgnoredAny>>(line).map_err(unreadable)?.kind;
        let object = || serde_json::from_slice::<Line<T>>(line).map_err(unreadable);
        match kind {
            LineKind::Added | LineKind::Modified => Ok(Change::Put(object()?.object)),
            LineKind::Deleted => Ok(Change::Deleted(object()?.object)),
            LineKind::Bookmark => {
                let line = serde_json::from_slice::<Line<Bookmark>>(line).map_err(unreadable)?;
                Ok(Change::Bookmark(line.object.metadata.resource_version))
            }
            LineKind::Error => {
                let line = serde_json::from_slice::<Line<Status>>(line).map_err(unreadable)?;
                let Status { message, code: status } = line.object;
                let path = self.path.clone();
                Err(Error::Refused { path, status, message, retry_after: None })
            }
        }
    }
}
