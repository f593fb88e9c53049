//! The whole federation of the demo: three bridges, three clusters, the bookstore.
//!
//! ```text
//! bridge 1 -> administrator's token -> tokens -> bridges 2, 3
//!                                   -> clusters -> tokens -> agents -> gateways, DNS proxies
//! ```

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context as _, bail};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use super::limits;
use super::link;
use super::load::report::Report;
use super::namespaces::{HUB, Namespaces};
use super::plan::{
    App, BOOKSTORE_PORT, BRIDGE_HOSTS, Network, Place, Plan, Site, WORKLOADS, Workload, link_hosts,
};
use super::process::{Ready, Spec, Supervisor};
use super::settings::{Files, NAMESPACE, bridge_name, cluster_resource, gateway_id};
use super::verb::Verbs;

/// Everything that a step of the story acts on.
#[derive(Debug)]
pub(crate) struct Federation {
    pub(crate) plan: Plan,
    pub(crate) supervisor: Supervisor,
    pub(crate) verbs: Verbs,
    pub(crate) files: Files,
    folder: PathBuf,
    loads: u32,
}

impl Federation {
    pub(crate) fn new(
        file: PathBuf,
        folder: &Path,
        plan: Plan,
        namespaces: Option<Namespaces>,
        server: SocketAddr,
    ) -> anyhow::Result<Self> {
        let files = Files::new(folder);
        let verbs = Verbs { file: file.clone(), server, token: files.admin_token() };
        let supervisor = Supervisor::new(file, folder, namespaces)?;
        Ok(Self { plan, supervisor, verbs, files, folder: folder.to_owned(), loads: 0 })
    }

    pub(crate) async fn start_link(&mut self, seed: u64) -> anyhow::Result<()> {
        if self.plan.network == Network::Loopback {
            return Ok(());
        }
        let arguments = ["demo", "switch", "--folder", &self.folder.display().to_string()];
        let mut spec = Spec::new(
            "link",
            &Place::node(Site::Control),
            &arguments,
            Ready::Line(link::READY_LINE.to_owned()),
        );
        spec.arguments.extend(["--seed".to_owned(), seed.to_string()]);
        spec.network = HUB.to_owned();
        self.supervisor.start(spec).await
    }

    /// From nothing to a federation that answers by name in every cluster.
    pub(crate) async fn start(&mut self) -> anyhow::Result<()> {
        for workload in WORKLOADS {
            if let Some(spec) = app_spec(workload, self.plan) {
                self.supervisor.launch(spec)?;
            }
        }
        self.start_bridges().await?;
        for site in Site::CLUSTERS {
            self.join_cluster(site).await?;
        }
        for site in Site::CLUSTERS {
            self.start_edge(site).await?;
        }
        let names: Vec<_> = self.supervisor.names().map(str::to_owned).collect();
        for name in names {
            self.supervisor.ready(&name).await?;
        }
        for site in Site::CLUSTERS {
            for service in ["productpage", "details", "reviews", "ratings"] {
                self.until_answered(site, service).await?;
            }
        }
        self.verbs.must(&["shift", "books/reviews", "reviews-v1=100", "--wait"]).await?;
        Ok(())
    }

    async fn start_bridges(&mut self) -> anyhow::Result<()> {
        for host in BRIDGE_HOSTS {
            let name = bridge_name(host);
            self.files.write_bridge(self.plan, host)?;
            if host != BRIDGE_HOSTS[0] {
                let token = self.verbs.must(&["join", "token", "--member"]).await?;
                self.write_token(&name, &token)?;
            }
            let admin = Ready::Http(self.plan.bridge_admin(host), "/readyz".to_owned());
            let spec = self.server("bridge", &name, Site::Control, admin);
            self.supervisor.start(spec).await?;
        }
        Ok(())
    }

    async fn join_cluster(&mut self, site: Site) -> anyhow::Result<()> {
        let resource = cluster_resource(site, self.plan);
        self.apply(site.name(), &resource, &[]).await?;
        let token = self.verbs.must(&["join", "token", "--cluster", site.name()]).await?;
        self.write_token(site.name(), &token)?;
        self.files.write_agent(self.plan, site)?;
        let name = format!("{site}.agent");
        let admin = Ready::Http(self.plan.agent_admin(site), "/readyz".to_owned());
        let spec = self.server("agent", &name, site, admin);
        self.supervisor.launch(spec)
    }

    async fn start_edge(&mut self, site: Site) -> anyhow::Result<()> {
        self.supervisor.ready(&format!("{site}.agent")).await?;
        self.files.write_dns(self.plan, site)?;
        let admin = Ready::Http(self.plan.dns_admin(site), "/readyz".to_owned());
        let spec = self.server("dns", &format!("{site}.dns"), site, admin);
        self.supervisor.launch(spec)?;
        for host in link_hosts(site) {
            self.files.write_gateway(self.plan, site, *host)?;
            let name = format!("{site}.{}", gateway_id(*host));
            let admin = Ready::Http(self.plan.gateway_admin(site, *host), "/readyz".to_owned());
            let spec = self.server("gateway", &name, site, admin);
            self.supervisor.launch(spec)?;
        }
        Ok(())
    }

    /// A server of ours, with the settings of its name.
    pub(crate) fn server(&self, part: &str, name: &str, site: Site, ready: Ready) -> Spec {
        let settings = self.files.settings(name).display().to_string();
        let mut spec = Spec::new(name, &Place::node(site), &[part, "--config", &settings], ready);
        // Servers use no names; the host's own resolver files are as good.
        spec.resolver_of = None;
        spec
    }

    fn write_token(&self, name: &str, token: &str) -> anyhow::Result<()> {
        let path = self.files.join_token(name);
        let folder = path.parent().expect("tokens are in a folder");
        fs::create_dir_all(folder).context("could not make the folder for tokens")?;
        fs::write(&path, token).with_context(|| format!("could not write `{}`", path.display()))
    }

    pub(crate) async fn apply(
        &self,
        name: &str,
        resource: &Value,
        options: &[&str],
    ) -> anyhow::Result<String> {
        let path = self.files.write_resources(name, resource)?.display().to_string();
        let mut arguments = vec!["apply", "-f", &path];
        arguments.extend(options);
        self.verbs.must(&arguments).await
    }

    /// Waits until a cluster's client gets a good answer from a service.
    pub(crate) async fn until_answered(
        &self,
        site: Site,
        service: &str,
    ) -> anyhow::Result<Duration> {
        let begun = Instant::now();
        loop {
            let report =
                self.load(site, "client", &url(service, "/about"), &["--count", "1"]).await?;
            if report.good == 1 {
                return Ok(begun.elapsed());
            }
            if begun.elapsed() > limits::FIRST_ANSWER_TIMEOUT {
                bail!("`{service}` does not answer in `{site}`: {:?}", report.failed);
            }
            sleep(limits::RETRY_DELAY).await;
        }
    }

    /// A load from a workload of a cluster, to its end.
    pub(crate) async fn load(
        &self,
        site: Site,
        workload: &str,
        url: &str,
        options: &[&str],
    ) -> anyhow::Result<Report> {
        let vantage = self.vantage(site, workload)?;
        let place = Place::workload(site, workload);
        let file = self.verbs.file.display().to_string();
        let mut command = vec![file.as_str(), "demo", "load", url];
        command.extend(options);
        command.extend(vantage.iter().map(String::as_str));
        let output = self.run_at(&place, &command).await?;
        serde_json::from_str(&output).context("the load gave no report")
    }

    /// Starts a load that goes on until `end_load`.
    pub(crate) fn begin_load(
        &mut self,
        site: Site,
        workload: &str,
        url: &str,
        options: &[&str],
    ) -> anyhow::Result<String> {
        self.loads += 1;
        let name = format!("load-{}", self.loads);
        let vantage = self.vantage(site, workload)?;
        let mut arguments = vec!["demo", "load", url];
        arguments.extend(options);
        arguments.extend(vantage.iter().map(String::as_str));
        let place = Place::workload(site, workload);
        self.supervisor.launch(Spec::new(&name, &place, &arguments, Ready::AtOnce))?;
        Ok(name)
    }

    pub(crate) async fn end_load(&mut self, name: &str) -> anyhow::Result<Report> {
        self.supervisor.stop(name).await?;
        let log = self.supervisor.log_of(name)?;
        let report = log.lines().rev().find_map(|line| serde_json::from_str(line).ok());
        self.supervisor.forget(name);
        report.with_context(|| format!("the load gave no report: {}", log.trim()))
    }

    /// What a client needs where the network does not place it.
    fn vantage(&self, site: Site, workload: &str) -> anyhow::Result<Vec<String>> {
        if self.plan.network == Network::Namespaces {
            return Ok(Vec::new());
        }
        let known = WORKLOADS.iter().find(|it| it.site == site && it.name == workload);
        let host = known.with_context(|| format!("`{site}` has no workload `{workload}`"))?.host;
        let source = self.plan.workload(site, host).to_string();
        let resolver = self.plan.resolver(site).to_string();
        Ok(vec!["--source".to_owned(), source, "--resolver".to_owned(), resolver])
    }

    /// Runs any program at a place and gives its standard output.
    pub(crate) async fn run_at(&self, place: &Place, command: &[&str]) -> anyhow::Result<String> {
        let running = self
            .supervisor
            .command_at(&place.to_string(), Some(place.site))
            .args(command)
            .stdin(Stdio::null())
            .kill_on_drop(true)
            .output();
        let shown = command.join(" ");
        let output = tokio::time::timeout(limits::PROGRAM_TIMEOUT, running)
            .await
            .with_context(|| format!("`{shown}` did not end"))?
            .with_context(|| format!("could not run `{shown}`"))?;
        if !output.status.success() {
            let errors = String::from_utf8_lossy(&output.stderr);
            bail!("`{shown}` failed ({}): {}", output.status, errors.trim());
        }
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }
}

pub(crate) fn host_name(service: &str) -> String {
    format!("{service}.{NAMESPACE}.svc.clusterset.local")
}

pub(crate) fn url(service: &str, path: &str) -> String {
    format!("http://{}:{BOOKSTORE_PORT}{path}", host_name(service))
}

/// Who may call `reviews`: the product pages, and nobody else.
pub(crate) fn reviews_policy() -> Value {
    json!({
        "apiVersion": "rialto.dev/v1alpha1",
        "kind": "AccessPolicy",
        "metadata": { "namespace": NAMESPACE, "name": REVIEWS_POLICY },
        "spec": {
            "targetRefs": [{
                "group": "multicluster.x-k8s.io", "kind": "ServiceImport", "name": "reviews",
            }],
            "action": "ALLOW",
            "rules": [{ "from": [{ "identities": ["spiffe://*/ns/books/sa/productpage"] }] }],
        },
    })
}

pub(crate) const REVIEWS_POLICY: &str = "reviews-callers";

/// How a workload's server is started, if it has one.
fn app_spec(workload: &Workload, plan: Plan) -> Option<Spec> {
    let (service, version) = match workload.app {
        App::ProductPage => ("productpage", "v1"),
        App::Details => ("details", "v1"),
        App::Reviews(version) => ("reviews", version),
        App::Ratings => ("ratings", "v1"),
        App::Console | App::Client => return None,
    };
    let place = Place::workload(workload.site, workload.name);
    let address = plan.workload(workload.site, workload.host);
    let listen = SocketAddr::from((address, BOOKSTORE_PORT));
    let (listen_text, source, resolver) =
        (listen.to_string(), address.to_string(), plan.resolver(workload.site).to_string());
    let mut arguments = vec!["demo", "app", service, "--listen", &listen_text];
    arguments.extend(["--version", version, "--cluster", workload.site.name()]);
    arguments.extend(["--instance", workload.name]);
    if plan.network == Network::Loopback {
        arguments.extend(["--source", &source, "--resolver", &resolver]);
    }
    let name = place.to_string();
    Some(Spec::new(&name, &place, &arguments, Ready::Http(listen, "/health".to_owned())))
}
