//! Fails what did not become ready within its startup budget, with the last thing that blocked it.

use cleanup_ttl::{ExpiryPolicy, Verdict, database_now, judge};
use execution_environment::load_environment;
use failure_classification::{Classified, Phase, Signal, classify};
use job_queue::{JobFilter, JobState, list_jobs};
use serde_json::{Value, json};
use session_identity::{Actor, ExamSessionId};
use session_lifecycle::{
    Advance, Cause, Expected, Provenance, SessionState, TransitionError, advance,
    find_past_startup, load_session,
};
use sqlx::PgConnection;

use super::SweepReport;
use crate::{
    StepError, Workshop,
    follow_up::{after_end, signed},
    measure,
    work::failure,
};

/// Fails every overdue session of one batch in one transaction.
pub(super) async fn sweep(
    workshop: &Workshop,
    policy: &ExpiryPolicy,
) -> Result<SweepReport, StepError> {
    let mut transaction = workshop.pool.begin().await?;
    let mut failed = Vec::new();
    for session_id in find_past_startup(&mut transaction, policy.batch).await? {
        failed.extend(fail(&mut transaction, session_id).await?);
    }
    transaction.commit().await?;
    failed.iter().for_each(measure::session_failed);
    if !failed.is_empty() {
        workshop.waker.wake();
    }
    Ok(SweepReport {
        stuck: failed.len(),
        ..SweepReport::default()
    })
}

/// Says as what it failed; `None` where it need not.
async fn fail(
    conn: &mut PgConnection,
    session_id: ExamSessionId,
) -> Result<Option<Classified>, StepError> {
    let Some(session) = load_session(conn, session_id).await? else {
        return Ok(None);
    };
    // An exam whose time is over did not fail: the expired sweep has it within a second.
    let now = database_now(conn).await?;
    if !matches!(judge(&session, now), Verdict::StartupMissed { .. }) {
        return Ok(None);
    }
    let environment = load_environment(conn, session_id).await?;
    let note = environment.and_then(|environment| environment.last_signal);
    let died = died(conn, session_id).await?;
    let signal = blocking(note.as_ref(), died, session.state);
    let evidence = json!({ "last_signal": note, "state": session.state.as_str() });
    let classified = classify(&signal, Phase::BeforeReady);
    let step = Advance::Fail(failure(&classified, evidence));
    let by = Provenance {
        actor: Actor::System("sweep"),
        cause: Cause::new("sweep:stuck"),
        job_id: None,
        trace: None,
    };
    match advance(conn, session_id, Expected::AnyVersion, step, &by).await {
        Ok(_) => {}
        Err(TransitionError::Refused { .. }) => return Ok(None),
        Err(error) => return Err(error.into()),
    }
    after_end(conn, session_id, &signed("system:sweep", None)).await?;
    Ok(Some(classified))
}

/// The dead job of a session that was to make its environment ready: the platform's own doing.
async fn died(
    conn: &mut PgConnection,
    session_id: ExamSessionId,
) -> Result<Option<Signal>, StepError> {
    let dead = JobFilter {
        session_id: Some(session_id),
        state: Some(JobState::Dead),
        ..JobFilter::default()
    };
    let dead = list_jobs(conn, &dead, None, 1).await?;
    Ok(dead.into_iter().next().map(|job| Signal::JobExhausted {
        message: job.outcome_reason.unwrap_or_default(),
        job_kind: job.kind,
    }))
}

/// The last signal names what blocked; without one the job that died, or nobody came to begin, or
/// the environment never answered.
fn blocking(note: Option<&Value>, died: Option<Signal>, state: SessionState) -> Signal {
    let noted = note
        .and_then(|note| note.get("signal"))
        .and_then(|signal| serde_json::from_value(signal.clone()).ok())
        .filter(|signal| classify(signal, Phase::BeforeReady).may_fail_session());
    noted.or(died).unwrap_or_else(|| match state {
        SessionState::Created => Signal::JobExhausted {
            job_kind: "provision_environment".to_owned(),
            message: "no worker began within the startup budget".to_owned(),
        },
        SessionState::Initializing
        | SessionState::Ready
        | SessionState::Running
        | SessionState::Terminated
        | SessionState::Failed => Signal::NotReady {
            message: "it did not become ready within the startup budget".to_owned(),
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_signal_is_blamed_before_bare_lateness() {
        let signal = Signal::Unschedulable {
            message: "full".to_owned(),
        };
        let note = json!({ "signal": signal });
        assert_eq!(
            blocking(Some(&note), None, SessionState::Initializing),
            signal
        );
    }

    #[test]
    fn a_session_nobody_claimed_says_so() {
        assert!(matches!(
            blocking(None, None, SessionState::Created),
            Signal::JobExhausted { .. }
        ));
        assert!(matches!(
            blocking(None, None, SessionState::Initializing),
            Signal::NotReady { .. }
        ));
    }
}
