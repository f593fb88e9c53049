//! Steps about what people decide: shifts, access, drains, and taking back.

use anyhow::{Context as _, ensure};
use serde_json::Value;

use super::traffic::{STEADY, all_good, no_failure, until_cluster};
use crate::demo::federation::{Federation, REVIEWS_POLICY, reviews_policy, url};
use crate::demo::plan::Site;

pub(super) async fn shift(federation: &mut Federation) -> anyhow::Result<String> {
    const COUNT: f64 = 10_000.0;
    const SHARE: f64 = 0.1;
    let tenth = ["shift", "books/reviews", "reviews-v1=90", "reviews-v3=10", "--wait"];
    federation.verbs.must(&tenth).await?;
    let reviews = url("reviews", "/about");
    let many = ["--count", "10000", "--parallel", "16"];
    let report = federation.load(Site::East, "client", &reviews, &many).await?;
    all_good(&report, COUNT as u64)?;
    let shifted = report.versions.get("v3").copied().unwrap_or_default();
    let deviation = (COUNT * SHARE * (1.0 - SHARE)).sqrt();
    let off = (shifted as f64 - COUNT * SHARE).abs() / deviation;
    ensure!(off <= 5.0, "{shifted} of 10,000 by v3: {off:.1} standard deviations off");
    federation.verbs.must(&["shift", "books/reviews", "reviews-v3=100", "--wait"]).await?;
    for site in Site::CLUSTERS {
        let few = ["--count", "40", "--parallel", "4", "--connections", "fresh"];
        let report = federation.load(site, "client", &reviews, &few).await?;
        all_good(&report, 40)?;
        let by_v3 = report.versions.get("v3").copied().unwrap_or_default();
        ensure!(by_v3 == 40, "`{site}` still sees others after `--wait`: {:?}", report.versions);
    }
    Ok(format!(
        "{shifted} of 10,000 by v3 at 10 % ({off:.1} standard deviations); all by v3 in every \
         cluster when the command returns"
    ))
}

pub(super) async fn access(federation: &mut Federation) -> anyhow::Result<String> {
    federation.apply(REVIEWS_POLICY, &reviews_policy(), &["--wait"]).await?;
    let reviews = url("reviews", "/about");
    let allowed =
        federation.load(Site::East, "productpage-1", &reviews, &["--count", "50"]).await?;
    let refused = federation.load(Site::East, "console", &reviews, &["--count", "50"]).await?;
    let explain = async |caller| {
        federation.verbs.run(&["explain", "--from", caller, "--to", "books/reviews"]).await
    };
    let why_allowed = explain("books/productpage@east").await?;
    let why_refused = explain("books/console@east").await?;
    let delete = ["delete", "accesspolicies", "books/reviews-callers", "--wait"];
    federation.verbs.must(&delete).await?;
    all_good(&allowed, 50).context("the product page")?;
    ensure!(
        refused.good == 0 && refused.failed.get("status-403") == Some(&50),
        "a stranger got {} good, {:?}",
        refused.good,
        refused.failed
    );
    ensure!(
        why_allowed.output.contains(REVIEWS_POLICY) && why_refused.output.contains(REFUSED),
        "`explain` does not name the policy: {why_allowed:?} {why_refused:?}"
    );
    Ok(format!(
        "50 good, 50 refused with 403; `explain` names {REVIEWS_POLICY}, and {REFUSED} for the \
         stranger"
    ))
}

/// A policy selects the service and no rule of it fits the caller.
const REFUSED: &str = "RIA2002";

pub(super) async fn drain(federation: &mut Federation) -> anyhow::Result<String> {
    let details = url("details", "/about");
    until_cluster(federation, Site::West, &details, Site::West).await?;
    let shared = federation.begin_load(Site::West, "client", &details, STEADY)?;
    let only_west =
        federation.begin_load(Site::East, "client", &url("reviews-v2", "/about"), STEADY)?;
    let drained: Value = federation.verbs.read(&["drain", "west", "--wait"]).await?;
    let left = federation.load(Site::West, "client", &details, &["--count", "50"]).await?;
    let undrained = federation.verbs.must(&["undrain", "west", "--wait"]).await;
    let back = until_cluster(federation, Site::West, &details, Site::West).await?;
    let shared = federation.end_load(&shared).await?;
    let only_west = federation.end_load(&only_west).await?;
    undrained?;
    no_failure(&shared).context("details")?;
    no_failure(&only_west).context("reviews-v2")?;
    ensure!(!left.clusters.contains_key("west"), "west still serves: {:?}", left.clusters);
    let kept: Vec<_> = drained["kept"].as_array().context("`drain` names nothing")?.to_vec();
    let kept: Vec<_> = kept.iter().filter_map(Value::as_str).collect();
    ensure!(kept == ["books/reviews-v2"], "`drain` names {kept:?} as only in west");
    Ok(format!(
        "traffic left at once and came back within {:.1} s; {} stays, {} requests, none failed",
        back.as_secs_f64(),
        kept.join(", "),
        shared.good + only_west.good
    ))
}

pub(super) async fn revert(federation: &mut Federation) -> anyhow::Result<String> {
    const REASON: &str = "back to the first version";
    let history: Value = federation.verbs.read(&["history"]).await?;
    let items = history["items"].as_array().context("`history` shows nothing")?;
    let mut shifts = items.iter().filter(|item| {
        item["changes"].as_array().is_some_and(|changes| {
            changes.iter().any(|change| change["key"].to_string().contains("HTTPRoute"))
        })
    });
    // Newest first: v3 alone, a tenth of v3, and before these v1 alone.
    let first = shifts.next_back().context("no shift in the history")?;
    let revision = text_of(&first["revision"]);
    let actor = first["actor"].as_str().context("nobody did it")?.to_owned();
    federation.verbs.must(&["revert", &revision, "--reason", REASON, "--wait"]).await?;
    let report = federation
        .load(Site::East, "client", &url("reviews", "/about"), &["--count", "40"])
        .await?;
    all_good(&report, 40)?;
    ensure!(report.versions.get("v1") == Some(&40), "not v1 again: {:?}", report.versions);
    let history: Value = federation.verbs.read(&["history"]).await?;
    ensure!(history["items"][0]["reason"] == REASON, "no reason: {}", history["items"][0]);
    Ok(format!("{revision} by {actor} is back: all by v1, with the reason on record"))
}

fn text_of(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}
