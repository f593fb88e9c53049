//! A part of a newer release says what a member does not know: a sign of life, and nothing else.

use rialto_types::cluster::bridge_trust_domain;
use rialto_types::id::{InstanceId, Role};
use rialto_types::report::ReportChange;
use rialto_wire::enroll;
use rialto_wire::grpc::agent_message::Message as FromAgent;
use rialto_wire::grpc::agent_reply::Message as ToAgent;
use rialto_wire::grpc::bridge_message::Message as ToSubscriber;
use rialto_wire::grpc::control_client::ControlClient;
use rialto_wire::grpc::subscriber_message::Message as FromSubscriber;
use rialto_wire::grpc::{
    AgentHello, AgentMessage, IssueRequest, SubscriberHello, SubscriberMessage,
};
use rialto_wire::identity::{Expected, Identity, KeyRequest, token};
use rialto_wire::transport;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;

use crate::rest::{Bridge, EAST};

#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_message_does_not_end_a_stream() {
    let bridge = Bridge::start();
    let verb = |arguments: &[&str]| {
        let output = bridge.rialto(arguments);
        assert!(output.status.success(), "{arguments:?}: {output:?}");
        String::from_utf8(output.stdout).expect("text")
    };
    let file = bridge.file("east.yaml", EAST).display().to_string();
    verb(&["apply", "-f", &file]);
    let token = token::decode(&verb(&["join", "token", "--cluster", "east"])).expect("a token");
    let id: InstanceId = "agent".parse().expect("an id");
    let (agent, _) = enroll::redeem(&token, &id, "").await.expect("redeemed");
    let bundle = agent.bundle.clone();
    let identity = Identity::new(agent.svid, agent.bundle);
    let member = Expected::Part { domain: bridge_trust_domain(), role: Role::Member };
    let dial = |identity: &Identity| {
        let channel = transport::connect(agent.contacts.bridges.clone(), identity, member.clone());
        ControlClient::new(channel)
    };

    // An agent's session: after the unknown message its report is committed.
    let report = ReportChange {
        cluster: "east".parse().expect("a cluster name"),
        epoch: 1,
        base: None,
        revision: 1,
        namespaces: None,
        gateways: Vec::new(),
        services: Default::default(),
        removed: Vec::new(),
        virtual_ips: None,
    };
    let report = serde_json::to_vec(&report).expect("text keys only");
    let (sender, outgoing) = mpsc::channel(8);
    for message in [
        Some(FromAgent::Hello(AgentHello::default())),
        None,
        Some(FromAgent::Report(report.into())),
    ] {
        sender.send(AgentMessage { message }).await.expect("room");
    }
    let mut agent_side = dial(&identity);
    let replies = agent_side.agent(ReceiverStream::new(outgoing)).await.expect("a session");
    let mut replies = replies.into_inner();
    loop {
        let reply = replies.message().await.expect("no error").expect("the session goes on");
        match reply.message {
            Some(ToAgent::Committed(revision)) => break assert_eq!(revision, 1),
            Some(ToAgent::Refused(problem)) => panic!("refused: {problem:?}"),
            Some(ToAgent::Position(_) | ToAgent::NeedFull(_) | ToAgent::Heartbeat(_)) | None => {}
        }
    }

    // A gateway's subscription: after the unknown message it gets the next change.
    let key = KeyRequest::new().expect("a key");
    let request = IssueRequest {
        certificate_request: key.csr().to_vec().into(),
        role: Role::Gateway.to_string(),
        id: "gateway-1".into(),
    };
    let issued = agent_side.issue(request).await.expect("a certificate").into_inner();
    let chain = issued.chain.iter().map(|der| der.to_vec()).collect();
    let gateway = Identity::new(key.into_svid(chain).expect("an SVID"), bundle);
    let (sender, outgoing) = mpsc::channel(8);
    for message in [Some(FromSubscriber::Hello(SubscriberHello::default())), None] {
        sender.send(SubscriberMessage { message }).await.expect("room");
    }
    let mut gateway_side = dial(&gateway);
    let deltas = gateway_side.subscribe(ReceiverStream::new(outgoing)).await.expect("a stream");
    let mut deltas = deltas.into_inner();
    let mut revisions = Vec::new();
    while revisions.len() < 2 {
        let message = deltas.message().await.expect("no error").expect("the stream goes on");
        let Some(ToSubscriber::Delta(delta)) = message.message else { continue };
        revisions.extend(delta.revision.map(|revision| revision.index));
        if revisions.len() == 1 {
            verb(&["drain", "east"]);
        }
    }
    assert!(revisions[0] < revisions[1], "{revisions:?}");
}
