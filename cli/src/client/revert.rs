//! `revert`: the intent as it was, as a new revision.

use rialto_types::api::HistoryEntry;
use rialto_types::id::Revision;

use super::Output;
use super::apply::Change;
use super::connect::Connection;
use super::failure::{Exit, Failure};
use super::history;

/// Bring back the intent of a revision, as a new revision
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// The revision whose state comes back; `rialto history` lists them
    revision: Revision,
    #[command(flatten)]
    options: Change,
    #[command(flatten)]
    output: Output,
    #[command(flatten)]
    connection: Connection,
}

pub(super) async fn run(arguments: Arguments) -> Result<Exit, Failure> {
    let (client, printer) = (arguments.connection.client()?, arguments.output.printer());
    let change = &arguments.options;
    let entry = client.revert(arguments.revision, &change.write_options()).await?;
    let mut text = history::changes(&entry, printer.style)?;
    text.push_str(&summary(&entry, arguments.revision, change.dry_run));
    printer.value(&entry, |_| text)?;
    if change.dry_run {
        return Ok(Exit::Done);
    }
    match change.wait.until_served(&client, entry.revision, &printer).await? {
        Some(waited) => waited.report(&printer),
        None => Ok(Exit::Done),
    }
}

fn summary(entry: &HistoryEntry, to: Revision, dry_run: bool) -> String {
    let objects = crate::print::count(entry.changes.len(), "object", "objects");
    match (entry.changes.is_empty(), dry_run) {
        (true, _) => format!("everything is as it was at {to}; nothing was changed\n"),
        (false, true) => format!("{objects} would be as at {to}; nothing was changed\n"),
        (false, false) => {
            format!("{objects} as at {to} again, at revision {}\n", entry.revision)
        }
    }
}
