//! Sessions that nobody has begun to prepare: looked at and told, and left alone until their budget ends.

use std::collections::BTreeMap;

use cleanup_ttl::{ExpiryPolicy, find_unclaimed};
use job_queue::{Job as _, JobFilter, WhyNotRunning, list_jobs, why_not_running};
use serde::Serialize;
use session_identity::{ExamSessionId, JobId};
use sqlx::PgConnection;

use crate::{ProvisionEnvironment, StepError};

/// A session that waits for somebody to begin.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Unclaimed {
    /// The session.
    pub session_id: ExamSessionId,
    /// For how long, in seconds.
    pub waits_seconds: i64,
    /// Why, in words: each holds, and what counts least comes last.
    pub why: Vec<String>,
}

/// Finds sessions that nobody has begun to prepare for half a minute, of more than a batch those that
/// have waited longest, and asks why of each: no live worker, a paused or full queue, others that go
/// first, a job that ended. One that a worker is about to take is left out.
///
/// # Errors
/// [`StepError`] if the database fails.
pub async fn unclaimed(
    conn: &mut PgConnection,
    policy: &ExpiryPolicy,
) -> Result<Vec<Unclaimed>, StepError> {
    let mut told = Vec::new();
    for (session_id, waits_seconds) in find_unclaimed(conn, policy.batch).await? {
        let why = why(conn, session_id).await?;
        if !why.is_empty() {
            told.push(Unclaimed {
                session_id,
                waits_seconds,
                why,
            });
        }
    }
    Ok(told)
}

/// How many of these sessions wait for each reason that comes first.
pub(super) fn by_reason(unclaimed: &[Unclaimed]) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for why in unclaimed.iter().filter_map(|one| one.why.first()) {
        *counts.entry(why.clone()).or_default() += 1;
    }
    counts
}

async fn why(conn: &mut PgConnection, session_id: ExamSessionId) -> Result<Vec<String>, StepError> {
    let provisions = JobFilter {
        session_id: Some(session_id),
        kind: Some(ProvisionEnvironment::KIND.to_owned()),
        ..JobFilter::default()
    };
    let newest = list_jobs(conn, &provisions, None, 1).await?;
    let Some(job) = newest.into_iter().next() else {
        return Ok(vec!["no job prepares it".to_owned()]);
    };
    let reasons = why_not_running(conn, JobId::from_uuid(job.id)).await?;
    Ok(reasons.iter().map(in_words).collect())
}

/// Where a number differs from session to session, it is left out: many wait for the same reason.
fn in_words(why: &WhyNotRunning) -> String {
    match why {
        WhyNotRunning::Behind { .. } => "other due jobs go first".to_owned(),
        WhyNotRunning::NotDue { class, .. } => match class {
            Some(class) => format!("its job backs off after {class}"),
            None => "its job was put off".to_owned(),
        },
        WhyNotRunning::RateReached { queue, .. } => format!("{queue} starts no more a second"),
        WhyNotRunning::Ended { .. } => format!("its job has ended: {why}"),
        WhyNotRunning::QueuePaused { .. }
        | WhyNotRunning::QueueFull { .. }
        | WhyNotRunning::AllQueuesFull { .. }
        | WhyNotRunning::NoWorker { .. }
        | WhyNotRunning::WorkersHold { .. }
        | WhyNotRunning::LeaseExpired { .. }
        | WhyNotRunning::CancelRequested { .. } => why.to_string(),
    }
}
