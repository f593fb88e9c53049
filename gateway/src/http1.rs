//! HTTP/1.1 between a client and an endpoint: heads parsed strictly, contents relayed as they come.
//!
//! ```text
//!   near: client's TCP connection --+
//!                                   +--> exchange: request up, response down --> next hop
//!   far: a peer gateway's stream ---+
//!
//!   pure:  chunks --> collect::Collector --> head::RequestHead --> hop::write_request
//!                        |                      |
//!                        |                      +--> Framing --> body::Body --> cut chunks
//!                        +--> Defect: a status and a reason, never a repair
//! ```
//!
//! Only `side`, `origin`, `near` and `far` touch sockets and streams.

use std::cell::{Cell, RefCell};

mod answer;
mod body;
mod budget;
mod chunks;
mod collect;
mod defect;
mod exchange;
pub(crate) mod far;
mod head;
mod hop;
pub(crate) mod near;
mod origin;
mod replay;
mod side;
mod target;

/// What all requests of one worker share.
#[derive(Debug, Default)]
pub(crate) struct State {
    pub(crate) origins: origin::Origins,
    budget: RefCell<budget::Budget>,
    /// Shorter in tests.
    timeouts: Cell<exchange::Timeouts>,
}

#[cfg(test)]
mod tests;
