//! Asking before many jobs are changed.

use std::io::{self, BufRead as _, IsTerminal as _, Write as _};

use command_line::{CliError, OutputFormat};

use super::{Asked, Preview};
use crate::BulkVerb;

/// Enough to see that it is not what one meant.
const SAMPLES: usize = 5;

/// Deleted rows do not come back: their number is given, not a word. The rest is asked where there
/// is somebody to ask. Returns the number that was agreed to, where one was named.
pub(super) fn confirm(
    asked: &Asked<'_>,
    preview: &Preview,
    output: OutputFormat,
) -> Result<Option<i64>, CliError> {
    let verb = asked.verb.as_str();
    let count = preview.counts.fitting;
    if asked.verb == BulkVerb::Purge {
        let given = asked.confirm.map(|count| count.to_string());
        let consequence = format!("{} and their history are deleted for good", preview.told());
        CliError::unless_confirmed(given.as_deref(), &count.to_string(), &consequence)?;
        return Ok(asked.confirm);
    }
    if asked.bulk.yes {
        return Ok(None);
    }
    let can_ask =
        output == OutputFormat::Text && io::stdin().is_terminal() && io::stderr().is_terminal();
    let refused = CliError::refused(format!("nobody agreed to {verb} {}", preview.told()))
        .field("yes")
        .next(format!("--yes --expect {count}, or --dry-run to see which"));
    if can_ask && ask(verb, preview).unwrap_or(false) {
        return Ok(Some(count));
    }
    Err(refused)
}

fn ask(verb: &str, preview: &Preview) -> io::Result<bool> {
    let mut out = io::stderr().lock();
    writeln!(out, "Would {verb} {}, such as:", preview.told())?;
    for id in preview.ids.iter().take(SAMPLES) {
        writeln!(out, "  {id}")?;
    }
    write!(out, "Continue? [y/N] ")?;
    out.flush()?;
    let mut answer = String::new();
    io::stdin().lock().read_line(&mut answer)?;
    Ok(matches!(answer.trim(), "y" | "Y" | "yes"))
}
