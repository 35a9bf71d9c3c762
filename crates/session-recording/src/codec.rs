//! Entries as bytes: varint of the microseconds since the entry before, kind, varint of the length,
//! the body. Integers in bodies are big-endian.

use bytes::Bytes;

use crate::entry::{Entry, ExitStatus, Gap, GapReason, Marker, WindowSize};
use crate::varint::{VarintProblem, put_varint, take_varint};

const OUTPUT: u8 = 1;
const RESIZE: u8 = 2;
const MARKER: u8 = 3;
const EXIT: u8 = 4;
const GAP: u8 = 5;
const INPUT: u8 = 6;

const BY_CODE: u8 = 0;
const BY_SIGNAL: u8 = 1;

/// An entry and when it was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TimedEntry {
    /// Microseconds since the entry before, or since the segment began.
    pub delta_micros: u64,
    /// What was.
    pub entry: Entry,
}

/// Bytes that are no entries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the entry at byte {at} {problem}")]
pub struct EntryError {
    /// Where the entry begins.
    pub at: usize,
    /// What is wrong with it.
    pub problem: EntryProblem,
}

/// What is wrong with an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum EntryProblem {
    /// The bytes end within it.
    #[error("is cut off")]
    CutOff,
    /// A number has more digits than it needs, or more than 64 bits.
    #[error("has a malformed number")]
    Number,
    /// No kind has this number.
    #[error("is of the unknown kind {0}")]
    Kind(u8),
    /// Its kind has another length.
    #[error("has a body of {length} bytes, which its kind {kind} never has")]
    Length {
        /// The kind.
        kind: u8,
        /// The length found.
        length: u64,
    },
    /// A body holds a word that its kind does not know.
    #[error("says {value} where its kind {kind} has no such word")]
    Word {
        /// The kind.
        kind: u8,
        /// The word found.
        value: u8,
    },
}

impl From<VarintProblem> for EntryProblem {
    fn from(problem: VarintProblem) -> Self {
        match problem {
            VarintProblem::CutOff => Self::CutOff,
            VarintProblem::Malformed => Self::Number,
        }
    }
}

/// Appends an entry to a log.
pub fn put_entry(log: &mut Vec<u8>, delta_micros: u64, entry: &Entry) {
    put_varint(log, delta_micros);
    match entry {
        Entry::Output(bytes) => put_body(log, OUTPUT, bytes),
        Entry::Input(bytes) => put_body(log, INPUT, bytes),
        Entry::Marker(marker) => put_body(log, MARKER, &[*marker as u8]),
        Entry::Resize(size) => {
            let [a, b] = size.cols.to_be_bytes();
            let [c, d] = size.rows.to_be_bytes();
            put_body(log, RESIZE, &[a, b, c, d]);
        }
        Entry::Exit(status) => {
            let (how, number) = match status {
                ExitStatus::Code(code) => (BY_CODE, code),
                ExitStatus::Signal(signal) => (BY_SIGNAL, signal),
            };
            let [a, b, c, d] = number.to_be_bytes();
            put_body(log, EXIT, &[how, a, b, c, d]);
        }
        Entry::Gap(gap) => {
            let mut body = [gap.reason as u8; 9];
            body[1..].copy_from_slice(&gap.bytes.to_be_bytes());
            put_body(log, GAP, &body);
        }
    }
}

fn put_body(log: &mut Vec<u8>, kind: u8, body: &[u8]) {
    log.push(kind);
    put_varint(log, body.len() as u64);
    log.extend_from_slice(body);
}

/// Reads the entries of a log, one after the other. After an error there is nothing more.
#[derive(Debug, Clone)]
pub struct Entries {
    log: Bytes,
    at: usize,
}

impl Entries {
    /// Reads a log whose bytes are kept, not copied.
    pub const fn new(log: Bytes) -> Self {
        Self { log, at: 0 }
    }

    fn read(&self) -> Result<(TimedEntry, usize), EntryProblem> {
        let mut rest = &self.log[self.at..];
        let delta_micros = take_varint(&mut rest)?;
        let (&kind, mut rest) = rest.split_first().ok_or(EntryProblem::CutOff)?;
        let length = take_varint(&mut rest)?;
        let begin = self.log.len() - rest.len();
        let end = usize::try_from(length)
            .ok()
            .and_then(|length| begin.checked_add(length))
            .filter(|end| *end <= self.log.len());
        // A wrong length is told before bytes that are not there are waited for.
        check_length(kind, length)?;
        let end = end.ok_or(EntryProblem::CutOff)?;
        let entry = read_body(kind, self.log.slice(begin..end))?;
        let timed = TimedEntry {
            delta_micros,
            entry,
        };
        Ok((timed, end))
    }
}

impl Iterator for Entries {
    type Item = Result<TimedEntry, EntryError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.at == self.log.len() {
            return None;
        }
        match self.read() {
            Ok((entry, end)) => {
                self.at = end;
                Some(Ok(entry))
            }
            Err(problem) => {
                let at = std::mem::replace(&mut self.at, self.log.len());
                Some(Err(EntryError { at, problem }))
            }
        }
    }
}

fn check_length(kind: u8, length: u64) -> Result<(), EntryProblem> {
    let right = match kind {
        OUTPUT | INPUT => length > 0,
        RESIZE => length == 4,
        MARKER => length == 1,
        EXIT => length == 5,
        GAP => length == 9,
        unknown => return Err(EntryProblem::Kind(unknown)),
    };
    let wrong = EntryProblem::Length { kind, length };
    right.then_some(()).ok_or(wrong)
}

fn reason(value: u8) -> Option<GapReason> {
    GapReason::ALL
        .into_iter()
        .find(|known| *known as u8 == value)
}

/// Reads a body whose length is its kind's.
fn read_body(kind: u8, body: Bytes) -> Result<Entry, EntryProblem> {
    let word = |value| EntryProblem::Word { kind, value };
    Ok(match (kind, &body[..]) {
        (OUTPUT, _) => Entry::Output(body),
        (INPUT, _) => Entry::Input(body),
        (RESIZE, &[a, b, c, d]) => Entry::Resize(WindowSize {
            cols: u16::from_be_bytes([a, b]),
            rows: u16::from_be_bytes([c, d]),
        }),
        (MARKER, &[value]) => {
            let marker = Marker::ALL.into_iter().find(|known| *known as u8 == value);
            Entry::Marker(marker.ok_or(word(value))?)
        }
        (EXIT, &[how, a, b, c, d]) => {
            let number = i32::from_be_bytes([a, b, c, d]);
            match how {
                BY_CODE => Entry::Exit(ExitStatus::Code(number)),
                BY_SIGNAL => Entry::Exit(ExitStatus::Signal(number)),
                value => return Err(word(value)),
            }
        }
        (GAP, &[value, ref bytes @ ..]) => Entry::Gap(Gap {
            bytes: u64::from_be_bytes(
                bytes
                    .try_into()
                    .map_err(|_| EntryProblem::Length { kind, length: 9 })?,
            ),
            reason: reason(value).ok_or(word(value))?,
        }),
        (unknown, _) => return Err(EntryProblem::Kind(unknown)),
    })
}
