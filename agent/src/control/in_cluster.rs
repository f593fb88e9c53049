//! What an agent has besides when it runs in the Kubernetes cluster that it reads.

use anyhow::Context;
use futures::FutureExt;
use rialto_wire::enroll::{Enrolled, Folder};
use rialto_wire::identity::Identity;
use tokio::task::JoinSet;

use super::join;
use crate::config::{self, Config};
use crate::kubernetes::api::Api;
use crate::kubernetes::identity::Keeper;
use crate::kubernetes::lease::Election;
use crate::kubernetes::review::Reviewer;

/// What an agent has that runs in a Kubernetes cluster.
pub(super) struct InCluster {
    pub(super) api: Api,
    pub(super) namespace: String,
    holder: String,
    lease: String,
    keeper: Keeper,
    pub(super) reviewer: Reviewer,
}

impl InCluster {
    pub(super) fn new(settings: &config::Kubernetes) -> anyhow::Result<Self> {
        let api = Api::new(&settings.server).context("the cluster's API cannot be used")?;
        let namespace = settings.namespace.clone();
        Ok(Self {
            holder: settings.holder()?,
            lease: settings.lease.clone(),
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
