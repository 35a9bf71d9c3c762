//! Asking before many jobs are changed.

use std::io::{self, BufRead as _, IsTerminal as _, Write as _};

use command_line::{CliError, OutputFormat};

use super::{Asked, Preview};
use crate::BulkVerb;

/// Enough to see that it is not what one meant.
const SAMPLES: usize = 5;

/// Deleted rows do not come back: their number is given, not a word. The rest is asked where there
/// is somebody to ask.
pub(super) fn confirm(
    asked: &Asked<'_>,
    preview: &Preview,
    output: OutputFormat,
) -> Result<(), CliError> {
    let verb = asked.verb.as_str();
    let count = preview.count;
    if asked.verb == BulkVerb::Purge {
        let given = asked.confirm.map(|count| count.to_string());
        let consequence = format!("{count} jobs and their history are deleted for good");
        return CliError::unless_confirmed(given.as_deref(), &count.to_string(), &consequence);
    }
    if asked.bulk.yes {
        return Ok(());
    }
    let can_ask =
        output == OutputFormat::Text && io::stdin().is_terminal() && io::stderr().is_terminal();
    let refused = CliError::refused(format!(
        "{count} jobs match and nobody agreed to {verb} them"
    ))
    .field("yes")
    .next(format!("--yes --expect {count}, or --dry-run to see which"));
    if can_ask && ask(verb, preview).unwrap_or(false) {
        return Ok(());
    }
    Err(refused)
}

fn ask(verb: &str, preview: &Preview) -> io::Result<bool> {
    let mut out = io::stderr().lock();
    let count = preview.count;
    writeln!(out, "Would {verb} {count} jobs, such as:")?;
    for id in preview.ids.iter().take(SAMPLES) {
        writeln!(out, "  {id}")?;
    }
    write!(out, "Continue? [y/N] ")?;
    out.flush()?;
    let mut answer = String::new();
    io::stdin().lock().read_line(&mut answer)?;
    Ok(matches!(answer.trim(), "y" | "Y" | "yes"))
}
