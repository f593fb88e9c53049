//! The east-west gateway: capture, tunnel, relay, balancing, enforcement.

pub mod access_log;
#[expect(dead_code, reason = "the proxy that feeds the parsers lands after the tunnel")]
mod http1;
pub mod tunnel;
