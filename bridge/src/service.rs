//! What a member does for others: the REST API's `ControlPlane`, and the gRPC services.
//!
//! - `service/rest.rs`: people
//! - `service/join.rs`: redemption and certificates
//! - `service/control.rs`: agents' sessions and subscriptions
//! - `service/members.rs`: what the other members ask
//! - `service/status.rs`: what only soft state knows, for documents and for the others

mod control;
mod install;
mod join;
mod members;
mod rest;
mod status;
mod watch;

use std::sync::Arc;
use std::time::Instant;

use rialto_core::state::command::{Action, Command};
use rialto_core::traffic::{Gateway, Window};
use rialto_types::cluster::trust_domain;
use rialto_types::error::{Chain, Code, Problem};
use rialto_types::id::{ClusterName, InstanceId, Role, SpiffeId};
use rialto_wire::grpc::Heartbeat;
use rialto_wire::identity::now;
use rialto_wire::transport::PeerIdentity;

use crate::authority::{self, Authority};
use crate::members::Members;
use crate::metrics::Metrics;
use crate::observed::Observed;
use crate::publish::Publisher;
use crate::raft::transport::forward::Forward;
use crate::raft::{self, MembershipError, Raft};
use crate::session::Sessions;
use crate::store::{Outcome, Store};
use crate::traffic::Traffic;
use crate::views::Views;

pub(crate) use control::{ControlService, Subscribers};
pub(crate) use join::JoinService;
pub(crate) use members::MembersService;
pub(crate) use rest::RestService;

/// Everything that answering needs; one per process.
#[derive(Debug)]
pub(crate) struct Service {
    pub(crate) id: InstanceId,
    pub(crate) store: Store,
    pub(crate) raft: Raft,
    pub(crate) forward: Forward,
    pub(crate) members: Arc<Members>,
    pub(crate) observed: Observed,
    pub(crate) traffic: Traffic,
    pub(crate) publisher: Publisher,
    pub(crate) authority: Arc<Authority>,
    pub(crate) subscribers: Subscribers,
    pub(crate) sessions: Sessions,
    pub(crate) views: Views,
    pub(crate) metrics: Metrics,
}

type Answer<T> = Result<T, Problem>;

impl Service {
    /// Commits one command; a refusal is a problem.
    pub(crate) async fn commit(
        &self,
        actor: String,
        reason: Option<String>,
        action: Action,
    ) -> Answer<Outcome> {
        let started = Instant::now();
        let command = Command { now: now(), actor, reason, action };
        let applied = self.forward.propose(command.encode().into()).await;
        self.metrics.proposed(applied.is_ok(), started.elapsed());
        let applied = applied.map_err(|error| raft_problem(&error))?;
        let outcome = serde_json::from_slice(&applied.result).map_err(|error| {
            Problem::new(Code::Internal, format!("the leader's answer cannot be read: {error}"))
        })?;
        if let Outcome::Refused(problem) = outcome {
            return Err(*problem);
        }
        Ok(outcome)
    }

    /// A sign of life that names all members.
    fn heartbeat(&self) -> Heartbeat {
        let bridges = self.members.all().into_iter().map(|known| known.address).collect();
        Heartbeat { bridges, takes_traffic: true }
    }

    /// Waits until everything acknowledged anywhere is applied here: a linearizable read.
    async fn catch_up(&self) -> Answer<()> {
        self.raft.read_index().await.map(|_| ()).map_err(|error| raft_problem(&error))
    }

    /// What the gateways of all clusters carried in the last minutes, as all members know it.
    pub(crate) async fn traffic(&self) -> Window {
        self.traffic.refresh().await;
        let expected = {
            let state = self.store.read();
            let gateway = |cluster: &ClusterName, id: &InstanceId| Gateway {
                cluster: cluster.clone(),
                id: id.clone(),
            };
            let clusters = state.clusters();
            let gateways = clusters.flat_map(|view| {
                view.gateways.iter().map(move |held| gateway(view.name, &held.id))
            });
            gateways.collect()
        };
        self.traffic.window(expected, Instant::now())
    }
}

/// The leader answered something else than was asked: another release, or a bug.
fn unexpected(outcome: &Outcome) -> Problem {
    Problem::new(Code::Internal, format!("the leader answered {outcome:?}"))
        .with_hint("run the same release on every member")
}

fn raft_problem(error: &raft::Error) -> Problem {
    let code = match error {
        raft::Error::NotLeader { .. } => Code::NoLeader,
        raft::Error::Timeout => Code::CommitTimeout,
        raft::Error::Overloaded => Code::Overloaded,
        raft::Error::TooLarge { .. } => Code::BodyTooLarge,
        raft::Error::Shutdown => Code::MemberUnreachable,
    };
    Problem::new(code, error.to_string())
}

fn authority_problem(error: &authority::Error) -> Problem {
    Problem::new(error.code(), Chain(error).to_string())
}

fn not_bootstrapped() -> Problem {
    Problem::new(Code::NoLeader, "the federation is not bootstrapped yet")
        .with_hint("start the first member, and ask again when its `/readyz` says `ok`")
}

fn membership_problem(error: &MembershipError) -> Problem {
    match error {
        MembershipError::Request(error) => raft_problem(error),
        MembershipError::ChangePending | MembershipError::Behind { .. } => {
            Problem::new(Code::NoLeader, error.to_string())
        }
        MembershipError::AlreadyMember(_)
        | MembershipError::NotLearner(_)
        | MembershipError::Refused => Problem::new(Code::Conflict, error.to_string()),
    }
}

/// Who calls, if it is a part of a cluster with one of these roles.
fn cluster_part(
    extensions: &tonic::Extensions,
    roles: &[Role],
) -> Result<(ClusterName, Role, InstanceId), tonic::Status> {
    let refuse = |text: String| {
        let roles: Vec<&str> = roles.iter().map(|role| role.as_str()).collect();
        let problem = Problem::new(Code::IdentityRefused, text)
            .with_expected(format!("a certificate of: {}", roles.join(", ")));
        rialto_wire::grpc::problem_status(&problem)
    };
    let Some(PeerIdentity(Some(id))) = extensions.get::<PeerIdentity>() else {
        return Err(refuse("the caller showed no certificate".into()));
    };
    let part = id.as_part().filter(|(role, _)| roles.contains(role));
    let Some(((role, instance), cluster)) = part.zip(cluster_of(id)) else {
        return Err(refuse(format!("`{id}` may not call this")));
    };
    Ok((cluster, role, instance))
}

/// The cluster in whose trust domain an identity is.
fn cluster_of(id: &SpiffeId) -> Option<ClusterName> {
    let domain = id.trust_domain();
    let cluster: ClusterName = domain.as_str().strip_suffix(".rialto")?.parse().ok()?;
    (trust_domain(&cluster) == domain).then_some(cluster)
}
