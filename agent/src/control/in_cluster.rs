//! What an agent has besides when it runs in the Kubernetes cluster that it reads.

use std::collections::BTreeMap;
use std::sync::Arc;

use anyhow::Context;
use futures::FutureExt;
use rialto_types::finding::Finding;
use rialto_types::id::InstanceId;
use rialto_types::report::VirtualIps;
use rialto_wire::bridges::Bridges;
use rialto_wire::enroll::{Enrolled, Folder};
use rialto_wire::identity::Identity;
use rialto_wire::subscribe;
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::join;
use crate::config::{self, Config, Mode};
use crate::kubernetes::api::Api;
use crate::kubernetes::examine::Examiner;
use crate::kubernetes::identity::Keeper;
use crate::kubernetes::import::{Imports, Writer};
use crate::kubernetes::lease::Election;
use crate::kubernetes::mcs::{self, Exports};
use crate::kubernetes::review::Reviewer;
use crate::provider::kubernetes::Home;

/// What an agent has that runs in a Kubernetes cluster.
pub(super) struct InCluster {
    pub(super) api: Api,
    pub(super) namespace: String,
    pub(super) mode: Mode,
    selector: BTreeMap<String, String>,
    holder: String,
    lease: String,
    secret: String,
    probe: Option<String>,
    keeper: Keeper,
    cluster_role: Option<String>,
    /// The cluster's ServiceExports, as the provider sees them.
    pub(super) exports: watch::Sender<Arc<Exports>>,
    standing: watch::Sender<mcs::Standing>,
    pub(super) reviewer: Reviewer,
}

impl InCluster {
    pub(super) fn new(settings: &config::Kubernetes) -> anyhow::Result<Self> {
        let api = Api::new(&settings.server).context("the cluster's API cannot be used")?;
        let namespace = settings.namespace.clone();
        Ok(Self {
            mode: settings.mode,
            selector: settings.gateway_selector.clone(),
            holder: settings.holder()?,
            lease: settings.lease.clone(),
            secret: settings.identity_secret.clone(),
            probe: settings.gateway_probe.clone(),
            cluster_role: settings.cluster_role.clone(),
            exports: watch::Sender::default(),
            standing: watch::Sender::default(),
            keeper: Keeper::new(api.clone(), &namespace, &settings.identity_secret),
            reviewer: Reviewer {
                api: api.clone(),
                namespace: namespace.clone(),
                accounts: settings.accounts.clone(),
            },
            api,
            namespace,
        })
    }

    pub(super) fn home(&self) -> Home {
        Home { namespace: self.namespace.clone(), pod: self.holder.clone(), mode: self.mode }
    }

    /// Each task runs for ever; one that ends ends the agent.
    pub(super) fn start(
        &self,
        tasks: &mut JoinSet<&'static str>,
        election: Election,
        folder: &Folder,
        identity: &Identity,
    ) {
        tasks.spawn(async move {
            let why = election.hold().await;
            tracing::error!(why, "this agent may not go on");
            "the Lease"
        });
        let keeping = self.keeper.clone().keep(folder.clone(), identity.clone());
        tasks.spawn(keeping.map(|()| "the keeper of the identity"));
    }

    /// Looks at the cluster for what people have to put right.
    pub(super) fn start_examiner(
        &self,
        tasks: &mut JoinSet<&'static str>,
        unaddressed: watch::Receiver<Vec<InstanceId>>,
        findings: watch::Sender<Vec<Finding>>,
    ) {
        let examiner = Examiner {
            api: self.api.clone(),
            namespace: self.namespace.clone(),
            mode: self.mode,
            probe: self.probe.clone(),
            secret: self.secret.clone(),
            lease: self.lease.clone(),
            unaddressed,
            imports: self.standing.subscribe(),
            findings,
        };
        tasks.spawn(examiner.run().map(|()| "the examination of the cluster"));
    }

    /// In mode Control: follows what other clusters export, and writes it into this one.
    pub(super) fn start_imports(
        &self,
        tasks: &mut JoinSet<&'static str>,
        bridges: &Bridges,
        config: &Config,
        virtual_ips: watch::Receiver<VirtualIps>,
    ) {
        if self.mode == Mode::Observe {
            return;
        }
        let (snapshot, followed) = watch::channel(None);
        let writer = Writer {
            api: self.api.clone(),
            namespace: self.namespace.clone(),
            selector: self.selector.clone(),
            lease: self.lease.clone(),
            snapshot: followed.clone(),
            virtual_ips: virtual_ips.clone(),
        };
        tasks.spawn(writer.run().map(|()| "the writer of derived Services"));
        let writer = mcs::Writer {
            api: self.api.clone(),
            owner: self.cluster_role.clone(),
            snapshot: followed,
            virtual_ips,
            exports: self.exports.subscribe(),
            standing: self.standing.clone(),
        };
        tasks.spawn(writer.run().map(|()| "the writer of ServiceImports"));
        let folder = config.data_folder.join("snapshot");
        let subscription = subscribe::Config { bridges: bridges.clone(), folder };
        let imports = Arc::new(Imports { snapshot });
        tasks.spawn(async move {
            subscribe::follow_snapshot(subscription, imports, watch::Sender::default()).await;
            "the snapshot's subscription"
        });
    }
}

/// The identity; in Kubernetes after the Lease was won, and kept before anything is done with it.
pub(super) async fn enter(
    config: &Config,
    folder: &Folder,
    parts: Option<&InCluster>,
) -> anyhow::Result<(Enrolled, Option<Election>)> {
    let Some(parts) = parts else { return Ok((join(config, folder).await?, None)) };
    let InCluster { api, namespace, lease, holder, keeper, .. } = parts;
    let mut election = Election::new(api.clone(), namespace, lease, holder.clone());
    election.win().await?;
    keeper.restore(folder).await?;
    let enrolled = join(config, folder).await?;
    keeper.store(folder).await.context("the identity could not be kept in its Secret")?;
    Ok((enrolled, Some(election)))
}
