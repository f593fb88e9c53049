//! The agent of cluster `east`, played by a test towards a real member.

use rialto_types::cluster::bridge_trust_domain;
use rialto_types::id::Role;
use rialto_types::report::ReportChange;
use rialto_wire::enroll;
use rialto_wire::grpc::agent_message::Message as FromAgent;
use rialto_wire::grpc::agent_reply::Message as ToAgent;
use rialto_wire::grpc::control_client::ControlClient;
use rialto_wire::grpc::{AgentHello, AgentMessage};
use rialto_wire::identity::{Expected, Identity, TrustBundle, token};
use rialto_wire::transport;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;

use crate::rest::{Bridge, EAST};

pub(crate) struct Agent {
    pub(crate) identity: Identity,
    pub(crate) bundle: TrustBundle,
    /// Where the members are, and whom they prove to be.
    pub(crate) bridges: Vec<String>,
    pub(crate) member: Expected,
}

impl Agent {
    pub(crate) async fn join(bridge: &Bridge) -> Self {
        let file = bridge.file("east.yaml", EAST).display().to_string();
        bridge.told(&["apply", "-f", &file]);
        let token = bridge.told(&["join", "token", "--cluster", "east"]);
        let token = token::decode(&token).expect("a token");
        let id = "agent".parse().expect("an id");
        let (agent, _) = enroll::redeem(&token, &id, "").await.expect("redeemed");
        let bundle = agent.bundle.clone();
        let identity = Identity::new(agent.svid, agent.bundle);
        let member = Expected::Part { domain: bridge_trust_domain(), role: Role::Member };
        Self { identity, bundle, bridges: agent.contacts.bridges, member }
    }

    /// The first report: nothing is there.
    pub(crate) fn empty_report() -> ReportChange {
        ReportChange {
            cluster: "east".parse().expect("a cluster name"),
            epoch: 1,
            base: None,
            revision: 1,
            namespaces: None,
            gateways: Vec::new(),
            services: Default::default(),
            removed: Vec::new(),
            virtual_ips: None,
        }
    }

    /// Reports and waits until that is committed; `before` is sent after the greeting.
    pub(crate) async fn report(&self, report: &ReportChange, before: Option<AgentMessage>) {
        let bytes = serde_json::to_vec(report).expect("text keys only");
        let (sender, outgoing) = mpsc::channel(8);
        let message = |message| AgentMessage { message: Some(message) };
        let hello = message(FromAgent::Hello(AgentHello::default()));
        let report_message = message(FromAgent::Report(bytes.into()));
        for message in [Some(hello), before, Some(report_message)].into_iter().flatten() {
            sender.send(message).await.expect("room");
        }
        let (bridges, member) = (self.bridges.clone(), self.member.clone());
        let channel = transport::connect(bridges, &self.identity, member);
        let mut client = ControlClient::new(channel);
        let replies = client.agent(ReceiverStream::new(outgoing)).await;
        let mut replies = replies.expect("a session").into_inner();
        loop {
            let reply = replies.message().await.expect("no error").expect("the session goes on");
            match reply.message {
                Some(ToAgent::Committed(revision)) => break assert_eq!(revision, report.revision),
                Some(ToAgent::Refused(problem)) => panic!("refused: {problem:?}"),
                Some(ToAgent::Position(_) | ToAgent::NeedFull(_) | ToAgent::Heartbeat(_))
                | None => {}
            }
        }
    }
}
