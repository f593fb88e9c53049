//! Steps about what people decide: shifts, access, drains, and taking back.

use anyhow::{Context as _, ensure};
use serde_json::Value;

use super::traffic::{STEADY, all_good, no_failure, until_cluster};
use crate::demo::federation::{Federation, REVIEWS_POLICY, reviews_policy, url};
use crate::demo::plan::Site;
use crate::demo::settings::NAMESPACE;

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
    const COUNT: u64 = 50;
    federation.apply(REVIEWS_POLICY, &reviews_policy(), &["--wait"]).await?;
    let (reviews, count) = (url("reviews", "/about"), ["--count", "50"]);
    let allowed = federation.load(Site::East, "productpage-1", &reviews, &count).await?;
    let refused = federation.load(Site::East, "console", &reviews, &count).await?;
    let explain = async |caller| {
        federation.verbs.must(&["explain", "--from", caller, "--to", "books/reviews"]).await
    };
    let why_allowed = explain("books/productpage@east").await?;
    let why_refused = explain("books/console@east").await?;
    let delete = ["delete", "accesspolicies", "books/reviews-callers", "--wait"];
    federation.verbs.must(&delete).await?;
    all_good(&allowed, COUNT).context("the product page")?;
    let policy = format!("AccessPolicy `{NAMESPACE}/{REVIEWS_POLICY}`");
    let is_by_policy = |text: &String| text.contains(REFUSED) && text.contains(&policy);
    ensure!(
        refused.good == 0
            && refused.failed == [("status-403".to_owned(), COUNT)].into()
            && refused.reasons.values().sum::<u64>() == COUNT
            && refused.reasons.keys().all(is_by_policy),
        "a stranger got {} good, {:?}, {:?}",
        refused.good,
        refused.failed,
        refused.reasons
    );
    let rule = format!("rule 0 of {policy}");
    ensure!(why_allowed.contains(&rule), "`explain` does not name the rule: {why_allowed}");
    ensure!(is_by_policy(&why_refused), "`explain` does not name the policy: {why_refused}");
    Ok(format!(
        "{COUNT} good, {COUNT} refused with 403 and {REFUSED}; the answers and `explain` name \
         {REVIEWS_POLICY}, and its rule 0 for the product page"
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
