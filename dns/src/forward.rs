//! Names that are not ours: asked of upstream resolvers, kept for a while, passed on as they came.
//!
//! ```text
//! query -> cache -> (equal query under way? wait for it) -> upstream 1, 2, 3 -> cache -> answer
//! ```
//!
//! Equal queries share one question upstream. That also ends loops: a query that comes back to this
//! proxy, through whatever chain of resolvers, waits for itself until it fails, and multiplies
//! nothing. Answers are passed on as bytes, so that record types of the future need no change here.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use rialto_types::error::Chain;
use rialto_types::limits;
use tokio::sync::{Semaphore, watch};

use crate::convert::Query;
use crate::metrics::Metrics;
use crate::packet::{self, code};
use crate::sources::Sources;

mod cache;
mod upstream;

use cache::Cache;

/// An upstream's whole answer.
pub(crate) type Bytes = Arc<Vec<u8>>;

/// Asks upstream resolvers.
#[derive(Debug)]
pub(crate) struct Forwarder {
    upstreams: Vec<SocketAddr>,
    /// The upstream that answered last: a dead one costs its timeout once, not for each query.
    preferred: AtomicUsize,
    cache: Mutex<Cache>,
    under_way: Mutex<HashMap<Key, watch::Receiver<Option<Outcome>>>>,
    places: Semaphore,
    sources: Sources,
    metrics: Arc<Metrics>,
}

type Outcome = Result<Bytes, Failure>;

/// Why there is no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Failure {
    #[error("no upstream resolver is configured")]
    NoUpstream,
    #[error("no upstream resolver answered")]
    Upstream,
    #[error("too many queries wait for upstream resolvers")]
    Crowded,
    #[error("too many queries of this client wait for upstream resolvers")]
    CrowdedSource,
}

impl Failure {
    pub(crate) fn reason(self) -> &'static str {
        match self {
            Failure::NoUpstream => "no-upstream",
            Failure::Upstream => "upstream",
            Failure::Crowded => "crowded",
            Failure::CrowdedSource => "crowded-source",
        }
    }
}

/// What makes two queries equal: the question in lower case, and what the answer depends on.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Key {
    question: Vec<u8>,
    has_edns: bool,
    dnssec_ok: bool,
    checking_disabled: bool,
}

impl Key {
    fn of(query: &Query) -> Self {
        Self {
            question: query.question_in_lower_case(),
            has_edns: query.edns.is_some(),
            dnssec_ok: query.edns.is_some_and(|edns| edns.dnssec_ok),
            checking_disabled: query.header.checking_disabled,
        }
    }
}

impl Forwarder {
    /// Upstreams that are one of `own` addresses are left out.
    pub(crate) fn new(upstreams: &[SocketAddr], own: &[SocketAddr], metrics: Arc<Metrics>) -> Self {
        let others = upstreams.iter().copied().filter(|upstream| !is_own(*upstream, own));
        let upstreams: Vec<SocketAddr> = others.take(limits::DNS_UPSTREAMS_MAX).collect();
        Self {
            upstreams,
            preferred: AtomicUsize::new(0),
            cache: Mutex::default(),
            under_way: Mutex::default(),
            places: Semaphore::new(limits::DNS_FORWARDS_MAX),
            sources: Sources::new(limits::DNS_FORWARDS_PER_SOURCE_MAX),
            metrics,
        }
    }

    pub(crate) fn upstreams(&self) -> &[SocketAddr] {
        &self.upstreams
    }

    /// An answer that is still good.
    pub(crate) fn cached(&self, query: &Query) -> Option<Bytes> {
        lock(&self.cache).get(&Key::of(query), Instant::now())
    }

    /// An upstream's answer to this query.
    pub(crate) async fn resolve(&self, query: &Query, source: IpAddr) -> Outcome {
        let _place = self.places.try_acquire().map_err(|_| Failure::Crowded)?;
        let _source = self.sources.take(source).ok_or(Failure::CrowdedSource)?;
        let key = Key::of(query);
        loop {
            match self.join(&key) {
                Part::Leads(announce) => {
                    let leader = Leader { forwarder: self, key: &key };
                    let outcome = self.ask(query).await;
                    if let Ok(answer) = &outcome {
                        lock(&self.cache).insert(key.clone(), answer, Instant::now());
                    }
                    drop(leader);
                    announce.send_replace(Some(outcome.clone()));
                    return outcome;
                }
                Part::Follows(mut outcome) => {
                    // A leader whose client left says nothing; somebody else leads.
                    if let Ok(outcome) = outcome.wait_for(Option::is_some).await
                        && let Some(outcome) = outcome.clone()
                    {
                        return outcome;
                    }
                }
            }
        }
    }

    fn join(&self, key: &Key) -> Part {
        let mut under_way = lock(&self.under_way);
        if let Some(outcome) = under_way.get(key) {
            return Part::Follows(outcome.clone());
        }
        let (announce, outcome) = watch::channel(None);
        under_way.insert(key.clone(), outcome);
        Part::Leads(announce)
    }

    async fn ask(&self, query: &Query) -> Outcome {
        let count = self.upstreams.len();
        if count == 0 {
            return Err(Failure::NoUpstream);
        }
        let first = self.preferred.load(Ordering::Relaxed);
        let mut failed_answer = None;
        for offset in 0..count {
            let index = (first + offset) % count;
            let address = self.upstreams[index];
            match upstream::ask(address, query, &self.metrics).await {
                // A resolver that is up and cannot answer is worth a second opinion.
                Ok(answer) if is_failure(&answer) => failed_answer = Some(Arc::new(answer)),
                Ok(answer) => {
                    self.preferred.store(index, Ordering::Relaxed);
                    return Ok(Arc::new(answer));
                }
                Err(error) => {
                    self.metrics.count_upstream_error(error.reason());
                    let error = Chain(&error);
                    tracing::debug!(upstream = %address, %error, "an upstream did not answer");
                }
            }
        }
        failed_answer.ok_or(Failure::Upstream)
    }
}

fn is_failure(answer: &[u8]) -> bool {
    let code = packet::header(answer).map(|header| header.code);
    matches!(code, Some(code::SERVER_FAILURE | code::REFUSED | code::NOT_IMPLEMENTED))
}

/// Whether an upstream is this proxy.
fn is_own(upstream: SocketAddr, own: &[SocketAddr]) -> bool {
    own.iter().any(|own| {
        own.port() == upstream.port()
            && (own.ip().to_canonical() == upstream.ip().to_canonical()
                // A wildcard listener has every address that can be bound here.
                || own.ip().is_unspecified() && UdpSocket::bind((upstream.ip(), 0)).is_ok())
    })
}

enum Part {
    Leads(watch::Sender<Option<Outcome>>),
    Follows(watch::Receiver<Option<Outcome>>),
}

/// Takes its query out of those under way when it ends, however it ends.
struct Leader<'a> {
    forwarder: &'a Forwarder,
    key: &'a Key,
}

impl Drop for Leader<'_> {
    fn drop(&mut self) {
        lock(&self.forwarder.under_way).remove(self.key);
    }
}

/// A panic elsewhere leaves maps of whole values, which are as good as before.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
