//! What to tell the bridge, given what it has.

use rialto_types::report::{Report, ReportChange, VirtualIps};

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
        .map(|(name, service)| (name.clone(), (**service).clone()));
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
        virtual_ips: virtual_ips(base, report),
    }
}

/// Without a base, or with one that left them to the bridge, all.
fn virtual_ips(base: Option<&Numbered>, report: &Report) -> Option<VirtualIps> {
    let all = report.virtual_ips.as_ref()?;
    let Some(before) = base.and_then(|base| base.report.virtual_ips.as_ref()) else {
        return Some(all.clone());
    };
    let differing =
        all.iter().filter(|(service, addresses)| before.get(*service) != Some(addresses));
    let gone = before.keys().filter(|service| !all.contains_key(*service));
    let gone = gone.map(|service| (service.clone(), Vec::new()));
    let differing = differing.map(|(service, addresses)| (service.clone(), addresses.clone()));
    Some(differing.chain(gone).collect())
}
