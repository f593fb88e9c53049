//! `status`: the whole federation on one screen.

use rialto_types::api::{MemberRole, MemberStatus, Status};
use rialto_types::cluster::ContactState;
use rialto_types::id::ClusterName;

use super::Api;
use super::converge::{lack, name};
use super::get::columns::contact;
use crate::failure::{Exit, Failure};
use crate::print::{self, Format, Style, Table};

/// Show the whole federation: members, clusters, and who serves the current revision
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    api: Api,
}

pub(super) async fn run(arguments: Arguments) -> Result<Exit, Failure> {
    let (client, printer) = arguments.api.open()?;
    let status = client.status().await?;
    printer.value(&status, |style| match printer.format {
        Format::Name => status.clusters.iter().map(|c| format!("{}\n", c.name)).collect(),
        Format::Table | Format::Wide | Format::Json | Format::Yaml => render(&status, style),
    })?;
    for warning in &status.warnings {
        print::note(&format!("{} {warning}", print::label("warning")));
    }
    Ok(Exit::Done)
}

fn render(status: &Status, style: Style) -> String {
    let mut text = members(&status.members);
    text.push('\n');
    if status.clusters.is_empty() {
        text.push_str("no cluster yet; apply a Cluster, then `rialto join token --cluster NAME`\n");
    } else {
        text.push_str(&clusters(status));
    }
    text.push('\n');
    text.push_str(&data_planes(status, style));
    text
}

fn members(members: &[MemberStatus]) -> String {
    let mut table = Table::new(&["MEMBER", "ADDRESS", "ROLE", "STATE", "TERM", "APPLIED", "LAG"]);
    let number = |value: Option<u64>| value.map_or_else(String::new, |value| value.to_string());
    for member in members {
        table.row(vec![
            member.id.to_string(),
            member.address.clone(),
            role(member.role).to_string(),
            format!("{:?}", member.state),
            number(member.term),
            number(member.applied),
            number(member.lag),
        ]);
    }
    table.render()
}

pub(super) fn role(role: MemberRole) -> &'static str {
    match role {
        MemberRole::Leader => "leader",
        MemberRole::Follower => "follower",
        MemberRole::Candidate => "candidate",
        MemberRole::Learner => "learner",
        MemberRole::Unknown => "unknown",
    }
}

fn clusters(status: &Status) -> String {
    let mut table =
        Table::new(&["CLUSTER", "AGENT", "GATEWAYS", "SERVICES", "EXPORTS", "REVISION", "TRAFFIC"]);
    for cluster in &status.clusters {
        table.row(vec![
            cluster.name.to_string(),
            contact(&cluster.agent),
            format!("{}/{}", cluster.gateways_live, cluster.gateways),
            cluster.services.to_string(),
            cluster.exports.to_string(),
            oldest_revision(status, &cluster.name),
            if cluster.drained { "drained" } else { "normal" }.to_string(),
        ]);
    }
    table.render()
}

/// What the cluster's slowest gateway or DNS proxy serves; a question mark if one is not heard.
fn oldest_revision(status: &Status, cluster: &ClusterName) -> String {
    let of_cluster = || status.subscribers.iter().filter(|s| s.cluster == *cluster);
    let Some(oldest) = of_cluster().map(|subscriber| subscriber.acked).min() else {
        return String::new();
    };
    let silent = of_cluster().any(|s| s.contact.state != ContactState::Connected);
    let mark = match (oldest >= Some(status.revision), silent) {
        (_, true) => " ?",
        (true, false) => " ✓",
        (false, false) => "",
    };
    match oldest {
        Some(revision) => format!("{revision}{mark}"),
        None => format!("none{mark}"),
    }
}

fn data_planes(status: &Status, style: Style) -> String {
    let revision = status.revision;
    let total = status.subscribers.len();
    if total == 0 {
        return format!("revision {revision}, no gateway or DNS proxy has subscribed\n");
    }
    let behind: Vec<_> = status.subscribers.iter().filter(|s| s.acked < Some(revision)).collect();
    let serving = total - behind.len();
    let mut text =
        format!("gateways and DNS proxies on revision {revision}: {serving} of {total}\n");
    for subscriber in behind {
        let mark = style.warning("!");
        text.push_str(&format!("  {mark} {}  {}\n", name(subscriber), lack(subscriber)));
    }
    text
}

#[cfg(test)]
pub(crate) mod tests;
