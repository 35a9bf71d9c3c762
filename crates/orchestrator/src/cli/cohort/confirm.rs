//! Asking before a whole exam is changed.

use command_line::{CliError, OutputFormat, ask, can_ask, is_yes};

use super::Work;
use super::tell::{Tense, line, whole};
use crate::CohortReport;

/// Enough to see that it is not what one meant.
const SAMPLES: usize = 5;

/// Asks where there is somebody to ask, and returns the number that was agreed to. More time is
/// agreed to by a word; an end cannot be undone, so that its number is typed.
///
/// # Errors
/// Exit 6, with the flag to add.
pub(super) fn confirm(
    work: &Work,
    would_be: &CohortReport,
    output: OutputFormat,
) -> Result<usize, CliError> {
    let count = would_be.matched();
    if can_ask(output) && agrees(work, would_be) {
        return Ok(count);
    }
    let message = format!("nobody agreed to {}", whole(Tense::WouldBe, work, would_be));
    Err(CliError::refused(message)
        .code("confirmation.missing")
        .field("confirm")
        .next(format!("--confirm {count}, or --dry-run to see whom")))
}

fn agrees(work: &Work, would_be: &CohortReport) -> bool {
    let count = would_be.matched();
    let question = match work {
        Work::Extend(_) | Work::Compensate(_) => "Continue? [y/N]".to_owned(),
        Work::End(_) => format!("This cannot be undone. Type {count} to continue:"),
    };
    let first = format!("Would {}, such as:", whole(Tense::WouldBe, work, would_be));
    let samples = would_be.visits().iter().take(SAMPLES).map(line);
    let lines = [first].into_iter().chain(samples).chain([question]);
    let Some(answer) = ask(&lines.collect::<Vec<_>>().join("\n")) else {
        return false;
    };
    match work {
        Work::Extend(_) | Work::Compensate(_) => is_yes(Some(&answer)),
        Work::End(_) => answer == count.to_string(),
    }
}
