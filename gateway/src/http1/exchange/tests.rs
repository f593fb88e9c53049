use std::collections::VecDeque;
use std::io;

use super::*;
use crate::tunnel::header::RefusalCode;

const GET: &str = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
const POST: &str = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\n";
const CHUNKED: &str = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi";

#[tokio::test]
async fn a_response_is_relayed_and_leaves_its_connection_clean() {
    let mut case = Case::new(GET, [Step::Bytes(OK)]);
    let response = case.run().await.expect("a response");
    let clean =
        Response { status: 200, content_bytes: 2, client_stays: true, upstream_is_clean: true };
    assert_eq!(response, clean);
    assert_eq!(case.client.text(), "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi");
    assert_eq!(case.upstream_sink.text(), GET);
    assert!(case.upstream_sink.is_finished && case.client.is_finished);
}

#[tokio::test]
async fn bytes_behind_a_response_never_reach_a_client() {
    for response in [
        "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhiHTTP/1.1 200 OK\r\n\r\nevil",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\nevil",
        "HTTP/1.1 204 No Content\r\n\r\nevil",
    ] {
        let mut case = Case::new(GET, [Step::Bytes(response)]);
        let found = case.run().await.expect("a response");
        assert!(!found.upstream_is_clean, "{response:?}");
        assert!(!case.client.text().contains("evil"), "{response:?}");
    }
    let head = GET.replace("GET", "HEAD");
    let mut case = Case::new(&head, [Step::Bytes(OK)]);
    assert!(!case.run().await.expect("a response").upstream_is_clean);
    assert!(!case.client.text().ends_with("hi"));
}

#[tokio::test]
async fn content_until_close_ends_both_connections() {
    let steps = [Step::Bytes("HTTP/1.1 200 OK\r\n\r\nso"), Step::Bytes(" long"), Step::End];
    let mut case = Case::new(GET, steps);
    let response = case.run().await.expect("a response");
    assert!(!response.client_stays && !response.upstream_is_clean);
    assert_eq!(case.client.text(), "HTTP/1.1 200 OK\r\nconnection: close\r\n\r\nso long");
}

#[tokio::test]
async fn a_client_of_http10_gets_plain_data() {
    let steps =
        [Step::Bytes("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n")];
    let mut case = Case::new("GET / HTTP/1.0\r\n\r\n", steps);
    let response = case.run().await.expect("a response");
    assert!(!response.client_stays && response.upstream_is_clean);
    assert_eq!(case.client.text(), "HTTP/1.1 200 OK\r\nconnection: close\r\n\r\nhi");
}

#[tokio::test]
async fn interim_responses_are_passed_on_within_bounds() {
    let hints = "HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n";
    let steps = [Step::Bytes("HTTP/1.1 100 Continue\r\n\r\n"), Step::Bytes(hints), Step::Bytes(OK)];
    let mut case = Case::new(GET, steps);
    case.run().await.expect("a response");
    let expect = format!("HTTP/1.1 100 Continue\r\n\r\n{hints}{OK}");
    assert_eq!(case.client.text(), expect);

    let endless = hints.repeat(limits::HTTP_INTERIM_RESPONSES_MAX + 1);
    let mut case = Case::new(GET, [Step::Bytes(&endless), Step::Bytes(OK)]);
    let failure = case.run().await.expect_err("too many");
    assert_eq!(failure, Failure::BadResponse(Defect::TooManyInterim));
}

#[tokio::test]
async fn an_ambiguous_response_reaches_no_client() {
    let both = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n";
    let mut case = Case::new(GET, [Step::Bytes(both)]);
    let failure = case.run().await.expect_err("ambiguous");
    assert_eq!(failure, Failure::BadResponse(Defect::LengthWithChunked));
    assert_eq!(case.client.text(), "");
}

#[tokio::test]
async fn how_far_an_upstream_got_is_told_apart() {
    let half = "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhi";
    let cases: [(&[Step<'_>], Failure); 8] = [
        (&[Step::End], Failure::Unanswered),
        (&[Step::Break], Failure::Unanswered),
        (&[Step::Bytes("HTTP/1.1 2"), Step::End], Failure::BadResponse(Defect::Truncated)),
        // Until something has reached the client, it can be told.
        (&[Step::Bytes(half), Step::End], Failure::BadResponse(Defect::Truncated)),
        (&[Step::Bytes(half), Step::Break], Failure::BadResponse(Defect::Truncated)),
        (&[Step::Bytes(half), Step::Pause, Step::End], Failure::Interrupted { status: 200 }),
        (
            &[Step::Bytes("HTTP/1.1 200 OK\r\n\r\nhi"), Step::Pause, Step::Break],
            Failure::Interrupted { status: 200 },
        ),
        (
            &[
                Step::Bytes("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi"),
                Step::Pause,
                Step::Bytes("x"),
            ],
            Failure::Interrupted { status: 200 },
        ),
    ];
    for (steps, expect) in cases {
        let mut case = Case::new(GET, steps.iter().copied());
        assert_eq!(case.run().await, Err(expect), "{steps:?}");
    }
}

#[tokio::test]
async fn a_refusal_is_returned_with_nothing_delivered_to_the_client() {
    let refusal = Refusal::new(RefusalCode::NoEndpoint, "nobody");
    let mut case = Case::new(GET, []);
    case.upstream.accepts = Accepts::Refuses(refusal.clone());
    assert_eq!(case.run().await, Err(Failure::Refused(refusal)));
    let mut case = Case::new(GET, []);
    case.upstream.accepts = Accepts::Breaks;
    assert_eq!(case.run().await, Err(Failure::NotAccepted));
    let mut case = Case::new(GET, []);
    case.upstream.accepts = Accepts::Resets;
    assert_eq!(case.run().await, Err(Failure::Unanswered));
    assert_eq!(case.client.text(), "");
}

#[tokio::test]
async fn silence_is_left_only_for_somebody_else() {
    let mut case = Case::new(GET, []);
    case.upstream.accepts = Accepts::Never;
    let silence = Silence { unanswered: &briefly, leaves: &|| true };
    assert_eq!(case.run_with(Some(silence)).await, Err(Failure::Silent));

    let count = Cell::new(0);
    let asked = || {
        count.set(count.get() + 1);
        count.get() == 3
    };
    let silence = Silence { unanswered: &briefly, leaves: &asked };
    assert_eq!(case.run_with(Some(silence)).await, Err(Failure::Silent));
    assert_eq!(count.get(), 3);
}

#[tokio::test]
async fn an_upstream_that_stands_still_is_given_up() {
    let mut case = Case::new(GET, [Step::Wait]);
    case.timeouts.response = Duration::from_millis(1);
    assert_eq!(case.run().await, Err(Failure::TimedOut));
    let begun = "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhi";
    let mut case = Case::new(GET, [Step::Bytes(begun), Step::Wait]);
    case.timeouts.content_idle = Duration::from_millis(1);
    case.timeouts.response = Duration::from_millis(1);
    assert_eq!(case.run().await, Err(Failure::Interrupted { status: 200 }));
}

#[tokio::test]
async fn a_client_that_does_not_read_is_given_up_and_nobody_else_blamed() {
    let mut case = Case::new(GET, [Step::Bytes(OK)]);
    case.client.is_stuck = true;
    case.timeouts.content_idle = Duration::from_millis(1);
    case.timeouts.response = Duration::from_millis(1);
    assert_eq!(case.run().await, Err(Failure::ClientGone));
}

#[tokio::test]
async fn content_that_breaks_the_rules_ends_the_request() {
    let mut case = Case::new(CHUNKED, [Step::Wait]);
    case.content = vec![Step::Bytes("2\r\nhi\r\n"), Step::Bytes("x")];
    assert_eq!(case.run().await, Err(Failure::BadRequest(Defect::ChunkSize)));
    assert!(!case.upstream_sink.is_finished);
    let mut case = Case::new(POST, [Step::Wait]);
    case.content = vec![Step::Bytes("hi"), Step::End];
    assert_eq!(case.run().await, Err(Failure::BadRequest(Defect::Truncated)));
    let mut case = Case::new(POST, [Step::Wait]);
    case.content = vec![Step::Bytes("hi"), Step::Wait];
    case.timeouts.response = Duration::from_millis(1);
    assert_eq!(case.run().await, Err(Failure::SlowRequest));
    let mut case = Case::new(POST, [Step::Wait]);
    case.content = vec![Step::Break];
    assert_eq!(case.run().await, Err(Failure::ClientGone));
}

#[tokio::test]
async fn an_answer_before_the_whole_request_closes_both_connections() {
    let mut case = Case::new(POST, [Step::Bytes(OK)]);
    case.content = vec![Step::Bytes("hi"), Step::Wait];
    let response = case.run().await.expect("a response");
    assert!(!response.client_stays && !response.upstream_is_clean);
    assert!(case.client.text().contains("connection: close\r\n"));
}

#[tokio::test]
async fn an_upstream_that_takes_no_more_may_still_answer() {
    let mut case = Case::new(POST, [Step::Bytes(OK)]);
    case.upstream_sink.is_broken = true;
    case.content = vec![Step::Bytes("body")];
    let response = case.run().await.expect("a response");
    assert_eq!((response.status, response.upstream_is_clean), (200, false));
}

#[tokio::test]
async fn what_has_arrived_leaves_in_one_write() {
    let head = "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n";
    let mut case = Case::new(POST, [Step::Bytes(head), Step::Bytes("an"), Step::Bytes("sw")]);
    case.content = vec![Step::Bytes("bo"), Step::Bytes("dy")];
    case.run().await.expect("a response");
    assert_eq!((case.upstream_sink.writes, case.client.writes), (1, 1));

    let mut case = Case::new(POST, [Step::Bytes(head), Step::Pause, Step::Bytes("answ")]);
    case.content = vec![Step::Bytes("bo"), Step::Pause, Step::Bytes("dy")];
    case.run().await.expect("a response");
    assert_eq!((case.upstream_sink.writes, case.client.writes), (2, 2), "nobody is waited for");
}

#[tokio::test]
async fn another_attempt_sends_everything_again() {
    let head = parse(POST);
    let mut client_source = Script::new([Step::Bytes("bo"), Step::Bytes("dyGET /next")]);
    let bytes = Bytes::copy_from_slice(POST.as_bytes());
    let mut request = Request::new(&mut client_source, bytes, head.framing());
    let terms = Terms::of(&head, Timeouts::default());
    for steps in [vec![Step::End], vec![Step::Bytes(OK)]] {
        let (mut upstream, mut sink) = (Script::new(steps), Written::default());
        let mut client = Written::default();
        let _ = run(&mut request, (&mut upstream, &mut sink), &mut client, &terms).await;
        assert_eq!(sink.text(), format!("{POST}body"));
    }
    assert!(request.is_consumed() && request.can_repeat());
    assert_eq!(request.content_bytes(), 4);
    assert_eq!(client_source.steps.pop_front().map(|step| step.text()), Some("GET /next".into()));
}

#[tokio::test]
async fn no_more_than_the_bound_is_read_before_somebody_accepts() {
    let chunk = "x".repeat(limits::HTTP_READ_BYTES_MAX);
    let head = format!("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: {}\r\n\r\n", 8 * chunk.len());
    let mut case = Case::new(&head, []);
    case.content = vec![Step::Bytes(&chunk); 8];
    case.upstream.accepts = Accepts::Never;
    let silence = Silence { unanswered: &briefly, leaves: &|| true };
    assert_eq!(case.run_with(Some(silence)).await, Err(Failure::Silent));
    let sent = case.upstream_sink.bytes.len() - head.len();
    assert!(sent > 0 && sent <= limits::REPLAY_BYTES_MAX, "{sent}");
}

/// One request, what its upstream does, and what came out.
struct Case<'a> {
    head: String,
    content: Vec<Step<'a>>,
    upstream: Script,
    upstream_sink: Written,
    client: Written,
    timeouts: Timeouts,
}

impl<'a> Case<'a> {
    fn new(head: &str, steps: impl IntoIterator<Item = Step<'a>>) -> Self {
        Self {
            head: head.into(),
            content: Vec::new(),
            upstream: Script::new(steps),
            upstream_sink: Written::default(),
            client: Written::default(),
            timeouts: Timeouts::default(),
        }
    }

    async fn run(&mut self) -> Result<Response, Failure> {
        self.run_with(None).await
    }

    async fn run_with(&mut self, silence: Option<Silence<'_>>) -> Result<Response, Failure> {
        let head = parse(&self.head);
        let mut source = Script::new(self.content.iter().copied());
        let bytes = Bytes::copy_from_slice(self.head.as_bytes());
        let mut request = Request::new(&mut source, bytes, head.framing());
        let terms = Terms { silence, ..Terms::of(&head, self.timeouts) };
        let upstream = (&mut self.upstream, &mut self.upstream_sink);
        run(&mut request, upstream, &mut self.client, &terms).await
    }
}

fn briefly<'a>() -> LocalBoxFuture<'a, ()> {
    tokio::time::sleep(Duration::from_millis(1)).boxed_local()
}

fn parse(head: &str) -> RequestHead {
    RequestHead::parse(Bytes::copy_from_slice(head.as_bytes())).expect("a valid head")
}

#[derive(Debug, Clone, Copy)]
enum Step<'a> {
    Bytes(&'a str),
    /// What follows comes a moment later.
    Pause,
    End,
    Break,
    /// Nothing happens any more.
    Wait,
}

#[derive(Debug)]
enum Owned {
    Bytes(Bytes),
    Pause,
    End,
    Break,
    Wait,
}

impl Owned {
    fn text(&self) -> String {
        let Self::Bytes(bytes) = self else { return String::new() };
        String::from_utf8_lossy(bytes).into_owned()
    }
}

#[derive(Debug)]
enum Accepts {
    AtOnce,
    Never,
    Refuses(Refusal),
    Breaks,
    Resets,
}

/// A source that does what is written.
#[derive(Debug)]
struct Script {
    steps: VecDeque<Owned>,
    accepts: Accepts,
}

impl Script {
    fn new<'a>(steps: impl IntoIterator<Item = Step<'a>>) -> Self {
        let own = |step| match step {
            Step::Bytes(text) => Owned::Bytes(Bytes::copy_from_slice(str::as_bytes(text))),
            Step::Pause => Owned::Pause,
            Step::End => Owned::End,
            Step::Break => Owned::Break,
            Step::Wait => Owned::Wait,
        };
        Self { steps: steps.into_iter().map(own).collect(), accepts: Accepts::AtOnce }
    }
}

impl Source for Script {
    async fn read(&mut self, chunks: &mut Chunks) -> io::Result<bool> {
        while matches!(self.steps.front(), Some(Owned::Pause)) {
            self.steps.pop_front();
            tokio::task::yield_now().await;
        }
        match self.steps.pop_front() {
            Some(Owned::Bytes(bytes)) => {
                chunks.push(bytes);
                Ok(true)
            }
            Some(Owned::End) => Ok(false),
            Some(Owned::Break) => Err(io::ErrorKind::ConnectionReset.into()),
            Some(Owned::Wait | Owned::Pause) | None => std::future::pending().await,
        }
    }

    fn unread(&mut self, chunk: Bytes) {
        if !chunk.is_empty() {
            self.steps.push_front(Owned::Bytes(chunk));
        }
    }

    fn has_unread(&self) -> bool {
        matches!(self.steps.front(), Some(Owned::Bytes(_)))
    }

    async fn accepted(&mut self) -> Result<(), NotAccepted> {
        match &self.accepts {
            Accepts::AtOnce => Ok(()),
            Accepts::Never => std::future::pending().await,
            Accepts::Refuses(refusal) => Err(NotAccepted::Refused(refusal.clone())),
            Accepts::Breaks => Err(NotAccepted::Broken),
            Accepts::Resets => Err(NotAccepted::Reset),
        }
    }
}

/// A sink that keeps what it gets.
#[derive(Debug, Default)]
struct Written {
    bytes: Vec<u8>,
    writes: usize,
    is_finished: bool,
    is_broken: bool,
    is_stuck: bool,
}

impl Written {
    fn text(&self) -> String {
        String::from_utf8_lossy(&self.bytes).into_owned()
    }
}

impl Sink for Written {
    async fn write(&mut self, chunks: &mut Chunks) -> io::Result<()> {
        if self.is_stuck {
            std::future::pending::<()>().await;
        }
        if self.is_broken {
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        self.writes += 1;
        while let Some(chunk) = chunks.pop() {
            self.bytes.extend_from_slice(&chunk);
        }
        Ok(())
    }

    fn finish(&mut self) {
        self.is_finished = true;
    }
}
