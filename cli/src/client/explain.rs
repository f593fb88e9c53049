//! `explain`: why a request would go where it goes.

use std::collections::BTreeMap;

use rialto_types::api::{ExplainRequest, Explanation};
use rialto_types::cluster::trust_domain;
use rialto_types::id::{ClusterName, InstanceId, ServiceName, SpiffeId};

use super::Api;
use crate::failure::{Exit, Failure};
use crate::print::Style;

/// Say why a request would go where it goes, or why nowhere
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// The caller, or only its cluster
    #[arg(long, value_name = "NAMESPACE/ACCOUNT@CLUSTER|CLUSTER", value_parser = caller)]
    from: Caller,
    /// The service that is called, and its port
    #[arg(long, value_name = "NAMESPACE/SERVICE[:PORT]", value_parser = callee)]
    to: (ServiceName, Option<u16>),
    /// The request's method [default: GET]
    #[arg(long)]
    method: Option<String>,
    /// The request's path and query [default: /]
    #[arg(long)]
    path: Option<String>,
    /// A header of the request, as `NAME: VALUE`; may be repeated
    #[arg(long = "header", value_name = "NAME: VALUE", value_parser = header)]
    headers: Vec<(String, String)>,
    /// Ask this gateway of the cluster [default: any]
    #[arg(long, value_name = "ID")]
    gateway: Option<InstanceId>,
    #[command(flatten)]
    api: Api,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Caller {
    cluster: ClusterName,
    identity: Option<SpiffeId>,
}

fn caller(text: &str) -> Result<Caller, String> {
    let text_of = |error: rialto_types::id::Error| error.to_string();
    let Some((workload, cluster)) = text.split_once('@') else {
        if text.contains('/') {
            return Err(format!("`{text}` says no cluster; append `@CLUSTER`"));
        }
        return Ok(Caller { cluster: text.parse().map_err(text_of)?, identity: None });
    };
    let cluster: ClusterName = cluster.parse().map_err(text_of)?;
    let workload: ServiceName = workload
        .parse()
        .map_err(|_| format!("`{workload}` is not NAMESPACE/ACCOUNT, such as `shop/web`"))?;
    let domain = trust_domain(&cluster);
    let identity = SpiffeId::workload(&domain, &workload.namespace, &workload.name);
    Ok(Caller { cluster, identity: Some(identity) })
}

fn callee(text: &str) -> Result<(ServiceName, Option<u16>), String> {
    let (service, port) = match text.split_once(':') {
        Some((service, port)) => (service, Some(port)),
        None => (text, None),
    };
    let service = service.parse().map_err(|error: rialto_types::id::Error| error.to_string())?;
    let port = port
        .map(|port| match port.parse() {
            Ok(0) | Err(_) => Err(format!("`{port}` is not a port, 1 to 65535")),
            Ok(port) => Ok(port),
        })
        .transpose()?;
    Ok((service, port))
}

fn header(text: &str) -> Result<(String, String), String> {
    let split = text.split_once(':').filter(|(name, _)| !name.trim().is_empty());
    let (name, value) =
        split.ok_or_else(|| format!("`{text}` is not a header: expected `NAME: VALUE`"))?;
    Ok((name.trim().to_ascii_lowercase(), value.trim().to_string()))
}

pub(super) async fn run(arguments: Arguments) -> Result<Exit, Failure> {
    let (client, printer) = arguments.api.open()?;
    let (service, port) = arguments.to;
    let request = ExplainRequest {
        from_cluster: arguments.from.cluster,
        caller: arguments.from.identity,
        service,
        port,
        method: arguments.method,
        path: arguments.path,
        headers: arguments.headers.into_iter().collect::<BTreeMap<_, _>>(),
        gateway: arguments.gateway,
    };
    let explanation = client.explain(&request).await?;
    printer.value(&explanation, |style| render(&explanation, style))?;
    Ok(Exit::Done)
}

fn render(explanation: &Explanation, style: Style) -> String {
    let mut text = String::new();
    let width = explanation.steps.iter().map(|step| step.stage.chars().count()).max().unwrap_or(0);
    for (at, step) in explanation.steps.iter().enumerate() {
        let number = at + 1;
        text.push_str(&format!("{number:>2} {:width$}  {}\n", step.stage, step.text));
    }
    let outcome = &explanation.outcome;
    // A refusal says its code first: allowed, for example, but served by nobody.
    let arrives = explanation.allowed && !outcome.starts_with("RIA");
    let mark = if arrives { style.good("→") } else { style.bad("✕") };
    text.push_str(&format!(" {mark} {outcome}\n"));
    let by = match &explanation.gateway {
        Some(gateway) => format!("answered by gateway {gateway}, with the health that it sees"),
        None => "answered by the bridge: no gateway was asked, health is unknown".to_string(),
    };
    text.push_str(&format!("   revision {}, {by}\n", explanation.revision));
    text
}

#[cfg(test)]
mod tests;
