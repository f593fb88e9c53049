//! Near the client: the requests of one connection, one after another, each to where `core` says.
//!
//! ```text
//!   head --> choose --> local endpoint: authorize, connect --> exchange --> response
//!              ^  |---> peer gateway: stream, header ---------> exchange --> response
//!              |                                                   |
//!              +------ not delivered, or safe to repeat <----------+
//! ```

use std::net::{IpAddr, SocketAddr};

use bytes::BytesMut;
use futures::FutureExt;
use rialto_core::authorize::{self, Operation};
use rialto_core::choose::HttpRequest;
use rialto_core::health::Outcome;
use rialto_types::error::{Chain, Code};
use rialto_types::id::ServiceName;
use rialto_types::limits;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep, timeout};

use super::answer::Answer;
use super::chunks::Chunks;
use super::exchange::{self, Failure, Request, Response, Silence, Terms, Timeouts};
use super::head::RequestHead;
use super::hop::{self, ClientConnection};
use super::origin;
use super::side::{Sink, Source, TcpSink, TcpSource, TunnelSink, TunnelSource};
use crate::access_log::HttpRecord;
use crate::ingress::Near;
use crate::observe::Flow;
use crate::relay;
use crate::scratch::Scratch;
use crate::tunnel::header::{Mode, Open, Retry};
use crate::tunnel::pool::PeerId;
use crate::worker::{Ask, Chosen, Tables, Target, Tried, Worker};

/// Serves a local workload's connection to its end.
pub(crate) async fn serve(worker: Worker, near: Near) {
    let Near { mut stream, source: address, service, port } = near;
    let ending = {
        let (reader, writer) = stream.split();
        let mut client = Client {
            worker: &worker,
            address: address.ip(),
            service: &service,
            port,
            source: TcpSource::new(reader, worker.scratch()),
            sink: TcpSink::new(writer),
            timeouts: worker.http().timeouts.get(),
        };
        client.serve_requests().await
    };
    match ending {
        Ending::InOrder => {}
        Ending::AfterAnswer => linger(stream, worker.scratch()).await,
        Ending::Broken => relay::reset(&stream),
    }
}

/// How a client's connection ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ending {
    /// Between two requests.
    InOrder,
    /// With an answer that must not be lost, although the client may still be sending.
    AfterAnswer,
    /// Inside an answer: the client must not take it for whole.
    Broken,
}

struct Client<'a> {
    worker: &'a Worker,
    address: IpAddr,
    service: &'a ServiceName,
    port: u16,
    source: TcpSource<'a>,
    sink: TcpSink<'a>,
    timeouts: Timeouts,
}

impl Client<'_> {
    async fn serve_requests(&mut self) -> Ending {
        loop {
            let ending = match self.next_head().await {
                Ok(None) => Some(Ending::InOrder),
                Ok(Some(head)) => self.serve_request(&head).await,
                Err(answer) => Some(self.refuse_head(&answer).await),
            };
            if let Some(ending) = ending {
                return ending;
            }
        }
    }

    /// Waits for a request; `None` if the connection ends instead.
    async fn next_head(&mut self) -> Result<Option<RequestHead>, Answer> {
        let mut inbox = Chunks::default();
        let begin = async { matches!(self.source.read(&mut inbox).await, Ok(true)) };
        let idle = async {
            tokio::select! {
                () = sleep(self.timeouts.client_idle) => {}
                // A client that is about to send gets its answer, and with it the end.
                () = self.worker.draining() => sleep(limits::HTTP_DRAIN_IDLE).await,
            }
        };
        tokio::select! {
            biased;
            arrived = begin => if !arrived {
                return Ok(None);
            },
            () = idle => return Ok(None),
        }
        let head = exchange::read_request_head(&mut self.source, &mut inbox);
        match timeout(self.timeouts.head, head).await {
            Ok(head) => head.map_err(Answer::of_defect),
            Err(_) => Err(Answer::of_slow_request()),
        }
    }

    /// A head that cannot be read ends the connection: nobody knows where the next one begins.
    async fn refuse_head(&mut self, answer: &Answer) -> Ending {
        let mut flow = self.flow(&self.worker.tables());
        flow.fail(answer.code, answer.reason);
        let is_sent = self.answer(answer, ClientConnection::Closes, false).await;
        let http =
            HttpRecord { method: "", path: "", status: Some(answer.status), traceparent: None };
        flow.end_http(http, self.worker);
        if is_sent { Ending::AfterAnswer } else { Ending::Broken }
    }

    /// `None` if another request may follow.
    async fn serve_request(&mut self, head: &RequestHead) -> Option<Ending> {
        let tables = self.worker.tables();
        let mut flow = self.flow(&tables);
        self.worker.http().budget.borrow_mut().deposit();
        let mut bytes = BytesMut::new();
        hop::write_request(head, default_host(head, self.service).as_bytes(), &mut bytes);
        let mut request = Request::new(&mut self.source, bytes.freeze(), head.framing());
        let mut terms = Terms::of(head, self.timeouts);
        terms.client_stays &= !self.worker.is_draining();
        let mut placing = Placing {
            worker: self.worker,
            tables: &tables,
            service: self.service,
            port: self.port,
            caller: self.address,
            head,
            headers: headers_for_routes(&tables, self.service, head),
            draw: rand::random(),
            tried: Vec::new(),
            silent: None,
            last: None,
            flow: &mut flow,
            started: Instant::now(),
            terms,
        };
        let placed = placing.run(&mut request, &mut self.sink).await;
        request.consume_unread().await;
        flow.bytes.from_client = request.content_bytes();
        let is_consumed = request.is_consumed();
        let (ending, status) = match placed {
            Ok(response) => {
                flow.bytes.to_client = response.content_bytes;
                let stays = response.client_stays && is_consumed;
                ((!stays).then_some(Ending::AfterAnswer), Some(response.status))
            }
            Err(Ended::Answer(answer)) => {
                flow.fail(answer.code, answer.reason);
                let stays = terms.client_stays && is_consumed;
                let connection =
                    if stays { ClientConnection::Stays } else { ClientConnection::Closes };
                let is_sent = self.answer(&answer, connection, terms.is_head_request).await;
                let ending = match (is_sent, stays) {
                    (true, true) => None,
                    (true, false) => Some(Ending::AfterAnswer),
                    (false, _) => Some(Ending::Broken),
                };
                (ending, Some(answer.status))
            }
            Err(Ended::Interrupted { status }) => {
                flow.fail(Code::UpstreamFailed, "interrupted");
                (Some(Ending::Broken), Some(status))
            }
            Err(Ended::ClientGone) => {
                flow.fail(Code::RequestMalformed, "client_gone");
                (Some(Ending::Broken), None)
            }
        };
        let http = HttpRecord {
            method: head.method(),
            path: head.path(),
            status,
            traceparent: head.trace_parent(),
        };
        flow.end_http(http, self.worker);
        ending
    }

    fn flow(&self, tables: &Tables) -> Flow {
        let caller = authorize::local_caller(&tables.snapshot, &tables.local, self.address);
        Flow::near(caller, self.address, self.service.clone(), self.port, rand::random())
    }

    /// Whether the client took it.
    async fn answer(
        &mut self,
        answer: &Answer,
        connection: ClientConnection,
        answers_head_request: bool,
    ) -> bool {
        let mut out = Chunks::default();
        out.push(answer.encode(connection, answers_head_request));
        let write = self.sink.write(&mut out);
        matches!(timeout(self.timeouts.content_idle, write).await, Ok(Ok(())))
    }
}

/// A request of HTTP/1.0 may lack Host; the service's name is what the client must have meant.
fn default_host(head: &RequestHead, service: &ServiceName) -> String {
    match head.host() {
        Some(_) => String::new(),
        None => format!("{}.{}.svc.clusterset.local", service.name, service.namespace),
    }
}

/// Only routes look at fields, and most services have none.
fn headers_for_routes<'a>(
    tables: &Tables,
    service: &ServiceName,
    head: &'a RequestHead,
) -> Vec<(&'a str, &'a [u8])> {
    if !tables.snapshot.routes.contains_key(service) {
        return Vec::new();
    }
    head.fields().end_to_end().collect()
}

/// Why a request ends without a whole response of the service.
enum Ended {
    Answer(Answer),
    Interrupted { status: u16 },
    ClientGone,
}

impl Ended {
    fn answer(code: Code, reason: &'static str, text: impl Into<String>) -> Self {
        Self::Answer(Answer::new(code, reason, text))
    }
}

/// A request on its way to whoever serves it.
struct Placing<'a> {
    worker: &'a Worker,
    tables: &'a Tables,
    service: &'a ServiceName,
    port: u16,
    caller: IpAddr,
    head: &'a RequestHead,
    headers: Vec<(&'a str, &'a [u8])>,
    /// The same for all attempts, so that the backend stays the same.
    draw: u64,
    tried: Vec<Tried>,
    /// Who of them met silence last.
    silent: Option<Tried>,
    /// What the client is told if nobody else can be tried.
    last: Option<Answer>,
    flow: &'a mut Flow,
    started: Instant,
    terms: Terms<'static>,
}

impl Placing<'_> {
    async fn run(
        &mut self,
        request: &mut Request<'_, TcpSource<'_>>,
        client: &mut TcpSink<'_>,
    ) -> Result<Response, Ended> {
        for _ in 0..limits::HTTP_ATTEMPTS_MAX {
            let ask = self.ask(&self.tried);
            let chosen = match self.worker.choose_when_dialled(self.tables, &ask).await {
                Ok(chosen) => chosen,
                Err(refusal) => match self.silent.take() {
                    // It may only be slow, and nobody else can serve.
                    Some(silent) => {
                        self.tried.retain(|tried| *tried != silent);
                        continue;
                    }
                    None => return Err(self.nobody(refusal.code, refusal.text)),
                },
            };
            self.flow.route.clone_from(&chosen.route);
            self.flow.backend = Some(chosen.backend.clone());
            self.terms.deadline = chosen.timeout.map(|timeout| self.started + timeout);
            let result = match &chosen.target {
                Target::Local(endpoint) => {
                    self.authorize(&chosen)?;
                    self.try_endpoint(*endpoint, request, client).await
                }
                Target::Remote(peer) => self.try_peer(&chosen, peer, request, client).await,
            };
            match result {
                Ok(response) => return Ok(response),
                Err(failure) => self.after(failure, &chosen.target, request.can_repeat())?,
            }
        }
        let text = format!(
            "`{}` was tried {} times without success; look at its endpoints and gateways",
            self.service,
            limits::HTTP_ATTEMPTS_MAX
        );
        Err(self.nobody(Code::NoHealthyEndpoint, text))
    }

    /// Nobody is left to try. How the last attempt failed says more than that.
    fn nobody(&mut self, code: Code, text: String) -> Ended {
        let reason = if self.tried.is_empty() { "no_choice" } else { "all_tried" };
        Ended::Answer(self.last.take().unwrap_or_else(|| Answer::new(code, reason, text)))
    }

    fn ask<'b>(&'b self, tried: &'b [Tried]) -> Ask<'b> {
        Ask {
            service: self.service,
            port: self.port,
            http: Some(http_request(self.head, &self.headers)),
            caller: self.caller,
            tried,
            draw: self.draw,
        }
    }

    /// Whoever connects to the endpoint enforces.
    fn authorize(&mut self, chosen: &Chosen) -> Result<(), Ended> {
        let operation = Operation {
            service: self.service,
            backend: &chosen.backend,
            http: Some(http_request(self.head, &self.headers)),
        };
        let verdict = authorize::authorize(&self.tables.snapshot, self.flow.caller(), &operation);
        match verdict.refusal() {
            None => Ok(()),
            Some(refusal) => Err(Ended::answer(refusal.code, verdict.reason.label(), refusal.text)),
        }
    }

    async fn try_endpoint(
        &mut self,
        endpoint: SocketAddr,
        request: &mut Request<'_, TcpSource<'_>>,
        client: &mut TcpSink<'_>,
    ) -> Result<Response, Failure> {
        self.flow.tries_endpoint(&self.tables.local.cluster, endpoint);
        let origins = &self.worker.http().origins;
        let connected = origins.connect(endpoint, self.terms.timeouts.connect).await;
        let Ok(connection) = connected else {
            self.worker.observe_endpoint(endpoint, Outcome::ConnectFailure);
            return Err(Failure::NotSent);
        };
        let is_idempotent = self.head.is_idempotent();
        let (terms, scratch) = (&self.terms, self.worker.scratch());
        let served =
            origin::serve(origins, connection, request, is_idempotent, client, terms, scratch);
        let result = served.await;
        if let Some(outcome) = origin::outcome_of(&result) {
            self.worker.observe_endpoint(endpoint, outcome);
        }
        result
    }

    async fn try_peer(
        &mut self,
        chosen: &Chosen,
        peer: &PeerId,
        request: &mut Request<'_, TcpSource<'_>>,
        client: &mut TcpSink<'_>,
    ) -> Result<Response, Failure> {
        self.flow.tries_peer(peer);
        let opened = self.worker.open(peer, &self.header(chosen)).await.map_err(|error| {
            tracing::debug!(%peer, error = %Chain(&error), "stream not opened");
            Failure::NotSent
        })?;
        let can_go_elsewhere = self.head.is_idempotent();
        let leaves = || {
            // Other requests need not wait as this one did.
            self.worker.suspect(peer);
            let asked = [Tried::Gateway(peer.clone())];
            let tried: Vec<Tried> = self.tried.iter().cloned().chain(asked).collect();
            can_go_elsewhere && self.worker.choose(self.tables, &self.ask(&tried)).is_ok()
        };
        let connection = &opened.connection;
        let unanswered = || connection.unanswered().boxed_local();
        let silence = Silence { unanswered: &unanswered, leaves: &leaves };
        let terms = Terms { silence: Some(silence), ..self.terms };
        let upstream = (&mut TunnelSource::new(opened.recv), &mut TunnelSink::new(opened.send));
        exchange::run(request, upstream, client, &terms).await
    }

    fn header(&self, chosen: &Chosen) -> Open {
        let deadline_ms = self.terms.deadline.map(|deadline| {
            let left = deadline.saturating_duration_since(Instant::now());
            u32::try_from(left.as_millis()).unwrap_or(u32::MAX)
        });
        let trace = self.head.trace_parent().map(str::to_owned);
        Open { trace, deadline_ms, ..self.flow.header(Mode::Http, chosen) }
    }

    /// Whether to try again, and without whom.
    ///
    /// What was refused or not sent was not delivered. What met silence or a break may have been,
    /// even before the far gateway's `Accepted` has come: its word may be late or lost. It is
    /// repeated only if that does no harm and no byte of a response has come, and, once it was
    /// accepted, if the budget allows.
    fn after(&mut self, failure: Failure, target: &Target, can_repeat: bool) -> Result<(), Ended> {
        let is_safe = can_repeat && self.head.is_idempotent();
        match failure {
            Failure::Refused(refusal) => {
                match (refusal.code.retry(), target) {
                    (Retry::OtherCluster, Target::Remote(peer)) => {
                        self.tried.push(Tried::Cluster(peer.cluster.clone()));
                    }
                    (Retry::OtherGateway | Retry::OtherCluster, _) => {
                        self.tried.push(target.as_tried());
                    }
                    (Retry::Never, _) => {
                        let (code, reason) = (refusal.code.code(), refusal.code.label());
                        return Err(Ended::answer(code, reason, refusal.reason));
                    }
                }
                let (code, reason) = (refusal.code.code(), refusal.code.label());
                self.worker.count_retry(reason);
                self.last = Some(Answer::new(code, reason, refusal.reason));
            }
            Failure::Silent => {
                let text = "a gateway of the service's cluster was silent, and the request may \
                            have been processed; is that cluster in reach?";
                let answer = Answer::new(Code::UpstreamTimeout, "silence", text);
                self.again(answer, target, is_safe)?;
                self.silent = Some(target.as_tried());
            }
            Failure::NotSent => {
                self.tried.push(target.as_tried());
                self.worker.count_retry("not_connected");
            }
            Failure::NotAccepted => {
                let text = "the connection to a gateway of the service's cluster broke before it \
                            answered; the request may have been processed";
                let answer = Answer::new(Code::UpstreamFailed, "not_accepted", text);
                self.again(answer, target, is_safe)?;
            }
            Failure::Unanswered => {
                let text = "the connection broke before an answer came; the request may have been \
                            processed";
                let answer = Answer::new(Code::UpstreamFailed, "unanswered", text);
                let is_safe = is_safe && self.worker.http().budget.borrow_mut().withdraw();
                self.again(answer, target, is_safe)?;
            }
            Failure::TimedOut => {
                let text = "the service did not answer in time; is it overloaded, or the route's \
                            timeout too short?";
                return Err(Ended::answer(Code::UpstreamTimeout, "timed_out", text));
            }
            Failure::BadResponse(defect) => {
                let text = format!("the service's answer is not valid: {defect}");
                return Err(Ended::answer(Code::UpstreamFailed, defect.label(), text));
            }
            Failure::BadRequest(defect) => return Err(Ended::Answer(Answer::of_defect(defect))),
            Failure::SlowRequest => return Err(Ended::Answer(Answer::of_slow_request())),
            Failure::ClientGone => return Err(Ended::ClientGone),
            Failure::Interrupted { status } => return Err(Ended::Interrupted { status }),
        }
        Ok(())
    }

    /// Repeats what may have been delivered, or ends with the answer that says so.
    fn again(&mut self, answer: Answer, target: &Target, is_safe: bool) -> Result<(), Ended> {
        if !is_safe {
            return Err(Ended::Answer(answer));
        }
        self.worker.count_retry(answer.reason);
        self.last = Some(answer);
        self.tried.push(target.as_tried());
        Ok(())
    }
}

/// A head as `core` looks at it.
pub(super) fn http_request<'a>(
    head: &'a RequestHead,
    headers: &'a [(&'a str, &'a [u8])],
) -> HttpRequest<'a> {
    HttpRequest { method: head.method(), path: head.path(), query: head.query(), headers }
}

/// Reads on until the client has ended too: closing at once would reset the connection, and a reset
/// can destroy the answer on its way.
async fn linger(mut stream: TcpStream, scratch: &Scratch) {
    if stream.shutdown().await.is_err() {
        return;
    }
    let drain = async {
        let mut left = limits::HTTP_LINGER_BYTES_MAX;
        while let Ok(chunk) = scratch.read(&mut stream, limits::HTTP_READ_BYTES_MAX).await
            && !chunk.is_empty()
        {
            left = left.saturating_sub(chunk.len());
            if left == 0 {
                return;
            }
        }
    };
    // Whoever does not end by then loses the rest.
    let _ = timeout(limits::HTTP_LINGER, drain).await;
}
