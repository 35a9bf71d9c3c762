//! What waits on a local disk for the database: survives this process, and a machine that restarts.

mod directory;
mod file;
mod name;
mod record;
mod recovery;
mod roll;
mod salvage;
mod scan;
mod usage;
mod writer;

use std::fs;
use std::io;
use std::path::Path;
use std::sync::Arc;

use session_identity::{ExamSessionId, TerminalProcessId};

pub(crate) use directory::LifeDirectory;
pub(crate) use file::SpoolFile;
pub(crate) use recovery::Leftover;
pub(crate) use roll::Roll;
pub use usage::SpoolFault;
pub(crate) use usage::SpoolUse;
pub(crate) use writer::{Record, Writer};

/// This process's directory in a spool.
#[derive(Debug)]
pub(crate) struct Spool {
    directory: Arc<LifeDirectory>,
    usage: Arc<SpoolUse>,
    /// Damaged files that are kept aside.
    damaged: u64,
}

impl Spool {
    /// Makes this process's directory and takes over those of dead ones.
    pub(crate) fn open(
        root: &Path,
        writer: TerminalProcessId,
        limit: u64,
    ) -> io::Result<(Self, Vec<Leftover>)> {
        fs::create_dir_all(root)?;
        let usage = Arc::new(SpoolUse::new(limit));
        let found = recovery::take_over(root, &usage)?;
        let spool = Self {
            directory: Arc::new(LifeDirectory::make(root, writer)?),
            usage,
            damaged: found.damaged,
        };
        Ok((spool, found.leftovers))
    }

    /// A session's files, of which there are none yet.
    pub(crate) fn roll(&self, session_id: ExamSessionId) -> Roll {
        let (directory, usage) = (Arc::clone(&self.directory), Arc::clone(&self.usage));
        Roll::new(session_id, directory, usage)
    }

    pub(crate) fn usage(&self) -> &SpoolUse {
        &self.usage
    }

    pub(crate) const fn damaged(&self) -> u64 {
        self.damaged
    }

    /// This process's directory, to be cleared away at the end.
    pub(crate) fn directory(&self) -> Arc<LifeDirectory> {
        Arc::clone(&self.directory)
    }
}
