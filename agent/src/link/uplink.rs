//! Which report to send, and on top of what. Pure.

use std::time::Instant;

use rialto_types::limits;
use rialto_types::report::ReportChange;

use crate::fold::Numbered;
use crate::fold::change::change;

/// What the bridge has, as far as we know.
#[derive(Debug)]
pub(super) struct Uplink {
    epoch: u64,
    /// The reports that the bridge may name: the one it has, and the one under way.
    committed: Option<Numbered>,
    under_way: Option<(Numbered, Instant)>,
    phase: Phase,
    /// A refused report is not sent again before this, unless another one came.
    refused: Option<(u64, Option<Instant>)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// The bridge has not said yet what it has.
    Greeting,
    Open,
}

/// What to do next.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Next {
    Nothing,
    Send(ReportChange),
    /// The report under way is not decided in time: the session is of no use.
    Late,
}

impl Uplink {
    pub(super) fn new(epoch: u64) -> Self {
        Self { epoch, committed: None, under_way: None, phase: Phase::Greeting, refused: None }
    }

    /// What the bridge has. If it is none of ours, everything is sent.
    pub(super) fn handle_position(&mut self, epoch: u64, revision: u64) {
        let under_way = self.under_way.take().map(|(report, _)| report);
        let known = [self.committed.take(), under_way];
        let is_it = |report: &Numbered| epoch == self.epoch && report.revision == revision;
        self.committed = known.into_iter().flatten().find(is_it);
        self.phase = Phase::Open;
    }

    pub(super) fn handle_committed(&mut self, revision: u64) {
        if let Some((report, _)) = self.under_way.take_if(|(sent, _)| sent.revision == revision) {
            self.committed = Some(report);
            self.refused = None;
        }
    }

    pub(super) fn handle_need_full(&mut self) {
        self.committed = None;
        self.under_way = None;
    }

    pub(super) fn handle_refused(&mut self, is_retryable: bool, now: Instant) {
        // Whether anything of it was taken is not known.
        self.committed = None;
        if let Some((report, _)) = self.under_way.take() {
            let again = is_retryable.then(|| now + limits::RECONNECT_BACKOFF_MAX);
            self.refused = Some((report.revision, again));
        }
    }

    pub(super) fn handle_disconnected(&mut self) {
        self.phase = Phase::Greeting;
        self.refused = None;
    }

    /// What to send, given the newest report.
    pub(super) fn poll(&mut self, report: Option<&Numbered>, now: Instant) -> Next {
        let Some(report) = report else { return Next::Nothing };
        if self.phase == Phase::Greeting {
            return Next::Nothing;
        }
        if let Some((_, since)) = &self.under_way {
            let is_late = now.duration_since(*since) > limits::REPORT_TIMEOUT;
            return if is_late { Next::Late } else { Next::Nothing };
        }
        if self.committed.as_ref().is_some_and(|has| has.revision == report.revision) {
            return Next::Nothing;
        }
        if let Some((revision, again)) = self.refused
            && revision == report.revision
            && again.is_none_or(|again| now < again)
        {
            return Next::Nothing;
        }
        self.under_way = Some((report.clone(), now));
        Next::Send(change(self.epoch, self.committed.as_ref(), report))
    }
}

#[cfg(test)]
mod tests;
