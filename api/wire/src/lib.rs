//! What crosses Rialto's borders.
//!
//! - [`grpc`]: generated stubs, and the only conversions between them and the types
//! - [`digest`]: SHA-256 as hashes and fingerprints use it

pub mod digest;
pub mod grpc;
