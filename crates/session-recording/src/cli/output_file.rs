//! Files that verbs make.

use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use command_line::CliError;

/// Makes a file that only its owner reads: what a candidate typed or saw is nobody else's to read, and
/// neither is a key.
pub(super) fn create(field: &'static str, path: &Path) -> Result<File, CliError> {
    let mut options = OpenOptions::new();
    let created = options.write(true).create_new(true).mode(0o600).open(path);
    created.map_err(|error| {
        let message = format!("{} cannot be made", path.display());
        CliError::usage(field, message)
            .caused_by(&error)
            .next("name a file that does not exist, in a directory that may be written")
    })
}

/// Makes one with a short text in it, which is on the disk afterwards.
pub(super) fn write(field: &'static str, path: &Path, text: &str) -> Result<(), CliError> {
    let mut file = create(field, path)?;
    let written = file
        .write_all(text.as_bytes())
        .and_then(|()| file.sync_all());
    written.map_err(|error| {
        // Half a text must not pass for a whole one; the error is what is to be told.
        std::fs::remove_file(path).ok();
        let message = format!("{} does not take what belongs into it", path.display());
        CliError::transient(message)
            .field(field)
            .caused_by(&error)
            .next("free space, or name another file")
    })
}
