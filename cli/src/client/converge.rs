//! Waiting until every gateway and DNS proxy serves a change.

use std::time::{Duration, Instant};

use rialto_types::api::Convergence;
use rialto_types::cluster::{ContactState, SubscriberStatus};
use rialto_types::id::Revision;
use rialto_types::{duration, limits};
use rialto_wire::client::Client;
use serde::Serialize;

use crate::failure::{Exit, Failure};
use crate::print::{self, Format, Printer, Style};

#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Wait {
    /// Return when every gateway and DNS proxy serves it, or say which do not [default time: 60s]
    #[arg(
        long,
        value_name = "DURATION",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "60s",
        value_parser = duration::parse
    )]
    wait: Option<Duration>,
}

/// What was waited for, and how it ended.
#[derive(Debug, Clone)]
pub(crate) struct Waited {
    pub(crate) convergence: Convergence,
    /// Those that serve the revision, as far as the bridge knows them.
    pub(crate) acked: Vec<SubscriberStatus>,
    took: Duration,
}

impl Wait {
    /// Waits if that was asked for.
    pub(crate) async fn until_served(
        &self,
        client: &Client,
        revision: Revision,
        printer: &Printer,
    ) -> Result<Option<Waited>, Failure> {
        let Some(time_max) = self.wait else { return Ok(None) };
        let began = Instant::now();
        let convergence = loop {
            let convergence = client.convergence(Some(revision)).await?;
            if is_settled(&convergence) || began.elapsed() >= time_max {
                break convergence;
            }
            if printer.watched {
                let Convergence { acked, total, .. } = convergence;
                let took = print::age(began.elapsed());
                print::progress(&format!("live on {acked} of {total} after {took}"));
            }
            tokio::time::sleep(limits::WAIT_LOOK_INTERVAL).await;
        };
        if printer.watched {
            print::progress("");
        }
        // Only for the names of those that serve it; the verdict does not depend on this.
        let subscribers = client.status().await.map_or_else(|_| vec![], |s| s.subscribers);
        let acked = subscribers.into_iter().filter(|s| s.acked >= Some(revision)).collect();
        Ok(Some(Waited { convergence, acked, took: began.elapsed() }))
    }
}

/// What a change answered and, for programs, who serves it.
#[derive(Debug, Serialize)]
struct Concluded<'a, T> {
    #[serde(flatten)]
    answer: &'a T,
    #[serde(skip_serializing_if = "Option::is_none")]
    convergence: Option<&'a Convergence>,
}

/// Ends a verb that made one change: says what it did, waits if asked to, says who serves it.
/// Without a revision nothing was changed.
pub(crate) async fn conclude<T: Serialize>(
    client: &Client,
    printer: &Printer,
    wait: &Wait,
    (answer, revision): (&T, Option<Revision>),
    text: String,
) -> Result<Exit, Failure> {
    let is_for_programs = matches!(printer.format, Format::Json | Format::Yaml);
    if !is_for_programs {
        printer.data(&text)?;
    }
    let waited = match revision {
        Some(revision) => wait.until_served(client, revision, printer).await?,
        None => None,
    };
    if is_for_programs {
        let convergence = waited.as_ref().map(|waited| &waited.convergence);
        printer.value(&Concluded { answer, convergence }, |_| String::new())?;
    }
    match waited {
        Some(waited) => waited.report(printer),
        None => Ok(Exit::Done),
    }
}

/// Whether waiting longer changes nothing: all serve it, or those that do not have refused it.
fn is_settled(convergence: &Convergence) -> bool {
    convergence.is_complete()
        || (convergence.warnings.is_empty()
            && convergence.missing.iter().all(|missing| missing.refused.is_some()))
}

impl Waited {
    pub(crate) fn exit(&self) -> Exit {
        let Convergence { missing, warnings, .. } = &self.convergence;
        let waits_for = |missing: &SubscriberStatus| {
            missing.refused.is_none() && missing.contact.state == ContactState::Connected
        };
        match () {
            () if self.convergence.is_complete() => Exit::Done,
            () if missing.iter().any(waits_for) => Exit::TimedOut,
            // Nobody who is heard and willing is missing.
            () if !missing.is_empty() || !warnings.is_empty() => Exit::Partial,
            () => Exit::TimedOut,
        }
    }

    pub(crate) fn report(&self, printer: &Printer) -> Result<Exit, Failure> {
        if matches!(printer.format, Format::Table | Format::Wide) {
            printer.data(&self.render(printer.style))?;
        }
        Ok(self.exit())
    }

    fn render(&self, style: Style) -> String {
        let Convergence { revision, acked, total, missing, warnings } = &self.convergence;
        let took = print::age(self.took);
        let mut text = match (total, self.convergence.is_complete()) {
            (0, true) => format!("revision {revision}: no gateway or DNS proxy is connected\n"),
            (_, true) => format!("revision {revision} is live on all {total} after {took}\n"),
            _ => format!("revision {revision} is live on {acked} of {total} after {took}\n"),
        };
        for subscriber in &self.acked {
            text.push_str(&format!("  {} {}\n", style.good("✓"), name(subscriber)));
        }
        for subscriber in missing {
            let mark = match subscriber.contact.state {
                ContactState::Connected => style.bad("✕"),
                ContactState::Silent | ContactState::Unknown => style.warning("?"),
            };
            let (name, why) = (name(subscriber), lack(subscriber));
            text.push_str(&format!("  {mark} {name}  {why}\n"));
        }
        for warning in warnings {
            text.push_str(&format!("  {} {warning}\n", style.warning("!")));
        }
        if !self.convergence.is_complete() {
            text.push_str("next: `rialto check` says what is wrong with them\n");
        }
        text
    }
}

/// `east gateway gw-1`
pub(crate) fn name(subscriber: &SubscriberStatus) -> String {
    format!("{} {} {}", subscriber.cluster, subscriber.role, subscriber.id)
}

/// Why a subscriber does not serve a revision.
pub(crate) fn lack(subscriber: &SubscriberStatus) -> String {
    let at = match subscriber.acked {
        Some(acked) => format!("at {acked}"),
        None => "has acknowledged nothing yet".to_string(),
    };
    let heard = match subscriber.contact.age_ms {
        Some(ms) => format!("last heard {} ago", print::age(Duration::from_millis(ms))),
        None => "never heard".to_string(),
    };
    match (&subscriber.refused, subscriber.contact.state) {
        (Some(reason), _) => format!("{at}, refused: {reason}"),
        (None, ContactState::Connected) => at,
        (None, state) => format!("{at}, {state:?}, {heard}"),
    }
}

#[cfg(test)]
mod tests;
