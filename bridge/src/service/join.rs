//! Redemption of join tokens, and certificates.

use std::sync::Arc;

use rialto_core::state::command::{Action, RedeemToken};
use rialto_core::state::trust::{Issuer, Member};
use rialto_types::cluster::{JoinTokenSpec, Joiner, bridge_trust_domain, trust_domain};
use rialto_types::error::{Code, Problem};
use rialto_types::id::{ClusterName, InstanceId, ResourceName, Role, SpiffeId, TrustDomain};
use rialto_types::limits;
use rialto_wire::grpc::join_server::Join;
use rialto_wire::grpc::{
    Anchor, Credentials, IssueRequest, MemberAddress, MemberSecrets, RedeemRequest, problem_status,
};
use rialto_wire::identity::now;
use rialto_wire::transport::PeerIdentity;
use tonic::{Request, Response, Status};

use super::{
    Answer, Service, authority_problem, cluster_of, membership_problem, not_bootstrapped,
    unexpected,
};
use crate::authority::{self, Secret};
use crate::raft::MemberId;
use crate::store::Outcome;

/// The gRPC face of redemption.
#[derive(Debug, Clone)]
pub(crate) struct JoinService(pub(crate) Arc<Service>);

#[tonic::async_trait]
impl Join for JoinService {
    async fn redeem(
        &self,
        request: Request<RedeemRequest>,
    ) -> Result<Response<Credentials>, Status> {
        let redeemed = self.0.redeem(request.into_inner()).await;
        redeemed.map(Response::new).map_err(|problem| problem_status(&problem))
    }
}

fn malformed(error: &rialto_types::id::Error) -> Problem {
    Problem::new(Code::TokenMalformed, error.to_string())
}

impl Service {
    async fn redeem(&self, request: RedeemRequest) -> Answer<Credentials> {
        let name: ResourceName = request.token_name.parse().map_err(|error| malformed(&error))?;
        let instance: InstanceId = request.id.parse().map_err(|error| malformed(&error))?;
        let secret_hash = Secret::hash_of(&request.secret);
        self.catch_up().await?;
        // What fails here is not proposed: strangers cannot fill the log.
        let checked = self.store.read().check_token(&name, &secret_hash, now()).cloned();
        let spec = checked.map_err(Problem::from)?;
        let domain = spec.cluster.as_ref().map_or_else(bridge_trust_domain, trust_domain);
        let id = SpiffeId::part(&domain, spec.role.role(), &instance);
        // Certified before the token is used up, so that a bad request does not cost the token.
        let mut credentials = self.certify(&id, &request.certificate_request)?;
        let redeem = RedeemToken { name, secret_hash, instance: instance.clone() };
        let actor = format!("token:{}", redeem.name);
        let outcome = self.commit(actor, None, Action::RedeemToken(redeem)).await?;
        let Outcome::Redeemed(JoinTokenSpec { role, .. }) = outcome else {
            return Err(unexpected(&outcome));
        };
        if role == Joiner::Member {
            credentials.member = Some(self.add_member(instance, request.address).await?);
        }
        tracing::info!(%id, "join token redeemed");
        Ok(credentials)
    }

    /// Enters the new member under the next free id. Another one that joins in the same moment may
    /// take it first; ids are never shared, so the one after is tried.
    async fn reserve_raft_id(&self, name: InstanceId, address: String) -> Answer<u64> {
        let mut last = None;
        for _ in 0..limits::MEMBERS_MAX {
            let ids = self.members.all().into_iter().map(|known| known.raft_id);
            let raft_id = ids.max().unwrap_or(0).max(last.unwrap_or(0)) + 1;
            let member = Member { raft_id, name: name.clone(), address: address.clone() };
            let actor = format!("member:{name}");
            match self.commit(actor, None, Action::PutMember(member)).await {
                Ok(_) => return Ok(raft_id),
                Err(problem) if problem.code == Code::Conflict => last = Some(raft_id),
                Err(problem) => return Err(problem),
            }
        }
        let text = format!("other members took every id that was tried for `{name}`");
        Err(Problem::new(Code::Conflict, text).with_hint("join again with a new token"))
    }

    async fn add_member(&self, name: InstanceId, address: String) -> Answer<MemberSecrets> {
        let raft_id = self.reserve_raft_id(name, address).await?;
        let id = MemberId::new(raft_id)
            .ok_or_else(|| Problem::new(Code::Internal, "a member id of zero"))?;
        let added = self.forward.add_learner(id).await;
        added.map_err(|error| membership_problem(&error))?;
        let members = self.members.all().into_iter().map(|known| MemberAddress {
            member_id: known.raft_id,
            address: known.address,
            name: known.name.to_string(),
        });
        Ok(MemberSecrets {
            member_id: raft_id,
            seal_key: self.authority.seal_key().as_bytes().to_vec().into(),
            members: members.collect(),
        })
    }

    /// A certificate for the caller itself, or, for an agent, for a part of its cluster.
    pub(super) fn issue(&self, request: Request<IssueRequest>) -> Answer<Credentials> {
        let caller = match request.extensions().get::<PeerIdentity>() {
            Some(PeerIdentity(Some(id))) => id.clone(),
            Some(PeerIdentity(None)) | None => {
                return Err(Problem::new(
                    Code::IdentityRefused,
                    "the caller showed no certificate",
                ));
            }
        };
        let request = request.into_inner();
        let id = if request.role.is_empty() { caller } else { self.part_of(&caller, &request)? };
        if id.as_part().is_none() {
            return Err(Problem::new(Code::IdentityRefused, format!("`{id}` is not a part")));
        }
        self.certify(&id, &request.certificate_request)
    }

    fn part_of(&self, caller: &SpiffeId, request: &IssueRequest) -> Answer<SpiffeId> {
        let refuse = |text: String| Problem::new(Code::IdentityRefused, text);
        let is_agent = caller.as_part().is_some_and(|(role, _)| role == Role::Agent);
        let cluster = cluster_of(caller).filter(|_| is_agent);
        let Some(cluster) = cluster else {
            return Err(refuse(format!(
                "only an agent may ask for others, and `{caller}` is none"
            )));
        };
        let role: Role = request.role.parse().map_err(|error| malformed(&error))?;
        if !matches!(role, Role::Gateway | Role::Dns) {
            return Err(refuse(format!("an agent may not ask for a certificate of a {role}")));
        }
        let instance: InstanceId = request.id.parse().map_err(|error| malformed(&error))?;
        Ok(SpiffeId::part(&trust_domain(&cluster), role, &instance))
    }

    pub(crate) fn certify(&self, id: &SpiffeId, csr: &[u8]) -> Answer<Credentials> {
        let cluster = cluster_of(id);
        let issuer = self.issuer(cluster.as_ref())?;
        let chain = self.authority.certify(csr, id, &issuer, now());
        let chain = chain.map_err(|error| authority_problem(&error).with_subject(id))?;
        Ok(Credentials {
            spiffe_id: id.to_string(),
            chain: chain.into_iter().map(Into::into).collect(),
            anchors: self.anchors(cluster.as_ref())?,
            bridges: self.members.all().into_iter().map(|known| known.address).collect(),
            member: None,
        })
    }

    fn issuer(&self, cluster: Option<&ClusterName>) -> Answer<Issuer> {
        let state = self.store.read();
        let issuer = match cluster {
            Some(name) => state.cluster(name).map(|cluster| cluster.issuer.clone()),
            None => state.federation().map(|federation| federation.issuer.clone()),
        };
        issuer.ok_or_else(|| match cluster {
            Some(name) => Problem::new(Code::ClusterUnknown, format!("no cluster `{name}`")),
            None => not_bootstrapped(),
        })
    }

    /// Whom a part must believe: the bridge, and its own cluster. Gateways learn the other
    /// clusters' anchors from their snapshot; members believe everybody.
    fn anchors(&self, cluster: Option<&ClusterName>) -> Answer<Vec<Anchor>> {
        let state = self.store.read();
        let decode = |domain: &TrustDomain, issuer: &Issuer| -> Answer<Anchor> {
            let anchor = authority::anchor(domain, issuer);
            let certificate = anchor.map_err(|error| authority_problem(&error))?.into();
            Ok(Anchor { trust_domain: domain.to_string(), certificate })
        };
        let mut anchors = Vec::new();
        if let Some(federation) = state.federation() {
            anchors.push(decode(&bridge_trust_domain(), &federation.issuer)?);
        }
        for view in state.clusters() {
            if cluster.is_none_or(|cluster| cluster == view.name) {
                anchors.push(decode(&trust_domain(view.name), view.issuer)?);
            }
        }
        Ok(anchors)
    }
}
