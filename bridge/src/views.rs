//! What the page is shown: gathers what all members know into a picture, and lets core judge it.
//!
//! ```text
//!  state, heard by all members ──▶ Frame (one picture for all who ask)
//!                                    └──▶ each view once per frame ──▶ REST, live streams
//! ```

mod live;

pub(crate) use live::live;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use rialto_core::heard;
use rialto_core::traffic::Window;
use rialto_core::view::{Catalog, Cluster, Figures, Heard, Picture, Since, changes};
use rialto_types::api::Change;
use rialto_types::cluster::{ContactState, trust_domain};
use rialto_types::error::Problem;
use rialto_types::id::ClusterName;
use rialto_types::limits;
use rialto_types::traffic::Gap;
use rialto_types::view;
use rialto_wire::diff;
use rialto_wire::identity::{Fingerprint, now};
use rialto_wire::rest::Rendered;

use crate::long::long;
use crate::members::Gathered;
use crate::service::Service;

type Answer<T> = Result<T, Problem>;

/// What is kept between two looks.
#[derive(Debug, Default)]
pub(crate) struct Views {
    /// Held while a frame is made, so that all who ask at once get the same one.
    frame: Arc<tokio::sync::Mutex<Option<Arc<Frame>>>>,
    catalog: Mutex<Arc<Catalog>>,
    since: Mutex<Since>,
}

/// The federation at one moment, and what was made of it.
#[derive(Debug)]
pub(crate) struct Frame {
    picture: Picture,
    made: Instant,
    rendered: Mutex<BTreeMap<view::Query, Arc<Rendered>>>,
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// How new a view must be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wanted {
    /// Whoever changed something and then asks sees the change.
    Current,
    /// For those who look again and again anyway.
    Recent,
}

impl Service {
    /// One view, as JSON.
    pub(crate) async fn render(
        self: &Arc<Self>,
        query: &view::Query,
        wanted: Wanted,
    ) -> Answer<Arc<Rendered>> {
        let frame = self.frame(wanted).await;
        if let Some(rendered) = locked(&frame.rendered).get(query) {
            return Ok(rendered.clone());
        }
        let (service, seen, asked) = (self.clone(), frame.clone(), query.clone());
        let rendered = long(move || -> Answer<Rendered> {
            Ok(Rendered::new(&service.answer(&seen.picture, &asked)?))
        });
        let rendered = Arc::new(rendered.await?);
        let mut kept = locked(&frame.rendered);
        if kept.len() < limits::VIEW_RENDERED_MAX {
            kept.insert(query.clone(), rendered.clone());
        }
        Ok(rendered)
    }

    /// Takes long.
    fn answer(&self, picture: &Picture, query: &view::Query) -> Answer<view::Answer> {
        let state = self.store.copy();
        Ok(match query {
            view::Query::Overview(query) => {
                let since = locked(&self.views.since);
                let overview = picture.overview(&state, &since, query)?;
                view::Answer::Overview(Box::new(overview))
            }
            view::Query::Services(query) => {
                view::Answer::Services(Box::new(picture.services(query)?))
            }
            view::Query::Service(service, query) => {
                let page = picture.service(&state, service, query)?;
                view::Answer::Service(Box::new(page))
            }
            view::Query::Clusters(query) => {
                view::Answer::Clusters(Box::new(picture.clusters(query)?))
            }
            view::Query::Cluster(name, query) => {
                let fingerprint = self.anchor_fingerprint(name);
                let asked =
                    Cluster { name, anchor_fingerprint: fingerprint.as_deref(), over: query.over };
                view::Answer::Cluster(Box::new(picture.cluster(&state, asked)?))
            }
            view::Query::Topology(query) => {
                view::Answer::Topology(Box::new(picture.topology(query)?))
            }
            view::Query::Changes(query) => {
                let found = changes(&state, query, now(), diff_of)?;
                view::Answer::Changes(Box::new(found))
            }
        })
    }

    /// The newest frame, or a new one: after a change soon, without one once a second.
    async fn frame(self: &Arc<Self>, wanted: Wanted) -> Arc<Frame> {
        let mut held = self.views.frame.clone().lock_owned().await;
        if let Some(frame) = held.as_ref().filter(|frame| self.is_fresh(frame, wanted)) {
            return frame.clone();
        }
        let (gathered, window) = tokio::join!(self.gather(), self.traffic());
        let service = self.clone();
        let made = long(move || {
            let picture = service.picture(gathered, window);
            let (made, rendered) = (Instant::now(), Mutex::default());
            let frame = Arc::new(Frame { picture, made, rendered });
            // Also for the others, if whoever asked is gone meanwhile.
            *held = Some(frame.clone());
            frame
        });
        made.await
    }

    /// Takes long.
    fn picture(&self, gathered: Gathered, window: Window) -> Picture {
        let members = heard::member_statuses(&self.members.all(), &gathered.members);
        let silent = members.iter().filter(|member| member.state != ContactState::Connected);
        let gaps = silent.map(|member| Gap {
            member: Some(member.id.clone()),
            cluster: None,
            gateway: None,
            silent_ms: None,
            text: format!("member {} does not answer: what only it hears is missing", member.id),
        });
        let heard = Heard {
            agents: gathered.merged.agents,
            subscribers: gathered.merged.subscribers,
            gaps: gaps.collect(),
            members,
        };
        let catalog = self.catalog();
        let figures = Figures::of(Arc::new(window), &catalog);
        let picture = Picture::new(catalog, heard, figures, now());
        locked(&self.views.since).observe(&picture);
        picture
    }

    fn is_fresh(&self, frame: &Frame, wanted: Wanted) -> bool {
        let age = frame.made.elapsed();
        if frame.picture.revision() == self.store.read().revision() {
            return age < limits::VIEW_AGE_MAX;
        }
        wanted == Wanted::Recent && age < limits::VIEW_AGE_MIN
    }

    /// What the state says of all services, made once per revision.
    fn catalog(&self) -> Arc<Catalog> {
        let mut held = locked(&self.views.catalog);
        let state = self.store.copy();
        if held.revision() != state.revision() {
            *held = Arc::new(Catalog::new(&state));
        }
        held.clone()
    }

    fn anchor_fingerprint(&self, name: &ClusterName) -> Option<String> {
        let state = self.store.read();
        let anchor = self.authority.open_issuer(&trust_domain(name), state.cluster(name)?.issuer);
        Some(Fingerprint::of(anchor.ok()?.certificate()).to_string())
    }

    /// Looks also when nobody asks, so that it is known since when something is as it is.
    pub(crate) async fn watch_levels(self: &Arc<Self>) {
        loop {
            self.frame(Wanted::Recent).await;
            tokio::time::sleep(limits::LEASE_BEAT).await;
        }
    }
}

fn diff_of(change: &Change) -> String {
    let (before, after) = (change.before.as_ref(), change.after.as_ref());
    match diff::unified(&change.key.to_string(), before, after) {
        Ok(diff) => diff,
        Err(error) => format!("{error}\n"),
    }
}
