use std::sync::{Arc, Mutex};

use super::*;

#[test]
fn a_record_is_one_line_of_json() {
    let written = Shared::default();
    let (log, thread) = AccessLog::start(Box::new(written.clone())).expect("a thread");
    let (caller, cluster, service) = names();
    log.write(&record(&caller, &cluster, &service));
    log.write(&record(&caller, &cluster, &service));
    drop(log);
    thread.join().expect("the writer ends after the log");
    let text = written.text();
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines.len(), 2);
    let line: serde_json::Value = serde_json::from_str(lines[0]).expect("JSON");
    assert_eq!(line["flow"], "0000000000000000000000000000002a");
    assert_eq!(line["service"], "books/reviews");
    assert_eq!(line["http"]["status"], 503);
    assert_eq!(line["code"], "RIA2003");
}

#[test]
fn what_a_slow_output_cannot_take_is_dropped_and_counted() {
    let stuck = Stuck::default();
    let held = stuck.0.lock().expect("not poisoned");
    let (log, thread) = AccessLog::start(Box::new(stuck.clone())).expect("a thread");
    let (caller, cluster, service) = names();
    // One buffer is in the writer's hands, the queue holds the rest.
    for _ in 0..=limits::ACCESS_LOG_BUFFERS_MAX + 1 {
        log.write(&record(&caller, &cluster, &service));
        log.flush();
    }
    assert!(log.dropped() > 0);
    drop(held);
    drop(log);
    thread.join().expect("the writer ends after the log");
}

#[test]
fn a_log_that_is_off_keeps_nothing() {
    let log = AccessLog::off();
    let (caller, cluster, service) = names();
    log.write(&record(&caller, &cluster, &service));
    assert_eq!(log.buffer.borrow().len(), 0);
}

#[derive(Clone, Default)]
struct Shared(Arc<Mutex<Vec<u8>>>);

impl Shared {
    fn text(&self) -> String {
        String::from_utf8(self.0.lock().expect("not poisoned").clone()).expect("UTF-8")
    }
}

impl Write for Shared {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().expect("not poisoned").write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[derive(Clone, Default)]
struct Stuck(Arc<Mutex<()>>);

impl Write for Stuck {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        drop(self.0.lock().expect("not poisoned"));
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

fn names() -> (SpiffeId, ClusterName, ServiceName) {
    let caller = "spiffe://east.rialto/ns/books/sa/productpage";
    (
        caller.parse().expect("valid"),
        "east".parse().expect("valid"),
        "books/reviews".parse().expect("valid"),
    )
}

fn record<'a>(
    caller: &'a SpiffeId,
    cluster: &'a ClusterName,
    service: &'a ServiceName,
) -> Record<'a> {
    Record {
        time: Timestamp::from_unix_ms(1_700_000_000_000),
        side: Side::Near,
        flow: 42,
        caller: Some(caller),
        caller_cluster: cluster,
        caller_address: None,
        service,
        port: 9080,
        route: None,
        backend: None,
        cluster: None,
        gateway: None,
        endpoint: None,
        http: Some(HttpRecord {
            method: "GET",
            path: "/reviews/1",
            status: Some(503),
            traceparent: None,
        }),
        code: Some(Code::NoHealthyEndpoint),
        reason: Some("no_endpoint"),
        attempts: 1,
        duration_us: 1_200,
        bytes_from_client: 0,
        bytes_to_client: 24,
    }
}
