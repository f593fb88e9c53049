//! Reads server-sent events (WHATWG HTML, 9.2) as far as the API sends them.

use http_body_util::BodyExt;
use hyper::body::Incoming;
use rialto_types::api::WatchEvent;
use rialto_types::limits;

/// The events of one watch.
#[derive(Debug)]
pub struct Events {
    body: Incoming,
    buffer: Vec<u8>,
}

impl Events {
    pub(super) fn new(body: Incoming) -> Self {
        Self { body, buffer: Vec::new() }
    }

    /// The next event; `None` when the stream ended. Reconnect with the last revision seen.
    pub async fn next(&mut self) -> Option<WatchEvent> {
        loop {
            while let Some(end) = self.buffer.windows(2).position(|pair| pair == b"\n\n") {
                let block: Vec<u8> = self.buffer.drain(..end + 2).collect();
                if let Some(event) = parse(&String::from_utf8_lossy(&block)) {
                    return Some(event);
                }
            }
            if self.buffer.len() > limits::REST_EVENT_BYTES_MAX {
                return None;
            }
            let frame = self.body.frame().await?.ok()?;
            if let Some(data) = frame.data_ref() {
                self.buffer.extend_from_slice(data);
            }
        }
    }
}

fn parse(block: &str) -> Option<WatchEvent> {
    let (mut name, mut data) = ("", String::new());
    for line in block.lines() {
        if let Some(value) = line.strip_prefix("event:") {
            name = value.trim();
        } else if let Some(value) = line.strip_prefix("data:") {
            data.push_str(value.trim_start());
        }
    }
    let value: serde_json::Value = serde_json::from_str(&data).ok()?;
    serde_json::from_value(serde_json::json!({ "event": name, "data": value })).ok()
}
