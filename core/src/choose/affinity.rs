//! One caller stays with one cluster and endpoint (`sessionAffinity: ClientIP`), and nobody
//! remembers anybody: of the places that fit, a caller's address takes the one that it ranks
//! highest (rendezvous hashing). All gateways rank alike, before and after a restart; a place that
//! is lost moves its own callers, one that comes takes from each other place its part.
//!
//! The near gateway makes the key from what it alone sees, the caller's address; the far one gets
//! the key with the request. The arithmetic is part of the protocol between gateways: those of two
//! releases agree as long as it stays.

use std::net::{IpAddr, SocketAddr};

use rialto_types::id::ServiceName;

use super::mix;

/// Stands for a caller of a service; says nothing else of either.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Key(u64);

impl Key {
    pub fn of(caller: IpAddr, service: &ServiceName) -> Self {
        let mut hash = Fnv::default();
        hash.address(caller);
        hash.write(service.namespace.as_str().as_bytes());
        hash.write(b"/");
        hash.write(service.name.as_str().as_bytes());
        Self(mix(hash.0, 0))
    }

    /// As a peer's gateway sent it.
    pub fn from_number(number: u64) -> Self {
        Self(number)
    }

    pub fn number(self) -> u64 {
        self.0
    }

    /// In place of a random draw: the same for the caller, spread evenly over callers.
    pub(super) fn draw(self, step: u64) -> u64 {
        mix(self.0, step)
    }

    pub(super) fn rank_endpoint(self, endpoint: SocketAddr) -> u64 {
        let mut hash = Fnv::default();
        hash.address(endpoint.ip());
        hash.write(&endpoint.port().to_be_bytes());
        self.rank(hash)
    }

    pub(super) fn rank_name(self, name: &str) -> u64 {
        let mut hash = Fnv::default();
        hash.write(name.as_bytes());
        self.rank(hash)
    }

    /// The rank of one that takes `weight` times the callers of one of weight 1. Its own weight
    /// alone moves it, so that the others' callers stay.
    pub(super) fn rank_weighted(self, name: &str, weight: u64) -> f64 {
        // The greatest of `weight` even draws, as its logarithm; 0 has none.
        let even = (self.rank_name(name) as f64 + 1.0) / (u64::MAX as f64 + 2.0);
        even.ln() / weight as f64
    }

    fn rank(self, place: Fnv) -> u64 {
        mix(self.0 ^ place.0, 1)
    }
}

/// FNV-1a: short inputs, no seed, the same on every machine.
struct Fnv(u64);

impl Default for Fnv {
    fn default() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }
}

impl Fnv {
    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }

    /// An IPv4 address is the same in either notation.
    fn address(&mut self, address: IpAddr) {
        match address.to_canonical() {
            IpAddr::V4(address) => self.write(&address.octets()),
            IpAddr::V6(address) => self.write(&address.octets()),
        }
    }
}
