//! TCP flows: from a local workload to an endpoint, here or through a peer gateway, and from a peer
//! gateway to an endpoint.
//!
//! Payload is held back until the far side has accepted: a flow that meets silence can be tried
//! elsewhere without anything having been delivered. The client's bytes wait in the kernel.

use std::net::{IpAddr, SocketAddr};

use rialto_core::authorize::{self, Operation};
use rialto_core::health::Outcome;
use rialto_types::error::{Chain, Code};
use rialto_types::id::ServiceName;
use rialto_types::limits;
use socket2::SockRef;
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout, timeout_at};

use crate::http1;
use crate::ingress::{Near, prepare};
use crate::metrics::{Side, SideReason};
use crate::observe::{Bytes, Flow};
use crate::tunnel::header::{self, Answer, Mode, Open, Refusal, RefusalCode, Retry};
use crate::tunnel::pool::{Opened, PeerId};
use crate::tunnel::{RecvStream, ResetCode, SendStream};
use crate::worker::{Ask, Chosen, Tables, Target, Tried, Worker};

mod copy;

use copy::{Counts, Passed};

/// Serves a local workload's connection to its end.
pub(crate) async fn serve_near(worker: Worker, near: Near) {
    let Near { mut stream, source, service, port } = near;
    let tables = worker.tables();
    let caller = authorize::local_caller(&tables.snapshot, &tables.local, source.ip());
    let flow = Flow::near(caller, source.ip(), service.clone(), port, rand::random());
    let mut attempt = Attempt {
        worker: &worker,
        service: &service,
        port,
        caller: source.ip(),
        draw: rand::random(),
        tried: Vec::new(),
        flow,
        deadline: Instant::now() + limits::FLOW_OPEN_TIME_MAX,
    };
    let placed = attempt.place().await;
    let mut flow = attempt.flow;
    let counter = flow.counter(worker.traffic());
    let (read, written) = counter.bytes();
    let counts = Counts { read: Passed::told_to(read), written: Passed::told_to(written) };
    let outcome = match placed {
        Some(Placed::Endpoint(mut endpoint)) => {
            copy::between(worker.scratch(), &mut stream, &mut endpoint, &counts).await
        }
        Some(Placed::Peer(Opened { mut send, mut recv, .. })) => {
            copy::through(worker.scratch(), &mut stream, &mut send, &mut recv, &counts).await
        }
        None => {
            reset(&stream);
            Ok(())
        }
    };
    if let Err(broken) = outcome {
        tracing::debug!(error = %Chain(&broken), "flow broke off");
        flow.fail(Code::UpstreamFailed, broken.label());
    }
    flow.bytes = Bytes { from_client: counts.read.total(), to_client: counts.written.total() };
    flow.end(&worker);
}

/// Where a near flow found its place.
enum Placed {
    Endpoint(TcpStream),
    Peer(Opened),
}

/// A near flow on its way to its place.
struct Attempt<'a> {
    worker: &'a Worker,
    service: &'a ServiceName,
    port: u16,
    caller: IpAddr,
    draw: u64,
    tried: Vec<Tried>,
    flow: Flow,
    deadline: Instant,
}

impl Attempt<'_> {
    async fn place(&mut self) -> Option<Placed> {
        // The last stream that met silence, kept in case that nobody else can serve.
        let mut silent: Option<(Opened, PeerId)> = None;
        for _ in 0..limits::FLOW_ATTEMPTS_MAX {
            let tables = self.worker.tables();
            let chosen = match self.choose(&tables).await {
                Ok(chosen) => chosen,
                Err(refusal) => {
                    if let Some((opened, peer)) = silent.take() {
                        return self.wait_on(opened, &peer).await;
                    }
                    let reason = if self.tried.is_empty() { "no_choice" } else { "all_tried" };
                    self.flow.fail(refusal.code, reason);
                    return None;
                }
            };
            match &chosen.target {
                Target::Local(endpoint) => {
                    if let Some(stream) = self.try_endpoint(&tables, &chosen, *endpoint).await? {
                        return Some(Placed::Endpoint(stream));
                    }
                }
                Target::Remote(peer) => match self.try_peer(&chosen, peer).await {
                    Tries::Accepted(opened) => return Some(Placed::Peer(opened)),
                    Tries::Silent(opened) => silent = Some((opened, peer.clone())),
                    Tries::Elsewhere => {}
                    Tries::Nowhere => return None,
                },
            }
            if Instant::now() >= self.deadline {
                break;
            }
        }
        self.flow.fail(Code::NoHealthyEndpoint, "attempts_used_up");
        None
    }

    async fn choose(&mut self, tables: &Tables) -> Result<Chosen, rialto_core::choose::Refusal> {
        let ask = Ask {
            service: self.service,
            port: self.port,
            http: None,
            caller: self.caller,
            tried: &self.tried,
            draw: self.draw,
        };
        let chosen = self.worker.choose_when_dialled(tables, &ask).await?;
        self.flow.route.clone_from(&chosen.route);
        self.flow.backend = Some(chosen.backend.clone());
        Ok(chosen)
    }

    /// `None` outside means that the flow is refused, inside that another place must be tried.
    async fn try_endpoint(
        &mut self,
        tables: &Tables,
        chosen: &Chosen,
        endpoint: SocketAddr,
    ) -> Option<Option<TcpStream>> {
        self.flow.tries_endpoint(&tables.local.cluster, endpoint);
        let operation = Operation { service: self.service, backend: &chosen.backend, http: None };
        let verdict = authorize::authorize(&tables.snapshot, self.flow.caller(), &operation);
        if let Some(code) = verdict.code() {
            self.flow.fail(code, verdict.reason.label());
            return None;
        }
        match connect(self.worker, endpoint, limits::ENDPOINT_CONNECT_TIME_MAX).await {
            Some(stream) => Some(Some(stream)),
            None => {
                self.worker.count_retry("connect_failed");
                self.tried.push(Tried::Endpoint(endpoint));
                Some(None)
            }
        }
    }

    async fn try_peer(&mut self, chosen: &Chosen, peer: &PeerId) -> Tries {
        self.flow.tries_peer(peer);
        let mut opened = match self.worker.open(peer, &self.flow.header(Mode::Tcp, chosen)).await {
            Ok(opened) => opened,
            Err(error) => {
                tracing::debug!(%peer, error = %Chain(&error), "stream not opened");
                self.worker.count_retry("not_connected");
                self.tried.push(Tried::Gateway(peer.clone()));
                return Tries::Elsewhere;
            }
        };
        let Opened { recv, connection, .. } = &mut opened;
        let answer = tokio::select! {
            biased;
            answer = header::read_answer(recv) => Some(answer),
            () = connection.unanswered() => None,
        };
        match answer {
            Some(answer) => self.take_answer(answer, opened, peer),
            None => {
                self.worker.suspect(peer);
                self.worker.count_retry("silence");
                self.tried.push(Tried::Gateway(peer.clone()));
                Tries::Silent(opened)
            }
        }
    }

    /// Nobody else can serve: the one that met silence may only be slow.
    async fn wait_on(&mut self, mut opened: Opened, peer: &PeerId) -> Option<Placed> {
        let answer = timeout_at(self.deadline, header::read_answer(&mut opened.recv)).await;
        let Ok(answer) = answer else {
            self.flow.fail(Code::UpstreamTimeout, "silence");
            return None;
        };
        match self.take_answer(answer, opened, peer) {
            Tries::Accepted(opened) => Some(Placed::Peer(opened)),
            Tries::Silent(_) | Tries::Elsewhere | Tries::Nowhere => {
                self.flow.fail(Code::NoHealthyEndpoint, "all_tried");
                None
            }
        }
    }

    fn take_answer(
        &mut self,
        answer: Result<Answer, header::ReadError>,
        opened: Opened,
        peer: &PeerId,
    ) -> Tries {
        let refusal = match answer {
            Ok(Answer::Accepted) => return Tries::Accepted(opened),
            Ok(Answer::Refused(refusal)) => refusal,
            Err(error) => {
                tracing::debug!(%peer, error = %Chain(&error), "stream broke before its answer");
                self.worker.count_retry("broken");
                self.tried.push(Tried::Gateway(peer.clone()));
                return Tries::Elsewhere;
            }
        };
        tracing::debug!(%peer, %refusal, "flow refused by peer gateway");
        match refusal.code.retry() {
            Retry::Never => {
                self.flow.fail(refusal.code.code(), refusal.code.label());
                return Tries::Nowhere;
            }
            Retry::OtherGateway => self.tried.push(Tried::Gateway(peer.clone())),
            Retry::OtherCluster => self.tried.push(Tried::Cluster(peer.cluster.clone())),
        }
        self.worker.count_retry(refusal.code.label());
        Tries::Elsewhere
    }
}

/// How an attempt at a peer gateway went.
enum Tries {
    Accepted(Opened),
    Silent(Opened),
    Elsewhere,
    Nowhere,
}

/// Serves a stream that a peer gateway opened, to its end.
pub(crate) async fn serve_stream(
    worker: Worker,
    peer: PeerId,
    mut send: SendStream,
    mut recv: RecvStream,
) {
    let refused = match admit(&worker, &peer, &mut recv).await {
        Ok(Admitted { guard, open, caller }) => {
            let _guard = guard;
            let flow = Flow::far(caller, &open);
            match open.mode {
                Mode::Tcp => serve_far(&worker, flow, &open, send, recv).await,
                Mode::Http => http1::far::serve(&worker, flow, &open, send, recv).await,
            }
            return;
        }
        Err(Some(refusal)) => refusal,
        // The peer gave up before it had said what it wants.
        Err(None) => return,
    };
    let labels = SideReason { side: Side::Far, reason: refused.code.label() };
    worker.metrics().refusals.get_or_create(&labels).inc();
    tracing::debug!(%peer, refusal = %refused, "stream refused");
    refuse(&mut send, &mut recv, refused).await;
}

/// A stream whose header was read and whose caller is believed.
pub(crate) struct Admitted {
    guard: crate::worker::FlowGuard,
    open: Open,
    caller: authorize::Caller,
}

async fn admit(
    worker: &Worker,
    peer: &PeerId,
    recv: &mut RecvStream,
) -> Result<Admitted, Option<Refusal>> {
    let read = timeout(limits::STREAM_HEADER_TIME_MAX, header::read_open(recv)).await;
    let open = match read {
        Ok(Ok(open)) => open,
        Ok(Err(header::ReadError::Header(error))) => return Err(Some(error.refusal())),
        Ok(Err(header::ReadError::Stream(_))) => return Err(None),
        Err(_) => {
            return Err(Some(Refusal::new(RefusalCode::BadHeader, "no header came in time")));
        }
    };
    if worker.is_draining() {
        return Err(Some(Refusal::new(RefusalCode::Draining, "the gateway is stopping")));
    }
    let Some(guard) = worker.enter(Side::Far) else {
        return Err(Some(Refusal::new(RefusalCode::Overloaded, "too many flows are open")));
    };
    let snapshot = worker.tables().snapshot;
    match authorize::check_caller(&snapshot, &peer.cluster, open.caller.clone()) {
        Ok(caller) => Ok(Admitted { guard, open, caller }),
        Err(refusal) => {
            // A gateway with a good certificate lies: somebody has to look at that cluster.
            tracing::warn!(%peer, reason = %refusal, "caller stated by a peer is not believed");
            Err(Some(convert(&refusal)))
        }
    }
}

/// A decision of `core`, as it is told to the peer.
pub(crate) fn convert(refusal: &rialto_core::choose::Refusal) -> Refusal {
    Refusal::new(RefusalCode::of(refusal.code), refusal.text.clone())
}

/// Answers that nothing was delivered.
pub(crate) async fn refuse(send: &mut SendStream, recv: &mut RecvStream, refusal: Refusal) {
    recv.stop(ResetCode::Cancelled);
    let answer = Answer::Refused(refusal).encode();
    // Who no longer listens needs no answer.
    if send.write_chunk(answer).await.is_ok() {
        let _ = send.finish();
    }
}

async fn serve_far(
    worker: &Worker,
    mut flow: Flow,
    open: &Open,
    mut send: SendStream,
    mut recv: RecvStream,
) {
    match connect_for(worker, &mut flow, open).await {
        Ok(mut endpoint) => {
            let counts = Counts::default();
            let outcome = match send.write_chunk(Answer::Accepted.encode()).await {
                Ok(()) => {
                    let (send, recv) = (&mut send, &mut recv);
                    copy::through(worker.scratch(), &mut endpoint, send, recv, &counts).await
                }
                Err(error) => Err(copy::Broken::Tunnel(error)),
            };
            if let Err(broken) = outcome {
                tracing::debug!(error = %Chain(&broken), "flow broke off");
                flow.fail(Code::UpstreamFailed, broken.label());
            }
            flow.bytes =
                Bytes { from_client: counts.written.total(), to_client: counts.read.total() };
        }
        Err(refusal) => {
            flow.fail(refusal.code.code(), refusal.code.label());
            refuse(&mut send, &mut recv, refusal).await;
        }
    }
    flow.end(worker);
}

/// Authorizes a far flow and connects it to an endpoint.
async fn connect_for(worker: &Worker, flow: &mut Flow, open: &Open) -> Result<TcpStream, Refusal> {
    let tables = worker.tables();
    let (backend, port) = open.target();
    let operation = Operation { service: &open.service, backend, http: None };
    let verdict = authorize::authorize(&tables.snapshot, flow.caller(), &operation);
    if let Some(refusal) = verdict.refusal() {
        return Err(convert(&refusal));
    }
    let draw = rand::random();
    let mut tried = Vec::new();
    for _ in 0..limits::ENDPOINT_ATTEMPTS_MAX {
        let endpoint = match worker.choose_endpoint(&tables, open, &tried, draw) {
            Ok(endpoint) => endpoint,
            Err(refusal) if tried.is_empty() => return Err(convert(&refusal)),
            Err(_) => break,
        };
        flow.tries_endpoint(&tables.local.cluster, endpoint);
        if let Some(stream) = connect(worker, endpoint, limits::ENDPOINT_CONNECT_TIME_MAX).await {
            return Ok(stream);
        }
        worker.count_retry("connect_failed");
        tried.push(Tried::Endpoint(endpoint));
    }
    let text = format!("no endpoint of `{backend}` port {port} took the connection");
    Err(Refusal::new(RefusalCode::ConnectFailed, text))
}

/// Connects to an endpoint and tells health how it went.
pub(crate) async fn connect(
    worker: &Worker,
    endpoint: SocketAddr,
    within: std::time::Duration,
) -> Option<TcpStream> {
    match timeout(within, TcpStream::connect(endpoint)).await {
        Ok(Ok(stream)) => {
            prepare(&stream);
            worker.observe_endpoint(endpoint, Outcome::Success);
            Some(stream)
        }
        Ok(Err(_)) | Err(_) => {
            worker.observe_endpoint(endpoint, Outcome::ConnectFailure);
            None
        }
    }
}

/// The peer of this socket shall see a reset, not an end, when it is dropped.
pub(crate) fn reset(stream: &TcpStream) {
    if let Err(error) = SockRef::from(stream).set_linger(Some(std::time::Duration::ZERO)) {
        tracing::debug!(%error, "socket option not set");
    }
}
