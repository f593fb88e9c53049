//! The one way out: data to stdout, everything else to stderr, colour only for eyes.

use std::io::{self, IsTerminal, Write};
use std::time::Duration;

use serde::Serialize;

use crate::failure::{Exit, Failure};

mod table;

pub(crate) use table::Table;

/// In which form data is wanted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Format {
    /// For people; may change at any time
    #[default]
    Table,
    /// A table with more columns
    Wide,
    /// For programs; stable
    Json,
    /// The same as documents that `apply` takes
    Yaml,
    /// Names alone, one a line
    Name,
}

/// Marks for a state, with colour where it is wanted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Style {
    pub(crate) colour: bool,
}

impl Style {
    pub(crate) fn good(self, text: &str) -> String {
        self.paint("32", text)
    }

    pub(crate) fn warning(self, text: &str) -> String {
        self.paint("33", text)
    }

    pub(crate) fn bad(self, text: &str) -> String {
        self.paint("31", text)
    }

    pub(crate) fn heading(self, text: &str) -> String {
        self.paint("1", text)
    }

    fn paint(self, code: &str, text: &str) -> String {
        if self.colour { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_string() }
    }
}

/// Whether a stream shows colour: a terminal, and nobody objects (<https://no-color.org>).
fn style(is_terminal: bool) -> Style {
    let objection = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    let dumb = std::env::var_os("TERM").is_some_and(|value| value == "dumb");
    Style { colour: is_terminal && !objection && !dumb }
}

/// Where a verb writes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Printer {
    pub(crate) format: Format,
    /// The style of stdout.
    pub(crate) style: Style,
    /// Whether stdout is a terminal.
    pub(crate) is_read_by_a_person: bool,
    /// Whether a person watches stderr.
    pub(crate) watched: bool,
}

impl Printer {
    pub(crate) fn new(format: Format) -> Self {
        let is_read_by_a_person = io::stdout().is_terminal();
        let style = style(is_read_by_a_person);
        Self { format, style, is_read_by_a_person, watched: io::stderr().is_terminal() }
    }

    /// Data, as it is. A reader that has seen enough (`| head`) is no failure.
    pub(crate) fn data(&self, text: &str) -> Result<(), Failure> {
        let mut stdout = io::stdout().lock();
        match stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()) {
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Err(Failure::reader_left()),
            Err(error) => Err(Failure::failed(format!("cannot write to stdout: {error}"))),
            Ok(()) => Ok(()),
        }
    }

    /// The value as JSON or YAML if that is wanted, else the text.
    pub(crate) fn value(
        &self,
        value: &impl Serialize,
        text: impl FnOnce(Style) -> String,
    ) -> Result<(), Failure> {
        match self.format {
            Format::Json => self.data(&json(value)),
            Format::Yaml => self.data(&yaml(value)?),
            Format::Table | Format::Wide | Format::Name => self.data(&text(self.style)),
        }
    }
}

/// A word to the person, on stderr. Nothing can be said of a stderr that is gone.
pub(crate) fn note(text: &str) {
    let _ = writeln!(io::stderr().lock(), "{text}");
}

/// What went wrong, with the exit code that says so. A reader who left is told nothing.
pub(crate) fn failure(failure: &Failure) -> Exit {
    if !failure.text.is_empty() {
        note(&format!("{} {}", label("error"), failure.render()));
    }
    failure.exit
}

/// A line that the next one replaces; only where a person watches.
pub(crate) fn progress(text: &str) {
    let mut stderr = io::stderr().lock();
    let _ = write!(stderr, "\r\x1b[K{text}");
    let _ = stderr.flush();
}

/// `warning:` or `error:` on stderr.
pub(crate) fn label(label: &str) -> String {
    let style = style(io::stderr().is_terminal());
    match label {
        "error" => style.bad("error:"),
        _ => style.warning("warning:"),
    }
}

pub(crate) fn json(value: &impl Serialize) -> String {
    let mut text = serde_json::to_string_pretty(value).expect("answers have text keys only");
    text.push('\n');
    text
}

pub(crate) fn yaml(value: &impl Serialize) -> Result<String, Failure> {
    serde_saphyr::to_string(value)
        .map_err(|error| Failure::failed(format!("cannot write YAML: {error}")))
}

/// A time span in the two largest units: `4s`, `2m14s`, `3h05m`, `41d`.
pub(crate) fn age(age: Duration) -> String {
    let seconds = age.as_secs();
    match seconds {
        0 => format!("{}ms", age.as_millis()),
        1..60 => format!("{seconds}s"),
        60..3_600 => format!("{}m{:02}s", seconds / 60, seconds % 60),
        3_600..86_400 => format!("{}h{:02}m", seconds / 3_600, seconds / 60 % 60),
        _ => format!("{}d", seconds / 86_400),
    }
}

/// `1 change`, `2 changes`.
pub(crate) fn count(number: usize, one: &str, many: &str) -> String {
    format!("{number} {}", if number == 1 { one } else { many })
}

#[cfg(test)]
mod tests;
