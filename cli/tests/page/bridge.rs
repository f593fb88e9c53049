//! A real bridge process, and what is told to it as a person would.

use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, ensure};
use rialto_types::cluster::{JoinTokenIssued, JoinTokenRequest};
use rialto_types::id::ClusterName;
use rialto_types::object::Document;
use rialto_wire::client::{Client, Server, WriteOptions};
use serde_json::{Value, json};

use super::plan::Plan;

/// Ended when dropped.
pub(crate) struct Bridge {
    child: Child,
    pub(crate) grpc: String,
    pub(crate) rest: String,
    pub(crate) token: String,
    client: Client,
    _folder: tempfile::TempDir,
}

impl Drop for Bridge {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Bridge {
    pub(crate) fn start(rest: SocketAddr) -> anyhow::Result<Self> {
        let folder = tempfile::tempdir()?;
        let settings = folder.path().join("bridge.yaml");
        let data = folder.path().join("data");
        let text = format!(
            "listen: 127.0.0.1:0\nrest: {rest}\nadmin: 127.0.0.1:0\ndata: {}\n",
            data.display()
        );
        std::fs::write(&settings, text)?;
        let mut child = Command::new(env!("CARGO_BIN_EXE_rialto"))
            .args(["bridge", "--log", "warn", "--config"])
            .arg(&settings)
            .stdout(Stdio::piped())
            .spawn()?;
        let stdout = BufReader::new(child.stdout.take().context("it is piped")?);
        let (mut grpc, mut rest, mut token) = (String::new(), String::new(), String::new());
        for line in stdout.lines() {
            let line = line?;
            match line.split_once(' ') {
                Some(("grpc", address)) => grpc = address.to_string(),
                Some(("rest", address)) => rest = address.to_string(),
                Some(("admin-token", secret)) => token = secret.to_string(),
                _ if line == "ready" => break,
                _ => {}
            }
        }
        ensure!(!grpc.is_empty() && !rest.is_empty() && !token.is_empty(), "no bridge");
        let server = Server::parse(&format!("http://{rest}"), None)?;
        let client = Client::new(server, token.clone(), Duration::from_secs(60));
        Ok(Self { child, grpc, rest, token, client, _folder: folder })
    }

    /// Clusters, workspaces, and a route for the first service.
    pub(crate) async fn describe(&self, plan: &Plan) -> anyhow::Result<()> {
        for cluster in &plan.clusters {
            let spec = json!({ "region": cluster.region });
            self.put("Cluster", cluster.name.as_str(), &spec).await?;
        }
        for (name, namespaces) in &plan.workspaces {
            self.put("Workspace", name, &json!({ "namespaces": namespaces })).await?;
        }
        Ok(())
    }

    async fn put(&self, kind: &str, name: &str, spec: &Value) -> anyhow::Result<()> {
        let document: Document = serde_json::from_value(json!({
            "apiVersion": "rialto.dev/v1alpha1",
            "kind": kind,
            "metadata": { "name": name },
            "spec": spec,
        }))?;
        self.client.put(&document.into_resource()?, &WriteOptions::default()).await?;
        Ok(())
    }

    /// For the agent of a cluster.
    pub(crate) async fn token_for(&self, cluster: &ClusterName) -> anyhow::Result<JoinTokenIssued> {
        let request = json!({ "role": "agent", "cluster": cluster, "ttl": "10m" });
        let request: JoinTokenRequest = serde_json::from_value(request)?;
        Ok(self.client.create_token(&request, None).await?)
    }

    /// Until every agent and gateway is connected.
    pub(crate) async fn wait_until_heard(&self, plan: &Plan) -> anyhow::Result<()> {
        let mut tick = tokio::time::interval(Duration::from_millis(200));
        for _ in 0..600 {
            tick.tick().await;
            let status = self.client.status().await?;
            let is_live = |cluster: &rialto_types::api::ClusterSummary| {
                cluster.gateways_live > 0 && cluster.services > 0
            };
            if status.clusters.iter().filter(|cluster| is_live(cluster)).count()
                == plan.clusters.len()
            {
                return Ok(());
            }
        }
        anyhow::bail!("some made-up cluster was not heard within two minutes")
    }

    /// The page's address, signed in.
    pub(crate) async fn link(&self) -> anyhow::Result<String> {
        let code = self.client.create_sign_in_code().await?;
        Ok(format!("http://{}/{}", self.rest, code.fragment))
    }
}
