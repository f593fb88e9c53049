//! The agent's active check of one endpoint: when to probe, and what the results say.
//!
//! The owner probes on [`Event::Probe`] and reports with `handle_passed` or `handle_failed`; a
//! probe that is not reported within the timeout has failed.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use rialto_types::local::EndpointHealth;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Config {
    /// From the start of one probe to the start of the next.
    pub interval: Duration,
    /// At most `interval`; a longer one counts as that.
    pub timeout: Duration,
    /// Passes in a row that make an unhealthy endpoint healthy.
    pub rise: u32,
    /// Failures in a row that make a healthy endpoint unhealthy.
    pub fall: u32,
}

/// What the owner of a check has to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event {
    /// Start a probe; drop one that is still running.
    Probe,
    /// The endpoint's health is another.
    Changed(EndpointHealth),
}

#[derive(Debug, Clone)]
pub struct Check {
    config: Config,
    health: EndpointHealth,
    state: State,
    /// Results in a row that contradict `health`.
    contrary: u32,
    events: VecDeque<Event>,
}

#[derive(Debug, Clone, Copy)]
enum State {
    Waiting { until: Instant },
    Probing { since: Instant },
}

impl Check {
    /// A check whose first probe is due at `first`: the owner spreads many checks over the
    /// interval.
    pub fn new(config: Config, first: Instant) -> Self {
        Self {
            config,
            health: EndpointHealth::Unknown,
            state: State::Waiting { until: first },
            contrary: 0,
            events: VecDeque::new(),
        }
    }

    pub fn health(&self) -> EndpointHealth {
        self.health
    }

    pub fn handle_passed(&mut self, now: Instant) {
        self.take_result(EndpointHealth::Healthy, now);
    }

    pub fn handle_failed(&mut self, now: Instant) {
        self.take_result(EndpointHealth::Unhealthy, now);
    }

    pub fn poll_timeout(&self) -> Instant {
        match self.state {
            State::Waiting { until } => until,
            State::Probing { since } => since + self.timeout(),
        }
    }

    pub fn handle_timeout(&mut self, now: Instant) {
        if now < self.poll_timeout() {
            return;
        }
        if let State::Probing { .. } = self.state {
            self.take_result(EndpointHealth::Unhealthy, now);
        }
        if let State::Waiting { until } = self.state
            && until <= now
        {
            self.state = State::Probing { since: now };
            self.events.push_back(Event::Probe);
        }
    }

    pub fn poll_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    fn timeout(&self) -> Duration {
        self.config.timeout.min(self.config.interval)
    }

    fn take_result(&mut self, result: EndpointHealth, now: Instant) {
        // A result that comes after its timeout was counted already.
        let State::Probing { since } = self.state else { return };
        self.state = State::Waiting { until: (since + self.config.interval).max(now) };
        if result == self.health {
            self.contrary = 0;
            return;
        }
        self.contrary += 1;
        // From Unknown the first result decides: waiting would only prolong not knowing.
        let needed = match self.health {
            EndpointHealth::Unknown => 1,
            EndpointHealth::Unhealthy => self.config.rise,
            EndpointHealth::Healthy => self.config.fall,
        };
        if self.contrary >= needed {
            self.health = result;
            self.contrary = 0;
            self.events.push_back(Event::Changed(result));
        }
    }
}
