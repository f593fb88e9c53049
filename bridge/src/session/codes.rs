//! One-use codes, kept as their hashes in this member's memory.

use std::collections::VecDeque;
use std::time::Instant;

use rialto_types::limits;

use crate::authority::Secret;

#[derive(Debug, Default)]
pub(super) struct Codes {
    /// Oldest first.
    held: VecDeque<Held>,
}

struct Held {
    hash: String,
    actor: String,
    made: Instant,
}

impl std::fmt::Debug for Held {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Held").field("actor", &self.actor).finish_non_exhaustive()
    }
}

impl Codes {
    /// The oldest code gives way when there is no room.
    pub(super) fn add(&mut self, code: &str, actor: String, now: Instant) {
        self.forget(now);
        if self.held.len() >= limits::SIGN_IN_CODES_MAX {
            self.held.pop_front();
        }
        self.held.push_back(Held { hash: Secret::hash_of(code), actor, made: now });
    }

    /// The actor that the code stands for, once.
    pub(super) fn redeem(&mut self, code: &str, now: Instant) -> Option<String> {
        self.forget(now);
        let at = self.held.iter().position(|held| Secret::is(code, &held.hash))?;
        self.held.remove(at).map(|held| held.actor)
    }

    fn forget(&mut self, now: Instant) {
        let is_good =
            |held: &Held| now.saturating_duration_since(held.made) < limits::SIGN_IN_CODE_TTL;
        self.held.retain(is_good);
    }
}
