//! A real bridge and a real agent as processes, and the receiving end of a gateway.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use nix::unistd::{SysconfVar, sysconf};
use rialto_agent::kubernetes::api::Server;
use rialto_types::api::{ExplainRequest, Explanation};
use rialto_types::cluster::{JoinTokenRequest, trust_domain};
use rialto_types::error::{Code, Problem};
use rialto_types::id::{ClusterName, Role};
use rialto_types::local::LocalTable;
use rialto_types::object::Document;
use rialto_types::snapshot::Snapshot;
use rialto_wire::client::{Client, Server as Rest, WriteOptions};
use rialto_wire::enroll::{self, Introducer};
use rialto_wire::identity::{Expected, Identity};
use rialto_wire::subscribe::{Receiver, TableConfig, follow_table};
use rialto_wire::transport;
use serde_json::json;
use tokio::sync::watch;

use super::cluster::NAMESPACE;

const PROGRAM: &str = env!("CARGO_BIN_EXE_rialto");

/// Ended when dropped.
pub(crate) struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Process {
    fn start(part: &str, settings: &Path, stdout: Stdio) -> anyhow::Result<Self> {
        let mut command = Command::new(PROGRAM);
        command.args([part, "--log", "warn", "--config"]).arg(settings).stdout(stdout);
        Ok(Self(command.spawn()?))
    }

    /// Resident memory now and at its highest, in MB.
    pub(crate) fn memory_mb(&self) -> anyhow::Result<(f64, f64)> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.0.id()))?;
        let of = |name: &str| -> anyhow::Result<f64> {
            let line = status.lines().find_map(|line| line.strip_prefix(name));
            let kib = line.and_then(|rest| rest.split_whitespace().next()).context("a size")?;
            Ok(kib.parse::<f64>()? * 1024.0 / 1e6)
        };
        Ok((of("VmRSS:")?, of("VmHWM:")?))
    }

    /// CPU time since its start, in seconds.
    pub(crate) fn cpu_s(&self) -> anyhow::Result<f64> {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.0.id()))?;
        let (_, rest) = stat.rsplit_once(") ").context("a command")?;
        // proc(5): utime and stime are fields 14 and 15, the first after the command is 3.
        let ticks: Vec<f64> =
            rest.split(' ').skip(11).take(2).map(str::parse).collect::<Result<_, _>>()?;
        let per_second = sysconf(SysconfVar::CLK_TCK)?.context("ticks of a second")?;
        Ok(ticks.iter().sum::<f64>() / per_second as f64)
    }
}

/// A bridge with one cluster, whose agent has a token.
pub(crate) struct Federation {
    _bridge: Process,
    folder: tempfile::TempDir,
    cluster: ClusterName,
    settings: PathBuf,
}

impl Federation {
    pub(crate) async fn new(server: &Server) -> anyhow::Result<Self> {
        let folder = tempfile::tempdir()?;
        let path = |name: &str| folder.path().join(name);
        let any = "127.0.0.1:0";
        let settings = path("bridge.yaml");
        let text = json!({ "listen": any, "rest": any, "admin": any, "data": path("bridge") });
        fs::write(&settings, text.to_string())?;
        let mut bridge = Process::start("bridge", &settings, Stdio::piped())?;
        let stdout = BufReader::new(bridge.0.stdout.take().context("it is piped")?);
        let (mut rest, mut secret) = (String::new(), String::new());
        for line in stdout.lines() {
            let line = line?;
            match line.split_once(' ') {
                Some(("rest", address)) => rest = address.to_owned(),
                Some(("admin-token", token)) => secret = token.to_owned(),
                _ if line == "ready" => break,
                _ => {}
            }
        }
        ensure!(!rest.is_empty() && !secret.is_empty(), "no bridge");
        let rest = Rest::parse(&format!("http://{rest}"), None)?;
        let client = Client::new(rest, secret, Duration::from_secs(60));
        let cluster: ClusterName = "large".parse()?;
        let document: Document = serde_json::from_value(json!({
            "apiVersion": "rialto.dev/v1alpha1",
            "kind": "Cluster",
            "metadata": { "name": cluster },
            "spec": {},
        }))?;
        client.put(&document.into_resource()?, &WriteOptions::default()).await?;
        let request = json!({ "role": "agent", "cluster": cluster, "ttl": "10m" });
        let request: JoinTokenRequest = serde_json::from_value(request)?;
        let token = client.create_token(&request, None).await?.token;
        fs::write(path("token"), token)?;
        let settings = path("agent.yaml");
        let text = json!({
            "dataFolder": path("agent"),
            "registry": { "kubernetes": {
                "namespace": NAMESPACE,
                "mode": "Control",
                "gatewaySelector": { "app": "gateway" },
                "pod": "agent-1",
                "server": server,
            } },
            "socket": path("agent.sock"),
            "listen": any,
            "admin": any,
            "tokenFile": path("token"),
        });
        fs::write(&settings, text.to_string())?;
        Ok(Self { _bridge: bridge, folder, cluster, settings })
    }

    pub(crate) fn start_agent(&self) -> anyhow::Result<Process> {
        Process::start("agent", &self.settings, Stdio::null())
    }

    /// The tables that a gateway of the cluster gets, and the task that gets them.
    pub(crate) async fn follow(
        &self,
    ) -> anyhow::Result<(watch::Receiver<Arc<LocalTable>>, impl Future<Output = ()> + use<>)> {
        let (cluster, path) = (&self.cluster, |name: &str| self.folder.path().join(name));
        let socket = path("agent.sock");
        let introducer = Introducer::Socket(&socket);
        // Each agent listens at a port of its own, which comes with a first certificate.
        let enrolled = enroll::first(introducer, Role::Gateway, &"gw-1".parse()?).await?;
        let agent = enrolled.contacts.agent.clone().context("an address")?;
        let expected = Expected::Part { domain: trust_domain(cluster), role: Role::Agent };
        let identity = Identity::new(enrolled.svid, enrolled.bundle);
        let channel = transport::connect(vec![agent], &identity, expected);
        let empty = LocalTable {
            cluster: cluster.clone(),
            epoch: 0,
            revision: 0,
            services: Default::default(),
            callers: Default::default(),
        };
        let (sender, tables) = watch::channel(Arc::new(empty));
        // Nothing is kept, so that each agent's table is waited for.
        let kept = tempfile::tempdir_in(self.folder.path())?;
        let config = TableConfig {
            dial: Arc::new(move || {
                let channel = channel.clone();
                Box::pin(async move { Ok(channel) })
            }),
            folder: kept.path().to_owned(),
            advertise: Some("192.0.2.1:7000".parse()?),
        };
        let following = async move {
            let receiver = Arc::new(Gateway(sender));
            follow_table(config, None, receiver, watch::Sender::default()).await;
            drop(kept);
        };
        Ok((tables, following))
    }
}

struct Gateway(watch::Sender<Arc<LocalTable>>);

impl Receiver for Gateway {
    async fn apply(&self, _: Arc<Snapshot>) -> Result<(), String> {
        Ok(())
    }

    async fn apply_table(&self, table: Arc<LocalTable>) {
        self.0.send_replace(table);
    }

    async fn explain(&self, _: ExplainRequest) -> Result<Explanation, Problem> {
        Err(Problem::new(Code::Invalid, "a gateway of a benchmark explains nothing"))
    }
}
