//! `destroy_environment`: evidence, deletion by uid, confirmation, stamp.

mod hanging;

use std::time::Duration;

use async_trait::async_trait;
use execution_environment::{
    Destroyed, EnvironmentRecord, EnvironmentState, RuntimeName, begin_destroy, load_environment,
    record_gone, record_snapshot,
};
use job_queue::{Handler, JobContext, Outcome};
use serde_json::json;
use session_identity::ExamSessionId;
use session_lifecycle::load_session;

use super::{Workshop, outcome::settle};
use crate::{DestroyEnvironment, StepError, error::chain};

/// How soon an environment that takes its time is looked at again.
const STILL_THERE: Duration = Duration::from_millis(500);

pub(super) struct Destroy(pub(super) Workshop);

#[async_trait]
impl Handler<DestroyEnvironment> for Destroy {
    async fn run(&self, job: DestroyEnvironment, context: &JobContext) -> Outcome {
        settle(context, destroy(&self.0, job.session_id, context).await)
    }
}

async fn destroy(
    workshop: &Workshop,
    session_id: ExamSessionId,
    context: &JobContext,
) -> Result<Outcome, StepError> {
    let Some(environment) = begin(workshop, session_id).await? else {
        return Ok(Outcome::Done);
    };
    keep_evidence(workshop, &environment).await?;
    for attempt in 1..=environment.attempt {
        let name = RuntimeName::for_attempt(session_id, attempt);
        let uid = environment
            .runtime_uid
            .as_ref()
            .filter(|_| attempt == environment.attempt);
        if workshop.runtime.destroy(&name, uid).await? == Destroyed::StillThere {
            return hanging::still_there(workshop, &environment, &name).await;
        }
    }
    let mut transaction = workshop.pool.begin().await?;
    record_gone(&mut transaction, session_id).await?;
    context.record(&mut transaction, &Outcome::Done).await?;
    transaction.commit().await?;
    Ok(Outcome::AlreadyRecorded)
}

/// Marks the environment as going; `None` when there is nothing left to destroy.
async fn begin(
    workshop: &Workshop,
    session_id: ExamSessionId,
) -> Result<Option<EnvironmentRecord>, StepError> {
    let mut connection = workshop.pool.acquire().await?;
    let session = load_session(&mut connection, session_id).await?;
    if session.is_none_or(|session| !session.state.is_terminal()) {
        // Nobody enqueues this for a live session; should it happen, its work is not touched.
        return Ok(None);
    }
    let environment = match begin_destroy(&mut connection, session_id).await? {
        Some(environment) => Some(environment),
        None => load_environment(&mut connection, session_id).await?,
    };
    Ok(environment.filter(|row| row.state != EnvironmentState::Gone))
}

/// Keeps what can still be seen. A snapshot that fails is recorded as such: evidence must never
/// keep an environment alive.
async fn keep_evidence(
    workshop: &Workshop,
    environment: &EnvironmentRecord,
) -> Result<(), StepError> {
    let (Some(name), Some(uid)) = (&environment.runtime_name, &environment.runtime_uid) else {
        return Ok(());
    };
    if environment.snapshot.is_some() {
        return Ok(());
    }
    let snapshot = match workshop.runtime.snapshot(name, uid).await {
        Ok(snapshot) => snapshot,
        Err(error) => json!({ "unavailable": chain(&error) }),
    };
    let mut connection = workshop.pool.acquire().await?;
    record_snapshot(&mut connection, environment.session_id, &snapshot).await?;
    Ok(())
}
