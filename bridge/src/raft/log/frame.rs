//! Frames: what one flush writes, laid out so that a torn write and a flipped bit look different.
//!
//! ```text
//! | magic 4 | flags 4 | length 4 | payload crc 4 | sequence 8 | header crc 4 | payload | end mark 4 | zeros |
//! ^ multiple of SECTOR                                                                                ^ next
//! ```
//!
//! A frame starts on a sector of its own, so no write touches a sector that holds acknowledged
//! bytes. The file was full of zeros before, so a write that a crash cut short leaves a whole
//! sector of zeros or a missing end mark, and a flipped bit leaves neither.

/// The unit in which a disk writes all or nothing.
pub(super) const SECTOR: usize = 512;
pub(super) const HEADER: usize = 28;

const MAGIC: [u8; 4] = *b"RFRM";
const END_MARK: [u8; 4] = *b"DONE";
/// Set when the payload has a whole sector of zeros of its own: then only the end mark tells.
const FLAG_ZERO_SECTOR: u32 = 1;

/// What stands at one position of a segment.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Found<'a> {
    Frame {
        payload: &'a [u8],
        next: usize,
    },
    /// Zeros from here on.
    End,
    /// The write that a crash interrupted; it was never acknowledged.
    Torn,
    Damaged {
        offset: usize,
        what: &'static str,
    },
}

/// Bytes on disk of a frame with a payload of this length.
pub(super) fn size(payload: usize) -> usize {
    (HEADER + payload + END_MARK.len()).next_multiple_of(SECTOR)
}

pub(super) fn encode(sequence: u64, payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![0; size(payload.len())];
    frame[HEADER..HEADER + payload.len()].copy_from_slice(payload);
    let end = HEADER + payload.len();
    frame[end..end + END_MARK.len()].copy_from_slice(&END_MARK);
    frame[0..4].copy_from_slice(&MAGIC);
    let flags = if has_zero_sector(&frame[..end + END_MARK.len()]) { FLAG_ZERO_SECTOR } else { 0 };
    frame[4..8].copy_from_slice(&flags.to_le_bytes());
    // Callers bound a frame by the segment, far below 4 GiB.
    frame[8..12].copy_from_slice(&(payload.len() as u32).to_le_bytes());
    frame[12..16].copy_from_slice(&crc32fast::hash(payload).to_le_bytes());
    frame[16..24].copy_from_slice(&sequence.to_le_bytes());
    let header_crc = crc32fast::hash(&frame[..24]);
    frame[24..28].copy_from_slice(&header_crc.to_le_bytes());
    frame
}

/// Judges `segment` at `position`, where the frame `sequence` is expected.
pub(super) fn read(segment: &[u8], position: usize, sequence: u64) -> Found<'_> {
    let rest = &segment[position..];
    if rest.len() < SECTOR {
        return Found::End;
    }
    let Some(header) = Header::parse(rest) else {
        return judge_header(rest, position, sequence);
    };
    let end = HEADER + header.length;
    if size(header.length) > rest.len() {
        return Found::Damaged { offset: position, what: "a record reaches beyond its segment" };
    }
    let payload = &rest[HEADER..end];
    let next = size(header.length);
    if crc32fast::hash(payload) == header.payload_crc {
        if header.sequence != sequence {
            return Found::Damaged { offset: position, what: "a record is out of sequence" };
        }
        return Found::Frame { payload, next: position + next };
    }
    if frame_behind(&rest[next..], sequence) {
        return Found::Damaged { offset: position, what: "the checksum of a record is wrong" };
    }
    let whole = &rest[..end + END_MARK.len()];
    let end_mark_missing = whole[end..] == [0; END_MARK.len()];
    let sector_missing = header.flags & FLAG_ZERO_SECTOR == 0 && has_zero_sector(whole);
    if end_mark_missing || sector_missing {
        return Found::Torn;
    }
    Found::Damaged { offset: position, what: "the checksum of the last record is wrong" }
}

/// No header can be read: is this the end, a write cut short, or damage?
fn judge_header(rest: &[u8], position: usize, sequence: u64) -> Found<'_> {
    if is_zero(rest) {
        return Found::End;
    }
    if frame_behind(&rest[SECTOR..], sequence) {
        return Found::Damaged { offset: position, what: "the header of a record is damaged" };
    }
    let first_sector_missing = is_zero(&rest[..HEADER]);
    let cut_inside_header = is_zero(&rest[HEADER..]);
    if first_sector_missing || cut_inside_header {
        return Found::Torn;
    }
    Found::Damaged { offset: position, what: "the header of the last record is damaged" }
}

/// Is there a good frame in `rest` that was written after the frame `sequence`?
fn frame_behind(rest: &[u8], sequence: u64) -> bool {
    rest.chunks(SECTOR).enumerate().any(|(index, sector)| {
        let Some(header) = Header::parse(sector) else { return false };
        let start = index * SECTOR + HEADER;
        header.sequence > sequence
            && rest
                .get(start..start + header.length)
                .is_some_and(|payload| crc32fast::hash(payload) == header.payload_crc)
    })
}

fn has_zero_sector(frame: &[u8]) -> bool {
    frame.chunks(SECTOR).any(is_zero)
}

/// By whole sectors, because most of a segment is zeros and all of it is looked at.
fn is_zero(bytes: &[u8]) -> bool {
    bytes.chunks(SECTOR).all(|sector| *sector == [0; SECTOR][..sector.len()])
}

struct Header {
    flags: u32,
    length: usize,
    payload_crc: u32,
    sequence: u64,
}

impl Header {
    fn parse(bytes: &[u8]) -> Option<Header> {
        let header = bytes.first_chunk::<HEADER>()?;
        let number = |at: usize| {
            u32::from_le_bytes([header[at], header[at + 1], header[at + 2], header[at + 3]])
        };
        if header[..4] != MAGIC || number(24) != crc32fast::hash(&header[..24]) {
            return None;
        }
        Some(Header {
            flags: number(4),
            length: number(8) as usize,
            payload_crc: number(12),
            sequence: u64::from(number(16)) | u64::from(number(20)) << 32,
        })
    }
}
