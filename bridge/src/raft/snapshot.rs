//! Snapshots of the state machine in files: made aside, checked block by block, the last two kept.
//!
//! ```text
//! | magic 8 | index 8 | term 8 | body length 8 | crc 4 | { block of up to 64 KiB | crc 4 }... |
//! ```
//!
//! The body is the membership, length first, then the state. The same bytes travel to a peer.

use std::io;
use std::path::PathBuf;

use protobuf::Message;
use raft::eraftpb::ConfState;
use rialto_types::limits::RAFT_SNAPSHOTS_KEPT;

use super::disk::Disk;
use super::log::Position;

#[cfg(test)]
mod tests;

const MAGIC: [u8; 8] = *b"RIALTOS1";
const HEADER: usize = 36;
const CRC: usize = 4;
const BLOCK: usize = 64 * 1024;

#[derive(Debug, Clone, PartialEq)]
pub(super) struct Snapshot {
    pub(super) position: Position,
    pub(super) conf_state: ConfState,
    pub(super) state: Vec<u8>,
}

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error(
        "cannot {action} the snapshot file `{path}`; the member stops rather than guess what \
         is on disk"
    )]
    Io { action: &'static str, path: PathBuf, source: io::Error },
    #[error(
        "snapshot file `{path}` is damaged at byte {offset}: {what}; move this member's data \
         folder away and join again as a new member"
    )]
    Damaged { path: PathBuf, offset: u64, what: &'static str },
    #[error(
        "snapshot file `{path}` is missing, and the log begins after it; restore it, or move this \
         member's data folder away and join again as a new member"
    )]
    Missing { path: PathBuf },
}

/// Where a file that was not read from disk is wrong.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("the snapshot is damaged at byte {offset}: {what}")]
pub(super) struct Damage {
    pub(super) offset: u64,
    pub(super) what: &'static str,
}

impl Snapshot {
    pub(super) fn encode(&self) -> Vec<u8> {
        let conf_state =
            self.conf_state.write_to_bytes().expect("raft's messages have no required fields");
        let mut body = (conf_state.len() as u32).to_le_bytes().to_vec();
        body.extend(conf_state);
        body.extend(&self.state);
        let mut file = Vec::with_capacity(HEADER + body.len() + body.len() / BLOCK * CRC + CRC);
        file.extend(MAGIC);
        for field in [self.position.index, self.position.term, body.len() as u64] {
            file.extend(field.to_le_bytes());
        }
        file.extend(crc32fast::hash(&file).to_le_bytes());
        for block in body.chunks(BLOCK) {
            file.extend(block);
            file.extend(crc32fast::hash(block).to_le_bytes());
        }
        file
    }

    pub(super) fn decode(file: &[u8]) -> Result<Snapshot, Damage> {
        let damage = |offset: usize, what| Damage { offset: offset as u64, what };
        let header = file.first_chunk::<HEADER>().ok_or(damage(0, "the header is cut short"))?;
        let field = |at: usize| {
            header[at..].first_chunk().map_or(0, |bytes: &[u8; 8]| u64::from_le_bytes(*bytes))
        };
        if header[..8] != MAGIC || header[32..] != crc32fast::hash(&header[..32]).to_le_bytes() {
            return Err(damage(0, "the header is wrong"));
        }
        let body_length = field(24) as usize;
        let length = HEADER + body_length + body_length.div_ceil(BLOCK) * CRC;
        if file.len() != length {
            return Err(damage(file.len().min(length), "the file has another length than written"));
        }
        let mut body = Vec::with_capacity(body_length);
        let mut offset = HEADER;
        for block in file[HEADER..].chunks(BLOCK + CRC) {
            let (content, crc) = block.split_at(block.len() - CRC);
            if crc != crc32fast::hash(content).to_le_bytes() {
                return Err(damage(offset, "the checksum of a block is wrong"));
            }
            body.extend(content);
            offset += block.len();
        }
        let unreadable = damage(HEADER, "the membership cannot be read");
        let Some(conf_length) = body.first_chunk::<4>().map(|bytes| u32::from_le_bytes(*bytes))
        else {
            return Err(unreadable);
        };
        let state_at = 4 + conf_length as usize;
        let Some(Ok(conf_state)) = body.get(4..state_at).map(ConfState::parse_from_bytes) else {
            return Err(unreadable);
        };
        let state = body.split_off(state_at);
        Ok(Snapshot { position: Position { index: field(8), term: field(16) }, conf_state, state })
    }
}

/// Durable on return.
pub(super) fn save(disk: &mut dyn Disk, position: Position, file: &[u8]) -> Result<(), Error> {
    let name = name(position);
    disk.create(&name, file, file.len() as u64).map_err(|source| Error::Io {
        action: "write",
        path: disk.path(&name),
        source,
    })
}

pub(super) fn load(disk: &dyn Disk, position: Position) -> Result<Snapshot, Error> {
    let path = file_path(disk, position);
    let file = match disk.read(&name(position)) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return Err(Error::Missing { path });
        }
        Err(source) => return Err(Error::Io { action: "read", path, source }),
    };
    let snapshot = Snapshot::decode(&file).map_err(|Damage { offset, what }| Error::Damaged {
        path: path.clone(),
        offset,
        what,
    })?;
    if snapshot.position != position {
        return Err(Error::Damaged { path, offset: 8, what: "it belongs under another name" });
    }
    Ok(snapshot)
}

/// Removes all but the newest two up to `newest`, and those above it, which no log refers to.
pub(super) fn remove_old(disk: &mut dyn Disk, newest: Position) -> Result<(), Error> {
    let found = list(disk)?;
    let superseded = found.iter().filter(|position| position.index <= newest.index).rev();
    let unreferenced = found.iter().filter(|position| position.index > newest.index);
    for position in superseded.skip(RAFT_SNAPSHOTS_KEPT).chain(unreferenced) {
        let name = name(*position);
        disk.remove(&name).map_err(|source| Error::Io {
            action: "remove",
            path: disk.path(&name),
            source,
        })?;
    }
    Ok(())
}

/// All snapshot files, oldest first.
pub(super) fn list(disk: &dyn Disk) -> Result<Vec<Position>, Error> {
    let names =
        disk.list().map_err(|source| Error::Io { action: "list", path: disk.path(""), source })?;
    let mut found: Vec<Position> = names.iter().filter_map(|name| parse_name(name)).collect();
    found.sort_unstable_by_key(|position| (position.index, position.term));
    Ok(found)
}

pub(super) fn file_path(disk: &dyn Disk, position: Position) -> PathBuf {
    disk.path(&name(position))
}

fn name(position: Position) -> String {
    format!("snapshot-{:016}-{:08}.bin", position.index, position.term)
}

fn parse_name(name: &str) -> Option<Position> {
    let (index, term) = name.strip_prefix("snapshot-")?.strip_suffix(".bin")?.split_once('-')?;
    Some(Position { index: index.parse().ok()?, term: term.parse().ok()? })
}
