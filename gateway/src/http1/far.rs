//! Near the endpoint: one request on a stream that a peer gateway opened.
//!
//! Nothing that the peer says of the request is believed: the head is parsed again, and this parse
//! is what is judged.

use std::time::Duration;

use bytes::BytesMut;
use rialto_core::authorize::{self, Operation};
use rialto_core::health::Outcome;
use rialto_types::error::{Chain, Code};
use rialto_types::limits;
use tokio::time::{Instant, timeout};

use super::answer::Answer;
use super::chunks::Chunks;
use super::exchange::{self, Failure, Request, Response, Terms, Timeouts};
use super::head::RequestHead;
use super::hop::{self, ClientConnection};
use super::near::http_request;
use super::origin::{self, Connection};
use super::side::{Sink, TunnelSink, TunnelSource};
use crate::access_log::HttpRecord;
use crate::observe::Flow;
use crate::relay;
use crate::tunnel::header::{self, Open, Refusal, RefusalCode};
use crate::tunnel::{RecvStream, ResetCode, SendStream};
use crate::worker::{Tables, Tried, Worker};

/// Serves a request whose header was read and whose caller is believed.
pub(crate) async fn serve(
    worker: &Worker,
    mut flow: Flow,
    open: &Open,
    send: SendStream,
    recv: RecvStream,
) {
    let mut source = TunnelSource::new(recv);
    let mut sink = TunnelSink::new(send);
    let timeouts = worker.http().timeouts.get();
    let mut inbox = Chunks::default();
    let head = exchange::read_request_head(&mut source, &mut inbox);
    let head = match timeout(timeouts.head, head).await {
        Ok(Ok(Some(head))) => head,
        Ok(Ok(None)) => return,
        Ok(Err(defect)) => {
            let refusal = Refusal::new(RefusalCode::BadHeader, defect.to_string());
            return refuse(worker, flow, None, &mut source, &mut sink, refusal).await;
        }
        Err(_) => {
            let refusal = Refusal::new(RefusalCode::BadHeader, "no head came in time");
            return refuse(worker, flow, None, &mut source, &mut sink, refusal).await;
        }
    };
    let tables = worker.tables();
    let connection = match connect(worker, &tables, &mut flow, open, &head, timeouts).await {
        Ok(connection) => connection,
        Err(refusal) => {
            return refuse(worker, flow, Some(&head), &mut source, &mut sink, refusal).await;
        }
    };
    let mut accepted = Chunks::default();
    accepted.push(header::Answer::Accepted.encode());
    // A peer that has given up must not be served: it may have asked someone else.
    if sink.write(&mut accepted).await.is_err() {
        flow.fail(Code::RequestMalformed, "client_gone");
        return end(worker, flow, Some(&head), None);
    }
    let mut bytes = BytesMut::new();
    hop::write_request(&head, open.service.to_string().as_bytes(), &mut bytes);
    let mut request = Request::new(&mut source, bytes.freeze(), head.framing());
    let mut terms = Terms::of(&head, timeouts);
    terms.deadline =
        open.deadline_ms.map(|left| Instant::now() + Duration::from_millis(left.into()));
    let endpoint = connection.endpoint();
    let origins = &worker.http().origins;
    let is_idempotent = head.is_idempotent();
    let scratch = worker.scratch();
    let served =
        origin::serve(origins, connection, &mut request, is_idempotent, &mut sink, &terms, scratch);
    let result = served.await;
    if let Some(outcome) = origin::outcome_of(&result) {
        worker.observe_endpoint(endpoint, outcome);
    }
    flow.bytes.from_client = request.content_bytes();
    exchange::settle(&mut source);
    let status = conclude(&mut flow, result, &head, &mut source, &mut sink).await;
    end(worker, flow, Some(&head), status);
}

/// Authorizes the request and connects it to an endpoint.
async fn connect(
    worker: &Worker,
    tables: &Tables,
    flow: &mut Flow,
    open: &Open,
    head: &RequestHead,
    timeouts: Timeouts,
) -> Result<Connection, Refusal> {
    let (backend, port) = open.target();
    let operation =
        Operation { service: &open.service, backend, http: Some(http_request(head, &[])) };
    let verdict = authorize::authorize(&tables.snapshot, flow.caller(), &operation);
    if let Some(refusal) = verdict.refusal() {
        return Err(relay::convert(&refusal));
    }
    let draw = rand::random();
    let mut tried = Vec::new();
    for _ in 0..limits::ENDPOINT_ATTEMPTS_MAX {
        let endpoint = match worker.choose_endpoint(tables, open, &tried, draw) {
            Ok(endpoint) => endpoint,
            Err(refusal) if tried.is_empty() => return Err(relay::convert(&refusal)),
            Err(_) => break,
        };
        flow.tries_endpoint(&tables.local.cluster, endpoint);
        match worker.http().origins.connect(endpoint, timeouts.connect).await {
            Ok(connection) => return Ok(connection),
            Err(error) => {
                tracing::debug!(%endpoint, error = %Chain(&error), "endpoint not connected");
                worker.observe_endpoint(endpoint, Outcome::ConnectFailure);
                worker.count_retry("connect_failed");
                tried.push(Tried::Endpoint(endpoint));
            }
        }
    }
    let text = format!("no endpoint of `{backend}` port {port} took the connection");
    Err(Refusal::new(RefusalCode::ConnectFailed, text))
}

/// Tells the peer how it ended; the status that it got.
async fn conclude(
    flow: &mut Flow,
    result: Result<Response, Failure>,
    head: &RequestHead,
    source: &mut TunnelSource,
    sink: &mut TunnelSink,
) -> Option<u16> {
    let failure = match result {
        Ok(response) => {
            flow.bytes.to_client = response.content_bytes;
            return Some(response.status);
        }
        Err(failure) => failure,
    };
    source.stop(ResetCode::Cancelled);
    let answer = match failure {
        Failure::TimedOut => {
            let text = "the service did not answer in time; is it overloaded?";
            Answer::new(Code::UpstreamTimeout, "timed_out", text)
        }
        Failure::BadResponse(defect) => {
            let text = format!("the service's answer is not valid: {defect}");
            Answer::new(Code::UpstreamFailed, defect.label(), text)
        }
        // The near gateway knows best whether the request may be repeated.
        Failure::Unanswered
        | Failure::NotSent
        | Failure::NotAccepted
        | Failure::Silent
        | Failure::Refused(_) => {
            flow.fail(Code::UpstreamFailed, "unanswered");
            sink.reset(ResetCode::Reset);
            return None;
        }
        Failure::Interrupted { status } => {
            flow.fail(Code::UpstreamFailed, "interrupted");
            sink.reset(ResetCode::Reset);
            return Some(status);
        }
        Failure::BadRequest(defect) => {
            flow.fail(defect.code(), defect.label());
            sink.reset(ResetCode::Protocol);
            return None;
        }
        Failure::SlowRequest => {
            flow.fail(Code::RequestMalformed, "slow_request");
            sink.reset(ResetCode::TimedOut);
            return None;
        }
        Failure::ClientGone => {
            flow.fail(Code::RequestMalformed, "client_gone");
            return None;
        }
    };
    flow.fail(answer.code, answer.reason);
    let mut out = Chunks::default();
    out.push(answer.encode(ClientConnection::Stays, head.is_head_request()));
    if sink.write(&mut out).await.is_err() {
        return None;
    }
    sink.finish();
    Some(answer.status)
}

async fn refuse(
    worker: &Worker,
    mut flow: Flow,
    head: Option<&RequestHead>,
    source: &mut TunnelSource,
    sink: &mut TunnelSink,
    refusal: Refusal,
) {
    tracing::debug!(%refusal, "request of a peer gateway refused");
    flow.fail(refusal.code.code(), refusal.code.label());
    source.stop(ResetCode::Cancelled);
    let mut out = Chunks::default();
    out.push(header::Answer::Refused(refusal).encode());
    // Who no longer listens needs no answer.
    if sink.write(&mut out).await.is_ok() {
        sink.finish();
    }
    end(worker, flow, head, None);
}

fn end(worker: &Worker, flow: Flow, head: Option<&RequestHead>, status: Option<u16>) {
    let http = HttpRecord {
        method: head.map_or("", RequestHead::method),
        path: head.map_or("", RequestHead::path),
        status,
        traceparent: head.and_then(RequestHead::trace_parent),
    };
    flow.end_http(http, worker);
}
