//! HTTP/1.1 between a client and an endpoint: heads parsed strictly, contents relayed as they come.
//!
//! Pure: bytes in, bytes out. The sockets are in `proxy` (near the client) and `origin` (near the
//! endpoint).
//!
//! ```text
//!   chunks --> collect::Collector --> head::RequestHead --> hop::write_request --> next hop
//!                     |                      |
//!                     |                      +--> Framing --> body::Body --> chunks --> next hop
//!                     +--> Defect: a status and a reason, never a repair
//! ```

pub(crate) mod body;
pub(crate) mod collect;
pub(crate) mod defect;
pub(crate) mod head;
pub(crate) mod hop;
pub(crate) mod target;
