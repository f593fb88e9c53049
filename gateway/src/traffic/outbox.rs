//! Reports that wait for the bridge: a few, so that a short loss of the stream loses nothing.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

use rialto_types::limits;
use rialto_types::traffic::Report;
use tokio::sync::Notify;

/// Bounded; the oldest report gives way, and is a gap.
#[derive(Debug, Default)]
pub(crate) struct Outbox {
    reports: Mutex<VecDeque<Report>>,
    filled: Notify,
}

impl Outbox {
    pub(crate) fn put(&self, report: Report) {
        let mut reports = self.reports.lock().unwrap_or_else(PoisonError::into_inner);
        if reports.len() >= limits::TRAFFIC_REPORTS_WAITING_MAX {
            reports.pop_front();
        }
        reports.push_back(report);
        self.filled.notify_one();
    }

    /// The oldest report, once there is one. A future that is dropped takes none.
    pub(crate) async fn take(&self) -> Report {
        loop {
            let filled = self.filled.notified();
            let oldest = self.reports.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
            if let Some(report) = oldest {
                return report;
            }
            filled.await;
        }
    }
}
