//! What a connection carries at the moment.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

/// What a connection carries at the moment: the pool's measure for where a new flow goes.
#[derive(Debug, Default)]
pub struct Load {
    halves: AtomicUsize,
    blocked: AtomicUsize,
    retired: AtomicBool,
    changed: tokio::sync::Notify,
}

impl Load {
    /// Stream halves that are open, ours and the peer's.
    pub fn halves(&self) -> usize {
        self.halves.load(Ordering::Relaxed)
    }

    /// Streams whose last write had to wait for room: each has a queue in front of a new flow.
    pub fn blocked(&self) -> usize {
        self.blocked.load(Ordering::Relaxed)
    }

    /// From here on the connection takes no new flow and ends with those it has.
    pub fn retire(&self) {
        self.retired.store(true, Ordering::Release);
        self.changed.notify_waiters();
    }

    pub fn is_retired(&self) -> bool {
        self.retired.load(Ordering::Acquire)
    }

    /// Resolves when `retire` was called.
    pub async fn retired(&self) {
        loop {
            let changed = self.changed.notified();
            if self.is_retired() {
                return;
            }
            changed.await;
        }
    }

    /// Resolves when no half is open.
    pub async fn idle(&self) {
        loop {
            let changed = self.changed.notified();
            if self.halves() == 0 {
                return;
            }
            changed.await;
        }
    }

    pub(super) fn open_half(self: &Arc<Self>) -> Half {
        self.halves.fetch_add(1, Ordering::Relaxed);
        Half { load: Arc::clone(self), blocked: false }
    }
}

/// Counts one open stream half for as long as it lives.
#[derive(Debug)]
pub(super) struct Half {
    load: Arc<Load>,
    blocked: bool,
}

impl Half {
    pub(super) fn set_blocked(&mut self, blocked: bool) {
        if self.blocked == blocked {
            return;
        }
        self.blocked = blocked;
        if blocked {
            self.load.blocked.fetch_add(1, Ordering::Relaxed);
        } else {
            self.load.blocked.fetch_sub(1, Ordering::Relaxed);
        }
    }
}

impl Drop for Half {
    fn drop(&mut self) {
        self.set_blocked(false);
        if self.load.halves.fetch_sub(1, Ordering::Relaxed) == 1 {
            self.load.changed.notify_waiters();
        }
    }
}
