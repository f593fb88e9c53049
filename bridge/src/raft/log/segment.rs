//! Segment files: their names and headers, and the scan of all of them at a start.

use super::super::disk::Disk;
use super::frame::{self, Found, SECTOR};
use super::record::Record;
use super::{Error, Recovered, io_error};

const MAGIC: [u8; 8] = *b"RIALTOL1";
const HEADER: usize = 36;

#[derive(Debug)]
pub(super) struct Segment {
    pub(super) number: u64,
    /// The highest index of any entry in it, overwritten ones included.
    pub(super) last_index: u64,
}

impl Segment {
    pub(super) fn name(&self) -> String {
        name(self.number)
    }
}

/// All segments read; where and with which sequence the next frame goes.
#[derive(Debug)]
pub(super) struct Scan {
    pub(super) recovered: Recovered,
    pub(super) segments: Vec<Segment>,
    pub(super) position: usize,
    pub(super) sequence: u64,
}

pub(super) fn header(number: u64, first_sequence: u64, size: u64) -> Vec<u8> {
    let mut header = MAGIC.to_vec();
    for field in [number, first_sequence, size] {
        header.extend(field.to_le_bytes());
    }
    header.extend(crc32fast::hash(&header).to_le_bytes());
    header
}

/// `None` when there is no log, or only one whose making a crash interrupted.
pub(super) fn scan(disk: &mut dyn Disk) -> Result<Option<Scan>, Error> {
    let names = disk.list().map_err(|source| io_error(disk, "list", "", source))?;
    let mut numbers: Vec<u64> = names.iter().filter_map(|name| parse_name(name)).collect();
    numbers.sort_unstable();
    let Some(&first) = numbers.first() else { return Ok(None) };
    let mut scan = Scan {
        recovered: Recovered::default(),
        segments: Vec::new(),
        position: SECTOR,
        sequence: 0,
    };
    for (number, expected) in numbers.iter().zip(first..) {
        if *number != expected {
            return Err(Error::Missing { path: disk.path(&name(expected)) });
        }
        scan.read_segment(disk, expected, expected == first + numbers.len() as u64 - 1)?;
    }
    if first == 1 && scan.sequence == 1 {
        remove_unborn(disk)?;
        return Ok(None);
    }
    scan.check_whole(disk)?;
    Ok(Some(scan))
}

impl Scan {
    fn read_segment(&mut self, disk: &mut dyn Disk, number: u64, last: bool) -> Result<(), Error> {
        let name = name(number);
        let bytes = disk.read(&name).map_err(|source| io_error(disk, "read", &name, source))?;
        let damaged = |offset: usize, what| Error::Damaged {
            path: disk.path(&name),
            offset: offset as u64,
            what,
        };
        let Some([stated_number, first_sequence, size]) = parse_header(&bytes) else {
            return Err(damaged(0, "the segment header is wrong"));
        };
        if stated_number != number {
            return Err(damaged(0, "the segment belongs under another name"));
        }
        if size != bytes.len() as u64 {
            let path = disk.path(&name);
            return Err(Error::Truncated { path, actual: bytes.len() as u64, expected: size });
        }
        if self.segments.is_empty() {
            self.sequence = first_sequence;
        } else if self.sequence != first_sequence {
            return Err(damaged(0, "records are missing before this segment"));
        }
        let mut segment = Segment { number, last_index: 0 };
        let mut position = SECTOR;
        loop {
            match frame::read(&bytes, position, self.sequence) {
                Found::Frame { payload, next } => {
                    let records = Record::decode_all(payload).ok_or_else(|| Error::Newer {
                        path: disk.path(&name),
                        offset: position as u64,
                    })?;
                    for record in records {
                        if let Record::Entry(entry) = &record {
                            segment.last_index = segment.last_index.max(entry.index);
                        }
                        self.recovered.apply(record).map_err(|what| damaged(position, what))?;
                    }
                    self.sequence += 1;
                    position = next;
                }
                Found::End => break,
                Found::Torn if last => {
                    self.cut(disk, &name, position, &bytes)?;
                    break;
                }
                // The next segment was begun only after everything here was durable.
                Found::Torn => {
                    return Err(damaged(
                        position,
                        "a record before the last segment is incomplete",
                    ));
                }
                Found::Damaged { offset, what } => return Err(damaged(offset, what)),
            }
        }
        self.position = position;
        self.segments.push(segment);
        Ok(())
    }

    /// Makes zeros of a write that never ended, or the next one could be taken for its rest.
    fn cut(
        &mut self,
        disk: &mut dyn Disk,
        name: &str,
        position: usize,
        bytes: &[u8],
    ) -> Result<(), Error> {
        let rest = &bytes[position..];
        let length = rest.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
        disk.write(name, position as u64, &vec![0; length])
            .map_err(|source| io_error(disk, "write", name, source))?;
        disk.sync(name).map_err(|source| io_error(disk, "flush", name, source))?;
        self.recovered.torn = Some((disk.path(name), position as u64));
        Ok(())
    }

    fn check_whole(&self, disk: &dyn Disk) -> Result<(), Error> {
        let base = self.recovered.snapshot_mark.base.index;
        let first = self.segments.first().map_or(1, |segment| segment.number);
        if self.recovered.entries.first().is_some_and(|entry| entry.index != base + 1) {
            return Err(Error::Missing { path: disk.path(&name(first.saturating_sub(1))) });
        }
        let last = self.recovered.entries.last().map_or(base, |entry| entry.index);
        let commit = self.recovered.hard_state.commit;
        if commit > last {
            return Err(Error::Short { path: disk.path(""), commit, last });
        }
        Ok(())
    }
}

fn remove_unborn(disk: &mut dyn Disk) -> Result<(), Error> {
    let name = name(1);
    disk.remove(&name).map_err(|source| io_error(disk, "remove", &name, source))
}

fn name(number: u64) -> String {
    format!("log-{number:010}.wal")
}

fn parse_name(name: &str) -> Option<u64> {
    name.strip_prefix("log-")?.strip_suffix(".wal")?.parse().ok()
}

fn parse_header(bytes: &[u8]) -> Option<[u64; 3]> {
    let header = bytes.first_chunk::<HEADER>()?;
    if bytes.len() < SECTOR || header[..8] != MAGIC {
        return None;
    }
    let mut fields = [0; 3];
    for (field, bytes) in fields.iter_mut().zip(header[8..32].chunks_exact(8)) {
        *field = u64::from_le_bytes(*bytes.first_chunk()?);
    }
    let crc = u32::from_le_bytes(*header[32..].first_chunk()?);
    (crc == crc32fast::hash(&header[..32])).then_some(fields)
}
