//! Taking over what dead processes left in a spool.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use session_identity::{ExamSessionId, TerminalProcessId};

use super::name::{FileName, Start};
use super::salvage::{ASIDE, Damaged, UNDER_WAY};
use super::scan::{Good, Scan, scan};
use super::{LifeDirectory, Roll, SpoolFile, SpoolUse};
use crate::place::Place;

/// What a dead process left of a session.
#[derive(Debug)]
pub(crate) struct Leftover {
    pub(crate) roll: Arc<Roll>,
    /// How far it had recorded.
    pub(crate) recorded_to: Option<Place>,
}

/// What was found in a spool.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub(super) leftovers: Vec<Leftover>,
    /// Damaged files that were put aside, now or before.
    pub(super) damaged: u64,
}

/// A file of a dead process, and what is in it.
struct Left {
    path: PathBuf,
    name: FileName,
    scan: Scan,
}

/// Takes over what dead processes left. One file that cannot be read keeps none of the others back.
pub(super) fn take_over(root: &Path, usage: &Arc<SpoolUse>) -> io::Result<Found> {
    let mut found = Found::default();
    for entry in fs::read_dir(root)? {
        let path = entry?.path();
        // A hidden one is being made.
        let name = path.file_name().and_then(|name| name.to_str());
        let Some(life) = name.and_then(|name| name.parse::<TerminalProcessId>().ok()) else {
            continue;
        };
        match LifeDirectory::take_over(path.clone(), life) {
            Ok(Some(directory)) => recover(&Arc::new(directory), usage, &mut found)?,
            Ok(None) => {}
            Err(error) => {
                tracing::warn!(%error, path = %path.display(), "a spool cannot be taken over");
            }
        }
    }
    Ok(found)
}

fn recover(
    directory: &Arc<LifeDirectory>,
    usage: &Arc<SpoolUse>,
    found: &mut Found,
) -> io::Result<()> {
    let mut sessions: BTreeMap<ExamSessionId, Vec<Left>> = BTreeMap::new();
    let entries = match fs::read_dir(directory.path()) {
        // Its last owner cleared it away between our look and our lock.
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        entries => entries?,
    };
    for entry in entries {
        let path = entry?.path();
        let end = path.extension().unwrap_or_default();
        if end == ASIDE {
            found.damaged += 1;
        } else if end == UNDER_WAY {
            fs::remove_file(&path)?;
        } else if let Some(left) = look_at(path) {
            sessions.entry(left.name.session_id).or_default().push(left);
        }
    }
    let is_empty = sessions.is_empty();
    for (session_id, mut files) in sessions {
        files.sort_by_key(|left| left.name.number);
        found.damaged += files.iter().filter(|left| left.scan.is_damaged).count() as u64;
        let roll = Roll::new(session_id, Arc::clone(directory), Arc::clone(usage));
        found.leftovers.push(take(roll, &files));
    }
    if is_empty {
        directory.clear_away();
    }
    Ok(())
}

fn look_at(path: PathBuf) -> Option<Left> {
    let name = FileName::parse(path.file_name()?.to_str()?)?;
    // What is no file cannot be ours, and opening it may never end.
    if !fs::metadata(&path).is_ok_and(|known| known.is_file()) {
        return None;
    }
    match scan(&path) {
        Ok(scan) => Some(Left { path, name, scan }),
        Err(error) => {
            tracing::error!(%error, path = %path.display(),
                "a spool file cannot be read: it stays where it is, for the next start");
            None
        }
    }
}

/// Makes a session's files ready to be shipped.
fn take(roll: Roll, files: &[Left]) -> Leftover {
    let mut before = None;
    let mut recorded_to = None;
    for (index, left) in files.iter().enumerate() {
        let damaged = Damaged {
            path: &left.path,
            session_id: left.name.session_id,
            writer: roll.life(),
            scan: &left.scan,
            start: left.name.start.or(before),
            until: files.get(index + 1).and_then(first_of),
        };
        match sound(&damaged, &roll.usage) {
            Ok(file) => roll.push(Arc::new(file)),
            Err(error) => {
                tracing::error!(%error, path = %left.path.display(),
                    "a spool file cannot be taken over: it stays where it is, for the next start");
            }
        }
        before = left.scan.good.last().map(Good::next).or(before);
        let reached = left.scan.good.iter().map(Good::reached);
        recorded_to = reached.chain(recorded_to).max();
    }
    Leftover {
        roll: Arc::new(roll),
        recorded_to,
    }
}

/// Where a file's first record belongs.
fn first_of(left: &Left) -> Option<Start> {
    let first = left.scan.good.first().map(|first| Start {
        seq: first.header.writer_seq,
        place: Place {
            shell_epoch: first.header.shell_epoch,
            offset: first.header.from_offset,
        },
    });
    left.name.start.or(first)
}

/// Opens a file of which everything is good, or makes it so.
fn sound(left: &Damaged<'_>, usage: &Arc<SpoolUse>) -> io::Result<SpoolFile> {
    let path = left.path.to_owned();
    if left.scan.is_damaged {
        let length = left.salvage()?;
        return SpoolFile::of_dead(path, length, Arc::clone(usage));
    }
    if left.scan.lost > 0 {
        tracing::warn!(path = %path.display(), cut = left.scan.lost,
            "a spool file ended within a record: its end is cut off");
    }
    SpoolFile::of_dead(path, left.scan.whole(), Arc::clone(usage))
}
