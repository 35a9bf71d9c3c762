//! What follows from a transition, in the transaction that made it.

use environment_access::revoke_tickets;
use job_queue::{EnqueueOptions, enqueue};
use session_identity::ExamSessionId;
use sqlx::PgConnection;

use crate::{DestroyEnvironment, StepError};

/// After an ending or a failure: nobody gets in any more, and the environment goes.
pub(crate) async fn after_end(
    conn: &mut PgConnection,
    session_id: ExamSessionId,
    options: &EnqueueOptions,
) -> Result<(), StepError> {
    revoke_tickets(conn, session_id).await?;
    enqueue(conn, &DestroyEnvironment { session_id }, options).await?;
    Ok(())
}

/// Signs what a part of Carrel enqueues.
pub(crate) fn signed(by: &str, trace: Option<String>) -> EnqueueOptions {
    EnqueueOptions {
        trace,
        enqueued_by: by.to_owned(),
        ..EnqueueOptions::default()
    }
}
