//! `activate_session`: the first attach starts the clock.

use async_trait::async_trait;
use job_queue::{Handler, JobContext, Outcome};
use session_lifecycle::{Advance, Expected, TransitionError, advance};

use super::{
    Workshop,
    outcome::{provenance, settle},
};
use crate::{ActivateSession, StepError};

pub(super) struct Activate(pub(super) Workshop);

#[async_trait]
impl Handler<ActivateSession> for Activate {
    async fn run(&self, job: ActivateSession, context: &JobContext) -> Outcome {
        settle(context, activate(&self.0, &job, context).await)
    }
}

async fn activate(
    workshop: &Workshop,
    job: &ActivateSession,
    context: &JobContext,
) -> Result<Outcome, StepError> {
    let mut transaction = workshop.pool.begin().await?;
    let (step, by) = (Advance::ToRunning, provenance(context));
    match advance(
        &mut transaction,
        job.session_id,
        Expected::AnyVersion,
        step,
        &by,
    )
    .await
    {
        Ok(_) => {}
        // Running already, or over before it began: either way there is nothing to start.
        Err(
            TransitionError::Refused { .. }
            | TransitionError::DeadlinePassed { .. }
            | TransitionError::NotFound { .. },
        ) => return Ok(Outcome::Done),
        Err(error) => return Err(error.into()),
    }
    context.record(&mut transaction, &Outcome::Done).await?;
    transaction.commit().await?;
    Ok(Outcome::AlreadyRecorded)
}
