//! The settings of every server of the demo, and the registries of its clusters, as files.

use std::collections::BTreeMap;
use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use serde_json::{Value, json};

use super::plan::{App, BOOKSTORE_PORT, BRIDGE_HOSTS, Network, Plan, Site, Workload, workloads};

pub(crate) const NAMESPACE: &str = "books";

/// The files of one demo.
#[derive(Clone, Debug)]
pub(crate) struct Files {
    folder: PathBuf,
}

impl Files {
    pub(crate) fn new(folder: &Path) -> Self {
        Self { folder: folder.to_owned() }
    }

    pub(crate) fn admin_token(&self) -> PathBuf {
        self.folder.join("admin.token")
    }

    pub(crate) fn join_token(&self, name: &str) -> PathBuf {
        self.folder.join("data").join(format!("{name}.token"))
    }

    pub(crate) fn settings(&self, name: &str) -> PathBuf {
        self.folder.join("settings").join(format!("{name}.yaml"))
    }

    pub(crate) fn resources(&self, name: &str) -> PathBuf {
        self.folder.join("resources").join(format!("{name}.yaml"))
    }

    fn data(&self, name: &str) -> PathBuf {
        self.folder.join("data").join(name)
    }

    pub(crate) fn write_bridge(&self, plan: Plan, host: u8) -> anyhow::Result<()> {
        let name = bridge_name(host);
        let mut settings = json!({
            "id": name,
            "listen": plan.bridge(host),
            "rest": plan.rest(host),
            "admin": plan.bridge_admin(host),
            "data": self.data(&name),
        });
        if host == BRIDGE_HOSTS[0] {
            settings["adminTokenFile"] = json!(self.admin_token());
        } else {
            settings["joinTokenFile"] = json!(self.join_token(&name));
        }
        write(&self.settings(&name), &settings)
    }

    pub(crate) fn write_agent(&self, plan: Plan, site: Site) -> anyhow::Result<()> {
        self.write_agent_with(plan, site, site.name(), (plan.agent(site), plan.agent_admin(site)))
    }

    /// An agent that joins with the named token and gets in nobody's way.
    pub(crate) fn write_stranger(&self, plan: Plan, site: Site, token: &str) -> anyhow::Result<()> {
        let anywhere = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        self.write_agent_with(plan, site, token, (anywhere, anywhere))
    }

    fn write_agent_with(
        &self,
        plan: Plan,
        site: Site,
        token: &str,
        (listen, admin): (SocketAddr, SocketAddr),
    ) -> anyhow::Result<()> {
        let registry = self.settings(&format!("{site}.registry"));
        write(&registry, &registry_of(site, plan))?;
        let settings = json!({
            "dataFolder": self.data(&format!("{token}.agent")),
            "registry": { "static": registry },
            "socket": self.socket(token),
            "listen": listen,
            "tokenFile": self.join_token(token),
            "admin": admin,
        });
        write(&self.settings(&format!("{token}.agent")), &settings)
    }

    pub(crate) fn write_gateway(&self, plan: Plan, site: Site, host: u8) -> anyhow::Result<()> {
        let id = gateway_id(host);
        let name = format!("{site}.{id}");
        let settings = json!({
            "id": id,
            "dataFolder": self.data(&name),
            "agentSocket": self.socket(site.name()),
            "tunnel": { "listen": plan.tunnel(site, host) },
            "admin": plan.gateway_admin(site, host),
        });
        write(&self.settings(&name), &settings)
    }

    pub(crate) fn write_dns(&self, plan: Plan, site: Site) -> anyhow::Result<()> {
        let name = format!("{site}.dns");
        let settings = json!({
            "id": "dns",
            "dataFolder": self.data(&name),
            "agentSocket": self.socket(site.name()),
            "listen": [plan.resolver(site)],
            // The networks of the demo lead nowhere else.
            "upstreams": [],
            "admin": plan.dns_admin(site),
        });
        write(&self.settings(&name), &settings)
    }

    /// Writes resources for `rialto apply` and gives the file.
    pub(crate) fn write_resources(&self, name: &str, resources: &Value) -> anyhow::Result<PathBuf> {
        let path = self.resources(name);
        write(&path, resources)?;
        Ok(path)
    }

    fn socket(&self, name: &str) -> PathBuf {
        self.folder.join(format!("{name}.agent.sock"))
    }
}

pub(crate) fn bridge_name(host: u8) -> String {
    format!("bridge-{}", host - 10)
}

pub(crate) fn gateway_id(host: u8) -> String {
    format!("gateway-{}", host - 10)
}

/// The virtual IPs of a cluster are local to its node in namespaces; on loopback they must differ.
pub(crate) fn cluster_resource(site: Site, plan: Plan) -> Value {
    json!({
        "apiVersion": "rialto.dev/v1alpha1",
        "kind": "Cluster",
        "metadata": { "name": site.name() },
        "spec": { "region": site.name(), "vipRange": plan.vip_range(site) },
    })
}

/// The registry file of a cluster: what it serves, and who its workloads are.
fn registry_of(site: Site, plan: Plan) -> Value {
    let mut endpoints: BTreeMap<String, Vec<Value>> = BTreeMap::new();
    for workload in workloads(site) {
        for service in services_of(workload.app) {
            let address = plan.workload(site, workload.host);
            endpoints.entry(service).or_default().push(json!({ "address": address }));
        }
    }
    let services: Vec<_> = endpoints
        .into_iter()
        .map(|(name, endpoints)| {
            json!({
                "namespace": NAMESPACE,
                "name": name,
                // Kept at home, to be asked for in vain.
                "export": name != PRIVATE_SERVICE,
                "ports": [{ "name": "http", "port": BOOKSTORE_PORT, "protocol": "http" }],
                "check": { "type": "http", "path": "/health", "interval": "1s", "timeout": "1s" },
                "endpoints": endpoints,
            })
        })
        .collect();
    let callers: Vec<_> = workloads(site)
        .map(|workload| {
            let address = plan.workload(site, workload.host);
            json!({ "address": address, "namespace": NAMESPACE, "account": account(workload) })
        })
        .collect();
    json!({
        "allowLoopback": plan.network == Network::Loopback,
        "services": services,
        "callers": callers,
    })
}

/// Served by the same processes as `ratings`, and not exported.
pub(crate) const PRIVATE_SERVICE: &str = "ledger";

fn services_of(app: App) -> Vec<String> {
    match app {
        App::ProductPage => vec!["productpage".to_owned()],
        App::Details => vec!["details".to_owned()],
        // A version is a service of its own; a route from `reviews` chooses among them.
        App::Reviews(version) => vec!["reviews".to_owned(), format!("reviews-{version}")],
        App::Ratings => vec!["ratings".to_owned(), PRIVATE_SERVICE.to_owned()],
        App::Console | App::Client => Vec::new(),
    }
}

/// The account of a workload, which the last part of its identity is.
pub(crate) fn account(workload: &Workload) -> &'static str {
    match workload.app {
        App::ProductPage => "productpage",
        App::Details => "details",
        App::Reviews(_) => "reviews",
        App::Ratings => "ratings",
        App::Console => "console",
        App::Client => "client",
    }
}

fn write(path: &Path, value: &Value) -> anyhow::Result<()> {
    let shown = path.display();
    let folder = path.parent().expect("settings are in a folder");
    fs::create_dir_all(folder).with_context(|| format!("could not make `{}`", folder.display()))?;
    let text = serde_saphyr::to_string(value)
        .with_context(|| format!("could not put `{shown}` into words"))?;
    fs::write(path, text).with_context(|| format!("could not write `{shown}`"))
}

#[cfg(test)]
mod tests;
