//! The task that owns the documents: registry, checks and gateways in, table and report out.
//!
//! ```text
//!   provider ─┐                ┌─▶ checks (wanted)
//!   checks ───┼─▶ Loop: Fold ──┼─▶ table
//!   gateways ─┘                └─▶ report, summaries
//! ```

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use rialto_types::error::Chain;
use rialto_types::finding::Finding;
use rialto_types::id::InstanceId;
use rialto_types::limits;
use rialto_types::local::{EndpointHealth, LocalTable};
use rialto_types::report::{HealthSummary, VirtualIps};
use rialto_wire::identity::file;
use tokio::sync::{mpsc, watch};

use crate::check::Wanted;
use crate::config::Config;
use crate::feed;
use crate::fold::{Fold, Numbered, Target};
use crate::gateways::Gateways;
use crate::link;
use crate::metrics::Metrics;
use crate::provider::{self, Provider};

/// What the loop gives away.
pub(crate) struct Outputs {
    table: watch::Sender<Option<Arc<LocalTable>>>,
    report: watch::Sender<Option<Numbered>>,
    summaries: watch::Sender<Arc<Vec<HealthSummary>>>,
    wanted: watch::Sender<Wanted>,
    faults: watch::Sender<Vec<String>>,
    virtual_ips: watch::Sender<VirtualIps>,
    unaddressed: watch::Sender<Vec<InstanceId>>,
}

/// Where it is read.
#[derive(Clone)]
pub(crate) struct Published {
    pub(crate) table: watch::Receiver<Option<Arc<LocalTable>>>,
    pub(crate) report: watch::Receiver<Option<Numbered>>,
    pub(crate) summaries: watch::Receiver<Arc<Vec<HealthSummary>>>,
    pub(crate) wanted: watch::Receiver<Wanted>,
    /// What is wrong with the registry as it stands.
    pub(crate) faults: watch::Receiver<Vec<String>>,
    /// The addresses that the platform gave to imported services.
    pub(crate) virtual_ips: watch::Receiver<VirtualIps>,
    /// Gateways that run and whose address is not known.
    pub(crate) unaddressed: watch::Receiver<Vec<InstanceId>>,
}

impl Outputs {
    pub(crate) fn new() -> (Self, Published) {
        let (table, table_read) = watch::channel(None);
        let (report, report_read) = watch::channel(None);
        let (summaries, summaries_read) = watch::channel(Arc::default());
        let (wanted, wanted_read) = watch::channel(Arc::default());
        let (faults, faults_read) = watch::channel(Vec::new());
        let (virtual_ips, virtual_ips_read) = watch::channel(VirtualIps::new());
        let (unaddressed, unaddressed_read) = watch::channel(Vec::new());
        let published = Published {
            table: table_read,
            report: report_read,
            summaries: summaries_read,
            wanted: wanted_read,
            faults: faults_read,
            virtual_ips: virtual_ips_read,
            unaddressed: unaddressed_read,
        };
        let outputs = Self { table, report, summaries, wanted, faults, virtual_ips, unaddressed };
        (outputs, published)
    }
}

impl Published {
    /// What goes up to the bridge.
    pub(crate) fn sources(
        &self,
        id: InstanceId,
        epoch: u64,
        findings: watch::Receiver<Vec<Finding>>,
    ) -> link::Sources {
        let (report, summaries) = (self.report.clone(), self.summaries.clone());
        link::Sources { id, epoch, report, summaries, findings }
    }
}

/// What the loop hears, besides its registry.
pub(crate) struct Inputs {
    pub(crate) check_results: mpsc::Receiver<(Target, EndpointHealth)>,
    pub(crate) gateway_events: mpsc::Receiver<feed::Event>,
}

/// The task that owns the documents.
pub(crate) struct Loop<P> {
    pub(crate) provider: P,
    pub(crate) core: Core,
}

/// What it is made of, whatever its registry is.
pub(crate) struct Core {
    inputs: Inputs,
    fold: Fold,
    gateways: Gateways,
    gateways_file: PathBuf,
    metrics: Arc<Metrics>,
    outputs: Outputs,
}

enum Event {
    Registry(provider::Event),
    Checked(Target, EndpointHealth),
    Gateway(feed::Event),
    Due,
    Stop,
}

impl Core {
    pub(crate) fn new(
        config: &Config,
        fold: Fold,
        inputs: Inputs,
        metrics: Arc<Metrics>,
        outputs: Outputs,
    ) -> Self {
        let gateways_file = config.data_folder.join("gateways.json");
        let kept = kept_gateways(&gateways_file);
        let gateways = Gateways::restore(kept, Instant::now());
        Self { inputs, fold, gateways, gateways_file, metrics, outputs }
    }
}

impl<P: Provider> Loop<P> {
    pub(crate) async fn run(self) {
        let Self { mut provider, mut core } = self;
        core.fold.handle_gateways(core.gateways.addresses());
        loop {
            let due = core.gateways.poll_timeout();
            let event = tokio::select! {
                event = provider.next() => Event::Registry(event),
                checked = core.inputs.check_results.recv() => match checked {
                    Some((target, health)) => Event::Checked(target, health),
                    None => Event::Stop,
                },
                event = core.inputs.gateway_events.recv() => match event {
                    Some(event) => Event::Gateway(event),
                    None => Event::Stop,
                },
                () = sleep_until(due) => Event::Due,
            };
            match event {
                Event::Registry(event) => core.handle_registry(event),
                Event::Checked(target, health) => core.handle_check(target, health),
                Event::Gateway(event) => core.handle_gateway(event).await,
                Event::Due => {
                    core.gateways.handle_timeout(Instant::now());
                    core.take_gateways().await;
                }
                Event::Stop => return,
            }
            // Whatever else is ready goes into the same documents.
            while let Ok((target, health)) = core.inputs.check_results.try_recv() {
                core.handle_check(target, health);
            }
            core.publish();
        }
    }
}

impl Core {
    fn handle_registry(&mut self, event: provider::Event) {
        match event {
            provider::Event::Replaced(registry) => {
                let services = registry.services.len();
                tracing::info!(services, callers = registry.callers.len(), "registry read");
                self.metrics.count_registry_read("good");
                let virtual_ips = registry.virtual_ips.clone().unwrap_or_default();
                self.outputs.virtual_ips.send_if_modified(|held| {
                    let differs = *held != virtual_ips;
                    *held = virtual_ips;
                    differs
                });
                if self.fold.report().is_none() {
                    let named = registry.gateways.keys().cloned();
                    self.gateways.handle_named(named, Instant::now());
                    self.fold.handle_gateways(self.gateways.addresses());
                }
                self.fold.handle_registry(registry);
                self.outputs.wanted.send_replace(Arc::new(self.fold.checks()));
                self.outputs.faults.send_replace(Vec::new());
            }
            provider::Event::Failed(faults) => {
                for fault in &faults {
                    tracing::error!(%fault, "the registry is not good; the last good one stays");
                }
                self.metrics.count_registry_read("bad");
                self.outputs.faults.send_replace(faults.iter().map(ToString::to_string).collect());
            }
        }
    }

    fn handle_check(&mut self, target: Target, health: EndpointHealth) {
        tracing::debug!(service = %target.service, address = %target.address, ?health, "checked");
        self.fold.handle_check(target, health);
    }

    async fn handle_gateway(&mut self, event: feed::Event) {
        match event {
            feed::Event::GatewayConnected { id, address } => {
                if !self.gateways.handle_connected(id.clone(), address) {
                    let limit = limits::GATEWAYS_PER_CLUSTER_MAX;
                    tracing::error!(%id, limit, "the cluster has too many gateways");
                    self.metrics.count_refused("gateways");
                }
            }
            feed::Event::GatewayGone { id } => {
                self.gateways.handle_gone(&id, Instant::now());
            }
        }
        self.take_gateways().await;
    }

    async fn take_gateways(&mut self) {
        let gateways = self.gateways.addresses();
        if gateways == *self.fold.gateways() {
            return;
        }
        self.metrics.gateways.set(i64::try_from(gateways.len()).unwrap_or(i64::MAX));
        let bytes = serde_json::to_vec(&gateways).expect("addresses are JSON");
        self.fold.handle_gateways(gateways);
        let path = self.gateways_file.clone();
        let write = move || file::write_private(&path, &bytes);
        if let Ok(Err(error)) = tokio::task::spawn_blocking(write).await {
            let error = Chain(&error);
            tracing::warn!(%error, "the gateways could not be kept for the next start");
        }
    }

    fn publish(&mut self) {
        let changed = self.fold.refresh();
        if changed.table
            && let Some(table) = self.fold.table()
        {
            self.metrics.set_endpoints(table);
            self.outputs.table.send_replace(Some(table.clone()));
        }
        if changed.report
            && let Some(report) = self.fold.report()
        {
            self.metrics.report_revision.set(report.revision);
            self.outputs.report.send_replace(Some(report.clone()));
        }
        let unaddressed = self.fold.unaddressed();
        self.outputs.unaddressed.send_if_modified(|held| {
            let differs = *held != unaddressed;
            *held = unaddressed;
            differs
        });
        if changed.summaries {
            self.outputs.summaries.send_replace(Arc::new(self.fold.summaries().to_vec()));
        }
    }
}

async fn sleep_until(at: Option<Instant>) {
    match at {
        Some(at) => tokio::time::sleep_until(at.into()).await,
        None => std::future::pending().await,
    }
}

/// The gateways that an earlier agent saw. Without the file they come back by themselves, only the
/// other clusters would have to learn them again.
fn kept_gateways(path: &Path) -> BTreeMap<InstanceId, Option<SocketAddr>> {
    let bytes = file::read_private(path, limits::CONTACTS_FILE_BYTES_MAX);
    bytes.ok().and_then(|bytes| serde_json::from_slice(&bytes).ok()).unwrap_or_default()
}
