//! What a spool file of a dead process still holds.

use std::fs::File;
use std::io;
use std::path::Path;

use super::file::read_at;
use super::name::Start;
use super::record::{Front, find_next, read_front};
use crate::place::Place;
use crate::segment::SegmentHeader;

/// A record that can be read.
#[derive(Debug, Clone, Copy)]
pub(super) struct Good {
    /// Where in the file.
    pub(super) at: u64,
    pub(super) length: u64,
    pub(super) header: SegmentHeader,
}

impl Good {
    /// Where the record belongs that follows it.
    pub(super) fn next(&self) -> Start {
        Start {
            seq: self.header.writer_seq + 1,
            place: self.reached(),
        }
    }

    pub(super) const fn reached(&self) -> Place {
        Place {
            shell_epoch: self.header.shell_epoch,
            offset: self.header.to_offset,
        }
    }
}

/// The records of a file.
#[derive(Debug, Default)]
pub(super) struct Scan {
    pub(super) good: Vec<Good>,
    /// Whether something is wrong that a kill does not explain: that leaves at most half a record at the
    /// end.
    pub(super) is_damaged: bool,
    /// Bytes that are no record.
    pub(super) lost: u64,
}

impl Scan {
    /// Up to where everything is good.
    pub(super) fn whole(&self) -> u64 {
        self.good.last().map_or(0, |last| last.at + last.length)
    }
}

/// Reads every record of a file; where one is damaged, goes on with the next that is not.
pub(super) fn scan(path: &Path) -> io::Result<Scan> {
    let file = File::open(path)?;
    let length = file.metadata()?.len();
    let (mut found, mut at) = (Scan::default(), 0);
    while at < length {
        let bytes = read_at(&file, at, length)?;
        let mut taken = 0;
        let front = loop {
            match read_front(&bytes[taken..]) {
                Front::Segment(segment, record) => {
                    found.good.push(Good {
                        at: at + taken as u64,
                        length: record as u64,
                        header: segment.header,
                    });
                    taken += record;
                }
                other => break other,
            }
        };
        at += taken as u64;
        if taken > 0 || at == length {
            continue;
        }
        let next = next_record(&file, at + 1, length)?;
        found.is_damaged |= next.is_some() || front == Front::Damaged;
        let resumed = next.unwrap_or(length);
        found.lost += resumed - at;
        at = resumed;
    }
    Ok(found)
}

/// Where the next whole record begins, from a place on.
fn next_record(file: &File, mut from: u64, length: u64) -> io::Result<Option<u64>> {
    while from < length {
        let bytes = read_at(file, from, length)?;
        if let Some(at) = find_next(&bytes) {
            return Ok(Some(from + at as u64));
        }
        if from + bytes.len() as u64 == length {
            break;
        }
        // A record may lie across the end of what was read.
        from += (bytes.len() / 2) as u64;
    }
    Ok(None)
}
