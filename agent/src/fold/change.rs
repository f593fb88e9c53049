//! What to tell the bridge, given what it has.

use rialto_types::report::ReportChange;

use crate::fold::Numbered;

/// The change from `base`, which the bridge has, to `next`; without a base, everything.
pub fn change(epoch: u64, base: Option<&Numbered>, next: &Numbered) -> ReportChange {
    let report = &next.report;
    let differs = |(name, service): &(_, &_)| {
        base.is_none_or(|base| base.report.services.get(*name) != Some(*service))
    };
    let services = report
        .services
        .iter()
        .filter(differs)
        .map(|(name, service)| (name.clone(), service.clone()));
    let before = base.into_iter().flat_map(|base| base.report.services.keys());
    let removed = before.filter(|name| !report.services.contains_key(*name)).cloned();
    ReportChange {
        cluster: report.cluster.clone(),
        epoch,
        base: base.map(|base| base.revision),
        revision: next.revision,
        namespaces: report.namespaces.clone(),
        gateways: report.gateways.clone(),
        services: services.collect(),
        removed: removed.collect(),
    }
}
