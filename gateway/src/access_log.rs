//! One line of JSON per request and flow: who called what, where it went, how it ended.
//!
//! ```text
//!   flows of a worker --> buffer --(full, or a moment passed)--> bounded queue --> writer's thread
//! ```
//!
//! A slow disk or terminal must not hold up traffic: what does not fit into the queue is dropped
//! and counted.

use std::cell::{Cell, RefCell};
use std::io::Write;
use std::net::{IpAddr, SocketAddr};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::thread;

use rialto_types::error::{Chain, Code};
use rialto_types::id::{ClusterName, InstanceId, ServiceName, SpiffeId, Timestamp};
use rialto_types::limits;
use serde::Serialize;

/// Which gateway of the flow says this.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Side {
    /// The one to which the client connected.
    Near,
    /// The one that connected to the endpoint, in another cluster.
    Far,
}

/// What one request or flow was. Borrowed: a record is written at once and never kept.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Record<'a> {
    /// When it began.
    pub time: Timestamp,
    pub side: Side,
    /// The same on every gateway that it passed.
    #[serde(serialize_with = "as_hex")]
    pub flow: u128,
    pub caller: Option<&'a SpiffeId>,
    /// The cluster that speaks for the caller.
    pub caller_cluster: &'a ClusterName,
    /// Known near the caller only.
    pub caller_address: Option<IpAddr>,
    /// What the client dialled.
    pub service: &'a ServiceName,
    pub port: u16,
    /// The rule that chose the backend, as `HTTPRoute books/reviews rule 0`.
    pub route: Option<&'a str>,
    pub backend: Option<&'a ServiceName>,
    /// Where it was served, or last tried.
    pub cluster: Option<&'a ClusterName>,
    pub gateway: Option<&'a InstanceId>,
    pub endpoint: Option<SocketAddr>,
    /// Absent for flows that are not HTTP.
    pub http: Option<HttpRecord<'a>>,
    /// Why it failed, from the table of codes; absent if the service itself answered.
    pub code: Option<Code>,
    /// The counter's label of a refusal or failure.
    pub reason: Option<&'a str>,
    pub attempts: u32,
    pub duration_us: u64,
    /// Content, as it came over the wire.
    pub bytes_from_client: u64,
    pub bytes_to_client: u64,
}

#[derive(Debug, Clone, Copy, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct HttpRecord<'a> {
    pub method: &'a str,
    /// Without the query, which often holds secrets.
    pub path: &'a str,
    /// Absent if the client got no answer.
    pub status: Option<u16>,
    pub traceparent: Option<&'a str>,
}

/// The log of one worker.
#[derive(Debug)]
pub struct AccessLog {
    buffer: RefCell<Vec<u8>>,
    writer: Option<SyncSender<Vec<u8>>>,
    dropped: Cell<u64>,
}

impl AccessLog {
    /// Writes on a thread of its own, which ends after the log itself.
    pub fn start(output: Box<dyn Write + Send>) -> std::io::Result<(Self, thread::JoinHandle<()>)> {
        let (writer, lines) = sync_channel(limits::ACCESS_LOG_BUFFERS_MAX);
        let thread = thread::Builder::new()
            .name("access-log".into())
            .spawn(move || write_lines(output, &lines))?;
        Ok((Self::new(Some(writer)), thread))
    }

    /// Takes records and writes none.
    pub fn off() -> Self {
        Self::new(None)
    }

    fn new(writer: Option<SyncSender<Vec<u8>>>) -> Self {
        Self { buffer: RefCell::default(), writer, dropped: Cell::new(0) }
    }

    pub fn write(&self, record: &Record<'_>) {
        if self.writer.is_none() {
            return;
        }
        let mut buffer = self.buffer.borrow_mut();
        if serde_json::to_writer(&mut *buffer, record).is_err() {
            // Nothing in a record can fail to become JSON; a broken line must not spoil the next.
            tracing::debug!("access record not written");
        }
        buffer.push(b'\n');
        let is_full = buffer.len() >= limits::ACCESS_LOG_BUFFER_BYTES;
        drop(buffer);
        if is_full {
            self.flush();
        }
    }

    /// Hands what is buffered to the writer.
    pub fn flush(&self) {
        let lines = self.buffer.take();
        let Some(writer) = self.writer.as_ref().filter(|_| !lines.is_empty()) else { return };
        match writer.try_send(lines) {
            Ok(()) => {}
            Err(TrySendError::Full(lines) | TrySendError::Disconnected(lines)) => {
                let count = lines.iter().filter(|&&byte| byte == b'\n').count();
                self.dropped.set(self.dropped.get() + count as u64);
            }
        }
    }

    /// Flushes every moment, for as long as it is polled.
    pub async fn keep_flushed(&self) {
        loop {
            tokio::time::sleep(limits::ACCESS_LOG_DELAY_MAX).await;
            self.flush();
        }
    }

    /// Records that were lost because the output was too slow or broke.
    pub fn dropped(&self) -> u64 {
        self.dropped.get()
    }
}

impl Drop for AccessLog {
    fn drop(&mut self) {
        self.flush();
    }
}

fn write_lines(mut output: Box<dyn Write + Send>, lines: &Receiver<Vec<u8>>) {
    for lines in lines {
        if let Err(error) = output.write_all(&lines).and_then(|()| output.flush()) {
            tracing::warn!(error = %Chain(&error), "access log cannot be written, it ends here");
            return;
        }
    }
}

fn as_hex<S: serde::Serializer>(flow: &u128, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&format_args!("{flow:032x}"))
}

#[cfg(test)]
mod tests;
