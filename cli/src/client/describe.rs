//! `describe`: one object with all that concerns it.

use rialto_types::api::{Change, HistoryEntry};
use rialto_types::cluster::{ClusterStatus, SubscriberStatus};
use rialto_types::finding::{Examined, FindingLevel};
use rialto_types::id::Namespace;
use rialto_types::limits;
use rialto_types::object::{Document, Key, Kind};
use rialto_types::service::ServiceStatus;
use rialto_wire::client::Client;
use serde::Serialize;
use serde_json::Value;

use super::get::columns::{self, contact, endpoint_count};
use super::get::now;
use super::{Api, converge, target};
use crate::failure::{Exit, Failure};
use crate::print::{self, Format, Style, Table};

/// Show one object with all that concerns it: state, related objects, last changes
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// The kind, such as `service` or `HTTPRoute`
    #[arg(value_parser = target::kind)]
    kind: Kind,
    /// The object's name, or NAMESPACE/NAME
    name: String,
    /// The object's namespace, instead of NAMESPACE/
    #[arg(short, long)]
    namespace: Option<Namespace>,
    #[command(flatten)]
    api: Api,
}

/// An object and all that concerns it.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Described {
    object: Document,
    /// Routes and policies that name the service.
    related: Vec<Document>,
    /// The object's last changes, newest first.
    changes: Vec<HistoryEntry>,
}

pub(super) async fn run(arguments: Arguments) -> Result<Exit, Failure> {
    let key = target::key(arguments.kind, arguments.namespace.as_ref(), &arguments.name)?;
    let (client, printer) = arguments.api.open()?;
    let object = client.get(&key).await?;
    let related = if key.kind == Kind::Service { related(&client, &key).await? } else { vec![] };
    let changes = last_changes(&client, &key).await?;
    let described = Described { object, related, changes };
    let text = match printer.format {
        Format::Table | Format::Wide => render(&key, &described, printer.style)?,
        Format::Name => format!("{}\n", target::name(&described.object)),
        Format::Json | Format::Yaml => String::new(),
    };
    printer.value(&described, |_| text)?;
    Ok(Exit::Done)
}

fn render(key: &Key, described: &Described, style: Style) -> Result<String, Failure> {
    let Described { object, related, changes } = described;
    let mut text = head(key, object, style)?;
    match key.kind {
        Kind::Service => {
            text.push_str(&service(object, style));
            text.push_str(&routes_and_policies(related, style));
        }
        Kind::Cluster => text.push_str(&cluster(object, style)),
        Kind::JoinToken
        | Kind::Workspace
        | Kind::ServiceExport
        | Kind::HttpRoute
        | Kind::TcpRoute
        | Kind::FailoverPolicy
        | Kind::AccessPolicy => {}
    }
    text.push_str(&history(changes, style));
    Ok(text)
}

fn head(key: &Key, document: &Document, style: Style) -> Result<String, Failure> {
    let metadata = &document.metadata;
    let mut text = format!("{}\n", style.heading(&key.to_string()));
    let mut line = |name: &str, value: Option<String>| {
        if let Some(value) = value {
            text.push_str(&format!("  {name:<10} {value}\n"));
        }
    };
    line("owner", metadata.owner.as_ref().map(ToString::to_string));
    line("revision", metadata.resource_version.map(|version| version.to_string()));
    line("age", metadata.created_at.map(|at| print::age(at.age(now()))));
    let pairs = |map: &std::collections::BTreeMap<String, String>| {
        let pairs: Vec<String> =
            map.iter().map(|(name, value)| format!("{name}={value}")).collect();
        (!pairs.is_empty()).then(|| pairs.join(", "))
    };
    line("labels", pairs(&metadata.labels));
    line("notes", pairs(&metadata.annotations));
    if document.spec.as_object().is_some_and(|spec| !spec.is_empty()) {
        text.push_str(&format!("\n{}\n", style.heading("spec")));
        for line in print::yaml(&document.spec)?.lines() {
            text.push_str(&format!("  {line}\n"));
        }
    }
    Ok(text)
}

fn service(document: &Document, style: Style) -> String {
    let Some(status) = columns::status::<ServiceStatus>(document) else { return String::new() };
    let mut text = format!("  {:<10} {}\n", "name", status.dns_name);
    text.push_str(&format!("  {:<10} {}\n", "ports", columns::ports(&status.ports)));
    if status.client_affinity {
        let what = "ClientIP: one caller's address stays with one endpoint";
        text.push_str(&format!("  {:<10} {what}\n", "affinity"));
    }
    for port in &status.not_carried {
        text.push_str(&format!("  {} {port}\n", style.warning("!")));
    }
    text.push_str(&format!("\n{}\n", style.heading("clusters")));
    let mut table = Table::new(&["CLUSTER", "EXPORTED", "BY", "ENDPOINTS", "SAID", "VIRTUAL IPS"]);
    for (name, inside) in &status.clusters {
        let said = inside.endpoints.iter().map(|port| port.age_ms).max();
        let said = said.map(|ms| print::age(std::time::Duration::from_millis(ms)) + " ago");
        let addresses = status.virtual_ips.get(name).into_iter().flatten();
        table.row(vec![
            name.to_string(),
            if inside.exported { "yes" } else { "no" }.to_string(),
            inside.exported_by.as_ref().map_or_else(String::new, ToString::to_string),
            match endpoint_count(inside) {
                Some((healthy, total)) => format!("{healthy}/{total} healthy"),
                None => "Unknown".to_string(),
            },
            said.unwrap_or_default(),
            addresses.map(ToString::to_string).collect::<Vec<_>>().join(","),
        ]);
    }
    text.push_str(&table.render());
    for conflict in &status.conflicts {
        text.push_str(&format!("  {} {conflict}\n", style.warning("!")));
    }
    if status.clusters.values().all(|inside| !inside.exported) {
        let mark = style.warning("!");
        text.push_str(&format!(
            "  {mark} nobody exports it, so other clusters cannot call it; apply a ServiceExport\n"
        ));
    }
    text
}

/// Routes and policies that name the service.
async fn related(client: &Client, key: &Key) -> Result<Vec<Document>, Failure> {
    let kinds = [Kind::HttpRoute, Kind::TcpRoute, Kind::FailoverPolicy, Kind::AccessPolicy];
    let mut related = Vec::new();
    for kind in kinds {
        let list = client.list(kind, key.namespace.as_ref()).await?;
        related.extend(list.items.into_iter().filter(|item| names_service(&item.spec, key)));
    }
    Ok(related)
}

fn routes_and_policies(related: &[Document], style: Style) -> String {
    let lines = related.iter().map(|item| format!("  {} {}\n", item.kind, item.metadata.name));
    let mut text: String = lines.collect();
    if text.is_empty() {
        text.push_str("  none: every caller may call it, local endpoints first\n");
    }
    format!("\n{}\n{text}", style.heading("routes and policies"))
}

fn names_service(spec: &Value, key: &Key) -> bool {
    let refs = ["parentRefs", "targetRefs"].into_iter().flat_map(|name| spec[name].as_array());
    refs.flatten().any(|reference| reference["name"] == key.name.as_str())
}

fn cluster(document: &Document, style: Style) -> String {
    let Some(status) = columns::status::<ClusterStatus>(document) else { return String::new() };
    let mut text = format!("\n{}\n", style.heading("state"));
    let mut line = |name: &str, value: String| {
        text.push_str(&format!("  {name:<12} {value}\n"));
    };
    line("agent", contact(&status.agent));
    line("trust domain", status.trust_domain.to_string());
    if let Some(fingerprint) = &status.anchor_fingerprint {
        line("anchor", fingerprint.clone());
    }
    line("services", format!("{}, {} exported", status.services, status.exports));
    text.push_str(&format!("\n{}\n", style.heading("gateways")));
    for gateway in &status.gateways {
        text.push_str(&format!("  {}  {}\n", gateway.id, gateway.address));
    }
    if status.gateways.is_empty() {
        text.push_str("  none: no other cluster reaches its services; start `rialto gateway`\n");
    }
    if let Some(examined) = &status.examined {
        text.push_str(&examination(examined, style));
    }
    text.push_str(&format!("\n{}\n", style.heading("snapshot subscribers")));
    text.push_str(&subscribers(&status.subscribers));
    text
}

fn examination(examined: &Examined, style: Style) -> String {
    let age = print::age(std::time::Duration::from_millis(examined.age_ms));
    let heading = style.heading("inside the cluster");
    let release = &examined.version;
    let mut text = format!("\n{heading}  as the agent, release {release}, said {age} ago\n");
    for finding in &examined.findings {
        let mark = match finding.level {
            FindingLevel::Good => style.good("✓"),
            FindingLevel::Warning => style.warning("!"),
            FindingLevel::Failed => style.bad("✕"),
            FindingLevel::Unknown => "-".to_string(),
        };
        text.push_str(&format!("  {mark} {:<18} {}\n", finding.about, finding.text));
        if let Some(fix) = &finding.fix {
            text.push_str(&format!("      fix: {fix}\n"));
        }
    }
    text
}

fn subscribers(subscribers: &[SubscriberStatus]) -> String {
    let lines = subscribers.iter().map(|subscriber| {
        let (name, state) = (converge::name(subscriber), contact(&subscriber.contact));
        format!("  {name}  {state}  {}\n", converge::lack(subscriber))
    });
    lines.collect()
}

async fn last_changes(client: &Client, key: &Key) -> Result<Vec<HistoryEntry>, Failure> {
    let history = client.history(limits::DESCRIBE_LOOK_BACK_MAX).await?;
    let touches = |changes: &[Change]| changes.iter().any(|change| change.key == *key);
    let entries = history.items.into_iter().filter(|entry| touches(&entry.changes));
    Ok(entries.take(limits::DESCRIBE_CHANGES_MAX).collect())
}

fn history(changes: &[HistoryEntry], style: Style) -> String {
    if changes.is_empty() {
        return String::new();
    }
    let lines = changes.iter().map(|entry| {
        let HistoryEntry { revision, time, actor, summary, .. } = entry;
        let reason = entry.reason.as_ref().map(|reason| format!(" ({reason})")).unwrap_or_default();
        format!("  {revision}  {time}  {actor}  {summary}{reason}\n")
    });
    format!("\n{}\n{}", style.heading("last changes"), lines.collect::<String>())
}
