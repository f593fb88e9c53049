//! One per cluster or VM fleet: reads the local registry, reports up, feeds gateways and DNS.

pub mod check;
pub mod fold;
pub mod provider;
