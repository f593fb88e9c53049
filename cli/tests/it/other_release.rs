//! A part of a newer release says what a member does not know: a sign of life, and nothing else.

use rialto_types::id::Role;
use rialto_wire::grpc::bridge_message::Message as ToSubscriber;
use rialto_wire::grpc::control_client::ControlClient;
use rialto_wire::grpc::subscriber_message::Message as FromSubscriber;
use rialto_wire::grpc::{AgentMessage, IssueRequest, SubscriberHello, SubscriberMessage};
use rialto_wire::identity::{Identity, KeyRequest};
use rialto_wire::transport;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;

use crate::agent::Agent;
use crate::rest::Bridge;

#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_message_does_not_end_a_stream() {
    let bridge = Bridge::start();
    let agent = Agent::join(&bridge).await;
    let dial = |identity: &Identity| {
        let (bridges, member) = (agent.bridges.clone(), agent.member.clone());
        ControlClient::new(transport::connect(bridges, identity, member))
    };

    // An agent's session: after the unknown message its report is committed.
    agent.report(&Agent::empty_report(), Some(AgentMessage { message: None })).await;

    // A gateway's subscription: after the unknown message it gets the next change.
    let key = KeyRequest::new().expect("a key");
    let request = IssueRequest {
        certificate_request: key.csr().to_vec().into(),
        role: Role::Gateway.to_string(),
        id: "gateway-1".into(),
    };
    let issued = dial(&agent.identity).issue(request).await.expect("a certificate").into_inner();
    let chain = issued.chain.iter().map(|der| der.to_vec()).collect();
    let gateway = Identity::new(key.into_svid(chain).expect("an SVID"), agent.bundle.clone());
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
            bridge.told(&["drain", "east"]);
        }
    }
    assert!(revisions[0] < revisions[1], "{revisions:?}");
}
