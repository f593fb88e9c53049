//! The plain HTTP/1.1 client of the bookstore and of the load: names, connections, one request at
//! a time. It knows nothing of Rialto.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::str::FromStr;

use bytes::Bytes;
use http_body_util::Empty;
use hyper::body::Incoming;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::net::TcpSocket;
use tokio::time::timeout;

use super::limits;
use super::resolve::{self, resolve};

/// `http://HOST[:PORT]/PATH`
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Url {
    pub(crate) host: String,
    pub(crate) port: u16,
    pub(crate) path: String,
}

impl FromStr for Url {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let parsed = text.parse::<http::Uri>().ok().and_then(|uri| {
            let http = uri.scheme_str() == Some("http");
            Some(Self {
                host: uri.host().filter(|_| http)?.to_owned(),
                port: uri.port_u16().unwrap_or(80),
                path: uri.path_and_query()?.to_string(),
            })
        });
        parsed.ok_or_else(|| format!("`{text}` is not like `http://HOST:PORT/PATH`"))
    }
}

/// Where a client's connections come from and who tells it addresses.
#[derive(Clone, Copy, Debug, Default, clap::Args)]
pub(crate) struct Vantage {
    /// The source address of connections, where the network does not give the right one
    #[arg(long)]
    pub(crate) source: Option<Ipv4Addr>,
    /// A DNS server to ask instead of the system's resolver
    #[arg(long)]
    pub(crate) resolver: Option<SocketAddr>,
}

/// What went wrong, by what the server may have seen of the request.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize,
)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Failure {
    /// The name has no address.
    Name,
    /// No connection; the request was never sent.
    Connect,
    /// The connection ended after the request was sent and before an answer began.
    NoAnswer,
    /// The answer ended before its end.
    CutShort,
    Timeout,
    /// An answer with a status of 400 or more.
    Status,
    /// The body is not what its checksum says.
    WrongBytes,
}

impl Failure {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Name => "name",
            Self::Connect => "connect",
            Self::NoAnswer => "no-answer",
            Self::CutShort => "cut-short",
            Self::Timeout => "timeout",
            Self::Status => "status",
            Self::WrongBytes => "wrong-bytes",
        }
    }
}

#[derive(Debug)]
pub(crate) struct Connection {
    sender: SendRequest<Empty<Bytes>>,
}

impl Connection {
    pub(crate) async fn open(url: &Url, vantage: Vantage) -> Result<Self, Failure> {
        let address = match url.host.parse::<IpAddr>() {
            Ok(address) => address,
            Err(_) => resolve(&url.host, vantage.resolver).await.map_err(|error| match error {
                resolve::Error::Timeout => Failure::Timeout,
                resolve::Error::Unknown(_) | resolve::Error::Broken(_) => Failure::Name,
            })?,
        };
        let opening = async {
            let socket = TcpSocket::new_v4()?;
            if let Some(source) = vantage.source {
                socket.bind(SocketAddr::from((source, 0)))?;
            }
            socket.connect(SocketAddr::from((address, url.port))).await
        };
        let stream =
            timeout(limits::REQUEST_TIMEOUT, opening).await.map_err(|_| Failure::Timeout)?;
        let stream = stream.map_err(|_| Failure::Connect)?;
        let _ = stream.set_nodelay(true);
        let (sender, connection) =
            handshake(TokioIo::new(stream)).await.map_err(|_| Failure::Connect)?;
        // Ends when the sender is dropped or the peer closes.
        tokio::spawn(async move {
            let _ = connection.await;
        });
        Ok(Self { sender })
    }

    /// Sends a GET and gives the head of the answer; the body is read by the caller.
    pub(crate) async fn get(
        &mut self,
        url: &Url,
        headers: &[(&'static str, String)],
    ) -> Result<Response<Incoming>, Failure> {
        let mut request =
            Request::get(&url.path).header("host", format!("{}:{}", url.host, url.port));
        for (name, value) in headers {
            request = request.header(*name, value);
        }
        let request = request.body(Empty::new()).map_err(|_| Failure::Connect)?;
        // A kept connection that the server has closed meanwhile was never sent the request.
        self.sender.ready().await.map_err(|_| Failure::Connect)?;
        self.sender
            .send_request(request)
            .await
            .map_err(|error| if error.is_canceled() { Failure::Connect } else { Failure::NoAnswer })
    }
}

#[cfg(test)]
mod tests;
