//! The verbs that only look.

use std::fmt::Write as _;

use command_line::{CliError, Document};
use serde_json::json;
use sqlx::PgConnection;

use super::By;
use crate::cli::errors::cli_error;
use crate::cli::{FilterArgs, PageArgs};
use crate::{
    AttemptRecord, CountBy, JobCount, JobPrefix, JobRecord, OperateError, WhyNotRunning,
    count_jobs, find_job, job_actions, job_attempts, list_jobs, load_job, why_not_running,
};

pub(super) async fn list(
    connection: &mut PgConnection,
    filter: &FilterArgs,
    page: &PageArgs,
) -> Result<Document, CliError> {
    let filter = filter.filter(connection).await?;
    let jobs = list_jobs(connection, &filter, page.after, page.limit).await?;
    let full = i64::try_from(jobs.len()).is_ok_and(|count| count == page.limit);
    let next_cursor = jobs.last().filter(|_| full).map(|job| job.id);
    let text = jobs.iter().fold(String::new(), |mut text, job| {
        // Writing to a string cannot fail.
        writeln!(text, "{}", line(job)).ok();
        text
    });
    let data = json!({ "jobs": jobs, "next_cursor": next_cursor });
    Ok(Document::new("job-queue/list.v1", data).with_text(text))
}

pub(super) async fn count(
    connection: &mut PgConnection,
    filter: &FilterArgs,
    by: &[By],
) -> Result<Document, CliError> {
    let filter = filter.filter(connection).await?;
    let by: Vec<CountBy> = by.iter().copied().map(CountBy::from).collect();
    let counts = count_jobs(connection, &filter, &by).await?;
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
    let id = find_job(connection, prefix).await.map_err(cli_error)?;
    let job = load_job(connection, id)
        .await?
        .ok_or_else(|| cli_error(OperateError::NotFound { id }))?;
    let attempts = job_attempts(connection, id).await?;
    let actions = job_actions(connection, id).await?;
    let why = why_not_running(connection, id).await?;
    let text = describe(&job, &attempts, &why);
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

fn describe(job: &JobRecord, attempts: &[AttemptRecord], why: &[WhyNotRunning]) -> String {
    let mut text = format!(
        "{}\ncreated {} by {}\n",
        line(job),
        job.created_at,
        job.enqueued_by
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
    for reason in why {
        writeln!(text, "not running: {reason}").ok();
    }
    text
}
