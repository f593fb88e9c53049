//! Source addresses that the agent's table did not name although a flow waited for it: clients on
//! a node's own network, above all. They are not waited for at every connection.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Instant;

use rialto_types::limits;

#[derive(Debug, Default)]
pub(super) struct Strangers {
    /// Until when they are not waited for.
    known: BTreeMap<IpAddr, Instant>,
}

impl Strangers {
    /// A flow waited for this address in vain.
    pub(super) fn handle_in_vain(&mut self, address: IpAddr, now: Instant) {
        self.known.retain(|_, until| now < *until);
        if self.known.len() < limits::STRANGERS_MAX {
            self.known.insert(address, now + limits::STRANGER_FORGOTTEN);
        }
    }

    pub(super) fn contains(&self, address: IpAddr, now: Instant) -> bool {
        self.known.get(&address).is_some_and(|until| now < *until)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stranger_is_remembered_for_a_while_and_only_so_many_are() {
        let now = Instant::now();
        let address = |number: u32| IpAddr::from(number.to_be_bytes());
        let mut strangers = Strangers::default();
        strangers.handle_in_vain(address(1), now);
        assert!(strangers.contains(address(1), now));
        assert!(!strangers.contains(address(2), now));
        let later = now + limits::STRANGER_FORGOTTEN;
        assert!(!strangers.contains(address(1), later));
        for number in 0..2 * u32::try_from(limits::STRANGERS_MAX).expect("few") {
            strangers.handle_in_vain(address(number), later);
        }
        assert_eq!(strangers.known.len(), limits::STRANGERS_MAX);
    }
}
