//! From the result of a step to the outcome of a job.

use job_queue::{JobContext, Outcome};
use session_identity::Actor;
use session_lifecycle::{Cause, ErrorClass, Provenance};

use crate::StepError;

/// Who signs what workers do.
pub(super) const WORKER: &str = "system:worker";

/// Signs a transition with the job it is made in.
pub(super) fn provenance(context: &JobContext) -> Provenance {
    Provenance {
        actor: Actor::System("worker"),
        cause: Cause::new(format!("job:{}", context.kind)),
        job_id: Some(context.job_id),
        trace: context.traceparent.clone(),
    }
}

/// Turns a failed step into an outcome: what may pass is tried again, a bug is tried as often as
/// the kind allows, and a run that lost its job says nothing more.
pub(super) fn settle(context: &JobContext, result: Result<Outcome, StepError>) -> Outcome {
    match result {
        Ok(outcome) => outcome,
        Err(StepError::Record(job_queue::RecordError::StaleRun { .. })) => Outcome::AlreadyRecorded,
        Err(error) => {
            let class = error.class();
            let reason = error.chain();
            if class == ErrorClass::Bug {
                tracing::error!(job.id = %context.job_id, job.kind = %context.kind, %reason, "a job failed");
            }
            Outcome::Retry {
                after: None,
                class: class.as_str().to_owned(),
                reason,
            }
        }
    }
}
