//! The link between the sites: a user-space switch on the hub ends of the sites' veth pairs.
//!
//! ```text
//!  east: wan0 === east |  hub namespace  | west === wan0 :west
//!                      |  packet sockets |
//!  vms:  wan0 === vms  |  + 12 `Line`s   | control === wan0 :control
//! ```
//!
//! Everything between two sites crosses it (UDP, TCP, ping), because it carries Ethernet frames.
//! TUN devices are refused to ordinary users and the netem qdisc is missing in many kernels; packet
//! sockets need neither.

use std::io::Write as _;
use std::os::fd::{AsFd as _, AsRawFd as _, OwnedFd};
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::time::Instant;

use anyhow::{Context as _, bail};
use nix::errno::Errno;
use nix::ifaddrs::getifaddrs;
use nix::poll::{PollFd, PollFlags, ppoll};
use nix::sys::socket::{
    AddressFamily, MsgFlags, SockFlag, SockProtocol, SockType, bind, recv, send, setsockopt,
    socket, sockopt,
};
use nix::sys::time::TimeSpec;
use nix::{setsockopt_impl, sockopt_impl};

pub(crate) use self::control::{Command, command_socket};
use self::control::{Direction, Reply, Request};
use self::shape::{Line, Shape};
use super::limits;
use super::plan::Site;

pub(crate) mod control;
pub(crate) mod shape;

sockopt_impl!(
    /// Carries checksum offload across the socket: frames of local senders are not yet summed.
    PacketVnetHeader,
    SetOnly,
    nix::libc::SOL_PACKET,
    nix::libc::PACKET_VNET_HDR,
    bool
);

/// `struct virtio_net_hdr`, in front of every frame.
const VNET_HEADER_BYTES: usize = 10;
/// A frame of 1,500 bytes with its Ethernet header and one VLAN tag.
const FRAME_BYTES_MAX: usize = VNET_HEADER_BYTES + 1_518;

/// The link-layer address of a site's `wan0`; the switch finds a frame's way by its last byte.
pub(crate) fn mac(site: Site) -> String {
    format!("02:00:00:00:58:{:02x}", site.number())
}

/// Runs the switch in this process's network namespace until it is killed.
pub(crate) fn run(command_socket: &Path, seed: u64) -> anyhow::Result<()> {
    let mut switch = Switch::open(command_socket, seed)?;
    println_ready()?;
    loop {
        let moved = switch.turn(Instant::now());
        switch.answer_commands();
        if !moved {
            switch.wait()?;
        }
    }
}

fn println_ready() -> anyhow::Result<()> {
    writeln!(std::io::stdout(), "{READY_LINE}").context("could not report readiness")
}

pub(crate) const READY_LINE: &str = "link ready";

type Frame = Vec<u8>;

struct Switch {
    ports: Vec<OwnedFd>,
    commands: UnixDatagram,
    /// By sender, then by receiver, in the order of `Site::ALL`.
    lines: Vec<Vec<Line<Frame>>>,
    /// Buffers to use again.
    free: Vec<Frame>,
    refused_by_kernel: u64,
}

impl Switch {
    fn open(command_socket: &Path, seed: u64) -> anyhow::Result<Self> {
        let ports = Site::ALL.into_iter().map(open_port).collect::<anyhow::Result<Vec<_>>>()?;
        let commands = UnixDatagram::bind(command_socket)
            .with_context(|| format!("could not bind `{}`", command_socket.display()))?;
        commands.set_nonblocking(true).context("could not make the command socket non-blocking")?;
        let now = Instant::now();
        let sites = Site::ALL.len();
        let line = |number: usize| Line::new(Shape::default(), seed + number as u64, now);
        let lines = (0..sites).map(|from| (0..sites).map(|to| line(from * sites + to)).collect());
        let lines = lines.collect();
        Ok(Self { ports, commands, lines, free: Vec::new(), refused_by_kernel: 0 })
    }

    /// Delivers what is due and takes in what waits, a batch each, so that neither starves.
    fn turn(&mut self, now: Instant) -> bool {
        let mut moved = false;
        for from in 0..self.ports.len() {
            for to in 0..self.ports.len() {
                moved |= self.deliver(from, to, now);
            }
            moved |= self.take_in(from);
        }
        moved
    }

    fn deliver(&mut self, from: usize, to: usize, now: Instant) -> bool {
        let mut count = 0;
        while count < limits::LINK_BATCH_FRAMES
            && let Some(frame) = self.lines[from][to].poll_packet(now)
        {
            if send(self.ports[to].as_raw_fd(), &frame, MsgFlags::empty()).is_err() {
                self.refused_by_kernel += 1;
            }
            self.free.push(frame);
            count += 1;
        }
        count > 0
    }

    fn take_in(&mut self, from: usize) -> bool {
        for count in 0..limits::LINK_BATCH_FRAMES {
            let mut frame = self.free.pop().unwrap_or_default();
            frame.resize(FRAME_BYTES_MAX, 0);
            let received = recv(self.ports[from].as_raw_fd(), &mut frame, MsgFlags::MSG_TRUNC);
            let size = match received {
                Ok(size) => size,
                Err(_) => {
                    self.free.push(frame);
                    return count > 0;
                }
            };
            if size > FRAME_BYTES_MAX {
                self.refused_by_kernel += 1;
                self.free.push(frame);
                continue;
            }
            frame.truncate(size);
            let line = receiver(&frame).and_then(|to| self.lines[from].get_mut(to));
            let refused = match line {
                Some(line) => line.handle_packet(frame, Instant::now()).err(),
                None => Some(frame),
            };
            self.free.extend(refused);
        }
        true
    }

    fn answer_commands(&mut self) {
        let mut buffer = vec![0; limits::COMMAND_BYTES_MAX];
        while let Ok((size, sender)) = self.commands.recv_from(&mut buffer) {
            let reply = match serde_json::from_slice(&buffer[..size]) {
                Ok(request) => self.obey(&request),
                Err(error) => Reply::Refused(error.to_string()),
            };
            let bytes = serde_json::to_vec(&reply).expect("a reply has no map with odd keys");
            if let Some(path) = sender.as_pathname() {
                // The one who asked may be gone; that is no matter of ours.
                let _ = self.commands.send_to(&bytes, path);
            }
        }
    }

    fn obey(&mut self, request: &Request) -> Reply {
        if let Request::Change { between: (one, other), change } = request {
            let (one, other) = (usize::from(one.number()), usize::from(other.number()));
            for (from, to) in [(one, other), (other, one)] {
                let line = &mut self.lines[from][to];
                line.reshape(change.applied_to(line.shape()));
            }
        }
        Reply::Links(self.directions().collect())
    }

    fn directions(&self) -> impl Iterator<Item = Direction> {
        let pairs = Site::ALL.into_iter().flat_map(|from| Site::ALL.map(|to| (from, to)));
        pairs.filter(|(from, to)| from != to).map(|(from, to)| {
            let line = &self.lines[usize::from(from.number())][usize::from(to.number())];
            Direction { from, to, shape: line.shape(), counters: line.counters() }
        })
    }

    fn wait(&self) -> anyhow::Result<()> {
        let now = Instant::now();
        let next = self.lines.iter().flatten().filter_map(Line::poll_timeout).min();
        let timeout = next.map(|due| due.saturating_duration_since(now));
        let mut waited_on: Vec<_> =
            self.ports.iter().map(|port| PollFd::new(port.as_fd(), PollFlags::POLLIN)).collect();
        waited_on.push(PollFd::new(self.commands.as_fd(), PollFlags::POLLIN));
        match ppoll(&mut waited_on, timeout.map(TimeSpec::from_duration), None) {
            Ok(_) | Err(Errno::EINTR) => Ok(()),
            Err(errno) => Err(errno).context("could not wait for packets"),
        }
    }
}

fn receiver(frame: &[u8]) -> Option<usize> {
    frame.get(VNET_HEADER_BYTES + 5).map(|number| usize::from(*number))
}

fn open_port(site: Site) -> anyhow::Result<OwnedFd> {
    let name = site.name();
    let port = socket(
        AddressFamily::Packet,
        SockType::Raw,
        SockFlag::SOCK_NONBLOCK | SockFlag::SOCK_CLOEXEC,
        SockProtocol::EthAll,
    )
    .with_context(|| format!("could not open a packet socket for `{name}`"))?;
    setsockopt(&port, PacketVnetHeader, &true)
        .with_context(|| format!("could not ask for offload headers on `{name}`"))?;
    let buffer = limits::LINK_SOCKET_BYTES;
    if setsockopt(&port, sockopt::RcvBufForce, &buffer).is_err() {
        // Kernels before 5.16 refuse the forced form in a user namespace; less is better than none.
        setsockopt(&port, sockopt::RcvBuf, &buffer)
            .with_context(|| format!("could not size the receive buffer of `{name}`"))?;
    }
    let interfaces = getifaddrs().context("could not list the interfaces of the hub")?;
    let address = interfaces
        .filter(|interface| interface.interface_name == name)
        .find_map(|interface| interface.address?.as_link_addr().copied());
    let Some(address) = address else { bail!("the hub has no interface `{name}`") };
    bind(port.as_raw_fd(), &address)
        .with_context(|| format!("could not bind a packet socket to `{name}`"))?;
    Ok(port)
}

#[cfg(test)]
mod tests;
