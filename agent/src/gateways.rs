//! The gateways of the own cluster, as other clusters shall dial them. Pure.
//!
//! A gateway that is gone stays for a while: one that restarts must not make every other cluster
//! forget and learn it again, and a dead one is noticed by its peers much sooner anyway.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Instant;

use rialto_types::id::InstanceId;
use rialto_types::limits;

#[derive(Debug, Default)]
pub struct Gateways {
    known: BTreeMap<InstanceId, Known>,
}

#[derive(Debug)]
struct Known {
    address: SocketAddr,
    /// Subscriptions that are open; a gateway that reconnects has two for a moment.
    streams: usize,
    forget_at: Option<Instant>,
}

impl Gateways {
    /// Starts from those that an earlier agent saw.
    pub fn restore(addresses: BTreeMap<InstanceId, SocketAddr>, now: Instant) -> Self {
        let forget_at = Some(now + limits::GATEWAY_FORGOTTEN);
        let known = |(id, address)| (id, Known { address, streams: 0, forget_at });
        Self { known: addresses.into_iter().map(known).collect() }
    }

    /// A gateway subscribed; `false` if there are too many.
    pub fn handle_connected(&mut self, id: InstanceId, address: SocketAddr) -> bool {
        if !self.known.contains_key(&id) && self.known.len() >= limits::GATEWAYS_PER_CLUSTER_MAX {
            return false;
        }
        let entry = Known { address, streams: 0, forget_at: None };
        let known = self.known.entry(id).or_insert(entry);
        known.address = address;
        known.streams += 1;
        known.forget_at = None;
        true
    }

    /// A subscription of a gateway ended.
    pub fn handle_gone(&mut self, id: &InstanceId, now: Instant) {
        if let Some(known) = self.known.get_mut(id) {
            known.streams = known.streams.saturating_sub(1);
            if known.streams == 0 {
                known.forget_at = Some(now + limits::GATEWAY_FORGOTTEN);
            }
        }
    }

    pub fn poll_timeout(&self) -> Option<Instant> {
        self.known.values().filter_map(|known| known.forget_at).min()
    }

    pub fn handle_timeout(&mut self, now: Instant) {
        self.known.retain(|_, known| known.forget_at.is_none_or(|at| now < at));
    }

    pub fn addresses(&self) -> BTreeMap<InstanceId, SocketAddr> {
        self.known.iter().map(|(id, known)| (id.clone(), known.address)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(number: usize) -> InstanceId {
        format!("gateway-{number}").parse().expect("an id")
    }

    fn address(port: u16) -> SocketAddr {
        SocketAddr::from(([192, 0, 2, 1], port))
    }

    #[test]
    fn a_restart_is_not_seen_and_an_end_is() {
        let (mut gateways, now) = (Gateways::default(), Instant::now());
        assert!(gateways.handle_connected(id(1), address(1)));
        assert_eq!(gateways.poll_timeout(), None);
        gateways.handle_gone(&id(1), now);
        gateways.handle_timeout(now + limits::GATEWAY_FORGOTTEN / 2);
        assert!(gateways.handle_connected(id(1), address(2)));
        // It reconnects before its old stream ended.
        assert!(gateways.handle_connected(id(1), address(2)));
        gateways.handle_gone(&id(1), now);
        gateways.handle_timeout(now + limits::GATEWAY_FORGOTTEN * 2);
        assert_eq!(gateways.addresses(), [(id(1), address(2))].into());
        gateways.handle_gone(&id(1), now);
        assert_eq!(gateways.poll_timeout(), Some(now + limits::GATEWAY_FORGOTTEN));
        gateways.handle_timeout(now + limits::GATEWAY_FORGOTTEN);
        assert!(gateways.addresses().is_empty());
    }

    #[test]
    fn those_of_an_earlier_agent_have_time_to_come_back() {
        let now = Instant::now();
        let mut gateways = Gateways::restore([(id(1), address(1))].into(), now);
        gateways.handle_timeout(now);
        assert_eq!(gateways.addresses().len(), 1);
        gateways.handle_timeout(now + limits::GATEWAY_FORGOTTEN);
        assert!(gateways.addresses().is_empty());
    }

    #[test]
    fn there_are_so_many() {
        let mut gateways = Gateways::default();
        for number in 0..limits::GATEWAYS_PER_CLUSTER_MAX {
            assert!(gateways.handle_connected(id(number), address(1)));
        }
        assert!(!gateways.handle_connected(id(1_000), address(1)));
        assert!(gateways.handle_connected(id(0), address(2)));
    }
}
