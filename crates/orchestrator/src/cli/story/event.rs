//! One thing that happened.

use chrono::{DateTime, Utc};
use serde::Serialize;
use session_identity::JobId;

/// A moment of a session, or a span of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(in crate::cli) struct Event {
    /// The same as long as it is the same event, such as `transition/3`.
    pub(in crate::cli) id: String,
    /// When.
    pub(in crate::cli) at: DateTime<Utc>,
    /// When it was over, or last repeated; null for a moment and for what goes on.
    pub(in crate::cli) until: Option<DateTime<Utc>>,
    /// Who, in the form of `Actor` or as a worker's name; null where nobody is known.
    pub(in crate::cli) actor: Option<String>,
    /// What, in a few words.
    pub(in crate::cli) what: String,
    /// The rest, in parts that stand alone.
    pub(in crate::cli) details: Vec<String>,
    /// The job it happened in or to.
    pub(in crate::cli) job_id: Option<JobId>,
}

impl Event {
    pub(super) fn new(
        id: impl Into<String>,
        at: DateTime<Utc>,
        what: impl Into<String>,
        details: Vec<String>,
    ) -> Self {
        Self {
            id: id.into(),
            at,
            until: None,
            actor: None,
            what: what.into(),
            details,
            job_id: None,
        }
    }

    pub(super) fn by(mut self, actor: impl Into<String>) -> Self {
        self.actor = Some(actor.into());
        self
    }

    pub(super) fn until(mut self, until: DateTime<Utc>) -> Self {
        self.until = Some(until);
        self
    }

    pub(super) fn in_job(mut self, job: Option<JobId>) -> Self {
        self.job_id = job;
        self
    }
}

/// Orders events, oldest first. What happened in one instant stays in the order given.
pub(super) fn in_order(events: impl IntoIterator<Item = Event>) -> Vec<Event> {
    let mut events: Vec<_> = events.into_iter().collect();
    events.sort_by_key(|event| event.at);
    events
}
