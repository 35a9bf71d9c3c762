//! Asking for a session to end. The worker ends it; who asked and why travel with the job.

use job_queue::{Enqueued, enqueue};
use serde::{Deserialize, Serialize};
use session_identity::{Actor, ExamSessionId, Principal, Role, UserId};
use session_lifecycle::EndingKind;
use sqlx::{PgConnection, PgPool};

use crate::{StepError, TerminateSession, follow_up::signed};

/// Who ends a session, as a job carries it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EndedBy {
    /// Who.
    pub user_id: UserId,
    /// What they are.
    pub role: Role,
}

impl EndedBy {
    /// Names the author for history.
    pub fn actor(&self) -> Actor {
        match self.role {
            Role::Candidate => Actor::Candidate(self.user_id.clone()),
            Role::Invigilator | Role::Operator => Actor::Staff(self.user_id.clone()),
            Role::Service => Actor::Service(self.user_id.clone()),
        }
    }

    /// Says how a session ends when this role ends it.
    pub const fn ending(&self) -> EndingKind {
        match self.role {
            Role::Candidate => EndingKind::CandidateEnded,
            Role::Invigilator | Role::Operator => EndingKind::OperatorEnded,
            Role::Service => EndingKind::Completed,
        }
    }
}

/// A request to end a session.
#[derive(Debug, Clone)]
pub struct EndRequest {
    /// Which session; that it exists and may be ended by the caller is settled before.
    pub session_id: ExamSessionId,
    /// Who asks.
    pub principal: Principal,
    /// Why, in their words.
    pub reason: Option<String>,
    /// The W3C trace of the call.
    pub trace: Option<String>,
}

/// Why the request was not kept.
#[derive(Debug, thiserror::Error)]
pub enum EndError {
    /// A step below failed.
    #[error(transparent)]
    Other(#[from] StepError),
}

/// Enqueues the ending. Repeating it while it waits changes nothing; ending what has ended is
/// settled by the worker, which finds it final.
///
/// The caller wakes the workers after it returns.
///
/// # Errors
/// [`EndError`] when the job could not be written.
pub async fn end_session(pool: &PgPool, request: &EndRequest) -> Result<(), EndError> {
    let mut connection = pool.acquire().await.map_err(StepError::from)?;
    enqueue_end(&mut connection, request).await?;
    Ok(())
}

/// Tells whether [`end_session`] would be refused: does the same, rolled back.
///
/// # Errors
/// As [`end_session`].
pub async fn rehearse_end(pool: &PgPool, request: &EndRequest) -> Result<(), EndError> {
    let mut transaction = pool.begin().await.map_err(StepError::from)?;
    enqueue_end(&mut transaction, request).await?;
    Ok(transaction.rollback().await.map_err(StepError::from)?)
}

/// Enqueues the ending in the caller's transaction, and tells whether it was waiting already.
pub(crate) async fn enqueue_end(
    conn: &mut PgConnection,
    request: &EndRequest,
) -> Result<Enqueued, StepError> {
    let ended_by = EndedBy {
        user_id: request.principal.user_id.clone(),
        role: request.principal.role,
    };
    let job = TerminateSession {
        session_id: request.session_id,
        kind: ended_by.ending(),
        note: request.reason.clone(),
        ended_by,
    };
    let options = signed(
        &request.principal.actor().to_string(),
        request.trace.clone(),
    );
    Ok(enqueue(conn, &job, &options).await?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_role_decides_how_a_session_ends() {
        let ending = |role| {
            EndedBy {
                user_id: UserId::parse("x").unwrap(),
                role,
            }
            .ending()
        };
        assert_eq!(ending(Role::Candidate), EndingKind::CandidateEnded);
        assert_eq!(ending(Role::Operator), EndingKind::OperatorEnded);
        assert_eq!(ending(Role::Invigilator), EndingKind::OperatorEnded);
        assert_eq!(ending(Role::Service), EndingKind::Completed);
    }
}
