//! What crosses Rialto's borders.
//!
//! - [`grpc`]: generated stubs, and the only conversions between them and the types
//! - [`subscribe`]: the receiving side of the snapshot stream and of the local table
//! - [`beat`]: signs of life on a stream
//! - [`admin`]: `/livez`, `/readyz`, `/metrics` of every part
//! - [`digest`]: SHA-256 as hashes and fingerprints use it
//! - [`identity`]: certificates, whom they prove, and whom we believe
//! - [`bridges`]: where the members of the control plane are
//! - [`enroll`]: how a part gets its identity, keeps and renews it
//! - [`transport`]: gRPC connections over mutual TLS and Unix sockets
//! - [`rest`]: the REST API over a `ControlPlane` trait; [`openapi`]: its description
//! - [`client`]: the typed client of the REST API
//! - [`diff`]: what a change changes, as text

pub mod admin;
pub mod beat;
pub mod bridges;
pub mod client;
pub mod diff;
pub mod digest;
pub mod enroll;
pub mod grpc;
pub mod identity;
mod openapi;
pub mod rest;
pub mod subscribe;
pub mod transport;
