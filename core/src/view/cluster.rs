//! One cluster, with all that concerns it.

use std::time::Duration;

use rialto_types::cluster::trust_domain;
use rialto_types::command;
use rialto_types::error::{Code, Problem};
use rialto_types::id::ClusterName;
use rialto_types::limits;
use rialto_types::view::Ref;
use rialto_types::view::clusters::ClusterPage;

use super::{Picture, changes};
use crate::state::State;

/// What is asked of one cluster.
#[derive(Debug, Clone, Copy)]
pub struct Cluster<'a> {
    pub name: &'a ClusterName,
    /// The fingerprint of its anchor, which only the authority can tell.
    pub anchor_fingerprint: Option<&'a str>,
    /// The time that rates are asked of.
    pub over: Option<Duration>,
}

impl Picture {
    pub fn cluster(&self, state: &State, asked: Cluster<'_>) -> Result<ClusterPage, Problem> {
        let Cluster { name, anchor_fingerprint, over } = asked;
        let picture = self.over(over)?;
        let card = picture.cards.get(name).ok_or_else(|| unknown_cluster(name))?;
        let has = |row: &&rialto_types::view::services::ServiceRow| {
            row.clusters.iter().any(|cell| cell.name == *name)
        };
        let services: Vec<_> = picture.rows.values().filter(has).collect();
        let shown = services.iter().take(limits::REST_PAGE_DEFAULT).map(|row| (*row).clone());
        let omitted = services.len().saturating_sub(limits::REST_PAGE_DEFAULT);
        let subject = Ref::cluster(name);
        let links =
            picture.links().into_iter().filter(|link| link.from == *name || link.to == *name);
        let subscribers = self.heard.subscribers.iter().filter(|part| part.cluster == *name);
        let exports = self.catalog.clusters.get(name).map(|cluster| cluster.exports);
        let of_cluster = |entry: &_| changes::touches(entry, &subject);
        Ok(ClusterPage {
            card: card.clone(),
            trust_domain: trust_domain(name),
            anchor_fingerprint: anchor_fingerprint.map(Into::into),
            subscribers: subscribers.cloned().collect(),
            exports: exports.unwrap_or_default(),
            services: shown.collect(),
            services_omitted: u32::try_from(omitted).unwrap_or(u32::MAX),
            over_ms: picture.figures.over_ms(),
            links: links.collect(),
            changes: changes::newest(state, limits::VIEW_LAST_CHANGES, self.now, of_cluster),
            revision: self.revision(),
            gaps: self.gaps(),
            drain_command: command::drain(name, !card.drained, None),
        })
    }
}

pub(super) fn unknown_cluster(name: &ClusterName) -> Problem {
    Problem::new(Code::ClusterUnknown, format!("no cluster `{name}`"))
        .with_hint("compare the name with `rialto get clusters`")
}
