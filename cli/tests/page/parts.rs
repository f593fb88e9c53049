//! The agents and gateways of the made-up federation, over real gRPC.

use std::future::Future;
use std::time::Duration;

use anyhow::Context as _;
use bytes::Bytes;
use rand::RngExt as _;
use rand::rngs::StdRng;
use rialto_types::cluster::{bridge_trust_domain, trust_domain};
use rialto_types::id::{ClusterName, Role, SpiffeId};
use rialto_types::limits;
use rialto_types::report::HealthSummary;
use rialto_types::traffic::{Counts, Entry, Histogram, Key, Link, Report};
use rialto_wire::enroll;
use rialto_wire::grpc::agent_message::Message as FromAgent;
use rialto_wire::grpc::bridge_message::Message as ToSubscriber;
use rialto_wire::grpc::control_client::ControlClient;
use rialto_wire::grpc::subscriber_message::Message as FromSubscriber;
use rialto_wire::grpc::{
    AgentHello, AgentMessage, Heartbeat, IssueRequest, SubscriberHello, SubscriberMessage,
};
use rialto_wire::identity::{Expected, Identity, KeyRequest, TrustBundle, token};
use rialto_wire::transport;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;

use super::bridge::Bridge;
use super::plan::{Call, Cluster, Plan, change};

/// The two parts of one cluster, with certificates of their own.
pub(crate) struct Joined {
    agent: Identity,
    gateway: Identity,
    bridges: Vec<String>,
}

impl Joined {
    pub(crate) async fn new(bridge: &Bridge, cluster: &ClusterName) -> anyhow::Result<Self> {
        let issued = bridge.token_for(cluster).await?;
        let token = token::decode(&issued.token)?;
        let (enrolled, _) = enroll::redeem(&token, &"agent".parse()?, "").await?;
        let agent = Identity::new(enrolled.svid, enrolled.bundle.clone());
        let bridges = vec![bridge.grpc.clone()];
        let gateway = certify_gateway(&agent, &bridges, enrolled.bundle).await?;
        Ok(Self { agent, gateway, bridges })
    }
}

/// As an agent has its gateway certified.
async fn certify_gateway(
    agent: &Identity,
    bridges: &[String],
    bundle: TrustBundle,
) -> anyhow::Result<Identity> {
    let key = KeyRequest::new()?;
    let request = IssueRequest {
        certificate_request: key.csr().to_vec().into(),
        role: Role::Gateway.to_string(),
        id: "gw-1".into(),
    };
    let channel = transport::connect(bridges.to_vec(), agent, member());
    let issued = ControlClient::new(channel).issue(request).await?.into_inner();
    let chain = issued.chain.iter().map(|der| der.to_vec()).collect();
    Ok(Identity::new(key.into_svid(chain)?, bundle))
}

fn member() -> Expected {
    Expected::Part { domain: bridge_trust_domain(), role: Role::Member }
}

/// Which service of a cluster changes: its place and what it becomes.
pub(crate) type Changed = (usize, HealthSummary);

/// The future that is the agent, and the way to tell it of changes.
pub(crate) fn agent(
    joined: &Joined,
    cluster: &Cluster,
) -> (impl Future<Output = anyhow::Result<()>> + use<>, mpsc::Sender<Changed>) {
    let (sender, changes) = mpsc::channel(limits::SUBSCRIBER_QUEUE);
    let (identity, bridges) = (joined.agent.clone(), joined.bridges.clone());
    (run_agent(identity, bridges, cluster.clone(), changes), sender)
}

async fn run_agent(
    identity: Identity,
    bridges: Vec<String>,
    cluster: Cluster,
    mut changes: mpsc::Receiver<Changed>,
) -> anyhow::Result<()> {
    let (sender, outgoing) = mpsc::channel(limits::SUBSCRIBER_QUEUE);
    let send = async |message| {
        let sent = sender.send(AgentMessage { message: Some(message) }).await;
        sent.context("the bridge closed the agent's stream")
    };
    let hello = AgentHello { epoch: 1, revision: 1, id: "agent".into(), version: String::new() };
    send(FromAgent::Hello(hello)).await?;
    let mut client = ControlClient::new(transport::connect(bridges, &identity, member()));
    let mut incoming = client.agent(ReceiverStream::new(outgoing)).await?.into_inner();
    send(FromAgent::Report(serde_json::to_vec(&cluster.report())?.into())).await?;
    let mut health = cluster.health();
    send(FromAgent::Health(encoded(&health)?)).await?;
    let mut beat = tokio::time::interval(limits::LEASE_BEAT);
    let mut batch = Vec::new();
    loop {
        tokio::select! {
            count = changes.recv_many(&mut batch, limits::SUBSCRIBER_QUEUE) => {
                anyhow::ensure!(count > 0, "nobody sends events any more");
                for (at, summary) in batch.drain(..) {
                    health[at] = summary;
                }
                send(FromAgent::Health(encoded(&health)?)).await?;
            }
            _ = beat.tick() => send(FromAgent::Heartbeat(Heartbeat::default())).await?,
            reply = incoming.message() => {
                reply?.context("the bridge ended the agent's session")?;
            }
        }
    }
}

fn encoded(health: &[HealthSummary]) -> anyhow::Result<Bytes> {
    Ok(serde_json::to_vec(health)?.into())
}

/// Draws which endpoint of which service changes, `per_second` times a second.
pub(crate) async fn events(
    plan: Plan,
    agents: Vec<mpsc::Sender<Changed>>,
    per_second: u32,
    mut random: StdRng,
) -> anyhow::Result<()> {
    let mut health: Vec<Vec<HealthSummary>> = plan.clusters.iter().map(Cluster::health).collect();
    let mut tick = tokio::time::interval(Duration::from_millis(20));
    let mut due = 0.0;
    loop {
        tick.tick().await;
        due += f64::from(per_second) / 50.0;
        while due >= 1.0 {
            due -= 1.0;
            let cluster = random.random_range(0..agents.len());
            if health[cluster].is_empty() {
                continue;
            }
            let at = random.random_range(0..health[cluster].len());
            change(&mut health[cluster][at], &mut random);
            agents[cluster].send((at, health[cluster][at].clone())).await?;
        }
    }
}

/// A gateway that acknowledges what it gets and claims to carry the plan's calls.
pub(crate) async fn gateway(
    joined: Joined,
    cluster: Cluster,
    mut random: StdRng,
) -> anyhow::Result<()> {
    let (sender, outgoing) = mpsc::channel(limits::SUBSCRIBER_QUEUE);
    let send = async |message| {
        let sent = sender.send(SubscriberMessage { message: Some(message) }).await;
        sent.context("the bridge closed the gateway's stream")
    };
    send(FromSubscriber::Hello(SubscriberHello::default())).await?;
    let channel = transport::connect(joined.bridges, &joined.gateway, member());
    let mut client =
        ControlClient::new(channel).max_decoding_message_size(limits::GRPC_MESSAGE_BYTES_MAX);
    let mut incoming = client.subscribe(ReceiverStream::new(outgoing)).await?.into_inner();
    let mut beat = tokio::time::interval(limits::TRAFFIC_STEP);
    let started = tokio::time::Instant::now();
    let mut told_ms = 0;
    loop {
        tokio::select! {
            _ = beat.tick() => {
                send(FromSubscriber::Heartbeat(Heartbeat::default())).await?;
                let end_ms = u64::try_from(started.elapsed().as_millis())?;
                let span_ms = end_ms - told_ms;
                if span_ms > 0 {
                    told_ms = end_ms;
                    let report = report(&cluster, end_ms, span_ms, &mut random);
                    send(FromSubscriber::Traffic(report.to_json().into())).await?;
                }
            }
            message = incoming.message() => {
                let message = message?.context("the bridge ended the gateway's stream")?;
                if let Some(ToSubscriber::Delta(delta)) = message.message
                    && delta.last
                    && let Some(revision) = delta.revision
                {
                    send(FromSubscriber::Ack(revision)).await?;
                }
            }
        }
    }
}

fn report(cluster: &Cluster, end_ms: u64, span_ms: u64, random: &mut StdRng) -> Report {
    let entries = cluster.calls.iter().map(|call| entry(cluster, call, random)).collect();
    let links = cluster.peers.iter().map(|peer| Link {
        cluster: peer.clone(),
        gateway: "gw-1".parse().expect("an id"),
        connections: 2,
        round_trip_us: random.random_range(2_000..80_000),
        packets_sent: 1_000,
        packets_lost: random.random_range(0..20),
    });
    let links = links.collect();
    Report { epoch: 1, end_ms, span_ms, entries, links, ..Report::default() }
}

fn entry(cluster: &Cluster, call: &Call, random: &mut StdRng) -> Entry {
    let requests = random.random_range(1..40);
    let errors =
        if random.random_range(0..10) == 0 { random.random_range(0..=requests) } else { 0 };
    let mut latency = Histogram::default();
    for _ in 0..requests {
        latency.add(Duration::from_micros(random.random_range(500..200_000)));
    }
    let domain = trust_domain(&cluster.name);
    let caller = SpiffeId::workload(&domain, &call.caller.namespace, &call.caller.name);
    Entry {
        key: Key {
            service: call.service.clone(),
            backend: Some(call.service.clone()),
            cluster: Some(call.to.clone()),
            caller: Some(caller),
        },
        counts: Counts {
            requests,
            errors,
            bytes_from_client: 300 * requests,
            bytes_to_client: 2_000 * requests,
            latency,
            ..Counts::default()
        },
    }
}
