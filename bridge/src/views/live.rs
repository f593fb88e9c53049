//! Live streams: every second each view is looked at once, and sent if it changed.

use std::collections::VecDeque;
use std::sync::Arc;

use futures::stream::{BoxStream, StreamExt};
use rialto_types::error::{Code, Problem};
use rialto_types::limits;
use rialto_wire::rest::{LiveEvent, Topic};
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::{Instant, Interval, MissedTickBehavior};

use crate::service::Service;
use crate::views::Wanted;

/// One stream: what it follows, and what was sent last.
struct Stream {
    service: Arc<Service>,
    topics: Vec<Followed>,
    waiting: VecDeque<LiveEvent>,
    interval: Interval,
    _permit: OwnedSemaphorePermit,
}

struct Followed {
    topic: Topic,
    sent: Option<Sent>,
}

#[derive(Debug, Clone, PartialEq)]
struct Sent {
    said: Said,
    at: Instant,
}

#[derive(Debug, Clone, PartialEq)]
enum Said {
    View(u64),
    Problem(Box<Problem>),
}

pub(crate) fn live(
    service: Arc<Service>,
    topics: Vec<Topic>,
) -> Result<BoxStream<'static, LiveEvent>, Problem> {
    let Some(permit) = service.metrics.watch_opened() else {
        let text = format!("{} watches are open already", limits::REST_WATCHES_MAX);
        return Err(Problem::new(Code::Overloaded, text));
    };
    let mut interval = tokio::time::interval(limits::LIVE_INTERVAL);
    interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let topics = topics.into_iter().map(|topic| Followed { topic, sent: None }).collect();
    let waiting = VecDeque::new();
    let stream = Stream { service, topics, waiting, interval, _permit: permit };
    let events = futures::stream::unfold(stream, async |mut stream| {
        let event = stream.next().await;
        Some((event, stream))
    });
    Ok(events.boxed())
}

impl Stream {
    async fn next(&mut self) -> LiveEvent {
        loop {
            if let Some(event) = self.waiting.pop_front() {
                return event;
            }
            self.interval.tick().await;
            let now = Instant::now();
            for followed in &mut self.topics {
                let told = self.service.render(&followed.topic.query, Wanted::Recent).await;
                let said = match &told {
                    Ok(view) => Said::View(view.fingerprint()),
                    Err(problem) => Said::Problem(Box::new(problem.clone())),
                };
                if followed.is_due(&said, now) {
                    followed.sent = Some(Sent { said, at: now });
                    let (name, told) = (followed.topic.name.clone(), told.map_err(Box::new));
                    self.waiting.push_back(LiveEvent { name, told });
                }
            }
        }
    }
}

impl Followed {
    /// News at once; ages alone now and then, so that they are not far from the truth.
    fn is_due(&self, said: &Said, now: Instant) -> bool {
        self.sent.as_ref().is_none_or(|sent| {
            let is_old = now.saturating_duration_since(sent.at) >= limits::LIVE_REFRESH;
            sent.said != *said || is_old
        })
    }
}

#[cfg(test)]
mod tests;
