//! What an agent found out about itself and the cluster that it runs in, for people.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::id::Timestamp;
use crate::limits;

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Finding {
    /// What was looked at, such as `source addresses`.
    pub about: String,
    pub level: FindingLevel,
    /// What was seen.
    pub text: String,
    /// What a person should do; absent where nothing is to be done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fix: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum FindingLevel {
    Good,
    Warning,
    Failed,
    /// It could not be looked at.
    Unknown,
}

impl Finding {
    pub fn new(about: &str, level: FindingLevel, text: impl Into<String>) -> Self {
        Self { about: about.to_owned(), level, text: text.into(), fix: None }
    }

    /// The same with texts that a person reads at once.
    pub fn clipped(self) -> Self {
        let clip = |text: String| text.chars().take(limits::FINDING_TEXT_CHARS_MAX).collect();
        let Self { about, level, text, fix } = self;
        Self { about: clip(about), level, text: clip(text), fix: fix.map(clip) }
    }

    pub fn with_fix(mut self, fix: impl Into<String>) -> Self {
        self.fix = Some(fix.into());
        self
    }
}

/// What an agent tells its bridge of itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Examination {
    /// The agent's release.
    pub version: String,
    /// The agent's clock when it told this.
    pub at: Timestamp,
    pub findings: Vec<Finding>,
}

/// The same as the bridge shows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Examined {
    /// The agent's release.
    pub version: String,
    /// How far the agent's clock is ahead of the bridge's; negative if it is behind.
    pub clock_ahead_ms: i64,
    /// Time since the agent told this.
    pub age_ms: u64,
    pub findings: Vec<Finding>,
}
