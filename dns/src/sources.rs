//! How much of something each source address holds: one client's flood must not take all of it.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Places by source address, the same number for each. Clones share them.
#[derive(Debug, Clone)]
pub(crate) struct Sources {
    counts: Arc<Mutex<BTreeMap<IpAddr, usize>>>,
    limit: usize,
}

/// A place that is given back when dropped.
#[derive(Debug)]
pub(crate) struct Place {
    sources: Sources,
    source: IpAddr,
}

impl Sources {
    pub(crate) fn new(limit: usize) -> Self {
        Self { counts: Arc::default(), limit }
    }

    /// A place for `source`, if it has one left.
    pub(crate) fn take(&self, source: IpAddr) -> Option<Place> {
        let mut counts = self.counts();
        let count = counts.entry(source).or_default();
        if *count >= self.limit {
            return None;
        }
        *count += 1;
        drop(counts);
        Some(Place { sources: self.clone(), source })
    }

    fn counts(&self) -> MutexGuard<'_, BTreeMap<IpAddr, usize>> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut counts = self.sources.counts();
        if let Some(count) = counts.get_mut(&self.source) {
            *count -= 1;
            if *count == 0 {
                counts.remove(&self.source);
            }
        }
    }
}

#[cfg(test)]
mod tests;
