//! Commands that print more than one document: one a line, each whole.

use std::io::{self, Write};

use crate::{CliError, Document, OutputFormat};

/// Prints a document that is not the command's last, and says whether anybody still reads: a closed
/// pipe is the reader's choice, and the end of what there is to do.
///
/// # Errors
/// Transient, when stdout does not take it.
pub fn print_line(document: &Document, output: OutputFormat) -> Result<bool, CliError> {
    is_read(writeln!(io::stdout(), "{}", document.told(output)))
}

pub(crate) fn is_read(written: io::Result<()>) -> Result<bool, CliError> {
    match written {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(false),
        Err(error) => Err(CliError::transient("a line could not be written").caused_by(&error)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_closed_pipe_ends_the_lines_and_a_full_disk_the_command() {
        assert_eq!(is_read(Ok(())), Ok(true));
        assert_eq!(is_read(Err(io::ErrorKind::BrokenPipe.into())), Ok(false));
        assert!(is_read(Err(io::ErrorKind::StorageFull.into())).is_err());
    }
}
