//! `revert`: the intent as it was, as a new revision.

use rialto_types::api::HistoryEntry;
use rialto_types::id::Revision;

use super::Api;
use super::apply::Change;
use super::{converge, history};
use crate::failure::{Exit, Failure};
use crate::print::Format;

/// Bring back the intent of a revision, as a new revision
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// The revision whose state comes back; `rialto history` lists them
    revision: Revision,
    #[command(flatten)]
    options: Change,
    #[command(flatten)]
    api: Api,
}

pub(super) async fn run(arguments: Arguments) -> Result<Exit, Failure> {
    let (client, printer) = arguments.api.open()?;
    let change = &arguments.options;
    let entry = client.revert(arguments.revision, &change.write_options()).await?;
    let text = match printer.format {
        Format::Name => format!("{}\n", entry.revision),
        Format::Table | Format::Wide | Format::Json | Format::Yaml => {
            let summary = summary(&entry, arguments.revision, change.dry_run);
            history::changes(&entry, printer.style)? + &summary
        }
    };
    let revision = (!change.dry_run).then_some(entry.revision);
    converge::conclude(&client, &printer, &change.wait, (&entry, revision), text).await
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
