//! Fails what did not become ready within its startup budget, with the last thing that blocked it.

use cleanup_ttl::{ExpiryPolicy, Verdict, database_now, judge};
use execution_environment::load_environment;
use failure_classification::{Phase, Signal, classify};
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
    work::failure,
};

/// Fails every overdue session of one batch in one transaction.
pub(super) async fn sweep(
    workshop: &Workshop,
    policy: &ExpiryPolicy,
) -> Result<SweepReport, StepError> {
    let mut transaction = workshop.pool.begin().await?;
    let mut stuck = 0;
    for session_id in find_past_startup(&mut transaction, policy.batch).await? {
        if fail(&mut transaction, session_id).await? {
            stuck += 1;
        }
    }
    transaction.commit().await?;
    if stuck > 0 {
        workshop.waker.wake();
    }
    Ok(SweepReport {
        stuck,
        ..SweepReport::default()
    })
}

async fn fail(conn: &mut PgConnection, session_id: ExamSessionId) -> Result<bool, StepError> {
    let Some(session) = load_session(conn, session_id).await? else {
        return Ok(false);
    };
    // An exam whose time is over did not fail: the expired sweep has it within a second.
    let now = database_now(conn).await?;
    if !matches!(judge(&session, now), Verdict::StartupMissed { .. }) {
        return Ok(false);
    }
    let environment = load_environment(conn, session_id).await?;
    let note = environment.and_then(|environment| environment.last_signal);
    let signal = blocking(note.as_ref(), session.state);
    let evidence = json!({ "last_signal": note, "state": session.state.as_str() });
    let step = Advance::Fail(failure(&classify(&signal, Phase::BeforeReady), evidence));
    let by = Provenance {
        actor: Actor::System("sweep"),
        cause: Cause::new("sweep:stuck"),
        job_id: None,
        trace: None,
    };
    match advance(conn, session_id, Expected::AnyVersion, step, &by).await {
        Ok(_) => {}
        Err(TransitionError::Refused { .. }) => return Ok(false),
        Err(error) => return Err(error.into()),
    }
    after_end(conn, session_id, &signed("system:sweep", None)).await?;
    Ok(true)
}

/// The last signal names what blocked; without one, nobody came to begin, or it never answered.
fn blocking(note: Option<&Value>, state: SessionState) -> Signal {
    let noted = note
        .and_then(|note| note.get("signal"))
        .and_then(|signal| serde_json::from_value(signal.clone()).ok())
        .filter(|signal| classify(signal, Phase::BeforeReady).may_fail_session());
    noted.unwrap_or_else(|| match state {
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
        assert_eq!(blocking(Some(&note), SessionState::Initializing), signal);
    }

    #[test]
    fn a_session_nobody_claimed_says_so() {
        assert!(matches!(
            blocking(None, SessionState::Created),
            Signal::JobExhausted { .. }
        ));
        assert!(matches!(
            blocking(None, SessionState::Initializing),
            Signal::NotReady { .. }
        ));
    }
}
