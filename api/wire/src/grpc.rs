//! The generated stubs of `api/proto/`, and the only conversions between them and the types.

#![allow(
    clippy::wildcard_enum_match_arm,
    clippy::unused_async,
    missing_debug_implementations,
    unreachable_pub,
    reason = "generated code"
)]

mod convert;

pub use convert::{Fault, delta_entry, problem_status, status_problem};

tonic::include_proto!("rialto.v1");
