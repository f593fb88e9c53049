//! Active health checks: probes endpoints when `core::health::Check` says so, and tells changes.
//!
//! One task owns all checks. A probe that is due while too many run waits for a free place before
//! it starts, so that a crowded agent never takes its own slowness for an endpoint's.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rialto_core::health::{Check, check};
use rialto_types::limits;
use rialto_types::local::EndpointHealth;
use tokio::net::TcpStream;
use tokio::sync::{mpsc, watch};
use tokio::task::{AbortHandle, JoinSet};

use crate::fold::Target;
use crate::provider::{CheckSpec, Probe};

/// What is to be checked.
pub type Wanted = Arc<BTreeMap<Target, CheckSpec>>;

/// Runs until `wanted` is dropped, or nobody reads `results`.
pub async fn run(
    mut wanted: watch::Receiver<Wanted>,
    results: mpsc::Sender<(Target, EndpointHealth)>,
) {
    let mut checker = Checker::default();
    let first = wanted.borrow_and_update().clone();
    checker.handle_wanted(&first, Instant::now());
    loop {
        checker.handle_due(Instant::now());
        while let Some(changed) = checker.changes.pop_front() {
            if results.send(changed).await.is_err() {
                return;
            }
        }
        let due = checker.poll_timeout();
        let event = tokio::select! {
            // After a standstill a probe that has ended comes before the end of its time.
            biased;
            changed = wanted.changed() => match changed {
                Ok(()) => Event::Wanted,
                Err(_) => Event::Stop,
            },
            Some(probed) = checker.probes.join_next() => Event::Probed(probed.ok()),
            () = sleep_until(due) => Event::Due,
        };
        match event {
            Event::Wanted => {
                let next = wanted.borrow_and_update().clone();
                checker.handle_wanted(&next, Instant::now());
            }
            Event::Probed(probed) => checker.handle_probed(probed, Instant::now()),
            Event::Due => {}
            Event::Stop => return,
        }
    }
}

enum Event {
    Wanted,
    /// `None` is a probe that was dropped.
    Probed(Option<Probed>),
    Due,
    Stop,
}

struct Probed {
    target: Target,
    number: u64,
    passed: bool,
}

#[derive(Default)]
struct Checker {
    entries: BTreeMap<Target, Entry>,
    due: BTreeSet<(Instant, Target)>,
    /// Due, and waiting for a free place.
    crowded: VecDeque<Target>,
    probes: JoinSet<Probed>,
    probe_number: u64,
    changes: VecDeque<(Target, EndpointHealth)>,
}

struct Entry {
    spec: CheckSpec,
    check: Check,
    /// Where this entry stands in `due`.
    due: Instant,
    running: Option<(u64, AbortHandle)>,
}

impl Checker {
    fn handle_wanted(&mut self, wanted: &BTreeMap<Target, CheckSpec>, now: Instant) {
        let due = &mut self.due;
        self.entries.retain(|target, entry| {
            let stays = wanted.get(target) == Some(&entry.spec);
            if !stays {
                due.remove(&(entry.due, target.clone()));
                entry.stop();
            }
            stays
        });
        let mut offset = Duration::ZERO;
        for (target, spec) in wanted {
            if self.entries.contains_key(target) {
                continue;
            }
            let first = now
                + Duration::from_nanos(
                    (offset.as_nanos() % spec.interval.as_nanos().max(1)) as u64,
                );
            offset += limits::CHECK_SPACING;
            let config = check::Config {
                interval: spec.interval,
                timeout: spec.timeout,
                rise: spec.healthy_after,
                fall: spec.unhealthy_after,
            };
            let check = Check::new(config, first);
            let entry = Entry { spec: spec.clone(), check, due: first, running: None };
            self.due.insert((first, target.clone()));
            self.entries.insert(target.clone(), entry);
        }
    }

    fn poll_timeout(&self) -> Option<Instant> {
        self.due.first().map(|(at, _)| *at)
    }

    /// Starts and ends what is due.
    fn handle_due(&mut self, now: Instant) {
        while self.probes.len() < limits::CHECKS_CONCURRENT_MAX {
            let Some(target) = self.crowded.pop_front() else { break };
            self.advance(&target, now);
        }
        while let Some((at, _)) = self.due.first()
            && *at <= now
            && let Some((_, target)) = self.due.pop_first()
        {
            let is_full = self.probes.len() >= limits::CHECKS_CONCURRENT_MAX;
            let probes_now = self.entries.get(&target).is_some_and(|e| e.running.is_some());
            if is_full && !probes_now {
                self.crowded.push_back(target);
            } else {
                self.advance(&target, now);
            }
        }
    }

    fn handle_probed(&mut self, probed: Option<Probed>, now: Instant) {
        let Some(Probed { target, number, passed }) = probed else { return };
        let Some(entry) = self.entries.get_mut(&target) else { return };
        // A probe that was replaced may still have ended.
        if entry.running.as_ref().map(|(number, _)| *number) != Some(number) {
            return;
        }
        entry.running = None;
        match passed {
            true => entry.check.handle_passed(now),
            false => entry.check.handle_failed(now),
        }
        self.settle(&target);
    }

    fn advance(&mut self, target: &Target, now: Instant) {
        if let Some(entry) = self.entries.get_mut(target) {
            entry.check.handle_timeout(now);
            self.settle(target);
        }
    }

    /// Does what the check asks for, and notes when it is due again.
    fn settle(&mut self, target: &Target) {
        let Some(entry) = self.entries.get_mut(target) else { return };
        while let Some(event) = entry.check.poll_event() {
            match event {
                check::Event::Probe => {
                    entry.stop();
                    self.probe_number += 1;
                    let (number, probe) = (self.probe_number, entry.spec.probe.clone());
                    let target = target.clone();
                    let handle = self.probes.spawn(async move {
                        let passed = passes(&probe, target.address).await;
                        Probed { target, number, passed }
                    });
                    entry.running = Some((number, handle));
                }
                check::Event::Changed(health) => self.changes.push_back((target.clone(), health)),
            }
        }
        let due = entry.check.poll_timeout();
        self.due.remove(&(entry.due, target.clone()));
        self.due.insert((due, target.clone()));
        entry.due = due;
    }
}

impl Entry {
    fn stop(&mut self) {
        if let Some((_, handle)) = self.running.take() {
            handle.abort();
        }
    }
}

async fn sleep_until(at: Option<Instant>) {
    match at {
        Some(at) => tokio::time::sleep_until(at.into()).await,
        None => std::future::pending().await,
    }
}

async fn passes(probe: &Probe, address: SocketAddr) -> bool {
    let Ok(stream) = TcpStream::connect(address).await else { return false };
    match probe {
        Probe::Tcp => true,
        Probe::Http { path } => {
            http_status(stream, address, path).await.is_some_and(|s| (200..400).contains(&s))
        }
    }
}

/// The status of `GET path`. The body is not read: the connection is dropped.
async fn http_status(stream: TcpStream, address: SocketAddr, path: &str) -> Option<u16> {
    let request = http::Request::get(path)
        .header(http::header::HOST, address.to_string())
        .header(http::header::USER_AGENT, "rialto-check")
        .header(http::header::CONNECTION, "close")
        .body(http_body_util::Empty::<bytes::Bytes>::new())
        .ok()?;
    let (mut sender, connection) = hyper::client::conn::http1::Builder::new()
        .max_buf_size(limits::CHECK_HEAD_BYTES_MAX)
        .handshake(hyper_util::rt::TokioIo::new(stream))
        .await
        .ok()?;
    let answer = sender.send_request(request);
    tokio::pin!(answer, connection);
    // A connection that ended may have brought the answer first.
    let answer = tokio::select! {
        answer = &mut answer => answer,
        _ = &mut connection => answer.await,
    };
    answer.ok().map(|answer| answer.status().as_u16())
}

#[cfg(test)]
mod tests;
