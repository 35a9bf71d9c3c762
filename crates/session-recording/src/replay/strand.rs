//! What one writer recorded of a session, entry by entry.

use bytes::Bytes;
use session_identity::TerminalProcessId;

use crate::codec::{Entries, EntryError};
use crate::entry::Entry;
use crate::place::Place;
use crate::segment::{Segment, SegmentError};

/// Why a segment cannot be replayed.
#[derive(Debug, thiserror::Error)]
pub enum ReplayError {
    /// Its payload is not what was recorded.
    #[error("read segment {writer_seq} of writer {writer}")]
    Segment {
        /// The writer.
        writer: TerminalProcessId,
        /// Its number among the writer's.
        writer_seq: u64,
        /// What is wrong.
        #[source]
        source: SegmentError,
    },
    /// Its log is not one of entries.
    #[error("read the log of segment {writer_seq} of writer {writer}")]
    Log {
        /// The writer.
        writer: TerminalProcessId,
        /// Its number among the writer's.
        writer_seq: u64,
        /// What is wrong.
        #[source]
        source: EntryError,
    },
}

/// The next entry of a writer.
#[derive(Debug, Clone)]
pub(crate) struct Head {
    pub(super) at_micros: i64,
    /// Before the entry.
    pub(super) place: Place,
    pub(super) entry: Entry,
}

impl Head {
    /// The offset after the entry.
    pub(super) fn end(&self) -> u64 {
        self.place.offset.saturating_add(self.entry.advance())
    }
}

/// One writer's entries, of which a segment is at hand.
#[derive(Debug)]
pub(crate) struct Strand {
    writer: TerminalProcessId,
    /// The segment at hand; nothing before the first.
    segment: Option<u64>,
    entries: Entries,
    at_micros: i64,
    place: Place,
    pub(super) head: Option<Head>,
    /// Whether there is no further segment.
    is_over: bool,
}

impl Strand {
    pub(super) const fn new(writer: TerminalProcessId) -> Self {
        Self {
            writer,
            segment: None,
            entries: Entries::new(Bytes::new()),
            at_micros: 0,
            place: Place {
                shell_epoch: 0,
                offset: 0,
            },
            head: None,
            is_over: false,
        }
    }

    pub(super) const fn is_hungry(&self) -> bool {
        self.head.is_none() && !self.is_over
    }

    /// Whose segment is wanted, and after which.
    pub(crate) const fn wants(&self) -> (TerminalProcessId, Option<u64>) {
        (self.writer, self.segment)
    }

    /// Takes the segment that was wanted, or that there is none.
    pub(crate) fn feed(&mut self, segment: Option<&Segment>) -> Result<(), ReplayError> {
        let Some(segment) = segment else {
            self.is_over = true;
            return Ok(());
        };
        let (writer, writer_seq) = (self.writer, segment.header.writer_seq);
        let log = segment.log().map_err(|source| ReplayError::Segment {
            writer,
            writer_seq,
            source,
        })?;
        // A log is read whole before any of it is shown, so that a fault is met at its segment.
        if let Some(source) = Entries::new(log.clone()).find_map(Result::err) {
            return Err(ReplayError::Log {
                writer,
                writer_seq,
                source,
            });
        }
        self.segment = Some(writer_seq);
        self.entries = Entries::new(log);
        self.at_micros = segment.header.started_at_micros;
        self.place = Place {
            shell_epoch: segment.header.shell_epoch,
            offset: segment.header.from_offset,
        };
        self.advance();
        Ok(())
    }

    /// Goes on to the next entry at hand.
    pub(super) fn advance(&mut self) {
        // Errors were found when the segment was taken.
        self.head = self.entries.next().and_then(Result::ok).map(|timed| {
            let delta = i64::try_from(timed.delta_micros).unwrap_or(i64::MAX);
            self.at_micros = self.at_micros.saturating_add(delta);
            Head {
                at_micros: self.at_micros,
                place: self.place,
                entry: timed.entry,
            }
        });
        if let Some(head) = &self.head {
            self.place.offset = head.end();
        }
    }
}
