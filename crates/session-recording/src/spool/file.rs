//! One session's records of one life of a process.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::FileExt as _;
use std::path::PathBuf;
use std::sync::Arc;

use super::record::{Front, MOST, read_front};
use super::{LifeDirectory, SpoolFault, SpoolUse};
use crate::place::Place;
use crate::segment::Segment;

/// How much of a file is shipped at a time.
const CHUNK: usize = 1024 * 1024;

/// An append-only file, gone as soon as everything in it is in the database.
#[derive(Debug)]
pub(crate) struct SpoolFile {
    path: PathBuf,
    file: Option<File>,
    written: u64,
    shipped: u64,
    usage: Arc<SpoolUse>,
    /// Keeps the directory locked.
    directory: Arc<LifeDirectory>,
}

/// Records that are to be shipped, and how many bytes of the file they are.
#[derive(Debug, Default)]
pub(crate) struct Unshipped {
    pub(crate) segments: Vec<Segment>,
    pub(crate) length: u64,
}

impl SpoolFile {
    /// Names a file that the first record makes.
    pub(super) fn new(name: &str, directory: Arc<LifeDirectory>, usage: Arc<SpoolUse>) -> Self {
        Self {
            path: directory.path().join(name),
            file: None,
            written: 0,
            shipped: 0,
            usage,
            directory,
        }
    }

    /// Opens what a dead process left, cuts off what it left half written, and says how far it had come.
    pub(super) fn recover(mut self) -> io::Result<(Self, Option<Place>)> {
        let file = OpenOptions::new()
            .read(true)
            .append(true)
            .open(&self.path)?;
        let length = file.metadata()?.len();
        self.file = Some(file);
        let mut last = None;
        loop {
            let unshipped = self.read_at(self.written, length)?;
            if unshipped.length == 0 {
                break;
            }
            self.written += unshipped.length;
            let places = unshipped.segments.iter().map(|segment| Place {
                shell_epoch: segment.header.shell_epoch,
                offset: segment.header.to_offset,
            });
            last = places.chain(last).max();
        }
        if self.written < length {
            tracing::warn!(path = %self.path.display(), cut = length - self.written,
                "a spool file ended within a record: its end is cut off");
            self.truncate()?;
        }
        self.usage.add(self.written);
        if self.written == 0 {
            self.note_shipped(0)?;
        }
        Ok((self, last))
    }

    /// Appends a record whole or not at all.
    pub(crate) fn append(&mut self, record: &[u8]) -> Result<(), SpoolFault> {
        let length = record.len() as u64;
        self.usage.room_for(length)?;
        let written = self
            .open()
            .and_then(|mut file| file.write_all(record))
            .map_err(|error| SpoolFault::unwritable(&self.path, &error));
        if let Err(fault) = written {
            // What was written of the record must not stand before the next one.
            if self.file.is_some()
                && let Err(error) = self.truncate()
            {
                tracing::warn!(%error, path = %self.path.display(), "half a record stays in a spool file");
            }
            return Err(fault);
        }
        self.written += length;
        self.usage.add(length);
        Ok(())
    }

    fn open(&mut self) -> io::Result<&File> {
        if self.file.is_none() {
            let mut options = OpenOptions::new();
            let file = options
                .read(true)
                .append(true)
                .create(true)
                .open(&self.path)?;
            self.file = Some(file);
            // The name of a file is not durable before its directory is.
            self.directory.sync()?;
        }
        let file = self.file.as_ref();
        Ok(file.expect("it was opened above"))
    }

    fn truncate(&self) -> io::Result<()> {
        self.file
            .as_ref()
            .map_or(Ok(()), |file| file.set_len(self.written))
    }

    /// Makes everything appended survive a power cut.
    pub(crate) fn sync(&self) -> Result<(), SpoolFault> {
        let synced = self.file.as_ref().map_or(Ok(()), File::sync_data);
        synced.map_err(|error| SpoolFault::unwritable(&self.path, &error))
    }

    /// Bytes that are not in the database yet.
    pub(crate) const fn unshipped_bytes(&self) -> u64 {
        self.written - self.shipped
    }

    /// Reads the next records to be shipped: some of them, or none where all are.
    pub(crate) fn unshipped(&self) -> io::Result<Unshipped> {
        let unshipped = self.read_at(self.shipped, self.written)?;
        if unshipped.length == 0 && self.shipped < self.written {
            let error = format!(
                "no record at byte {} of {}",
                self.shipped,
                self.path.display()
            );
            return Err(io::Error::new(io::ErrorKind::InvalidData, error));
        }
        Ok(unshipped)
    }

    fn read_at(&self, from: u64, to: u64) -> io::Result<Unshipped> {
        let Some(file) = self.file.as_ref() else {
            return Ok(Unshipped::default());
        };
        let wanted = usize::try_from(to - from).unwrap_or(usize::MAX);
        let mut bytes = vec![0; wanted.min(CHUNK.max(MOST))];
        file.read_exact_at(&mut bytes, from)?;
        let mut unshipped = Unshipped::default();
        let mut rest = &bytes[..];
        while let Front::Segment(segment, length) = read_front(rest) {
            unshipped.segments.push(*segment);
            unshipped.length += length as u64;
            rest = &rest[length..];
        }
        Ok(unshipped)
    }

    /// Notes that so many bytes more are in the database; the file goes with the last of them.
    pub(crate) fn note_shipped(&mut self, length: u64) -> io::Result<()> {
        self.shipped += length;
        if self.shipped < self.written {
            return Ok(());
        }
        self.usage.free(self.written);
        self.file = None;
        (self.written, self.shipped) = (0, 0);
        match fs::remove_file(&self.path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            Ok(()) | Err(_) => Ok(()),
        }
    }
}
