//! The verbs that only look.

use std::fmt::Write as _;

use command_line::{Cell, CliError, Column, Document, GlobalArgs, List, READ_LASTS, read_within};
use serde_json::json;
use session_identity::JobId;
use sqlx::PgConnection;

use super::By;
use crate::cli::errors::cli_error;
use crate::cli::reading::read_in_time;
use crate::cli::{FilterArgs, PageArgs};
use crate::{
    AttemptRecord, CountBy, JobActionRecord, JobCount, JobPrefix, JobRecord, OperateError,
    WhyNotRunning, count_jobs, find_job, job_actions, job_attempts, list_jobs, load_job,
    why_not_running,
};

const LIST: List<JobRecord> = List {
    schema: "job-queue/list.v1",
    rows: "jobs",
    empty: "no job matches",
    name: |job| job.id.to_string(),
    columns: &[
        Column::new("id", |job| Cell::words(job.id)),
        Column::new("state", |job| job.state.as_str().into()),
        Column::new("queue", |job| job.queue.as_str().into()),
        Column::new("kind", |job| job.kind.as_str().into()),
        Column::new("attempt", |job| job.attempt.into()),
        Column::new("of", |job| job.max_attempts.into()),
        Column::new("created", |job| job.created_at.into()),
        Column::new("class", |job| job.outcome_class.as_deref().into()),
        Column::wide("reason", |job| job.outcome_reason.as_deref().into()),
        Column::wide("run_at", |job| job.run_at.into()),
        Column::wide("started", |job| job.started_at.into()),
        Column::wide("finished", |job| job.finished_at.into()),
        Column::wide("crashes", |job| job.crash_count.into()),
        Column::wide("priority", |job| i32::from(job.priority).into()),
        Column::wide("session", |job| job.session_id.map(Cell::words).into()),
        Column::wide("worker", |job| job.lease_owner.map(Cell::words).into()),
        Column::wide("key", |job| job.idempotency_key.as_deref().into()),
        Column::wide("by", |job| job.enqueued_by.as_str().into()),
        Column::wide("payload", |job| Cell::words(&job.payload)),
    ],
};

pub(super) async fn list(
    connection: &mut PgConnection,
    globals: &GlobalArgs,
    filter: &FilterArgs,
    page: &PageArgs,
) -> Result<Document, CliError> {
    let filter = filter.filter(connection).await?;
    if page.watch.watch {
        let read = async || {
            let limit = page.paged.page();
            read_in_time(connection, async |it| {
                list_jobs(it, &filter, page.after, limit).await
            })
            .await
        };
        let list = &page.paged.list;
        return LIST.watch(globals, list, page.watch.interval, read).await;
    }
    let read = async |last: Option<&JobRecord>, limit| {
        let after = last.map(|job| JobId::from_uuid(job.id)).or(page.after);
        read_in_time(connection, async |it| {
            list_jobs(it, &filter, after, limit).await
        })
        .await
    };
    LIST.paged(globals, &page.paged, "--after", read).await
}

pub(super) async fn count(
    connection: &mut PgConnection,
    filter: &FilterArgs,
    by: &[By],
) -> Result<Document, CliError> {
    let filter = filter.filter(connection).await?;
    let by: Vec<CountBy> = by.iter().copied().map(CountBy::from).collect();
    let counts = read_in_time(connection, async |it| count_jobs(it, &filter, &by).await).await?;
    let text = counts.iter().fold(String::new(), |mut text, group| {
        writeln!(text, "{}", count_line(group)).ok();
        text
    });
    Ok(Document::new("job-queue/count.v1", json!({ "counts": counts })).with_text(text))
}

fn count_line(group: &JobCount) -> String {
    let JobCount {
        queue,
        kind,
        state,
        error_group,
        error,
        count,
    } = group;
    let words = [state, queue, kind, error_group, error];
    let words: Vec<_> = words.into_iter().flatten().map(String::as_str).collect();
    format!("{count:>8}  {}", words.join("  "))
}

pub(super) async fn show(
    connection: &mut PgConnection,
    prefix: &JobPrefix,
) -> Result<Document, CliError> {
    read_within(connection, READ_LASTS, async |it| found(it, prefix).await).await
}

async fn found(connection: &mut PgConnection, prefix: &JobPrefix) -> Result<Document, CliError> {
    let id = find_job(connection, prefix).await.map_err(cli_error)?;
    let job = load_job(connection, id)
        .await?
        .ok_or_else(|| cli_error(OperateError::NotFound { id }))?;
    let attempts = job_attempts(connection, id).await?;
    let actions = job_actions(connection, id).await?;
    let why = why_not_running(connection, id).await?;
    let text = describe(&job, &attempts, &actions, &why);
    let data = json!({
        "job": job, "attempts": attempts, "actions": actions, "why_not_running": why,
    });
    Ok(Document::new("job-queue/show.v1", data).with_text(text))
}

fn line(job: &JobRecord) -> String {
    let class = job.outcome_class.as_deref().unwrap_or("-");
    format!(
        "{}  {:<9}  {}/{}  {}  {}  {class}",
        job.id, job.state, job.attempt, job.max_attempts, job.queue, job.kind
    )
}

fn describe(
    job: &JobRecord,
    attempts: &[AttemptRecord],
    actions: &[JobActionRecord],
    why: &[WhyNotRunning],
) -> String {
    let mut text = format!(
        "{}\ncreated {} by {}\npayload {}\n",
        line(job),
        job.created_at,
        job.enqueued_by,
        job.payload
    );
    for attempt in attempts {
        let error = attempt.error.as_deref().unwrap_or("");
        let worker = attempt.worker_name.as_deref().unwrap_or("?");
        writeln!(
            text,
            "run {} {} on {worker} {} {error}",
            attempt.run_token, attempt.started_at, attempt.outcome
        )
        .ok();
    }
    for JobActionRecord {
        at,
        verb,
        actor,
        reason,
        ..
    } in actions
    {
        let reason = reason.as_deref().unwrap_or("");
        writeln!(text, "{verb} {at} by {actor} {reason}").ok();
    }
    for reason in why {
        writeln!(text, "not running: {reason}").ok();
    }
    text
}
