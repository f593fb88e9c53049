//! What agents found out about their clusters, whether clocks and releases agree, and whether the
//! gateways of each pair of clusters hear each other.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use rialto_types::cluster::{ClusterStatus, ContactState, GatewayAddress};
use rialto_types::error::Code;
use rialto_types::finding::{self, Examined, FindingLevel};
use rialto_types::id::{ClusterName, InstanceId, Role};
use rialto_types::limits;
use rialto_types::object::Document;
use rialto_types::traffic::Traffic;

use super::{Finding, Level};
use crate::client::get::columns::status;
use crate::print;

const INSIDE: &str = "inside the clusters";
const BETWEEN: &str = "between the clusters";

type Known = BTreeMap<ClusterName, ClusterStatus>;

fn known(documents: &[Document]) -> Known {
    let named = documents.iter().filter_map(|document| {
        let name = document.metadata.name.as_str().parse().ok()?;
        Some((name, status::<ClusterStatus>(document)?))
    });
    named.collect()
}

/// What the agents say, and how their clocks stand.
pub(super) fn inside(documents: &[Document]) -> Vec<Finding> {
    let known = known(documents);
    let mut findings = Vec::new();
    for (name, cluster) in &known {
        let Some(examined) = &cluster.examined else { continue };
        findings.extend(examined.findings.iter().filter_map(|found| of_agent(name, found)));
        findings.extend(good(name, examined));
        findings.extend(clock(name, examined.clock_ahead_ms));
    }
    findings.extend(releases(&known));
    findings
}

fn of_agent(cluster: &ClusterName, found: &finding::Finding) -> Option<Finding> {
    let level = match found.level {
        FindingLevel::Good => return None,
        FindingLevel::Warning => Level::Warning,
        FindingLevel::Failed => Level::Failed,
        FindingLevel::Unknown => Level::Skipped,
    };
    let text = format!("{cluster}  {}: {}", found.about, found.text);
    let finding = Finding::new(INSIDE, level, text);
    Some(match &found.fix {
        Some(fix) => finding.fix(fix.clone()),
        None => finding,
    })
}

/// One line for all that is in order.
fn good(cluster: &ClusterName, examined: &Examined) -> Option<Finding> {
    let good = examined.findings.iter().filter(|found| found.level == FindingLevel::Good);
    let about: Vec<&str> = good.map(|found| found.about.as_str()).collect();
    let text = format!("{cluster}  {}: in order", about.join(", "));
    (!about.is_empty()).then(|| Finding::new(INSIDE, Level::Good, text))
}

fn clock(cluster: &ClusterName, ahead_ms: i64) -> Option<Finding> {
    let off = Duration::from_millis(ahead_ms.unsigned_abs());
    let level = match off {
        off if off > limits::CLOCK_SKEW_MAX => Level::Failed,
        off if off > limits::CLOCK_SKEW_WARNING => Level::Warning,
        _ => return None,
    };
    let way = if ahead_ms > 0 { "ahead of" } else { "behind" };
    let text = format!("{cluster}  the agent's clock is {} {way} the bridge's", print::age(off));
    let max = limits::CLOCK_SKEW_MAX.as_secs() / 60;
    let fix = format!("synchronise clocks: certificates are refused beyond {max} minutes");
    Some(Finding::new(INSIDE, level, text).code(Code::IdentityRefused).fix(fix))
}

/// Which parts are of another release than this command line.
fn releases(known: &Known) -> Vec<Finding> {
    let own = env!("CARGO_PKG_VERSION");
    let mut others: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
    for (name, cluster) in known {
        let agent = cluster.examined.as_ref().map(|examined| (&examined.version, Role::Agent));
        let subscribers = cluster.subscribers.iter();
        let parts = subscribers.filter_map(|part| Some((part.version.as_ref()?, part.role)));
        for (version, role) in agent.into_iter().chain(parts).filter(|(version, _)| *version != own)
        {
            others.entry(version).or_default().insert(format!("{role} of {name}"));
        }
    }
    let finding = |(version, parts): (&str, BTreeSet<String>)| {
        let parts: Vec<String> = parts.into_iter().collect();
        let text = format!("release {version}: {}; this command line is {own}", parts.join(", "));
        Finding::new(INSIDE, Level::Warning, text).fix(
            "upgrade gateways and DNS proxies first, then the members of the bridge, then agents, \
             then the command line",
        )
    };
    others.into_iter().map(finding).collect()
}

/// Whether gateways that live hear each other, each of them; a connection serves both ways, whoever
/// dialled.
pub(super) fn between(documents: &[Document], traffic: Option<&Traffic>) -> Vec<Finding> {
    let known = known(documents);
    let live = |name: &ClusterName| {
        let subscribers = known[name].subscribers.iter();
        let gateways = subscribers.filter(|part| part.role == Role::Gateway);
        let live = gateways.filter(|part| part.contact.state == ContactState::Connected);
        live.map(|part| part.id.clone()).collect::<BTreeSet<_>>()
    };
    let (mut findings, mut heard) = (Vec::new(), 0);
    for (near, far) in pairs(&known) {
        let (near_live, far_live) = (live(near), live(far));
        if near_live.is_empty() || far_live.is_empty() {
            continue;
        }
        let Some(traffic) = traffic else {
            let text = format!("{near} and {far}: nobody says whether their gateways connect");
            findings.push(Finding::new(BETWEEN, Level::Skipped, text));
            continue;
        };
        let connected = connected(traffic, near, far);
        if !connected.is_empty() {
            heard += 1;
            for (own, live, other) in [(near, near_live, far), (far, far_live, near)] {
                let alone = live.into_iter().filter(|id| !connected.contains(&(own, id)));
                let told = alone.map(|id| {
                    let text = format!("{id} of {own} is connected to no gateway of {other}");
                    let at = addresses(&known[own], |gateway| gateway.id == id);
                    let fix = format!("let UDP pass between it, at {at}, and {other}");
                    Finding::new(BETWEEN, Level::Warning, text).fix(fix)
                });
                findings.extend(told);
            }
            continue;
        }
        let addresses = |name: &ClusterName| addresses(&known[name], |_| true);
        let text = format!("no gateway of {near} is connected to one of {far}");
        let fix = format!(
            "let UDP pass, one way at least: {near} is at {}, {far} at {}",
            addresses(near),
            addresses(far)
        );
        findings.push(Finding::new(BETWEEN, Level::Failed, text).fix(fix));
    }
    if heard > 0 {
        let pairs = print::count(heard, "pair of clusters is", "pairs of clusters are");
        findings.push(Finding::new(BETWEEN, Level::Good, format!("{pairs} connected")));
    }
    findings
}

/// The gateways of two clusters that have a connection to the other one.
fn connected<'a>(
    traffic: &'a Traffic,
    near: &ClusterName,
    far: &ClusterName,
) -> BTreeSet<(&'a ClusterName, &'a InstanceId)> {
    let links = traffic.links.iter().filter(|link| {
        let ends = [&link.from, &link.to];
        link.connections > 0 && ends.contains(&near) && ends.contains(&far)
    });
    links.flat_map(|it| [(&it.from, &it.from_gateway), (&it.to, &it.to_gateway)]).collect()
}

fn addresses(cluster: &ClusterStatus, is_meant: impl Fn(&GatewayAddress) -> bool) -> String {
    let gateways = cluster.gateways.iter().filter(|gateway| is_meant(gateway));
    let addresses: Vec<String> = gateways.map(|gateway| gateway.address.to_string()).collect();
    if addresses.is_empty() { "no address".to_owned() } else { addresses.join(", ") }
}

fn pairs(known: &Known) -> impl Iterator<Item = (&ClusterName, &ClusterName)> {
    let names = known.keys();
    names.clone().flat_map(move |near| {
        known.keys().filter(move |far| near < *far).map(move |far| (near, far))
    })
}

#[cfg(test)]
mod tests;
