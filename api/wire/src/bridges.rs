//! Where the members of the control plane are: learned when joining, kept up with ever after.
//!
//! Every heartbeat of a member names all members, so that a part that joined when there was one
//! finds the two that came later, after that one is lost, and after its own restart.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures::FutureExt as _;
use rialto_types::cluster::bridge_trust_domain;
use rialto_types::error::Chain;
use rialto_types::id::Role;
use tonic::transport::Channel;

use crate::enroll::{Contacts, Folder};
use crate::identity::{Expected, Identity};
use crate::subscribe::Dial;
use crate::transport;

/// The way to the control plane; clones share it.
#[derive(Clone)]
pub struct Bridges {
    shared: Arc<Shared>,
}

struct Shared {
    identity: Identity,
    folder: Folder,
    current: Mutex<Current>,
}

struct Current {
    contacts: Contacts,
    channel: Channel,
}

impl Bridges {
    /// `start` spreads parts over the members: the position of the first one to try.
    pub fn new(identity: Identity, folder: Folder, contacts: Contacts, start: usize) -> Self {
        let channel = channel(&identity, &contacts, start);
        let current = Mutex::new(Current { contacts, channel });
        Self { shared: Arc::new(Shared { identity, folder, current }) }
    }

    fn current(&self) -> MutexGuard<'_, Current> {
        self.shared.current.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A channel that connects by itself, to the next member after each loss.
    pub fn channel(&self) -> Channel {
        self.current().channel.clone()
    }

    /// For subscriptions: the channel as it is at each attempt.
    pub fn dial(&self) -> Dial {
        let bridges = self.clone();
        Arc::new(move || std::future::ready(Ok(bridges.channel())).boxed())
    }

    /// A member named all members. Later attempts go to these; streams that are open stay.
    pub fn learn(&self, addresses: &[String]) {
        let mut current = self.current();
        if addresses.is_empty() || current.contacts.bridges == addresses {
            return;
        }
        current.contacts.bridges = addresses.to_vec();
        current.channel = channel(&self.shared.identity, &current.contacts, 0);
        match self.shared.folder.store_contacts(&current.contacts) {
            Ok(()) => tracing::info!(?addresses, "the control plane has other members"),
            Err(error) => {
                let error = Chain(&error);
                tracing::warn!(%error, "the members' addresses could not be kept");
            }
        }
    }
}

fn channel(identity: &Identity, contacts: &Contacts, start: usize) -> Channel {
    let mut addresses = contacts.bridges.clone();
    if !addresses.is_empty() {
        let start = start % addresses.len();
        addresses.rotate_left(start);
    }
    let member = Expected::Part { domain: bridge_trust_domain(), role: Role::Member };
    transport::connect(addresses, identity, member)
}

impl std::fmt::Debug for Bridges {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Bridges").field("addresses", &self.current().contacts.bridges).finish()
    }
}
