//! Which pod an address is. Pure.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::IpAddr;
use std::sync::Arc;

use rialto_types::local::Caller;

use crate::kubernetes::object::{ObjectKey, Pod};

/// An address is one running pod that is not on its node's network; one that two pods claim is
/// nobody's. A change costs as much as the pods that it is of.
#[derive(Debug, Default)]
pub(super) struct Callers {
    known: Arc<BTreeMap<IpAddr, Caller>>,
    claims: HashMap<IpAddr, BTreeSet<ObjectKey>>,
}

impl Callers {
    pub(super) fn known(&self) -> Arc<BTreeMap<IpAddr, Caller>> {
        self.known.clone()
    }

    pub(super) fn replace(&mut self, pods: &HashMap<ObjectKey, Pod>) {
        *self = Self::default();
        for (key, pod) in pods {
            for address in addresses(pod) {
                self.claims.entry(address).or_default().insert(key.clone());
            }
        }
        let known = self.claims.keys().filter_map(|it| Some((*it, self.caller(*it, pods)?)));
        self.known = Arc::new(known.collect());
    }

    /// One pod is another one now, or came, or went; `pods` has all as they are now.
    pub(super) fn handle(
        &mut self,
        key: &ObjectKey,
        before: Option<&Pod>,
        pods: &HashMap<ObjectKey, Pod>,
    ) {
        let held: BTreeSet<IpAddr> = before.into_iter().flat_map(addresses).collect();
        let claimed: BTreeSet<IpAddr> = pods.get(key).into_iter().flat_map(addresses).collect();
        for address in &held {
            if let Some(claims) = self.claims.get_mut(address) {
                claims.remove(key);
                if claims.is_empty() {
                    self.claims.remove(address);
                }
            }
        }
        for address in &claimed {
            self.claims.entry(*address).or_default().insert(key.clone());
        }
        for address in held.union(&claimed) {
            let caller = self.caller(*address, pods);
            if self.known.get(address) == caller.as_ref() {
                continue;
            }
            let known = Arc::make_mut(&mut self.known);
            match caller {
                Some(caller) => known.insert(*address, caller),
                None => known.remove(address),
            };
        }
    }

    fn caller(&self, address: IpAddr, pods: &HashMap<ObjectKey, Pod>) -> Option<Caller> {
        let mut claims = self.claims.get(&address)?.iter();
        let (Some(key), None) = (claims.next(), claims.next()) else { return None };
        caller(pods.get(key)?)
    }
}

fn caller(pod: &Pod) -> Option<Caller> {
    let namespace = pod.metadata.namespace.parse().ok()?;
    Some(Caller { namespace, account: pod.spec.service_account_name.parse().ok()? })
}

/// The addresses that a pod claims.
fn addresses(pod: &Pod) -> impl Iterator<Item = IpAddr> + '_ {
    let is_own = &*pod.status.phase == "Running" && !pod.spec.host_network;
    let is_caller = is_own && caller(pod).is_some();
    pod.status.addresses.iter().map(|address| address.ip).filter(move |_| is_caller)
}
