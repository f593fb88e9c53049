//! Sessions of browsers that were ended before their time, so that no member takes their cookies.

use std::collections::BTreeMap;

use rialto_types::id::Timestamp;
use rialto_types::limits;
use serde::{Deserialize, Serialize};

use super::{Done, Effect, State};

/// Which cookies are no longer good, though they have not expired.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Ended {
    /// When each would have expired, by what tells it from every other. Kept until it must give
    /// way: members' clocks differ, so time alone makes none of them forgettable.
    sessions: BTreeMap<String, Timestamp>,
    /// What expires no later than this has ended, too: how the bound is kept.
    until: Timestamp,
}

impl Ended {
    pub(super) fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    fn has(&self, id: &str, expires: Timestamp) -> bool {
        expires <= self.until || self.sessions.contains_key(id)
    }

    /// Beyond the bound those that expire first are forgotten, and all that expire no later with
    /// them ended: whoever signed in that long ago signs in again.
    fn insert(&mut self, id: String, expires: Timestamp) {
        self.sessions.insert(id, expires);
        if self.sessions.len() > limits::SESSIONS_ENDED_MAX {
            let first = self.sessions.values().min().copied().expect("above a bound");
            self.until = self.until.max(first);
            self.sessions.retain(|_, expires| *expires > first);
        }
    }
}

impl State {
    /// Whether a session that has not expired was ended by signing out.
    pub fn is_session_ended(&self, id: &str, expires: Timestamp) -> bool {
        self.ended.has(id, expires)
    }

    pub(super) fn end_session(&mut self, id: String, expires: Timestamp) -> Effect {
        if self.ended.has(&id, expires) {
            return Effect::new(Done::Accepted, String::new());
        }
        self.ended.insert(id, expires);
        Effect::new(Done::Accepted, "signed out of the page".into()).audited()
    }
}

#[cfg(test)]
mod tests;
