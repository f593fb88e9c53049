//! A small bookstore of real HTTP servers that know nothing of Rialto.
//!
//! ```text
//! productpage -> details
//!             -> reviews v1
//!             -> reviews v2, v3 -> ratings
//! ```
//!
//! They find each other by federated name. Every answer says which service, version, cluster and
//! instance it comes from.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;

use anyhow::Context as _;
use bytes::Bytes;
use futures::stream;
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt as _, Full, Limited, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::header::HeaderMap;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpStream};
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::timeout;

use self::content::{CHECKSUM_HEADER, Checksum, Content};
use super::http::{Connection, Failure, Url, Vantage};
use super::limits;

pub(crate) mod content;

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Service {
    Productpage,
    Details,
    Reviews,
    Ratings,
}

/// Serve one part of the bookstore
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Arguments {
    service: Service,
    #[arg(long)]
    listen: SocketAddr,
    #[arg(long, default_value = "v1")]
    version: String,
    #[arg(long)]
    cluster: String,
    #[arg(long)]
    instance: String,
    #[command(flatten)]
    vantage: Vantage,
    #[arg(long, default_value = "http://details.books.svc.clusterset.local:9080/")]
    details: Url,
    #[arg(long, default_value = "http://reviews.books.svc.clusterset.local:9080/")]
    reviews: Url,
    #[arg(long, default_value = "http://ratings.books.svc.clusterset.local:9080/")]
    ratings: Url,
}

/// Answers without calling anybody.
pub(crate) const ABOUT_PATH: &str = "/about";

const TRACE_HEADER: &str = "traceparent";

type Body = BoxBody<Bytes, Infallible>;

/// Serves until SIGTERM, then ends the open requests.
pub(crate) async fn run(arguments: Arguments) -> anyhow::Result<()> {
    let listen = arguments.listen;
    let listener =
        TcpListener::bind(listen).await.with_context(|| format!("could not listen on {listen}"))?;
    let mut ended = signal(SignalKind::terminate()).context("could not wait for SIGTERM")?;
    serve(listener, arguments, async move {
        ended.recv().await;
    })
    .await;
    Ok(())
}

async fn serve(listener: TcpListener, arguments: Arguments, ended: impl Future<Output = ()>) {
    let arguments = Arc::new(arguments);
    let connections = GracefulShutdown::new();
    let mut ended = pin!(ended);
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = &mut ended => break,
        };
        // Out of descriptors, or a client that is gone already: the next one may do better.
        let Ok((stream, caller)) = accepted else {
            tokio::task::yield_now().await;
            continue;
        };
        serve_connection(stream, caller, Arc::clone(&arguments), &connections);
    }
    drop(listener);
    let _ = timeout(limits::DRAIN_TIMEOUT, connections.shutdown()).await;
}

fn serve_connection(
    stream: TcpStream,
    caller: SocketAddr,
    arguments: Arc<Arguments>,
    connections: &GracefulShutdown,
) {
    let _ = stream.set_nodelay(true);
    let service = service_fn(move |request| {
        let arguments = Arc::clone(&arguments);
        async move { Ok::<_, Infallible>(answer(&arguments, caller, request).await) }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .serve_connection(TokioIo::new(stream), service);
    let watched = connections.watch(connection);
    // Ends with the client, or at shutdown, which waits for all of them.
    tokio::spawn(async move {
        let _ = watched.await;
    });
}

async fn answer(
    arguments: &Arguments,
    caller: SocketAddr,
    request: Request<Incoming>,
) -> Response<Body> {
    let path = request.uri().path();
    if path == "/health" {
        return text(StatusCode::OK, "ok\n".to_owned(), "text/plain");
    }
    if let Some(size) = path.strip_prefix("/bytes/") {
        return bytes_of(size);
    }
    if ![Method::GET, Method::HEAD].contains(request.method()) {
        // Read, so that a client that sends a body sees it taken.
        let body = Limited::new(request.into_body(), limits::BODY_BYTES_MAX).collect().await;
        return match body {
            Ok(body) => {
                let mut told = about(arguments, caller);
                told["received_bytes"] = json!(body.to_bytes().len());
                as_json(StatusCode::OK, &told)
            }
            Err(_) => text(StatusCode::PAYLOAD_TOO_LARGE, "too large\n".to_owned(), "text/plain"),
        };
    }
    let mut told = about(arguments, caller);
    let called = match arguments.service {
        _ if request.uri().path() == ABOUT_PATH => Vec::new(),
        Service::Productpage => {
            let headers = request.headers();
            let (details, reviews) = tokio::join!(
                call(&arguments.details, arguments.vantage, headers),
                call(&arguments.reviews, arguments.vantage, headers)
            );
            vec![("details", details), ("reviews", reviews)]
        }
        Service::Reviews if arguments.version != "v1" => {
            vec![("ratings", call(&arguments.ratings, arguments.vantage, request.headers()).await)]
        }
        Service::Details | Service::Reviews | Service::Ratings => Vec::new(),
    };
    add_content(arguments, &mut told);
    let mut status = StatusCode::OK;
    for (name, result) in called {
        told[name] = result.unwrap_or_else(|failure| {
            status = StatusCode::BAD_GATEWAY;
            json!({ "failed": failure })
        });
    }
    as_json(status, &told)
}

fn about(arguments: &Arguments, caller: SocketAddr) -> Value {
    let service = match arguments.service {
        Service::Productpage => "productpage",
        Service::Details => "details",
        Service::Reviews => "reviews",
        Service::Ratings => "ratings",
    };
    json!({
        "service": service,
        "version": arguments.version,
        "cluster": arguments.cluster,
        "instance": arguments.instance,
        "caller": caller.ip(),
    })
}

fn add_content(arguments: &Arguments, told: &mut Value) {
    match arguments.service {
        Service::Productpage => told["title"] = json!("The Comedy of Errors"),
        Service::Details => told["author"] = json!("William Shakespeare"),
        Service::Reviews => told["text"] = json!("An extremely entertaining play."),
        Service::Ratings => told["stars"] = json!([5, 4]),
    }
    if arguments.service == Service::Reviews {
        match arguments.version.as_str() {
            "v2" => told["color"] = json!("black"),
            "v3" => told["color"] = json!("red"),
            _ => {}
        }
    }
}

async fn call(url: &Url, vantage: Vantage, headers: &HeaderMap) -> Result<Value, Failure> {
    let trace = headers.get(TRACE_HEADER).and_then(|value| value.to_str().ok());
    let headers: Vec<_> = trace.map(|trace| (TRACE_HEADER, trace.to_owned())).into_iter().collect();
    let exchange = async {
        let response = Connection::open(url, vantage).await?.get(url, &headers).await?;
        if response.status().as_u16() >= 400 {
            return Err(Failure::Status);
        }
        let body = Limited::new(response.into_body(), limits::BODY_BYTES_MAX).collect().await;
        let body = body.map_err(|_| Failure::CutShort)?.to_bytes();
        serde_json::from_slice(&body).map_err(|_| Failure::WrongBytes)
    };
    timeout(limits::REQUEST_TIMEOUT, exchange).await.unwrap_or(Err(Failure::Timeout))
}

fn bytes_of(size: &str) -> Response<Body> {
    let Some(size) = size.parse().ok().filter(|size| *size <= limits::DOWNLOAD_BYTES_MAX) else {
        let told = format!("ask for at most {} bytes\n", limits::DOWNLOAD_BYTES_MAX);
        return text(StatusCode::BAD_REQUEST, told, "text/plain");
    };
    let chunks = Content::new(size).map(|chunk| Ok(Frame::data(chunk)));
    let mut response = Response::new(StreamBody::new(stream::iter(chunks)).boxed());
    let headers = response.headers_mut();
    let checksum = format!("{:016x}", Checksum::of_content(size));
    headers.insert(CHECKSUM_HEADER, checksum.parse().expect("hexadecimal is a header value"));
    headers.insert("content-length", size.into());
    response
}

fn as_json(status: StatusCode, value: &Value) -> Response<Body> {
    text(status, format!("{value}\n"), "application/json")
}

fn text(status: StatusCode, body: String, content_type: &'static str) -> Response<Body> {
    let mut response = Response::new(Full::new(Bytes::from(body)).boxed());
    *response.status_mut() = status;
    let value = http::HeaderValue::from_static(content_type);
    response.headers_mut().insert("content-type", value);
    response
}

#[cfg(test)]
mod tests;
