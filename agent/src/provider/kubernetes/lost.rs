//! Pods whose node Kubernetes holds for lost. Pure.
//!
//! A control plane that did not hear of a node for a while, because the node is gone or because it
//! stood still itself, calls every pod there not ready, one after the other, although the kubelet's
//! last word was that their containers are. Where it says so of a pod on our own node, it is wrong,
//! and may be wrong of other nodes. They are heard one after the other, and slices follow pods, so
//! that it is doubted for a while after it knows better of ours.

use std::collections::{BTreeSet, HashMap};
use std::net::IpAddr;

use rialto_types::limits;
use tokio::time::Instant;

use crate::kubernetes::object::{ObjectKey, Pod};

/// How long what the control plane says of nodes is doubted.
#[derive(Debug, Default)]
pub(super) struct Doubt {
    until: Option<Instant>,
    /// Pods are to be looked at for a reason to doubt.
    is_due: bool,
}

impl Doubt {
    /// A pod changed, or all did.
    pub(super) fn notice(&mut self, pod: Option<&Pod>) {
        self.is_due |= pod.is_none_or(is_called_lost);
    }

    /// The addresses of the pods that may serve although they are called not ready: those whose
    /// containers are ready, while there is doubt. A pod with gates of its own may be not ready
    /// because of them; one on its node's network shares its address with others.
    pub(super) fn vouched(
        &mut self,
        pods: &HashMap<ObjectKey, Pod>,
        own: &ObjectKey,
        now: Instant,
        is_blind: bool,
    ) -> BTreeSet<IpAddr> {
        // What is known stays as it is while nothing is heard.
        if is_blind && self.until.is_some() {
            self.until = Some(now + limits::KUBERNETES_DOUBT);
        }
        let is_over = self.until.is_some_and(|until| now >= until);
        if self.is_due || is_over {
            let node = pods.get(own).map(|own| &own.spec.node_name);
            let is_wrong = |pod: &Pod| Some(&pod.spec.node_name) == node && is_called_lost(pod);
            match pods.values().any(is_wrong) {
                true => self.until = Some(now + limits::KUBERNETES_DOUBT),
                false if is_over => self.until = None,
                false => {}
            }
            // Our own pod may come last.
            self.is_due = node.is_none();
        }
        if self.until.is_none() {
            return BTreeSet::new();
        }
        let vouched = pods.values().filter(|pod| may_serve(pod) && !pod.spec.host_network);
        vouched.flat_map(|pod| pod.status.addresses.iter().map(|address| address.ip)).collect()
    }

    /// When it is to be looked at again, while there is doubt.
    pub(super) fn until(&self) -> Option<Instant> {
        self.until
    }
}

fn is_called_lost(pod: &Pod) -> bool {
    may_serve(pod) && !pod.status.conditions.is_ready
}

fn may_serve(pod: &Pod) -> bool {
    pod.status.conditions.are_containers_ready && !pod.spec.has_readiness_gates
}

#[cfg(test)]
mod tests;
