use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;

const DRAWS: u64 = 20_000;

/// Usable and all endpoints, or nothing known; level; drained.
fn candidate() -> impl Strategy<Value = (Option<(u32, u32)>, usize, bool)> {
    let counts = (0..6_u32, 0..6_u32).prop_map(|(usable, more)| (usable, usable + more));
    (prop::option::of(counts), 0..3_usize, any::<bool>())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// What the page says of shares is what gateways do, draw by draw and caller by caller.
    #[test]
    fn shares_are_what_spill_does(
        made in prop::collection::vec(candidate(), 1..6),
        overprovisioning in 100..300_u64,
        is_by_caller: bool,
    ) {
        let names: Vec<ClusterName> =
            (0..made.len()).map(|at| format!("c{at}").parse().expect("a name")).collect();
        let mut group: Vec<Candidate<'_>> = names.iter().zip(&made).map(|(cluster, made)| {
            let (counts, level, is_drained) = *made;
            let rank = Rank { is_drained, is_unknown: counts.is_none(), level };
            let (usable, total) = counts.unwrap_or_default();
            Candidate { cluster, rank, counts: Counts { usable, total } }
        }).collect();
        group.sort_by_key(|candidate| candidate.rank);
        let mut chosen: BTreeMap<&ClusterName, u64> = BTreeMap::new();
        for draw in 0..DRAWS {
            let draw = super::super::mix(draw, 7);
            let key = Key::from_number(draw);
            let standing = key.draw(1) % FULL;
            let pick =
                if is_by_caller { Pick::Caller { key, standing } } else { Pick::Draw(draw) };
            if let Some(cluster) = spill(&group, overprovisioning, pick) {
                *chosen.entry(cluster).or_default() += 1;
            }
        }
        for (candidate, share) in group.iter().zip(shares(&group, overprovisioning)) {
            let count = chosen.get(candidate.cluster).copied().unwrap_or_default();
            let found = count as f64 / DRAWS as f64;
            prop_assert!((found - share).abs() < 0.03, "{candidate:?}: {found} of draws, {share}");
        }
    }
}
