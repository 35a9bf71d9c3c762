//! The end of a cohort.

use job_queue::Enqueued;
use session_identity::{ExamSessionId, Principal};
use session_lifecycle::{SessionRecord, load_session};
use sqlx::{PgConnection, PgPool};

use super::visit::visit_each;
use super::{Cohort, CohortError, CohortOutcome, CohortVisit, Consent, members};
use crate::StepError;
use crate::end::{EndRequest, enqueue_end};

/// Asks for the end of every live session of an exam.
#[derive(Debug, Clone)]
pub struct CohortEnd {
    /// Whose.
    pub cohort: Cohort,
    /// Who asks.
    pub principal: Principal,
    /// Why, in their words.
    pub reason: Option<String>,
    /// The W3C trace of the call.
    pub trace: Option<String>,
}

impl CohortEnd {
    fn of(&self, session_id: ExamSessionId) -> EndRequest {
        EndRequest {
            session_id,
            principal: self.principal.clone(),
            reason: self.reason.clone(),
            trace: self.trace.clone(),
        }
    }
}

/// Enqueues the end of every live session of an exam. It takes no key: a session ends once, and while
/// its end waits for a worker a second one is not enqueued.
///
/// `tell` hears of each session once its transaction has ended. Dropping the future or an error
/// leaves the rest untouched, and the same request goes on there. The caller wakes the workers, in
/// either case.
///
/// # Errors
/// [`CohortError`]; but for [`CohortError::Other`] nothing was written.
pub async fn end_cohort(
    pool: &PgPool,
    end: &CohortEnd,
    consent: Consent,
    tell: impl FnMut(CohortVisit),
) -> Result<(), CohortError> {
    let mut connection = pool.acquire().await?;
    let members = members::find(&mut connection, &end.cohort, consent).await?;
    drop(connection);
    let act =
        async |conn: &mut PgConnection, member: &SessionRecord| ask(conn, &end.of(member.id)).await;
    visit_each(pool, members, consent, act, tell).await
}

async fn ask(conn: &mut PgConnection, request: &EndRequest) -> Result<CohortOutcome, StepError> {
    let session = load_session(conn, request.session_id).await?;
    if let Some(session) = session.filter(|session| session.state.is_terminal()) {
        return Ok(CohortOutcome::AlreadyEnded {
            state: session.state,
        });
    }
    Ok(match enqueue_end(conn, request).await? {
        Enqueued::New(_) => CohortOutcome::Requested,
        Enqueued::AlreadyPresent(_) => CohortOutcome::AlreadyRequested,
    })
}
