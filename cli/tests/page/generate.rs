//! A made-up federation in front of a real bridge, for looking at the page under load.
//!
//! NOTHING HERE IS REAL TRAFFIC: a seed decides which services there are, how their health changes
//! and what their gateways claim to carry. It is played over real gRPC to a real bridge process, by
//! one agent and one gateway per cluster, so that everything above is the product's own.
//!
//! ```text
//! cargo bench --bench page -- --clusters 50 --services 2000 --events 500     until it is ended
//! cargo bench --bench page -- --measure 100                                  the server side, then ends
//! ```

mod bridge;
mod measure;
mod parts;
mod plan;

use std::io::Write as _;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use clap::Parser;
use rand::SeedableRng as _;
use rand::rngs::StdRng;
use rialto_types::duration;
use rialto_wire::identity::crypto;
use tokio::task::JoinSet;

use bridge::Bridge;
use parts::Joined;
use plan::Plan;

/// Play a made-up federation to a real bridge.
#[derive(Debug, Parser)]
struct Arguments {
    #[arg(long, default_value_t = 50)]
    clusters: usize,
    #[arg(long, default_value_t = 2_000)]
    services: usize,
    /// Changes of endpoints' health a second, in all clusters together
    #[arg(long, default_value_t = 500)]
    events: u32,
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Where the bridge's REST API and page are
    #[arg(long, default_value = "127.0.0.1:0")]
    rest: SocketAddr,
    /// Ask each view so many times, print how long the answers took, and end
    #[arg(long)]
    measure: Option<usize>,
    /// End after this time
    #[arg(long, value_parser = duration::parse, default_value = "30m")]
    lasting: Duration,
    /// What cargo hands to every benchmark
    #[arg(long, hide = true)]
    bench: bool,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    // Refused if it is there already, which is as good.
    let _ = crypto::provider().as_ref().clone().install_default();
    let bridge = Bridge::start(arguments.rest)?;
    let mut random = StdRng::seed_from_u64(arguments.seed);
    let plan = Plan::new(arguments.clusters, arguments.services, &mut random);
    let mut parts = JoinSet::new();
    bridge.describe(&plan).await?;
    let mut agents = Vec::new();
    for cluster in &plan.clusters {
        let joined = Joined::new(&bridge, &cluster.name).await?;
        let (agent, events) = parts::agent(&joined, cluster);
        agents.push(events);
        parts.spawn(agent);
        let random = StdRng::seed_from_u64(arguments.seed + agents.len() as u64);
        parts.spawn(parts::gateway(joined, cluster.clone(), random));
    }
    parts.spawn(parts::events(plan.clone(), agents, arguments.events, random));
    tokio::select! {
        done = look(&bridge, &plan, &arguments) => done,
        Some(ended) = parts.join_next() => {
            ended.context("a part panicked")?.context("a part ended")
        }
    }
}

/// What is done with the federation once it stands.
async fn look(bridge: &Bridge, plan: &Plan, arguments: &Arguments) -> anyhow::Result<()> {
    let started = Instant::now();
    bridge.wait_until_heard(plan).await?;
    let took = started.elapsed().as_secs_f64();
    say(&format!("heard every agent and gateway {took:.1} s after the last one joined"))?;
    say(&format!("page {}", bridge.link().await?))?;
    match arguments.measure {
        Some(count) => say(&measure::run(bridge, plan, count).await?),
        None => {
            let stopped = tokio::time::timeout(arguments.lasting, tokio::signal::ctrl_c()).await;
            stopped.map_or(Ok(()), |signal| signal.context("cannot hear Ctrl-C"))
        }
    }
}

fn say(line: &str) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{line}").and_then(|()| out.flush()).context("cannot write to stdout")
}
