//! What a person at a terminal is shown and asked. Nothing of it is part of the contract.

use std::io::{self, BufRead as _, IsTerminal as _, Write as _};

use crate::{CliError, OutputFormat};

const WIDTH: usize = 30;

/// One line on stderr, written over and over; nothing where stderr is no terminal.
#[derive(Debug)]
pub struct ProgressLine {
    is_seen: bool,
    is_open: bool,
}

impl Default for ProgressLine {
    fn default() -> Self {
        Self {
            is_seen: io::stderr().is_terminal(),
            is_open: false,
        }
    }
}

impl ProgressLine {
    /// Writes the line over the one before.
    pub fn show(&mut self, line: &str) {
        if !self.is_seen {
            return;
        }
        self.is_open = true;
        // A terminal that is gone does not end the work.
        write!(io::stderr(), "\r{line}\x1b[K").ok();
    }

    /// Leaves the last line where it is.
    pub fn end(&self) {
        if self.is_open {
            writeln!(io::stderr()).ok();
        }
    }
}

/// Draws how far something is, such as `[######                        ]`.
pub fn bar(done: usize, of: usize) -> String {
    let full = done * WIDTH / of.max(1);
    format!("[{:<WIDTH$}]", "#".repeat(full.min(WIDTH)))
}

/// Tells whether somebody sits there who can be asked: never where a program reads.
pub fn can_ask(output: OutputFormat) -> bool {
    output.is_for_people() && io::stdin().is_terminal() && io::stderr().is_terminal()
}

/// Asks on stderr and returns the line that was typed, without the spaces around it; nothing where
/// the terminal is gone.
pub fn ask(question: &str) -> Option<String> {
    let mut out = io::stderr().lock();
    write!(out, "{question} ").ok()?;
    out.flush().ok()?;
    let mut answer = String::new();
    io::stdin().lock().read_line(&mut answer).ok()?;
    Some(answer.trim().to_owned())
}

/// Asks before something that many notice, unless it was agreed to with `--yes`. `what` is read after
/// "agreed to" and before "Continue?", such as `cancel job 0190…`.
///
/// # Errors
/// Exit 6, where nobody agrees or nobody is there to be asked.
pub fn agree(output: OutputFormat, yes: bool, what: &str) -> Result<(), CliError> {
    if yes || (can_ask(output) && agrees(what)) {
        return Ok(());
    }
    Err(CliError::refused(format!("nobody agreed to {what}"))
        .field("yes")
        .next("--yes, or --dry-run to see what it would do"))
}

fn agrees(what: &str) -> bool {
    let answer = ask(&format!("Would {what}.\nContinue? [y/N]"));
    is_yes(answer.as_deref())
}

/// Whether an answer to `[y/N]` agrees.
pub fn is_yes(answer: Option<&str>) -> bool {
    matches!(answer, Some("y" | "Y" | "yes"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn where_a_program_reads_nobody_is_asked_and_yes_is_told() {
        let refused = agree(OutputFormat::Json, false, "pause queue grade").unwrap_err();
        assert_eq!(refused.exit, crate::Exit::Refused);
        assert_eq!(refused.message, "nobody agreed to pause queue grade");
        assert_eq!(agree(OutputFormat::Json, true, "pause queue grade"), Ok(()));
        assert!(is_yes(Some("y")) && !is_yes(Some("")) && !is_yes(None));
    }

    #[test]
    fn a_bar_is_as_wide_whatever_is_done() {
        for (done, of, full) in [(0, 0, 0), (0, 7, 0), (1, 3, 10), (7, 7, 30), (9, 7, 30)] {
            let bar = bar(done, of);
            assert_eq!(bar.matches('#').count(), full, "{done} of {of}");
            assert_eq!(bar.len(), WIDTH + 2);
        }
    }
}
