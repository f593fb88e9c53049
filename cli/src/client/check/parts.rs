//! Whether members, clusters, gateways and DNS proxies do what they should.

use rialto_types::api::{ClusterSummary, MemberRole, Status};
use rialto_types::cluster::ContactState;
use rialto_types::error::Code;
use rialto_types::limits;

use super::{Finding, Level};
use crate::client::converge::{lack, name};
use crate::client::get::columns::contact;

pub(super) fn control_plane(status: &Status) -> Vec<Finding> {
    let finding = |level, text: String| Finding::new("control plane", level, text);
    let mut findings = Vec::new();
    let leader = status.members.iter().find(|member| member.role == MemberRole::Leader);
    findings.push(match leader {
        Some(leader) => finding(Level::Good, format!("{} leads", leader.id)),
        None => finding(Level::Failed, "no member leads: nothing can be changed".into())
            .code(Code::NoLeader)
            .fix("start members until more than half of them run; see their logs for elections"),
    });
    let mut reached = 0;
    for member in &status.members {
        let id = &member.id;
        match (member.state, member.lag) {
            (ContactState::Connected, Some(lag)) if lag > limits::LAG_WARNING_ENTRIES => {
                let text = format!("{id} is {lag} entries behind");
                findings
                    .push(finding(Level::Warning, text).fix("look at its disk and its network"));
            }
            (ContactState::Connected, _) => reached += 1,
            (ContactState::Silent | ContactState::Unknown, _) => {
                let text = format!("{id} at {} is not heard", member.address);
                let fix = format!("is `rialto bridge` running there? is {} open?", member.address);
                let found = finding(Level::Failed, text).code(Code::MemberUnreachable).fix(fix);
                findings.push(found);
            }
        }
    }
    let total = status.members.len();
    if reached == total {
        findings.push(finding(Level::Good, format!("{reached} of {total} members reached")));
    }
    if total > 0 && total.is_multiple_of(2) {
        let text = format!("{total} members bear no more losses than {}", total - 1);
        findings.push(finding(Level::Warning, text).fix("run three or five"));
    }
    let warnings = status.warnings.iter();
    findings.extend(warnings.map(|warning| finding(Level::Warning, warning.clone())));
    findings
}

pub(super) fn clusters(status: &Status) -> Vec<Finding> {
    if status.clusters.is_empty() {
        let finding = Finding::new("clusters", Level::Warning, "no cluster has joined");
        return vec![finding.fix("apply a Cluster, then `rialto join token --cluster NAME`")];
    }
    status.clusters.iter().map(cluster).collect()
}

fn cluster(cluster: &ClusterSummary) -> Finding {
    let ClusterSummary { name, agent, gateways, gateways_live, services, .. } = cluster;
    let agent_text = contact(agent);
    let text = format!("{name}  agent {agent_text}  gateways {gateways_live}/{gateways}");
    let finding = |level| Finding::new("clusters", level, text.clone());
    match agent.state {
        ContactState::Silent | ContactState::Unknown => {
            return finding(Level::Failed).code(Code::AgentSilent).fix(format!(
                "is `rialto agent` of {name} running, and can it dial the bridge? traffic goes on"
            ));
        }
        ContactState::Connected => {}
    }
    if *gateways == 0 && *services > 0 {
        return finding(Level::Failed)
            .code(Code::NoHealthyEndpoint)
            .fix(format!("no gateway: other clusters reach nothing in {name}; start one"));
    }
    if gateways_live < gateways {
        return finding(Level::Warning)
            .fix(format!("`rialto describe cluster {name}` says which gateway is silent"));
    }
    if cluster.drained {
        return finding(Level::Warning)
            .fix(format!("it is drained; `rialto undrain {name}` brings its traffic back"));
    }
    finding(Level::Good)
}

pub(super) fn data_planes(status: &Status) -> Vec<Finding> {
    let group = "gateways and DNS proxies";
    if status.subscribers.is_empty() {
        return vec![Finding::new(group, Level::Skipped, "none has subscribed yet")];
    }
    let revision = status.revision;
    let mut findings = Vec::new();
    let mut serving = 0;
    for subscriber in &status.subscribers {
        let text = format!("{}  {}", name(subscriber), lack(subscriber));
        let id = &subscriber.id;
        if subscriber.refused.is_some() {
            findings.push(Finding::new(group, Level::Failed, text).fix(format!(
                "it serves what it had; bring {id} to the version of the bridge, or undo the change"
            )));
        } else if subscriber.contact.state != ContactState::Connected {
            findings.push(Finding::new(group, Level::Failed, text).fix(format!(
                "is `rialto {}` of {} running, and can it dial the bridge?",
                subscriber.role, subscriber.cluster
            )));
        } else if subscriber.acked < Some(revision) {
            let finding = Finding::new(group, Level::Warning, text);
            findings.push(finding.fix("look again in a second; then look at its log"));
        } else {
            serving += 1;
        }
    }
    let total = status.subscribers.len();
    if serving == total {
        let text = format!("{serving} of {total} serve revision {revision}");
        findings.push(Finding::new(group, Level::Good, text));
    }
    findings
}
