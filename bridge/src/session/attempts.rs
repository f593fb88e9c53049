//! How often an address may fail to sign in.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};
use std::time::{Duration, Instant};

use rialto_types::limits;

#[derive(Debug, Default)]
pub(super) struct Attempts {
    failures: BTreeMap<IpAddr, Failures>,
}

#[derive(Debug, Clone, Copy)]
struct Failures {
    since: Instant,
    count: u32,
}

impl Failures {
    fn ends(&self) -> Instant {
        self.since + limits::SIGN_IN_WINDOW
    }
}

impl Attempts {
    /// Whether the address may try; how long it must wait if not.
    pub(super) fn check(&self, from: IpAddr, now: Instant) -> Result<(), Duration> {
        let held = self.failures.get(&self.place(from));
        let held = held.filter(|held| now < held.ends());
        match held.filter(|held| held.count >= limits::SIGN_IN_FAILURES_MAX) {
            Some(held) => Err(held.ends().saturating_duration_since(now)),
            None => Ok(()),
        }
    }

    pub(super) fn failed(&mut self, from: IpAddr, now: Instant) {
        self.failures.retain(|_, held| now < held.ends());
        let place = self.place(from);
        let held = self.failures.entry(place).or_insert(Failures { since: now, count: 0 });
        held.count += 1;
    }

    /// Addresses beyond the bound share one count.
    fn place(&self, from: IpAddr) -> IpAddr {
        let has_room = self.failures.len() < limits::SIGN_IN_ADDRESSES_MAX;
        if has_room || self.failures.contains_key(&from) {
            from
        } else {
            Ipv4Addr::UNSPECIFIED.into()
        }
    }
}
