//! What the gateways of a real federation count, as `rialto top` tells it.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, ensure};
use serde_json::Value;

use crate::demo::{Ended, PROGRAM, alone, demo, demo_output, need_namespaces, wait_until};

const SERVER: &str = "http://127.88.0.11:7601";
/// Lives in west only.
const REVIEWS: &str = "http://reviews-v2.books.svc.clusterset.local:9080";

#[test]
fn requests_errors_and_silence_are_told_as_they_are() -> anyhow::Result<()> {
    need_namespaces()?;
    let _alone = alone();
    let parent = tempfile::tempdir()?;
    let demo_folder = Demo { folder: parent.path().join("demo") };
    let folder = &demo_folder.folder;
    let _demo = Ended(demo(folder, &[]).args(["--rest", "127.0.0.1:0"]).spawn()?);
    wait_until("the demo is ready", || Ok(demo_output(folder, &["ps"])?.status.success()))?;

    // Served: each request is counted once, with the time that two ways of 10 ms take.
    demo_folder.curl(&format!("{REVIEWS}/about?[1-20]"))?;
    let rates = demo_folder.until("20 requests", |rates| rates["requests"] == 20)?;
    ensure!(rates["errors"] == 0 && rates["errorShare"] == 0.0, "{rates}");
    ensure!(rates["p50Ms"].as_f64() >= Some(15.0), "{rates}");

    // Failing: reviews answers 502 without the ratings, which are gone.
    demo_folder.obey("kill", "vms.ratings-1")?;
    demo_folder.curl(&format!("{REVIEWS}/?[1-5]"))?;
    let rates = demo_folder.until("5 errors", |rates| rates["requests"] == 25)?;
    ensure!(rates["errors"] == 5 && rates["errorShare"] == 0.2, "{rates}");

    // A member that is gone is named, and nothing becomes zero.
    demo_folder.obey("kill", "bridge-2")?;
    let mut told = Value::Null;
    wait_until("the gap of bridge-2", || {
        told = demo_folder.top()?;
        Ok(gaps(&told, "member").any(|member| member == "bridge-2"))
    })?;
    demo_folder.until("all requests still", |rates| rates["requests"] == 25)?;

    // Nor does what gateways carried that are gone.
    for gateway in ["gateway-1", "gateway-2"] {
        demo_folder.obey("kill", &format!("east.{gateway}"))?;
    }
    wait_until("the silence of east's gateways", || {
        told = demo_folder.top()?;
        let are_named = ["gateway-1", "gateway-2"]
            .iter()
            .all(|gateway| gaps(&told, "gateway").any(|name| name == *gateway));
        Ok(are_named && flow(&told).is_some_and(|flow| flow.get("rates").is_none()))
    })
    .with_context(|| told.to_string())?;
    ensure!(told.get("total").is_none(), "only east carried it: {told}");
    let newest = told["series"]["requestsPerSecond"].as_array().and_then(|steps| steps.last());
    ensure!(newest == Some(&Value::Null), "a step that nobody reported: {newest:?}");
    Ok(())
}

fn gaps<'a>(told: &'a Value, kind: &'a str) -> impl Iterator<Item = &'a str> {
    let gaps = told["gaps"].as_array().map(Vec::as_slice).unwrap_or_default();
    gaps.iter().filter_map(move |gap| gap[kind].as_str())
}

/// What east calls in west.
fn flow(told: &Value) -> Option<&Value> {
    let is_it = |flow: &&Value| {
        flow["from"] == "east" && flow["service"] == "books/reviews-v2" && flow["to"] == "west"
    };
    told["flows"].as_array()?.iter().find(is_it)
}

struct Demo {
    folder: PathBuf,
}

impl Demo {
    fn curl(&self, url: &str) -> anyhow::Result<()> {
        let call = ["exec", "east", "--", "curl", "-sS", "-m", "30", url];
        let output = demo_output(&self.folder, &call)?;
        ensure!(output.status.success(), "{output:?}");
        Ok(())
    }

    fn obey(&self, verb: &str, name: &str) -> anyhow::Result<()> {
        let output = demo_output(&self.folder, &[verb, name])?;
        ensure!(output.status.success(), "{verb} {name}: {output:?}");
        Ok(())
    }

    fn top(&self) -> anyhow::Result<Value> {
        let token = token_file(&self.folder).display().to_string();
        let of = ["--service", "books/reviews-v2", "--from", "east", "--over", "5m"];
        let connection = ["--server", SERVER, "--token-file", &token, "-o", "json"];
        let verb = [&["exec", "control", "--", PROGRAM, "top"], &of[..], &connection[..]].concat();
        let output = demo_output(&self.folder, &verb)?;
        ensure!(output.status.success(), "{output:?}");
        Ok(serde_json::from_slice(&output.stdout)?)
    }

    /// The rates of east's calls once they are so.
    fn until(&self, what: &str, is_so: impl Fn(&Value) -> bool) -> anyhow::Result<Value> {
        let mut told = Value::Null;
        let mut rates = Value::Null;
        let waited = wait_until(what, || {
            told = self.top()?;
            rates = flow(&told).map(|flow| flow["rates"].clone()).unwrap_or_default();
            Ok(is_so(&rates))
        });
        waited.with_context(|| told.to_string())?;
        Ok(rates)
    }
}

fn token_file(folder: &Path) -> PathBuf {
    folder.join("admin.token")
}
