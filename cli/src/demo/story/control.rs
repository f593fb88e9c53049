//! Steps about the control plane: members, tokens, and life without it.

use std::time::Duration;

use anyhow::{Context as _, ensure};
use serde_json::Value;
use tokio::time::{Instant, sleep};

use super::traffic::{STEADY, no_failure};
use crate::demo::federation::{Federation, url};
use crate::demo::limits;
use crate::demo::plan::{BRIDGE_HOSTS, Site};
use crate::demo::process::Ready;
use crate::demo::settings::bridge_name;

pub(super) async fn joined(federation: &mut Federation) -> anyhow::Result<String> {
    let begun = Instant::now();
    let (leader, age) = loop {
        let status = status(federation).await?;
        let members = status["members"].as_array().context("`status` shows no members")?;
        ensure!(members.len() == BRIDGE_HOSTS.len(), "{} members: {status}", members.len());
        let leader = leader(&status);
        let clusters = status["clusters"].as_array().context("`status` shows no clusters")?;
        ensure!(clusters.len() == Site::CLUSTERS.len(), "{} clusters: {status}", clusters.len());
        let ages = clusters.iter().map(|cluster| cluster["agent"]["ageMs"].as_u64());
        let age = ages.map(|age| age.unwrap_or(u64::MAX)).max().unwrap_or(u64::MAX);
        if let (Some(leader), true) = (leader, u128::from(age) < limits::NEWS_AGE_MAX.as_millis()) {
            break (leader, age);
        }
        // The next sign of life may be due, or an election; neither is due forever.
        let late = begun.elapsed() > limits::RESUME_TIME_MAX;
        ensure!(!late, "no leader, or an agent last heard {age} ms ago: {status}");
    };
    let code = use_token_again(federation).await?;
    Ok(format!("{leader} leads; oldest news {age} ms; a used token is refused with {code}"))
}

/// An agent that comes with the token of another one, long used.
async fn use_token_again(federation: &mut Federation) -> anyhow::Result<String> {
    const NAME: &str = "thief.agent";
    let used = federation.files.join_token(Site::East.name());
    std::fs::copy(&used, federation.files.join_token("thief")).context("no token to use again")?;
    federation.files.write_stranger(federation.plan, Site::East, "thief")?;
    let spec = federation.server("agent", NAME, Site::Control, Ready::AtOnce);
    federation.supervisor.launch(spec)?;
    let begun = Instant::now();
    let code = loop {
        // In this order: it may say why, and end, between the two.
        let ended = !federation.supervisor.is_running(NAME);
        let log = federation.supervisor.log_of(NAME)?;
        if let Some(code) = error_code(&log) {
            break Ok(code);
        }
        if ended || begun.elapsed() > limits::RESUME_TIME_MAX {
            break Err(anyhow::anyhow!("the used token was not refused with a code: {log}"));
        }
        sleep(limits::READY_POLL).await;
    };
    if federation.supervisor.is_running(NAME) {
        federation.supervisor.kill(NAME).await?;
    }
    federation.supervisor.forget(NAME);
    code
}

fn error_code(log: &str) -> Option<String> {
    let at = log.find("RIA")?;
    let code: String = log[at..].chars().take(7).collect();
    code[3..].bytes().all(|byte| byte.is_ascii_digit()).then_some(code)
}

async fn current_leader(federation: &mut Federation) -> anyhow::Result<String> {
    let begun = Instant::now();
    loop {
        let status = status(federation).await?;
        if let Some(leader) = leader(&status) {
            return Ok(leader);
        }
        ensure!(begun.elapsed() < limits::RESUME_TIME_MAX, "no member leads: {status}");
        sleep(limits::RETRY_DELAY).await;
    }
}

pub(super) async fn members_killed(federation: &mut Federation) -> anyhow::Result<String> {
    let before = intent(federation).await?;
    let leader = current_leader(federation).await?;
    federation.supervisor.kill(&leader).await?;
    let resumed = write_until_done(federation).await?;
    for host in BRIDGE_HOSTS {
        let name = bridge_name(host);
        if federation.supervisor.is_running(&name) {
            federation.supervisor.kill(&name).await?;
        }
    }
    let begun = Instant::now();
    start_bridges(federation).await?;
    write_until_done(federation).await?;
    let again = begun.elapsed();
    let after = intent(federation).await?;
    ensure!(before == after, "the data differs\nbefore: {before}\nafter: {after}");
    Ok(format!(
        "writes resume {:.1} s after the leader's death; all back {:.1} s after the start of all, \
         nothing lost",
        resumed.as_secs_f64(),
        again.as_secs_f64()
    ))
}

/// A write that changes what no step looks at.
async fn write_until_done(federation: &Federation) -> anyhow::Result<Duration> {
    let write = ["join", "token", "--cluster", "vms", "--ttl", "1m"];
    federation.verbs.until(&write, limits::RESUME_TIME_MAX).await
}

async fn start_bridges(federation: &mut Federation) -> anyhow::Result<()> {
    let names = BRIDGE_HOSTS.map(bridge_name);
    for name in &names {
        federation.supervisor.launch_again(name)?;
    }
    for name in &names {
        federation.supervisor.ready(name).await?;
    }
    Ok(())
}

/// What people have set, without versions and times.
async fn intent(federation: &Federation) -> anyhow::Result<String> {
    let mut text = String::new();
    for kind in ["clusters", "httproutes", "services"] {
        text += &federation.verbs.must(&["get", kind, "-o", "name"]).await?;
    }
    let routes: Value = federation.verbs.read(&["get", "httproutes", "-n", "books"]).await?;
    let items = routes["items"].as_array().map(Vec::as_slice).unwrap_or_default();
    for route in items {
        text += &format!("{} {}\n", route["metadata"]["name"], route["spec"]);
    }
    Ok(text)
}

pub(super) async fn without_bridges(federation: &mut Federation) -> anyhow::Result<String> {
    for host in BRIDGE_HOSTS {
        federation.supervisor.stop(&bridge_name(host)).await?;
    }
    let details = federation.begin_load(Site::East, "client", &url("details", "/about"), STEADY)?;
    let reviews =
        federation.begin_load(Site::Vms, "client", &url("reviews-v2", "/about"), STEADY)?;
    sleep(limits::BEFORE_FAILURE).await;
    federation.supervisor.kill("east.details-1").await?;
    federation.supervisor.stop("west.gateway-2").await?;
    let begun = Instant::now();
    federation.supervisor.start_again("west.gateway-2").await?;
    let restarted = begun.elapsed();
    sleep(limits::AFTER_FAILURE).await;
    let details = federation.end_load(&details).await?;
    let reviews = federation.end_load(&reviews).await?;
    federation.supervisor.start_again("east.details-1").await?;
    start_bridges(federation).await?;
    write_until_done(federation).await?;
    no_failure(&details).context("failover of details")?;
    no_failure(&reviews).context("reviews-v2 while a gateway restarts")?;
    let moved = details.clusters.get("west").copied().unwrap_or_default();
    ensure!(moved > 0, "details did not fail over: {:?}", details.clusters);
    Ok(format!(
        "{} requests, none failed, {moved} by failover; a gateway serves from disk {:.0} ms after \
         its start",
        details.good + reviews.good,
        restarted.as_secs_f64() * 1e3
    ))
}

async fn status(federation: &Federation) -> anyhow::Result<Value> {
    federation.verbs.read(&["status"]).await
}

fn leader(status: &Value) -> Option<String> {
    let members = status["members"].as_array()?;
    let is_leader =
        |role: &Value| role.as_str().is_some_and(|role| role.eq_ignore_ascii_case("leader"));
    let leader = members.iter().find(|member| is_leader(&member["role"]))?;
    Some(leader["id"].as_str()?.to_owned())
}

#[cfg(test)]
mod tests;
