//! What only soft state knows: added to documents, and told to the other members.

use std::time::Instant;

use rialto_core::heard::{MemberReport, Report};
use rialto_types::api::MemberRole;
use rialto_types::cluster::{ClusterStatus, trust_domain};
use rialto_types::id::{ClusterName, ResourceName, ServiceName};
use rialto_types::object::{Document, Kind};
use rialto_types::service::ServiceStatus;
use rialto_wire::identity::Fingerprint;

use super::Service;
use crate::authority;
use crate::members::Gathered;
use crate::raft;

/// Whether documents of the kind have a status that only soft state completes.
pub(super) fn is_live(kind: Kind) -> bool {
    match kind {
        Kind::Cluster | Kind::Service => true,
        Kind::JoinToken
        | Kind::Workspace
        | Kind::ServiceExport
        | Kind::HttpRoute
        | Kind::TcpRoute
        | Kind::FailoverPolicy
        | Kind::AccessPolicy => false,
    }
}

pub(super) fn count(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

impl Service {
    /// What this member itself hears.
    pub(crate) fn own_report(&self) -> Report {
        let status = self.raft.status().borrow().clone();
        let role = match status.role {
            raft::Role::Leader => MemberRole::Leader,
            raft::Role::Follower => MemberRole::Follower,
            raft::Role::Candidate => MemberRole::Candidate,
            raft::Role::Learner => MemberRole::Learner,
        };
        let (heard, now) = (self.observed.lock(), Instant::now());
        let member = MemberReport {
            raft_id: status.member.get(),
            role,
            term: status.term,
            applied: status.applied,
            commit: status.commit,
            again_ms: heard.again_ms(now),
        };
        heard.report(Some(member), now)
    }

    /// What all members hear.
    pub(crate) async fn gather(&self) -> Gathered {
        self.members.gather(self.own_report()).await
    }

    /// Adds to a document what only soft state knows.
    pub(super) fn add_status(&self, document: &mut Document, gathered: &Gathered) {
        match document.kind.parse() {
            Ok(Kind::Cluster) => {
                let status = self.cluster_status(&document.metadata.name, gathered);
                document.status = status.and_then(|status| serde_json::to_value(status).ok());
            }
            Ok(Kind::Service) => add_service_status(document, gathered),
            Ok(
                Kind::JoinToken
                | Kind::Workspace
                | Kind::ServiceExport
                | Kind::HttpRoute
                | Kind::TcpRoute
                | Kind::FailoverPolicy
                | Kind::AccessPolicy,
            )
            | Err(_) => {}
        }
    }

    fn cluster_status(&self, name: &ResourceName, gathered: &Gathered) -> Option<ClusterStatus> {
        let name: ClusterName = name.as_str().parse().ok()?;
        let state = self.store.read();
        let view = state.cluster(&name)?;
        let domain = trust_domain(&name);
        let anchor = authority::anchor(&domain, view.issuer).ok();
        Some(ClusterStatus {
            trust_domain: domain,
            anchor_fingerprint: anchor.map(|anchor| Fingerprint::of(&anchor).to_string()),
            agent: gathered.merged.agent(&name),
            gateways: view.gateways.to_vec(),
            subscribers: gathered.merged.subscribers_of(&name).cloned().collect(),
            services: count(view.services),
            exports: count(state.export_count(&name)),
            examined: gathered.merged.examined(&name).cloned(),
        })
    }
}

fn add_service_status(document: &mut Document, gathered: &Gathered) {
    let status = document.status.take().map(serde_json::from_value::<ServiceStatus>);
    let (Some(Ok(mut status)), Some(namespace)) = (status, &document.metadata.namespace) else {
        return;
    };
    let service = ServiceName::new(namespace.clone(), document.metadata.name.clone());
    gathered.merged.add_health(&service, &mut status);
    document.status = serde_json::to_value(status).ok();
}
