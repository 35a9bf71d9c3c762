//! `terminate_session`: ends a session at once and for good, whatever the runtime is doing.

use async_trait::async_trait;
use job_queue::{Handler, JobContext, Outcome};
use session_lifecycle::{Advance, Ending, Expected, Provenance, TransitionError, advance};

use super::{
    Workshop,
    outcome::{provenance, settle},
};
use crate::{
    StepError, TerminateSession,
    follow_up::{after_end, signed},
};

pub(super) struct Terminate(pub(super) Workshop);

#[async_trait]
impl Handler<TerminateSession> for Terminate {
    async fn run(&self, job: TerminateSession, context: &JobContext) -> Outcome {
        settle(context, terminate(&self.0, &job, context).await)
    }
}

async fn terminate(
    workshop: &Workshop,
    job: &TerminateSession,
    context: &JobContext,
) -> Result<Outcome, StepError> {
    let actor = job.ended_by.actor();
    let by = Provenance {
        actor: actor.clone(),
        ..provenance(context)
    };
    let step = Advance::Terminate(Ending {
        kind: job.kind,
        note: job.note.clone(),
    });
    let mut transaction = workshop.pool.begin().await?;
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
        // Final already: the first ending counts.
        Err(TransitionError::Refused { .. } | TransitionError::NotFound { .. }) => {
            return Ok(Outcome::Done);
        }
        Err(error) => return Err(error.into()),
    }
    let options = signed(&actor.to_string(), context.traceparent.clone());
    after_end(&mut transaction, job.session_id, &options).await?;
    context.record(&mut transaction, &Outcome::Done).await?;
    transaction.commit().await?;
    workshop.waker.wake();
    Ok(Outcome::AlreadyRecorded)
}
