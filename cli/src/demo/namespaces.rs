//! The networks of the demo: one process tree in namespaces of its own, as root or not.
//!
//! ```text
//! rialto demo             host's network; user namespace (unless root); holds FOLDER/lock
//!   rialto demo inside    first process of a PID namespace, own mounts: runs everything
//!     rialto demo enter   into one of FOLDER/netns/*, own /etc/resolv.conf, then exec of a server
//! ```
//!
//! When the outermost process dies, the inner one gets the lock that the outer held, and ends; with
//! the first process of a PID namespace the kernel ends all others, and with them goes every
//! namespace, mount and interface. The host's `ip netns` names are never used.
//!
//! REST: the outermost process opens the listening socket before it leaves the host's user
//! namespace and hands it down as the inner one's standard input. A socket stays on the network
//! where it was opened, so the inner process forwards from the host with no process in between.
//! (Rejected: a forwarder outside and a Unix socket inwards, which is one more process and copy.)

use std::fs::{self, File};
use std::io::Write as _;
use std::os::fd::AsFd as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, bail, ensure};
use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::sched::{CloneFlags, setns, unshare};
use nix::unistd::{getegid, geteuid};

use super::link;
use super::plan::{Place, Plan, Site, Workload, link_hosts, workloads};

pub(crate) mod attach;
pub(crate) mod enter;

/// Leaves the host's user and PID namespaces; the next child is the first process of the new one.
///
/// Must be called while the process has one thread, and starts no thread afterwards: Linux refuses
/// both.
pub(crate) fn leave_host() -> anyhow::Result<()> {
    let (user, group) = (geteuid(), getegid());
    if unshare(CloneFlags::CLONE_NEWPID).is_ok() {
        return Ok(());
    }
    unshare(CloneFlags::CLONE_NEWUSER | CloneFlags::CLONE_NEWPID)
        .context("the kernel refuses a user namespace")?;
    map_user(0, user.as_raw(), 0, group.as_raw())
}

/// Maps one user and one group of the parent namespace into this one: all that needs no privilege.
fn map_user(user: u32, outer_user: u32, group: u32, outer_group: u32) -> anyhow::Result<()> {
    let entries = [
        ("/proc/self/setgroups", "deny".to_owned()),
        ("/proc/self/uid_map", format!("{user} {outer_user} 1")),
        ("/proc/self/gid_map", format!("{group} {outer_group} 1")),
    ];
    for (path, text) in entries {
        fs::write(path, text).with_context(|| format!("could not write `{path}`"))?;
    }
    Ok(())
}

/// Tries in a process of its own what the demo needs; the error says what is refused and the way
/// out.
pub(crate) fn probe(program: &Path) -> anyhow::Result<()> {
    let tried = Command::new(program)
        .args(["demo", "probe"])
        .stdin(Stdio::null())
        .output()
        .with_context(|| format!("could not run `{}`", program.display()))?;
    if tried.status.success() {
        return Ok(());
    }
    bail!("{}", String::from_utf8_lossy(&tried.stderr).trim())
}

/// The body of `rialto demo probe`.
pub(crate) fn try_everything() -> anyhow::Result<()> {
    leave_host().and_then(|()| own_mounts()).with_context(way_out)?;
    unshare(CloneFlags::CLONE_NEWNET)
        .context("the kernel refuses a network namespace")
        .with_context(way_out)?;
    ip("the probe", "link set lo up\nlink add probe type veth peer name other\n")
        .with_context(way_out)?;
    nix::sys::socket::socket(
        nix::sys::socket::AddressFamily::Packet,
        nix::sys::socket::SockType::Raw,
        nix::sys::socket::SockFlag::SOCK_CLOEXEC,
        nix::sys::socket::SockProtocol::EthAll,
    )
    .context("the kernel refuses packet sockets")
    .with_context(way_out)?;
    Ok(())
}

fn way_out() -> String {
    let setting = |path: &str| fs::read_to_string(path).unwrap_or_default().trim().to_owned();
    if setting("/proc/sys/kernel/apparmor_restrict_unprivileged_userns") == "1" {
        return "namespaces are not to be had; run as root, or set \
                `sysctl kernel.apparmor_restrict_unprivileged_userns=0`"
            .to_owned();
    }
    if setting("/proc/sys/user/max_user_namespaces") == "0" {
        return "namespaces are not to be had; run as root, or set \
                `sysctl user.max_user_namespaces=15000`"
            .to_owned();
    }
    "namespaces are not to be had; run as root, outside of a container or in a privileged one"
        .to_owned()
}

/// The named networks of a running demo, seen from its inner process.
#[derive(Clone, Debug)]
pub(crate) struct Namespaces {
    folder: PathBuf,
}

impl Namespaces {
    /// Builds all networks and leaves this process in that of the bridges.
    ///
    /// Must be called by the first process of the PID namespace while it has one thread.
    pub(crate) fn build(folder: &Path, plan: Plan) -> anyhow::Result<Self> {
        own_mounts()?;
        // Refused where a container hides parts of /proc; its old /proc then serves as well.
        let flags = MsFlags::MS_NOSUID | MsFlags::MS_NODEV | MsFlags::MS_NOEXEC;
        let _ = mount(Some("proc"), "/proc", Some("proc"), flags, None::<&str>);
        let namespaces = Self { folder: folder.to_owned() };
        let networks = folder.join("netns");
        fs::create_dir_all(&networks).context("could not make the run folder")?;
        mount(Some("tmpfs"), &networks, Some("tmpfs"), MsFlags::empty(), None::<&str>)
            .with_context(|| format!("could not mount over `{}`", networks.display()))?;
        for site in Site::ALL {
            namespaces.create(&site.to_string())?;
            for workload in workloads(site) {
                namespaces.create(&place_of(workload).to_string())?;
            }
            enter::write_resolver_files(folder, site, plan)?;
        }
        namespaces.create(HUB)?;
        namespaces.ip(HUB, &namespaces.hub_commands())?;
        for site in Site::ALL {
            setns(namespaces.open(&site.to_string())?, CloneFlags::CLONE_NEWNET)?;
            fs::write("/proc/sys/net/ipv4/ip_forward", "1")
                .context("could not switch on forwarding")?;
            namespaces.ip(&site.to_string(), &namespaces.node_commands(site, plan))?;
            for workload in workloads(site) {
                namespaces
                    .ip(&place_of(workload).to_string(), &workload_commands(workload, plan))?;
            }
        }
        setns(namespaces.open(&Site::Control.to_string())?, CloneFlags::CLONE_NEWNET)?;
        Ok(namespaces)
    }

    /// Runs `work` on a thread in the named network; a socket opened by it stays there.
    pub(crate) fn within<T: Send>(
        &self,
        name: &str,
        work: impl FnOnce() -> T + Send,
    ) -> anyhow::Result<T> {
        let namespace = self.open(name)?;
        std::thread::scope(|scope| {
            let thread = scope.spawn(move || -> anyhow::Result<T> {
                setns(namespace.as_fd(), CloneFlags::CLONE_NEWNET)
                    .with_context(|| format!("could not enter the network of `{name}`"))?;
                Ok(work())
            });
            thread.join().expect("work in a namespace does not panic")
        })
    }

    /// Lets go of what is mounted in the folder, so that it can be removed from inside.
    pub(crate) fn let_go(folder: &Path) {
        let _ = umount2(&folder.join("netns"), MntFlags::MNT_DETACH);
    }

    fn open(&self, name: &str) -> anyhow::Result<File> {
        let path = namespace_path(&self.folder, name);
        File::open(&path).with_context(|| format!("the demo has no network `{name}`"))
    }

    fn create(&self, name: &str) -> anyhow::Result<()> {
        let path = namespace_path(&self.folder, name);
        File::create(&path).with_context(|| format!("could not make `{}`", path.display()))?;
        unshare(CloneFlags::CLONE_NEWNET)
            .with_context(|| format!("could not make a network for `{name}`"))?;
        mount(Some("/proc/self/ns/net"), &path, None::<&str>, MsFlags::MS_BIND, None::<&str>)
            .with_context(|| format!("could not keep the network of `{name}`"))?;
        // Router solicitations and the like would only cross the link for nothing.
        let _ = fs::write("/proc/sys/net/ipv6/conf/default/disable_ipv6", "1");
        // What `demo exec` runs has no privilege, and must serve port 80 and ping all the same.
        let _ = fs::write("/proc/sys/net/ipv4/ip_unprivileged_port_start", "0");
        let _ = fs::write("/proc/sys/net/ipv4/ping_group_range", "0 2147483647");
        ip(name, "link set lo up\n")
    }

    fn ip(&self, name: &str, commands: &str) -> anyhow::Result<()> {
        setns(self.open(name)?, CloneFlags::CLONE_NEWNET)
            .with_context(|| format!("could not enter the network of `{name}`"))?;
        ip(name, commands)
    }

    fn hub_commands(&self) -> String {
        let pair = |site: Site| {
            let peer = namespace_path(&self.folder, site.name());
            let peer = peer.display();
            format!("link add {site} type veth peer name wan0 netns {peer}\nlink set {site} up\n")
        };
        Site::ALL.map(pair).concat()
    }

    fn node_commands(&self, site: Site, plan: Plan) -> String {
        let mut text = format!(
            // One packet is one packet: the link's loss must not take 64 KiB at a time.
            "link set wan0 address {} gso_max_segs 1 txqueuelen 4000 up\n",
            link::mac(site)
        );
        for host in link_hosts(site).iter().chain(&[1]) {
            text += &format!("address add {}/24 dev wan0\n", plan.link(site, *host));
        }
        for other in Site::ALL.into_iter().filter(|other| *other != site) {
            let (network, hop) = (plan.link(other, 0), plan.link(other, 1));
            let mac = link::mac(other);
            text += &format!("neighbour add {hop} lladdr {mac} dev wan0 nud permanent\n");
            text += &format!("route add {network}/24 via {hop} dev wan0 onlink\n");
        }
        let node = plan.node(site);
        text += &format!("address add {node}/32 dev lo\n");
        // A workload's packets must not leak to other sites, which could not answer them.
        let (workloads_here, links) = (plan.workload(site, 0), plan.link(Site::Control, 0));
        text += &format!("rule add from {workloads_here}/24 to {links}/16 prohibit\n");
        text += &format!("route add local {} dev lo src {node}\n", plan.vip_range(site));
        for workload in workloads(site) {
            let interface = format!("w{}", workload.host);
            let peer = namespace_path(&self.folder, &place_of(workload).to_string());
            let address = plan.workload(site, workload.host);
            text += &format!(
                "link add {interface} type veth peer name eth0 netns {}\n\
                 link set {interface} up\n\
                 route add {address}/32 dev {interface} src {node}\n",
                peer.display()
            );
        }
        text
    }
}

/// Where the link runs.
pub(crate) const HUB: &str = "hub";

fn workload_commands(workload: &Workload, plan: Plan) -> String {
    let address = plan.workload(workload.site, workload.host);
    let node = plan.node(workload.site);
    format!(
        "link set eth0 up\n\
         address add {address}/32 dev eth0\n\
         route add default via {node} dev eth0 onlink\n"
    )
}

fn place_of(workload: &Workload) -> Place {
    Place::workload(workload.site, workload.name)
}

fn namespace_path(folder: &Path, name: &str) -> PathBuf {
    folder.join("netns").join(name)
}

/// Nothing that is mounted from here on is seen by the host.
fn own_mounts() -> anyhow::Result<()> {
    unshare(CloneFlags::CLONE_NEWNS).context("the kernel refuses a mount namespace")?;
    mount(None::<&str>, "/", None::<&str>, MsFlags::MS_REC | MsFlags::MS_PRIVATE, None::<&str>)
        .context("could not make the mounts private")
}

/// Runs a batch of iproute2 commands in the network where this process is.
fn ip(name: &str, commands: &str) -> anyhow::Result<()> {
    let mut child = Command::new("ip")
        .args(["-batch", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .context("could not run `ip`; install the package `iproute2`")?;
    let mut input = child.stdin.take().expect("stdin was asked for");
    input.write_all(commands.as_bytes()).context("could not write to `ip`")?;
    drop(input);
    let output = child.wait_with_output().context("could not wait for `ip`")?;
    ensure!(
        output.status.success(),
        "`ip` could not set up the network of `{name}`: {}",
        String::from_utf8_lossy(&output.stderr).trim()
    );
    Ok(())
}
