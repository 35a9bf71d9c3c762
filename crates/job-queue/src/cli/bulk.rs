//! Plural writes: shown first, confirmed, then worked by a worker and watched from here.

mod confirm;
mod tell;
mod watch;

use std::time::Duration;

use clap::Args;
use command_line::{CliError, Document, Exit, OutputFormat, parse_duration};
use serde_json::json;
use session_identity::JobId;
use sqlx::PgConnection;
use tokio::signal::unix::{SignalKind, signal};

use super::errors::cli_error;
use crate::operate::count_matching;
use crate::{
    BulkVerb, JobAction, JobFilter, NewOperation, OperationRecord, OperationState, WhyNotRunning,
    list_jobs, notify_workers, start_operation, why_not_running,
};
use confirm::confirm;
pub(super) use tell::{describe, told};
use watch::watch;

/// As many ids as a dry run names.
const NAMED: i64 = 20;

/// How to go about many jobs.
#[derive(Args, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of its own")]
pub struct BulkArgs {
    /// Many: every job there is, where no other flag says which.
    #[arg(long)]
    pub(super) all: bool,
    /// Many: says how many jobs and which, and changes nothing.
    #[arg(long)]
    dry_run: bool,
    /// Many: does not ask.
    #[arg(long)]
    yes: bool,
    /// Many: refuses if more jobs than this match by then.
    #[arg(long, value_name = "COUNT")]
    expect: Option<i64>,
    /// Many: changes at most so many jobs a second, such as 20/s.
    #[arg(long, value_name = "N/s", value_parser = parse_rate)]
    rate: Option<i32>,
    /// Many: does not wait for the end.
    #[arg(long)]
    no_wait: bool,
    /// Many: for how long to wait at most; the operation goes on.
    #[arg(long, value_name = "DURATION", default_value = "1h", value_parser = parse_duration)]
    timeout: Duration,
}

/// What shall be done to which jobs, and who says so.
pub(super) struct Asked<'a> {
    pub(super) verb: BulkVerb,
    pub(super) filter: JobFilter,
    /// As many as an operator has confirmed, for what cannot be taken back.
    pub(super) confirm: Option<i64>,
    pub(super) bulk: &'a BulkArgs,
    pub(super) action: JobAction,
}

/// What would be changed, by the predicate that will change it.
struct Preview {
    count: i64,
    ids: Vec<JobId>,
}

pub(super) async fn run(
    connection: &mut PgConnection,
    output: OutputFormat,
    asked: Asked<'_>,
) -> Result<Document, CliError> {
    if asked.filter == JobFilter::default() && !asked.bulk.all {
        return Err(CliError::usage("all", "nothing says which jobs")
            .next("name a job, narrow with --queue, --kind, --state …, or give --all"));
    }
    let preview = look(connection, &asked.filter).await?;
    if asked.bulk.dry_run {
        return Ok(dry_run(&asked, &preview));
    }
    if preview.count == 0 {
        return Ok(nothing(&asked.verb));
    }
    confirm(&asked, &preview, output)?;
    // From here on Ctrl-C ends the watching alone, whatever has been made by then.
    let interrupt = signal(SignalKind::interrupt()).map_err(CliError::bug)?;
    let new = NewOperation {
        verb: asked.verb.clone(),
        filter: asked.filter,
        rate: asked.bulk.rate,
        expect: asked.bulk.expect.or(asked.confirm),
    };
    let started = start_operation(connection, &new, &asked.action).await;
    let Some(operation) = started.map_err(cli_error)? else {
        return Ok(nothing(&asked.verb));
    };
    // It is there whether or not anybody hears of it; workers also poll.
    notify_workers(connection).await.ok();
    let watched = if asked.bulk.no_wait {
        operation
    } else {
        watch(connection, operation, asked.bulk.timeout, interrupt).await?
    };
    let why = why_waiting(connection, &watched).await?;
    Ok(report(&asked.verb, &watched, &why, asked.bulk.no_wait))
}

async fn look(connection: &mut PgConnection, filter: &JobFilter) -> Result<Preview, CliError> {
    let count = count_matching(connection, filter).await?;
    let jobs = list_jobs(connection, filter, None, NAMED).await?;
    Ok(Preview {
        count,
        ids: jobs.iter().map(|job| JobId::from_uuid(job.id)).collect(),
    })
}

fn dry_run(asked: &Asked<'_>, preview: &Preview) -> Document {
    let verb = asked.verb.as_str();
    let Preview { count, ids } = preview;
    let data = json!({ "verb": verb, "count": count, "ids": ids, "filter": asked.filter });
    let first = format!("would {verb} {count} jobs, among them:");
    let lines: Vec<_> = [first]
        .into_iter()
        .chain(ids.iter().map(ToString::to_string))
        .collect();
    let text = lines.join("\n");
    Document::new("job-queue/bulk-preview.v1", data).with_text(text)
}

fn nothing(verb: &BulkVerb) -> Document {
    let data = json!({ "count": 0, "operation": null, "why_not_running": [] });
    Document::new(schema(verb), data).with_text("no job matches; nothing changed")
}

/// Tells why an operation has not begun; empty once it has.
pub(super) async fn why_waiting(
    connection: &mut PgConnection,
    operation: &OperationRecord,
) -> Result<Vec<WhyNotRunning>, sqlx::Error> {
    match operation.job_id {
        Some(job) if !operation.has_ended() => {
            why_not_running(connection, JobId::from_uuid(job)).await
        }
        _ => Ok(Vec::new()),
    }
}

fn report(
    verb: &BulkVerb,
    operation: &OperationRecord,
    why: &[WhyNotRunning],
    is_left: bool,
) -> Document {
    let exit = match operation.state() {
        OperationState::Waiting | OperationState::Working if is_left => Exit::Ok,
        OperationState::Waiting | OperationState::Working => Exit::TimedOut,
        OperationState::Done if operation.skipped_total() == 0 => Exit::Ok,
        OperationState::Done | OperationState::Cancelled | OperationState::Failed => Exit::Partial,
    };
    let data = json!({
        "count": operation.matched, "operation": describe(operation), "why_not_running": why,
    });
    Document::new(schema(verb), data)
        .with_text(told(operation, why))
        .with_exit(exit)
}

const fn schema(verb: &BulkVerb) -> &'static str {
    match verb {
        BulkVerb::Retry { .. } => "job-queue/bulk-retry.v1",
        BulkVerb::Cancel => "job-queue/bulk-cancel.v1",
        BulkVerb::Snooze { .. } => "job-queue/bulk-snooze.v1",
        BulkVerb::Move { .. } => "job-queue/bulk-move.v1",
        BulkVerb::Purge => "job-queue/bulk-purge.v1",
    }
}

fn parse_rate(text: &str) -> Result<i32, String> {
    let number = text.strip_suffix("/s").unwrap_or(text);
    let rate = number.parse().ok().filter(|rate| *rate > 0);
    rate.ok_or_else(|| "write jobs a second, above zero, such as 20/s".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_is_a_number_of_jobs_a_second() {
        assert_eq!(parse_rate("20/s"), Ok(20));
        assert_eq!(parse_rate("20"), Ok(20));
        for text in ["", "0", "-1/s", "20/m", "fast"] {
            assert!(parse_rate(text).is_err(), "{text}");
        }
    }
}
