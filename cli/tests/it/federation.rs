//! The operator's guide, followed by hand: one bridge, and a cluster per `rialto node`.
//!
//! The networks are those of the demo, with nothing of it in them.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::sync::MutexGuard;

use anyhow::{Context as _, ensure};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::demo::{Ended, PROGRAM, alone, demo, demo_output, need_namespaces, wait_until};

const BRIDGE: &str = "10.88.0.11:7600";
/// Not the usual address, which the demo has in this network.
const REST: &str = "127.88.0.11:7601";
/// Of the service that sends back what it gets, where a test runs one.
pub(crate) const ECHO_PORT: u16 = 8001;
/// Of the admin pages of a node's agent, gateway and DNS proxy.
const NODE_PORTS: [u16; 3] = [9902, 9903, 9904];
const PAGE: &str = "a page that python serves";

#[test]
fn two_nodes_joined_by_hand_serve_each_other() -> anyhow::Result<()> {
    let by_hand = ByHand::begin()?;

    let bridge = by_hand.start_bridge(&json!({}))?;
    let _east = by_hand.start_node("east", 1)?;
    let _west = by_hand.start_node("west", 2)?;
    by_hand.refuse_used_token()?;
    let _pages = (by_hand.serve_page("east")?, by_hand.serve_page("west")?);

    by_hand.until_page("east", "west")?;
    by_hand.until_page("west", "east")?;

    drop(bridge);
    wait_until("the bridge is gone", || Ok(!by_hand.is_ready("control", 7602)?))?;
    // Gateways that stood still for a second on a busy machine are silent to each other for a while.
    by_hand.until_page("east", "west")?;
    by_hand.until_page("west", "east")
}

/// The networks of a demo, without its parts. They end before their folder is removed.
pub(crate) struct ByHand {
    _networks: Ended,
    /// Of the networks; the demo removes it.
    pub(crate) folder: PathBuf,
    parent: TempDir,
    _alone: MutexGuard<'static, ()>,
}

impl ByHand {
    pub(crate) fn begin() -> anyhow::Result<Self> {
        need_namespaces()?;
        let alone = alone();
        let parent = tempfile::tempdir()?;
        // Parts run as nobody in particular.
        fs::set_permissions(parent.path(), fs::Permissions::from_mode(0o755))?;
        let folder = parent.path().join("demo");
        let networks = Ended(demo(&folder, &["networks", "--rest", "127.0.0.1:0"]).spawn()?);
        wait_until("the networks", || Ok(demo_output(&folder, &["link"])?.status.success()))?;
        let by_hand = Self { _networks: networks, folder, parent, _alone: alone };
        by_hand.need_programs()?;
        Ok(by_hand)
    }

    fn need_programs(&self) -> anyhow::Result<()> {
        for program in ["curl", "python3"] {
            let found = demo_output(&self.folder, &["exec", "east", "--", program, "--version"])?;
            ensure!(found.status.success(), "install `{program}`: apt-get install {program}");
        }
        Ok(())
    }

    pub(crate) fn path(&self, name: &str) -> String {
        self.parent.path().join(name).display().to_string()
    }

    pub(crate) fn write(&self, name: &str, settings: &Value) -> anyhow::Result<String> {
        let path = self.path(name);
        fs::write(&path, serde_saphyr::to_string(settings)?)?;
        Ok(path)
    }

    /// A program that runs until it is dropped, on the node of a site; its log is in a file.
    pub(crate) fn serve(
        &self,
        site: &str,
        place: &[&str],
        command: &[&str],
    ) -> anyhow::Result<Ended> {
        let mut serving = demo(&self.folder, &[&["exec", site], place, &["--"], command].concat());
        let log = fs::File::options().create(true).append(true).open(self.path("log"))?;
        Ok(Ended(serving.stdout(log.try_clone()?).stderr(log).spawn()?))
    }

    fn is_ready(&self, site: &str, port: u16) -> anyhow::Result<bool> {
        let url = format!("http://127.0.0.1:{port}/readyz");
        let curl = ["exec", site, "--as", "node", "--", "curl", "-sf", "-m", "5", &url];
        Ok(demo_output(&self.folder, &curl)?.status.success())
    }

    fn is_refused(&self, site: &str, port: u16) -> anyhow::Result<bool> {
        const REFUSED: i32 = 7;
        let url = format!("http://127.0.0.1:{port}/livez");
        let curl = ["exec", site, "--as", "node", "--", "curl", "-s", "-m", "5", &url];
        Ok(demo_output(&self.folder, &curl)?.status.code() == Some(REFUSED))
    }

    fn until_ready(&self, site: &str, ports: &[u16]) -> anyhow::Result<()> {
        for port in ports {
            let ready =
                wait_until(&format!("{site} is ready on {port}"), || self.is_ready(site, *port));
            ready.with_context(|| fs::read_to_string(self.path("log")).unwrap_or_default())?;
        }
        Ok(())
    }

    pub(crate) fn start_bridge(&self, more: &Value) -> anyhow::Result<Ended> {
        let mut settings = json!({
            "listen": BRIDGE,
            "rest": REST,
            "data": self.path("bridge"),
            "adminTokenFile": self.path("admin.token"),
        });
        let more = more.as_object().context("settings are an object")?.clone();
        settings.as_object_mut().context("as written")?.extend(more);
        let settings = self.write("bridge.yaml", &settings)?;
        let bridge = self.serve("control", &[], &[PROGRAM, "bridge", "--config", &settings])?;
        self.until_ready("control", &[7602])?;
        Ok(bridge)
    }

    /// A verb of the command line, where the bridge is.
    fn verb(&self, arguments: &[&str]) -> anyhow::Result<String> {
        let (server, token) = (format!("http://{REST}"), self.path("admin.token"));
        let connection = ["--server", &server, "--token-file", &token];
        let verb = [&["exec", "control", "--", PROGRAM], arguments, &connection[..]].concat();
        let output = demo_output(&self.folder, &verb)?;
        ensure!(output.status.success(), "{arguments:?}: {output:?}");
        Ok(String::from_utf8(output.stdout)?)
    }

    pub(crate) fn start_node(&self, cluster: &str, number: u8) -> anyhow::Result<Ended> {
        let resource = json!({
            "apiVersion": "rialto.dev/v1alpha1",
            "kind": "Cluster",
            "metadata": { "name": cluster },
            "spec": { "vipRange": "246.0.0.0/16" },
        });
        let resource = self.write(&format!("{cluster}.cluster.yaml"), &resource)?;
        self.verb(&["apply", "-f", &resource])?;
        let token = self.path(&format!("{cluster}.token"));
        fs::write(&token, self.verb(&["join", "token", "--cluster", cluster])?)?;
        self.refuse_agents_token(&token)?;

        let settings = self.node_settings(cluster, number)?;
        self.write(&format!("{cluster}.yaml"), &settings)?;
        self.run_node(cluster, &["--token-file", &token])
    }

    /// With the identity and the documents that it has on disk.
    pub(crate) fn start_node_again(&self, cluster: &str) -> anyhow::Result<Ended> {
        // Who ran it is gone before it is: its ports may be held for a moment more.
        for port in NODE_PORTS {
            wait_until("the node before is gone", || self.is_refused(cluster, port))?;
        }
        self.run_node(cluster, &[])
    }

    fn run_node(&self, cluster: &str, more: &[&str]) -> anyhow::Result<Ended> {
        let settings = self.path(&format!("{cluster}.yaml"));
        let node = [&[PROGRAM, "node", "--config", &settings], more].concat();
        let node = self.serve(cluster, &["--as", "node"], &node)?;
        self.until_ready(cluster, &NODE_PORTS)?;
        Ok(node)
    }

    fn node_settings(&self, cluster: &str, number: u8) -> anyhow::Result<Value> {
        let registry = json!({ "services": [{
            "namespace": "pages",
            "name": cluster,
            "export": true,
            "ports": [{ "port": 80, "targetPort": 8000, "protocol": "http" }],
            "endpoints": [{ "address": format!("10.89.{number}.9") }],
        }, {
            "namespace": "pages",
            "name": format!("echo-{cluster}"),
            "export": true,
            "ports": [{ "port": ECHO_PORT, "protocol": "tcp" }],
            "endpoints": [{ "address": format!("10.89.{number}.9") }],
        }]});
        let registry = self.write(&format!("{cluster}.registry.yaml"), &registry)?;
        let socket = self.path(&format!("{cluster}.sock"));
        let folder = |part: &str| self.path(&format!("{cluster}.{part}"));
        Ok(json!({
            "agent": {
                "dataFolder": folder("agent"),
                "registry": { "static": registry },
                "socket": socket,
            },
            "gateway": {
                "id": "gateway",
                "dataFolder": folder("gateway"),
                "agentSocket": socket,
                "tunnel": { "listen": format!("10.88.{number}.11:7443") },
            },
            "dns": {
                "id": "dns",
                "dataFolder": folder("dns"),
                "agentSocket": socket,
                "listen": [format!("10.89.{number}.1:53")],
                "upstreams": [],
            },
        }))
    }

    /// A member that comes with an agent's token, which stays good.
    fn refuse_agents_token(&self, token: &str) -> anyhow::Result<()> {
        let any = "127.0.0.1:0";
        let settings = json!({
            "id": "bridge-2",
            "listen": any,
            "rest": any,
            "admin": any,
            "data": self.path("bridge-2"),
        });
        let settings = self.write("bridge-2.yaml", &settings)?;
        let bridge = [PROGRAM, "bridge", "--config", &settings, "--token-file", token];
        let exec = ["exec", "control", "--"];
        let output = demo_output(&self.folder, &[&exec[..], &bridge[..]].concat())?;
        let told = String::from_utf8_lossy(&output.stderr);
        ensure!(!output.status.success() && told.contains("join token --member"), "{told}");
        Ok(())
    }

    /// A second machine that comes with the token of the first.
    fn refuse_used_token(&self) -> anyhow::Result<()> {
        let settings = json!({
            "dataFolder": self.path("thief"),
            "registry": { "static": self.path("east.registry.yaml") },
            "socket": self.path("thief.sock"),
            "listen": "127.0.0.1:0",
            "admin": "127.0.0.1:0",
        });
        let (settings, token) = (self.write("thief.yaml", &settings)?, self.path("east.token"));
        let agent = [PROGRAM, "agent", "--config", &settings, "--token-file", &token];
        let exec = ["exec", "east", "--as", "node", "--"];
        let output = demo_output(&self.folder, &[&exec[..], &agent[..]].concat())?;
        let told = String::from_utf8_lossy(&output.stderr);
        ensure!(!output.status.success() && told.contains("RIA1002"), "{told}");
        Ok(())
    }

    pub(crate) fn serve_page(&self, cluster: &str) -> anyhow::Result<Ended> {
        let pages = self.path("pages");
        fs::create_dir_all(&pages)?;
        fs::write(self.path("pages/page.txt"), PAGE)?;
        self.serve(cluster, &[], &["python3", "-m", "http.server", "8000", "-d", &pages])
    }

    /// What curl says of the other cluster's page, by name.
    fn page(&self, caller: &str, home: &str) -> anyhow::Result<String> {
        let url = format!("http://{home}.pages.svc.clusterset.local/page.txt");
        let output = demo_output(
            &self.folder,
            &["exec", caller, "--", "curl", "-sS", "-m", "5", "--stderr", "-", &url],
        )?;
        Ok(String::from_utf8(output.stdout)?)
    }

    pub(crate) fn until_page(&self, caller: &str, home: &str) -> anyhow::Result<()> {
        let mut told = String::new();
        let answered = wait_until(&format!("{caller} gets the page of {home}"), || {
            told = self.page(caller, home)?;
            Ok(told == PAGE)
        });
        answered.with_context(|| told.clone())
    }
}
