//! One attempt at a request: it goes up to whoever serves it while the response comes down.
//!
//! ```text
//!   client --> Request (head, content, replay) --upload--> upstream
//!   client <------------------------download-------------- upstream
//!                          watch: silence, no response, standstill
//! ```
//!
//! Both directions run at once in one task, because a service may answer before it has read the
//! whole request, and a client may wait for `100 Continue`.

use std::cell::Cell;
use std::io;
use std::pin::pin;
use std::time::Duration;

use bytes::{Buf, Bytes, BytesMut};
use futures::FutureExt;
use futures::future::LocalBoxFuture;
use rialto_types::limits;
use tokio::sync::Notify;
use tokio::time::Instant;

use super::body::{Body, ChunkedOutput};
use super::chunks::Chunks;
use super::collect::Collector;
use super::defect::Defect;
use super::head::{Framing, RequestHead, ResponseHead, Version};
use super::hop::{self, ClientConnection};
use super::replay::Replay;
use super::side::{NotAccepted, Sink, Source};
use crate::tunnel::header::Refusal;

/// A request on its way; lives over all attempts at it.
#[derive(Debug)]
pub(crate) struct Request<'a, C> {
    source: &'a mut C,
    /// As it is sent on.
    head: Bytes,
    body: Body,
    replay: Replay,
    content_bytes: u64,
}

impl<'a, C: Source> Request<'a, C> {
    /// `source` stands behind the head.
    pub(crate) fn new(source: &'a mut C, head: Bytes, framing: Framing) -> Self {
        let body = Body::new(framing, ChunkedOutput::AsReceived);
        Self { source, head, body, replay: Replay::default(), content_bytes: 0 }
    }

    /// Whether all of it can be sent again.
    pub(crate) fn can_repeat(&self) -> bool {
        self.replay.is_whole()
    }

    /// Whether `source` stands at the next request.
    pub(crate) fn is_consumed(&self) -> bool {
        self.body.is_complete()
    }

    /// Bytes of content read so far.
    pub(crate) fn content_bytes(&self) -> u64 {
        self.content_bytes
    }

    /// Takes content that has been read already, so that an answer of our own to a small request
    /// need not end the connection.
    pub(crate) async fn consume_unread(&mut self) {
        let mut inbox = Chunks::default();
        let mut nowhere = Chunks::default();
        while !self.body.is_complete() && self.source.has_unread() {
            // Content that breaks the rules is not complete, and so ends the connection.
            let is_valid = matches!(self.source.read(&mut inbox).await, Ok(true))
                && self.take(&mut inbox, &mut nowhere).is_ok();
            if !is_valid {
                return;
            }
        }
    }

    fn take(&mut self, inbox: &mut Chunks, out: &mut Chunks) -> Result<(), Defect> {
        while let Some(mut chunk) = inbox.pop() {
            while !chunk.is_empty() && !self.body.is_complete() {
                let piece = self.body.take(&mut chunk)?;
                self.content_bytes += piece.len() as u64;
                self.replay.record(&piece);
                out.push(piece);
            }
            self.source.unread(chunk);
        }
        Ok(())
    }
}

/// Reads a request's head; content stays in `source`. `None` if the sender ended before it began.
pub(crate) async fn read_request_head(
    source: &mut impl Source,
    inbox: &mut Chunks,
) -> Result<Option<RequestHead>, Defect> {
    let mut collector = Collector::for_request();
    loop {
        while let Some(mut chunk) = inbox.pop() {
            let Some(head) = collector.push(&mut chunk)? else { continue };
            source.unread(chunk);
            while let Some(chunk) = inbox.pop() {
                source.unread(chunk);
            }
            return RequestHead::parse(head).map(Some);
        }
        match source.read(inbox).await {
            Ok(true) => {}
            Ok(false) | Err(_) if collector.is_idle() => return Ok(None),
            Ok(false) | Err(_) => return Err(Defect::Truncated),
        }
    }
}

/// What the attempt must keep to.
#[derive(Clone, Copy)]
pub(crate) struct Terms<'a> {
    pub(crate) is_head_request: bool,
    pub(crate) client_version: Version,
    /// Whether the client's connection may stay open.
    pub(crate) client_stays: bool,
    /// `None` if the upstream accepts by being connected.
    pub(crate) silence: Option<Silence<'a>>,
    /// When the response must be whole.
    pub(crate) deadline: Option<Instant>,
    pub(crate) timeouts: Timeouts,
}

/// How long the peer may take to accept or refuse.
#[derive(Clone, Copy)]
pub(crate) struct Silence<'a> {
    /// Resolves when it is time to look elsewhere.
    pub(crate) unanswered: &'a dyn Fn() -> LocalBoxFuture<'a, ()>,
    /// Told of each silence; whether to look elsewhere. If not, the peer may still answer.
    pub(crate) leaves: &'a dyn Fn() -> bool,
}

impl Terms<'_> {
    pub(crate) fn of(request: &RequestHead, timeouts: Timeouts) -> Self {
        Self {
            is_head_request: request.is_head_request(),
            client_version: request.version(),
            client_stays: request.is_persistent(),
            silence: None,
            deadline: None,
            timeouts,
        }
    }
}

/// Bounds on time; tests use shorter ones.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Timeouts {
    pub(crate) client_idle: Duration,
    pub(crate) head: Duration,
    pub(crate) response: Duration,
    pub(crate) content_idle: Duration,
    pub(crate) connect: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            client_idle: limits::HTTP_CLIENT_IDLE,
            head: limits::HTTP_HEAD_TIMEOUT,
            response: limits::HTTP_RESPONSE_TIMEOUT,
            content_idle: limits::HTTP_CONTENT_IDLE,
            connect: limits::ENDPOINT_CONNECT_TIME_MAX,
        }
    }
}

/// A response that has reached the client whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Response {
    pub(crate) status: u16,
    pub(crate) content_bytes: u64,
    /// Whether the client was told that its connection stays open.
    pub(crate) client_stays: bool,
    /// Whether request and response were consumed exactly, so that the upstream connection holds
    /// nothing that another client could get.
    pub(crate) upstream_is_clean: bool,
}

/// Why the client got no whole response.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Failure {
    /// Nothing was delivered.
    Refused(Refusal),
    /// Nobody was connected to send it to.
    NotSent,
    /// Neither accepted nor refused in time. It may have been delivered: the word of it may be late
    /// or lost.
    Silent,
    /// The carrier broke before the peer's word came. It may have been delivered.
    NotAccepted,
    /// It may have been delivered; no byte of a response came.
    Unanswered,
    /// No response, or no progress before it, in time.
    TimedOut,
    /// The response is not one; nothing of it has reached the client.
    BadResponse(Defect),
    /// The content of the request is not valid, and the response has not begun.
    BadRequest(Defect),
    /// The content of the request stopped coming; the response has not begun.
    SlowRequest,
    /// The client broke its connection, reads too slowly, or broke the rules amid its answer.
    ClientGone,
    /// The response has begun to reach the client and cannot be completed.
    Interrupted { status: u16 },
}

/// Sends the request and relays the response.
pub(crate) async fn run<C: Source, U: Source>(
    request: &mut Request<'_, C>,
    upstream: (&mut U, &mut impl Sink),
    client: &mut impl Sink,
    terms: &Terms<'_>,
) -> Result<Response, Failure> {
    let progress = Progress::default();
    let (source, sink) = upstream;
    let result = {
        let mut upload = pin!(upload(request, sink, &progress));
        let mut download = pin!(download(source, client, &progress, terms));
        let mut watch = pin!(watch(&progress, terms));
        let mut is_uploading = true;
        loop {
            tokio::select! {
                biased;
                sent = &mut upload, if is_uploading => match sent {
                    // An upstream that takes no more may still have an answer.
                    Ok(()) | Err(NotSent::Upstream) => is_uploading = false,
                    Err(NotSent::Client) => break Err(Failure::ClientGone),
                    Err(NotSent::Defect(defect)) => break Err(progress.bad_request(defect)),
                },
                done = &mut download => break done,
                expired = &mut watch => break Err(expired),
            }
        }
    };
    if result.is_ok() {
        settle(source);
    }
    result
}

/// What the directions of an attempt must know of each other.
#[derive(Debug, Default)]
struct Progress {
    accepted: Cell<bool>,
    acceptance: Notify,
    uploaded: Cell<bool>,
    answered: Cell<bool>,
    /// The status that has begun to reach the client.
    begun: Cell<Option<u16>>,
    /// A read of the client's content waits.
    awaits_content: Cell<bool>,
    /// A write to the client waits.
    client_is_slow: Cell<bool>,
    moved: Cell<u64>,
}

impl Progress {
    fn move_on(&self) {
        self.moved.set(self.moved.get() + 1);
    }

    fn accept(&self) {
        self.accepted.set(true);
        self.acceptance.notify_one();
    }

    /// A client that breaks the rules in the middle of its answer cannot be told so.
    fn bad_request(&self, defect: Defect) -> Failure {
        if self.begun.get().is_some() { Failure::ClientGone } else { Failure::BadRequest(defect) }
    }

    fn or_interrupted(&self, failure: Failure) -> Failure {
        match self.begun.get() {
            Some(status) => Failure::Interrupted { status },
            None => failure,
        }
    }

    fn standstill(&self) -> Failure {
        if self.client_is_slow.get() || (self.awaits_content.get() && self.begun.get().is_some()) {
            return Failure::ClientGone;
        }
        if self.awaits_content.get() {
            return Failure::SlowRequest;
        }
        self.or_interrupted(Failure::TimedOut)
    }
}

enum NotSent {
    Upstream,
    Client,
    Defect(Defect),
}

async fn upload<C: Source>(
    request: &mut Request<'_, C>,
    sink: &mut impl Sink,
    progress: &Progress,
) -> Result<(), NotSent> {
    let mut inbox = Chunks::default();
    let mut out = Chunks::default();
    out.push(request.head.clone());
    for chunk in request.replay.chunks().unwrap_or_default() {
        out.push(chunk.clone());
    }
    loop {
        let is_held = |replay: &Replay| replay.is_full() && !progress.accepted.get();
        while !request.body.is_complete() && !is_held(&request.replay) {
            let arrived = if out.is_empty() {
                progress.awaits_content.set(true);
                let arrived = request.source.read(&mut inbox).await;
                progress.awaits_content.set(false);
                arrived
            } else {
                match read_arrived(request.source, &mut inbox, &out) {
                    Some(arrived) => arrived,
                    None => break,
                }
            };
            match arrived {
                Ok(true) => request.take(&mut inbox, &mut out).map_err(NotSent::Defect)?,
                Ok(false) => return Err(NotSent::Defect(Defect::Truncated)),
                Err(_) => return Err(NotSent::Client),
            }
            progress.move_on();
        }
        if !out.is_empty() {
            sink.write(&mut out).await.map_err(|_| NotSent::Upstream)?;
            progress.move_on();
        }
        if request.body.is_complete() {
            sink.finish();
            progress.uploaded.set(true);
            return Ok(());
        }
        if is_held(&request.replay) {
            progress.acceptance.notified().await;
        }
    }
}

/// Reads what has come by now, so that it leaves in one write with what is ready; `None` if nothing
/// has, or enough is ready.
fn read_arrived(
    source: &mut impl Source,
    inbox: &mut Chunks,
    ready: &Chunks,
) -> Option<io::Result<bool>> {
    if ready.remaining() >= limits::HTTP_READ_BYTES_MAX {
        return None;
    }
    source.read(inbox).now_or_never()
}

async fn download(
    source: &mut impl Source,
    client: &mut impl Sink,
    progress: &Progress,
    terms: &Terms<'_>,
) -> Result<Response, Failure> {
    source.accepted().await.map_err(|not| match not {
        NotAccepted::Refused(refusal) => Failure::Refused(refusal),
        NotAccepted::Broken => Failure::NotAccepted,
        NotAccepted::Reset => Failure::Unanswered,
    })?;
    progress.accept();
    let mut inbox = Chunks::default();
    let head = read_head(source, &mut inbox, client, progress, terms).await?;

    let framing = head.framing(terms.is_head_request);
    let (output, client_framing) = match (framing, terms.client_version) {
        (Framing::Chunked, Version::Http10) => (ChunkedOutput::DataOnly, Framing::UntilClose),
        _ => (ChunkedOutput::AsReceived, framing),
    };
    let client_stays =
        terms.client_stays && progress.uploaded.get() && client_framing != Framing::UntilClose;
    let connection = if client_stays { ClientConnection::Stays } else { ClientConnection::Closes };
    let mut bytes = BytesMut::new();
    hop::write_response(&head, client_framing, connection, &mut bytes);
    let mut out = Chunks::default();
    out.push(bytes.freeze());

    let mut body = Body::new(framing, output);
    let content = relay_content(source, &mut inbox, &mut body, client, &mut out, &head, progress);
    let (content_bytes, is_exact) = content.await?;
    client.finish();
    let upstream_is_clean = is_exact
        && head.keeps_connection()
        && framing != Framing::UntilClose
        && progress.uploaded.get();
    Ok(Response { status: head.status(), content_bytes, client_stays, upstream_is_clean })
}

/// Passes interim responses on and returns the final one; content stays in `inbox`.
async fn read_head(
    source: &mut impl Source,
    inbox: &mut Chunks,
    client: &mut impl Sink,
    progress: &Progress,
    terms: &Terms<'_>,
) -> Result<ResponseHead, Failure> {
    for _ in 0..=limits::HTTP_INTERIM_RESPONSES_MAX {
        let mut collector = Collector::for_response();
        let head = loop {
            let Some(mut chunk) = inbox.pop() else {
                let arrived = source.read(inbox).await;
                if !matches!(arrived, Ok(true)) {
                    return Err(if progress.answered.get() {
                        Failure::BadResponse(Defect::Truncated)
                    } else {
                        Failure::Unanswered
                    });
                }
                progress.answered.set(true);
                progress.move_on();
                continue;
            };
            let found = collector.push(&mut chunk).map_err(Failure::BadResponse)?;
            inbox.push_front(chunk);
            if let Some(head) = found {
                break ResponseHead::parse(head).map_err(Failure::BadResponse)?;
            }
        };
        if !head.is_interim() {
            return Ok(head);
        }
        if terms.client_version == Version::Http11 {
            let mut bytes = BytesMut::new();
            hop::write_response(&head, Framing::None, ClientConnection::Stays, &mut bytes);
            let mut out = Chunks::default();
            out.push(bytes.freeze());
            client.write(&mut out).await.map_err(|_| Failure::ClientGone)?;
        }
    }
    Err(Failure::BadResponse(Defect::TooManyInterim))
}

/// Returns how much content there was, and whether nothing came behind it.
async fn relay_content(
    source: &mut impl Source,
    inbox: &mut Chunks,
    body: &mut Body,
    client: &mut impl Sink,
    out: &mut Chunks,
    head: &ResponseHead,
    progress: &Progress,
) -> Result<(u64, bool), Failure> {
    let mut content_bytes = 0;
    let mut is_exact = true;
    loop {
        while let Some(mut chunk) = inbox.pop() {
            while !chunk.is_empty() && !body.is_complete() {
                let piece = body
                    .take(&mut chunk)
                    .map_err(|defect| progress.or_interrupted(Failure::BadResponse(defect)))?;
                content_bytes += piece.len() as u64;
                out.push(piece);
            }
            is_exact &= chunk.is_empty();
        }
        let mut arrived = None;
        if !body.is_complete() && !out.is_empty() {
            arrived = read_arrived(source, inbox, out);
        }
        if arrived.is_none() && !out.is_empty() {
            progress.begun.set(Some(head.status()));
            progress.client_is_slow.set(true);
            client.write(out).await.map_err(|_| Failure::ClientGone)?;
            progress.client_is_slow.set(false);
            progress.move_on();
        }
        if body.is_complete() {
            return Ok((content_bytes, is_exact));
        }
        let broken = || progress.or_interrupted(Failure::BadResponse(Defect::Truncated));
        let arrived = match arrived {
            Some(arrived) => arrived,
            None => source.read(inbox).await,
        };
        match arrived {
            Ok(true) => progress.move_on(),
            Ok(false) => body.end().map_err(|_| broken())?,
            Err(_) => return Err(broken()),
        }
    }
}

/// Resolves when the attempt has taken too long.
async fn watch(progress: &Progress, terms: &Terms<'_>) -> Failure {
    let deadline = async {
        match terms.deadline {
            Some(deadline) => tokio::time::sleep_until(deadline).await,
            None => std::future::pending().await,
        }
    };
    tokio::select! {
        failure = watch_progress(progress, terms) => failure,
        () = deadline => progress.or_interrupted(Failure::TimedOut),
    }
}

async fn watch_progress(progress: &Progress, terms: &Terms<'_>) -> Failure {
    if let Some(silence) = terms.silence {
        let asked = Instant::now();
        loop {
            (silence.unanswered)().await;
            if progress.accepted.get() {
                break;
            }
            if (silence.leaves)() || asked.elapsed() > limits::FLOW_OPEN_TIME_MAX {
                return Failure::Silent;
            }
        }
    }
    loop {
        let Timeouts { response, content_idle, .. } = terms.timeouts;
        let moved = progress.moved.get();
        tokio::time::sleep(if progress.answered.get() { content_idle } else { response }).await;
        if progress.moved.get() == moved {
            return progress.standstill();
        }
    }
}

/// Takes in the end of the upstream's message if it is there already: a reader that is dropped
/// before the end would have to tell the sender to stop.
pub(crate) fn settle(source: &mut impl Source) {
    if source.ends_with_message() {
        let _ = source.read(&mut Chunks::default()).now_or_never();
    }
}

#[cfg(test)]
mod tests;
