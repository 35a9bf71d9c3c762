use std::collections::BTreeSet;
use std::fs::{self, OpenOptions};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use carrel_keeper::report::WritablePath;
use rustix::fs::OFlags;

use super::mounts::Mounts;

/// Folders images commonly leave open to everyone, beside the mounts.
const USUAL: [&str; 14] = [
    "/",
    "/tmp",
    "/var/tmp",
    "/run",
    "/run/lock",
    "/home",
    "/dev",
    "/dev/shm",
    "/opt",
    "/srv",
    "/mnt",
    "/var/lib",
    "/var/log",
    "/var/cache",
];

/// Tries to write at every mount, at the usual places, at home and at the working directory.
pub(super) fn find(mounts: &Mounts) -> Vec<WritablePath> {
    let candidates: BTreeSet<PathBuf> = mounts
        .iter()
        .map(|mount| mount.point.clone())
        .chain(USUAL.iter().map(PathBuf::from))
        .chain(std::env::var_os("HOME").map(PathBuf::from))
        .chain(std::env::current_dir())
        .chain(one_below("/home"))
        .filter(|path| path.is_absolute())
        .collect();
    candidates
        .iter()
        .filter(|path| is_writable(path))
        .map(|path| describe(path, mounts))
        .collect()
}

fn one_below(folder: &str) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(folder) else {
        return Vec::new();
    };
    entries
        .flatten()
        .map(|entry| entry.path())
        .take(64)
        .collect()
}

/// Really writes: options and modes do not tell what security modules and id maps decide.
fn is_writable(path: &Path) -> bool {
    let Ok(found) = fs::metadata(path) else {
        return false;
    };
    let mut options = OpenOptions::new();
    // Mounts may be FIFOs or devices: opening one must not wait.
    options
        .write(true)
        .custom_flags(OFlags::NONBLOCK.bits().cast_signed());
    if found.is_file() {
        return options.open(path).is_ok();
    }
    if !found.is_dir() {
        return false;
    }
    let file = path.join(format!(".carrel-verify-{}", std::process::id()));
    let created = options.create_new(true).open(&file).is_ok();
    if created {
        // Left behind only where creating is allowed and deleting is not; it is empty.
        fs::remove_file(&file).ok();
    }
    created
}

fn describe(path: &Path, mounts: &Mounts) -> WritablePath {
    let real = fs::canonicalize(path).unwrap_or_else(|_| path.to_path_buf());
    let size = rustix::fs::statvfs(path).ok();
    let size = size.map(|size| size.f_blocks.saturating_mul(size.f_frsize));
    WritablePath {
        path: path.to_string_lossy().into_owned(),
        fstype: mounts.of(&real).map(|mount| mount.fstype.clone()),
        // Without a size of its own a tmpfs reports none.
        size_bytes: size.filter(|bytes| *bytes > 0),
    }
}
