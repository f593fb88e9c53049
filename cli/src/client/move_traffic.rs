//! `shift`, `drain`, `undrain`: traffic goes elsewhere.

use std::collections::BTreeMap;

use rialto_types::api::{DrainResult, ShiftRequest};
use rialto_types::id::{ClusterName, ResourceName, ServiceName};
use rialto_types::object::{Key, Kind};

use super::Api;
use super::apply::{self, Change};
use super::converge;
use crate::failure::{Exit, Failure};
use crate::print::{self, Format};

/// Divide a service's traffic between backends by weight
#[derive(Debug, clap::Args)]
pub(crate) struct Shift {
    /// The service that clients call
    #[arg(value_name = "NAMESPACE/SERVICE")]
    service: ServiceName,
    /// Backends of the same namespace with their weights, such as `reviews-v1=90 reviews-v3=10`
    #[arg(value_name = "BACKEND=WEIGHT", required = true, value_parser = weight)]
    weights: Vec<(ResourceName, u32)>,
    #[command(flatten)]
    options: Change,
    #[command(flatten)]
    api: Api,
}

/// Move a cluster's traffic elsewhere, for maintenance
#[derive(Debug, clap::Args)]
pub(crate) struct Drain {
    /// The cluster's name; `rialto get clusters` lists them
    cluster: ClusterName,
    #[command(flatten)]
    options: Change,
    #[command(flatten)]
    api: Api,
}

/// Bring a drained cluster's traffic back
#[derive(Debug, clap::Args)]
pub(crate) struct Undrain {
    #[command(flatten)]
    drain: Drain,
}

fn weight(text: &str) -> Result<(ResourceName, u32), String> {
    let (name, weight) = text
        .split_once('=')
        .ok_or_else(|| format!("`{text}` is not BACKEND=WEIGHT, such as `reviews-v3=10`"))?;
    let name = name.parse().map_err(|error: rialto_types::id::Error| error.to_string())?;
    let weight =
        weight.parse().map_err(|_| format!("the weight `{weight}` is not a whole number"))?;
    Ok((name, weight))
}

pub(super) async fn shift(arguments: Shift) -> Result<Exit, Failure> {
    let mut weights = BTreeMap::new();
    for (name, weight) in &arguments.weights {
        if weights.insert(name.clone(), *weight).is_some() {
            return Err(Failure::usage(format!("`{name}` is given two weights; keep one")));
        }
    }
    let (change, service) = (&arguments.options, &arguments.service);
    let (client, printer) = arguments.api.open()?;
    let request = ShiftRequest { weights, reason: change.reason.clone() };
    let written = client.shift(service, &request, &change.write_options()).await?;
    let document = written.after.as_ref().or(written.before.as_ref());
    let kind = document.and_then(|document| document.kind.parse().ok()).unwrap_or(Kind::HttpRoute);
    let name = document.map_or(&service.name, |document| &document.metadata.name).clone();
    let key = Key { kind, namespace: Some(service.namespace.clone()), name };
    let mut done = apply::Done::default();
    done.written(&printer, key, written, change.dry_run)?;
    done.finish(&client, change, &printer).await
}

pub(super) async fn drain(arguments: Drain) -> Result<Exit, Failure> {
    set_drained(&arguments, true).await
}

pub(super) async fn undrain(arguments: Undrain) -> Result<Exit, Failure> {
    set_drained(&arguments.drain, false).await
}

async fn set_drained(arguments: &Drain, drained: bool) -> Result<Exit, Failure> {
    let (client, printer) = arguments.api.open()?;
    let options = arguments.options.write_options();
    let result = client.drain(&arguments.cluster, drained, &options).await?;
    let Change { dry_run, wait, .. } = &arguments.options;
    let text = match printer.format {
        Format::Name => format!("{}\n", result.cluster),
        Format::Table | Format::Wide | Format::Json | Format::Yaml => drain_text(&result, *dry_run),
    };
    let revision = (!dry_run).then_some(result.revision);
    converge::conclude(&client, &printer, wait, (&result, revision), text).await
}

fn drain_text(result: &DrainResult, dry_run: bool) -> String {
    let DrainResult { cluster, drained, revision, moved, kept, .. } = result;
    let mut text = match (drained, dry_run) {
        (true, false) => format!("cluster {cluster} is drained at revision {revision}\n"),
        (true, true) => format!("cluster {cluster} would be drained; nothing was changed\n"),
        (false, false) => format!("cluster {cluster} serves again at revision {revision}\n"),
        (false, true) => format!("cluster {cluster} would serve again; nothing was changed\n"),
    };
    let word = if *drained { "leaves" } else { "comes back to" };
    if !moved.is_empty() {
        let services = print::count(moved.len(), "service", "services");
        text.push_str(&format!("  traffic of {services} {word} it: {}\n", listed(moved)));
    }
    if *drained && !kept.is_empty() {
        text.push_str(&format!("  live only there and stay served: {}\n", listed(kept)));
    }
    if *drained && !dry_run {
        text.push_str(&format!("next: `rialto undrain {cluster}` brings the traffic back\n"));
    }
    text
}

fn listed(services: &[ServiceName]) -> String {
    services.iter().map(ServiceName::to_string).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests;
