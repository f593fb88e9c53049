//! The write-ahead log of one member: segments of frames, one flush per batch, every byte checked.
//!
//! Segments are prefilled with zeros: a commit then changes no file size (a third less time per
//! flush than a growing file), a full disk shows when a segment is made and not in the middle of a
//! write, and a file that is too short is damage and not a torn tail.

use std::io;
use std::path::PathBuf;

use raft::eraftpb::{Entry, HardState};
use rialto_types::limits::{RAFT_LOG_FRAME_BYTES_MAX, RAFT_LOG_SEGMENT_BYTES};

use super::disk::Disk;
use frame::SECTOR;
use record::Record;
pub(super) use record::{Membership, Owner, Position, SnapshotMark};

mod frame;
mod record;
mod segment;
#[cfg(test)]
mod tests;

/// Everything that one flush makes durable.
#[derive(Debug, Default)]
pub(super) struct Batch {
    pub(super) snapshot_mark: Option<SnapshotMark>,
    pub(super) membership: Option<Membership>,
    pub(super) entries: Vec<Entry>,
    pub(super) hard_state: Option<HardState>,
}

/// What a log starts from; one frame, so that a crash leaves all of it or an empty segment.
#[derive(Debug, Default)]
pub(super) struct Beginning {
    pub(super) snapshot_mark: SnapshotMark,
    pub(super) membership: Membership,
    pub(super) hard_state: HardState,
}

/// What the log says after a restart.
#[derive(Debug, Default, PartialEq, Clone)]
pub(super) struct Recovered {
    pub(super) owner: Owner,
    pub(super) snapshot_mark: SnapshotMark,
    pub(super) membership: Membership,
    pub(super) hard_state: HardState,
    /// Without a gap from the entry after `snapshot_mark.base`.
    pub(super) entries: Vec<Entry>,
    /// The file and offset at which a write that never ended was cut off.
    pub(super) torn: Option<(PathBuf, u64)>,
}

#[derive(Debug, Clone, Copy)]
pub(super) struct Sizes {
    pub(super) segment: usize,
    pub(super) frame: usize,
}

impl Default for Sizes {
    fn default() -> Sizes {
        Sizes { segment: RAFT_LOG_SEGMENT_BYTES, frame: RAFT_LOG_FRAME_BYTES_MAX }
    }
}

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error(
        "cannot {action} the raft log file `{path}`; the member stops rather than guess what \
         is on disk"
    )]
    Io { action: &'static str, path: PathBuf, source: io::Error },
    #[error(
        "raft log file `{path}` is damaged at byte {offset}: {what}; acknowledged changes may be \
         gone, so move this member's data folder away and join again as a new member"
    )]
    Damaged { path: PathBuf, offset: u64, what: &'static str },
    #[error(
        "raft log file `{path}` has {actual} bytes where {expected} were written; move this \
         member's data folder away and join again as a new member"
    )]
    Truncated { path: PathBuf, actual: u64, expected: u64 },
    #[error(
        "raft log file `{path}` is missing; restore it, or move this member's data folder away \
         and join again as a new member"
    )]
    Missing { path: PathBuf },
    #[error(
        "raft log file `{path}` was written by a newer version of rialto (byte {offset}); \
         start that version"
    )]
    Newer { path: PathBuf, offset: u64 },
    #[error(
        "the raft log in `{path}` knows of committed entry {commit} but ends at {last}; move this \
         member's data folder away and join again as a new member"
    )]
    Short { path: PathBuf, commit: u64, last: u64 },
}

/// The open log; the folder is passed to each call because the snapshots share it.
#[derive(Debug)]
pub(super) struct Log {
    sizes: Sizes,
    segments: Vec<segment::Segment>,
    /// Where the next frame goes in the last segment.
    position: usize,
    sequence: u64,
    /// What a new segment repeats at its start, so that older ones can go.
    checkpoint: Checkpoint,
}

#[derive(Debug, Clone, Default)]
struct Checkpoint {
    owner: Owner,
    snapshot_mark: SnapshotMark,
    membership: Membership,
    hard_state: HardState,
}

impl Log {
    /// Reads and checks everything. `None` when the folder holds no log.
    pub(super) fn open(
        disk: &mut dyn Disk,
        sizes: Sizes,
    ) -> Result<Option<(Log, Recovered)>, Error> {
        let Some(scan) = segment::scan(disk)? else { return Ok(None) };
        let mut recovered = scan.recovered;
        let mut log = Log {
            sizes,
            segments: scan.segments,
            position: scan.position,
            sequence: scan.sequence,
            checkpoint: Checkpoint {
                owner: recovered.owner,
                snapshot_mark: recovered.snapshot_mark,
                membership: recovered.membership.clone(),
                hard_state: recovered.hard_state.clone(),
            },
        };
        log.checkpoint.owner.boot += 1;
        recovered.owner = log.checkpoint.owner;
        // A start that cannot write should fail here and not at the first vote.
        log.write(disk, log.checkpoint.records())?;
        Ok(Some((log, recovered)))
    }

    /// A new log. Refuses nothing: the caller knows that the folder is empty.
    pub(super) fn create(
        disk: &mut dyn Disk,
        sizes: Sizes,
        member: u64,
        beginning: Beginning,
    ) -> Result<Log, Error> {
        let mut log = Log {
            sizes,
            segments: Vec::new(),
            position: 0,
            sequence: 1,
            checkpoint: Checkpoint { owner: Owner { member, boot: 1 }, ..Checkpoint::default() },
        };
        log.checkpoint.snapshot_mark = beginning.snapshot_mark;
        log.checkpoint.membership = beginning.membership;
        log.checkpoint.hard_state = beginning.hard_state;
        log.start_segment(disk, 1)?;
        Ok(log)
    }

    /// Durable on return.
    pub(super) fn append(&mut self, disk: &mut dyn Disk, batch: Batch) -> Result<(), Error> {
        let commit_before = self.checkpoint.hard_state.commit;
        let mark_index = batch.snapshot_mark.map_or(0, |mark| mark.snapshot.index);
        let mut records = Vec::new();
        records.extend(batch.snapshot_mark.map(Record::SnapshotMark));
        records.extend(batch.membership.map(Record::Membership));
        // A batch may take several frames, and a crash may keep only the first: term and vote go
        // before the entries, the commit index that may count them goes after.
        if let Some(hard_state) = &batch.hard_state {
            let mut early = hard_state.clone();
            early.commit = early.commit.min(commit_before.max(mark_index));
            records.push(Record::HardState(early));
        }
        records.extend(batch.entries.into_iter().map(Record::Entry));
        if let Some(hard_state) = batch.hard_state
            && hard_state.commit > commit_before.max(mark_index)
        {
            records.push(Record::HardState(hard_state));
        }
        self.write(disk, records)
    }

    /// Removes segments that hold nothing above the base of the last snapshot mark.
    pub(super) fn compact(&mut self, disk: &mut dyn Disk) -> Result<(), Error> {
        let base = self.checkpoint.snapshot_mark.base.index;
        while self.segments.len() > 1 && self.segments[0].last_index <= base {
            let name = self.segments[0].name();
            disk.remove(&name).map_err(|source| io_error(disk, "remove", &name, source))?;
            self.segments.remove(0);
        }
        Ok(())
    }

    /// As it is on disk.
    pub(super) fn commit(&self) -> u64 {
        self.checkpoint.hard_state.commit
    }

    pub(super) fn owner(&self) -> Owner {
        self.checkpoint.owner
    }

    #[cfg(test)]
    pub(super) fn segment_count(&self) -> usize {
        self.segments.len()
    }

    fn write(&mut self, disk: &mut dyn Disk, records: Vec<Record>) -> Result<(), Error> {
        let mut payload = Vec::new();
        let mut last_index = 0;
        let mut written = Vec::new();
        for record in records {
            record.encode(&mut payload);
            if let Record::Entry(entry) = &record {
                last_index = last_index.max(entry.index);
            } else {
                written.push(record);
            }
            if payload.len() >= self.sizes.frame {
                self.write_frame(disk, &payload, last_index)?;
                payload.clear();
                self.checkpoint.note(&mut written);
            }
        }
        if !payload.is_empty() {
            self.write_frame(disk, &payload, last_index)?;
            self.checkpoint.note(&mut written);
        }
        Ok(())
    }

    fn write_frame(
        &mut self,
        disk: &mut dyn Disk,
        payload: &[u8],
        last_index: u64,
    ) -> Result<(), Error> {
        if self.position + frame::size(payload.len()) > self.sizes.segment {
            let number = self.segments.last().map_or(1, |segment| segment.number + 1);
            self.start_segment(disk, number)?;
        }
        let frame = frame::encode(self.sequence, payload);
        assert!(
            self.position + frame.len() <= self.sizes.segment,
            "a frame of {} bytes cannot fit in a segment; commands are bounded below that",
            frame.len()
        );
        let segment = self.segments.last_mut().expect("a log has a segment from its creation on");
        let name = segment.name();
        disk.write(&name, self.position as u64, &frame)
            .map_err(|source| io_error(disk, "write", &name, source))?;
        disk.sync(&name).map_err(|source| io_error(disk, "flush", &name, source))?;
        segment.last_index = segment.last_index.max(last_index);
        self.position += frame.len();
        self.sequence += 1;
        Ok(())
    }

    fn start_segment(&mut self, disk: &mut dyn Disk, number: u64) -> Result<(), Error> {
        let segment = segment::Segment { number, last_index: 0 };
        let name = segment.name();
        let size = self.sizes.segment as u64;
        let header = segment::header(number, self.sequence, size);
        disk.create(&name, &header, size)
            .map_err(|source| io_error(disk, "make", &name, source))?;
        self.segments.push(segment);
        self.position = SECTOR;
        self.write(disk, self.checkpoint.records())
    }
}

impl Checkpoint {
    /// Takes over what is durable by now; a segment begun in the middle of a batch repeats no more.
    fn note(&mut self, written: &mut Vec<Record>) {
        for record in written.drain(..) {
            match record {
                Record::Owner(owner) => self.owner = owner,
                Record::SnapshotMark(mark) => self.snapshot_mark = mark,
                Record::Membership(membership) => self.membership = membership,
                Record::HardState(hard_state) => self.hard_state = hard_state,
                Record::Entry(_) => {}
            }
        }
    }

    fn records(&self) -> Vec<Record> {
        vec![
            Record::Owner(self.owner),
            Record::SnapshotMark(self.snapshot_mark),
            Record::Membership(self.membership.clone()),
            Record::HardState(self.hard_state.clone()),
        ]
    }
}

impl Recovered {
    fn apply(&mut self, record: Record) -> Result<(), &'static str> {
        match record {
            Record::Owner(owner) => self.owner = owner,
            Record::HardState(state) => self.hard_state = state,
            Record::Membership(membership) => self.membership = membership,
            Record::SnapshotMark(mark) => {
                self.snapshot_mark = mark;
                discard_below(&mut self.entries, mark.base);
            }
            Record::Entry(entry) => {
                let first = self.entries.first().map_or(entry.index, |first| first.index);
                let known = self.entries.len() as u64;
                if entry.index < first || entry.index > first + known {
                    return Err("an entry leaves a gap to the one before it");
                }
                self.entries.truncate((entry.index - first) as usize);
                self.entries.push(entry);
            }
        }
        Ok(())
    }
}

/// Keeps what follows `base`; nothing, when the entries belong to another history.
pub(super) fn discard_below(entries: &mut Vec<Entry>, base: Position) {
    let Some(first) = entries.first().map(|entry| entry.index) else { return };
    if first > base.index {
        return;
    }
    let at = (base.index - first) as usize;
    if entries.get(at).is_some_and(|entry| entry.term == base.term) {
        entries.drain(..=at);
    } else {
        entries.clear();
    }
}

fn io_error(disk: &dyn Disk, action: &'static str, name: &str, source: io::Error) -> Error {
    Error::Io { action, path: disk.path(name), source }
}
