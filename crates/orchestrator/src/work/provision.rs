//! `provision_environment`: creates one attempt of a session's environment.

use async_trait::async_trait;
use execution_environment::{
    Destroyed, EnvironmentRecord, EnvironmentSpec, EnvironmentState, RuntimeName, RuntimeUid,
    begin_attempt, install_id, load_environment, load_exam, record_created,
};
use job_queue::{Handler, JobContext, Outcome, enqueue};
use session_lifecycle::{Advance, Expected, SessionRecord, SessionState, advance, lock_session};
use sqlx::PgConnection;
use tokio::time::Instant;

use super::{
    Workshop,
    outcome::{WORKER, provenance, settle},
    setback::{self, Look},
};
use crate::{ObserveEnvironment, ProvisionEnvironment, StepError, follow_up::signed};

/// Waits this long for an older attempt to be gone before it looks again.
const OLDER_ATTEMPT_PAUSE: std::time::Duration = std::time::Duration::from_millis(500);

pub(super) struct Provision(pub(super) Workshop);

#[async_trait]
impl Handler<ProvisionEnvironment> for Provision {
    async fn run(&self, job: ProvisionEnvironment, context: &JobContext) -> Outcome {
        settle(context, provision(&self.0, &job, context).await)
    }
}

async fn provision(
    workshop: &Workshop,
    job: &ProvisionEnvironment,
    context: &JobContext,
) -> Result<Outcome, StepError> {
    match older_attempt_is_gone(workshop, job).await {
        Ok(true) => {}
        Ok(false) => {
            return Ok(Outcome::Snooze {
                after: OLDER_ATTEMPT_PAUSE,
            });
        }
        Err(error) => {
            let class = error.class().as_str().to_owned();
            return Ok(setback::try_again(
                job.session_id,
                setback::RETRY_PAUSE,
                class,
                error.chain(),
            ));
        }
    }
    let Some(spec) = begin(workshop, job, context).await? else {
        return Ok(Outcome::Done);
    };
    // No transaction is open here: the runtime may take its time, and a worker that dies now
    // leaves a name that the next run adopts.
    let (began, place) = (Instant::now(), None);
    let created = match workshop.runtime.create(&spec).await {
        Ok(created) => created,
        Err(error) => {
            let look = Look { began, place };
            return setback::after_error(workshop, job.into(), context, error, look).await;
        }
    };
    let mut transaction = workshop.pool.begin().await?;
    let recorded =
        record_created(&mut transaction, job.session_id, job.attempt, &created.uid).await?;
    if recorded.is_none() {
        let environment = load_environment(&mut transaction, job.session_id).await?;
        drop(transaction);
        if !environment.is_some_and(|it| is_in_use(it.state, it.runtime_uid.as_ref(), &created.uid))
        {
            // The session ended while its environment was being made: nobody else knows this one.
            let (name, uid) = (&created.name, &created.uid);
            workshop.runtime.destroy(name, Some(uid)).await?;
        }
        return Ok(Outcome::Done);
    }
    let next = ObserveEnvironment {
        session_id: job.session_id,
        attempt: job.attempt,
    };
    enqueue(
        &mut transaction,
        &next,
        &signed(WORKER, context.traceparent.clone()),
    )
    .await?;
    context.record(&mut transaction, &Outcome::Done).await?;
    transaction.commit().await?;
    workshop.waker.wake();
    Ok(Outcome::AlreadyRecorded)
}

/// Whether another delivery of the same job recorded this very environment, and others went on from
/// there: a late one adopts what may have a candidate in it by now.
fn is_in_use(state: EnvironmentState, recorded: Option<&RuntimeUid>, created: &RuntimeUid) -> bool {
    matches!(state, EnvironmentState::Creating | EnvironmentState::Up) && recorded == Some(created)
}

/// A new attempt begins only when the one before it is confirmed gone: never two at once.
async fn older_attempt_is_gone(
    workshop: &Workshop,
    job: &ProvisionEnvironment,
) -> Result<bool, StepError> {
    let mut connection = workshop.pool.acquire().await?;
    let Some(environment) = load_environment(&mut connection, job.session_id).await? else {
        return Ok(true);
    };
    drop(connection);
    let older = environment.attempt < job.attempt && environment.attempt > 0;
    if !older || environment.state != EnvironmentState::Creating {
        return Ok(true);
    }
    let name = RuntimeName::for_attempt(job.session_id, environment.attempt);
    let destroyed = workshop
        .runtime
        .destroy(&name, environment.runtime_uid.as_ref())
        .await?;
    Ok(destroyed == Destroyed::Gone)
}

/// Writes the intent before the runtime hears of it, so that nothing exists without a row. Gives
/// `None` when there is nothing to create any more.
async fn begin(
    workshop: &Workshop,
    job: &ProvisionEnvironment,
    context: &JobContext,
) -> Result<Option<EnvironmentSpec>, StepError> {
    let mut transaction = workshop.pool.begin().await?;
    let Some(session) = lock_session(&mut transaction, job.session_id).await? else {
        return Ok(None);
    };
    let session = match session.state {
        SessionState::Created => {
            let step = Advance::ToInitializing;
            let expected = Expected::Version(session.version);
            advance(
                &mut transaction,
                session.id,
                expected,
                step,
                &provenance(context),
            )
            .await?
        }
        SessionState::Initializing => session,
        SessionState::Ready
        | SessionState::Running
        | SessionState::Terminated
        | SessionState::Failed => return Ok(None),
    };
    let Some(environment) = load_environment(&mut transaction, job.session_id).await? else {
        return Ok(None);
    };
    let spec = describe(&mut transaction, &session, job).await?;
    let spec = match spec {
        Some(spec) if is_ours(&mut transaction, workshop, job, &environment, &spec).await? => spec,
        Some(_) | None => return Ok(None),
    };
    transaction.commit().await?;
    Ok(Some(spec))
}

/// Takes the attempt, or finds that an earlier run of this job took it.
async fn is_ours(
    conn: &mut PgConnection,
    workshop: &Workshop,
    job: &ProvisionEnvironment,
    environment: &EnvironmentRecord,
    spec: &EnvironmentSpec,
) -> Result<bool, StepError> {
    if environment.attempt == job.attempt {
        return Ok(environment.state == EnvironmentState::Creating);
    }
    let (kind, name) = (workshop.runtime.kind(), spec.runtime_name());
    let from = job.attempt - 1;
    let begun = begin_attempt(conn, job.session_id, from, kind, &name, spec).await?;
    Ok(begun.is_some())
}

async fn describe(
    conn: &mut PgConnection,
    session: &SessionRecord,
    job: &ProvisionEnvironment,
) -> Result<Option<EnvironmentSpec>, StepError> {
    let exam = load_exam(conn, &session.exam_name, Some(session.exam_version)).await?;
    let install_id = install_id(conn).await?;
    Ok(exam.map(|exam| EnvironmentSpec {
        install_id,
        session_id: session.id,
        user_id: session.user_id.clone(),
        environment_id: session.environment_id,
        attempt: job.attempt,
        exam: exam.definition,
        deadline: Some(session.absolute_end),
        avoid: job.avoid.clone(),
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_late_delivery_leaves_what_an_earlier_one_recorded_and_nothing_else() {
        let [ours, other] = ["a", "b"].map(RuntimeUid::from_runtime);
        for (state, recorded, in_use) in [
            (EnvironmentState::Up, Some(&ours), true),
            (EnvironmentState::Creating, Some(&ours), true),
            (EnvironmentState::Up, Some(&other), false),
            (EnvironmentState::Destroying, Some(&ours), false),
            (EnvironmentState::Gone, Some(&ours), false),
            (EnvironmentState::Destroying, None, false),
        ] {
            assert_eq!(
                is_in_use(state, recorded, &ours),
                in_use,
                "{state:?} {recorded:?}"
            );
        }
    }
}
