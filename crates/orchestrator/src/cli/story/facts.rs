//! What the libraries know about one session.

use chrono::{DateTime, Utc};
use command_line::CliError;
use environment_access::{AttachmentRecord, attachments};
use execution_environment::{EnvironmentState, load_environment};
use failure_classification::{Attribution, FailureCode, rule};
use job_queue::{AttemptRecord, JobFilter, JobRecord, job_attempts, list_jobs};
use serde::Serialize;
use session_identity::{ExamSessionId, JobId};
use session_lifecycle::{
    ExtensionRecord, SessionRecord, TransitionRecord, cli::cli_error, extensions, history,
    load_session,
};
use session_status::{StatusDocument, status};
use sqlx::PgConnection;

use super::event::Event;
use super::place::Place;
use super::timeline;
use crate::cli::failure;

/// A session has a handful of jobs; thousands would be a finding of their own.
const JOBS_AT_MOST: i64 = 500;

/// The story of a session.
#[derive(Debug, Serialize)]
pub(in crate::cli) struct Story {
    pub(super) session: SessionRecord,
    /// What the candidate's page says at this moment.
    pub(super) status: StatusDocument,
    pub(super) failure: Option<Failure>,
    pub(super) environment: Option<Place>,
    /// The newest attach.
    pub(super) terminal: Option<AttachmentRecord>,
    pub(super) transitions: Vec<TransitionRecord>,
    pub(super) extensions: Vec<ExtensionRecord>,
    pub(super) jobs: Vec<JobStory>,
    pub(in crate::cli) timeline: Vec<Event>,
}

impl Story {
    /// Whether nothing will happen any more: the session has ended and its environment is gone.
    pub(in crate::cli) fn is_over(&self) -> bool {
        let is_gone = |place: &Place| place.state == EnvironmentState::Gone;
        self.session.state.is_terminal() && self.environment.as_ref().is_none_or(is_gone)
    }

    /// When the session was requested.
    pub(in crate::cli) const fn begins(&self) -> DateTime<Utc> {
        self.session.created_at
    }
}

/// A job with its runs, oldest first.
#[derive(Debug, Serialize)]
pub(super) struct JobStory {
    #[serde(flatten)]
    pub(super) job: JobRecord,
    pub(super) attempts: Vec<AttemptRecord>,
}

/// What is known about a code, beside what was seen.
#[derive(Debug, Serialize)]
pub(super) struct Failure {
    pub(super) class: String,
    pub(super) code: String,
    pub(super) reason: String,
    pub(super) attribution: Option<Attribution>,
    pub(super) candidate_text: Option<&'static str>,
    pub(super) operator_text: Option<&'static str>,
    pub(super) runbook: Option<String>,
}

impl Failure {
    fn of(session: &SessionRecord) -> Option<Self> {
        let failure = session.failure.as_ref()?;
        // A code of a newer Carrel is still told; only what is known about it is missing.
        let rule = failure.code.parse::<FailureCode>().ok().map(rule);
        Some(Self {
            class: failure.class.clone(),
            code: failure.code.clone(),
            reason: failure.reason.clone(),
            attribution: rule.map(|rule| rule.attribution),
            candidate_text: rule.map(|rule| rule.candidate_text),
            operator_text: rule.map(|rule| rule.operator_text),
            runbook: rule.map(|rule| format!("deploy/runbooks.md#{}", rule.runbook)),
        })
    }
}

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
