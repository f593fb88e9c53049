//! What the other members ask.

use std::sync::Arc;
use std::time::Instant;

use rialto_types::cluster::bridge_trust_domain;
use rialto_types::error::{Code, Problem};
use rialto_types::id::{InstanceId, Role};
use rialto_wire::grpc::members_server::Members;
use rialto_wire::grpc::{
    ExplainAnswer, ExplainRelay, ObservedReply, ObservedRequest, TrafficReply, TrafficRequest,
    problem_status,
};
use rialto_wire::transport::PeerIdentity;
use tonic::{Request, Response, Status};

use super::Service;

#[derive(Debug, Clone)]
pub(crate) struct MembersService(pub(crate) Arc<Service>);

fn check_member<T>(request: &Request<T>) -> Result<(), Status> {
    let is_member = match request.extensions().get::<PeerIdentity>() {
        Some(PeerIdentity(Some(id))) => {
            id.trust_domain() == bridge_trust_domain()
                && id.as_part().is_some_and(|(role, _)| role == Role::Member)
        }
        Some(PeerIdentity(None)) | None => false,
    };
    if is_member {
        return Ok(());
    }
    let text = "only members of the control plane may call this service";
    Err(problem_status(&Problem::new(Code::IdentityRefused, text)))
}

#[tonic::async_trait]
impl Members for MembersService {
    async fn observed(
        &self,
        request: Request<ObservedRequest>,
    ) -> Result<Response<ObservedReply>, Status> {
        check_member(&request)?;
        let report = self.0.own_report();
        let observed = serde_json::to_vec(&report).expect("text keys only").into();
        Ok(Response::new(ObservedReply { observed }))
    }

    async fn explain(
        &self,
        request: Request<ExplainRelay>,
    ) -> Result<Response<ExplainAnswer>, Status> {
        check_member(&request)?;
        let relay = request.into_inner();
        let cluster = relay
            .cluster
            .parse()
            .map_err(|_| Status::invalid_argument("the question names no cluster"))?;
        let gateway: Option<InstanceId> = relay.gateway.parse().ok();
        match self.0.subscribers.explain(&cluster, gateway.as_ref(), relay.request).await {
            Some(answer) => Ok(Response::new(answer)),
            None => Err(Status::not_found("no such gateway is subscribed here")),
        }
    }

    async fn traffic(
        &self,
        request: Request<TrafficRequest>,
    ) -> Result<Response<TrafficReply>, Status> {
        check_member(&request)?;
        Ok(Response::new(self.0.traffic.since(request.get_ref(), Instant::now())))
    }
}
