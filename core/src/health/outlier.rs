//! One endpoint that failed lately: in a row, ejected, returning, forgiven.

use std::time::{Duration, Instant};

use rialto_types::limits;

use super::Outcome;

#[derive(Debug, Clone)]
pub(super) struct Outlier {
    /// Failures in a row, by status and by connection.
    errors: u32,
    breaks: u32,
    failed_at: Instant,
    /// Ejections since the record was last wiped.
    ejections: u32,
    last: Option<Ejection>,
}

#[derive(Debug, Clone, Copy)]
struct Ejection {
    until: Instant,
    sequence: u64,
    /// Whether the end was noticed.
    is_over: bool,
}

impl Outlier {
    pub(super) fn new(now: Instant) -> Self {
        Self { errors: 0, breaks: 0, failed_at: now, ejections: 0, last: None }
    }

    /// Counts a failure; returns for how long the endpoint is ejected by it.
    pub(super) fn fail(
        &mut self,
        outcome: Outcome,
        sequence: u64,
        now: Instant,
    ) -> Option<Duration> {
        // What was sent before the ejection still fails after it and says nothing new.
        if self.ejected_until(now).is_some() {
            return None;
        }
        self.failed_at = now;
        match outcome {
            Outcome::Success => return None,
            Outcome::ServerError => self.errors += 1,
            Outcome::ConnectFailure | Outcome::Reset => self.breaks += 1,
        }
        let is_returning = self.share_percent(now) < 100;
        let breaks_max = if is_returning { 1 } else { limits::OUTLIER_BREAKS_MAX };
        if self.errors < limits::OUTLIER_ERRORS_MAX && self.breaks < breaks_max {
            return None;
        }
        let factor = 1_u32.checked_shl(self.ejections).unwrap_or(u32::MAX);
        let duration = limits::EJECTION_MIN.saturating_mul(factor).min(limits::EJECTION_MAX);
        self.ejections = (self.ejections + 1).min(31);
        self.errors = 0;
        self.breaks = 0;
        self.last = Some(Ejection { until: now + duration, sequence, is_over: false });
        Some(duration)
    }

    /// Ends a row of failures; whether nothing is left to remember.
    pub(super) fn succeed(&mut self) -> bool {
        self.errors = 0;
        self.breaks = 0;
        self.last.is_none()
    }

    pub(super) fn ejected_until(&self, now: Instant) -> Option<Instant> {
        self.last.map(|ejection| ejection.until).filter(|until| now < *until)
    }

    pub(super) fn ejection(&self, now: Instant) -> Option<u64> {
        self.last.filter(|ejection| now < ejection.until).map(|ejection| ejection.sequence)
    }

    /// 0 while ejected, then from 10 to 100 over the ramp.
    pub(super) fn share_percent(&self, now: Instant) -> u32 {
        let Some(Ejection { until, .. }) = self.last else { return 100 };
        if now < until {
            return 0;
        }
        let ramp_ms = limits::EJECTION_RETURN_RAMP.as_millis();
        let past_ms = now.duration_since(until).as_millis().min(ramp_ms);
        u32::try_from(10 + 90 * past_ms / ramp_ms).unwrap_or(100)
    }

    /// Whether an ejection ended that had not been noticed to end.
    pub(super) fn end_ejection(&mut self, now: Instant) -> bool {
        match &mut self.last {
            Some(ejection) if !ejection.is_over && ejection.until <= now => {
                ejection.is_over = true;
                true
            }
            Some(_) | None => false,
        }
    }

    pub(super) fn is_forgiven(&self, now: Instant) -> bool {
        self.forgiven_at() <= now
    }

    pub(super) fn next(&self) -> Instant {
        match self.last {
            Some(ejection) if !ejection.is_over => ejection.until,
            Some(_) | None => self.forgiven_at(),
        }
    }

    fn forgiven_at(&self) -> Instant {
        let since = self.last.map_or(self.failed_at, |last| last.until.max(self.failed_at));
        since + limits::EJECTION_FORGIVEN
    }
}
