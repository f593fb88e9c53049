//! `check`: everything that is wrong, in groups, with what to do about it.

use rialto_types::api::Status;
use rialto_types::error::Code;
use rialto_types::object::{Document, Kind};
use rialto_types::traffic::{self, Traffic};
use rialto_wire::client::Client;
use serde::Serialize;

use super::Api;
use crate::failure::{Exit, Failure};
use crate::print::{self, Style};

mod clusters;
mod parts;
mod services;

/// Find what is wrong, and say what to do about it
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// End with exit code 8 if there are warnings, and nothing worse
    #[arg(long, value_enum, value_name = "LEVEL")]
    fail_on: Option<FailOn>,
    #[command(flatten)]
    api: Api,
}

#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum FailOn {
    Warning,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
enum Level {
    Good,
    Warning,
    Failed,
    /// Nobody who could tell is heard.
    Skipped,
}

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
struct Finding {
    group: &'static str,
    level: Level,
    text: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<Code>,
    #[serde(skip_serializing_if = "Option::is_none")]
    fix: Option<String>,
}

impl Finding {
    fn new(group: &'static str, level: Level, text: impl Into<String>) -> Self {
        Self { group, level, text: text.into(), code: None, fix: None }
    }

    fn code(mut self, code: Code) -> Self {
        self.code = Some(code);
        self
    }

    fn fix(mut self, fix: impl Into<String>) -> Self {
        self.fix = Some(fix.into());
        self
    }
}

/// All that is looked at.
struct Seen {
    status: Status,
    clusters: Vec<Document>,
    /// `None` where this member cannot tell.
    traffic: Option<Traffic>,
    services: Vec<Document>,
    routes: Vec<Document>,
    policies: Vec<Document>,
}

impl Seen {
    async fn look(client: &Client) -> Result<Self, Failure> {
        let mut seen = Self {
            status: client.status().await?,
            clusters: client.list(Kind::Cluster, None).await?.items,
            traffic: client.traffic(&traffic::Query::default()).await.ok(),
            services: client.list(Kind::Service, None).await?.items,
            routes: client.list(Kind::HttpRoute, None).await?.items,
            policies: client.list(Kind::FailoverPolicy, None).await?.items,
        };
        seen.routes.extend(client.list(Kind::TcpRoute, None).await?.items);
        seen.policies.extend(client.list(Kind::AccessPolicy, None).await?.items);
        Ok(seen)
    }
}

pub(super) async fn run(arguments: Arguments) -> Result<Exit, Failure> {
    let (client, printer) = arguments.api.open()?;
    let findings = findings(&Seen::look(&client).await?);
    printer.value(&findings, |style| render(&findings, style))?;
    let has = |level: Level| findings.iter().any(|finding| finding.level == level);
    Ok(match arguments.fail_on {
        _ if has(Level::Failed) => Exit::Failed,
        Some(FailOn::Warning) if has(Level::Warning) => Exit::Warned,
        _ => Exit::Done,
    })
}

fn findings(seen: &Seen) -> Vec<Finding> {
    let mut findings = parts::control_plane(&seen.status);
    findings.extend(parts::clusters(&seen.status));
    findings.extend(parts::data_planes(&seen.status));
    findings.extend(clusters::inside(&seen.clusters));
    findings.extend(clusters::between(&seen.clusters, seen.traffic.as_ref()));
    findings.extend(services::services(&seen.services));
    findings.extend(services::references(&seen.services, &seen.routes, &seen.policies));
    findings
}

fn render(findings: &[Finding], style: Style) -> String {
    let mut text = String::new();
    let mut group = "";
    for finding in findings {
        if finding.group != group {
            group = finding.group;
            text.push_str(&format!("{}\n", style.heading(group)));
        }
        let mark = match finding.level {
            Level::Good => style.good("✓"),
            Level::Warning => style.warning("!"),
            Level::Failed => style.bad("✕"),
            Level::Skipped => "-".to_string(),
        };
        text.push_str(&format!("  {mark} {}", finding.text));
        text.push_str(&finding.code.map(|code| format!("  {code}")).unwrap_or_default());
        text.push('\n');
        if let Some(fix) = &finding.fix {
            text.push_str(&format!("      fix: {fix}\n"));
        }
    }
    text.push_str(&format!("\n{}\n", summary(findings)));
    text
}

fn summary(findings: &[Finding]) -> String {
    let count = |level: Level| findings.iter().filter(|f| f.level == level).count();
    let warnings = print::count(count(Level::Warning), "warning", "warnings");
    format!(
        "{} failed, {warnings}, {} skipped, {} good",
        count(Level::Failed),
        count(Level::Skipped),
        count(Level::Good)
    )
}

#[cfg(test)]
mod tests;
