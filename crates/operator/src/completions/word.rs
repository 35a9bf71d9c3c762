//! One word that may stand at the cursor.

use std::io::{self, Write as _};

use command_line::CliError;

/// A word and what there is to say of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Word {
    pub(super) text: String,
    /// One line, or nothing.
    pub(super) told: String,
}

impl Word {
    pub(super) fn new(text: impl Into<String>, told: impl Into<String>) -> Self {
        Self {
            text: text.into(),
            told: told.into(),
        }
    }

    /// One that speaks for itself.
    pub(super) fn bare(text: impl Into<String>) -> Self {
        Self::new(text, "")
    }

    /// Whether a terminal shows it as it is. A name is what somebody wrote into the database: it must
    /// neither begin a line of its own nor steer the terminal.
    pub(super) fn is_plain(&self) -> bool {
        let mut both = self.text.chars().chain(self.told.chars());
        !both.any(char::is_control)
    }
}

/// Prints lines; nobody who reads them any more is no failure.
pub(super) fn print(lines: &[String]) -> Result<(), CliError> {
    let ended: Vec<_> = lines
        .iter()
        .flat_map(|line| [line.as_str(), "\n"])
        .collect();
    match io::stdout().lock().write_all(ended.concat().as_bytes()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(CliError::transient("the words could not be written").caused_by(&error))
        }
        Ok(()) | Err(_) => Ok(()),
    }
}
