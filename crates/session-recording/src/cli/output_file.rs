//! Files that verbs make.

use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, Write as _};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::Path;

use command_line::CliError;

/// Makes a file that only its owner reads: what a candidate typed or saw is nobody else's to read, and
/// neither is a key.
pub(super) fn create(field: &'static str, path: &Path) -> Result<File, CliError> {
    new_file(path).map_err(|error| not_made(field, path, &error))
}

fn new_file(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true).mode(0o600).open(path)
}

fn not_made(field: &'static str, path: &Path, error: &io::Error) -> CliError {
    let message = format!("{} cannot be made", path.display());
    CliError::usage(field, message)
        .caused_by(error)
        .next("name a file that does not exist, in a directory that may be written")
}

fn not_filled(field: &'static str, path: &Path, error: &io::Error) -> CliError {
    let message = format!("{} does not take what belongs into it", path.display());
    CliError::transient(message)
        .field(field)
        .caused_by(error)
        .next("free space, or name another file")
}

/// Makes one with a short text in it, which is on the disk afterwards, name and all.
pub(super) fn write(field: &'static str, path: &Path, text: &str) -> Result<(), CliError> {
    let file = create(field, path)?;
    filled(&file, path, text).map_err(|error| {
        // Half a text must not pass for a whole one; the error is what is to be told.
        fs::remove_file(path).ok();
        not_filled(field, path, &error)
    })
}

/// The same, but there at once: whoever is killed leaves nothing under the name, or all of it.
pub(super) fn write_at_once(field: &'static str, path: &Path, text: &str) -> Result<(), CliError> {
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".{:08x}.new", rand::random::<u32>()));
    let new = Path::new(&name);
    write(field, new, text)?;
    let linked = fs::hard_link(new, path);
    fs::remove_file(new).map_err(|error| not_filled(field, new, &error))?;
    linked.map_err(|error| not_made(field, path, &error))?;
    sync_folder(path).map_err(|error| not_filled(field, path, &error))
}

/// The same, for everybody to read.
pub(super) fn publish(field: &'static str, path: &Path, text: &str) -> Result<(), CliError> {
    write(field, path, text)?;
    let shown = fs::set_permissions(path, Permissions::from_mode(0o644));
    shown.map_err(|error| {
        let message = format!("{} cannot be made readable to others", path.display());
        CliError::transient(message).field(field).caused_by(&error)
    })
}

fn filled(mut file: &File, path: &Path, text: &str) -> io::Result<()> {
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    sync_folder(path)
}

/// A name is on the disk once its folder is.
fn sync_folder(path: &Path) -> io::Result<()> {
    let folder = path.parent().filter(|it| !it.as_os_str().is_empty());
    File::open(folder.unwrap_or(Path::new(".")))?.sync_all()
}
