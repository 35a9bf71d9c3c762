//! The directory of one life of a process, locked while it lives.

use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

use session_identity::TerminalProcessId;

const LOCK: &str = "lock";

/// A locked directory. It goes with the last file in it.
#[derive(Debug)]
pub(crate) struct LifeDirectory {
    path: PathBuf,
    /// The kernel drops the lock with the process, however that ends.
    _lock: File,
}

impl LifeDirectory {
    /// Makes the directory of a new life. It appears under its name with the lock held: nobody takes it
    /// for a dead one's.
    pub(super) fn make(root: &Path, writer: TerminalProcessId) -> io::Result<Self> {
        let hidden = root.join(format!(".{writer}"));
        let path = root.join(writer.to_string());
        fs::create_dir_all(&hidden)?;
        let lock = File::create(hidden.join(LOCK))?;
        lock.lock()?;
        fs::rename(&hidden, &path)?;
        let made = Self { path, _lock: lock };
        File::open(root)?.sync_all()?;
        Ok(made)
    }

    /// Takes over the directory of a life that is over; nothing while it lives.
    pub(super) fn take_over(path: PathBuf) -> io::Result<Option<Self>> {
        let lock = match File::open(path.join(LOCK)) {
            Ok(lock) => lock,
            // Another process took it over and has just cleared it away.
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        match lock.try_lock() {
            Ok(()) => Ok(Some(Self { path, _lock: lock })),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => Err(error),
        }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Makes the names of its files survive a power cut.
    pub(super) fn sync(&self) -> io::Result<()> {
        File::open(&self.path)?.sync_all()
    }
}

impl Drop for LifeDirectory {
    fn drop(&mut self) {
        let only_lock = fs::read_dir(&self.path)
            .is_ok_and(|entries| entries.flatten().all(|entry| entry.file_name() == LOCK));
        // What cannot be removed now is found, empty, by the next process that starts here.
        if only_lock && fs::remove_file(self.path.join(LOCK)).is_ok() {
            fs::remove_dir(&self.path).ok();
        }
    }
}
