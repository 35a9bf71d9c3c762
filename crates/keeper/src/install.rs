//! `install`: puts this binary where an environment mounts it read-only.

use std::fs::{self, DirBuilder, OpenOptions, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::Path;

use crate::Failure;

/// The folder beside the binary that only its owner, who is not the candidate, may enter.
const SEALED: &str = "sealed";

/// Kubernetes mounts a file of the node over it, open to everyone and without a limit: it must lie
/// where the candidate cannot go, and exist, because the mount around it is read-only by then.
const TERMINATION: &str = "termination";

/// Copies the running binary to `path`; whoever sees it there sees all of it.
pub(crate) fn install(path: &Path) -> Result<(), Failure> {
    copy(path)
        .and_then(|()| seal(path.parent().unwrap_or(path)))
        .map_err(|error| Failure::broken(&format!("cannot install {}", path.display()), &error))
}

fn copy(path: &Path) -> io::Result<()> {
    let name = path.file_name().ok_or(io::ErrorKind::InvalidInput)?;
    let unfinished = path.with_file_name(format!(".{}.{}", name.display(), std::process::id()));
    let mut from = fs::File::open("/proc/self/exe")?;
    let mut to = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o700)
        .open(&unfinished)?;
    io::copy(&mut from, &mut to)?;
    // Neither created so, because the umask takes away, nor by name, which another could replace.
    to.set_permissions(Permissions::from_mode(0o555))?;
    drop(to);
    fs::rename(&unfinished, path)
}

fn seal(folder: &Path) -> io::Result<()> {
    let sealed = folder.join(SEALED);
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(&sealed)?;
    fs::set_permissions(&sealed, Permissions::from_mode(0o700))?;
    OpenOptions::new()
        .append(true)
        .create(true)
        .mode(0o600)
        .open(sealed.join(TERMINATION))?;
    Ok(())
}
