//! The Multi-Cluster Services API (KEP-1645) in this cluster: a ServiceImport and its
//! EndpointSlices for each service that some cluster exports, and the conditions of the cluster's
//! own exports.
//!
//! ```text
//! snapshot, addresses, exports ──▶ Desired ─┐
//! list                         ──▶ held    ─┴─▶ Pass: server-side apply, delete, status
//! ```
//!
//! Our own objects are known by our field manager; others are never touched. Where somebody else
//! makes ServiceImports, we make none: two controllers would overwrite each other for ever.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;

use rialto_types::error::Chain;
use rialto_types::id::{ClusterName, ServiceName};
use rialto_types::limits;
use rialto_types::report::VirtualIps;
use rialto_types::snapshot::Snapshot;
use rialto_wire::subscribe::Backoff;
use tokio::sync::watch;
use tokio::time::Instant;

use super::api::Api;
use super::object::Condition;

mod condition;
mod desired;
mod held;
mod pass;
mod slice;

use desired::Desired;
use pass::{Foreign, Kind, Outcome, Pass};

/// Our name as a field manager, and as whom EndpointSlices name for their controller.
pub(super) const MANAGER: &str = "rialto-agent";

/// The cluster's ServiceExports, as far as their status needs it.
pub type Exports = BTreeMap<ServiceName, ExportState>;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExportState {
    pub validity: Validity,
    pub generation: i64,
    /// As they stand.
    pub conditions: Vec<Condition>,
}

/// Whether the Service of an export's name can be exported.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Validity {
    Valid,
    NoService,
    InvalidServiceType,
}

/// What a person may have to know of the imports.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Standing {
    /// Why none is written, if none is.
    pub stopped: Option<String>,
    /// Services with ports that lead nowhere, and which.
    pub left_off: Vec<String>,
    /// Of each other cluster with pods that are dialled themselves, one of them.
    pub pods: BTreeMap<ClusterName, SocketAddr>,
}

/// Writes what the API demands.
#[derive(Debug)]
pub struct Writer {
    pub api: Api,
    /// The ClusterRole that owns what is written: it is in no namespace, so that it can.
    pub owner: Option<String>,
    pub snapshot: watch::Receiver<Option<Arc<Snapshot>>>,
    pub virtual_ips: watch::Receiver<VirtualIps>,
    pub exports: watch::Receiver<Arc<Exports>>,
    pub standing: watch::Sender<Standing>,
}

impl Writer {
    /// Writes until dropped.
    pub async fn run(mut self) {
        let mut backoff = Backoff::default();
        let mut written: Option<(Desired, Instant)> = None;
        let (mut told, kind) = (None, Kind::default());
        loop {
            let snapshot = self.snapshot.borrow_and_update().clone();
            let Some(snapshot) = snapshot else {
                if self.snapshot.changed().await.is_err() {
                    return;
                }
                continue;
            };
            let exports = self.exports.borrow_and_update().clone();
            let wanted = desired::of(&snapshot, &self.virtual_ips.borrow_and_update(), &exports);
            let is_due = |(last, at): &(Desired, Instant)| {
                *last != wanted || at.elapsed() >= limits::KUBERNETES_REWRITE
            };
            let mut wait = limits::KUBERNETES_REWRITE;
            if written.as_ref().is_none_or(is_due) {
                let pass = Pass::new(&self.api, self.owner.as_deref(), &wanted, &exports, &kind);
                match pass.run().await {
                    Ok(outcome) => {
                        tell(&self.api, &outcome, &mut told).await;
                        self.stand(&wanted, &outcome);
                        backoff.reset();
                        written = Some((wanted, Instant::now()));
                    }
                    Err(error) => {
                        let text = Chain(&error).to_string();
                        tracing::warn!(error = text, "imports are not all written; trying again");
                        let asked = error.retry_after().unwrap_or_default();
                        let pause = backoff.next(rand::random()).max(asked);
                        wait = pause.min(limits::KUBERNETES_WAIT_MAX);
                        written = None;
                    }
                }
            }
            tokio::select! {
                () = tokio::time::sleep(wait) => {}
                changed = self.snapshot.changed() => if changed.is_err() { return },
                changed = self.virtual_ips.changed() => if changed.is_err() { return },
                changed = self.exports.changed() => if changed.is_err() { return },
            }
        }
    }
}

impl Writer {
    fn stand(&self, desired: &Desired, outcome: &Outcome) {
        let stopped = match outcome {
            Outcome::Written => None,
            Outcome::NoKind => Some("the cluster has no kind ServiceImport".to_owned()),
            Outcome::Foreign(Foreign { manager, namespace, name, .. }) => {
                Some(format!("`{manager}` makes ServiceImports here, such as {namespace}/{name}"))
            }
        };
        let (left_off, pods) = (desired.left_off.clone(), desired.pods.clone());
        let standing = Standing { stopped, left_off, pods };
        self.standing.send_if_modified(|held| {
            let differs = *held != standing;
            *held = standing;
            differs
        });
    }
}

/// Says once who else makes ServiceImports, and that nobody does any more.
async fn tell(api: &Api, outcome: &Outcome, told: &mut Option<Outcome>) {
    if told.as_ref() == Some(outcome) {
        return;
    }
    match outcome {
        Outcome::Foreign(foreign) => {
            let Foreign { manager, namespace, name, .. } = foreign;
            let message = format!(
                "`{manager}` makes ServiceImports here, such as {namespace}/{name}, so that rialto \
                 writes none of its own; remove that controller and its ServiceImports, or install \
                 rialto with `mode: Observe`"
            );
            tracing::error!("{message}");
            if let Err(error) = pass::tell(api, foreign, &message).await {
                let text = Chain(&error).to_string();
                tracing::warn!(error = text, "no Event tells of the other controller");
            }
        }
        Outcome::NoKind => tracing::warn!(
            "the cluster has no ServiceImport, so that none is written; apply the chart's crds/"
        ),
        Outcome::Written if told.is_some() => tracing::info!("ServiceImports are written again"),
        Outcome::Written => {}
    }
    *told = Some(outcome.clone());
}
