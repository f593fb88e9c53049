//! What gateways counted lately, summed up for one picture.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use rialto_types::id::{ClusterName, ServiceName, SpiffeId};
use rialto_types::limits;
use rialto_types::traffic::{Gap, LinkRates, Rates, Series};

use super::Catalog;
use crate::traffic::{self, Window};

/// Rates of one time, by what views ask for. What is absent was not seen; `None` is unknown.
#[derive(Debug, Clone, Default)]
pub struct Figures {
    pub(super) over: Duration,
    pub(super) total: Option<Rates>,
    pub(super) series: Series,
    /// By what was dialled.
    pub(super) dialled: BTreeMap<ServiceName, Option<Rates>>,
    /// By the backend that a route chose, where it is another service.
    pub(super) routed: BTreeMap<ServiceName, Option<Rates>>,
    /// Requests per second that leave their cluster, by what was dialled.
    pub(super) remote: BTreeMap<ServiceName, f64>,
    /// By the cluster that served.
    pub(super) served: BTreeMap<ClusterName, Option<Rates>>,
    pub(super) flows: Vec<Flow>,
    pub(super) links: Vec<LinkRates>,
    pub(super) gaps: Vec<Gap>,
    /// Whether every gateway reports, and has named all that it counted.
    pub(super) is_whole: bool,
    /// For questions about one service.
    pub(super) window: Option<Arc<Window>>,
}

/// Who called what where.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Flow {
    pub(super) from: ClusterName,
    pub(super) caller: Option<SpiffeId>,
    /// The service that served, or was dialled where no choice was possible.
    pub(super) service: ServiceName,
    /// `None` if nobody served it.
    pub(super) to: Option<ClusterName>,
    pub(super) rates: Option<Rates>,
}

impl Figures {
    /// What a window says of the services and clusters of a catalog, over the last half minute.
    pub fn of(window: Arc<Window>, catalog: &Catalog) -> Self {
        Self::over(window, catalog, limits::TRAFFIC_RATES_OVER)
    }

    pub(super) fn over(window: Arc<Window>, catalog: &Catalog, over: Duration) -> Self {
        let names = Names::of(catalog);
        let dialled = window.rates_by(over, |flow| names.service(flow.service));
        let routed = window.rates_by(over, |flow| {
            names.service(flow.backend.filter(|backend| Some(*backend) != flow.service))
        });
        let remote = window.rates_by(over, |flow| {
            let leaves = flow.to.is_some_and(|to| to != flow.from);
            names.service(flow.service.filter(|_| leaves))
        });
        let served = window.rates_by(over, |flow| names.cluster(flow.to));
        let flows = window.rates_by(over, |flow| {
            let service = names.service(flow.backend.or(flow.service))?;
            let from = names.cluster(Some(flow.from))?;
            Some((from, service, names.cluster(flow.to), names.caller(flow.caller)))
        });
        let callers = names.callers();
        // What a gateway summed up without names may be anybody's.
        let rest = window.rates_by(over, |flow| flow.service.is_none().then_some(()));
        let total = window.rates(over, |_| true);
        let flow = |((from, service, to, caller), rates): (Numbers, Option<Rates>)| Flow {
            from: names.clusters[from].clone(),
            service: names.services[service].clone(),
            to: to.map(|to| names.clusters[to].clone()),
            caller: caller.and_then(|caller| callers.get(&caller).cloned()),
            rates,
        };
        let per_second = |rates: Option<Rates>| rates.map(|rates| rates.requests_per_second);
        Self {
            over,
            is_whole: total.is_some() && rest.is_empty() && window.gaps().is_empty(),
            total,
            series: window.series(|_| true),
            dialled: named(&names.services, dialled),
            routed: named(&names.services, routed),
            remote: named(&names.services, remote)
                .into_iter()
                .filter_map(|(service, rates)| Some((service, per_second(rates)?)))
                .collect(),
            served: named(&names.clusters, served),
            flows: flows.into_iter().map(flow).collect(),
            links: window.links(over),
            gaps: window.gaps().to_vec(),
            window: Some(window),
        }
    }

    pub(super) fn over_ms(&self) -> u64 {
        u64::try_from(self.over.as_millis()).unwrap_or(u64::MAX)
    }

    /// The rates of a service as its clients see it or as its routes feed it, whichever is more.
    pub(super) fn of_service(&self, service: &ServiceName) -> Option<Rates> {
        let (dialled, routed) = (self.dialled.get(service), self.routed.get(service));
        if dialled.is_none() && routed.is_none() {
            return self.of_nobody();
        }
        let known = |rates: Option<&Option<Rates>>| rates.cloned().flatten();
        match (known(dialled), known(routed)) {
            (Some(dialled), Some(routed)) if routed.requests > dialled.requests => Some(routed),
            (dialled, routed) => dialled.or(routed),
        }
    }

    /// The rates of what a cluster serves.
    pub(super) fn of_cluster(&self, cluster: &ClusterName) -> Option<Rates> {
        self.served.get(cluster).cloned().unwrap_or_else(|| self.of_nobody())
    }

    /// What nobody counted: zero where all was counted, and unknown elsewhere.
    pub(super) fn of_nobody(&self) -> Option<Rates> {
        self.is_whole.then(Rates::default)
    }

    pub(super) fn remote_share(&self, service: &ServiceName) -> Option<f64> {
        let dialled = self.dialled.get(service)?.as_ref()?;
        let remote = self.remote.get(service).copied().unwrap_or_default();
        share(remote, dialled.requests_per_second)
    }

    /// The share of all requests that leave their cluster.
    pub(super) fn remote_share_of_all(&self) -> Option<f64> {
        let total = self.total.as_ref()?;
        share(self.remote.values().sum(), total.requests_per_second)
    }
}

/// A part of a whole, 0 to 1; nothing if there is no whole.
pub(super) fn share(part: f64, whole: f64) -> Option<f64> {
    (whole > 0.0).then(|| (part / whole).clamp(0.0, 1.0))
}

/// From, service, to and caller of a flow.
type Numbers = (usize, usize, Option<usize>, Option<usize>);

/// Numbers for names, because a window holds each of them thousands of times.
struct Names<'a> {
    services: Vec<&'a ServiceName>,
    clusters: Vec<&'a ClusterName>,
    callers: RefCell<BTreeMap<SpiffeId, usize>>,
}

impl<'a> Names<'a> {
    fn of(catalog: &'a Catalog) -> Self {
        let (services, clusters) = (catalog.services.keys(), catalog.clusters.keys());
        let callers = RefCell::default();
        Self { services: services.collect(), clusters: clusters.collect(), callers }
    }

    fn service(&self, service: Option<&ServiceName>) -> Option<usize> {
        self.services.binary_search(&service?).ok()
    }

    fn cluster(&self, cluster: Option<&ClusterName>) -> Option<usize> {
        self.clusters.binary_search(&cluster?).ok()
    }

    fn caller(&self, caller: Option<&SpiffeId>) -> Option<usize> {
        let caller = caller?;
        let mut callers = self.callers.borrow_mut();
        if let Some(known) = callers.get(caller) {
            return Some(*known);
        }
        let next = callers.len();
        callers.insert(caller.clone(), next);
        Some(next)
    }

    fn callers(&self) -> BTreeMap<usize, SpiffeId> {
        let callers = self.callers.borrow();
        callers.iter().map(|(caller, number)| (*number, caller.clone())).collect()
    }
}

fn named<N: Clone + Ord>(
    names: &[&N],
    numbered: BTreeMap<usize, Option<Rates>>,
) -> BTreeMap<N, Option<Rates>> {
    numbered.into_iter().map(|(number, rates)| (names[number].clone(), rates)).collect()
}

/// Whether a flow is about a service, dialled or chosen by a route.
pub(super) fn is_about(flow: &traffic::Flow<'_>, service: &ServiceName) -> bool {
    flow.service == Some(service) || flow.backend == Some(service)
}

#[cfg(test)]
mod tests;
