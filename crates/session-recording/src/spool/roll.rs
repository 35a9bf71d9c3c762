//! A session's files of one life of a process, oldest first.

use std::collections::VecDeque;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use session_identity::{ExamSessionId, TerminalProcessId};

use super::name::{FileName, Start};
use super::{LifeDirectory, SpoolFile, SpoolUse};
use crate::segment::Segment;

/// Files that wait for the database.
#[derive(Debug)]
pub(crate) struct Roll {
    session_id: ExamSessionId,
    /// Never locked while the disk is at work.
    files: Mutex<VecDeque<Arc<SpoolFile>>>,
    /// Keeps the directory locked.
    pub(super) directory: Arc<LifeDirectory>,
    pub(super) usage: Arc<SpoolUse>,
}

/// Records that are to be shipped, and what to note once they are.
#[derive(Debug)]
pub(crate) struct Unshipped {
    pub(crate) segments: Vec<Segment>,
    /// Where they are.
    pub(crate) file: Arc<SpoolFile>,
    /// How many bytes of it they are.
    pub(crate) length: u64,
}

impl Roll {
    pub(super) fn new(
        session_id: ExamSessionId,
        directory: Arc<LifeDirectory>,
        usage: Arc<SpoolUse>,
    ) -> Self {
        Self {
            session_id,
            files: Mutex::default(),
            directory,
            usage,
        }
    }

    pub(crate) const fn session_id(&self) -> ExamSessionId {
        self.session_id
    }

    /// Who wrote it.
    pub(crate) fn life(&self) -> TerminalProcessId {
        self.directory.life()
    }

    fn files(&self) -> MutexGuard<'_, VecDeque<Arc<SpoolFile>>> {
        self.files.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn push(&self, file: Arc<SpoolFile>) {
        self.files().push_back(file);
    }

    /// Makes the next file, whose first record belongs to `start`.
    pub(super) fn make(&self, number: u32, start: Start) -> io::Result<Arc<SpoolFile>> {
        let name = FileName {
            session_id: self.session_id,
            number,
            start: Some(start),
        };
        let path = self.directory.path().join(name.to_string());
        let file = Arc::new(SpoolFile::make(path, Arc::clone(&self.usage))?);
        // The name of a file is not durable before its directory is.
        self.directory.sync()?;
        self.push(Arc::clone(&file));
        Ok(file)
    }

    /// Whether anything is to be shipped or cleared away. Waits for no disk.
    pub(crate) fn is_waiting(&self) -> bool {
        self.files().iter().any(|file| file.is_waiting())
    }

    /// Reads the next records to be shipped, and clears away what is: nothing where all are.
    pub(crate) fn unshipped(&self) -> io::Result<Option<Unshipped>> {
        loop {
            let Some(file) = self.files().front().cloned() else {
                return Ok(None);
            };
            let (segments, length) = file.unshipped()?;
            if length > 0 {
                return Ok(Some(Unshipped {
                    segments,
                    file,
                    length,
                }));
            }
            if !file.clear_away()? {
                return Ok(None);
            }
            self.files().retain(|other| !Arc::ptr_eq(other, &file));
        }
    }

    /// Clears the directory of a dead process away if this was the last in it.
    pub(crate) fn leave(&self) {
        self.directory.clear_away();
    }
}
