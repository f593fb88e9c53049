//! One connection per request: plain on loopback, TLS elsewhere.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use http::{Request, Response};
use hyper::body::Incoming;
use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

/// Where the API is.
#[derive(Clone)]
pub struct Server {
    host: String,
    port: u16,
    tls: Option<Arc<rustls::ClientConfig>>,
}

/// Why no answer came.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("`{0}` is not a server: expected `http://HOST:PORT` (loopback) or `https://HOST:PORT`")]
    Address(String),
    #[error("plain HTTP would show the token to the network; use `https://` for `{0}`")]
    PlainToOther(String),
    #[error("connecting failed")]
    Connect(#[source] std::io::Error),
    #[error("the TLS handshake failed; does `--ca-file` name the bridge's own `ca.pem`?")]
    Tls(#[source] std::io::Error),
    #[error("the exchange broke off")]
    Exchange(#[source] hyper::Error),
}

impl Server {
    /// `http://` is for loopback only: the token travels in it.
    pub fn parse(text: &str, tls: Option<Arc<rustls::ClientConfig>>) -> Result<Self, Error> {
        let fault = || Error::Address(text.to_string());
        let (scheme, rest) = text.trim_end_matches('/').split_once("://").ok_or_else(fault)?;
        let (host, port) = rest.rsplit_once(':').ok_or_else(fault)?;
        let port = port.parse().map_err(|_| fault())?;
        let host = host.trim_start_matches('[').trim_end_matches(']').to_string();
        match (scheme, tls) {
            ("http", _) if is_loopback(&host) => Ok(Self { host, port, tls: None }),
            ("http", _) => Err(Error::PlainToOther(host)),
            ("https", Some(tls)) => Ok(Self { host, port, tls: Some(tls) }),
            _ => Err(fault()),
        }
    }

    pub(super) fn host(&self) -> String {
        format!("{}:{}", self.host, self.port)
    }

    pub(super) async fn send(&self, request: Request<String>) -> Result<Response<Incoming>, Error> {
        let address = (self.host.as_str(), self.port);
        let stream = TcpStream::connect(address).await.map_err(Error::Connect)?;
        let Some(tls) = &self.tls else { return exchange(stream, request).await };
        let name = ServerName::try_from(self.host.clone())
            .map_err(|_| Error::Address(self.host.clone()))?;
        let connector = TlsConnector::from(tls.clone());
        let stream = connector.connect(name, stream).await.map_err(Error::Tls)?;
        exchange(stream, request).await
    }
}

fn is_loopback(host: &str) -> bool {
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

async fn exchange<S>(stream: S, request: Request<String>) -> Result<Response<Incoming>, Error>
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
        .await
        .map_err(Error::Exchange)?;
    // Ends by itself when the response is read or dropped.
    tokio::spawn(async move {
        if let Err(error) = connection.await {
            tracing::debug!(%error, "REST connection ended");
        }
    });
    sender.send_request(request).await.map_err(Error::Exchange)
}

impl fmt::Display for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.tls.is_some() { "https" } else { "http" };
        write!(f, "{scheme}://{}:{}", self.host, self.port)
    }
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
