//! Virtual IPs of one cluster: one per service and family, stable, rested before reuse. Gateway
//! ports are numbers of the same kind of table, one per service port.
//!
//! A binding is a number; the addresses are that number counted from the start of the cluster's
//! ranges, so that both families go together. Number 0 and the last one (network and broadcast) are
//! never given. Numbers are given in a circle, so that a freed one comes round as late as possible.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::ops::RangeInclusive;

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

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[serde(bound(serialize = "K: Ord + Serialize", deserialize = "K: Ord + Deserialize<'de>"))]
pub(super) struct Table<K> {
    /// The number given last; the search for a free one starts after it.
    last: u64,
    bindings: BTreeMap<K, Binding>,
    /// Those that found no free number.
    starved: BTreeSet<K>,
    /// Derived: the numbers of all bindings.
    #[serde(skip)]
    used: BTreeSet<u64>,
    /// Derived: the bindings that rest, in the order in which their rest began.
    #[serde(skip)]
    resting: BTreeSet<(Timestamp, K)>,
}

impl<K> Default for Table<K> {
    fn default() -> Self {
        Self {
            last: 0,
            bindings: BTreeMap::new(),
            starved: BTreeSet::new(),
            used: BTreeSet::new(),
            resting: BTreeSet::new(),
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Binding {
    number: u64,
    /// When the last cluster gave the service up; the address rests from then on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    released_at: Option<Timestamp>,
}

impl Table<ServiceName> {
    /// The addresses of a service, first IPv4.
    pub(super) fn addresses(&self, service: &ServiceName, spec: &ClusterSpec) -> Vec<IpAddr> {
        let Some(number) = self.number(service) else { return Vec::new() };
        let low = u32::try_from(number).expect("a number is below the IPv4 range's size");
        let v4 = Ipv4Addr::from_bits(spec.vip_range.network().to_bits() + low);
        let v6 = Ipv6Addr::from_bits(spec.vip_range6.network().to_bits() + u128::from(number));
        vec![v4.into(), v6.into()]
    }
}

impl Table<PortKey> {
    /// Where gateways listen for the ports of a service, by port.
    pub(super) fn gateway_ports(&self, service: &ServiceName) -> BTreeMap<u16, u16> {
        let all = PortKey::range(service);
        let bound = self.bindings.range(all).filter(|(_, it)| it.released_at.is_none());
        let port = |binding: &Binding| {
            let offset = u16::try_from(binding.number - 1).expect("a number is below the bound");
            limits::GATEWAY_PORT_FIRST + offset
        };
        bound.map(|(key, binding)| (key.port, port(binding))).collect()
    }

    /// Binds `wanted` and lets every other port of the service rest; says whether anything changed.
    pub(super) fn set(&mut self, service: &ServiceName, wanted: &[u16], now: Timestamp) -> bool {
        let held = self.bindings.range(PortKey::range(service)).map(|(key, _)| key.clone());
        let starved = self.starved.range(PortKey::range(service)).cloned();
        let given_up: BTreeSet<PortKey> =
            held.chain(starved).filter(|key| !wanted.contains(&key.port)).collect();
        let mut changed = false;
        for key in given_up {
            changed |= self.release(&key, now);
        }
        for port in wanted {
            let key = PortKey { service: service.clone(), port: *port };
            changed |= self.bind(&key, u64::from(limits::GATEWAY_PORTS_MAX), now);
        }
        changed
    }
}

/// A port of a service; as text `NAMESPACE/NAME:PORT`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub(super) struct PortKey {
    service: ServiceName,
    port: u16,
}

impl PortKey {
    fn range(service: &ServiceName) -> RangeInclusive<Self> {
        let key = |port| Self { service: service.clone(), port };
        key(0)..=key(u16::MAX)
    }
}

impl From<PortKey> for String {
    fn from(key: PortKey) -> String {
        format!("{}:{}", key.service, key.port)
    }
}

impl TryFrom<String> for PortKey {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let parsed = text.rsplit_once(':').and_then(|(service, port)| {
            Some(Self { service: service.parse().ok()?, port: port.parse().ok()? })
        });
        parsed.ok_or_else(|| format!("`{text}` is not NAMESPACE/NAME:PORT"))
    }
}

impl<K: Ord + Clone> Table<K> {
    fn number(&self, key: &K) -> Option<u64> {
        let binding = self.bindings.get(key)?;
        binding.released_at.is_none().then_some(binding.number)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.bindings.is_empty()
    }

    pub(super) fn is_starved(&self, key: &K) -> bool {
        self.starved.contains(key)
    }

    pub(super) fn starved(&self) -> impl Iterator<Item = &K> {
        self.starved.iter()
    }

    /// Gives the service a number if it has none; says whether anything changed.
    pub(super) fn bind(&mut self, key: &K, capacity: u64, now: Timestamp) -> bool {
        if let Some(binding) = self.bindings.get_mut(key) {
            let Some(since) = binding.released_at.take() else { return false };
            self.resting.remove(&(since, key.clone()));
            return true;
        }
        self.end_rests(now);
        let Some(number) = self.free_number(capacity) else {
            return self.starved.insert(key.clone());
        };
        self.starved.remove(key);
        self.last = number;
        assert!(self.used.insert(number), "a number is given once");
        self.bindings.insert(key.clone(), Binding { number, released_at: None });
        true
    }

    /// Lets the service's number rest: no cluster has the service any more.
    pub(super) fn release(&mut self, key: &K, now: Timestamp) -> bool {
        let was_starved = self.starved.remove(key);
        let Some(binding) = self.bindings.get_mut(key) else { return was_starved };
        if binding.released_at.is_some() {
            return was_starved;
        }
        binding.released_at = Some(now);
        self.resting.insert((now, key.clone()));
        true
    }

    /// The service needs no address, but keeps the one that it may have.
    pub(super) fn unstarve(&mut self, key: &K) -> bool {
        self.starved.remove(key)
    }

    pub(super) fn rebuild(&mut self) {
        self.used = self.bindings.values().map(|binding| binding.number).collect();
        let resting = self
            .bindings
            .iter()
            .filter_map(|(key, binding)| Some((binding.released_at?, key.clone())));
        self.resting = resting.collect();
    }

    fn end_rests(&mut self, now: Timestamp) {
        while let Some((since, _)) = self.resting.first()
            && since.plus(limits::VIP_QUARANTINE) <= now
        {
            let (_, key) = self.resting.pop_first().expect("looked at above");
            let binding = self.bindings.remove(&key).expect("what rests is bound");
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
