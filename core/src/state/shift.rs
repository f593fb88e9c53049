//! Shift: the weights of a service's one route, rewritten in one step.

use std::collections::BTreeMap;

use rialto_types::id::{ResourceName, ServiceName};
use rialto_types::limits;
use rialto_types::object::{Key, Kind, Metadata, Resource, Spec};
use rialto_types::route::{
    BackendRef, HttpRouteSpec, HttpRule, ParentRef, RefGroup, RefKind, TcpRouteSpec, TcpRule,
};
use rialto_types::service::AppProtocol;

use super::{At, Effect, Refused, State, object};

impl State {
    pub(super) fn shift(
        &mut self,
        parent: &ServiceName,
        weights: &BTreeMap<ResourceName, u32>,
        at: At,
    ) -> Result<Effect, Refused> {
        check_weights(parent, weights)?;
        let resource = match self.route_of(parent)? {
            Some(route) => rewritten(parent, route, weights)?,
            None => self.fresh_route(parent, weights)?,
        };
        let key = resource.key();
        let held = self.objects.get(&key);
        let warnings = self.warnings(&resource);
        let mut effect = if held.is_some_and(|held| object::is_same_intent(held, &resource)) {
            self.unchanged(&key)
        } else {
            let mut effect = self.write(resource, at);
            let shares: Vec<String> = weights.iter().map(|(n, w)| format!("{n}={w}")).collect();
            effect.summary = format!("shifted {parent} to {} by {key}", shares.join(", "));
            effect
        };
        effect.warnings = warnings;
        Ok(effect)
    }

    /// The backends whose weights a shift would rewrite: those of the service's one route, or the
    /// service itself. `None` if a shift would be refused.
    pub fn shiftable(&self, parent: &ServiceName) -> Option<Vec<BackendRef>> {
        let Some(route) = self.route_of(parent).ok()? else {
            let fresh = BackendRef::new(parent.name.clone(), 1);
            return self.fresh_route(parent, &BTreeMap::new()).is_ok().then(|| vec![fresh]);
        };
        match &route.spec {
            Spec::HttpRoute(spec) => {
                let rule = open_rule(parent, &route.key(), spec).ok()?;
                Some(spec.rules[rule].backend_refs.clone())
            }
            Spec::TcpRoute(spec) => Some(spec.rules[0].backend_refs.clone()),
            Spec::Cluster(_)
            | Spec::JoinToken(_)
            | Spec::Workspace(_)
            | Spec::ServiceExport(_)
            | Spec::FailoverPolicy(_)
            | Spec::AccessPolicy(_) => None,
        }
    }

    fn route_of(&self, parent: &ServiceName) -> Result<Option<&Resource>, Refused> {
        let kinds = [Kind::HttpRoute, Kind::TcpRoute];
        let routes = kinds.into_iter().flat_map(|kind| self.objects.of_kind(kind));
        let mut routes = routes.filter(|route| has_parent(route, parent));
        let (first, second) = (routes.next(), routes.next());
        match (first, second) {
            (Some(first), Some(second)) => {
                let reason = format!("both {} and {} route it", first.key(), second.key());
                Err(refused(parent, reason, "edit the weights in the one that you mean"))
            }
            (first, _) => Ok(first),
        }
    }

    fn fresh_route(
        &self,
        parent: &ServiceName,
        weights: &BTreeMap<ResourceName, u32>,
    ) -> Result<Resource, Refused> {
        let ports = self.definition(parent).ports;
        if ports.is_empty() {
            let reason = "nobody exports it, so its protocol is not known".into();
            return Err(refused(parent, reason, "export it, or apply a route of your own"));
        }
        let parent_refs = vec![ParentRef {
            group: RefGroup::Multicluster,
            kind: RefKind::ServiceImport,
            name: parent.name.clone(),
            namespace: None,
            port: None,
        }];
        let backend_refs = weights.iter().map(|(n, w)| BackendRef::new(n.clone(), *w)).collect();
        let is_http = ports.iter().any(|port| port.app_protocol == AppProtocol::Http);
        let spec = if is_http {
            let rule = HttpRule { name: None, matches: Vec::new(), backend_refs, timeouts: None };
            Spec::HttpRoute(HttpRouteSpec { parent_refs, rules: vec![rule] })
        } else {
            let rules = vec![TcpRule { name: None, backend_refs }];
            Spec::TcpRoute(TcpRouteSpec { parent_refs, rules })
        };
        let metadata = Metadata::new(Some(parent.namespace.clone()), parent.name.clone());
        let resource = Resource { metadata, spec };
        let key: Key = resource.key();
        if self.objects.get(&key).is_some() {
            let reason = format!("no route has it as parent, but {key} exists for another");
            return Err(refused(parent, reason, "apply a route of your own under another name"));
        }
        self.check_quota(key.kind)?;
        Ok(resource)
    }
}

fn check_weights(
    parent: &ServiceName,
    weights: &BTreeMap<ResourceName, u32>,
) -> Result<(), Refused> {
    let hint = "give each backend a weight, as `reviews-v1=90 reviews-v3=10`";
    if weights.is_empty() || weights.len() > limits::ROUTE_BACKENDS_MAX {
        let max = limits::ROUTE_BACKENDS_MAX;
        let reason = format!("{} backends are named, expected 1 to {max}", weights.len());
        return Err(refused(parent, reason, hint));
    }
    if weights.values().all(|weight| *weight == 0) {
        return Err(refused(parent, "every weight is 0: no backend would serve".into(), hint));
    }
    if let Some((name, weight)) = weights.iter().find(|(_, w)| **w > limits::ROUTE_WEIGHT_MAX) {
        let reason = format!("{name}={weight} is above {}", limits::ROUTE_WEIGHT_MAX);
        return Err(refused(parent, reason, hint));
    }
    Ok(())
}

fn has_parent(route: &Resource, parent: &ServiceName) -> bool {
    let Some(namespace) = &route.metadata.namespace else { return false };
    let parents = match &route.spec {
        Spec::HttpRoute(spec) => &spec.parent_refs,
        Spec::TcpRoute(spec) => &spec.parent_refs,
        Spec::Cluster(_)
        | Spec::JoinToken(_)
        | Spec::Workspace(_)
        | Spec::ServiceExport(_)
        | Spec::FailoverPolicy(_)
        | Spec::AccessPolicy(_) => return false,
    };
    parents.iter().any(|reference| reference.service(namespace) == *parent)
}

/// The route with new weights in the one rule that takes what no match of another rule takes.
fn rewritten(
    parent: &ServiceName,
    route: &Resource,
    weights: &BTreeMap<ResourceName, u32>,
) -> Result<Resource, Refused> {
    let mut resource = route.clone();
    let key = route.key();
    let backends = match &mut resource.spec {
        Spec::HttpRoute(spec) => {
            let rule = open_rule(parent, &key, spec)?;
            &mut spec.rules[rule].backend_refs
        }
        Spec::TcpRoute(spec) => &mut spec.rules[0].backend_refs,
        Spec::Cluster(_)
        | Spec::JoinToken(_)
        | Spec::Workspace(_)
        | Spec::ServiceExport(_)
        | Spec::FailoverPolicy(_)
        | Spec::AccessPolicy(_) => unreachable!("only routes have parents"),
    };
    let fresh = weights.iter().map(|(name, weight)| {
        let held = backends.iter().find(|backend| backend.name == *name);
        let fresh = BackendRef::new(name.clone(), *weight);
        held.map_or(fresh, |held| BackendRef { weight: *weight, ..held.clone() })
    });
    *backends = fresh.collect();
    Ok(resource)
}

/// The one rule that takes what no match of another rule takes.
fn open_rule(parent: &ServiceName, key: &Key, spec: &HttpRouteSpec) -> Result<usize, Refused> {
    let rules = spec.rules.iter().enumerate();
    let mut open = rules.filter(|(_, rule)| rule.matches.is_empty()).map(|(at, _)| at);
    let reason = match (open.next(), open.next()) {
        (Some(rule), None) => return Ok(rule),
        (None, _) => format!("every rule of {key} has matches"),
        (Some(_), Some(_)) => format!("{key} has several rules without matches"),
    };
    Err(refused(parent, reason, "edit the rule that you mean"))
}

fn refused(parent: &ServiceName, reason: String, hint: &str) -> Refused {
    Refused::Shift { parent: parent.to_string(), reason, hint: hint.into() }
}
