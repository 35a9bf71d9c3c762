//! Which jobs: the flags that every plural verb shares.

mod attempts;
mod holds;
mod ids;

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use command_line::{CliError, Moment, Window, parse_duration};
use session_identity::{ExamSessionId, WorkerIncarnation};
use sqlx::PgConnection;

use crate::{JobFilter, JobState, database_now, find_pattern_fault, workers_named};
use attempts::Attempts;
use holds::{Holds, together};
use ids::read_ids;

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
    /// Only jobs that this worker runs: its name, also one that lives no more, or its incarnation.
    #[arg(long, value_name = "WORKER", value_parser = parse_word)]
    worker: Option<String>,
    /// Only jobs with so many counted runs: 0, '>=3', '<10'.
    #[arg(long, value_name = "COUNT")]
    attempts: Option<Attempts>,
    /// Only jobs whose payload holds this, such as exam=rust-1; again for more fields. A number, true,
    /// false and null are themselves, all else is text, and so is what stands in double quotes.
    #[arg(long = "where", value_name = "KEY=VALUE")]
    payload: Vec<Holds>,
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
    /// Settles what the flags mean: times by the database clock, ids by their file.
    pub(super) async fn filter(
        &self,
        connection: &mut PgConnection,
    ) -> Result<JobFilter, CliError> {
        let now = database_now(connection).await?;
        let ends = [self.until, self.older_than.map(Moment::Ago)];
        let made = Window::settle(self.since, ends, now)?;
        if let Some(pattern) = &self.error
            && let Some(fault) = find_pattern_fault(connection, pattern).await?
        {
            return Err(CliError::usage("error", fault));
        }
        let attempts = self.attempts;
        Ok(JobFilter {
            queue: self.queue.clone(),
            kind: self.kind.clone(),
            state: None,
            session_id: self.session,
            created_from: made.from,
            created_before: made.before,
            error: self.error.clone(),
            error_group: None,
            workers: self.workers(connection).await?,
            attempts_from: attempts.and_then(|attempts| attempts.from),
            attempts_to: attempts.and_then(|attempts| attempts.to),
            payload: together(&self.payload)?,
            ids: self.id_file.as_deref().map(read_ids).transpose()?,
        })
    }
}

impl ScopeArgs {
    /// A typing error must not look like a worker that has nothing to do.
    async fn workers(
        &self,
        connection: &mut PgConnection,
    ) -> Result<Option<Vec<WorkerIncarnation>>, CliError> {
        let Some(named) = &self.worker else {
            return Ok(None);
        };
        let found = workers_named(connection, named).await?;
        if found.is_empty() {
            return Err(CliError::not_found(format!("no worker {named:?}"))
                .field("worker")
                .next("carrel workers list --all"));
        }
        Ok(Some(found))
    }
}

/// An empty word is one that a script forgot to fill in: it would match nothing, or everything.
fn parse_word(text: &str) -> Result<String, String> {
    if text.is_empty() {
        return Err("it is empty; leave the flag out if it shall not narrow".to_owned());
    }
    Ok(text.to_owned())
}
