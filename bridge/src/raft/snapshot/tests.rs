use raft::eraftpb::ConfState;

use super::super::disk::Disk;
use super::super::disk::memory::MemoryDisk;
use super::super::log::Position;
use super::*;

#[test]
fn a_snapshot_is_found_again() {
    let disk = MemoryDisk::default();
    for length in [0, 1, BLOCK - 1, BLOCK, 3 * BLOCK + 5] {
        let snapshot = snapshot(10 + length as u64, length);
        save(&mut disk.clone(), snapshot.position, &snapshot.encode()).expect("a working disk");
        assert_eq!(load(&disk, snapshot.position).expect("an undamaged file"), snapshot);
    }
}

#[test]
fn every_flipped_byte_is_named() {
    let disk = MemoryDisk::default();
    let snapshot = snapshot(10, 300);
    let file = snapshot.encode();
    save(&mut disk.clone(), snapshot.position, &file).expect("a working disk");
    let name = disk.names().remove(0);
    for at in 0..file.len() {
        let mut bytes = file.clone();
        bytes[at] ^= 1 << (at % 8);
        disk.replace(&name, bytes);
        match load(&disk, snapshot.position) {
            Err(Error::Damaged { path, offset, .. }) => {
                assert_eq!(path.to_str(), Some(name.as_str()));
                assert!(offset <= at as u64);
            }
            other => panic!("byte {at}: {other:?}"),
        }
    }
}

#[test]
fn a_file_cut_anywhere_is_refused() {
    let file = snapshot(10, 300).encode();
    for length in 0..file.len() {
        assert!(Snapshot::decode(&file[..length]).is_err(), "{length} bytes were taken");
    }
}

#[test]
fn the_last_two_are_kept_and_what_no_log_refers_to_goes() {
    let disk = MemoryDisk::default();
    for index in [10, 20, 30, 40] {
        let snapshot = snapshot(index, 1);
        save(&mut disk.clone(), snapshot.position, &snapshot.encode()).expect("a working disk");
    }
    remove_old(&mut disk.clone(), Position { index: 30, term: 2 }).expect("a working disk");
    let left: Vec<u64> =
        list(&disk).expect("a working disk").iter().map(|position| position.index).collect();
    assert_eq!(left, [20, 30]);
}

#[test]
fn a_missing_file_is_named() {
    let disk = MemoryDisk::default();
    assert_eq!(disk.list().expect("a working disk").len(), 0);
    let missing = load(&disk, Position { index: 1, term: 1 });
    assert!(matches!(missing, Err(Error::Missing { .. })));
}

fn snapshot(index: u64, length: usize) -> Snapshot {
    let mut conf_state = ConfState::default();
    conf_state.voters.extend([1, 2, 3]);
    let state = (0..length).map(|at| (at % 251) as u8).collect();
    Snapshot { position: Position { index, term: 2 }, conf_state, state }
}
