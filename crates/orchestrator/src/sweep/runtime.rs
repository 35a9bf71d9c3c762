//! Compares what the runtime has with what the rows say: lost environments, orphans, older attempts.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use cleanup_ttl::{
    DeletionCause, ExpiryPolicy, KnownSession, Survey, SweepPlan, Verdict, database_now, judge,
    survey,
};
use execution_environment::{
    Destroyed, EnvironmentRecord, EnvironmentState, Listed, Observation, Phase, RuntimeUid,
    forget_sightings, load_environment, sight_orphan,
};
use failure_classification::{Phase as SessionPhase, Signal, classify};
use serde_json::json;
use session_identity::{Actor, ExamSessionId};
use session_lifecycle::{
    Advance, Cause, Expected, Provenance, SessionState, TransitionError, advance, lock_session,
};

use super::SweepReport;
use crate::{
    StepError, Workshop,
    error::chain,
    follow_up::{after_end, signed},
    measure,
    work::failure,
};

/// Looks at everything the runtime has of ours and settles each difference under its row's lock.
pub(super) async fn sweep(
    workshop: &Workshop,
    policy: &ExpiryPolicy,
) -> Result<SweepReport, StepError> {
    let Survey {
        listed,
        known,
        plan,
    } = survey(&workshop.pool, &*workshop.runtime, policy).await?;
    let stopped = stopped(&listed, &known);
    let mut report = SweepReport {
        refusal: plan.refusal.as_ref().map(|refusal| json!(refusal)),
        ..SweepReport::default()
    };
    // Where the plan looks wrong, the rows may be: then nothing is concluded from them.
    let stopped = stopped.into_iter().filter(|_| plan.refusal.is_none());
    let suspects: HashSet<_> = plan.recheck.iter().copied().chain(stopped).collect();
    // One environment that cannot be judged must not keep the sweep from all others.
    for session_id in a_batch(suspects, policy) {
        match recheck(workshop, session_id).await {
            Ok(lost) => report.lost += usize::from(lost),
            Err(error) => {
                tracing::warn!(session.id = %session_id, error = error.chain(), "a suspect could not be judged");
            }
        }
    }
    delete(workshop, &plan, policy, &mut report).await?;
    Ok(report)
}

/// Environments that have stopped although their session lives.
fn stopped(listed: &[Listed], known: &[KnownSession]) -> Vec<ExamSessionId> {
    let live: HashSet<_> = known
        .iter()
        .filter(|row| !row.state.is_terminal())
        .map(|row| row.session_id)
        .collect();
    listed
        .iter()
        .filter(|listed| matches!(listed.phase, Phase::Stopped { .. }))
        .map(|listed| listed.labels.session_id)
        .filter(|session_id| live.contains(session_id))
        .collect()
}

/// Judges one suspect by a fresh look of its own. A list may be stale; this look is not.
async fn recheck(workshop: &Workshop, session_id: ExamSessionId) -> Result<bool, StepError> {
    let mut connection = workshop.pool.acquire().await?;
    let environment = load_environment(&mut connection, session_id).await?;
    drop(connection);
    let up = environment.filter(|environment| environment.state == EnvironmentState::Up);
    let Some(environment) = up else {
        return Ok(false);
    };
    let Some(name) = &environment.runtime_name else {
        return Ok(false);
    };
    let observation = workshop.runtime.observe(name).await?;
    match lost(&environment, &observation) {
        Some(signal) => fail(workshop, session_id, &signal).await,
        None => Ok(false),
    }
}

fn lost(environment: &EnvironmentRecord, observation: &Observation) -> Option<Signal> {
    let expected = environment.runtime_uid.as_ref();
    let vanished = |found_uid| Signal::Vanished {
        expected_uid: expected.map(ToString::to_string),
        found_uid,
    };
    match observation {
        Observation::Absent => Some(vanished(None)),
        Observation::Present(found) if Some(&found.uid) != expected => {
            Some(vanished(Some(found.uid.to_string())))
        }
        Observation::Present(found) => match &found.phase {
            stopped @ Phase::Stopped { .. } => stopped.signal(),
            Phase::Running | Phase::Pending { .. } => None,
        },
    }
}

/// A lost environment is never silently made anew: it held a candidate's work.
async fn fail(
    workshop: &Workshop,
    session_id: ExamSessionId,
    signal: &Signal,
) -> Result<bool, StepError> {
    let mut transaction = workshop.pool.begin().await?;
    let session = lock_session(&mut transaction, session_id).await?;
    let Some(session) = session else {
        return Ok(false);
    };
    let usable = matches!(session.state, SessionState::Ready | SessionState::Running);
    if !usable {
        return Ok(false);
    }
    // An exam whose time is over did not fail: the expired sweep has it within a second.
    if matches!(
        judge(&session, database_now(&mut transaction).await?),
        Verdict::Expire { .. }
    ) {
        return Ok(false);
    }
    let classified = classify(signal, SessionPhase::AfterReady);
    let step = Advance::Fail(failure(&classified, json!({ "signal": signal })));
    let by = Provenance {
        actor: Actor::System("sweep"),
        cause: Cause::new("sweep:runtime"),
        job_id: None,
        trace: None,
    };
    match advance(
        &mut transaction,
        session_id,
        Expected::AnyVersion,
        step,
        &by,
    )
    .await
    {
        Ok(_) => {}
        Err(TransitionError::Refused { .. }) => return Ok(false),
        Err(error) => return Err(error.into()),
    }
    after_end(&mut transaction, session_id, &signed("system:sweep", None)).await?;
    transaction.commit().await?;
    measure::session_failed(&classified);
    workshop.waker.wake();
    Ok(true)
}

/// Deletes stale attempts and orphans that have been known for long enough.
async fn delete(
    workshop: &Workshop,
    plan: &SweepPlan,
    policy: &ExpiryPolicy,
    report: &mut SweepReport,
) -> Result<(), StepError> {
    let known_for = sight(workshop, plan).await?;
    let deletions = plan.deletions(&known_for, policy).into_iter();
    let by_uid: HashMap<_, _> = deletions.map(|it| (it.uid.clone(), it)).collect();
    report.quarantined = plan.orphans.len();
    for (uid, deletion) in a_batch(by_uid, policy) {
        match workshop.runtime.destroy(&deletion.name, Some(&uid)).await {
            Ok(Destroyed::Gone) => {
                report.deleted += 1;
                report.quarantined -= usize::from(deletion.cause == DeletionCause::Orphaned);
            }
            Ok(Destroyed::StillThere) => {}
            Err(error) => {
                tracing::warn!(environment.uid = %uid, error = chain(&error), "an orphan could not be deleted");
            }
        }
    }
    Ok(())
}

/// Notes every orphan, and says how long each has been known.
async fn sight(
    workshop: &Workshop,
    plan: &SweepPlan,
) -> Result<HashMap<RuntimeUid, Duration>, StepError> {
    let kind = workshop.runtime.kind();
    let mut known_for = HashMap::new();
    let mut connection = workshop.pool.acquire().await?;
    for orphan in &plan.orphans {
        let sighting = sight_orphan(&mut connection, kind, &orphan.uid).await?;
        known_for.insert(orphan.uid.clone(), sighting.age);
    }
    if plan.refusal.is_none() {
        let seen: Vec<_> = known_for.keys().cloned().collect();
        forget_sightings(&mut connection, kind, &seen).await?;
    }
    Ok(known_for)
}

/// As many as one pass settles. A set or map gives them in another order each time, so that those
/// which cannot be settled keep nobody from its turn for long.
fn a_batch<T>(of: impl IntoIterator<Item = T>, policy: &ExpiryPolicy) -> impl Iterator<Item = T> {
    let most = usize::try_from(policy.batch).unwrap_or_default();
    of.into_iter().take(most)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_pass_settles_no_more_than_a_batch() {
        let policy = ExpiryPolicy {
            batch: 3,
            ..ExpiryPolicy::default()
        };
        for (there, settled) in [(0, 0), (3, 3), (1_000, 3)] {
            let suspects: HashSet<_> = (0..there).collect();
            assert_eq!(a_batch(suspects, &policy).count(), settled);
        }
    }
}
