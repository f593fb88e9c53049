//! What an import takes over besides ports: all of the oldest export that states it.

use std::collections::BTreeSet;

use rialto_types::id::ClusterName;
use rialto_types::import::{Conflict, IpFamily, Reason, Traits};

use super::Export;

/// What an export states, and for which cluster.
#[derive(Clone, Copy)]
struct Stated<'a> {
    cluster: &'a ClusterName,
    traits: &'a Traits,
    headless: bool,
}

/// Everything but the ports. `exports` are sorted by age; those whose registry has no object for
/// exports state affinity only, which counts where no export is an object.
pub(super) fn merge(
    exports: &[Export<'_>],
    headless: bool,
    conflicts: &mut Vec<Conflict>,
) -> Traits {
    let stated: Vec<Stated<'_>> = exports
        .iter()
        .filter_map(|export| {
            let traits = &export.service.export.as_ref()?.traits;
            let headless = export.service.headless.is_some();
            Some(Stated { cluster: export.cluster, traits, headless })
        })
        .collect();
    let without_object = exports.iter().filter(|export| export.service.export.is_none());
    let mut sticky =
        without_object.filter_map(|it| Some((it.cluster, it.service.client_affinity_s?)));
    let Some((oldest, younger)) = stated.split_first() else {
        let client_affinity_s = sticky.next().map(|(_, seconds)| seconds);
        return Traits { client_affinity_s, ..Traits::default() };
    };
    if oldest.traits.client_affinity_s.is_none() {
        conflicts.extend(sticky.map(|(cluster, _)| Conflict {
            reason: Reason::SessionAffinityConflict,
            message: format!(
                "cluster {cluster}: sessionAffinity is not as in {}, whose ServiceExport counts",
                oldest.cluster
            ),
        }));
    }
    for other in younger {
        for (reason, what) in differences(oldest, other) {
            let (cluster, first) = (other.cluster, oldest.cluster);
            let message = format!(
                "cluster {cluster}: {what} is not as in {first}, whose export is older and counts"
            );
            conflicts.push(Conflict { reason, message });
        }
    }
    let mut merged = Traits { ports: Vec::new(), ..oldest.traits.clone() };
    if headless {
        // DNS answers the endpoints of all clusters, each by its own family.
        for other in younger.iter().filter(|other| other.headless) {
            for family in &other.traits.ip_families {
                if !merged.ip_families.contains(family) {
                    merged.ip_families.push(*family);
                }
            }
        }
    }
    merged
}

fn differences(oldest: &Stated<'_>, other: &Stated<'_>) -> Vec<(Reason, &'static str)> {
    let (held, said) = (oldest.traits, other.traits);
    let affinity = (held.client_affinity_s, said.client_affinity_s);
    let all = [
        (
            affinity.0.is_some() != affinity.1.is_some(),
            Reason::SessionAffinityConflict,
            "sessionAffinity",
        ),
        (
            matches!(affinity, (Some(held), Some(said)) if held != said),
            Reason::SessionAffinityConfigConflict,
            "sessionAffinityConfig",
        ),
        (held.labels != said.labels, Reason::LabelsConflict, "exportedLabels"),
        (held.annotations != said.annotations, Reason::AnnotationsConflict, "exportedAnnotations"),
        (
            held.internal_traffic_policy != said.internal_traffic_policy,
            Reason::InternalTrafficPolicyConflict,
            "internalTrafficPolicy",
        ),
        (
            held.traffic_distribution != said.traffic_distribution,
            Reason::TrafficDistributionConflict,
            "trafficDistribution",
        ),
        // A gateway serves both families of a virtual IP whatever its endpoints have; pods that are
        // dialled themselves are reached by theirs only.
        (
            oldest.headless && other.headless && families(held) != families(said),
            Reason::IpFamilyConflict,
            "ipFamilies",
        ),
    ];
    let differing = all.into_iter().filter(|(differs, ..)| *differs);
    differing.map(|(_, reason, what)| (reason, what)).collect()
}

fn families(traits: &Traits) -> BTreeSet<IpFamily> {
    traits.ip_families.iter().copied().collect()
}
