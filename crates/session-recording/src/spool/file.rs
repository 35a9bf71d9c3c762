//! One file of records on their way to the database.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::SpoolUse;
use super::record::{Front, MOST, read_front};
use crate::segment::Segment;

/// How much of a file is read at a time.
const CHUNK: usize = 1024 * 1024;

/// An append-only file. One task writes and another ships; neither waits for the other, and whoever asks
/// how far it is waits for neither.
#[derive(Debug)]
pub(crate) struct SpoolFile {
    path: PathBuf,
    file: File,
    /// Never held while the disk is at work.
    lengths: Mutex<Lengths>,
    usage: Arc<SpoolUse>,
}

/// How far a file is.
#[derive(Debug, Clone, Copy, Default)]
struct Lengths {
    written: u64,
    synced: u64,
    shipped: u64,
    /// Bytes that the spool's use counts for it.
    counted: u64,
    is_writing: bool,
    /// Nothing more is written.
    is_sealed: bool,
}

/// What became of a record that was to be appended.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Appended {
    /// It is written.
    Written,
    /// Nothing more is written to this file: everything in it is in the database.
    Sealed,
}

impl SpoolFile {
    /// Makes an empty file.
    pub(super) fn make(path: PathBuf, usage: Arc<SpoolUse>) -> io::Result<Self> {
        let file = OpenOptions::new().append(true).create(true).open(&path)?;
        Ok(Self {
            path,
            file,
            lengths: Mutex::default(),
            usage,
        })
    }

    /// Opens what a dead process left, of which the first `length` bytes are good; the rest is cut off.
    pub(super) fn of_dead(path: PathBuf, length: u64, usage: Arc<SpoolUse>) -> io::Result<Self> {
        let file = OpenOptions::new().append(true).open(&path)?;
        if file.metadata()?.len() > length {
            file.set_len(length)?;
        }
        usage.add(length);
        let lengths = Lengths {
            written: length,
            synced: length,
            shipped: 0,
            counted: length,
            is_writing: false,
            is_sealed: true,
        };
        Ok(Self {
            path,
            file,
            lengths: Mutex::new(lengths),
            usage,
        })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Every change under the lock is one step, so that it stays right even if a holder panicked.
    fn lengths(&self) -> MutexGuard<'_, Lengths> {
        self.lengths.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Appends a record whole or not at all.
    pub(super) fn append(&self, record: &[u8]) -> io::Result<Appended> {
        {
            let mut lengths = self.lengths();
            if lengths.is_sealed {
                return Ok(Appended::Sealed);
            }
            lengths.is_writing = true;
        }
        let written = (&self.file).write_all(record);
        let length = record.len() as u64;
        let good = {
            let mut lengths = self.lengths();
            lengths.is_writing = false;
            if written.is_ok() {
                lengths.written += length;
                lengths.counted += length;
            }
            lengths.written
        };
        if let Err(error) = written {
            // What was written of the record must not stand before the next one.
            if self.file.set_len(good).is_err() {
                self.seal();
            }
            return Err(error);
        }
        self.usage.add(length);
        Ok(Appended::Written)
    }

    /// Makes everything appended survive a power cut.
    pub(super) fn sync(&self) -> io::Result<()> {
        let written = self.lengths().written;
        self.file.sync_data()?;
        self.lengths().synced = written;
        Ok(())
    }

    pub(super) fn written(&self) -> u64 {
        self.lengths().written
    }

    pub(super) fn is_sealed(&self) -> bool {
        self.lengths().is_sealed
    }

    /// Nothing more is written.
    pub(super) fn seal(&self) {
        self.lengths().is_sealed = true;
    }

    /// Counts as its own only what is known to be durable: after a sync that failed the kernel has
    /// forgotten what it could not write, and a later one would say that all is well.
    pub(super) fn spend(&self) {
        let mut lengths = self.lengths();
        lengths.is_sealed = true;
        lengths.written = lengths.synced.max(lengths.shipped);
    }

    /// Cuts off what does not count.
    pub(super) fn cut_off(&self) -> io::Result<()> {
        self.file.set_len(self.written())
    }

    /// Whether anything in it is to be shipped or cleared away.
    pub(super) fn is_waiting(&self) -> bool {
        let lengths = self.lengths();
        lengths.written > 0 || lengths.is_sealed
    }

    /// Reads the next records to be shipped: some of them, or none where all are.
    pub(super) fn unshipped(&self) -> io::Result<(Vec<Segment>, u64)> {
        let Lengths {
            shipped, written, ..
        } = *self.lengths();
        if shipped >= written {
            return Ok((Vec::new(), 0));
        }
        let file = File::open(&self.path)?;
        let bytes = read_at(&file, shipped, written)?;
        let mut rest = &bytes[..];
        let (mut segments, mut length) = (Vec::new(), 0);
        while let Front::Segment(segment, taken) = read_front(rest) {
            segments.push(*segment);
            length += taken as u64;
            rest = &rest[taken..];
        }
        if length == 0 {
            let path = self.path.display();
            let error = format!("no record at byte {shipped} of {path}");
            return Err(io::Error::new(io::ErrorKind::InvalidData, error));
        }
        Ok((segments, length))
    }

    /// Notes that so many bytes more are in the database.
    pub(crate) fn note_shipped(&self, length: u64) {
        self.lengths().shipped += length;
    }

    /// Removes it if everything in it is in the database. Returns whether it is gone.
    pub(super) fn clear_away(&self) -> io::Result<bool> {
        {
            let mut lengths = self.lengths();
            let is_over = lengths.shipped >= lengths.written
                && !lengths.is_writing
                && (lengths.written > 0 || lengths.is_sealed);
            if !is_over {
                return Ok(false);
            }
            lengths.is_sealed = true;
        }
        match fs::remove_file(&self.path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            Ok(()) | Err(_) => {}
        }
        let counted = std::mem::take(&mut self.lengths().counted);
        self.usage.free(counted);
        Ok(true)
    }
}

/// Reads from one place to another, but no more than a chunk.
pub(super) fn read_at(file: &File, from: u64, to: u64) -> io::Result<Vec<u8>> {
    let wanted = usize::try_from(to - from).unwrap_or(usize::MAX);
    let mut bytes = vec![0; wanted.min(CHUNK.max(MOST))];
    file.read_exact_at(&mut bytes, from)?;
    Ok(bytes)
}
