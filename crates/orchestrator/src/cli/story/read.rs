//! Reads of each library what it knows about one session.

use command_line::CliError;
use environment_access::attachments;
use execution_environment::load_environment;
use job_queue::{JobFilter, job_attempts, list_jobs};
use session_identity::{ExamSessionId, JobId};
use session_lifecycle::{cli::cli_error, extensions, history, load_session};
use session_status::status;
use sqlx::PgConnection;

use super::facts::{Failure, JobStory, Story};
use super::place::Place;
use super::timeline;
use crate::cli::failure;

/// A session has a handful of jobs; thousands would be a finding of their own.
const JOBS_AT_MOST: i64 = 500;

/// Loads the story; `None` when there is no such session.
pub(super) async fn load(
    conn: &mut PgConnection,
    id: ExamSessionId,
) -> Result<Option<Story>, CliError> {
    let session = load_session(conn, id).await.map_err(failure::load)?;
    let status = status(conn, id)
        .await
        .map_err(|error| cli_error(error.class(), error.code(), &error))?;
    let (Some(session), Some(status)) = (session, status) else {
        return Ok(None);
    };
    let environment = load_environment(conn, id).await.map_err(failure::step)?;
    let mut story = Story {
        failure: Failure::of(&session),
        environment: environment.map(Place::from),
        terminal: attachments(conn, id).await?.pop(),
        transitions: history(conn, id).await.map_err(failure::load)?,
        extensions: extensions(conn, id).await.map_err(failure::load)?,
        jobs: jobs(conn, id).await?,
        timeline: Vec::new(),
        session,
        status,
    };
    story.timeline = timeline::tell(&story);
    Ok(Some(story))
}

async fn jobs(conn: &mut PgConnection, id: ExamSessionId) -> Result<Vec<JobStory>, CliError> {
    let filter = JobFilter {
        session_id: Some(id),
        ..JobFilter::default()
    };
    let mut jobs = Vec::new();
    for job in list_jobs(conn, &filter, None, JOBS_AT_MOST).await? {
        let attempts = job_attempts(conn, JobId::from_uuid(job.id)).await?;
        jobs.push(JobStory { job, attempts });
    }
    jobs.reverse();
    Ok(jobs)
}
