//! What is good of a damaged file goes on; the rest is told of, and kept aside.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use session_identity::{ExamSessionId, TerminalProcessId};

use super::file::read_at;
use super::name::Start;
use super::record::to_record;
use super::scan::{Good, Scan};
use crate::codec::put_entry;
use crate::entry::{Entry, Gap, GapReason};
use crate::segment::{Segment, SegmentHeader};

/// What a damaged file's name ends with, once it is aside.
pub(super) const ASIDE: &str = "damaged";

/// What the sound one's name ends with before it has its place.
pub(super) const UNDER_WAY: &str = "salvaged";

/// A damaged file, and what belongs before and after it.
#[derive(Debug)]
pub(super) struct Damaged<'a> {
    pub(super) path: &'a Path,
    pub(super) session_id: ExamSessionId,
    pub(super) writer: TerminalProcessId,
    pub(super) scan: &'a Scan,
    /// Where its first record belonged, if that is known.
    pub(super) start: Option<Start>,
    /// Where the next file's first record belongs, if there is one.
    pub(super) until: Option<Start>,
}

impl Damaged<'_> {
    /// Puts the file aside and what is good of it in its place, with a gap for what is not. Returns the
    /// length of what stands there now.
    pub(super) fn salvage(&self) -> io::Result<u64> {
        let sound = self.path.with_extension(UNDER_WAY);
        let length = self.write(&sound)?;
        // Either name is there whenever we are killed; one that is aside already was put there before.
        match fs::hard_link(self.path, aside(self.path)) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
            Ok(()) | Err(_) => {}
        }
        fs::rename(&sound, self.path)?;
        if let Some(directory) = self.path.parent() {
            File::open(directory)?.sync_all()?;
        }
        tracing::error!(session.id = %self.session_id, path = %aside(self.path).display(),
            lost = self.scan.lost, kept = self.scan.good.len(),
            "a spool file is damaged: what is good of it is shipped, the rest is a gap on record");
        Ok(length)
    }

    fn write(&self, sound: &Path) -> io::Result<u64> {
        let (damaged, mut into) = (File::open(self.path)?, File::create(sound)?);
        let (mut length, mut expected) = (0, self.start);
        // What a sync that failed may have lost was written again: the next file has it whole.
        let is_here = |good: &&Good| {
            let until = self.until.as_ref();
            until.is_none_or(|until| good.header.writer_seq < until.seq)
        };
        for good in self.scan.good.iter().filter(is_here) {
            length += self.fill(&mut into, expected, first_of(good), Some(good))?;
            let record = read_at(&damaged, good.at, good.at + good.length)?;
            into.write_all(&record)?;
            length += good.length;
            expected = Some(good.next());
        }
        if let Some(until) = self.until {
            length += self.fill(&mut into, expected, until, self.scan.good.last())?;
        }
        into.sync_all()?;
        Ok(length)
    }

    /// Writes what is missing between two records: a gap for the output, and numbers without entries, so
    /// that the writer's segments stay one chain.
    fn fill(
        &self,
        into: &mut File,
        expected: Option<Start>,
        found: Start,
        near: Option<&Good>,
    ) -> io::Result<u64> {
        let mut length = 0;
        let Some(expected) = expected else {
            return Ok(length);
        };
        let same_shell = expected.place.shell_epoch == found.place.shell_epoch;
        let mut from = if same_shell { expected.place.offset } else { 0 };
        for seq in expected.seq..found.seq {
            let header = SegmentHeader {
                session_id: self.session_id,
                shell_epoch: found.place.shell_epoch,
                writer: self.writer,
                writer_seq: seq,
                from_offset: from.min(found.place.offset),
                to_offset: found.place.offset,
                started_at_micros: near.map_or(0, |near| near.header.started_at_micros),
                entries: 0,
                raw_length: 0,
            };
            let record = to_record(&missing(header)?);
            into.write_all(&record)?;
            length += record.len() as u64;
            from = found.place.offset;
        }
        Ok(length)
    }
}

const fn first_of(good: &Good) -> Start {
    Start {
        seq: good.header.writer_seq,
        place: crate::place::Place {
            shell_epoch: good.header.shell_epoch,
            offset: good.header.from_offset,
        },
    }
}

/// A segment that says that its output is not on record.
fn missing(mut header: SegmentHeader) -> io::Result<Segment> {
    let mut log = Vec::new();
    let bytes = header.to_offset - header.from_offset;
    if bytes > 0 {
        let reason = GapReason::Damaged;
        put_entry(&mut log, 0, &Entry::Gap(Gap { bytes, reason }));
        header.entries = 1;
        header.raw_length = u32::try_from(log.len()).expect("an entry fits a segment");
    }
    Segment::compress(header, &log)
}

/// Where a damaged file is kept.
fn aside(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".");
    name.push(ASIDE);
    name.into()
}
