//! The listener of the REST API: plain on loopback, TLS elsewhere, bounded.

use std::sync::Arc;

use axum::Router;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto::Builder;
use hyper_util::service::TowerToHyperService;
use rialto_types::limits;
use rustls::ServerConfig;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;

use super::session::Peer;

/// Serves until `stop`; connections that are open then are closed.
pub async fn serve(
    listener: TcpListener,
    router: Router,
    tls: Option<Arc<ServerConfig>>,
    stop: CancellationToken,
) {
    let acceptor = tls.map(TlsAcceptor::from);
    let room = Arc::new(Semaphore::new(limits::GRPC_CONNECTIONS_MAX));
    let mut connections = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            Some(_) = connections.join_next() => continue,
            () = stop.cancelled() => return,
        };
        let (stream, address) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                tracing::warn!(%error, "cannot accept a REST connection; trying again");
                tokio::time::sleep(limits::ACCEPT_BACKOFF).await;
                continue;
            }
        };
        let Ok(permit) = room.clone().try_acquire_owned() else { continue };
        let (acceptor, router) = (acceptor.clone(), router.clone());
        let peer = Peer { address: address.ip(), is_encrypted: acceptor.is_some() };
        connections.spawn(async move {
            handle(stream, acceptor, router, peer).await;
            drop(permit);
        });
    }
}

async fn handle(stream: TcpStream, acceptor: Option<TlsAcceptor>, router: Router, peer: Peer) {
    let Some(acceptor) = acceptor else { return exchange(stream, router, peer).await };
    match tokio::time::timeout(limits::CONNECT_TIMEOUT, acceptor.accept(stream)).await {
        Ok(Ok(stream)) => exchange(stream, router, peer).await,
        Ok(Err(error)) => tracing::debug!(%error, "TLS handshake of a REST client failed"),
        Err(_) => tracing::debug!("TLS handshake of a REST client took too long"),
    }
}

async fn exchange<S: AsyncRead + AsyncWrite + Send + Unpin + 'static>(
    stream: S,
    router: Router,
    peer: Peer,
) {
    let mut builder = Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(hyper_util::rt::TokioTimer::new())
        .header_read_timeout(limits::HTTP_HEAD_TIMEOUT);
    let service = tower::service_fn(move |mut request: http::Request<hyper::body::Incoming>| {
        request.extensions_mut().insert(peer);
        tower::ServiceExt::oneshot(router.clone(), request.map(axum::body::Body::new))
    });
    let service = TowerToHyperService::new(service);
    if let Err(error) = builder.serve_connection(TokioIo::new(stream), service).await {
        tracing::debug!(%error, "REST connection ended");
    }
}
