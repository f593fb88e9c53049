//! The DNS proxy as a whole: identity, subscriptions, listeners, admin endpoints, and its end.
//!
//! ```text
//!   agent socket ─> identity
//!   bridge ─> snapshot ────┐
//!   agent  ─> local table ─┴─> names ─> server <─ queries
//! ```

use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};

use anyhow::Context;
use futures::FutureExt;
use prometheus_client::registry::Registry;
use rialto_types::api::{ExplainRequest, Explanation};
use rialto_types::cluster::trust_domain;
use rialto_types::error::{Code, Problem};
use rialto_types::id::Role;
use rialto_types::limits;
use rialto_types::local::LocalTable;
use rialto_types::snapshot::Snapshot;
use rialto_wire::admin::{self, Admin};
use rialto_wire::bridges::Bridges;
use rialto_wire::enroll::{self, Contacts, Folder};
use rialto_wire::identity::{Expected, Identity};
use rialto_wire::subscribe::{self, Dial, Receiver, TableConfig};
use rialto_wire::transport;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::config::Config;
use crate::forward::Forwarder;
use crate::listen::Listener;
use crate::metrics::Metrics;
use crate::names::Names;
use crate::server::Server;

/// Runs a DNS proxy until `stop`; queries under way may end.
///
/// Names that are not ours are answered before there is an identity: the agent that issues it may
/// itself need this proxy to find the bridge.
pub async fn run(config: Config, stop: CancellationToken) -> anyhow::Result<()> {
    config.check()?;
    let listeners = bind(&config.listen).await?;
    serve(config, listeners, stop).await
}

async fn serve(
    config: Config,
    listeners: Vec<Listener>,
    stop: CancellationToken,
) -> anyhow::Result<()> {
    let admin = TcpListener::bind(config.admin)
        .await
        .with_context(|| format!("cannot listen on the admin address {}", config.admin))?;

    let metrics = Arc::new(Metrics::default());
    let mut registry = Registry::default();
    metrics.register(&mut registry);
    let names = Arc::new(Names::default());
    let own: Vec<SocketAddr> = listeners.iter().map(|listener| listener.address).collect();
    let forwarder = Forwarder::new(&config.upstreams(), &own, metrics.clone());
    let (upstreams, page) = (forwarder.upstreams(), admin.local_addr()?);
    tracing::info!(listen = ?own, ?upstreams, admin = %page, "DNS proxy is up");
    let clients = config.clients.clone();
    let server = Arc::new(Server { names: names.clone(), forwarder, clients, metrics });
    let control = Arc::new(Control {
        identity: OnceLock::new(),
        names,
        registry,
        snapshot_state: watch::Sender::default(),
        agent_connected: watch::Sender::default(),
    });

    let mut serving = JoinSet::new();
    for listener in listeners {
        serving.spawn(server.clone().serve_udp(Arc::new(listener.udp), stop.clone()));
        serving.spawn(server.clone().serve_tcp(listener.tcp, stop.clone()));
    }
    let showing = control.clone();
    let mut tasks = JoinSet::new();
    tasks.spawn(async move {
        if let Err(error) = admin::serve(admin, showing).await {
            tracing::error!(%error, "the admin endpoints ended");
        }
        "the admin listener"
    });
    let followed = tokio::select! {
        () = stop.cancelled() => Ok(()),
        followed = follow(&mut tasks, &control, &config) => followed,
    };
    if followed.is_ok() {
        while serving.join_next().await.is_some() {}
    }
    tasks.shutdown().await;
    tracing::info!("DNS proxy has stopped");
    followed
}

/// Gets the identity and follows both subscriptions; returns only with an error.
async fn follow(
    tasks: &mut JoinSet<&'static str>,
    control: &Arc<Control>,
    config: &Config,
) -> anyhow::Result<()> {
    let folder = Folder::new(config.data_folder.join("identity"));
    let (id, introducer) = (config.id()?, config.introducer()?);
    let enrolled = enroll::through_agent(&folder, introducer, Role::Dns, id).await;
    let enrolled = enrolled.context("no identity for this DNS proxy")?;
    let identity = Identity::new(enrolled.svid, enrolled.bundle);
    control.identity.get_or_init(|| identity.clone());
    let table = subscribe::restore_table(&config.data_folder, &**control).await;
    let joined = Joined { identity, contacts: enrolled.contacts, folder, table };
    start_tasks(tasks, control, config, joined)?;
    match tasks.join_next().await {
        Some(Ok(part)) => anyhow::bail!("{part} ended"),
        Some(Err(error)) => Err(error).context("a part of the DNS proxy panicked"),
        None => anyhow::bail!("nothing runs"),
    }
}

async fn bind(addresses: &[SocketAddr]) -> anyhow::Result<Vec<Listener>> {
    let mut listeners = Vec::with_capacity(addresses.len());
    for address in addresses {
        let listener = Listener::bind(*address).await.with_context(|| {
            format!(
                "cannot listen on `{address}`; is another resolver there, or does port 53 need \
                 CAP_NET_BIND_SERVICE?"
            )
        })?;
        listeners.push(listener);
    }
    Ok(listeners)
}

/// What a proxy has when it has joined.
struct Joined {
    identity: Identity,
    contacts: Contacts,
    folder: Folder,
    /// In service since before.
    table: Option<Arc<LocalTable>>,
}

/// Each task runs for ever; one that ends ends the proxy, and its name says which.
fn start_tasks(
    tasks: &mut JoinSet<&'static str>,
    control: &Arc<Control>,
    config: &Config,
    joined: Joined,
) -> anyhow::Result<()> {
    let Joined { identity, contacts, folder, table: held } = joined;
    let cluster = contacts.cluster.clone().context("the identity is of no cluster")?;
    let agent = Expected::Part { domain: trust_domain(&cluster), role: Role::Agent };
    let start = rand::random_range(0..limits::MEMBERS_MAX);
    let bridges = Bridges::new(identity.clone(), folder.clone(), contacts.clone(), start);
    let local = contacts.agent.iter().cloned().collect();
    let local = transport::connect(local, &identity, agent);
    // Channels connect by themselves, to the next address after each loss.
    let renewing = local.clone();
    let dial_agent: Dial = Arc::new(move || std::future::ready(Ok(local.clone())).boxed());

    let snapshot = subscribe::Config { bridges, folder: config.data_folder.clone() };
    let receiver = control.clone();
    tasks.spawn(async move {
        let state = receiver.snapshot_state.clone();
        subscribe::follow_snapshot(snapshot, receiver, state).await;
        "the snapshot subscription"
    });
    let folder_of_table = config.data_folder.clone();
    let table = TableConfig { dial: dial_agent, folder: folder_of_table, advertise: None };
    let receiver = control.clone();
    tasks.spawn(async move {
        let connected = receiver.agent_connected.clone();
        subscribe::follow_table(table, held, receiver, connected).await;
        "the local table's subscription"
    });
    tasks.spawn(async move {
        let issue = |csr| enroll::renew_at_agent(renewing.clone(), csr);
        enroll::keep_renewed(identity, folder, contacts, issue).await;
        "the renewal of certificates"
    });
    Ok(())
}

/// What the subscriptions feed and the admin endpoints show.
struct Control {
    identity: OnceLock<Identity>,
    names: Arc<Names>,
    registry: Registry,
    snapshot_state: watch::Sender<subscribe::State>,
    agent_connected: watch::Sender<bool>,
}

impl Receiver for Control {
    async fn apply(&self, snapshot: Arc<Snapshot>) -> Result<(), String> {
        self.names.set_snapshot(snapshot);
        Ok(())
    }

    async fn apply_table(&self, table: Arc<LocalTable>) {
        self.names.set_table(table);
    }

    async fn explain(&self, _: ExplainRequest) -> Result<Explanation, Problem> {
        Err(Problem::new(Code::NotSupported, "a DNS proxy chooses nothing; ask a gateway"))
    }
}

impl Admin for Control {
    fn pending(&self) -> Vec<String> {
        let mut pending = Vec::new();
        if self.identity.get().is_none() {
            pending.push("an identity from the agent".into());
        }
        if self.names.snapshot().is_none() {
            pending.push("a first snapshot from the bridge".into());
        }
        if self.names.table().is_none() {
            pending.push("a first local table from the agent".into());
        }
        pending
    }

    fn metrics(&self) -> String {
        admin::encode_metrics(&self.registry)
    }

    fn debug(&self) -> serde_json::Value {
        let state = self.snapshot_state.borrow();
        let table = self.names.table();
        let snapshot = self.names.snapshot();
        let services = snapshot.iter().flat_map(|snapshot| snapshot.services.values());
        serde_json::json!({
            "identity": self.identity.get().map(Identity::id),
            "certificateUntil": self.identity.get().map(|identity| identity.svid().not_after()),
            "bridge": {
                "connected": state.connected,
                "fromDisk": state.from_disk,
                "revision": state.revision,
                "problem": state.problem,
            },
            "agent": {
                "connected": *self.agent_connected.borrow(),
                "epoch": table.as_ref().map(|table| table.epoch),
                "revision": table.as_ref().map(|table| table.revision),
            },
            "services": services.collect::<Vec<_>>(),
        })
    }
}

#[cfg(test)]
mod tests;
