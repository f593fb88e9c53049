//! The accepting side.

use std::future::Future;
use std::io;
use std::path::Path;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use hyper::body::Incoming;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use rialto_types::id::Timestamp;
use rialto_types::limits;
use rustls::pki_types::CertificateDer;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tonic::service::Routes;
use tower::ServiceExt;
use tracing::{debug, warn};

use super::{ALPN, PeerIdentity, PeerUser};
use crate::identity::{self, Clients, Expected, Identity, peer};

/// Serves `routes` to `clients` until `shutdown`, then lets calls in flight end within
/// `limits::SHUTDOWN_GRACE`. Every connection has ended when this returns.
///
/// A connection is cut when its peer's certificate expires or its trust is withdrawn; a peer that
/// renewed in time connects again.
pub async fn serve(
    listener: TcpListener,
    identity: Identity,
    clients: Clients,
    routes: Routes,
    shutdown: CancellationToken,
) {
    let config = identity.server_config(clients.clone(), &[ALPN]);
    let server = TlsServer {
        acceptor: TlsAcceptor::from(Arc::new(config)),
        identity,
        expected: clients.expected().clone(),
        routes: routes.prepare(),
        shutdown: shutdown.clone(),
    };
    let accept = || async { listener.accept().await.map(|(stream, _)| stream) };
    run(accept, |stream, handshake| server.clone().serve(stream, handshake), shutdown).await;
}

/// Serves `routes` on a Unix socket, each request with the [`PeerUser`] that sent it.
pub async fn serve_local(listener: UnixListener, routes: Routes, shutdown: CancellationToken) {
    let routes = routes.prepare();
    let accept = || async { listener.accept().await.map(|(stream, _)| stream) };
    let handle = |stream: UnixStream, _| {
        let (routes, shutdown) = (routes.clone(), shutdown.clone());
        async move {
            match stream.peer_cred() {
                Ok(cred) => {
                    let user = PeerUser { uid: cred.uid() };
                    serve_http(stream, user, routes, std::future::pending(), shutdown).await;
                }
                Err(error) => debug!(%error, "peer of a local connection is not known"),
            }
        }
    };
    run(accept, handle, shutdown.clone()).await;
}

/// Binds a Unix socket; removes the one that a dead process left, not that of a living one.
pub fn bind_local(path: &Path) -> io::Result<UnixListener> {
    match std::os::unix::net::UnixStream::connect(path) {
        Ok(_) => return Err(io::ErrorKind::AddrInUse.into()),
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
            std::fs::remove_file(path)?;
        }
        Err(_) => {}
    }
    UnixListener::bind(path)
}

/// Accepts within the bounds and owns every connection's task.
async fn run<S, A, AF, H, HF>(accept: A, handle: H, shutdown: CancellationToken)
where
    A: Fn() -> AF,
    AF: Future<Output = io::Result<S>>,
    H: Fn(S, OwnedSemaphorePermit) -> HF,
    HF: Future<Output = ()> + Send + 'static,
{
    let connections = Arc::new(Semaphore::new(limits::GRPC_CONNECTIONS_MAX));
    let handshakes = Arc::new(Semaphore::new(limits::HANDSHAKES_MAX));
    let mut tasks = JoinSet::new();
    let admit = async || -> Result<_, tokio::sync::AcquireError> {
        let connection = connections.clone().acquire_owned().await?;
        let handshake = handshakes.clone().acquire_owned().await?;
        Ok((connection, handshake, accept().await))
    };
    loop {
        let admitted = tokio::select! {
            biased;
            () = shutdown.cancelled() => break,
            admitted = admit() => admitted,
        };
        while let Some(ended) = tasks.try_join_next() {
            note_panic(ended);
        }
        match admitted {
            Ok((connection, handshake, Ok(stream))) => {
                let served = handle(stream, handshake);
                tasks.spawn(async move {
                    served.await;
                    drop(connection);
                });
            }
            Ok((_, _, Err(error))) => {
                warn!(%error, "cannot accept a connection");
                tokio::time::sleep(limits::ACCEPT_BACKOFF).await;
            }
            Err(_) => break,
        }
    }
    while let Some(ended) = tasks.join_next().await {
        note_panic(ended);
    }
}

fn note_panic(ended: Result<(), tokio::task::JoinError>) {
    if let Err(error) = ended {
        warn!(%error, "the task of a connection panicked");
    }
}

#[derive(Clone)]
struct TlsServer {
    acceptor: TlsAcceptor,
    identity: Identity,
    expected: Expected,
    routes: Routes,
    shutdown: CancellationToken,
}

impl TlsServer {
    async fn serve(self, stream: TcpStream, handshake: OwnedSemaphorePermit) {
        if let Err(error) = stream.set_nodelay(true) {
            debug!(%error, "cannot turn off Nagle's algorithm");
        }
        let accepted = tokio::select! {
            () = self.shutdown.cancelled() => return,
            accepted = tokio::time::timeout(
                limits::CONNECT_TIMEOUT,
                self.acceptor.accept(stream),
            ) => accepted,
        };
        drop(handshake);
        let stream = match accepted {
            Ok(Ok(stream)) => stream,
            Ok(Err(error)) => return self.note_failed_handshake(&error),
            Err(_) => return self.identity.count_refusal("handshake_timeout"),
        };
        let (_, session) = stream.get_ref();
        if session.alpn_protocol() != Some(ALPN) {
            return self.identity.count_refusal("protocol");
        }
        let chain = session.peer_certificates().map(<[_]>::to_vec).unwrap_or_default();
        let peer = match peer::peer_identity(&chain) {
            Ok(id) => PeerIdentity(Some(id)),
            Err(_) if chain.is_empty() => PeerIdentity(None),
            Err(error) => return self.identity.count_refusal(error.reason()),
        };
        let distrusted = distrusted(self.identity, chain, self.expected);
        serve_http(stream, peer, self.routes, distrusted, self.shutdown).await;
    }

    /// The verifiers have counted what they refused; the rest is counted here.
    fn note_failed_handshake(&self, error: &io::Error) {
        match peer::Error::find(error) {
            Some(peer::Error::NoCertificate) => self.identity.count_refusal("no_certificate"),
            Some(_) => {}
            None => self.identity.count_refusal("handshake"),
        }
        debug!(%error, "a TLS handshake failed");
    }
}

/// Ends when the peer that presented `chain` is no longer believed; never for one without.
async fn distrusted(
    identity: Identity,
    chain: Vec<CertificateDer<'static>>,
    expected: Expected,
) -> &'static str {
    let Ok(not_after) = peer::not_after(&chain) else { return std::future::pending().await };
    let mut changes = identity.watch();
    loop {
        let now = identity::now();
        if let Err(error) = peer::verify(&chain, &identity.bundle(), &expected, now) {
            return error.reason();
        }
        tokio::select! {
            changed = changes.changed() => {
                if changed.is_err() {
                    return std::future::pending().await;
                }
            }
            () = tokio::time::sleep(until(not_after, now)) => {}
        }
    }
}

/// Validity ends with the second that it names.
fn until(not_after: Timestamp, now: Timestamp) -> Duration {
    now.age(not_after) + Duration::from_secs(1)
}

async fn serve_http<S, P, D>(
    stream: S,
    peer: P,
    routes: Routes,
    distrusted: D,
    shutdown: CancellationToken,
) where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    P: Clone + Send + Sync + 'static,
    D: Future<Output = &'static str>,
{
    let service = routes.map_request(move |mut request: http::Request<Incoming>| {
        request.extensions_mut().insert(peer.clone());
        request
    });
    let mut builder = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
    builder
        .timer(TokioTimer::new())
        .adaptive_window(true)
        .max_concurrent_streams(limits::GRPC_STREAMS_MAX)
        .keep_alive_interval(limits::GRPC_KEEPALIVE_INTERVAL)
        .keep_alive_timeout(limits::GRPC_KEEPALIVE_TIMEOUT);
    let service = TowerToHyperService::new(service);
    let mut connection = pin!(builder.serve_connection(TokioIo::new(stream), service));
    tokio::select! {
        ended = connection.as_mut() => return note_end(ended),
        reason = distrusted => {
            return debug!(reason, "a connection is cut: its peer lost our trust");
        }
        () = shutdown.cancelled() => {}
    }
    connection.as_mut().graceful_shutdown();
    match tokio::time::timeout(limits::SHUTDOWN_GRACE, connection).await {
        Ok(ended) => note_end(ended),
        Err(_) => debug!("a connection is cut: its calls did not end in time"),
    }
}

fn note_end(ended: Result<(), hyper::Error>) {
    if let Err(error) = ended {
        debug!(%error, "a connection broke");
    }
}
