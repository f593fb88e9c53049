//! `apply`: resources of files become the state of the federation.

use std::path::PathBuf;

use rialto_types::api::{Outcome, Written};
use rialto_types::id::Revision;
use rialto_types::object::Key;
use rialto_wire::client::{Client, WriteOptions};

use super::Api;
use super::converge::Wait;
use super::documents::{self, Found};
use crate::client::diff;
use crate::failure::{Exit, Failure};
use crate::print::{self, Format, Printer, Style};

/// Create or change what files say, and nothing else
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// A file of YAML or JSON documents, a folder of them, or `-` for stdin; may be repeated
    #[arg(short, long = "file", value_name = "FILE|DIR|-", required = true)]
    files: Vec<PathBuf>,
    #[command(flatten)]
    pub(super) options: Change,
    #[command(flatten)]
    api: Api,
}

/// How a change is to happen.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Change {
    /// Show what would change, and change nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Why; kept in the history
    #[arg(long, value_name = "TEXT")]
    pub(crate) reason: Option<String>,
    #[command(flatten)]
    pub(crate) wait: Wait,
}

impl Change {
    pub(crate) fn write_options(&self) -> WriteOptions {
        let reason = self.reason.clone();
        WriteOptions { dry_run: self.dry_run, reason, ..WriteOptions::default() }
    }
}

pub(super) async fn run(arguments: Arguments) -> Result<Exit, Failure> {
    let found = documents::read(&arguments.files)?;
    let (client, printer) = arguments.api.open()?;
    let mut done = Done::default();
    for Found { resource, origin } in &found {
        let key = resource.key();
        match client.put(resource, &arguments.options.write_options()).await {
            Ok(written) => done.written(&printer, key, written, arguments.options.dry_run)?,
            Err(error) => {
                let failure = Failure::from(error);
                // Every other object would meet the same: say it once.
                if matches!(failure.exit, Exit::Unreachable | Exit::Usage) || is_stranger(&failure)
                {
                    return Err(failure);
                }
                let text = format!("{origin}: {key}: {}", failure.render());
                print::note(&format!("{} {text}", print::label("error")));
                done.failed.push(failure.exit);
            }
        }
    }
    done.finish(&client, &arguments.options, &printer).await
}

fn is_stranger(failure: &Failure) -> bool {
    failure.text.starts_with(&rialto_types::error::Code::Unauthenticated.to_string())
}

/// What a verb that writes several objects has achieved.
#[derive(Debug, Default)]
pub(crate) struct Done {
    written: Vec<Written>,
    failed: Vec<Exit>,
}

impl Done {
    pub(crate) fn written(
        &mut self,
        printer: &Printer,
        key: Key,
        written: Written,
        dry_run: bool,
    ) -> Result<(), Failure> {
        for warning in &written.warnings {
            print::note(&format!("{} {key}: {warning}", print::label("warning")));
        }
        match printer.format {
            Format::Table | Format::Wide => {
                printer.data(&outcome(&key, &written, dry_run, printer.style)?)?;
            }
            Format::Name => printer.data(&format!("{key}\n"))?,
            Format::Json | Format::Yaml => {}
        }
        self.written.push(written);
        Ok(())
    }

    pub(crate) fn failed(&mut self, exit: Exit) {
        self.failed.push(exit);
    }

    /// Waits if asked to, prints the rest, and says how it went.
    pub(crate) async fn finish(
        self,
        client: &Client,
        change: &Change,
        printer: &Printer,
    ) -> Result<Exit, Failure> {
        if change.dry_run && matches!(printer.format, Format::Table | Format::Wide) {
            printer.data(&self.summary())?;
        }
        let newest: Option<Revision> = self.written.iter().map(|written| written.revision).max();
        let waited = match newest {
            Some(revision) if !change.dry_run => {
                change.wait.until_served(client, revision, printer).await?
            }
            _ => None,
        };
        if matches!(printer.format, Format::Json | Format::Yaml) {
            let convergence = waited.as_ref().map(|waited| &waited.convergence);
            let value = serde_json::json!({ "written": self.written, "convergence": convergence });
            printer.value(&value, |_| String::new())?;
        }
        let waited = match &waited {
            Some(waited) => waited.report(printer)?,
            None => Exit::Done,
        };
        Ok(match (self.failed.first(), self.written.is_empty()) {
            (None, _) => waited,
            (Some(exit), true) => *exit,
            (Some(_), false) => Exit::Partial,
        })
    }

    fn summary(&self) -> String {
        let count = |wanted: Outcome| self.written.iter().filter(|w| w.outcome == wanted).count();
        format!(
            "{} to create, {} to change, {} to delete, {} unchanged; nothing was changed\n",
            count(Outcome::Created),
            count(Outcome::Changed),
            count(Outcome::Deleted),
            count(Outcome::Unchanged)
        )
    }
}

/// One object's outcome, or what it would be.
pub(crate) fn outcome(
    key: &Key,
    written: &Written,
    dry_run: bool,
    style: Style,
) -> Result<String, Failure> {
    if dry_run {
        let (before, after) = (written.before.as_ref(), written.after.as_ref());
        let diff = diff::unified(&key.to_string(), before, after, style)?;
        return Ok(if diff.is_empty() { format!("{key} would not change\n") } else { diff });
    }
    let word = match written.outcome {
        Outcome::Created => style.good("created"),
        Outcome::Changed => style.good("changed"),
        Outcome::Unchanged => "unchanged".to_string(),
        Outcome::Deleted => style.good("deleted"),
    };
    Ok(match written.outcome {
        Outcome::Unchanged => format!("{key} {word}\n"),
        Outcome::Created | Outcome::Changed | Outcome::Deleted => {
            format!("{key} {word} at revision {}\n", written.revision)
        }
    })
}
