//! Which jobs: the flags that every plural verb shares.

use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use command_line::{CliError, Moment, parse_duration};
use session_identity::{ExamSessionId, JobId};
use sqlx::PgConnection;

use crate::{JobFilter, JobState, database_now, find_pattern_fault};

/// As many as one statement should be given.
const MOST_IDS: usize = 10_000;

/// Which jobs; flags that are left out do not narrow.
#[derive(Debug, Args)]
pub struct FilterArgs {
    /// Only jobs in this state: ready, running, done, dead or cancelled.
    #[arg(long)]
    state: Option<JobState>,
    /// The rest.
    #[command(flatten)]
    scope: ScopeArgs,
}

/// Which jobs, whatever their state.
#[derive(Debug, Args)]
pub struct ScopeArgs {
    /// Only jobs of this queue.
    #[arg(long, value_parser = parse_word)]
    queue: Option<String>,
    /// Only jobs of this kind, such as `provision_environment`.
    #[arg(long, value_parser = parse_word)]
    kind: Option<String>,
    /// Only jobs about this session (UUID).
    #[arg(long, value_name = "SESSION_ID")]
    session: Option<ExamSessionId>,
    /// Only jobs made since then: how long ago, such as 2h or 3d, or a date with its time and zone.
    #[arg(long, value_name = "WHEN")]
    since: Option<Moment>,
    /// Only jobs made before then, likewise.
    #[arg(long, value_name = "WHEN")]
    until: Option<Moment>,
    /// Only jobs made longer ago than this.
    #[arg(long, value_name = "DURATION", value_parser = parse_duration)]
    older_than: Option<Duration>,
    /// Only jobs whose latest failure, written as `class: reason`, matches this regular expression.
    #[arg(long, value_name = "REGEX", value_parser = parse_word)]
    error: Option<String>,
    /// Only the jobs of this file, one whole id a line; `-` reads stdin.
    #[arg(long, value_name = "PATH")]
    id_file: Option<PathBuf>,
}

impl FilterArgs {
    pub(super) async fn filter(
        &self,
        connection: &mut PgConnection,
    ) -> Result<JobFilter, CliError> {
        let scope = self.scope.filter(connection).await?;
        let state = self.state;
        Ok(JobFilter { state, ..scope })
    }
}

impl ScopeArgs {
    /// Two dates or two ages the wrong way round. A date beside an age may be a window that slides
    /// and is empty today.
    fn is_reversed(&self) -> bool {
        match (self.since, self.until) {
            (Some(Moment::At(from)), Some(Moment::At(to))) => from >= to,
            (Some(Moment::Ago(from)), Some(Moment::Ago(to))) if from <= to => true,
            (Some(Moment::Ago(from)), _) => self.older_than.is_some_and(|to| from <= to),
            _ => false,
        }
    }

    /// Settles what the flags mean: times by the database clock, ids by their file.
    pub(super) async fn filter(
        &self,
        connection: &mut PgConnection,
    ) -> Result<JobFilter, CliError> {
        let now = database_now(connection).await?;
        let until = self.until.map(|until| until.before(now));
        let young = self.older_than.map(|age| now - age);
        let created_from = self.since.map(|since| since.before(now));
        let created_before = until.into_iter().chain(young).min();
        if self.is_reversed() {
            return Err(CliError::usage("since", "the window ends before it begins")
                .next("give a --since that is before --until and before --older-than"));
        }
        if let Some(pattern) = &self.error
            && let Some(fault) = find_pattern_fault(connection, pattern).await?
        {
            return Err(CliError::usage("error", fault));
        }
        Ok(JobFilter {
            queue: self.queue.clone(),
            kind: self.kind.clone(),
            state: None,
            session_id: self.session,
            created_from,
            created_before,
            error: self.error.clone(),
            error_group: None,
            ids: self.id_file.as_deref().map(read_ids).transpose()?,
        })
    }
}

/// An empty word is one that a script forgot to fill in: it would match nothing, or everything.
fn parse_word(text: &str) -> Result<String, String> {
    if text.is_empty() {
        return Err("it is empty; leave the flag out if it shall not narrow".to_owned());
    }
    Ok(text.to_owned())
}

fn read_ids(path: &Path) -> Result<Vec<JobId>, CliError> {
    let mut text = String::new();
    let read = if path.as_os_str() == "-" {
        std::io::stdin().read_to_string(&mut text)
    } else {
        std::fs::File::open(path).and_then(|mut file| file.read_to_string(&mut text))
    };
    read.map_err(|error| {
        let message = format!("{} could not be read", path.display());
        CliError::usage("id-file", message).caused_by(&error)
    })?;
    let ids = parse_ids(&text)?;
    match ids.len() {
        0 => Err(CliError::usage("id-file", "it names no job")),
        1..=MOST_IDS => Ok(ids),
        many => Err(CliError::usage(
            "id-file",
            format!("it names {many} jobs; at most {MOST_IDS} at once"),
        )),
    }
}

fn parse_ids(text: &str) -> Result<Vec<JobId>, CliError> {
    let lines = text.lines().map(str::trim).enumerate();
    let ids = lines
        .filter(|(_, line)| !line.is_empty())
        .map(|(index, line)| {
            line.parse().map_err(|_| {
                let number = index + 1;
                CliError::usage("id-file", format!("line {number} is no job id: {line:?}"))
            })
        });
    ids.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "01931f4e-0000-7000-8000-000000000001";

    #[test]
    fn a_file_has_one_id_a_line_and_a_bad_line_is_named() {
        assert_eq!(parse_ids(&format!("{ID}\n\n  {ID}\r\n")).unwrap().len(), 2);
        let error = parse_ids(&format!("{ID}\nnine\n")).unwrap_err();
        assert_eq!(error.field.as_deref(), Some("id-file"));
        assert_eq!(error.message, "line 2 is no job id: \"nine\"");
    }
}
