//! The records inside a frame: kind, length, body.

use protobuf::Message;
use raft::eraftpb::{ConfState, Entry, HardState};

/// A place in the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(in crate::raft) struct Position {
    pub(in crate::raft) index: u64,
    pub(in crate::raft) term: u64,
}

/// The members as of an applied index.
#[derive(Debug, Clone, PartialEq, Default)]
pub(in crate::raft) struct Membership {
    pub(in crate::raft) index: u64,
    pub(in crate::raft) conf_state: ConfState,
}

/// A snapshot file is durable; entries up to `base` are not needed any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(in crate::raft) struct SnapshotMark {
    pub(in crate::raft) snapshot: Position,
    pub(in crate::raft) base: Position,
}

/// Whose log this is, and how often it has been opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(in crate::raft) struct Owner {
    pub(in crate::raft) member: u64,
    pub(in crate::raft) boot: u64,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Record {
    Owner(Owner),
    HardState(HardState),
    Membership(Membership),
    SnapshotMark(SnapshotMark),
    Entry(Entry),
}

const OWNER: u8 = 1;
const HARD_STATE: u8 = 2;
const MEMBERSHIP: u8 = 3;
const SNAPSHOT_MARK: u8 = 4;
const ENTRY: u8 = 5;
const PREFIX: usize = 5;

impl Record {
    pub(super) fn encode(&self, payload: &mut Vec<u8>) {
        let (kind, body) = match self {
            Record::Owner(owner) => (OWNER, numbers(&[owner.member, owner.boot])),
            Record::HardState(state) => (HARD_STATE, protobuf_bytes(state)),
            Record::Membership(membership) => {
                let mut body = numbers(&[membership.index]);
                body.extend(protobuf_bytes(&membership.conf_state));
                (MEMBERSHIP, body)
            }
            Record::SnapshotMark(SnapshotMark { snapshot, base }) => {
                (SNAPSHOT_MARK, numbers(&[snapshot.index, snapshot.term, base.index, base.term]))
            }
            Record::Entry(entry) => (ENTRY, protobuf_bytes(entry)),
        };
        payload.push(kind);
        payload.extend((body.len() as u32).to_le_bytes());
        payload.extend(body);
    }

    /// All records of a payload whose checksum was right; `None` when a later version wrote it.
    pub(super) fn decode_all(mut payload: &[u8]) -> Option<Vec<Record>> {
        let mut records = Vec::new();
        while !payload.is_empty() {
            let prefix = payload.first_chunk::<PREFIX>()?;
            let length = u32::from_le_bytes([prefix[1], prefix[2], prefix[3], prefix[4]]) as usize;
            let body = payload.get(PREFIX..PREFIX + length)?;
            records.push(Record::decode(prefix[0], body)?);
            payload = &payload[PREFIX + length..];
        }
        Some(records)
    }

    fn decode(kind: u8, body: &[u8]) -> Option<Record> {
        match kind {
            OWNER => {
                let [member, boot] = read_numbers(body)?;
                Some(Record::Owner(Owner { member, boot }))
            }
            HARD_STATE => HardState::parse_from_bytes(body).ok().map(Record::HardState),
            MEMBERSHIP => {
                let (index, conf_state) = body.split_at_checked(8)?;
                let [index] = read_numbers(index)?;
                let conf_state = ConfState::parse_from_bytes(conf_state).ok()?;
                Some(Record::Membership(Membership { index, conf_state }))
            }
            SNAPSHOT_MARK => {
                let [index, term, base_index, base_term] = read_numbers(body)?;
                Some(Record::SnapshotMark(SnapshotMark {
                    snapshot: Position { index, term },
                    base: Position { index: base_index, term: base_term },
                }))
            }
            ENTRY => Entry::parse_from_bytes(body).ok().map(Record::Entry),
            _ => None,
        }
    }
}

fn protobuf_bytes(message: &impl Message) -> Vec<u8> {
    message.write_to_bytes().expect("raft's messages have no required fields")
}

fn numbers(numbers: &[u64]) -> Vec<u8> {
    numbers.iter().flat_map(|number| number.to_le_bytes()).collect()
}

fn read_numbers<const COUNT: usize>(body: &[u8]) -> Option<[u64; COUNT]> {
    if body.len() != COUNT * 8 {
        return None;
    }
    let mut numbers = [0; COUNT];
    for (number, bytes) in numbers.iter_mut().zip(body.chunks_exact(8)) {
        *number = u64::from_le_bytes(*bytes.first_chunk()?);
    }
    Some(numbers)
}
