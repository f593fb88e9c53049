//! One connection kept up by dialling: dial, keep, and dial again when it is lost or must be new.

use rand::RngExt;

use super::{
    Connection, DialError, Error, Event, Notify, PeerId, Pool, Rc, Slot, SocketAddr, limits, sleep,
    timeout, trust_domain,
};
use crate::tunnel::ConnectionLost;
use std::time::Duration;

impl Pool {
    pub(super) fn start_slot(&self, peer: PeerId, address: SocketAddr) -> Slot {
        let renew = Rc::new(Notify::new());
        let task = self.spawn(self.clone().keep_dialled(peer, address, Rc::clone(&renew)));
        Slot { task, renew }
    }

    async fn keep_dialled(self, peer: PeerId, address: SocketAddr, renew: Rc<Notify>) {
        let mut present: Option<Connection> = None;
        let mut delay = limits::DIAL_DELAY_MIN;
        loop {
            match self.dial(&peer, address, &renew).await {
                Ok(connection) => {
                    if let Some(old) = present.replace(connection) {
                        self.retire(&peer, &old);
                    }
                    delay = limits::DIAL_DELAY_MIN;
                }
                Err(reason) => {
                    self.tell(Event::DialFailed { peer: peer.clone(), reason });
                    self.end_first_dial(&peer);
                    // Spread, so that two gateways that lost each other do not meet in step.
                    sleep(delay.mul_f64(rand::rng().random_range(0.5..1.0))).await;
                    delay = (2 * delay).min(limits::DIAL_DELAY_MAX);
                    if present.as_ref().is_none_or(Connection::is_closed) {
                        present = None;
                    }
                    continue;
                }
            }
            let Some(connection) = &present else { continue };
            tokio::select! {
                lost = connection.closed() => {
                    present = None;
                    if lost != ConnectionLost::ClosedHere {
                        sleep(limits::DIAL_DELAY_MIN.mul_f64(rand::rng().random_range(0.0..1.0)))
                            .await;
                    }
                }
                () = renew.notified() => {}
            }
        }
    }

    async fn dial(
        &self,
        peer: &PeerId,
        address: SocketAddr,
        renew: &Rc<Notify>,
    ) -> Result<Connection, Error> {
        within(limits::HANDSHAKE_TIME_MAX, async {
            let name = trust_domain(&peer.cluster);
            let dialled = self.shared.endpoint.dial(address, name.as_str()).await;
            let connection = dialled.map_err(|error| match error {
                DialError::Handshake { source, .. } => Error::Handshake(source),
                DialError::Start { .. } => Error::Dial(error),
            })?;
            let found = self.identify(&connection)?;
            if found != *peer {
                let error = Error::OtherPeer { expected: peer.clone(), found };
                connection.close("another peer was dialled");
                return Err(error);
            }
            self.greet(found, connection, Some(Rc::clone(renew))).await
        })
        .await
    }

    /// Lets a connection end with its flows. `retire` on the member has told the peer.
    fn retire(&self, peer: &PeerId, connection: &Connection) {
        let peers = self.shared.peers.borrow();
        let members = peers.get(peer).map_or(&[][..], |peer| &peer.members);
        match members.iter().find(|member| member.connection.id() == connection.id()) {
            Some(member) => member.retire(),
            None => connection.close("replaced"),
        }
    }
}

pub(super) async fn within<T>(
    bound: Duration,
    work: impl Future<Output = Result<T, Error>>,
) -> Result<T, Error> {
    timeout(bound, work).await.unwrap_or(Err(Error::TimedOut(bound)))
}
