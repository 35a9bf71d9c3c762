//! Asking before many jobs are changed.

use command_line::{CliError, OutputFormat, ask, can_ask, is_yes};

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
        let whose = if count == 1 { "its" } else { "their" };
        let consequence = format!(
            "{} and {whose} history are deleted for good",
            preview.told()
        );
        CliError::unless_confirmed(given.as_deref(), &count.to_string(), &consequence)?;
        return Ok(asked.confirm);
    }
    if asked.bulk.yes {
        return Ok(None);
    }
    let refused = CliError::refused(format!("nobody agreed to {verb} {}", preview.told()))
        .field("yes")
        .next(format!("--yes --expect {count}, or --dry-run to see which"));
    if can_ask(output) && agrees(verb, preview) {
        return Ok(Some(count));
    }
    Err(refused)
}

fn agrees(verb: &str, preview: &Preview) -> bool {
    let samples = preview.ids.iter().take(SAMPLES);
    let first = format!("Would {verb} {}, such as:", preview.told());
    let lines = [first].into_iter();
    let lines = lines.chain(samples.map(|id| format!("  {id}")));
    let lines: Vec<_> = lines.chain(["Continue? [y/N]".to_owned()]).collect();
    let answer = ask(&lines.join("\n"));
    is_yes(answer.as_deref())
}
