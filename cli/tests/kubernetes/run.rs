//! A large Kubernetes cluster in front of a real agent (`make bench-kubernetes`).
//!
//! The API server is a real one and everything that is measured is the product's own. The Services,
//! EndpointSlices and Pods are objects only: nothing runs behind them.
//!
//! ```text
//! cargo bench --bench kubernetes -- --server HOST:PORT --ca FILE --token FILE
//! ```

mod cluster;
mod measure;
mod parts;

use std::io::Write as _;
use std::path::PathBuf;

use anyhow::Context as _;
use clap::Parser;
use rialto_agent::kubernetes::api::{Api, Server};
use rialto_wire::identity::crypto;

/// Fill a Kubernetes cluster and measure an agent that watches it.
#[derive(Debug, Parser)]
struct Arguments {
    /// The API server, `HOST:PORT`
    #[arg(long)]
    server: String,
    /// The certificate of the API server, or of who issued it
    #[arg(long)]
    ca: PathBuf,
    /// A file with the token of somebody who may do everything
    #[arg(long)]
    token: PathBuf,
    #[arg(long, default_value_t = 2_000)]
    services: u32,
    /// Endpoints of each Service; each is a Pod too
    #[arg(long, default_value_t = 10)]
    endpoints: u32,
    /// How many of the Services are exported
    #[arg(long, default_value_t = 200)]
    exported: u32,
    /// Changed EndpointSlices of each kind of measurement
    #[arg(long, default_value_t = 300)]
    changes: u32,
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// What cargo hands to every benchmark
    #[arg(long, hide = true)]
    bench: bool,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    // Refused if it is there already, which is as good.
    let _ = crypto::provider().as_ref().clone().install_default();
    let server = Server {
        address: Some(arguments.server.clone()),
        ca_file: arguments.ca.clone(),
        token_file: arguments.token.clone(),
    };
    let api = Api::new(&server).context("the API server cannot be used")?;
    cluster::fill(&api, &arguments).await?;
    measure::run(&api, &server, &arguments).await
}

fn say(line: &str) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{line}").and_then(|()| out.flush()).context("cannot write to stdout")
}
