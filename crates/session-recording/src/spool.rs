//! What waits on a local disk for the database: survives this process, and a machine that restarts.

mod directory;
mod file;
mod record;
mod usage;

use std::fs;
use std::io;
use std::path::Path;
use std::sync::Arc;

use session_identity::{ExamSessionId, TerminalProcessId};

pub(crate) use directory::LifeDirectory;
pub(crate) use file::{SpoolFile, Unshipped};
pub(crate) use record::to_record;
pub use usage::SpoolFault;
pub(crate) use usage::SpoolUse;

use crate::place::Place;

const SUFFIX: &str = ".spool";

/// This process's directory in a spool.
#[derive(Debug)]
pub(crate) struct Spool {
    directory: Arc<LifeDirectory>,
    usage: Arc<SpoolUse>,
}

/// What a dead process left of a session.
#[derive(Debug)]
pub(crate) struct Leftover {
    pub(crate) session_id: ExamSessionId,
    pub(crate) file: SpoolFile,
    /// How far it had recorded.
    pub(crate) recorded_to: Option<Place>,
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
        let leftovers = take_over(root, &usage)?;
        let directory = Arc::new(LifeDirectory::make(root, writer)?);
        Ok((Self { directory, usage }, leftovers))
    }

    pub(crate) fn file(&self, session_id: ExamSessionId) -> SpoolFile {
        let name = format!("{session_id}{SUFFIX}");
        SpoolFile::new(&name, Arc::clone(&self.directory), Arc::clone(&self.usage))
    }

    pub(crate) fn usage(&self) -> &SpoolUse {
        &self.usage
    }
}

/// Takes over what dead processes left. One file that cannot be read keeps none of the others back.
fn take_over(root: &Path, usage: &Arc<SpoolUse>) -> io::Result<Vec<Leftover>> {
    let mut leftovers = Vec::new();
    for entry in fs::read_dir(root)? {
        let path = entry?.path();
        // A hidden one is being made.
        let name = path.file_name().and_then(|name| name.to_str());
        if name.is_none_or(|name| name.parse::<TerminalProcessId>().is_err()) {
            continue;
        }
        match LifeDirectory::take_over(path.clone()) {
            Ok(Some(directory)) => recover(&Arc::new(directory), usage, &mut leftovers)?,
            Ok(None) => {}
            Err(error) => {
                tracing::warn!(%error, path = %path.display(), "a spool cannot be taken over");
            }
        }
    }
    Ok(leftovers)
}

fn recover(
    directory: &Arc<LifeDirectory>,
    usage: &Arc<SpoolUse>,
    leftovers: &mut Vec<Leftover>,
) -> io::Result<()> {
    let entries = match fs::read_dir(directory.path()) {
        // Its last owner cleared it away between our look and our lock.
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        entries => entries?,
    };
    for entry in entries {
        let name = entry?.file_name();
        let Some(name) = name.to_str() else { continue };
        let Some(Ok(session_id)) = name.strip_suffix(SUFFIX).map(str::parse) else {
            continue;
        };
        let file = SpoolFile::new(name, Arc::clone(directory), Arc::clone(usage));
        match file.recover() {
            Ok((file, recorded_to)) => leftovers.push(Leftover {
                session_id,
                file,
                recorded_to,
            }),
            Err(error) => {
                tracing::warn!(%error, session.id = %session_id, "a spool file cannot be read");
            }
        }
    }
    Ok(())
}
