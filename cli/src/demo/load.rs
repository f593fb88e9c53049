//! A client that counts: the gentle load of the demo and the independent witness of its story.
//!
//! It resolves a name, sends requests, and reports what came back and who answered. It is bounded
//! in requests and in time, and ends early, with its report, on SIGTERM or SIGINT.
//!
//! ```text
//! worker --+
//! worker --+--> observations (bounded) --> Report --> JSON on standard output
//! worker --+
//! ```

use std::future::pending;
use std::io::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::{Context as _, ensure};
use http_body_util::BodyExt as _;
use hyper::Response;
use hyper::body::Incoming;
use tokio::runtime::{Builder, Runtime};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{Barrier, mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep, timeout};

use self::report::{Answer, Observation, Outcome, Report};
use super::bookstore::content::{CHECKSUM_HEADER, Checksum};
use super::http::{Connection, Failure, Url, Vantage};
use super::limits;
use super::link::control::parse_duration;

pub(crate) mod report;

/// Send requests and count the answers
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Arguments {
    url: Url,
    /// Requests in all
    #[arg(long)]
    count: Option<u64>,
    /// How long, for example `10s`
    #[arg(long = "for", value_parser = parse_duration)]
    duration: Option<Duration>,
    /// Connections at a time
    #[arg(long, default_value_t = 1)]
    parallel: usize,
    /// Requests per second over all connections; as fast as they are answered if absent
    #[arg(long)]
    rate: Option<f64>,
    #[arg(long, value_enum, default_value_t = Connections::Keep)]
    connections: Connections,
    #[command(flatten)]
    vantage: Vantage,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Connections {
    /// One request after the other on each
    Keep,
    /// A new one for each request
    Fresh,
    /// Like `keep`, but none is closed before all have had an answer
    Hold,
}

pub(crate) fn runtime() -> anyhow::Result<Runtime> {
    Builder::new_multi_thread()
        .max_blocking_threads(limits::RESOLVING_MAX)
        .enable_all()
        .build()
        .context("could not start the runtime")
}

pub(crate) async fn run(arguments: Arguments) -> anyhow::Result<()> {
    let report = measure(arguments, interrupted()?).await?;
    let text = serde_json::to_string(&report).context("could not write the report")?;
    writeln!(std::io::stdout(), "{text}").context("could not print the report")
}

fn interrupted() -> anyhow::Result<impl Future<Output = ()>> {
    let mut terminated = signal(SignalKind::terminate()).context("could not wait for SIGTERM")?;
    let mut interrupted = signal(SignalKind::interrupt()).context("could not wait for SIGINT")?;
    Ok(async move {
        tokio::select! {
            _ = terminated.recv() => {}
            _ = interrupted.recv() => {}
        }
    })
}

pub(crate) async fn measure(
    arguments: Arguments,
    interrupted: impl Future<Output = ()>,
) -> anyhow::Result<Report> {
    let workers = arguments.parallel;
    ensure!(
        (1..=limits::LOAD_PARALLEL_MAX).contains(&workers),
        "`--parallel` must be from 1 to {}",
        limits::LOAD_PARALLEL_MAX
    );
    let rate_good = arguments.rate.is_none_or(|rate| rate > 0.0 && rate.is_finite());
    ensure!(rate_good, "`--rate` must be above 0");
    let count = arguments.count.unwrap_or(limits::LOAD_REQUESTS_MAX);
    let duration = arguments.duration.unwrap_or(limits::DURATION_MAX);
    let start = Instant::now();
    let (observations, mut observed) = mpsc::channel(limits::LOAD_OBSERVATIONS_MAX);
    let (stop, stopped) = watch::channel(false);
    let tickets = Arc::new(AtomicU64::new(count.min(limits::LOAD_REQUESTS_MAX)));
    let answered = Arc::new(Barrier::new(workers));
    let mut tasks = JoinSet::new();
    for _ in 0..workers {
        let worker = Worker {
            arguments: arguments.clone(),
            start,
            tickets: Arc::clone(&tickets),
            answered: Arc::clone(&answered),
            observations: observations.clone(),
            connection: None,
        };
        let mut stopped = stopped.clone();
        tasks.spawn(async move {
            // A request under way when time is up is not counted: it neither failed nor succeeded.
            tokio::select! {
                () = worker.run() => {}
                _ = stopped.wait_for(|stop| *stop) => {}
            }
        });
    }
    drop(observations);
    let mut report = Report::default();
    let end = async {
        tokio::select! {
            () = interrupted => {}
            () = sleep(duration) => {}
        }
        stop.send_replace(true);
        pending::<()>().await;
    };
    tokio::select! {
        () = async {
            while let Some(observation) = observed.recv().await {
                report.observe(observation);
            }
        } => {}
        () = end => {}
    }
    while tasks.join_next().await.is_some() {}
    report.finish(start.elapsed());
    Ok(report)
}

struct Worker {
    arguments: Arguments,
    start: Instant,
    tickets: Arc<AtomicU64>,
    answered: Arc<Barrier>,
    observations: mpsc::Sender<Observation>,
    connection: Option<Connection>,
}

impl Worker {
    async fn run(mut self) {
        let mut pace = self.arguments.rate.map(|rate| {
            let mut pace = interval(Duration::from_secs_f64(self.arguments.parallel as f64 / rate));
            pace.set_missed_tick_behavior(MissedTickBehavior::Delay);
            pace
        });
        while take(&self.tickets) {
            if let Some(pace) = &mut pace {
                pace.tick().await;
            }
            let sent = Instant::now();
            let outcome = self.request().await;
            let observation = Observation {
                at: self.start.elapsed(),
                took: sent.elapsed(),
                outcome: outcome.clone(),
            };
            if self.observations.send(observation).await.is_err() {
                return;
            }
            if matches!(outcome, Outcome::Failed(_)) && self.arguments.rate.is_none() {
                sleep(limits::LOAD_FAILURE_DELAY).await;
            }
        }
        if self.arguments.connections == Connections::Hold {
            self.answered.wait().await;
        }
    }

    async fn request(&mut self) -> Outcome {
        let url = &self.arguments.url;
        let mut connection = match self.connection.take() {
            Some(connection) => connection,
            None => match Connection::open(url, self.arguments.vantage).await {
                Ok(connection) => connection,
                Err(failure) => return Outcome::Failed(failure),
            },
        };
        let headed = timeout(limits::REQUEST_TIMEOUT, connection.get(url, &[])).await;
        let response = match headed {
            Ok(Ok(response)) => response,
            Ok(Err(failure)) => return Outcome::Failed(failure),
            Err(_) => return Outcome::Failed(Failure::Timeout),
        };
        let outcome = read(response).await;
        // After a cut answer the connection is of no use.
        let whole = !matches!(outcome, Outcome::Failed(_));
        if whole && self.arguments.connections != Connections::Fresh {
            self.connection = Some(connection);
        }
        outcome
    }
}

fn take(tickets: &AtomicU64) -> bool {
    tickets.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1)).is_ok()
}

/// The first line of a refusal's text, by whomever it is.
fn reason(body: &[u8]) -> String {
    String::from_utf8_lossy(body).lines().next().unwrap_or_default().to_owned()
}

async fn read(response: Response<Incoming>) -> Outcome {
    let status = response.status().as_u16();
    let header = |name: &str| response.headers().get(name).and_then(|value| value.to_str().ok());
    let expected = header(CHECKSUM_HEADER).map(str::to_owned);
    let is_json = header("content-type") == Some("application/json");
    let mut body = response.into_body();
    let (mut checksum, mut size, mut kept) = (Checksum::default(), 0, Vec::new());
    loop {
        let frame = match timeout(limits::REQUEST_TIMEOUT, body.frame()).await {
            Ok(Some(Ok(frame))) => frame,
            Ok(None) => break,
            Ok(Some(Err(_))) => return Outcome::Failed(Failure::CutShort),
            Err(_) => return Outcome::Failed(Failure::Timeout),
        };
        let Some(data) = frame.data_ref() else { continue };
        size += data.len() as u64;
        if expected.is_some() {
            checksum.update(data);
        }
        let kept_max = match (status, is_json) {
            (400.., _) => limits::LOAD_REASON_BYTES_MAX,
            (_, true) => limits::BODY_BYTES_MAX,
            (_, false) => 0,
        };
        kept.extend_from_slice(&data[..data.len().min(kept_max.saturating_sub(kept.len()))]);
    }
    if status >= 400 {
        return Outcome::Refused { status, reason: reason(&kept) };
    }
    if expected.is_some_and(|expected| expected != format!("{:016x}", checksum.finish())) {
        return Outcome::Failed(Failure::WrongBytes);
    }
    Outcome::Good(Answer::from_body(&kept, size))
}

#[cfg(test)]
mod tests;
