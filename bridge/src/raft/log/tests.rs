use proptest::prelude::*;
use raft::eraftpb::{ConfState, Entry, HardState};

use super::super::disk::memory::MemoryDisk;
use super::*;

const SMALL: Sizes = Sizes { segment: 4 * 1024, frame: 1024 };
const LARGE: Sizes = Sizes { segment: 16 * 1024, frame: 8 * 1024 };

#[test]
fn what_was_appended_is_found_again() {
    let (disk, expected) = written(40, SMALL);
    assert_eq!(opened(&disk).expect("an undamaged log"), expected);
}

#[test]
fn a_later_entry_with_a_lower_index_replaces_what_followed() {
    let (disk, _) = written(5, SMALL);
    let mut log = reopen(&disk, SMALL);
    log.append(&mut disk.clone(), batch(3..=3, 9, 2)).expect("a working disk");
    let found = opened(&disk).expect("an undamaged log");
    let terms: Vec<u64> = found.entries.iter().map(|entry| entry.term).collect();
    assert_eq!(terms, [1, 1, 9]);
}

#[test]
fn one_batch_is_one_flush() {
    let (disk, _) = written(0, LARGE);
    let mut log = reopen(&disk, LARGE);
    let before = disk.syncs();
    log.append(&mut disk.clone(), batch(1..=40, 1, 0)).expect("a working disk");
    assert_eq!(disk.syncs() - before, 1);
}

#[test]
fn segments_below_the_snapshot_go_and_nothing_else_changes() {
    let (disk, mut expected) = written(100, SMALL);
    let mut log = reopen(&disk, SMALL);
    let segments = log.segment_count();
    let mark = SnapshotMark {
        snapshot: Position { index: 80, term: 1 },
        base: Position { index: 70, term: 1 },
    };
    let batch = Batch { snapshot_mark: Some(mark), ..Batch::default() };
    log.append(&mut disk.clone(), batch).expect("a working disk");
    log.compact(&mut disk.clone()).expect("a working disk");
    assert!(log.segment_count() < segments && segments > 5);
    expected.snapshot_mark = mark;
    expected.entries.drain(..70);
    let found = opened(&disk).expect("a compacted log");
    assert_eq!(found, expected);
    // A second look finds the same, and a segment less is noticed.
    assert_eq!(opened(&disk).expect("a compacted log"), expected);
    let mut disk = disk.fork();
    let first = disk.names().remove(0);
    disk.remove(&first).expect("a file just listed");
    assert!(matches!(opened(&disk), Err(Error::Missing { .. })));
}

#[test]
fn an_installed_snapshot_ends_the_old_history() {
    let (disk, _) = written(10, SMALL);
    let mut log = reopen(&disk, SMALL);
    let base = Position { index: 50, term: 3 };
    let mut installed = batch(51..=52, 3, 50);
    installed.snapshot_mark = Some(SnapshotMark { snapshot: base, base });
    log.append(&mut disk.clone(), installed).expect("a working disk");
    let found = opened(&disk).expect("an undamaged log");
    let indexes: Vec<u64> = found.entries.iter().map(|entry| entry.index).collect();
    assert_eq!((indexes, found.hard_state.commit), (vec![51, 52], 50));
}

#[test]
fn every_flipped_byte_is_harmless_or_named() {
    let (disk, expected) = written(12, SMALL);
    let mut refused = 0;
    for name in disk.names() {
        let whole = disk.content(&name);
        for at in 0..whole.len() {
            let damaged = disk.fork();
            let mut bytes = whole.clone();
            bytes[at] ^= 1 << (at % 8);
            damaged.replace(&name, bytes);
            match opened(&damaged) {
                Ok(found) => assert_same(&found, &expected, &format!("{name} byte {at}")),
                Err(Error::Damaged { path, offset, .. }) => {
                    refused += 1;
                    assert_eq!(path.to_str(), Some(name.as_str()));
                    assert!(offset <= at as u64, "byte {at} is reported at {offset}");
                }
                Err(other) => panic!("{name} byte {at}: {other}"),
            }
        }
    }
    assert!(refused > 3_000, "only {refused} of the flips were noticed");
}

#[test]
fn a_file_cut_anywhere_is_refused() {
    let (disk, _) = written(12, SMALL);
    for name in disk.names() {
        let whole = disk.content(&name);
        for length in 0..whole.len() {
            let damaged = disk.fork();
            damaged.replace(&name, whole[..length].to_vec());
            assert!(opened(&damaged).is_err(), "{name} cut to {length} bytes was taken");
        }
    }
}

#[test]
fn a_zeroed_tail_loses_the_unfinished_write_alone() {
    let (disk, before) = written(5, LARGE);
    let name = disk.names().remove(0);
    let mut log = reopen(&disk, LARGE);
    let start = log.position;
    log.append(&mut disk.clone(), batch(6..=20, 1, 5)).expect("a working disk");
    let after = opened(&disk.fork()).expect("an undamaged log");
    let whole = disk.content(&name);
    let end = whole.iter().rposition(|byte| *byte != 0).expect("a written log") + 1;
    for cut in start..end {
        let torn = disk.fork();
        let mut bytes = whole.clone();
        bytes[cut..].fill(0);
        torn.replace(&name, bytes);
        let found = opened(&torn).expect("a torn tail is no damage");
        assert!(found.entries == before.entries || found.entries == after.entries, "cut at {cut}");
        let again = opened(&torn).expect("a log whose tail was cut");
        assert_eq!((again.entries, again.torn), (found.entries, None), "cut at {cut}");
    }
}

#[test]
fn a_power_cut_keeps_what_was_acknowledged_whatever_sectors_stay() {
    for mask in 0..64_u32 {
        let (disk, expected) = written(5, SMALL);
        let mut log = reopen(&disk, SMALL);
        disk.fail_syncs();
        let lost = log.append(&mut disk.clone(), batch(6..=20, 1, 5));
        assert!(matches!(lost, Err(Error::Io { action: "flush", .. })));
        disk.crash(|sector| mask & (1 << sector) != 0);
        let found = opened(&disk).expect("a power cut is no damage");
        assert_eq!(found.entries[..5], expected.entries[..], "sectors {mask:b}");
    }
}

#[test]
fn a_crash_before_the_first_flush_leaves_no_log() {
    let disk = MemoryDisk::default();
    disk.fail_syncs();
    assert!(Log::create(&mut disk.clone(), SMALL, 7, Beginning::default()).is_err());
    disk.crash(|_| false);
    assert!(open(&disk).is_none());
    assert!(disk.names().is_empty());
}

#[test]
fn a_lost_commit_is_noticed() {
    let (disk, _) = written(5, SMALL);
    let mut log = reopen(&disk, SMALL);
    let hard_state = HardState { commit: 9, ..HardState::default() };
    let batch = Batch { hard_state: Some(hard_state), ..Batch::default() };
    log.append(&mut disk.clone(), batch).expect("a working disk");
    assert!(matches!(opened(&disk), Err(Error::Short { commit: 9, last: 5, .. })));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// Random batches, then a power cut in one more and a flipped bit: never less than was
    /// acknowledged, never other bytes.
    #[test]
    fn crashes_and_flips_lose_nothing_silently(
        batches in prop::collection::vec((1_u64..6, 0_usize..900), 1..12),
        mask in any::<u64>(),
        flip in prop::option::of((any::<prop::sample::Index>(), 0_u8..8)),
    ) {
        let disk = MemoryDisk::default();
        let mut log = Log::create(&mut disk.clone(), SMALL, 7, Beginning::default())
            .expect("a working disk");
        let mut acknowledged = Vec::new();
        let (last, earlier) = batches.split_last().expect("at least one batch");
        for (count, size) in earlier {
            let entries = sized(acknowledged.len() as u64 + 1, *count, *size);
            acknowledged.extend(entries.clone());
            let batch = Batch { entries, ..Batch::default() };
            log.append(&mut disk.clone(), batch).expect("a working disk");
        }
        let entries = sized(acknowledged.len() as u64 + 1, last.0, last.1);
        disk.fail_syncs();
        log.append(&mut disk.clone(), Batch { entries, ..Batch::default() })
            .expect_err("a disk that cannot flush");
        disk.crash(|sector| mask & (1 << (sector % 64)) != 0);
        if let Some((at, bit)) = flip {
            let names = disk.names();
            let name = &names[at.index(names.len())];
            let mut bytes = disk.content(name);
            let at = at.index(bytes.len());
            bytes[at] ^= 1 << bit;
            disk.replace(name, bytes);
        }
        match opened(&disk) {
            Ok(found) => {
                prop_assert!(found.entries.len() >= acknowledged.len());
                prop_assert_eq!(&found.entries[..acknowledged.len()], &acknowledged[..]);
            }
            Err(error) => prop_assert!(flip.is_some(), "refused without damage: {}", error),
        }
    }
}

fn reopen(disk: &MemoryDisk, sizes: Sizes) -> Log {
    Log::open(&mut disk.clone(), sizes).expect("an undamaged log").expect("a log").0
}

fn open(disk: &MemoryDisk) -> Option<(Log, Recovered)> {
    Log::open(&mut disk.clone(), SMALL).expect("an undamaged log")
}

/// Opens, leaving `owner` out of the comparison: it counts openings.
fn opened(disk: &MemoryDisk) -> Result<Recovered, Error> {
    let (_, mut recovered) = Log::open(&mut disk.clone(), SMALL)?.expect("a log that was begun");
    assert_eq!(recovered.owner.member, 7);
    recovered.owner = Owner::default();
    Ok(recovered)
}

/// A log of `count` entries in batches of one, and what must be found in it.
fn written(count: u64, sizes: Sizes) -> (MemoryDisk, Recovered) {
    let disk = MemoryDisk::default();
    let mut beginning = Beginning::default();
    beginning.membership.conf_state.voters.push(7);
    let mut log = Log::create(&mut disk.clone(), sizes, 7, beginning).expect("a working disk");
    let mut expected = Recovered::default();
    expected.membership.conf_state.voters.push(7);
    for index in 1..=count {
        let batch = batch(index..=index, 1, index - 1);
        expected.entries.extend(batch.entries.clone());
        expected.hard_state = batch.hard_state.clone().unwrap_or_default();
        log.append(&mut disk.clone(), batch).expect("a working disk");
    }
    if count > 0 {
        let mut conf_state = ConfState::default();
        conf_state.voters.extend([7, 8]);
        expected.membership = Membership { index: count, conf_state };
        let membership = Some(expected.membership.clone());
        let batch = Batch { membership, ..Batch::default() };
        log.append(&mut disk.clone(), batch).expect("a working disk");
    }
    (disk, expected)
}

fn batch(indexes: std::ops::RangeInclusive<u64>, term: u64, commit: u64) -> Batch {
    let entries = indexes.map(|index| entry(index, term, 150)).collect();
    let hard_state = HardState { term, vote: 7, commit, ..HardState::default() };
    Batch { entries, hard_state: Some(hard_state), ..Batch::default() }
}

fn sized(first: u64, count: u64, size: usize) -> Vec<Entry> {
    (first..first + count).map(|index| entry(index, 1, size)).collect()
}

fn entry(index: u64, term: u64, size: usize) -> Entry {
    let data = format!("{index:08}").repeat(size / 8 + 1).into_bytes();
    Entry { index, term, data: data.into(), ..Entry::default() }
}

fn assert_same(found: &Recovered, expected: &Recovered, place: &str) {
    let found = Recovered { torn: None, ..found.clone() };
    assert_eq!(&found, expected, "{place}");
}
