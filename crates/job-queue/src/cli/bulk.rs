//! Plural writes: shown first, confirmed, then worked by a worker and watched from here.

mod confirm;
mod tell;
mod watch;

use std::time::Duration;

use clap::Args;
use command_line::{CliError, Document, Exit, OutputFormat, counted, parse_duration, write_within};
use serde_json::json;
use session_identity::JobId;
use sqlx::PgConnection;
use tokio::signal::unix::{SignalKind, signal};

use super::errors::cli_error;
use super::reading::read_in_time;
use crate::operate::{FitCounts, count_fitting};
use crate::{
    BulkVerb, JobAction, JobFilter, JobState, NewOperation, OperationRecord, OperationState,
    WhyNotRunning, list_jobs, notify_workers, start_operation, why_not_running,
};
use confirm::confirm;
pub(super) use tell::{describe, told};
pub(super) use watch::watch;

/// As many ids as a dry run names.
const NAMED: i64 = 20;

/// Where help lists the flags of many jobs.
pub(super) const MANY: &str = "Many jobs";

/// What the exit codes of a verb on many jobs mean.
pub(super) const EXITS: &str = "\
Exit codes of many jobs: 0 all changed, 4 more than --expect, 6 nobody agreed, 7 some did not fit or \
the operation was cancelled, 8 not ended yet.";

/// How to go about many jobs.
#[derive(Args, Debug)]
pub struct BulkArgs {
    /// Says how many jobs and which, and changes nothing.
    #[arg(long)]
    pub(super) dry_run: bool,
    /// Does not ask. Without a terminal and `--output text` nobody can be asked.
    #[arg(long)]
    pub(super) yes: bool,
    /// Refuses if more jobs than this match and fit by then.
    #[arg(long, value_name = "COUNT", help_heading = MANY)]
    expect: Option<i64>,
    /// Changes at most so many jobs a second, such as 20/s.
    #[arg(long, value_name = "N/s", value_parser = parse_rate, help_heading = MANY)]
    rate: Option<i32>,
    /// Does not wait for the end.
    #[arg(long, help_heading = MANY)]
    no_wait: bool,
    /// For how long to wait at most; the operation goes on.
    #[arg(
        long, value_name = "DURATION", default_value = "1h", value_parser = parse_duration,
        help_heading = MANY
    )]
    timeout: Duration,
}

/// What shall be done to which jobs, and who says so.
pub(super) struct Asked<'a> {
    pub(super) verb: BulkVerb,
    pub(super) filter: JobFilter,
    /// Whether every job is meant where the filter is empty.
    pub(super) all: bool,
    /// As many as an operator has confirmed, for what cannot be taken back.
    pub(super) confirm: Option<i64>,
    pub(super) bulk: &'a BulkArgs,
    pub(super) action: JobAction,
}

/// What would be changed, by the predicate and the rule that will change it.
#[derive(Default)]
struct Preview {
    counts: FitCounts,
    ids: Vec<JobId>,
}

impl Preview {
    /// Such as `4 of the 812 jobs that match (800 done, 8 running do not fit)`.
    fn told(&self) -> String {
        let FitCounts {
            matched,
            fitting,
            unfit,
        } = &self.counts;
        if unfit.is_empty() {
            return counted(*fitting, "job");
        }
        let unfit: Vec<_> = unfit
            .iter()
            .map(|(state, count)| format!("{count} {state}"))
            .collect();
        let unfit = unfit.join(", ");
        let jobs = match matched {
            1 => "1 job that matches".to_owned(),
            _ => format!("{matched} jobs that match"),
        };
        format!("{fitting} of the {jobs} ({unfit} do not fit)")
    }
}

pub(super) async fn run(
    connection: &mut PgConnection,
    output: OutputFormat,
    asked: Asked<'_>,
) -> Result<Document, CliError> {
    if asked.filter == JobFilter::default() && !asked.all {
        return Err(CliError::usage("all", "nothing says which jobs")
            .next("name a job, narrow with --queue, --kind, --state …, or give --all"));
    }
    let preview = read_in_time(connection, async |it| {
        look(it, &asked.filter, &asked.verb).await
    })
    .await?;
    if asked.bulk.dry_run {
        return Ok(dry_run(&asked, &preview));
    }
    if preview.counts.fitting == 0 {
        return Ok(nothing(&asked.verb, &preview));
    }
    let agreed = confirm(&asked, &preview, output)?;
    // From here on Ctrl-C ends the watching alone, whatever has been made by then.
    let interrupt = signal(SignalKind::interrupt()).map_err(CliError::bug)?;
    let new = NewOperation {
        verb: asked.verb.clone(),
        filter: asked.filter,
        rate: asked.bulk.rate,
        // Whoever names two numbers means the smaller one.
        expect: asked.bulk.expect.into_iter().chain(agreed).min(),
    };
    let start = async |it: &mut PgConnection| {
        let started = start_operation(it, &new, &asked.action).await;
        started.map_err(cli_error)
    };
    let Some(operation) = write_within(connection, start).await? else {
        // All of them have gone since they were shown.
        return Ok(nothing(&asked.verb, &Preview::default()));
    };
    // It is there whether or not anybody hears of it; workers also poll.
    notify_workers(connection).await.ok();
    let watched = if asked.bulk.no_wait {
        operation
    } else {
        watch(connection, operation, asked.bulk.timeout, interrupt).await?
    };
    let why = why_waiting(connection, &watched).await?;
    let told = report(schema(&asked.verb), &watched, &why);
    Ok(if asked.bulk.no_wait {
        told.with_exit(Exit::Ok)
    } else {
        told
    })
}

async fn look(
    connection: &mut PgConnection,
    filter: &JobFilter,
    verb: &BulkVerb,
) -> Result<Preview, sqlx::Error> {
    let counts = count_fitting(connection, filter, verb).await?;
    let wanted =
        |state: &JobState| verb.fits(*state) && filter.state.is_none_or(|wanted| wanted == *state);
    let mut ids = Vec::new();
    for state in JobState::ALL.into_iter().filter(wanted) {
        let narrow = JobFilter {
            state: Some(state),
            ..filter.clone()
        };
        let jobs = list_jobs(connection, &narrow, None, NAMED).await?;
        ids.extend(jobs.iter().map(|job| job.id));
    }
    // Newest first, whatever their states.
    ids.sort_unstable_by(|one, other| other.cmp(one));
    ids.truncate(usize::try_from(NAMED).unwrap_or(usize::MAX));
    Ok(Preview {
        counts,
        ids: ids.into_iter().map(JobId::from_uuid).collect(),
    })
}

fn dry_run(asked: &Asked<'_>, preview: &Preview) -> Document {
    let verb = asked.verb.as_str();
    let Preview { counts, ids } = preview;
    let data = json!({
        "verb": verb, "count": counts.fitting, "matched": counts.matched, "ids": ids,
        "filter": asked.filter,
    });
    let first = format!("would {verb} {}", preview.told());
    let given = if asked.verb == BulkVerb::Purge {
        format!("to do it: --confirm {}", counts.fitting)
    } else {
        format!("to do it: --yes --expect {}", counts.fitting)
    };
    let given = (counts.fitting > 0).then_some(given);
    let named = ids.iter().map(|id| format!("  {id}"));
    let lines: Vec<_> = [first].into_iter().chain(named).chain(given).collect();
    let text = lines.join("\n");
    Document::new("job-queue/bulk-preview.v1", data).with_text(text)
}

fn nothing(verb: &BulkVerb, preview: &Preview) -> Document {
    let matched = preview.counts.matched;
    let data = json!({ "matched": matched, "operation": null, "why_not_running": [] });
    if matched == 0 {
        return Document::new(schema(verb), data).with_text("no job matches; nothing changed");
    }
    Document::new(schema(verb), data)
        .with_text(format!("{}; nothing changed", preview.told()))
        .with_exit(Exit::Partial)
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

/// An operation that was waited for, and how that ended.
pub(super) fn report(
    schema: &'static str,
    operation: &OperationRecord,
    why: &[WhyNotRunning],
) -> Document {
    let exit = match operation.state() {
        OperationState::Waiting | OperationState::Working => Exit::TimedOut,
        OperationState::Done if operation.changed >= operation.matched => Exit::Ok,
        OperationState::Done | OperationState::Cancelled | OperationState::Failed => Exit::Partial,
    };
    let data = json!({
        "matched": operation.matched, "operation": describe(operation), "why_not_running": why,
    });
    Document::new(schema, data)
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
