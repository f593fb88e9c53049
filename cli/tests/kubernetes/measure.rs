//! The agent's start, memory, CPU, and how long a change takes to reach a gateway.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use rialto_agent::kubernetes::api::{Api, Server};
use rialto_types::local::LocalTable;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{interval, timeout};

use super::cluster::{change, service_name};
use super::parts::{Federation, Process};
use super::{Arguments, say};

/// Nothing here takes so long on a machine that works at all.
const PATIENCE: Duration = Duration::from_secs(300);
/// How often CPU time is read, how many readings in a row make a rest of 40 s, in which the agent
/// looks at all that it wrote at least once, and from which share of one CPU on it is busy.
const LOOK: Duration = Duration::from_secs(5);
const IDLE_LOOKS: usize = 8;
const BUSY: f64 = 0.25;
/// Changes a second where they come steadily.
const STEADY_RATE: u32 = 20;

pub(crate) async fn run(api: &Api, server: &Server, arguments: &Arguments) -> anyhow::Result<()> {
    let federation = Federation::new(server).await?;
    let mut parts = JoinSet::new();
    let first = federation.start_agent()?;
    let (mut tables, following) = federation.follow().await?;
    let task = parts.spawn(following);
    until(&mut tables, |table| is_whole(table, arguments)).await?;
    settle(&first, "the first agent").await?;
    task.abort();
    drop(first);

    let started = Instant::now();
    let agent = federation.start_agent()?;
    let (mut tables, following) = federation.follow().await?;
    parts.spawn(following);
    until(&mut tables, |table| is_whole(table, arguments)).await?;
    let took = started.elapsed().as_secs_f64();
    let bytes = serde_json::to_vec(&**tables.borrow())?.len();
    say(&format!(
        "start to a gateway's whole table: {took:.1} s, {:.1} s of CPU; the table has {:.1} MB",
        agent.cpu_s()?,
        bytes as f64 / 1e6
    ))?;
    settle(&agent, "the agent").await?;
    let mut random = StdRng::seed_from_u64(arguments.seed);
    let times = one_by_one(api, arguments, &mut tables, &mut random).await?;
    tell("changes one by one", times)?;
    let before = (agent.cpu_s()?, Instant::now());
    let times = steadily(api, arguments, &mut tables, &mut random).await?;
    let share = (agent.cpu_s()? - before.0) / before.1.elapsed().as_secs_f64();
    tell(&format!("{STEADY_RATE} changes a second"), times)?;
    let (now, highest) = agent.memory_mb()?;
    say(&format!(
        "meanwhile {:.0} % of one CPU; memory then {now:.0} MB, highest {highest:.0} MB",
        share * 100.0
    ))
}

/// Every endpoint and every caller is there.
fn is_whole(table: &LocalTable, arguments: &Arguments) -> bool {
    let pods = (arguments.services * arguments.endpoints) as usize;
    table.services.values().map(|held| held.len()).sum::<usize>() >= pods
        && table.callers.len() >= pods
}

/// Waits until what the agent writes into the cluster stands, and tells what it costs when nothing
/// happens.
async fn settle(agent: &Process, name: &str) -> anyhow::Result<()> {
    let started = Instant::now();
    let mut tick = interval(LOOK);
    tick.tick().await;
    let mut before = agent.cpu_s()?;
    let (mut shares, mut took) = (Vec::new(), 0.0);
    while shares.len() < IDLE_LOOKS {
        ensure!(started.elapsed() < PATIENCE, "{name} does not come to rest");
        tick.tick().await;
        let now = agent.cpu_s()?;
        let share = (now - before) / LOOK.as_secs_f64();
        before = now;
        if share > BUSY {
            shares.clear();
            took = started.elapsed().as_secs_f64();
        } else {
            shares.push(share);
        }
    }
    let share = shares.iter().sum::<f64>() / shares.len() as f64;
    let (now, highest) = agent.memory_mb()?;
    say(&format!(
        "{name} is at rest after {took:.0} s more: {:.1} % of one CPU, memory {now:.0} MB, highest \
         {highest:.0} MB",
        share * 100.0
    ))
}

async fn until(
    tables: &mut watch::Receiver<Arc<LocalTable>>,
    holds: impl Fn(&LocalTable) -> bool,
) -> anyhow::Result<()> {
    let waited = timeout(PATIENCE, tables.wait_for(|table| holds(table))).await;
    waited.context("waited in vain for a table")?.context("the gateway ended")?;
    Ok(())
}

/// Each change waits for the one before.
async fn one_by_one(
    api: &Api,
    arguments: &Arguments,
    tables: &mut watch::Receiver<Arc<LocalTable>>,
    random: &mut StdRng,
) -> anyhow::Result<Vec<f64>> {
    let mut session = api.connect().await?;
    let mut times = Vec::new();
    for _ in 0..arguments.changes / 2 {
        let number = random.random_range(0..arguments.services);
        let endpoint = random.random_range(0..arguments.endpoints);
        for unready in [Some(endpoint), None] {
            let sent = Instant::now();
            change(&mut session, arguments, number, unready).await?;
            until(tables, |table| has(table, arguments, number, unready)).await?;
            times.push(sent.elapsed().as_secs_f64() * 1000.0);
        }
    }
    Ok(times)
}

fn has(table: &LocalTable, arguments: &Arguments, number: u32, unready: Option<u32>) -> bool {
    let expected = arguments.endpoints as usize - usize::from(unready.is_some());
    table.services.get(&service_name(number)).is_some_and(|held| held.len() == expected)
}

/// Changes come at a rate, of which none waits for another.
async fn steadily(
    api: &Api,
    arguments: &Arguments,
    tables: &mut watch::Receiver<Arc<LocalTable>>,
    random: &mut StdRng,
) -> anyhow::Result<Vec<f64>> {
    let mut session = api.connect().await?;
    let mut tick = interval(Duration::from_secs(1) / STEADY_RATE);
    let (mut sent, mut times) = (BTreeMap::new(), Vec::new());
    let mut left = arguments.changes;
    while left > 0 || !sent.is_empty() {
        tokio::select! {
            _ = tick.tick(), if left > 0 => {
                let number = random.random_range(0..arguments.services);
                let endpoint = random.random_range(0..arguments.endpoints);
                if sent.contains_key(&number) {
                    continue;
                }
                left -= 1;
                sent.insert(number, Instant::now());
                change(&mut session, arguments, number, Some(endpoint)).await?;
            }
            changed = timeout(PATIENCE, tables.changed()) => {
                changed.context("waited in vain for a table")?.context("the gateway ended")?;
                let table = tables.borrow_and_update().clone();
                sent.retain(|number, at: &mut Instant| {
                    let arrived = has(&table, arguments, *number, Some(0));
                    if arrived {
                        times.push(at.elapsed().as_secs_f64() * 1000.0);
                    }
                    !arrived
                });
            }
        }
    }
    Ok(times)
}

fn tell(what: &str, mut times: Vec<f64>) -> anyhow::Result<()> {
    times.sort_by(f64::total_cmp);
    let at = |share: f64| times[((times.len() - 1) as f64 * share).round() as usize];
    say(&format!(
        "{what}: {} to the gateway in p50 {:.0} ms, p99 {:.0} ms, at most {:.0} ms",
        times.len(),
        at(0.5),
        at(0.99),
        at(1.0)
    ))
}
