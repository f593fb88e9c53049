//! Who listens to a decision. `Off` costs nothing; `explain` writes the steps down.

use std::fmt;

use rialto_types::api::ExplainStep;

/// A part of the decision.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    Name,
    Route,
    Access,
    Health,
    Cluster,
    Gateway,
    Endpoint,
}

impl Stage {
    pub fn as_str(self) -> &'static str {
        match self {
            Stage::Name => "name",
            Stage::Route => "route",
            Stage::Access => "access",
            Stage::Health => "health",
            Stage::Cluster => "cluster",
            Stage::Gateway => "gateway",
            Stage::Endpoint => "endpoint",
        }
    }
}

pub trait Trace {
    /// Whether anybody listens: what is costly to say is not even looked up otherwise.
    const IS_ON: bool;

    fn step(&mut self, stage: Stage, text: fmt::Arguments<'_>);
}

/// Nobody listens.
#[derive(Debug, Clone, Copy, Default)]
pub struct Off;

impl Trace for Off {
    const IS_ON: bool = false;

    #[inline]
    fn step(&mut self, _: Stage, _: fmt::Arguments<'_>) {}
}

impl Trace for Vec<ExplainStep> {
    const IS_ON: bool = true;

    fn step(&mut self, stage: Stage, text: fmt::Arguments<'_>) {
        self.push(ExplainStep { stage: stage.as_str().into(), text: text.to_string() });
    }
}
