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
    /// `None` where the platform decides by which address others reach it.
    address: Option<SocketAddr>,
    /// Subscriptions that are open; a gateway that reconnects has two for a moment.
    streams: usize,
    forget_at: Option<Instant>,
}

impl Gateways {
    /// Starts from those that an earlier agent saw.
    pub fn restore(addresses: BTreeMap<InstanceId, Option<SocketAddr>>, now: Instant) -> Self {
        let forget_at = Some(now + limits::GATEWAY_FORGOTTEN);
        let known = |(id, address)| (id, Known { address, streams: 0, forget_at });
        Self { known: addresses.into_iter().map(known).collect() }
    }

    /// The gateways that a registry names when it is read first: they get time to subscribe, like
    /// those that an earlier agent saw, so that a new agent's first report does not withdraw them.
    pub fn handle_named(&mut self, ids: impl Iterator<Item = InstanceId>, now: Instant) {
        let forget_at = Some(now + limits::GATEWAY_FORGOTTEN);
        for id in ids.take(limits::GATEWAYS_PER_CLUSTER_MAX) {
            self.known.entry(id).or_insert(Known { address: None, streams: 0, forget_at });
        }
    }

    /// A gateway subscribed; `false` if there are too many.
    pub fn handle_connected(&mut self, id: InstanceId, address: Option<SocketAddr>) -> bool {
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

    pub fn addresses(&self) -> BTreeMap<InstanceId, Option<SocketAddr>> {
        self.known.iter().map(|(id, known)| (id.clone(), known.address)).collect()
    }
}

#[cfg(test)]
mod tests;
