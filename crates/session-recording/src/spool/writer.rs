//! The one way of a session's records to the disk.

use std::io;
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;

use super::file::Appended;
use super::name::Start;
use super::record::to_record;
use super::{Roll, SpoolFault, SpoolFile};
use crate::place::Place;
use crate::segment::Segment;

/// A file of so many bytes is followed by another: what is shipped of a long session leaves the disk.
const LONGEST: u64 = 4 * 1024 * 1024;
/// So many bytes are written at most before they are synced: they are kept in memory until then.
const UNSYNCED_MOST: usize = 128 * 1024;

/// A segment as it stands in a file.
#[derive(Debug, Clone)]
pub(crate) struct Record {
    start: Start,
    bytes: Bytes,
}

impl Record {
    pub(crate) fn of(segment: &Segment) -> Self {
        let header = &segment.header;
        let place = Place {
            shell_epoch: header.shell_epoch,
            offset: header.from_offset,
        };
        Self {
            start: Start {
                seq: header.writer_seq,
                place,
            },
            bytes: to_record(segment).into(),
        }
    }
}

/// Writes a session's records, one task at a time.
#[derive(Debug)]
pub(crate) struct Writer {
    roll: Arc<Roll>,
    file: Option<Arc<SpoolFile>>,
    files_made: u32,
    /// Written, but not known to be durable. After a sync that failed they are written again, elsewhere.
    pending: Vec<Record>,
    /// Files whose last records are pending.
    spent: Vec<Arc<SpoolFile>>,
}

impl Writer {
    pub(crate) const fn new(roll: Arc<Roll>) -> Self {
        Self {
            roll,
            file: None,
            files_made: 0,
            pending: Vec::new(),
            spent: Vec::new(),
        }
    }

    /// Appends a record whole or not at all.
    pub(crate) fn append(&mut self, record: &Record) -> Result<(), SpoolFault> {
        self.roll.usage.room_for(record.bytes.len() as u64)?;
        let unsynced: usize = self.pending.iter().map(|record| record.bytes.len()).sum();
        let is_long = |file: &Arc<SpoolFile>| file.written() >= LONGEST;
        let is_long = self.file.as_ref().is_some_and(is_long);
        if is_long || unsynced >= UNSYNCED_MOST {
            self.sync()?;
        }
        if is_long && let Some(file) = self.file.take() {
            file.seal();
        }
        self.write(record)?;
        self.pending.push(record.clone());
        Ok(())
    }

    /// Makes everything appended survive a power cut.
    pub(crate) fn sync(&mut self) -> Result<(), SpoolFault> {
        let Some(first) = self.pending.first() else {
            return Ok(());
        };
        let start = first.start;
        let file = self.open(start)?;
        if let Err(error) = file.sync() {
            self.spend();
            return Err(SpoolFault::unwritable(file.path(), &error));
        }
        self.pending.clear();
        for spent in self.spent.drain(..) {
            if let Err(error) = spent.cut_off() {
                tracing::warn!(%error, path = %spent.path().display(),
                    "records that were written again stay in a spool file");
            }
        }
        Ok(())
    }

    /// Makes everything appended durable and lets go of the file at hand, so that it leaves the disk when it
    /// is shipped. Another follows it if anything more is appended.
    pub(crate) fn close(&mut self) -> Result<(), SpoolFault> {
        self.sync()?;
        if let Some(file) = self.file.take() {
            file.seal();
        }
        Ok(())
    }

    fn write(&mut self, record: &Record) -> Result<(), SpoolFault> {
        loop {
            let first = self.pending.first().unwrap_or(record);
            let file = self.open(first.start)?;
            match file.append(&record.bytes) {
                Ok(Appended::Written) => return Ok(()),
                // Everything in it went to the database, and the file with it.
                Ok(Appended::Sealed) => self.forget(),
                Err(error) => {
                    if file.is_sealed() {
                        self.spend();
                    }
                    return Err(SpoolFault::unwritable(file.path(), &error));
                }
            }
        }
    }

    /// The file at hand, or another that begins with what is pending.
    fn open(&mut self, start: Start) -> Result<Arc<SpoolFile>, SpoolFault> {
        if let Some(file) = self.file.as_ref() {
            return Ok(Arc::clone(file));
        }
        let number = self.files_made;
        self.files_made += 1;
        let made = self.roll.make(number, start);
        let made = made.map_err(|error| self.unwritable(&error))?;
        self.file = Some(Arc::clone(&made));
        for written in 0..self.pending.len() {
            match made.append(&self.pending[written].bytes) {
                Ok(Appended::Written) => {}
                // What was written again so far is in the database already, and the file gone.
                Ok(Appended::Sealed) => {
                    self.pending.drain(..written);
                    self.file = None;
                    return self.open(self.pending[0].start);
                }
                Err(error) => {
                    self.spend();
                    return Err(SpoolFault::unwritable(made.path(), &error));
                }
            }
        }
        Ok(made)
    }

    fn unwritable(&self, error: &io::Error) -> SpoolFault {
        let path: &Path = self.roll.directory.path();
        SpoolFault::unwritable(path, error)
    }

    /// The file at hand is not written to any more; what it may have lost is written to another.
    fn spend(&mut self) {
        if let Some(file) = self.file.take() {
            file.spend();
            self.spent.push(file);
        }
    }

    /// The file at hand is gone: everything in it is in the database.
    fn forget(&mut self) {
        self.file = None;
        self.pending.clear();
    }
}
