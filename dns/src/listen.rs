//! Where queries come in: UDP and TCP on one address, with room for a burst.

use std::io;
use std::net::SocketAddr;
use std::os::fd::AsFd;

use nix::sys::socket::{setsockopt, sockopt};
use rialto_types::limits;
use socket2::SockRef;
use tokio::net::{TcpListener, UdpSocket};

/// Both sockets of one address, with the same port also where the system chose it.
#[derive(Debug)]
pub(crate) struct Listener {
    pub(crate) address: SocketAddr,
    pub(crate) udp: UdpSocket,
    pub(crate) tcp: TcpListener,
}

impl Listener {
    pub(crate) async fn bind(address: SocketAddr) -> io::Result<Self> {
        let mut attempts = 1;
        loop {
            let bound = Self::bind_once(address).await;
            // A port that the system chose as free for UDP may be in use for TCP; the next one may
            // be free for both.
            let is_chosen = address.port() == 0 && attempts < limits::DNS_PORT_ATTEMPTS_MAX;
            match bound {
                Err(error) if is_chosen && error.kind() == io::ErrorKind::AddrInUse => {
                    attempts += 1;
                }
                bound => return bound,
            }
        }
    }

    async fn bind_once(address: SocketAddr) -> io::Result<Self> {
        let udp = UdpSocket::bind(address).await?;
        make_room(&udp)?;
        let address = udp.local_addr()?;
        let tcp = TcpListener::bind(address).await?;
        Ok(Self { address, udp, tcp })
    }
}

/// Lets queries that come at once wait for their turn. Several sockets by SO_REUSEPORT would hold
/// more without privileges, but also let a second resolver take half of the queries unnoticed.
pub(crate) fn make_room(socket: &impl AsFd) -> io::Result<()> {
    let wanted = limits::DNS_SOCKET_BYTES;
    let options = SockRef::from(socket);
    // The forced form passes over the system's bound and needs CAP_NET_ADMIN.
    if setsockopt(socket, sockopt::RcvBufForce, &wanted).is_err() {
        options.set_recv_buffer_size(wanted)?;
    }
    // The kernel reports twice what was asked for, because it counts its own overhead.
    let granted = options.recv_buffer_size()? / 2;
    if granted < wanted {
        tracing::warn!(
            wanted,
            granted,
            "the DNS socket's buffer is smaller than asked, so bursts may lose queries; raise \
             net.core.rmem_max"
        );
    }
    Ok(())
}
