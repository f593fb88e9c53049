//! The UDP socket and what is set for everything over it: it dials and accepts.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use nix::sys::socket::{setsockopt, sockopt};
use quinn::crypto::rustls::{QuicClientConfig, QuicServerConfig};
use quinn::{Runtime as _, TransportConfig, VarInt};
use rialto_types::limits;

use super::stray::{self, CountingSocket, OwnIds, Strays};
use super::{CLOSE_NORMAL, Connection, convert_lost};
use crate::tunnel::ConnectionLost;

/// The application protocol of the tunnel; a change to the stream header's meaning changes it.
const ALPN: &[u8] = b"rialto/1";

/// What may be set about the carrier; the defaults are the measured ones.
#[derive(Debug, Clone)]
pub struct Settings {
    pub listen: SocketAddr,
    /// The largest UDP payload that is probed for: 1,472 on Ethernet, up to 6,500 with jumbo
    /// frames. Above that ten segments no longer fit one call and are lost (`EMSGSIZE`).
    pub mtu_max: u16,
    pub send_window_bytes: u64,
    pub congestion: Congestion,
    /// Where datagrams of nobody are counted.
    pub strays: Arc<Strays>,
}

impl Settings {
    pub fn new(listen: SocketAddr) -> Self {
        Self {
            listen,
            mtu_max: limits::TUNNEL_MTU_MAX,
            send_window_bytes: limits::TUNNEL_SEND_WINDOW_BYTES,
            congestion: Congestion::Cubic,
            strays: Arc::default(),
        }
    }
}

/// The seam for congestion control: a controller of our own becomes a variant here and is adapted
/// to `quinn`'s trait below.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Congestion {
    Cubic,
}

impl Congestion {
    fn factory(self) -> Arc<dyn quinn::congestion::ControllerFactory + Send + Sync> {
        match self {
            Self::Cubic => Arc::new(quinn::congestion::CubicConfig::default()),
        }
    }
}

/// The two sides' TLS settings. Verifiers and certificates are the caller's; protocol name and
/// resumption are set here, because a resumed handshake would skip the verifiers.
#[derive(Debug, Clone)]
pub struct Tls {
    pub client: Arc<rustls::ClientConfig>,
    pub server: Arc<rustls::ServerConfig>,
}

#[derive(Debug, thiserror::Error)]
pub enum BindError {
    #[error("cannot open the tunnel's UDP socket on {address}; is another gateway using it?")]
    Socket {
        address: SocketAddr,
        #[source]
        source: io::Error,
    },
    #[error("the TLS settings cannot be used for QUIC: TLS 1.3 with AES-128-GCM is needed")]
    Tls,
}

#[derive(Debug, thiserror::Error)]
pub enum DialError {
    #[error("cannot dial {address}: {reason}")]
    Start { address: SocketAddr, reason: String },
    #[error("handshake with {address} failed")]
    Handshake {
        address: SocketAddr,
        #[source]
        source: ConnectionLost,
    },
}

/// The UDP socket and everything that runs over it.
#[derive(Debug)]
pub struct Endpoint {
    endpoint: quinn::Endpoint,
    client: quinn::ClientConfig,
    send_window_bytes: u64,
    /// To take it up again after a pause.
    #[cfg(test)]
    socket: Arc<CountingSocket>,
}

impl Endpoint {
    /// Must be called on the runtime that will drive the endpoint.
    pub fn bind(settings: &Settings, tls: &Tls) -> Result<Self, BindError> {
        let socket_error = |source| BindError::Socket { address: settings.listen, source };
        let socket = open_socket(settings.listen).map_err(socket_error)?;
        let transport = Arc::new(transport(settings));
        let ids = OwnIds::new(rand::random());
        let runtime = Arc::new(quinn::TokioRuntime);
        let socket = runtime.wrap_udp_socket(socket).map_err(socket_error)?;
        let socket = Arc::new(CountingSocket::new(socket, ids, Arc::clone(&settings.strays)));
        let endpoint = quinn::Endpoint::new_with_abstract_socket(
            endpoint_config(ids),
            Some(server_config(&tls.server, &transport)?),
            Arc::clone(&socket) as Arc<dyn quinn::AsyncUdpSocket>,
            runtime,
        )
        .map_err(socket_error)?;
        let client = client_config(&tls.client, &transport)?;
        Ok(Self {
            endpoint,
            client,
            send_window_bytes: settings.send_window_bytes,
            #[cfg(test)]
            socket,
        })
    }

    pub fn local_address(&self) -> io::Result<SocketAddr> {
        self.endpoint.local_addr()
    }

    pub async fn dial(
        &self,
        address: SocketAddr,
        server_name: &str,
    ) -> Result<crate::tunnel::Connection, DialError> {
        let connecting = self
            .endpoint
            .connect_with(self.client.clone(), address, server_name)
            .map_err(|error| DialError::Start { address, reason: error.to_string() })?;
        let connection = connecting
            .await
            .map_err(|error| DialError::Handshake { address, source: convert_lost(&error) })?;
        Ok(Connection::start(connection, self.send_window_bytes))
    }

    /// The next peer that dials; `None` once the endpoint is closed.
    pub async fn accept(&self) -> Option<Incoming> {
        let incoming = self.endpoint.accept().await?;
        Some(Incoming { incoming, send_window_bytes: self.send_window_bytes })
    }

    /// Accepts nobody from here on. Standing connections are untouched.
    pub fn stop_accepting(&self) {
        self.endpoint.set_server_config(None);
    }

    /// Cuts what is left and waits until the peers have been told.
    pub async fn close(&self, reason: &str) {
        self.endpoint.close(CLOSE_NORMAL, reason.as_bytes());
        self.endpoint.wait_idle().await;
    }
}

/// A peer that has sent its first packet and proved nothing yet.
#[derive(Debug)]
pub struct Incoming {
    incoming: quinn::Incoming,
    send_window_bytes: u64,
}

impl Incoming {
    pub fn remote_address(&self) -> SocketAddr {
        self.incoming.remote_address()
    }

    /// Whether the peer has shown that it receives at the address it claims.
    pub fn is_validated(&self) -> bool {
        self.incoming.remote_address_validated()
    }

    /// Asks the peer to come again with proof of its address; costs us no state.
    pub fn ask_for_validation(self) {
        // Refused only where validation was already done, and then the peer simply tries again.
        let _ = self.incoming.retry();
    }

    pub fn refuse(self) {
        self.incoming.refuse();
    }

    pub async fn handshake(self) -> Result<crate::tunnel::Connection, ConnectionLost> {
        let connecting = self.incoming.accept().map_err(|error| convert_lost(&error))?;
        let connection = connecting.await.map_err(|error| convert_lost(&error))?;
        Ok(Connection::start(connection, self.send_window_bytes))
    }
}

fn endpoint_config(ids: OwnIds) -> quinn::EndpointConfig {
    let mut config = quinn::EndpointConfig::default();
    config
        .cid_generator(move || Box::new(ids.generator()))
        .grease_quic_bit(false)
        .supported_versions(vec![stray::VERSION]);
    config
}

fn server_config(
    tls: &rustls::ServerConfig,
    transport: &Arc<TransportConfig>,
) -> Result<quinn::ServerConfig, BindError> {
    let mut tls = tls.clone();
    tls.alpn_protocols = vec![ALPN.to_vec()];
    tls.send_tls13_tickets = 0;
    tls.session_storage = Arc::new(rustls::server::NoServerSessionStorage {});
    tls.max_early_data_size = 0;
    let crypto = QuicServerConfig::try_from(tls).map_err(|_| BindError::Tls)?;
    let mut config = quinn::ServerConfig::with_crypto(Arc::new(crypto));
    config.transport_config(Arc::clone(transport));
    config.max_incoming(limits::TUNNEL_HANDSHAKES_MAX);
    Ok(config)
}

fn client_config(
    tls: &rustls::ClientConfig,
    transport: &Arc<TransportConfig>,
) -> Result<quinn::ClientConfig, BindError> {
    let mut tls = tls.clone();
    tls.alpn_protocols = vec![ALPN.to_vec()];
    tls.resumption = rustls::client::Resumption::disabled();
    tls.enable_early_data = false;
    let crypto = QuicClientConfig::try_from(tls).map_err(|_| BindError::Tls)?;
    let mut config = quinn::ClientConfig::new(Arc::new(crypto));
    config.transport_config(Arc::clone(transport));
    Ok(config)
}

fn transport(settings: &Settings) -> TransportConfig {
    let mut discovery = quinn::MtuDiscoveryConfig::default();
    discovery.upper_bound(settings.mtu_max);
    let idle = VarInt::from_u32(limits::TUNNEL_IDLE_TIMEOUT_MS).into();
    let mut transport = TransportConfig::default();
    transport
        .max_concurrent_bidi_streams(limits::TUNNEL_STREAMS_MAX.into())
        .max_concurrent_uni_streams(1u32.into())
        .stream_receive_window(limits::TUNNEL_STREAM_WINDOW_BYTES.into())
        .receive_window(limits::TUNNEL_CONNECTION_WINDOW_BYTES.into())
        .send_window(settings.send_window_bytes)
        .max_idle_timeout(Some(idle))
        .keep_alive_interval(Some(limits::TUNNEL_KEEP_ALIVE))
        .initial_rtt(limits::TUNNEL_INITIAL_ROUND_TRIP)
        .mtu_discovery_config(Some(discovery))
        .datagram_receive_buffer_size(None)
        .congestion_controller_factory(settings.congestion.factory());
    transport
}

/// Default socket buffers lose packets under bursts, and each loss costs the connection its window.
fn open_socket(address: SocketAddr) -> io::Result<std::net::UdpSocket> {
    let socket = socket2::Socket::new(
        socket2::Domain::for_address(address),
        socket2::Type::DGRAM,
        Some(socket2::Protocol::UDP),
    )?;
    socket.set_nonblocking(true)?;
    let wanted = limits::TUNNEL_SOCKET_BUFFER_BYTES;
    // The forced form passes over the system's bound and needs CAP_NET_ADMIN.
    if setsockopt(&socket, sockopt::RcvBufForce, &wanted).is_err() {
        socket.set_recv_buffer_size(wanted)?;
    }
    if setsockopt(&socket, sockopt::SndBufForce, &wanted).is_err() {
        socket.set_send_buffer_size(wanted)?;
    }
    // The kernel reports twice what was asked for, because it counts its own overhead.
    let granted_receive = socket.recv_buffer_size()? / 2;
    let granted_send = socket.send_buffer_size()? / 2;
    if granted_receive < wanted || granted_send < wanted {
        tracing::warn!(
            wanted,
            granted_receive,
            granted_send,
            "tunnel socket buffers are smaller than asked; raise net.core.rmem_max and wmem_max"
        );
    }
    socket.bind(&address.into())?;
    Ok(socket.into())
}

#[cfg(test)]
mod tests;
