//! A segment in a spool file: length, checksum, header, hash of the log, payload.

use bytes::Bytes;
use sha2::{Digest as _, Sha256};

use crate::segment::{Hash, MAGIC, Segment, SegmentHeader};

/// Four bytes of length, eight of checksum.
pub(super) const FRAME: usize = 4 + CHECKSUM;
const CHECKSUM: usize = 8;
const PREFIX: usize = SegmentHeader::LENGTH + 32;
/// No segment is longer: 64 KiB that do not shrink grow by a few bytes.
pub(super) const MOST: usize = 128 * 1024;

/// What lies at the front of a spool file's bytes.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Front {
    /// A segment, and the length of its record.
    Segment(Box<Segment>, usize),
    /// The beginning of a record, or nothing.
    Unfinished,
    /// No record.
    Damaged,
}

/// Writes a segment as one record.
pub(crate) fn to_record(segment: &Segment) -> Vec<u8> {
    let length = PREFIX + segment.payload.len();
    let mut record = Vec::with_capacity(FRAME + length);
    let written = u32::try_from(length).expect("a segment has at most 64 KiB");
    record.extend_from_slice(&written.to_be_bytes());
    record.extend_from_slice(&[0; CHECKSUM]);
    record.extend_from_slice(&segment.header.to_bytes());
    record.extend_from_slice(&segment.raw_hash);
    record.extend_from_slice(&segment.payload);
    let checksum = checksum(&record[FRAME..]);
    record[4..FRAME].copy_from_slice(&checksum);
    record
}

/// Reads the record at the front.
pub(crate) fn read_front(bytes: &[u8]) -> Front {
    let Some((length, rest)) = bytes.split_first_chunk::<4>() else {
        return Front::Unfinished;
    };
    let length = u32::from_be_bytes(*length) as usize;
    if !(PREFIX..=MOST).contains(&length) {
        return Front::Damaged;
    }
    if rest.len() < CHECKSUM + length {
        return Front::Unfinished;
    }
    let (sum, rest) = rest.split_at(CHECKSUM);
    let body = &rest[..length];
    if checksum(body) != sum {
        return Front::Damaged;
    }
    read_body(body).map_or(Front::Damaged, |segment| {
        Front::Segment(Box::new(segment), FRAME + length)
    })
}

/// Where the first whole record begins among bytes, if there is any.
pub(super) fn find_next(bytes: &[u8]) -> Option<usize> {
    let fronts = bytes.windows(MAGIC.len()).enumerate();
    let fronts = fronts.filter(|(_, word)| *word == MAGIC);
    let mut starts = fronts.filter_map(|(at, _)| at.checked_sub(FRAME));
    starts.find(|at| matches!(read_front(&bytes[*at..]), Front::Segment(..)))
}

fn read_body(body: &[u8]) -> Option<Segment> {
    let (header, rest) = body.split_at(SegmentHeader::LENGTH);
    let (raw_hash, payload) = rest.split_first_chunk::<32>()?;
    Some(Segment {
        header: SegmentHeader::from_bytes(header)?,
        raw_hash: *raw_hash as Hash,
        payload: Bytes::copy_from_slice(payload),
    })
}

/// Finds what a power cut or a kill left half written; nobody forges a spool.
fn checksum(body: &[u8]) -> [u8; CHECKSUM] {
    let hash: Hash = Sha256::digest(body).into();
    *hash.first_chunk().expect("a SHA-256 has 32 bytes")
}

#[cfg(test)]
mod tests {
    use session_identity::{ExamSessionId, TerminalProcessId};

    use super::*;

    fn segment() -> Segment {
        let log = b"entries, as far as a record is concerned";
        let header = SegmentHeader {
            session_id: ExamSessionId::generate(),
            shell_epoch: 1,
            writer: TerminalProcessId::generate(),
            writer_seq: 7,
            from_offset: 10,
            to_offset: 50,
            started_at_micros: 1_790_000_000_000_000,
            entries: 1,
            raw_length: u32::try_from(log.len()).unwrap(),
        };
        Segment::compress(header, log).unwrap()
    }

    #[test]
    fn a_record_is_read_whole_whatever_follows_it() {
        let segment = segment();
        let record = to_record(&segment);
        let length = record.len();
        for rest in [&[][..], &[0], &record] {
            let bytes = [&record[..], rest].concat();
            let whole = Front::Segment(Box::new(segment.clone()), length);
            assert_eq!(read_front(&bytes), whole);
        }
    }

    #[test]
    fn a_record_cut_anywhere_is_unfinished_and_changed_anywhere_is_none() {
        let record = to_record(&segment());
        for cut in 0..record.len() {
            assert_eq!(read_front(&record[..cut]), Front::Unfinished, "{cut}");
            let mut changed = record.clone();
            changed[cut] ^= 0x10;
            let front = read_front(&changed);
            assert!(!matches!(front, Front::Segment(..)), "{cut}: {front:?}");
        }
    }
}
