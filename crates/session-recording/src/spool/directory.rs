//! The directory of one life of a process, locked while it lives.

use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

use session_identity::TerminalProcessId;

const LOCK: &str = "lock";

/// A locked directory. It goes once nothing but its lock is in it.
#[derive(Debug)]
pub(crate) struct LifeDirectory {
    path: PathBuf,
    life: TerminalProcessId,
    /// The kernel drops the lock with the process, however that ends.
    _lock: File,
}

impl LifeDirectory {
    /// Makes the directory of a new life. It appears under its name with the lock held: nobody takes it
    /// for a dead one's.
    pub(super) fn make(root: &Path, life: TerminalProcessId) -> io::Result<Self> {
        let hidden = root.join(format!(".{life}"));
        let path = root.join(life.to_string());
        fs::create_dir_all(&hidden)?;
        let lock = File::create(hidden.join(LOCK))?;
        lock.lock()?;
        fs::rename(&hidden, &path)?;
        File::open(root)?.sync_all()?;
        Ok(Self {
            path,
            life,
            _lock: lock,
        })
    }

    /// Takes over the directory of a life that is over; nothing while it lives.
    pub(super) fn take_over(path: PathBuf, life: TerminalProcessId) -> io::Result<Option<Self>> {
        let lock = match File::open(path.join(LOCK)) {
            Ok(lock) => lock,
            // Another process took it over and has just cleared it away.
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        match lock.try_lock() {
            Ok(()) => Ok(Some(Self {
                path,
                life,
                _lock: lock,
            })),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => Err(error),
        }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Whose life it is.
    pub(super) const fn life(&self) -> TerminalProcessId {
        self.life
    }

    /// Makes the names of its files survive a power cut.
    pub(super) fn sync(&self) -> io::Result<()> {
        File::open(&self.path)?.sync_all()
    }

    /// Removes it if nothing is left in it. What cannot be removed now is found, empty, by the next
    /// process that starts here.
    pub(crate) fn clear_away(&self) {
        let only_lock = fs::read_dir(&self.path)
            .is_ok_and(|entries| entries.flatten().all(|entry| entry.file_name() == LOCK));
        if only_lock && fs::remove_file(self.path.join(LOCK)).is_ok() {
            fs::remove_dir(&self.path).ok();
        }
    }
}
