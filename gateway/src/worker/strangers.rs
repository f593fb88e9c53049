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
mod tests;
