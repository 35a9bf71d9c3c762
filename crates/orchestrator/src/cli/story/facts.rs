//! What the libraries know about one session.

use chrono::{DateTime, Utc};
use environment_access::AttachmentRecord;
use execution_environment::EnvironmentState;
use failure_classification::{Attribution, FailureCode, rule};
use job_queue::{AttemptRecord, JobRecord};
use serde::Serialize;
use session_lifecycle::{ExtensionRecord, SessionRecord, TransitionRecord};
use session_status::StatusDocument;

use super::event::Event;
use super::place::Place;

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
    pub(super) fn of(session: &SessionRecord) -> Option<Self> {
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
