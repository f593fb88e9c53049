//! raft's log lines as tracing events, one level lower: its news is our detail.

use slog::{Drain, KV, Level, Logger, Never, OwnedKVList, Record, o};
use std::fmt::{Arguments, Write};

pub(super) fn logger() -> Logger {
    Logger::root(ToTracing, o!())
}

struct ToTracing;

impl Drain for ToTracing {
    type Ok = ();
    type Err = Never;

    fn log(&self, record: &Record<'_>, values: &OwnedKVList) -> Result<(), Never> {
        match record.level() {
            Level::Critical | Level::Error => {
                tracing::error!(detail = text(record, values), "raft")
            }
            Level::Warning => tracing::warn!(detail = text(record, values), "raft"),
            Level::Info => tracing::debug!(detail = text(record, values), "raft"),
            Level::Debug | Level::Trace => tracing::trace!(detail = text(record, values), "raft"),
        }
        Ok(())
    }
}

fn text(record: &Record<'_>, values: &OwnedKVList) -> String {
    let mut line = Line(record.msg().to_string());
    // Writing to a string cannot fail, and a value that cannot be printed is left out.
    let _ = record.kv().serialize(record, &mut line);
    let _ = values.serialize(record, &mut line);
    line.0
}

struct Line(String);

impl slog::Serializer for Line {
    fn emit_arguments(&mut self, key: slog::Key, value: &Arguments<'_>) -> slog::Result {
        write!(self.0, " {key}={value}").map_err(slog::Error::from)
    }
}
