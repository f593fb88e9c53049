//! Soft state: whom this member hears, shared by its streams. The rules are `core::heard`'s.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use rialto_core::heard::Heard;

/// What this member hears; one per process.
#[derive(Debug, Default)]
pub struct Observed {
    heard: Mutex<Heard>,
}

impl Observed {
    /// Of a member that ran before.
    pub fn again(now: Instant) -> Self {
        Self { heard: Mutex::new(Heard::again(now)) }
    }

    /// Not to be held across an `await`.
    pub fn lock(&self) -> MutexGuard<'_, Heard> {
        self.heard.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
