//! `history`: who changed what, when and why.

use rialto_types::api::{History, HistoryEntry};
use rialto_types::id::Revision;
use rialto_types::limits;

use super::Api;
use super::diff;
use crate::failure::{Exit, Failure};
use crate::print::{Format, Style, Table};

/// Show who changed what, newest first
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Only this revision, with what it changed
    revision: Option<Revision>,
    /// How many of the newest to show
    #[arg(long, value_name = "COUNT", default_value_t = 20)]
    limit: usize,
    /// Show what each changed, as a diff
    #[arg(long)]
    diff: bool,
    #[command(flatten)]
    api: Api,
}

pub(super) async fn run(arguments: Arguments) -> Result<Exit, Failure> {
    let (client, printer) = arguments.api.open()?;
    if let Some(revision) = arguments.revision {
        let history =
            client.history(limits::HISTORY_ENTRIES_MAX + limits::AUDIT_ENTRIES_MAX).await?;
        let entry = history.items.into_iter().find(|entry| entry.revision == revision);
        let entry = entry.ok_or_else(|| {
            Failure::new(Exit::NotFound, format!("no change was made at revision {revision}"))
                .with_hint(format!("the oldest that is kept is {}", history.oldest))
        })?;
        let text = detailed(&entry, printer.style)?;
        printer.value(&entry, |_| text)?;
        return Ok(Exit::Done);
    }
    let history = client.history(arguments.limit).await?;
    let text = match (printer.format, arguments.diff) {
        (Format::Name, _) => {
            history.items.iter().map(|entry| format!("{}\n", entry.revision)).collect()
        }
        (_, true) => {
            let entries = history.items.iter();
            let texts: Result<Vec<_>, _> =
                entries.map(|entry| detailed(entry, printer.style)).collect();
            texts?.join("\n")
        }
        (_, false) => table(&history),
    };
    printer.value(&history, |_| text)?;
    Ok(Exit::Done)
}

fn table(history: &History) -> String {
    let mut table = Table::new(&["REVISION", "TIME", "ACTOR", "CHANGE", "REASON"]);
    for entry in &history.items {
        let change = match &entry.refused {
            Some(refused) => format!("refused: {refused} ({})", entry.summary),
            None => entry.summary.clone(),
        };
        table.row(vec![
            entry.revision.to_string(),
            entry.time.to_string(),
            entry.actor.clone(),
            change,
            entry.reason.clone().unwrap_or_default(),
        ]);
    }
    table.render()
}

fn detailed(entry: &HistoryEntry, style: Style) -> Result<String, Failure> {
    let HistoryEntry { revision, time, actor, summary, .. } = entry;
    let mut text = style.heading(&format!("revision {revision}  {time}  {actor}"));
    text.push_str(&format!("\n{summary}\n"));
    if let Some(reason) = &entry.reason {
        text.push_str(&format!("reason: {reason}\n"));
    }
    if let Some(refused) = &entry.refused {
        text.push_str(&style.bad(&format!("refused: {refused}\n")));
    }
    text.push_str(&changes(entry, style)?);
    Ok(text)
}

/// The diff of every object that changed.
pub(super) fn changes(entry: &HistoryEntry, style: Style) -> Result<String, Failure> {
    let diffs: Result<Vec<_>, _> = entry
        .changes
        .iter()
        .map(|change| {
            let (before, after) = (change.before.as_ref(), change.after.as_ref());
            diff::unified(&change.key.to_string(), before, after, style)
        })
        .collect();
    Ok(diffs?.concat())
}

#[cfg(test)]
mod tests;
