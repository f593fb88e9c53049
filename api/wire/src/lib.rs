//! What crosses Rialto's borders.
//!
//! - [`grpc`]: generated stubs, and the only conversions between them and the types
//! - [`subscribe`]: the receiving side of the snapshot stream and of the local table
//! - [`admin`]: `/livez`, `/readyz`, `/metrics` of every part
//! - [`digest`]: SHA-256 as hashes and fingerprints use it

pub mod admin;
pub mod digest;
pub mod grpc;
pub mod subscribe;
