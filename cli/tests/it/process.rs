//! One process of the binary: its log as it is written, and its admin pages.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, sync_channel};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::demo::PROGRAM;

/// Nothing that a test waits for takes so long on a machine that works at all.
const PATIENCE: Duration = Duration::from_secs(180);
/// Who waits leaves the processor to what is waited for.
const LOOK: Duration = Duration::from_millis(20);

/// Records that wait for the test.
const LOG_RECORDS_MAX: usize = 10_000;

/// Ended when dropped.
pub(crate) struct Process {
    child: Child,
    log: Receiver<Value>,
    admin: String,
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended by itself; the test has failed then.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Process {
    /// Starts a part, and gives what it logs as `up`: where it listens, its admin pages among it.
    pub(crate) fn start(part: &str, settings: &Path, up: &str) -> (Self, Value) {
        let mut child = Command::new(PROGRAM)
            .args([part, "--config"])
            .arg(settings)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the program starts");
        let stderr = BufReader::new(child.stderr.take().expect("it is piped"));
        let (sender, log) = sync_channel(LOG_RECORDS_MAX);
        std::thread::spawn(move || {
            for line in stderr.lines().map_while(Result::ok) {
                let record = serde_json::from_str(&line).unwrap_or(Value::String(line));
                // A test that does not read the log must not hold up who writes it.
                let _ = sender.try_send(record);
            }
        });
        let mut process = Self { child, log, admin: String::new() };
        let record = process.until_logged(up);
        let admin = record["admin"].as_str().expect("it says where its admin pages are");
        process.admin = admin.to_owned();
        (process, record)
    }

    /// The next record with this message; those before it are passed over.
    pub(crate) fn until_logged(&self, message: &str) -> Value {
        let mut passed = Vec::new();
        let deadline = Instant::now() + PATIENCE;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            match self.log.recv_timeout(left) {
                Ok(record) if record["message"] == message => return record,
                Ok(record) => passed.push(record),
                Err(_) => panic!("`{message}` was not logged; passed over: {passed:#?}"),
            }
        }
    }

    /// The body of an admin page, whatever its status.
    pub(crate) fn page(&self, path: &str) -> String {
        let mut stream = TcpStream::connect(&self.admin).expect("the process runs");
        stream.set_read_timeout(Some(PATIENCE)).expect("a time limit");
        let request = format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).expect("sent");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("a whole answer");
        answer.split_once("\r\n\r\n").expect("a head").1.to_owned()
    }

    /// The sum of a metric's values over all series that have each of these labels.
    pub(crate) fn counted(&self, metric: &str, labels: &[&str]) -> u64 {
        let page = self.page("/metrics");
        let of_metric = page.lines().filter_map(|line| line.strip_prefix(metric));
        let values = of_metric.filter_map(|rest| {
            let (series, value) = rest.rsplit_once(' ')?;
            let is_same = series.is_empty() || series.starts_with('{');
            let has_labels = labels.iter().all(|label| series.contains(label));
            (is_same && has_labels).then(|| value.parse::<u64>().expect("a count"))
        });
        values.sum()
    }

    /// Waits until so many are counted.
    pub(crate) fn until_counted(&self, metric: &str, labels: &[&str], count: u64) {
        self.until(&format!("{count} of {metric} {labels:?}"), |process| {
            process.counted(metric, labels) >= count
        });
    }

    /// Waits until the process is as wanted.
    pub(crate) fn until(&self, what: &str, holds: impl Fn(&Self) -> bool) {
        let deadline = Instant::now() + PATIENCE;
        while !holds(self) {
            let page = || self.page("/metrics");
            assert!(Instant::now() < deadline, "waited in vain for {what}: {}", page());
            std::thread::park_timeout(LOOK);
        }
    }
}
