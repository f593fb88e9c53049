//! `get`: objects as a table, or as what `apply` takes.

use std::time::{SystemTime, UNIX_EPOCH};

use rialto_types::api::List;
use rialto_types::id::{Namespace, Timestamp};
use rialto_types::object::{Document, Kind};
use rialto_wire::client::Client;

use super::Api;
use super::target;
use crate::failure::{Exit, Failure};
use crate::print::{self, Format, Printer, Table};

pub(super) mod columns;
mod watch;

/// Show the objects of a kind, or one of them
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// The kind, such as `services` or `HTTPRoute`
    #[arg(value_parser = target::kind)]
    kind: Kind,
    /// One object's name, or NAMESPACE/NAME
    name: Option<String>,
    /// Only this namespace [default: all]
    #[arg(short, long)]
    namespace: Option<Namespace>,
    /// Then show what changes, until Ctrl-C
    #[arg(short, long)]
    watch: bool,
    #[command(flatten)]
    api: Api,
}

pub(super) async fn run(arguments: Arguments) -> Result<Exit, Failure> {
    let Arguments { kind, namespace, .. } = &arguments;
    let name = arguments.name.as_deref();
    let key = name.map(|name| target::key(*kind, namespace.as_ref(), name)).transpose()?;
    if namespace.is_some() && !kind.is_namespaced() {
        return Err(Failure::usage(format!("{} are in no namespace", kind.plural()))
            .with_hint("leave `--namespace` away"));
    }
    let (client, printer) = arguments.api.open()?;
    if arguments.watch {
        return watch::run(&client, *kind, namespace.clone(), key, &printer).await;
    }
    match key {
        Some(key) => {
            let document = client.get(&key).await?;
            printer
                .value(&document, |_| rows(*kind, std::slice::from_ref(&document), &printer).0)?;
        }
        None => list(&client, *kind, namespace.as_ref(), &printer).await?,
    }
    Ok(Exit::Done)
}

async fn list(
    client: &Client,
    kind: Kind,
    namespace: Option<&Namespace>,
    printer: &Printer,
) -> Result<(), Failure> {
    let list = client.list(kind, namespace).await?;
    for warning in &list.warnings {
        print::note(&format!("{} {warning}", print::label("warning")));
    }
    match printer.format {
        Format::Json => return printer.data(&print::json(&list)),
        Format::Yaml => return printer.data(&documents(&list)?),
        Format::Table | Format::Wide | Format::Name => {}
    }
    if list.items.is_empty() {
        print::note(&empty(kind, namespace));
        return Ok(());
    }
    printer.data(&rows(kind, &list.items, printer).0)
}

/// The items as YAML documents of one stream, so that `apply -f -` takes them.
fn documents(list: &List) -> Result<String, Failure> {
    let texts: Result<Vec<_>, _> = list.items.iter().map(print::yaml).collect();
    Ok(texts?.join("---\n"))
}

/// The items as text, and the same without headings.
fn rows(kind: Kind, items: &[Document], printer: &Printer) -> (String, String) {
    if printer.format == Format::Name {
        let names: String = items.iter().map(|item| format!("{}\n", target::name(item))).collect();
        return (names.clone(), names);
    }
    let columns = columns::of(kind, printer.format == Format::Wide);
    let headings: Vec<&str> = columns.iter().map(|column| column.heading).collect();
    let mut table = Table::new(&headings);
    let now = now();
    for item in items {
        table.row(columns.iter().map(|column| (column.cell)(item, now)).collect());
    }
    (table.render(), table.rows())
}

pub(super) fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp::from_unix_ms(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}

/// What to do about an empty list.
pub(super) fn empty(kind: Kind, namespace: Option<&Namespace>) -> String {
    let place = namespace.map(|n| format!(" in namespace {n}")).unwrap_or_default();
    let next = match kind {
        Kind::Cluster => {
            "`rialto apply -f FILE` makes one, then `rialto join token --cluster NAME` lets it join"
        }
        Kind::JoinToken => "`rialto join token --cluster NAME` issues one",
        Kind::Service => "clusters report services when their agents have joined: `rialto status`",
        Kind::ServiceExport => {
            "`rialto get services` shows what could be exported, `rialto apply -f FILE` exports it"
        }
        Kind::HttpRoute | Kind::TcpRoute => {
            "`rialto shift NAMESPACE/SERVICE BACKEND=WEIGHT` or `rialto apply -f FILE` makes one"
        }
        Kind::Workspace | Kind::FailoverPolicy | Kind::AccessPolicy => {
            "`rialto apply -f FILE` makes one"
        }
    };
    format!("no {}{place}; {next}", kind.plural())
}

#[cfg(test)]
mod tests;
