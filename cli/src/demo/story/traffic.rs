//! Steps about names, requests and failures of the data path.

use std::net::Ipv4Addr;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use tokio::time::{Instant, sleep};

use crate::demo::federation::{Federation, host_name, url};
use crate::demo::limits;
use crate::demo::load::report::Report;
use crate::demo::plan::{CONSOLE, Network, Place, Site};
use crate::demo::settings::PRIVATE_SERVICE;

pub(super) async fn names(federation: &mut Federation) -> anyhow::Result<String> {
    let range = federation.plan.vip_range(Site::East);
    let mut shown = Vec::new();
    for service in ["reviews-v2", "ratings"] {
        let name = host_name(service);
        let answer = dig(federation, &["+short", "A", &name]).await?;
        let address: Ipv4Addr =
            answer.trim().parse().with_context(|| format!("`{name}` has no address: {answer}"))?;
        ensure!(range.contains(&address), "{address} of `{name}` is outside of {range}");
        let record = dig(federation, &["+short", "SRV", &name]).await?;
        ensure!(record.contains(" 9080 "), "the SRV record of `{name}` has no port: {record}");
        shown.push(format!("{service} {address}"));
    }
    let private = dig(federation, &["A", &host_name(PRIVATE_SERVICE)]).await?;
    ensure!(private.contains("NXDOMAIN"), "`{PRIVATE_SERVICE}` is not exported: {private}");
    Ok(format!("{}, {PRIVATE_SERVICE} NXDOMAIN", shown.join(", ")))
}

async fn dig(federation: &Federation, question: &[&str]) -> anyhow::Result<String> {
    let resolver = federation.plan.resolver(Site::East);
    let (server, port) = (format!("@{}", resolver.ip()), resolver.port().to_string());
    let mut command = vec!["dig", "+tries=1", "+time=3"];
    if federation.plan.network == Network::Loopback {
        command.extend([server.as_str(), "-p", &port]);
    }
    command.extend(question);
    let place = Place::workload(Site::East, CONSOLE);
    federation.run_at(&place, &command).await.context("`dig` is of the package `bind9-dnsutils`")
}

pub(super) async fn across(federation: &mut Federation) -> anyhow::Result<String> {
    const DOWNLOAD_BYTES: u64 = 256 * 1024 * 1024;
    let there = url("reviews-v2", "/about");
    let many = ["--count", "1000", "--parallel", "4"];
    let requests = federation.load(Site::East, "client", &there, &many).await?;
    all_good(&requests, 1_000)?;
    ensure!(requests.clusters.get("west") == Some(&1_000), "not all from west: {requests:?}");
    let download = url("reviews-v2", &format!("/bytes/{DOWNLOAD_BYTES}"));
    let bulk = federation.load(Site::East, "client", &download, &["--count", "1"]).await?;
    all_good(&bulk, 1)?;
    ensure!(bulk.bytes == DOWNLOAD_BYTES, "{} bytes came", bulk.bytes);
    let parallel = ["--count", "1000", "--parallel", "1000", "--connections", "hold"];
    let held = federation.load(Site::East, "client", &there, &parallel).await?;
    all_good(&held, 1_000)?;
    let megabits = DOWNLOAD_BYTES as f64 * 8.0 / 1e6 / bulk.seconds;
    Ok(format!(
        "all good, median {:.1} ms; checksum equal, {megabits:.0} Mbit/s; 1,000 open at once in \
         {:.1} s",
        requests.latency.p50_ms, held.seconds
    ))
}

pub(super) async fn last_endpoint(federation: &mut Federation) -> anyhow::Result<String> {
    let details = url("details", "/about");
    let load = federation.begin_load(Site::East, "client", &details, STEADY)?;
    sleep(limits::BEFORE_FAILURE).await;
    federation.supervisor.kill("east.details-1").await?;
    sleep(limits::AFTER_FAILURE).await;
    let report = federation.end_load(&load).await?;
    federation.supervisor.start_again("east.details-1").await?;
    let back = until_cluster(federation, Site::East, &details, Site::East).await?;
    let there = report.clusters.get("west").copied().unwrap_or_default();
    no_failure(&report)?;
    ensure!(there > 0, "no other cluster served: {:?}", report.clusters);
    Ok(format!(
        "{} good, {there} of them by west, none failed, longest gap {:.0} ms; back home {:.1} s \
         after it lived again",
        report.good,
        report.longest_gap_ms,
        back.as_secs_f64()
    ))
}

pub(super) async fn gateway_killed(federation: &mut Federation) -> anyhow::Result<String> {
    let there = url("reviews-v2", "/about");
    let load = federation.begin_load(Site::East, "client", &there, STEADY)?;
    sleep(limits::BEFORE_FAILURE).await;
    federation.supervisor.kill("west.gateway-1").await?;
    sleep(limits::AFTER_FAILURE).await;
    let report = federation.end_load(&load).await?;
    federation.supervisor.start_again("west.gateway-1").await?;
    let failures = report.failures();
    ensure!(report.good > 0, "nothing was served: {:?}", report.failed);
    ensure!(
        failures <= limits::IN_FLIGHT_MAX,
        "{failures} failed, but only {} can have been under way: {:?}",
        limits::IN_FLIGHT_MAX,
        report.failed
    );
    Ok(format!(
        "{} good, {failures} of those under way failed, longest gap {:.0} ms",
        report.good, report.longest_gap_ms
    ))
}

/// 100 requests a second, at most four under way.
pub(super) const STEADY: &[&str] = &["--rate", "100", "--parallel", "4"];

/// Waits until a service is answered by the given cluster.
pub(super) async fn until_cluster(
    federation: &Federation,
    from: Site,
    url: &str,
    by: Site,
) -> anyhow::Result<Duration> {
    let begun = Instant::now();
    loop {
        let report = federation.load(from, "client", url, &["--count", "4"]).await?;
        if report.clusters.get(by.name()) == Some(&4) {
            return Ok(begun.elapsed());
        }
        ensure!(
            begun.elapsed() < limits::RETURN_TIME_MAX,
            "`{by}` does not serve `{url}`: {:?}",
            report.clusters
        );
    }
}

pub(super) fn all_good(report: &Report, count: u64) -> anyhow::Result<()> {
    no_failure(report)?;
    ensure!(report.good == count, "{} of {count} were answered", report.good);
    Ok(())
}

pub(super) fn no_failure(report: &Report) -> anyhow::Result<()> {
    let (failures, good) = (report.failures(), report.good);
    ensure!(failures == 0, "{failures} failed beside {good} good: {:?}", report.failed);
    ensure!(good > 0, "nothing was answered");
    Ok(())
}
