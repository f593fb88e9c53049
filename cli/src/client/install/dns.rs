//! `install dns`, and its undoing: the block in CoreDNS' configuration by which pods ask Rialto for
//! federated names.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::{Duration, Instant};

use rialto_types::{duration, limits};
use serde::Deserialize;
use serde_json::json;

use super::corefile;
use super::kubectl::Cluster;
use super::platform::{self, Found, Instead};
use crate::failure::{Exit, Failure};
use crate::print::{self, Format, Printer};

/// Let a Kubernetes cluster's DNS forward `clusterset.local` to Rialto
///
/// Puts one marked block in front of CoreDNS' configuration, and waits until a pod gets an answer.
/// Where a platform manages the DNS, says what to do instead.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Show the change, and make none
    #[arg(long)]
    dry_run: bool,
    /// Write although the platform seems to manage CoreDNS' configuration
    #[arg(long)]
    force: bool,
    /// How long to wait for an answer; 0s does not wait
    #[arg(long, value_name = "DURATION", default_value = "3m", value_parser = duration::parse)]
    wait: Duration,
    #[command(flatten)]
    cluster: Cluster,
}

#[derive(Debug, Deserialize)]
struct ConfigMap {
    metadata: Metadata,
    #[serde(default)]
    data: BTreeMap<String, String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Metadata {
    resource_version: String,
    #[serde(default)]
    labels: BTreeMap<String, String>,
}

const SYSTEM: &str = "kube-system";
const COREFILE: &str = "Corefile";

pub(crate) async fn install(arguments: &Arguments) -> Result<Exit, Failure> {
    let Arguments { cluster, dry_run, force, wait } = arguments;
    let proxies = proxies(cluster).await?;
    let map: Option<ConfigMap> = cluster.get(SYSTEM, "configmap", "coredns").await?;
    let found = look(cluster, map.as_ref()).await?;
    if let Some(Instead { why, what }) = platform::instead(&found, proxies).filter(|_| !force) {
        print::note(&format!("Nothing was changed: {why}. This does the same:\n"));
        Printer::new(Format::Table).data(&what)?;
        return Ok(Exit::Partial);
    }
    let (Some(map), Some(before)) = (&map, &found.corefile) else {
        return Err(Failure::failed("there is no Corefile in ConfigMap `kube-system/coredns`"));
    };
    let after =
        corefile::with_block(before, proxies).map_err(|e| Failure::failed(e.to_string()))?;
    if *before == after {
        print::note("The block is there already.");
    } else {
        write(cluster, map, &after, *dry_run).await?;
        let verb = if *dry_run { "would get" } else { "got" };
        print::note(&format!("ConfigMap kube-system/coredns {verb} this block in front:\n"));
        let rest = corefile::without_block(before).unwrap_or_default();
        Printer::new(Format::Table).data(after.strip_suffix(&rest).unwrap_or(&after))?;
    }
    if *dry_run || wait.is_zero() {
        return Ok(Exit::Done);
    }
    until_answered(cluster, *wait, corefile::reloads(&after)).await
}

/// Takes our block out, and nothing else.
pub(crate) async fn uninstall(cluster: &Cluster, dry_run: bool) -> Result<(), Failure> {
    let map: Option<ConfigMap> = cluster.get(SYSTEM, "configmap", "coredns").await?;
    let before = map.as_ref().and_then(|map| Some((map, map.data.get(COREFILE)?)));
    let Some((map, before)) = before else {
        print::note("There is no Corefile in ConfigMap kube-system/coredns: nothing to undo.");
        return Ok(());
    };
    let after = corefile::without_block(before).map_err(|e| Failure::failed(e.to_string()))?;
    if *before == after {
        print::note("ConfigMap kube-system/coredns has no block of Rialto.");
        return Ok(());
    }
    write(cluster, map, &after, dry_run).await?;
    let verb = if dry_run { "would be taken" } else { "was taken" };
    print::note(&format!("Rialto's block {verb} out of ConfigMap kube-system/coredns."));
    Ok(())
}

/// Fails if somebody else wrote it meanwhile.
async fn write(
    cluster: &Cluster,
    map: &ConfigMap,
    corefile: &str,
    dry_run: bool,
) -> Result<(), Failure> {
    let patch = json!({
        "metadata": {"resourceVersion": map.metadata.resource_version},
        "data": {COREFILE: corefile},
    });
    let patch = patch.to_string();
    let mut arguments = vec!["patch", "configmap", "coredns", "--namespace", SYSTEM];
    arguments.extend(["--type=merge", "--field-manager=rialto-install", "--patch", &patch]);
    if dry_run {
        arguments.push("--dry-run=server");
    }
    cluster.kubectl(&arguments).await.map(drop)
}

/// The address of the Service that leads to our DNS proxies.
async fn proxies(cluster: &Cluster) -> Result<IpAddr, Failure> {
    #[derive(Deserialize)]
    struct Service {
        spec: Spec,
    }
    #[derive(Deserialize)]
    struct Spec {
        #[serde(rename = "clusterIP", default)]
        cluster_ip: String,
    }
    let Cluster { namespace, release, .. } = cluster;
    let name = format!("{release}-dns");
    let service: Option<Service> = cluster.get(namespace, "service", &name).await?;
    let address = service.and_then(|service| service.spec.cluster_ip.parse().ok());
    address.ok_or_else(|| {
        Failure::new(Exit::NotFound, format!("there is no Service `{namespace}/{name}`")).with_hint(
            "let the cluster join first: `rialto join kubernetes NAME`; or name `--release` and \
             `--namespace`",
        )
    })
}

async fn look(cluster: &Cluster, map: Option<&ConfigMap>) -> Result<Found, Failure> {
    let has = async |namespace: &str, kind: &str, name: &str| {
        let found = cluster.get::<serde_json::Value>(namespace, kind, name).await?;
        Ok::<_, Failure>(found.is_some())
    };
    Ok(Found {
        corefile: map.and_then(|map| map.data.get(COREFILE).cloned()),
        labels: map.map(|map| map.metadata.labels.clone()).unwrap_or_default(),
        custom: has(SYSTEM, "configmap", "coredns-custom").await?,
        node_local: has(SYSTEM, "configmap", "node-local-dns").await?,
        kube_dns: has(SYSTEM, "deployment", "kube-dns").await?,
        openshift: has("", "namespace", "openshift-dns").await?,
    })
}

/// Asks through the cluster's DNS, in the agent's pod, until it answers.
async fn until_answered(
    cluster: &Cluster,
    within: Duration,
    reloads: bool,
) -> Result<Exit, Failure> {
    let Cluster { namespace, release, .. } = cluster;
    let agent = format!("deployment/{release}-agent");
    let asking = ["exec", "--namespace", namespace, &agent, "--"];
    let asking = [&asking[..], &["/usr/bin/rialto", "probe-names"]].concat();
    let began = Instant::now();
    loop {
        let said = match cluster.kubectl(&asking).await {
            Ok(_) => {
                let age = print::age(began.elapsed());
                print::note(&format!("A pod got an answer through the cluster's DNS after {age}."));
                return Ok(Exit::Done);
            }
            Err(failure) => failure.text,
        };
        if began.elapsed() >= within {
            let hint = if reloads {
                "look at the log of CoreDNS; `rialto uninstall dns` undoes the change"
            } else {
                "CoreDNS has no `reload` in its configuration: `kubectl --namespace kube-system \
                 rollout restart deployment coredns`; `rialto uninstall dns` undoes the change"
            };
            let text = format!("no pod got an answer in {}: {said}", print::age(within));
            return Err(Failure::new(Exit::TimedOut, text).with_hint(hint));
        }
        tokio::time::sleep(limits::INSTALL_LOOK_AGAIN).await;
    }
}
