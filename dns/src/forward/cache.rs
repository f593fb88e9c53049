//! Answers of upstream resolvers, for as long as they say.
//!
//! Two halves: what is used moves to the young half; when that is full, the old half is forgotten
//! and the young one becomes it. That keeps what is asked often, at a fixed cost and without a
//! list.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rialto_types::limits;

use super::{Bytes, Key};
use crate::packet::{self, Layout, code};

#[derive(Debug, Default)]
pub(crate) struct Cache {
    young: HashMap<Key, Entry>,
    old: HashMap<Key, Entry>,
}

#[derive(Debug, Clone)]
struct Entry {
    answer: Bytes,
    layout: Arc<Layout>,
    stored: Instant,
    expires: Instant,
}

impl Cache {
    /// The answer with times to live as they are at `now`.
    pub(crate) fn get(&mut self, key: &Key, now: Instant) -> Option<Bytes> {
        let entry = match self.young.get(key) {
            Some(entry) => entry.clone(),
            None => {
                let entry = self.old.remove(key)?;
                if now < entry.expires {
                    self.put(key.clone(), entry.clone());
                }
                entry
            }
        };
        if now >= entry.expires {
            self.young.remove(key);
            return None;
        }
        let age_s = u32::try_from((now - entry.stored).as_secs()).unwrap_or(u32::MAX);
        if age_s == 0 {
            return Some(entry.answer);
        }
        let mut bytes = entry.answer.to_vec();
        for (at, ttl) in &entry.layout.ttls {
            let left = ttl.saturating_sub(age_s);
            bytes[*at..at + 4].copy_from_slice(&left.to_be_bytes());
        }
        Some(Arc::new(bytes))
    }

    /// Keeps an answer, if it may be kept.
    pub(super) fn insert(&mut self, key: Key, answer: &Bytes, now: Instant) {
        if answer.len() > limits::DNS_CACHE_ENTRY_BYTES_MAX {
            return;
        }
        let Some(layout) = packet::layout(answer) else { return };
        let Some(lifetime) = lifetime(answer, &layout) else { return };
        if lifetime.is_zero() {
            return;
        }
        let (answer, layout) = (Arc::clone(answer), Arc::new(layout));
        self.put(key, Entry { answer, layout, stored: now, expires: now + lifetime });
    }

    fn put(&mut self, key: Key, entry: Entry) {
        if self.young.len() >= limits::DNS_CACHE_ENTRIES_MAX / 2 {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(key, entry);
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.young.len() + self.old.len()
    }
}

/// How long an answer may be kept; `None` for one that may not.
fn lifetime(answer: &[u8], layout: &Layout) -> Option<Duration> {
    let header = packet::header(answer)?;
    let is_positive = header.code == code::NO_ERROR && header.counts[1] > 0;
    let is_negative = header.code == code::NO_SUCH_NAME || header.code == code::NO_ERROR;
    let seconds = |ttl: u32| Duration::from_secs(ttl.into());
    if header.is_truncated {
        None
    } else if is_positive {
        Some(seconds(layout.ttl_min()?).min(limits::DNS_CACHE_TTL_MAX))
    } else if is_negative {
        // Without a SOA nobody says for how long (RFC 2308, 5).
        Some(seconds(layout.negative_ttl?).min(limits::DNS_CACHE_NEGATIVE_TTL_MAX))
    } else {
        None
    }
}

#[cfg(test)]
mod tests;
