//! Since when something is as it is: what one member saw, from its start on.

use std::collections::BTreeMap;

use rialto_types::id::{ClusterName, ServiceName, Timestamp};
use rialto_types::view::Level;

use super::Picture;

/// Levels with the moment of their last change. What was so from the first look on has none.
#[derive(Debug, Clone, Default)]
pub struct Since {
    overall: Option<Held>,
    services: BTreeMap<ServiceName, Held>,
    clusters: BTreeMap<ClusterName, Held>,
    has_looked: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Held {
    level: Level,
    since: Option<Timestamp>,
}

impl Since {
    /// Takes in what a picture shows.
    pub fn observe(&mut self, picture: &Picture) {
        let (now, has_looked) = (picture.now, self.has_looked);
        let update = |held: Option<Held>, level: Level| match held {
            Some(held) if held.level == level => held,
            Some(_) => Held { level, since: Some(now) },
            // Something new is new since now, but not at the first look.
            None => Held { level, since: has_looked.then_some(now) },
        };
        self.overall = Some(update(self.overall, picture.overall_level()));
        self.services.retain(|name, _| picture.rows.contains_key(name));
        for (name, row) in &picture.rows {
            match self.services.get_mut(name) {
                Some(held) => *held = update(Some(*held), row.level),
                None => {
                    self.services.insert(name.clone(), update(None, row.level));
                }
            }
        }
        self.clusters.retain(|name, _| picture.cards.contains_key(name));
        for (name, card) in &picture.cards {
            let held = update(self.clusters.get(name).copied(), card.level);
            self.clusters.insert(name.clone(), held);
        }
        self.has_looked = true;
    }

    pub(super) fn overall(&self) -> Option<Timestamp> {
        self.overall.and_then(|held| held.since)
    }

    pub(super) fn service(&self, service: &ServiceName) -> Option<Timestamp> {
        self.services.get(service).and_then(|held| held.since)
    }

    pub(super) fn cluster(&self, cluster: &ClusterName) -> Option<Timestamp> {
        self.clusters.get(cluster).and_then(|held| held.since)
    }
}
