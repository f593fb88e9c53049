//! The typed client of the REST API, for the command line and for tests.

mod connection;
mod events;

use std::time::Duration;

use http::{Method, Request, StatusCode};
use rialto_types::api::{
    Convergence, DrainResult, ExplainRequest, Explanation, History, HistoryEntry, List,
    Precondition, ShiftRequest, Status, Written,
};
use rialto_types::cluster::{JoinTokenIssued, JoinTokenRequest};
use rialto_types::duration;
use rialto_types::error::Problem;
use rialto_types::id::{ClusterName, Namespace, Revision, ServiceName};
use rialto_types::limits;
use rialto_types::object::{Document, Key, Kind, Resource};
use rialto_types::session::SignInCode;
use rialto_types::traffic::{self, Traffic};
use serde::Serialize;
use serde::de::DeserializeOwned;

pub use connection::{Error as ConnectError, Server};
pub use events::Events;

/// Why a request has no answer to use.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The server refused, and said why.
    #[error("{}: {}", .0.code, .0.detail)]
    Refused(Box<Problem>),
    #[error("cannot reach the bridge at `{server}`; is it running, and is `--server` right?")]
    Unreachable { server: String, source: ConnectError },
    #[error("the bridge at `{server}` did not answer within {} s", .after.as_secs())]
    Timeout { server: String, after: Duration },
    #[error("`{server}` answered {status} with something that is not Rialto's API")]
    Foreign { server: String, status: StatusCode },
}

/// How a write is to happen.
#[derive(Debug, Clone, Default)]
pub struct WriteOptions {
    pub dry_run: bool,
    pub reason: Option<String>,
    pub precondition: Precondition,
}

/// One server, one token.
#[derive(Debug, Clone)]
pub struct Client {
    server: Server,
    token: String,
    timeout: Duration,
}

type Answer<T> = Result<T, Error>;

impl Client {
    pub fn new(server: Server, token: String, timeout: Duration) -> Self {
        Self { server, token, timeout }
    }

    pub async fn get(&self, key: &Key) -> Answer<Document> {
        self.call(Method::GET, &path(key), None::<&()>, &[]).await
    }

    /// Every page of a list, as one.
    pub async fn list(&self, kind: Kind, namespace: Option<&Namespace>) -> Answer<List> {
        let base = match namespace {
            Some(namespace) => format!("/api/v1/namespaces/{namespace}/{}", kind.plural()),
            None => format!("/api/v1/{}", kind.plural()),
        };
        let mut whole: Option<List> = None;
        let mut next = None;
        loop {
            let mut query = vec![("limit", limits::REST_PAGE_MAX.to_string())];
            query.extend(next.take().map(|token| ("continue", token)));
            let page: List =
                self.call(Method::GET, &with_query(&base, &query), None::<&()>, &[]).await?;
            let token = page.continue_token.clone();
            match &mut whole {
                Some(whole) => whole.items.extend(page.items),
                None => whole = Some(page),
            }
            match (token, whole.take()) {
                (Some(token), list) => {
                    next = Some(token);
                    whole = list;
                }
                (None, Some(mut list)) => {
                    list.continue_token = None;
                    list.remaining = 0;
                    return Ok(list);
                }
                (None, None) => unreachable!("a page was stored above"),
            }
        }
    }

    pub async fn put(&self, resource: &Resource, options: &WriteOptions) -> Answer<Written> {
        let path = with_query(&path(&resource.key()), &options.query());
        self.call(Method::PUT, &path, Some(&resource.to_document(None)), &options.headers()).await
    }

    pub async fn delete(&self, key: &Key, options: &WriteOptions) -> Answer<Written> {
        let path = with_query(&path(key), &options.query());
        self.call(Method::DELETE, &path, None::<&()>, &options.headers()).await
    }

    /// Events of a list, from now or from after a revision.
    pub async fn watch(
        &self,
        kind: Kind,
        namespace: Option<&Namespace>,
        since: Option<Revision>,
    ) -> Answer<Events> {
        let base = match namespace {
            Some(namespace) => format!("/api/v1/namespaces/{namespace}/{}", kind.plural()),
            None => format!("/api/v1/{}", kind.plural()),
        };
        let mut query = vec![("watch", "true".to_string())];
        query.extend(since.map(|since| ("since", since.to_string())));
        let request = self.request(Method::GET, &with_query(&base, &query), None::<&()>, &[]);
        let response = self.send(request).await?;
        if response.status().is_success() {
            return Ok(Events::new(response.into_body()));
        }
        Err(self.refusal(response).await)
    }

    pub async fn create_token(
        &self,
        request: &JoinTokenRequest,
        reason: Option<String>,
    ) -> Answer<JoinTokenIssued> {
        let options = WriteOptions { reason, ..WriteOptions::default() };
        let path = with_query("/api/v1/jointokens", &options.query());
        self.call(Method::POST, &path, Some(request), &[]).await
    }

    pub async fn drain(
        &self,
        cluster: &ClusterName,
        drained: bool,
        options: &WriteOptions,
    ) -> Answer<DrainResult> {
        let verb = if drained { "drain" } else { "undrain" };
        let path = with_query(&format!("/api/v1/clusters/{cluster}:{verb}"), &options.query());
        self.call(Method::POST, &path, None::<&()>, &[]).await
    }

    pub async fn shift(
        &self,
        parent: &ServiceName,
        request: &ShiftRequest,
        options: &WriteOptions,
    ) -> Answer<Written> {
        let base =
            format!("/api/v1/namespaces/{}/services/{}:shift", parent.namespace, parent.name);
        self.call(Method::POST, &with_query(&base, &options.query()), Some(request), &[]).await
    }

    pub async fn revert(&self, to: Revision, options: &WriteOptions) -> Answer<HistoryEntry> {
        let path = with_query(&format!("/api/v1/revisions/{to}:revert"), &options.query());
        self.call(Method::POST, &path, None::<&()>, &[]).await
    }

    pub async fn history(&self, count: usize) -> Answer<History> {
        let path = with_query("/api/v1/history", &[("limit", count.to_string())]);
        self.call(Method::GET, &path, None::<&()>, &[]).await
    }

    pub async fn status(&self) -> Answer<Status> {
        self.call(Method::GET, "/api/v1/status", None::<&()>, &[]).await
    }

    pub async fn convergence(&self, revision: Option<Revision>) -> Answer<Convergence> {
        let query: Vec<_> =
            revision.into_iter().map(|revision| ("revision", revision.to_string())).collect();
        let path = with_query("/api/v1/convergence", &query);
        self.call(Method::GET, &path, None::<&()>, &[]).await
    }

    pub async fn explain(&self, request: &ExplainRequest) -> Answer<Explanation> {
        self.call(Method::POST, "/api/v1/explain", Some(request), &[]).await
    }

    pub async fn traffic(&self, query: &traffic::Query) -> Answer<Traffic> {
        let pairs = [
            ("service", query.service.as_ref().map(ToString::to_string)),
            ("from", query.from.as_ref().map(ToString::to_string)),
            ("to", query.to.as_ref().map(ToString::to_string)),
            ("over", query.over.map(duration::format)),
        ];
        let query: Vec<_> =
            pairs.into_iter().filter_map(|(name, value)| Some((name, value?))).collect();
        self.call(Method::GET, &with_query("/api/v1/traffic", &query), None::<&()>, &[]).await
    }

    /// A one-use code to sign a browser in with.
    pub async fn create_sign_in_code(&self) -> Answer<SignInCode> {
        self.call(Method::POST, "/api/v1/session/codes", None::<&()>, &[]).await
    }

    pub fn server(&self) -> &Server {
        &self.server
    }

    async fn call<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        body: Option<&impl Serialize>,
        headers: &[(&'static str, String)],
    ) -> Answer<T> {
        let response = self.send(self.request(method, path, body, headers)).await?;
        let status = response.status();
        if !status.is_success() {
            return Err(self.refusal(response).await);
        }
        let bytes = self.body(response).await?;
        serde_json::from_slice(&bytes)
            .map_err(|_| Error::Foreign { server: self.server.to_string(), status })
    }

    fn request(
        &self,
        method: Method,
        path: &str,
        body: Option<&impl Serialize>,
        headers: &[(&'static str, String)],
    ) -> Request<String> {
        let mut request = Request::builder()
            .method(method)
            .uri(path)
            .header("host", self.server.host())
            .header("authorization", format!("Bearer {}", self.token));
        for (name, value) in headers {
            request = request.header(*name, value);
        }
        let text = match body {
            Some(body) => {
                request = request.header("content-type", "application/json");
                serde_json::to_string(body).expect("a body has text keys only")
            }
            None => String::new(),
        };
        request.body(text).expect("names and numbers make a valid request")
    }

    async fn send(
        &self,
        request: Request<String>,
    ) -> Answer<http::Response<hyper::body::Incoming>> {
        let server = || self.server.to_string();
        match tokio::time::timeout(self.timeout, self.server.send(request)).await {
            Ok(sent) => sent.map_err(|source| Error::Unreachable { server: server(), source }),
            Err(_) => Err(Error::Timeout { server: server(), after: self.timeout }),
        }
    }

    async fn body(&self, response: http::Response<hyper::body::Incoming>) -> Answer<Vec<u8>> {
        let status = response.status();
        let collecting = http_body_util::BodyExt::collect(response.into_body());
        match tokio::time::timeout(self.timeout, collecting).await {
            Ok(Ok(collected)) => Ok(collected.to_bytes().to_vec()),
            Ok(Err(_)) => Err(Error::Foreign { server: self.server.to_string(), status }),
            Err(_) => Err(Error::Timeout { server: self.server.to_string(), after: self.timeout }),
        }
    }

    async fn refusal(&self, response: http::Response<hyper::body::Incoming>) -> Error {
        let status = response.status();
        match self.body(response).await {
            Ok(bytes) => match serde_json::from_slice::<Problem>(&bytes) {
                Ok(problem) => Error::Refused(Box::new(problem)),
                Err(_) => Error::Foreign { server: self.server.to_string(), status },
            },
            Err(error) => error,
        }
    }
}

impl WriteOptions {
    fn query(&self) -> Vec<(&'static str, String)> {
        let dry_run = self.dry_run.then(|| ("dryRun", "server".to_string()));
        let reason = self.reason.clone().map(|reason| ("reason", reason));
        dry_run.into_iter().chain(reason).collect()
    }

    fn headers(&self) -> Vec<(&'static str, String)> {
        match self.precondition {
            Precondition::None => Vec::new(),
            Precondition::IfMatch(revision) => vec![("if-match", format!("\"{revision}\""))],
            Precondition::IfNoneMatch => vec![("if-none-match", "*".to_string())],
        }
    }
}

fn path(key: &Key) -> String {
    match &key.namespace {
        Some(namespace) => {
            format!("/api/v1/namespaces/{namespace}/{}/{}", key.kind.plural(), key.name)
        }
        None => format!("/api/v1/{}/{}", key.kind.plural(), key.name),
    }
}

fn with_query(path: &str, query: &[(&str, String)]) -> String {
    let mut whole = path.to_string();
    for (at, (name, value)) in query.iter().enumerate() {
        whole.push(if at == 0 { '?' } else { '&' });
        whole.push_str(name);
        whole.push('=');
        encode_into(value, &mut whole);
    }
    whole
}

/// Percent-encoding of everything but unreserved characters (RFC 3986, 2.3).
fn encode_into(value: &str, whole: &mut String) {
    for byte in value.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                whole.push(char::from(byte));
            }
            _ => whole.push_str(&format!("%{byte:02X}")),
        }
    }
}
