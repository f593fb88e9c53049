//! How a verb ends: its exit code, and what a person reads if it did not do what was asked.

use std::process::ExitCode;

use rialto_types::error::{Chain, Code, Problem};
use rialto_wire::client::{ConnectError, Error};

/// Exit codes; scripts rely on them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exit {
    Done = 0,
    Failed = 1,
    Usage = 2,
    NotFound = 3,
    /// No valid token, or not allowed.
    Refused = 4,
    /// A precondition, or another owner.
    Conflict = 5,
    TimedOut = 6,
    /// Some of it: some objects, or some gateways.
    Partial = 7,
    /// Warnings only, where the caller asked to fail on them.
    Warned = 8,
    Unreachable = 9,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> ExitCode {
        ExitCode::from(exit as u8)
    }
}

/// Why a verb ended early.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Failure {
    pub(crate) exit: Exit,
    /// What happened; nothing where the reader of stdout left.
    pub(crate) text: String,
    /// `field`, `expected` and the like, in the order of printing.
    pub(crate) details: Vec<(&'static str, String)>,
}

impl Failure {
    pub(crate) fn new(exit: Exit, text: impl Into<String>) -> Self {
        Self { exit, text: text.into(), details: Vec::new() }
    }

    pub(crate) fn failed(text: impl Into<String>) -> Self {
        Self::new(Exit::Failed, text)
    }

    pub(crate) fn usage(text: impl Into<String>) -> Self {
        Self::new(Exit::Usage, text)
    }

    pub(crate) fn reader_left() -> Self {
        Self::new(Exit::Done, "")
    }

    pub(crate) fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.details.push(("hint", hint.into()));
        self
    }

    /// The message, with its details beneath.
    pub(crate) fn render(&self) -> String {
        let mut text = self.text.clone();
        for (name, value) in &self.details {
            text.push_str(&format!("\n  {name:<9} {value}"));
        }
        text
    }
}

impl From<Problem> for Failure {
    fn from(problem: Problem) -> Self {
        let code = problem.code;
        let mut failure = Self::new(exit_of(code), format!("{code} {}", problem.detail));
        // Most details name their object already.
        let subject = problem.subject.filter(|subject| !problem.detail.contains(subject));
        let details = [
            ("object", subject),
            ("field", problem.field),
            ("expected", problem.expected),
            ("found", problem.found),
            ("hint", problem.hint.clone()),
            ("request", problem.request_id),
        ];
        for (name, value) in details {
            failure.details.extend(value.map(|value| (name, value)));
        }
        if problem.hint.is_none() {
            return failure.with_hint(format!("`rialto explain-code {code}` says more"));
        }
        failure
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        match error {
            Error::Refused(problem) => Self::from(*problem),
            Error::Unreachable { ref source, .. } if is_usage(source) => {
                Self::usage(Chain(source).to_string())
            }
            Error::Unreachable { ref source, .. } => {
                let mut failure = Self::new(Exit::Unreachable, error.to_string());
                failure.details.push(("cause", Chain(source).to_string()));
                failure
            }
            Error::Timeout { .. } | Error::Foreign { .. } => {
                Self::new(Exit::Unreachable, Chain(&error).to_string())
            }
        }
    }
}

impl From<ConnectError> for Failure {
    fn from(error: ConnectError) -> Self {
        Self::usage(Chain(&error).to_string())
    }
}

fn is_usage(error: &ConnectError) -> bool {
    match error {
        ConnectError::Address(_) | ConnectError::PlainToOther(_) => true,
        ConnectError::Connect(_) | ConnectError::Tls(_) | ConnectError::Exchange(_) => false,
    }
}

fn exit_of(code: Code) -> Exit {
    match code.status() {
        _ if code == Code::CommitTimeout => Exit::TimedOut,
        _ if matches!(code, Code::NoLeader | Code::MemberUnreachable) => Exit::Unreachable,
        404 | 410 => Exit::NotFound,
        401 | 403 => Exit::Refused,
        409 | 412 => Exit::Conflict,
        _ => Exit::Failed,
    }
}

#[cfg(test)]
mod tests;
