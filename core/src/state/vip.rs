//! Virtual IPs of one cluster: one per service and family, stable, rested before reuse.
//!
//! A binding is a number; the addresses are that number counted from the start of the cluster's
//! ranges, so that both families go together. Number 0 and the last one (network and broadcast) are
//! never given. Numbers are given in a circle, so that a freed one comes round as late as possible.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use rialto_types::cluster::ClusterSpec;
use rialto_types::id::{ServiceName, Timestamp};
use rialto_types::limits;
use serde::{Deserialize, Serialize};

/// How many services a cluster's ranges have addresses for.
pub fn capacity(spec: &ClusterSpec) -> u64 {
    let host_bits4 = u32::from(32 - spec.vip_range.prefix_len());
    let host_bits6 = u32::from(128 - spec.vip_range6.prefix_len());
    (1u64 << host_bits4.min(host_bits6).min(63)) - 2
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Table {
    /// The number given last; the search for a free one starts after it.
    last: u64,
    bindings: BTreeMap<ServiceName, Binding>,
    /// Services that found no free number.
    starved: BTreeSet<ServiceName>,
    /// Derived: the numbers of all bindings.
    #[serde(skip)]
    used: BTreeSet<u64>,
    /// Derived: the bindings that rest, in the order in which their rest began.
    #[serde(skip)]
    resting: BTreeSet<(Timestamp, ServiceName)>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Binding {
    number: u64,
    /// When the last cluster gave the service up; the address rests from then on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    released_at: Option<Timestamp>,
}

impl Table {
    /// The addresses of a service, first IPv4.
    pub(super) fn addresses(&self, service: &ServiceName, spec: &ClusterSpec) -> Vec<IpAddr> {
        let Some(Binding { number, released_at: None }) = self.bindings.get(service) else {
            return Vec::new();
        };
        let low = u32::try_from(*number).expect("a number is below the IPv4 range's size");
        let v4 = Ipv4Addr::from_bits(spec.vip_range.network().to_bits() + low);
        let v6 = Ipv6Addr::from_bits(spec.vip_range6.network().to_bits() + u128::from(*number));
        vec![v4.into(), v6.into()]
    }

    pub(super) fn is_empty(&self) -> bool {
        self.bindings.is_empty()
    }

    pub(super) fn is_starved(&self, service: &ServiceName) -> bool {
        self.starved.contains(service)
    }

    pub(super) fn starved(&self) -> impl Iterator<Item = &ServiceName> {
        self.starved.iter()
    }

    /// Gives the service a number if it has none; says whether anything changed.
    pub(super) fn bind(&mut self, service: &ServiceName, capacity: u64, now: Timestamp) -> bool {
        if let Some(binding) = self.bindings.get_mut(service) {
            let Some(since) = binding.released_at.take() else { return false };
            self.resting.remove(&(since, service.clone()));
            return true;
        }
        self.end_rests(now);
        let Some(number) = self.free_number(capacity) else {
            return self.starved.insert(service.clone());
        };
        self.starved.remove(service);
        self.last = number;
        assert!(self.used.insert(number), "a number is given once");
        self.bindings.insert(service.clone(), Binding { number, released_at: None });
        true
    }

    /// Lets the service's number rest: no cluster has the service any more.
    pub(super) fn release(&mut self, service: &ServiceName, now: Timestamp) -> bool {
        let was_starved = self.starved.remove(service);
        let Some(binding) = self.bindings.get_mut(service) else { return was_starved };
        if binding.released_at.is_some() {
            return was_starved;
        }
        binding.released_at = Some(now);
        self.resting.insert((now, service.clone()));
        true
    }

    /// The service needs no address, but keeps the one that it may have.
    pub(super) fn unstarve(&mut self, service: &ServiceName) -> bool {
        self.starved.remove(service)
    }

    pub(super) fn rebuild(&mut self) {
        self.used = self.bindings.values().map(|binding| binding.number).collect();
        let resting = self
            .bindings
            .iter()
            .filter_map(|(service, binding)| Some((binding.released_at?, service.clone())));
        self.resting = resting.collect();
    }

    fn end_rests(&mut self, now: Timestamp) {
        while let Some((since, _)) = self.resting.first()
            && since.plus(limits::VIP_QUARANTINE) <= now
        {
            let (_, service) = self.resting.pop_first().expect("looked at above");
            let binding = self.bindings.remove(&service).expect("what rests is bound");
            self.used.remove(&binding.number);
        }
    }

    fn free_number(&self, capacity: u64) -> Option<u64> {
        if self.used.len() as u64 >= capacity {
            return None;
        }
        let after_last = (self.last + 1)..=capacity;
        let from_start = 1..=self.last.min(capacity);
        after_last.chain(from_start).find(|number| !self.used.contains(number))
    }
}

#[cfg(test)]
mod tests;
