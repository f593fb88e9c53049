//! Local listeners: one per virtual IP and port of a service, or one per gateway port, opened and
//! closed with the snapshot.

use std::collections::BTreeMap;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};

use rialto_types::id::ServiceName;
use rialto_types::limits;
use rialto_types::service::AppProtocol;
use rialto_types::snapshot::Snapshot;
use socket2::{Domain, Protocol, SockRef, Socket, TcpKeepalive, Type};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::AbortHandle;

use crate::config::Capture;
use crate::http1;
use crate::metrics::{Side, SideReason};
use crate::relay;
use crate::worker::Worker;

/// A local workload's connection, and what it dialled.
#[derive(Debug)]
pub(crate) struct Near {
    pub(crate) stream: TcpStream,
    pub(crate) source: SocketAddr,
    pub(crate) service: ServiceName,
    pub(crate) port: u16,
}

/// The worker's listeners.
#[derive(Debug)]
pub(crate) struct Listeners {
    capture: Capture,
    open: BTreeMap<SocketAddr, Listener>,
    failed: BTreeMap<SocketAddr, String>,
}

#[derive(Debug)]
struct Listener {
    dialled: Dialled,
    socket: std::rc::Rc<TcpListener>,
    task: AbortHandle,
}

/// What every connection of a listener dialled.
#[derive(Debug, Clone)]
struct Dialled {
    service: ServiceName,
    port: u16,
    capture: Capture,
}

impl Listeners {
    pub(crate) fn new(capture: Capture) -> Self {
        Self { capture, open: BTreeMap::new(), failed: BTreeMap::new() }
    }

    pub(crate) fn addresses(&self) -> Vec<SocketAddr> {
        self.open.keys().copied().collect()
    }

    pub(crate) fn failed(&self) -> &BTreeMap<SocketAddr, String> {
        &self.failed
    }

    /// Opens what is missing and closes what is no longer a service. Flows go on.
    pub(crate) fn reconcile(&mut self, worker: &Worker) {
        if self.capture == Capture::Off || worker.is_draining() {
            return;
        }
        let wanted = wanted(&worker.tables().snapshot, self.capture);
        self.open.retain(|address, listener| {
            let is_wanted = wanted.get(address).is_some_and(|(service, port)| {
                *service == listener.dialled.service && *port == listener.dialled.port
            });
            if !is_wanted {
                listener.task.abort();
                accept_waiting(worker, listener);
            }
            is_wanted
        });
        self.failed.retain(|address, _| wanted.contains_key(address));
        for (address, (service, port)) in wanted {
            if self.open.contains_key(&address) {
                continue;
            }
            match listen(address) {
                Ok(socket) => {
                    self.failed.remove(&address);
                    let socket = std::rc::Rc::new(socket);
                    let own = std::rc::Rc::clone(&socket);
                    let dialled = Dialled { service, port, capture: self.capture };
                    let accepting = accept(worker.clone(), own, dialled.clone());
                    let task = tokio::task::spawn_local(accepting).abort_handle();
                    self.open.insert(address, Listener { dialled, socket, task });
                }
                Err(error) => {
                    worker.metrics().listener_failures.inc();
                    if self.failed.insert(address, error.to_string()).is_none() {
                        tracing::warn!(
                            %address,
                            %error,
                            "cannot listen for a service; is the port free, and the range of a \
                             virtual IP routed to this host (`ip route add local RANGE dev lo`)?"
                        );
                    }
                }
            }
        }
        let count = i64::try_from(self.open.len()).unwrap_or(i64::MAX);
        worker.metrics().listeners.set(count);
    }

    /// Closes all, after taking what the kernel has accepted already.
    pub(crate) fn close(&mut self, worker: &Worker) {
        for listener in std::mem::take(&mut self.open).into_values() {
            listener.task.abort();
            accept_waiting(worker, &listener);
        }
    }
}

/// The addresses to listen on. Two services on one address and port cannot be: virtual IPs are
/// unique, and so are gateway ports.
fn wanted(snapshot: &Snapshot, capture: Capture) -> BTreeMap<SocketAddr, (ServiceName, u16)> {
    let mut wanted = BTreeMap::new();
    for (name, service) in &snapshot.services {
        if capture == Capture::Ports {
            for (port, own) in &service.gateway_ports {
                let address = SocketAddr::from((Ipv4Addr::UNSPECIFIED, *own));
                wanted.insert(address, (name.clone(), *port));
            }
            continue;
        }
        for ip in &service.virtual_ips {
            for port in &service.ports {
                let port = port.port.get();
                wanted.insert(SocketAddr::new(*ip, port), (name.clone(), port));
            }
        }
    }
    wanted
}

fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_nonblocking(true)?;
    socket.set_reuse_address(true)?;
    // Several gateways on one host share a virtual IP.
    socket.set_reuse_port(true)?;
    // The range may be routed to this host later than the snapshot comes.
    if address.is_ipv4() {
        socket.set_freebind_v4(true)?;
    } else {
        socket.set_freebind_v6(true)?;
        socket.set_only_v6(true)?;
    }
    socket.bind(&address.into())?;
    socket.listen(limits::LISTEN_BACKLOG)?;
    TcpListener::from_std(socket.into())
}

async fn accept(worker: Worker, socket: std::rc::Rc<TcpListener>, dialled: Dialled) {
    loop {
        match socket.accept().await {
            Ok((stream, source)) => start(&worker, stream, source, &dialled),
            Err(error) => {
                tracing::warn!(%error, "cannot accept a connection; are file descriptors left?");
                // What is missing does not come back in the same instant.
                tokio::time::sleep(limits::ACCEPT_BACKOFF).await;
            }
        }
    }
}

fn accept_waiting(worker: &Worker, listener: &Listener) {
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    while let std::task::Poll::Ready(Ok((stream, source))) =
        listener.socket.poll_accept(&mut context)
    {
        start(worker, stream, source, &listener.dialled);
    }
}

fn start(worker: &Worker, stream: TcpStream, source: SocketAddr, dialled: &Dialled) {
    let Some(guard) = worker.enter(Side::Near) else {
        let reason = SideReason { side: Side::Near, reason: "too_many_flows" };
        worker.metrics().refusals.get_or_create(&reason).inc();
        relay::reset(&stream);
        return;
    };
    prepare(&stream);
    let Dialled { service, port, capture } = dialled.clone();
    let tables = worker.tables();
    let protocol = rialto_core::choose::protocol(&tables.snapshot, &service, port);
    let near = Near { stream, source, service, port };
    let flows = worker.clone();
    worker.spawn(async move {
        let _guard = guard;
        // A fleet's file names the callers it knows; pods come and go all the time.
        if capture == Capture::Ports {
            flows.caller_known(source.ip()).await;
        }
        match protocol.unwrap_or_default() {
            AppProtocol::Tcp => relay::serve_near(flows, near).await,
            AppProtocol::Http => http1::near::serve(flows, near).await,
        }
    });
}

/// Small writes leave at once, and a peer that vanished is noticed.
pub(crate) fn prepare(stream: &TcpStream) {
    let keepalive = TcpKeepalive::new()
        .with_time(limits::TCP_KEEPALIVE)
        .with_interval(limits::TCP_KEEPALIVE / 4);
    let socket = SockRef::from(stream);
    if let Err(error) = stream.set_nodelay(true).and_then(|()| socket.set_tcp_keepalive(&keepalive))
    {
        tracing::debug!(%error, "socket option not set");
    }
}
