//! `top`: what goes where at present, how fast and how well.

use std::time::Duration;

use rialto_types::id::{ClusterName, ServiceName};
use rialto_types::traffic::{FlowRates, LinkRates, Query, Rates, Traffic};
use rialto_types::{duration, limits};

use super::Api;
use crate::failure::{Exit, Failure};
use crate::print::{self, Format, Style, Table};

/// Show what goes where: requests, errors and latencies, as the gateways count them
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Only what callers dial by this name
    #[arg(long, value_name = "NAMESPACE/SERVICE")]
    service: Option<ServiceName>,
    /// Only callers of this cluster
    #[arg(long, value_name = "CLUSTER")]
    from: Option<ClusterName>,
    /// Only what this cluster serves
    #[arg(long, value_name = "CLUSTER")]
    to: Option<ClusterName>,
    /// The time that rates are of, 2s to 5m [default: 30s]
    #[arg(long, value_name = "DURATION", value_parser = duration::parse)]
    over: Option<Duration>,
    #[command(flatten)]
    api: Api,
}

pub(super) async fn run(arguments: Arguments) -> Result<Exit, Failure> {
    let (client, printer) = arguments.api.open()?;
    let Arguments { service, from, to, over, .. } = arguments;
    let traffic = client.traffic(&Query { service, from, to, over }).await?;
    printer.value(&traffic, |style| match printer.format {
        Format::Name => names(&traffic.flows),
        Format::Wide => {
            let flows = flows(&traffic, Columns::All, style);
            format!("{flows}\n{}", links(&traffic.links))
        }
        Format::Table | Format::Json | Format::Yaml => flows(&traffic, Columns::Usual, style),
    })?;
    for gap in &traffic.gaps {
        print::note(&format!("{} {}", print::label("warning"), gap.text));
    }
    if traffic.omitted > 0 {
        let count = traffic.omitted;
        print::note(&format!("{count} more flows; choose with --service, --from or --to"));
    }
    Ok(Exit::Done)
}

fn names(flows: &[FlowRates]) -> String {
    let names = flows.iter().filter_map(|flow| flow.service.as_ref()).map(ToString::to_string);
    let names: std::collections::BTreeSet<String> = names.collect();
    names.into_iter().map(|name| format!("{name}\n")).collect()
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Columns {
    Usual,
    All,
}

fn flows(traffic: &Traffic, columns: Columns, style: Style) -> String {
    if traffic.flows.is_empty() {
        let over = duration::format(Duration::from_millis(traffic.over_ms));
        return match traffic.total {
            Some(_) => format!("nothing was carried in the last {over}\n"),
            None => {
                let silence = duration::format(limits::TRAFFIC_SILENCE);
                format!("not known: no gateway has reported in the last {silence}\n")
            }
        };
    }
    let headings =
        ["FROM", "SERVICE", "TO", "RPS", "ERR", "P50", "P95", "P99", "REFUSED", "BYTES/S"];
    let shown = if columns == Columns::All { headings.len() } else { headings.len() - 2 };
    let mut table = Table::new(&headings[..shown]);
    for FlowRates { from, service, to, rates } in &traffic.flows {
        let mut row = vec![
            from.to_string(),
            service.as_ref().map_or_else(|| "(others)".into(), ToString::to_string),
            to.as_ref().map_or_else(|| "(nowhere)".into(), ToString::to_string),
        ];
        match rates {
            Some(rates) => row.extend(cells(rates, style)),
            // Only gateways that are silent carried it.
            None => row.extend(["?"; 7].map(str::to_string)),
        }
        row.truncate(shown);
        table.row(row);
    }
    table.render()
}

fn cells(rates: &Rates, style: Style) -> [String; 7] {
    let share = format!("{:.1}%", 100.0 * rates.error_share);
    let share = if rates.errors > 0 { style.bad(&share) } else { share };
    [
        format!("{:.1}", rates.requests_per_second),
        share,
        latency(rates.p50_ms),
        latency(rates.p95_ms),
        latency(rates.p99_ms),
        format!("{:.1}/s", rates.refused_per_second),
        bytes(rates.bytes_per_second),
    ]
}

/// Three digits at most: more would claim more than the buckets know.
fn latency(ms: Option<f64>) -> String {
    match ms {
        None => String::new(),
        Some(ms) if ms < 10.0 => format!("{ms:.1}ms"),
        Some(ms) if ms < 1_000.0 => format!("{ms:.0}ms"),
        Some(ms) => format!("{:.1}s", ms / 1_000.0),
    }
}

fn bytes(per_second: f64) -> String {
    match per_second {
        few if few < 1e3 => format!("{few:.0}"),
        some if some < 1e6 => format!("{:.1} kB", some / 1e3),
        many => format!("{:.1} MB", many / 1e6),
    }
}

fn links(links: &[LinkRates]) -> String {
    let mut table = Table::new(&["FROM", "TO", "CONNECTIONS", "ROUND TRIP", "LOST", "PACKETS/S"]);
    for link in links {
        table.row(vec![
            format!("{}/{}", link.from, link.from_gateway),
            format!("{}/{}", link.to, link.to_gateway),
            link.connections.to_string(),
            latency(link.round_trip_ms),
            link.loss_share.map_or_else(String::new, |share| format!("{:.2}%", 100.0 * share)),
            format!("{:.0}", link.packets_per_second),
        ]);
    }
    table.render()
}

#[cfg(test)]
mod tests;
