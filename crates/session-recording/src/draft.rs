//! A segment that is being written.

use std::ops::Range;

use bytes::Bytes;
use session_identity::{ExamSessionId, TerminalProcessId};

use crate::codec::put_entry;
use crate::entry::{Entry, Gap, GapReason};
use crate::place::Place;
use crate::segment::{MOST_RAW_BYTES, SegmentHeader};

/// The most that an entry has besides its body: two varints and its kind.
const ENTRY_OVERHEAD: usize = 10 + 1 + 3;
/// With less room than this a segment is full: entries other than bytes always fit.
const LEAST_ROOM: usize = ENTRY_OVERHEAD + 64;

/// Entries of one shell that are no segment yet.
#[derive(Debug)]
pub(crate) struct Draft {
    /// After everything that was put.
    place: Place,
    from_offset: u64,
    started_at_micros: i64,
    last_at_micros: i64,
    entries: u32,
    log: Vec<u8>,
}

impl Draft {
    pub(crate) const fn new(place: Place) -> Self {
        Self {
            place,
            from_offset: place.offset,
            started_at_micros: 0,
            last_at_micros: 0,
            entries: 0,
            log: Vec::new(),
        }
    }

    pub(crate) const fn place(&self) -> Place {
        self.place
    }

    pub(crate) const fn is_empty(&self) -> bool {
        self.entries == 0
    }

    pub(crate) fn is_full(&self) -> bool {
        self.log.len() + LEAST_ROOM > MOST_RAW_BYTES
    }

    /// Puts an entry that is no byte of the terminal; there is room unless the draft is full.
    pub(crate) fn put(&mut self, at_micros: i64, entry: &Entry) {
        if self.is_empty() {
            self.started_at_micros = at_micros;
            self.last_at_micros = at_micros;
        }
        // Clocks of several tasks: a moment that is earlier than the last one counts as the same.
        let delta = at_micros.saturating_sub(self.last_at_micros).max(0);
        self.last_at_micros += delta;
        put_entry(&mut self.log, delta.unsigned_abs(), entry);
        self.entries += 1;
        self.place.offset += entry.advance();
    }

    /// Puts as many bytes as there is room for, and returns the rest.
    pub(crate) fn put_bytes(
        &mut self,
        at_micros: i64,
        mut bytes: Bytes,
        entry: fn(Bytes) -> Entry,
    ) -> Bytes {
        let room = MOST_RAW_BYTES.saturating_sub(self.log.len() + ENTRY_OVERHEAD);
        let rest = bytes.split_off(room.min(bytes.len()));
        if !bytes.is_empty() {
            self.put(at_micros, &entry(bytes));
        }
        rest
    }

    /// Puts what lies between the place reached and `offset`, as a gap. Returns whether there was one.
    pub(crate) fn put_gap(&mut self, at_micros: i64, offset: u64, reason: GapReason) -> bool {
        let bytes = offset.saturating_sub(self.place.offset);
        if bytes > 0 {
            self.put(at_micros, &Entry::Gap(Gap { bytes, reason }));
        }
        bytes > 0
    }

    /// The part of output at `offset` that is not recorded yet.
    pub(crate) fn unrecorded(&self, offset: u64, length: usize) -> Range<usize> {
        let known = self.place.offset.saturating_sub(offset);
        usize::try_from(known).unwrap_or(usize::MAX).min(length)..length
    }

    /// Takes what was put as a segment's header and log, and begins the next one.
    pub(crate) fn take(
        &mut self,
        session_id: ExamSessionId,
        writer: TerminalProcessId,
        writer_seq: u64,
    ) -> (SegmentHeader, Vec<u8>) {
        let next = Self::new(self.place);
        let taken = std::mem::replace(self, next);
        let header = SegmentHeader {
            session_id,
            shell_epoch: taken.place.shell_epoch,
            writer,
            writer_seq,
            from_offset: taken.from_offset,
            to_offset: taken.place.offset,
            started_at_micros: taken.started_at_micros,
            entries: taken.entries,
            raw_length: u32::try_from(taken.log.len()).expect("a log has at most 64 KiB"),
        };
        (header, taken.log)
    }
}
