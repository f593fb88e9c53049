//! Load balancers that have a host name instead of an address: gateways are reported by address, so
//! that nobody else has to resolve names, and the name is looked up again and again.

use std::collections::{BTreeSet, HashMap};
use std::net::IpAddr;

use rialto_types::limits;
use tokio::net::lookup_host;
use tokio::sync::{mpsc, watch};
use tokio::time::timeout;

use super::store::Update;

/// The addresses of host names, as far as they are known.
pub(super) type Hosts = HashMap<Box<str>, IpAddr>;

/// Looks up what is wanted, until the store is gone.
pub(super) async fn resolve(
    mut wanted: watch::Receiver<BTreeSet<Box<str>>>,
    updates: mpsc::Sender<Update>,
) {
    let mut known = Hosts::new();
    loop {
        let hosts = wanted.borrow_and_update().clone();
        let mut next = Hosts::new();
        for host in hosts {
            let found = lookup(&host).await;
            if let Some(address) = pick(known.get(&host).copied(), &found) {
                next.insert(host, address);
            }
        }
        if next != known {
            known = next;
            if updates.send(Update::Hosts(known.clone())).await.is_err() {
                return;
            }
        }
        // Nobody waits for a name that no Service has.
        let idle = wanted.borrow().is_empty();
        tokio::select! {
            () = tokio::time::sleep(limits::HOST_LOOKUP_INTERVAL), if !idle => {}
            changed = wanted.changed() => if changed.is_err() { return },
        }
    }
}

async fn lookup(host: &str) -> BTreeSet<IpAddr> {
    let found = timeout(limits::HOST_LOOKUP_TIMEOUT, lookup_host((host, 0))).await;
    match found {
        Ok(Ok(found)) => found.map(|address| address.ip()).collect(),
        Ok(Err(error)) => {
            tracing::warn!(%error, "a load balancer's host name has no address");
            BTreeSet::new()
        }
        Err(_) => {
            tracing::warn!("a load balancer's host name was not looked up in time");
            BTreeSet::new()
        }
    }
}

/// The same address for as long as the name has it, although answers come in any order; the last
/// one while the name has none.
fn pick(known: Option<IpAddr>, found: &BTreeSet<IpAddr>) -> Option<IpAddr> {
    match known {
        Some(known) if found.is_empty() || found.contains(&known) => Some(known),
        _ => found.first().copied(),
    }
}

#[cfg(test)]
mod tests;
