//! A host that lost power, for tests of what its peers do.

use std::io::IoSliceMut;

use quinn::udp::{RecvMeta, Transmit};
use quinn::{AsyncUdpSocket, UdpPoller};

use super::*;

impl Endpoint {
    /// From here on nothing is sent or received.
    pub(crate) fn freeze(&self) {
        let address = self.local_address().expect("bound");
        self.endpoint.rebind_abstract(Arc::new(Dead(address))).expect("rebinds");
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

#[test]
fn a_short_path_keeps_the_small_window_and_a_long_one_holds_what_is_in_flight() {
    let short = limits::TUNNEL_SEND_WINDOW_BYTES;
    assert_eq!(send_window(Duration::from_millis(1), 14_000_000, short), short);
    assert_eq!(send_window(Duration::from_millis(20), 100, short), short);
    assert_eq!(send_window(Duration::from_millis(20), 2_000_000, short), 4_000_000);
    let most = limits::TUNNEL_SEND_WINDOW_BYTES_MAX;
    assert_eq!(send_window(Duration::from_millis(200), u64::MAX, short), most);
}

#[test]
fn silence_is_a_second_or_three_probe_timeouts() {
    assert_eq!(silence_max(Duration::from_millis(20)), limits::PEER_SILENCE_MIN);
    assert_eq!(silence_max(Duration::from_millis(400)), Duration::from_millis(2_475));
}
