//! How long to wait before a stream is tried again.

use std::time::Duration;

use rialto_types::limits::{RECONNECT_BACKOFF_MAX, RECONNECT_BACKOFF_MIN};

/// Waits between attempts: doubling, bounded, with jitter so that a thousand parts do not return
/// in the same instant.
#[derive(Debug, Clone)]
pub struct Backoff {
    next: Duration,
}

impl Default for Backoff {
    fn default() -> Self {
        Self { next: RECONNECT_BACKOFF_MIN }
    }
}

impl Backoff {
    /// The next wait; `draw` spreads it over half to all of the step.
    pub fn next(&mut self, draw: u64) -> Duration {
        let step = self.next;
        self.next = (step * 2).min(RECONNECT_BACKOFF_MAX);
        let half_ms = u64::try_from(step.as_millis() / 2).unwrap_or(u64::MAX).max(1);
        Duration::from_millis(half_ms + draw % half_ms)
    }

    /// After a success the next failure waits short again.
    pub fn reset(&mut self) {
        *self = Self::default();
    }
}
