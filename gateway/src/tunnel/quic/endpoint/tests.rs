//! A host that lost power, for tests of what its peers do.

use std::io::IoSliceMut;
use std::pin::Pin;
use std::task::{Context, Poll};

use quinn::udp::{RecvMeta, Transmit};
use quinn::{AsyncUdpSocket, UdpPoller};

use super::*;

impl Endpoint {
    /// From here on nothing is sent or received.
    pub(crate) fn freeze(&self) {
        let address = self.local_address().expect("bound");
        self.endpoint.rebind_abstract(Arc::new(Dead(address))).expect("rebinds");
    }

    /// As if the host had only been slow.
    pub(crate) fn thaw(&self) {
        let socket: Arc<dyn AsyncUdpSocket> = Arc::clone(&self.socket) as _;
        self.endpoint.rebind_abstract(socket).expect("rebinds");
    }
}

/// Swallows what is sent and never receives.
#[derive(Debug)]
struct Dead(SocketAddr);

impl AsyncUdpSocket for Dead {
    fn create_io_poller(self: Arc<Self>) -> Pin<Box<dyn UdpPoller>> {
        Box::pin(AlwaysReady)
    }

    fn try_send(&self, _: &Transmit<'_>) -> io::Result<()> {
        Ok(())
    }

    fn poll_recv(
        &self,
        _: &mut Context<'_>,
        _: &mut [IoSliceMut<'_>],
        _: &mut [RecvMeta],
    ) -> Poll<io::Result<usize>> {
        Poll::Pending
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        Ok(self.0)
    }
}

#[derive(Debug)]
struct AlwaysReady;

impl UdpPoller for AlwaysReady {
    fn poll_writable(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}
