//! `uninstall`: leaves a Kubernetes cluster as it was before it joined.

use std::time::Instant;

use rialto_types::id::ClusterName;
use rialto_types::limits;
use rialto_types::object::{Key, Kind};
use rialto_wire::client::{Client, Error, WriteOptions};
use serde::Deserialize;

use super::Api;
use super::install::dns;
use super::install::kubectl::Cluster;
use crate::failure::{Exit, Failure};
use crate::print;

mod exports;

/// Take Rialto out of a cluster again
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// Take the block out of CoreDNS' configuration that `install dns` put in
    Dns(Dns),
    /// Take a Kubernetes cluster out of the federation, and Rialto out of the cluster
    Kubernetes(Box<Kubernetes>),
}

#[derive(Debug, clap::Args)]
pub(crate) struct Dns {
    /// Say what would change, and change nothing
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    cluster: Cluster,
}

/// Take a Kubernetes cluster out of the federation, and Rialto out of the cluster
///
/// Drains the cluster, undoes `install dns`, uninstalls the release, waits until everything that
/// the agent made is gone, takes its conditions off people's ServiceExports, and deletes the
/// Cluster. The kinds of the MCS API stay, with what people made of them. After a bare `helm
/// uninstall` it does what is left.
#[derive(Debug, clap::Args)]
pub(crate) struct Kubernetes {
    /// The cluster's name in the federation
    #[arg(value_name = "NAME")]
    name: ClusterName,
    /// Say what would be done, and do nothing
    #[arg(long)]
    dry_run: bool,
    /// Leave the Cluster in the federation, for a release that comes again
    #[arg(long)]
    keep_cluster: bool,
    /// Why; kept in the history
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
    #[command(flatten)]
    cluster: Cluster,
    #[command(flatten)]
    api: Api,
}

pub(super) async fn run(command: Command) -> Result<Exit, Failure> {
    match command {
        Command::Dns(Dns { dry_run, cluster }) => {
            dns::uninstall(&cluster, dry_run).await.map(|()| Exit::Done)
        }
        Command::Kubernetes(arguments) => kubernetes(*arguments).await,
    }
}

async fn kubernetes(arguments: Kubernetes) -> Result<Exit, Failure> {
    let Kubernetes { name, dry_run, keep_cluster, reason, cluster, api } = arguments;
    let Cluster { namespace, release, .. } = &cluster;
    let is_installed = is_installed(&cluster, &name).await?;
    let (client, _) = api.open()?;
    if !keep_cluster && !dry_run {
        drain(&client, &name, reason.clone()).await?;
    }
    dns::uninstall(&cluster, dry_run).await?;
    match (is_installed, dry_run) {
        (false, _) => print::note(&format!("There is no release `{release}` in `{namespace}`.")),
        (true, true) => print::note(&format!("Release `{namespace}/{release}` would go.")),
        (true, false) => {
            cluster.helm(&["uninstall", release, "--namespace", namespace, "--wait"]).await?;
            print::note(&format!("Release `{namespace}/{release}` is gone."));
        }
    }
    if !dry_run {
        until_clean(&cluster).await?;
    }
    if keep_cluster {
        return Ok(Exit::Done);
    }
    let object = name.as_str().parse().expect("a cluster's name is a resource's");
    let key = Key { kind: Kind::Cluster, namespace: None, name: object };
    let options = WriteOptions { dry_run, reason, ..WriteOptions::default() };
    let verb = if dry_run { "would be" } else { "was" };
    match client.delete(&key, &options).await {
        Ok(_) => print::note(&format!("Cluster {name} {verb} taken out of the federation.")),
        Err(Error::Refused(problem)) if problem.code.status() == 404 => {
            print::note(&format!("The federation has no Cluster {name}."));
        }
        Err(error) => return Err(error.into()),
    }
    Ok(Exit::Done)
}

/// Moves traffic away before the gateways go; what only this cluster has ends with it.
async fn drain(client: &Client, name: &ClusterName, reason: Option<String>) -> Result<(), Failure> {
    let options = WriteOptions { reason, ..WriteOptions::default() };
    match client.drain(name, true, &options).await {
        Ok(_) => print::note(&format!("Cluster {name} is drained.")),
        Err(Error::Refused(problem)) if problem.code.status() == 404 => {}
        Err(error) => return Err(error.into()),
    }
    Ok(())
}

/// Whether the release is there, which must be that of this very cluster.
async fn is_installed(cluster: &Cluster, name: &ClusterName) -> Result<bool, Failure> {
    #[derive(Deserialize)]
    struct Release {
        name: String,
    }
    #[derive(Deserialize)]
    struct Values {
        cluster: String,
    }
    let Cluster { namespace, release, .. } = cluster;
    let unreadable = |error| Failure::failed(format!("what helm said cannot be read: {error}"));
    let filter = format!("^{release}$");
    let list = ["list", "--namespace", namespace, "--all", "--filter", &filter, "--output=json"];
    let list = cluster.helm(&list).await?;
    let releases: Vec<Release> = serde_json::from_str(&list).map_err(unreadable)?;
    if !releases.iter().any(|it| it.name == *release) {
        return Ok(false);
    }
    let values = ["get", "values", release, "--namespace", namespace, "--output=json"];
    let values = cluster.helm(&values).await?;
    let values: Values = serde_json::from_str(&values).map_err(unreadable)?;
    if values.cluster != name.as_str() {
        let text =
            format!("this kubeconfig leads to cluster `{}`, not to `{name}`", values.cluster);
        return Err(Failure::new(Exit::Conflict, text)
            .with_hint("name the right `--kubeconfig` or `--context`; nothing was changed"));
    }
    Ok(true)
}

/// Waits for the cluster's garbage collection, and takes off what it does not know: conditions on
/// objects of other people.
async fn until_clean(cluster: &Cluster) -> Result<(), Failure> {
    let made = async |kinds: &'static str| {
        let selector = "app.kubernetes.io/managed-by=rialto-agent";
        let made = ["get", kinds, "--all-namespaces", "--output=name", "--selector", selector];
        cluster.kubectl(&made).await
    };
    let began = Instant::now();
    loop {
        let mut left = made("services,endpointslices").await?;
        // The cluster may be without the kind, of which there is nothing then.
        left += &made("serviceimports.multicluster.x-k8s.io").await.unwrap_or_default();
        left += &exports::clear(cluster).await?.join("\n");
        if left.trim().is_empty() {
            print::note("Everything that the agent made is gone.");
            return Ok(());
        }
        if began.elapsed() > limits::UNINSTALL_CLEAN_MAX {
            let left: Vec<&str> = left.lines().collect();
            let text = format!("what the agent made or wrote is still in {}", left.join(", "));
            return Err(Failure::new(Exit::TimedOut, text).with_hint(
                "is kube-controller-manager running, and no agent of another release? see them \
                 with kubectl",
            ));
        }
        tokio::time::sleep(limits::INSTALL_LOOK_AGAIN).await;
    }
}
