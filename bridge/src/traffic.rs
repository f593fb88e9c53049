//! The gateways' figures: what is told to this member, and what the other members hold of it.
//!
//! ```text
//!  gateway ── report ──▶ own rings ◀── since a position ── other members
//!  people ── ask ──▶ gatherer (every 2 s, while somebody asks) ──▶ a mirror of each other member
//!                    own rings and mirrors ── merge ──▶ Window
//! ```

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use futures::future::join_all;
use rialto_core::state::trust::Member;
use rialto_core::traffic::{Gateway, Refused, Rings, Silent, Sources, Told, Window};
use rialto_types::id::InstanceId;
use rialto_types::limits;
use rialto_types::traffic::{self, Report};
use rialto_wire::grpc::{TrafficInterval, TrafficReply, TrafficRequest};
use rialto_wire::identity::now;
use tokio::sync::{Notify, watch};

use crate::members::Members;
use crate::raft::MemberId;

/// The figures that this member knows; one per process.
#[derive(Debug)]
pub(crate) struct Traffic {
    /// When this member began to number what it is told.
    epoch: u64,
    own: Mutex<Rings>,
    mirrors: Mutex<BTreeMap<MemberId, Mirror>>,
    asked: Notify,
    last_asked: Mutex<Option<Instant>>,
    gathered: watch::Sender<Option<Instant>>,
}

/// What another member holds, as far as it told.
#[derive(Debug)]
struct Mirror {
    name: InstanceId,
    rings: Rings,
    epoch: u64,
    position: u64,
    answered: Option<Instant>,
    is_silent: bool,
}

/// Why a report is not kept.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PushError {
    #[error("it is not valid")]
    Invalid(#[source] traffic::Error),
    #[error("there is no place for it")]
    Refused(#[source] Refused),
}

impl PushError {
    /// The counter's label.
    pub(crate) fn label(&self) -> &'static str {
        match self {
            Self::Invalid(_) => "invalid",
            Self::Refused(Refused::OutOfOrder) => "out_of_order",
            Self::Refused(Refused::TooManyGateways) => "too_many_gateways",
        }
    }
}

impl Traffic {
    pub(crate) fn new() -> Self {
        Self {
            epoch: now().unix_ms,
            own: Mutex::new(Rings::new(Instant::now())),
            mirrors: Mutex::default(),
            asked: Notify::new(),
            last_asked: Mutex::default(),
            gathered: watch::Sender::default(),
        }
    }

    /// Keeps what a gateway counted.
    pub(crate) fn push(
        &self,
        gateway: Gateway,
        document: &[u8],
        now: Instant,
    ) -> Result<(), PushError> {
        let report = Report::parse(document).map_err(PushError::Invalid)?;
        lock(&self.own).push(gateway, report, now).map_err(PushError::Refused)
    }

    /// Answers another member.
    pub(crate) fn since(&self, request: &TrafficRequest, now: Instant) -> TrafficReply {
        let position = if request.epoch == self.epoch { request.position } else { 0 };
        let page = lock(&self.own).since(position, limits::TRAFFIC_ANSWER_BYTES, now);
        let intervals = page.told.into_iter().map(|told| TrafficInterval {
            cluster: told.gateway.cluster.to_string(),
            gateway: told.gateway.id.to_string(),
            age_ms: u64::try_from(told.age.as_millis()).unwrap_or(u64::MAX),
            report: told.report.to_json().into(),
        });
        let intervals = intervals.collect();
        TrafficReply { epoch: self.epoch, position: page.position, more: page.more, intervals }
    }

    /// Waits until what the other members hold is known well enough; who does not answer in time
    /// is a gap.
    pub(crate) async fn refresh(&self) {
        *lock(&self.last_asked) = Some(Instant::now());
        self.asked.notify_one();
        let mut gathered = self.gathered.subscribe();
        let is_fresh =
            |at: &Option<Instant>| at.is_some_and(|at| at.elapsed() < 2 * limits::TRAFFIC_STEP);
        let wait = gathered.wait_for(is_fresh);
        if tokio::time::timeout(2 * limits::MEMBER_ANSWER_TIMEOUT, wait).await.is_err() {
            tracing::debug!("the other members' figures are not fresh");
        }
    }

    /// What all members together know.
    pub(crate) fn window(&self, expected: BTreeSet<Gateway>, now: Instant) -> Window {
        let mirrors = lock(&self.mirrors);
        let own = lock(&self.own);
        let silent = mirrors.values().filter(|mirror| mirror.is_silent).map(|mirror| Silent {
            member: mirror.name.clone(),
            since: mirror.answered.map(|at| now.saturating_duration_since(at)),
        });
        let silent = silent.collect();
        let others = mirrors.values().map(|mirror| &mirror.rings);
        let rings: Vec<&Rings> = std::iter::once(&*own).chain(others).collect();
        Window::merge(&Sources { rings: &rings, expected, silent }, now)
    }

    /// Asks the other members every moment, as long as somebody asks this one.
    pub(crate) async fn gather(&self, members: &Members) {
        loop {
            if !self.is_wanted() {
                let asked = tokio::time::timeout(limits::TRAFFIC_FORGOTTEN, self.asked.notified());
                if asked.await.is_err() {
                    lock(&self.mirrors).clear();
                    continue;
                }
            }
            let started = Instant::now();
            self.ask_all(members).await;
            self.gathered.send_replace(Some(started));
            tokio::time::sleep(limits::TRAFFIC_STEP.saturating_sub(started.elapsed())).await;
        }
    }

    fn is_wanted(&self) -> bool {
        lock(&self.last_asked).is_some_and(|at| at.elapsed() < 3 * limits::TRAFFIC_STEP)
    }

    async fn ask_all(&self, members: &Members) {
        let others = members.others();
        {
            let mut mirrors = lock(&self.mirrors);
            mirrors.retain(|member, _| others.iter().any(|(other, _)| other == member));
            for (member, Member { name, .. }) in &others {
                let mirror = || Mirror {
                    name: name.clone(),
                    rings: Rings::new(Instant::now()),
                    epoch: 0,
                    position: 0,
                    answered: None,
                    is_silent: false,
                };
                mirrors.entry(*member).or_insert_with(mirror);
            }
        }
        join_all(others.iter().map(|(member, _)| self.ask(members, *member))).await;
    }

    /// Takes what a member was told since it was last asked.
    async fn ask(&self, members: &Members, member: MemberId) {
        for _ in 0..limits::TRAFFIC_ANSWERS_MAX {
            let request = {
                let mirrors = lock(&self.mirrors);
                let Some(mirror) = mirrors.get(&member) else { return };
                TrafficRequest { epoch: mirror.epoch, position: mirror.position }
            };
            let reply = members.traffic(member, request).await;
            let mut mirrors = lock(&self.mirrors);
            let Some(mirror) = mirrors.get_mut(&member) else { return };
            let Some(reply) = reply else {
                mirror.is_silent = true;
                return;
            };
            let more = reply.more;
            mirror.take(reply, Instant::now());
            if !more {
                return;
            }
        }
    }
}

impl Mirror {
    fn take(&mut self, reply: TrafficReply, now: Instant) {
        self.epoch = reply.epoch;
        self.position = reply.position;
        self.answered = Some(now);
        self.is_silent = false;
        for interval in reply.intervals {
            let Some(told) = read(&interval) else {
                tracing::debug!(member = %self.name, "a member told what cannot be read");
                continue;
            };
            // A member that began a new numbering tells what is known already once more.
            let _ = self.rings.take(told, now);
        }
    }
}

fn read(interval: &TrafficInterval) -> Option<Told> {
    Some(Told {
        gateway: Gateway {
            cluster: interval.cluster.parse().ok()?,
            id: interval.gateway.parse().ok()?,
        },
        age: Duration::from_millis(interval.age_ms),
        report: Report::parse(&interval.report).ok()?,
    })
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
