//! Pods whose node Kubernetes holds for lost. Pure.
//!
//! A control plane that did not hear of a node for a while, because the node is gone or because it
//! stood still itself, calls every pod there not ready, although the kubelet's last word was that
//! their containers are. Where it says so of the pod that we are, it is wrong, and may be wrong of
//! the others. Nodes are heard one after the other, and slices follow pods, so that it is doubted
//! for a while after it knows better of us.

use std::collections::{BTreeSet, HashMap};
use std::net::IpAddr;

use rialto_types::limits;
use tokio::time::Instant;

use crate::kubernetes::object::{ObjectKey, Pod};

/// How long what the control plane says of nodes is doubted.
#[derive(Debug, Default)]
pub(super) struct Doubt {
    until: Option<Instant>,
}

impl Doubt {
    /// The addresses of the pods that may serve although they are called not ready: those whose
    /// containers are ready, while there is doubt. A pod with gates of its own may be not ready
    /// because of them; one on its node's network shares its address with others.
    pub(super) fn vouched(
        &mut self,
        pods: &HashMap<ObjectKey, Pod>,
        own: &ObjectKey,
        now: Instant,
    ) -> BTreeSet<IpAddr> {
        if pods.get(own).is_some_and(is_on_lost_node) {
            self.until = Some(now + limits::KUBERNETES_DOUBT);
        }
        self.until = self.until.filter(|until| now < *until);
        if self.until.is_none() {
            return BTreeSet::new();
        }
        let vouched = pods.values().filter(|pod| may_serve(pod) && !pod.spec.host_network);
        vouched.flat_map(|pod| pod.status.addresses.iter().map(|address| address.ip)).collect()
    }

    /// When there is no doubt any more.
    pub(super) fn until(&self) -> Option<Instant> {
        self.until
    }
}

fn is_on_lost_node(pod: &Pod) -> bool {
    may_serve(pod) && !pod.status.conditions.is_ready
}

fn may_serve(pod: &Pod) -> bool {
    pod.status.conditions.are_containers_ready && !pod.spec.has_readiness_gates
}

#[cfg(test)]
mod tests;
