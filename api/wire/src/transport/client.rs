//! The dialling side.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use hyper_util::rt::TokioIo;
use rialto_types::error::Chain;
use rialto_types::limits;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::net::{TcpStream, UnixStream};
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tonic::transport::{Channel, Endpoint};
use tower::service_fn;
use tracing::debug;

use super::ALPN;
use crate::identity::tls::{SERVER_NAME, pinned_client_config};
use crate::identity::{Expected, Fingerprint, Identity, peer};

/// Why there is no connection.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("there is no address to connect to")]
    NoAddress,
    #[error("cannot connect to `{address}`")]
    Connect { address: String, source: io::Error },
    #[error("the TLS handshake with `{address}` failed")]
    Handshake { address: String, source: io::Error },
    #[error("who answers at `{address}` is not believed")]
    Distrusted { address: String, source: peer::Error },
    #[error("`{address}` does not speak HTTP/2")]
    Protocol { address: String },
    #[error("`{address}` did not answer in {within:?}")]
    Timeout { address: String, within: Duration },
}

impl Error {
    /// The failure to connect behind another error, if it is one: then nothing was sent.
    pub fn find<'a>(error: &'a (dyn std::error::Error + 'static)) -> Option<&'a Self> {
        let mut next = Some(error);
        while let Some(error) = next {
            if let Some(found) = error.downcast_ref::<Self>() {
                return Some(found);
            }
            next = error.source();
        }
        None
    }
}

/// A channel to whichever of `addresses` (`HOST:PORT`) answers first in turn and proves to be
/// `expected`. It connects at its first call and again after each loss, then with the next address.
pub fn connect(addresses: Vec<String>, identity: &Identity, expected: Expected) -> Channel {
    channel(addresses, identity.client_config(expected, &[ALPN]))
}

/// As [`connect`], without a certificate of ours, to a server whose issuer has `fingerprint`.
pub fn connect_pinned(
    addresses: Vec<String>,
    fingerprint: Fingerprint,
    expected: Expected,
) -> Channel {
    channel(addresses, pinned_client_config(fingerprint, expected, &[ALPN]))
}

/// A channel over a Unix socket.
pub fn connect_local(path: PathBuf) -> Channel {
    endpoint().connect_with_connector_lazy(service_fn(move |_| {
        let path = path.clone();
        async move {
            let stream = UnixStream::connect(&path).await;
            let address = || path.display().to_string();
            stream.map(TokioIo::new).map_err(|source| Error::Connect { address: address(), source })
        }
    }))
}

fn channel(addresses: Vec<String>, config: ClientConfig) -> Channel {
    let dialer = Arc::new(Dialer {
        addresses,
        next: AtomicUsize::new(0),
        connector: TlsConnector::from(Arc::new(config)),
    });
    endpoint().connect_with_connector_lazy(service_fn(move |_| {
        let dialer = dialer.clone();
        async move { dialer.dial().await.map(TokioIo::new) }
    }))
}

fn endpoint() -> Endpoint {
    // Scheme `http`: to tonic `https` would mean its own TLS.
    Endpoint::from_static("http://rialto.invalid")
        .http2_adaptive_window(true)
        .http2_keep_alive_interval(limits::GRPC_KEEPALIVE_INTERVAL)
        .keep_alive_timeout(limits::GRPC_KEEPALIVE_TIMEOUT)
        .keep_alive_while_idle(true)
}

struct Dialer {
    addresses: Vec<String>,
    next: AtomicUsize,
    connector: TlsConnector,
}

impl Dialer {
    /// Tries each address once, all within `limits::CONNECT_TIMEOUT`.
    async fn dial(&self) -> Result<TlsStream<TcpStream>, Error> {
        let count = self.addresses.len();
        let first = self.next.load(Ordering::Relaxed);
        let within = limits::CONNECT_TIMEOUT / u32::try_from(count.max(1)).unwrap_or(u32::MAX);
        let mut last = Error::NoAddress;
        for at in (0..count).map(|step| (first + step) % count) {
            let address = &self.addresses[at];
            let attempt = timeout(within, self.attempt(address)).await;
            match attempt
                .unwrap_or_else(|_| Err(Error::Timeout { address: address.clone(), within }))
            {
                Ok(stream) => {
                    // Who is lost later is tried last: it is probably down.
                    self.next.store((at + 1) % count, Ordering::Relaxed);
                    return Ok(stream);
                }
                Err(error) => {
                    debug!(error = %Chain(&error), "an attempt to connect failed");
                    last = error;
                }
            }
        }
        Err(last)
    }

    async fn attempt(&self, address: &str) -> Result<TlsStream<TcpStream>, Error> {
        let connect = |source| Error::Connect { address: address.to_owned(), source };
        let stream = TcpStream::connect(address).await.map_err(connect)?;
        stream.set_nodelay(true).map_err(connect)?;
        let name = ServerName::try_from(SERVER_NAME).expect("a DNS name");
        let handshake = self.connector.connect(name, stream).await;
        let stream = handshake.map_err(|source| {
            let address = address.to_owned();
            match peer::Error::find(&source) {
                Some(source) => Error::Distrusted { address, source },
                None => Error::Handshake { address, source },
            }
        })?;
        if stream.get_ref().1.alpn_protocol() != Some(ALPN) {
            return Err(Error::Protocol { address: address.to_owned() });
        }
        Ok(stream)
    }
}
