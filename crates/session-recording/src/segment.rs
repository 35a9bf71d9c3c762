//! A piece of a recording: a second or 64 KiB of one shell, with a header that says where it belongs.

use std::cell::RefCell;
use std::io;
use std::time::Duration;

use bytes::Bytes;
use session_identity::{ExamSessionId, TerminalProcessId};
use sha2::{Digest as _, Sha256};
use zstd::bulk::Compressor;

/// A SHA-256.
pub type Hash = [u8; 32];

/// What a chain begins with.
pub const FIRST_HASH: Hash = [0; 32];

/// A segment ends when its log has so many bytes. Larger ones shrink little better, and 64 KiB is
/// well under the 256 KiB that a row may have even if nothing shrinks.
pub const MOST_RAW_BYTES: usize = 64 * 1024;

/// A segment ends so long after its first entry: the most that a killed process loses.
pub const LONGEST: Duration = Duration::from_secs(1);

/// Level 3 takes 0.3 ms for 64 KiB; 9 takes 3 ms and saves a tenth.
const LEVEL: i32 = 3;

/// Begins every header, so that another format can follow.
pub(crate) const MAGIC: [u8; 8] = *b"carrel1\n";

/// Says where a segment belongs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SegmentHeader {
    /// The session.
    pub session_id: ExamSessionId,
    /// Which shell of the session, from 1.
    pub shell_epoch: u32,
    /// The life of the process that recorded it.
    pub writer: TerminalProcessId,
    /// Its number among this writer's segments of the session, from 0.
    pub writer_seq: u64,
    /// Offset of the first byte of output, since the shell began.
    pub from_offset: u64,
    /// Offset after the last one, gaps included.
    pub to_offset: u64,
    /// When it began, in microseconds since 1970 by the database's clock.
    pub started_at_micros: i64,
    /// How many entries it has.
    pub entries: u32,
    /// Length of its log in bytes, before it was compressed.
    pub raw_length: u32,
}

impl SegmentHeader {
    /// Length of the one form of a header.
    pub const LENGTH: usize = 8 + 16 + 4 + 16 + 8 + 8 + 8 + 8 + 4 + 4;

    /// Writes the one form of a header, of which hashes are made.
    pub fn to_bytes(&self) -> [u8; Self::LENGTH] {
        let (session_id, writer) = (self.session_id.as_uuid(), self.writer.as_uuid());
        let mut bytes = [0; Self::LENGTH];
        let parts: [&[u8]; 10] = [
            &MAGIC,
            session_id.as_bytes(),
            &self.shell_epoch.to_be_bytes(),
            writer.as_bytes(),
            &self.writer_seq.to_be_bytes(),
            &self.from_offset.to_be_bytes(),
            &self.to_offset.to_be_bytes(),
            &self.started_at_micros.to_be_bytes(),
            &self.entries.to_be_bytes(),
            &self.raw_length.to_be_bytes(),
        ];
        let mut at = 0;
        for part in parts {
            bytes[at..at + part.len()].copy_from_slice(part);
            at += part.len();
        }
        bytes
    }

    /// Reads that form; nothing where the bytes are of no header.
    pub fn from_bytes(mut bytes: &[u8]) -> Option<Self> {
        if bytes.len() != Self::LENGTH || take::<8>(&mut bytes)? != MAGIC {
            return None;
        }
        let uuid = |bytes: &mut &[u8]| take(bytes).map(uuid::Uuid::from_bytes);
        let header = Self {
            session_id: ExamSessionId::from_uuid(uuid(&mut bytes)?),
            shell_epoch: u32::from_be_bytes(take(&mut bytes)?),
            writer: TerminalProcessId::from_uuid(uuid(&mut bytes)?),
            writer_seq: u64::from_be_bytes(take(&mut bytes)?),
            from_offset: u64::from_be_bytes(take(&mut bytes)?),
            to_offset: u64::from_be_bytes(take(&mut bytes)?),
            started_at_micros: i64::from_be_bytes(take(&mut bytes)?),
            entries: u32::from_be_bytes(take(&mut bytes)?),
            raw_length: u32::from_be_bytes(take(&mut bytes)?),
        };
        Some(header)
    }
}

fn take<const N: usize>(bytes: &mut &[u8]) -> Option<[u8; N]> {
    let (first, rest) = bytes.split_first_chunk::<N>()?;
    *bytes = rest;
    Some(*first)
}

/// A piece of a recording, compressed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Segment {
    /// Where it belongs.
    pub header: SegmentHeader,
    /// SHA-256 of its log.
    pub raw_hash: Hash,
    /// Its log, compressed (zstd).
    pub payload: Bytes,
}

/// Why a segment's log cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SegmentError {
    /// It does not decompress to the length that its header tells.
    #[error("the payload does not decompress to the length of its header")]
    Payload,
    /// It decompresses to something else than was recorded.
    #[error("the payload is not what its hash was made of")]
    Hash,
}

impl Segment {
    /// Compresses a log.
    ///
    /// # Errors
    /// Errors of the compressor, which is out of memory.
    pub fn compress(header: SegmentHeader, log: &[u8]) -> io::Result<Self> {
        Ok(Self {
            header,
            raw_hash: Sha256::digest(log).into(),
            payload: compress(log)?.into(),
        })
    }

    /// Gives the log back, and proves that it is the one recorded.
    ///
    /// # Errors
    /// [`SegmentError`], where it is not.
    pub fn log(&self) -> Result<Bytes, SegmentError> {
        let length = self.header.raw_length as usize;
        // A header that was tampered with must not make us ask for gigabytes.
        let log = (length <= MOST_RAW_BYTES)
            .then(|| zstd::bulk::decompress(&self.payload, length).ok())
            .flatten()
            .filter(|log| log.len() == length)
            .ok_or(SegmentError::Payload)?;
        if Sha256::digest(&log)[..] != self.raw_hash {
            return Err(SegmentError::Hash);
        }
        Ok(log.into())
    }

    /// The hash that this segment has after the one before it in its session's chain.
    pub fn hash_after(&self, previous: &Hash) -> Hash {
        Sha256::new()
            .chain_update(previous)
            .chain_update(self.header.to_bytes())
            .chain_update(self.raw_hash)
            .finalize()
            .into()
    }
}

/// Compresses with this thread's compressor: its tables are large, and making them anew for each segment
/// takes longer than using them.
fn compress(log: &[u8]) -> io::Result<Vec<u8>> {
    thread_local! {
        static COMPRESSOR: RefCell<Option<Compressor<'static>>> = const { RefCell::new(None) };
    }
    COMPRESSOR.with_borrow_mut(|compressor| {
        let compressor = match compressor {
            Some(compressor) => compressor,
            None => compressor.insert(Compressor::new(LEVEL)?),
        };
        compressor.compress(log)
    })
}
