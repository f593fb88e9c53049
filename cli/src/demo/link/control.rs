//! `rialto demo link`: ask the running switch for its state, or change it.

use std::fmt::Write as _;
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::str::FromStr;
use std::time::Duration;

use anyhow::{Context as _, bail};
use serde::{Deserialize, Serialize};

use super::shape::{Counters, Shape};
use crate::demo::limits;
use crate::demo::plan::Site;

/// `rialto demo link [SITE SITE [--delay TIME] [--loss PERCENT] [--rate RATE]]`
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Command {
    /// The two ends, for example `east west`; all links if absent
    #[arg(value_names = ["SITE", "SITE"], num_args = 2)]
    between: Vec<Site>,
    /// One way, for example `50ms`: half of what `ping` shows
    #[arg(long, requires = "between", value_parser = parse_duration)]
    delay: Option<Duration>,
    /// Of packets in each direction, for example `0.5%`; `100%` cuts the link
    #[arg(long, requires = "between")]
    loss: Option<Loss>,
    /// In each direction, for example `100mbit`, or `none`
    #[arg(long, requires = "between")]
    rate: Option<Rate>,
}

impl Command {
    /// Does what was asked and returns the table of links to print.
    pub(crate) fn run(&self, folder: &Path) -> anyhow::Result<String> {
        let directions = match self.between[..] {
            [one, other] => {
                let change = Change {
                    delay: self.delay,
                    loss_ppm: self.loss.map(|loss| loss.0),
                    rate: self.rate,
                };
                let mut directions = change_link(folder, (one, other), change)?;
                directions.retain(|way| [one, other].contains(&way.from));
                directions.retain(|way| [one, other].contains(&way.to));
                directions
            }
            _ => show(folder)?,
        };
        Ok(table(&directions))
    }
}

/// What to alter; the rest stays.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Change {
    pub(crate) delay: Option<Duration>,
    pub(crate) loss_ppm: Option<u32>,
    pub(crate) rate: Option<Rate>,
}

impl Change {
    pub(crate) fn applied_to(self, shape: Shape) -> Shape {
        Shape {
            delay: self.delay.unwrap_or(shape.delay),
            loss_ppm: self.loss_ppm.unwrap_or(shape.loss_ppm),
            rate_bits_per_second: self
                .rate
                .map_or(shape.rate_bits_per_second, |rate| rate.bits_per_second),
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Rate {
    bits_per_second: Option<u64>,
}

impl FromStr for Rate {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text == "none" {
            return Ok(Self { bits_per_second: None });
        }
        let units = [("gbit", 1e9), ("mbit", 1e6), ("kbit", 1e3)];
        let bits = units.iter().find_map(|(unit, factor)| {
            Some(text.strip_suffix(unit)?.trim().parse::<f64>().ok()? * factor)
        });
        match bits {
            Some(bits) if bits >= 1.0 => Ok(Self { bits_per_second: Some(bits as u64) }),
            Some(_) | None => Err(format!("`{text}` is no rate; write `100mbit` or `none`")),
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Loss(pub(crate) u32);

impl FromStr for Loss {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let percent = text.strip_suffix('%').and_then(|number| number.trim().parse::<f64>().ok());
        match percent {
            Some(percent) if (0.0..=100.0).contains(&percent) => {
                Ok(Self((percent * 10_000.0).round() as u32))
            }
            Some(_) | None => Err(format!("`{text}` is no loss; write `0.5%`, at most `100%`")),
        }
    }
}

/// `50ms`, `1.5s`, `200us`.
pub(crate) fn parse_duration(text: &str) -> Result<Duration, String> {
    let units = [("ms", 1e-3), ("us", 1e-6), ("s", 1.0), ("m", 60.0)];
    let seconds = units.iter().find_map(|(unit, factor)| {
        Some(text.strip_suffix(unit)?.trim().parse::<f64>().ok()? * factor)
    });
    match seconds.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok()) {
        Some(duration) if duration <= limits::DURATION_MAX => Ok(duration),
        Some(_) | None => {
            Err(format!("`{text}` is no time of up to an hour; write `50ms` or `2s`"))
        }
    }
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Request {
    Show,
    Change { between: (Site, Site), change: Change },
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Reply {
    Links(Vec<Direction>),
    Refused(String),
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Direction {
    pub(crate) from: Site,
    pub(crate) to: Site,
    pub(crate) shape: Shape,
    pub(crate) counters: Counters,
}

pub(crate) fn show(folder: &Path) -> anyhow::Result<Vec<Direction>> {
    ask(folder, &Request::Show)
}

pub(crate) fn change_link(
    folder: &Path,
    between: (Site, Site),
    change: Change,
) -> anyhow::Result<Vec<Direction>> {
    if between.0 == between.1 {
        bail!("a link has two ends; `{}` was given twice", between.0);
    }
    ask(folder, &Request::Change { between, change })
}

pub(crate) fn command_socket(folder: &Path) -> std::path::PathBuf {
    folder.join("link.sock")
}

fn ask(folder: &Path, request: &Request) -> anyhow::Result<Vec<Direction>> {
    let mine = folder.join(format!("link-{}.sock", std::process::id()));
    let reply = ask_from(&mine, folder, request);
    let _ = std::fs::remove_file(&mine);
    match reply? {
        Reply::Links(directions) => Ok(directions),
        Reply::Refused(reason) => bail!("the link refused the command: {reason}"),
    }
}

fn ask_from(mine: &Path, folder: &Path, request: &Request) -> anyhow::Result<Reply> {
    let socket =
        UnixDatagram::bind(mine).with_context(|| format!("could not bind `{}`", mine.display()))?;
    socket
        .set_read_timeout(Some(limits::LINK_ANSWER_TIMEOUT))
        .context("could not set a timeout")?;
    socket.send_to(&serde_json::to_vec(request)?, command_socket(folder)).context(
        "could not reach the link; is `rialto demo` running in namespaces? On loopback \
                 there is none",
    )?;
    let mut buffer = vec![0; limits::COMMAND_BYTES_MAX];
    let size = socket.recv(&mut buffer).context("the link did not answer")?;
    serde_json::from_slice(&buffer[..size]).context("the link's answer could not be read")
}

fn table(directions: &[Direction]) -> String {
    let mut text = format!(
        "{:<20}{:>10}{:>9}{:>12}{:>12}{:>9}{:>12}\n",
        "LINK", "ONE WAY", "LOSS", "RATE", "PACKETS", "LOST", "OVERFLOWED"
    );
    for Direction { from, to, shape, counters } in directions {
        let rate = match shape.rate_bits_per_second {
            Some(bits) => format!("{}mbit", bits as f64 / 1e6),
            None => "none".to_owned(),
        };
        let _ = writeln!(
            text,
            "{:<20}{:>10}{:>8}%{:>12}{:>12}{:>9}{:>12}",
            format!("{from} -> {to}"),
            format!("{:?}", shape.delay),
            f64::from(shape.loss_ppm) / 10_000.0,
            rate,
            counters.packets,
            counters.lost,
            counters.overflowed,
        );
    }
    text
}

#[cfg(test)]
mod tests;
